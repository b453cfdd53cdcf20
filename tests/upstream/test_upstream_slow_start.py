"""A server that takes longer to start than it may be idle."""

from __future__ import annotations

import shlex
from pathlib import Path

from scene import started
from upstream_scene import behind, raw


def test_a_server_that_starts_slowly_is_not_stopped_for_want_of_use_before_its_first_call(
    repo: Path, tmp_path: Path
) -> None:
    settings = raw(tmp_path, "look")
    slowly = ["sh", "-c", f"sleep 1.2; exec {shlex.join(settings['command'])}"]
    with behind(repo, slow={**settings, "command": slowly, "idle": 0.6}) as engine:
        outcome = engine.run_action("slow.look", {}, session=started(engine, mode="code"))
        assert outcome.ok, outcome
