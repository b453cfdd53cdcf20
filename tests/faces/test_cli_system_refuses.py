"""What the system refuses becomes a message: a state folder that cannot be made, an output that takes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("token create ci --role agent", "cannot be used: Not a directory."),
        ("state >/dev/full", "Error: The output cannot be written: No space left on device."),
        ("--json state >/dev/full", "Error: The output cannot be written: No space left on device."),
    ],
)
def test_what_the_system_refuses_is_told_in_a_line_and_a_hint(repo: Path, tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m llmgenie_mcp {line}"],
        cwd=repo,
        env={**os.environ, "LLMGENIE_STATE_DIR": str(tmp_path / "file" / "state")},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stdout) == (1, "")
    message, hint = done.stderr.splitlines()
    assert said in message
    assert hint
