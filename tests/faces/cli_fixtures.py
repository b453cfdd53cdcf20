"""What the tests of the command line use: runs in this process, real processes, and terminals to type in."""

from __future__ import annotations

import atexit
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from scene import commit, git

import llmgenie_mcp
from llmgenie_mcp import Engine, trust
from llmgenie_mcp.faces.cli import cli
from llmgenie_mcp.markers import is_marker

SOURCE = Path(llmgenie_mcp.__file__).parent.parent
PATIENCE = 60.0
"""Seconds to wait for what must come; a test that waits that long has failed."""
CACHE = tempfile.mkdtemp(prefix="llmgenie-pyc-")
"""Compiled modules for all the processes started here, so that not each has to compile everything."""
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)
WORD = r"type (\w+) \(anything else"


def run(*words: str, project: Path | None = None, **options: Any) -> Result:
    """Run a command line in this process, which has no terminal."""
    where = ["--project", str(project)] if project is not None else []
    return CliRunner().invoke(cli, [*where, *words], catch_exceptions=False, **options)


def answer(*words: str, project: Path | None = None) -> tuple[int, dict[str, Any]]:
    """Exit code and document of a command line with `--json`; nothing else may be printed."""
    result = run(*words, "--json", project=project)
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert document["ok"] is (result.exit_code == 0)
    return result.exit_code, document


def data(*words: str, project: Path | None = None) -> Any:
    """What a command that must be ok answers."""
    code, document = answer(*words, project=project)
    assert code == 0, document
    return document["data"]


def environment(**more: str) -> dict[str, str]:
    """The environment of a process, without any agent's marks."""
    marked = (name for name in os.environ if is_marker(name))
    kept = {name: value for name, value in os.environ.items() if name not in set(marked)}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PYTHONPATH": str(SOURCE), "PYTHONPYCACHEPREFIX": CACHE, "TERM": "dumb", "COLUMNS": "200", **more}


def process(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command line as a process without a terminal."""
    options.setdefault("env", environment())
    return subprocess.run(
        [sys.executable, "-m", "llmgenie_mcp", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE,
        **options,
    )


class Terminal:
    """A terminal with a command running in it, and somebody who reads and types."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process, self._screen = process, screen
        self.shown = ""
        self._read = 0

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read on until `pattern` is shown after what was waited for before."""
        deadline = time.monotonic() + PATIENCE
        while True:
            if found := re.compile(pattern).search(self.shown, self._read):
                self._read = found.end()
                return found
            assert self._more(deadline), f"{pattern!r} never came:\n{self.shown}"

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._screen, f"{line}\n".encode())

    def ended(self) -> int:
        """Read to the end; returns the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._more(deadline):
            pass
        return self.process.wait(PATIENCE)

    def _more(self, deadline: float) -> bool:
        if not select.select([self._screen], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError(f"nothing more came:\n{self.shown}")
        try:
            read = os.read(self._screen, 65536)
        except OSError:  # EIO: nobody writes to this terminal any more
            return False
        self.shown += read.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(read)


@contextmanager
def terminal(*words: str, env: dict[str, str] | None = None, stdout: int | None = None) -> Iterator[Terminal]:
    """A command line in a terminal of its own.

    Args:
        words: of the command line.
        env: the environment, when it is not the usual one.
        stdout: where stdout goes instead; stdin and stderr stay the terminal.
    """
    screen, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "llmgenie_mcp", *words],
        stdin=theirs,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        env=env or environment(),
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, screen)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait(PATIENCE)
        os.close(screen)


def settings(project: Path, *argv: str) -> None:
    """Settings with a `test` command, not accepted by anybody."""
    store = project / ".llmgenie"
    store.mkdir(exist_ok=True)
    written = json.dumps({"commands": {"test": {"argv": list(argv or ("true",))}}})
    (store / "llmgenie.yaml").write_text(written, encoding="utf-8")


def waiting_review(project: Path, comment: str = "") -> str:
    """Bring a branch to where a person has to answer; returns the approval's id."""
    settings(project)
    trust.trust(project / ".llmgenie")
    git(project, "switch", "-q", "-c", "feature/x")
    commit(project, "x.txt", "x\n", "Add x")
    with Engine.open(project) as engine:
        session = engine.run_action("start_session", {"mode": "review"}).result["session"]["id"]
        for name, params in (("start_review", {}), ("run_tests", {}), ("submit", {})):
            assert engine.run_action(name, params, session=session).ok
        asked = engine.run_action("request_approval", {"comment": comment}, session=session)
        assert asked.ok
        return str(asked.result["approval"]["id"])
