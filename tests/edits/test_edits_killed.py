"""kill -9 before every system call of an installation, and of taking it back: what was there comes back all the same."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wanted
from scene import copy_repository
from trees import Tree, difference, tree

from llmgenie_mcp.edits import ledger
from llmgenie_mcp.edits.plan import Change
from llmgenie_mcp.edits.restore import restore

pytestmark = pytest.mark.crash

CALLS = ("open", "write", "fchmod", "replace", "mkdir", "rmdir", "unlink", "symlink")
"""Every call that changes what other processes see; waiting for the disk does not."""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process wrote outlives its kill without being on the disk, and no power is cut here."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _file: None)


def everything(root: Path, version: int = 1) -> list[Change]:
    """One file of every kind is enough here."""
    return wanted.everything(root, version, most=6)


def killed_before(call: int, deed: Callable[[], object]) -> bool:
    """Do `deed` in a process that is killed before its `call`-th call, a write after half of its data; whether it was."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _die_before(call)
            deed()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in {0, -signal.SIGKILL}
    return code != 0


def _die_before(call: int) -> None:
    calls = [0]

    def killing(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == call:
                if name == "write":
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return wrapper

    for name in CALLS:
        setattr(os, name, killing(getattr(os, name), name))


def in_turn(start: Path, place: Path, deed: Callable[[Path], object], check: Callable[[Path], None]) -> int:
    """Kill `deed` on copies of `start`, at one call after the other until it comes to its end; how many there were."""
    call = 0
    while True:
        call += 1
        shutil.rmtree(place, ignore_errors=True)
        copy_repository(start, place)
        if not killed_before(call, lambda: deed(place)):
            return call - 1
        check(place)


def given_back(before: Tree) -> Callable[[Path], None]:
    def check(root: Path) -> None:
        restore(root / ".llmgenie")
        assert difference(before, tree(root)) == {}

    return check


def test_an_installation_that_was_killed_is_taken_back(project: Path, tmp_path: Path) -> None:
    place = tmp_path / "victim"
    copy_repository(project, place)
    changes = everything(place)  # planned for this place, and the same every time
    calls = in_turn(project, place, lambda root: ledger.apply(root / ".llmgenie", changes), given_back(tree(project)))
    print(f"killed at each of {calls} calls")
    assert calls > len(changes) * 3


def test_a_second_installation_that_was_killed_is_taken_back_with_the_first(project: Path, tmp_path: Path) -> None:
    before, place = tree(project), tmp_path / "victim"
    ledger.apply(project / ".llmgenie", everything(project))
    copy_repository(project, place)
    changes = everything(place, 2)
    calls = in_turn(project, place, lambda root: ledger.apply(root / ".llmgenie", changes), given_back(before))
    assert calls > len(changes) * 3


def test_a_killed_installation_is_completed_by_the_next_one(project: Path, tmp_path: Path) -> None:
    before, place = tree(project), tmp_path / "victim"
    copy_repository(project, place)
    changes = everything(place)
    for call in range(5, 400, 23):
        shutil.rmtree(place)
        copy_repository(project, place)
        killed_before(call, lambda: ledger.apply(place / ".llmgenie", changes))
        ledger.apply(place / ".llmgenie", everything(place))
        assert everything(place) == []
        given_back(before)(place)


def test_taking_back_that_was_killed_is_completed_by_the_next_one(project: Path, tmp_path: Path) -> None:
    before = tree(project)
    ledger.apply(project / ".llmgenie", everything(project))
    calls = in_turn(project, tmp_path / "victim", lambda root: restore(root / ".llmgenie"), given_back(before))
    assert calls > 30
