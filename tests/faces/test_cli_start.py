"""The command line starts fast, because it imports what a command needs and no more."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_fixtures import data, environment, run

HEAVY = (
    "mcp",
    "mcp_types",
    "fastapi",
    "starlette",
    "jsonschema",
    "tinydb",
    "pydantic",
    "ruamel",
    "anyio",
    "httpx2",
    "rich",
)
MOST = 10
"""So many times the processor time of `python -c pass` may a command take that only reads."""
ROUNDS = 6
LOOK = """
import sys
from llmgenie_mcp.faces.cli import main
sys.argv = ["llmgenie", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def imported(*words: str) -> set[str]:
    """The top-level modules that a command line has imported at its end."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *words], env=environment(), capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("demo", "--help"), ("serve", "--help")], ids=" ".join)
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    assert not imported(*words) & set(HEAVY)


@pytest.mark.parametrize(
    "words", [("task", "list"), ("context", "meta-log"), ("log",), ("approvals",), ("log", "verify")], ids=" ".join
)
def test_reading_what_is_stored_needs_the_store_alone(repo: Path, words: tuple[str, ...]) -> None:
    data("task", "add", "First", project=repo)
    assert imported(*words, "--project", str(repo)) & set(HEAVY) == {"tinydb"}


@pytest.mark.parametrize(
    "words",
    [
        ("state",),
        ("actions",),
        ("actions", "code", "--blocked"),
        ("policy", "list"),
        ("policy", "show", "security"),
        ("policy", "check"),
        ("enforce", "create_task"),
        ("enforce", "git.push", "-p", "branch=feature/x", "--trace"),
        ("workflow", "list"),
        ("workflow", "show", "review"),
        ("workflow", "diagram", "review"),
        ("hook", "status"),
    ],
    ids=" ".join,
)
def test_what_is_kept_of_the_definitions_is_told_without_pydantic(repo: Path, words: tuple[str, ...]) -> None:
    data("policy", "list", project=repo)
    assert imported(*words, "--project", str(repo)) & set(HEAVY) <= {"tinydb"}


def test_what_is_kept_for_hooks_explains_a_command_without_pydantic(repo: Path) -> None:
    assert run("policy", "explain", "git status", project=repo).exit_code == 0
    assert imported("--project", str(repo), "policy", "explain", "git status") & set(HEAVY) <= {"tinydb"}


@pytest.mark.parametrize("words", [("actions", "--query", "task"), ("doctor",), ("trust", "--show")], ids=" ".join)
def test_no_reading_command_imports_the_mcp_sdk(repo: Path, words: tuple[str, ...]) -> None:
    assert not imported(*words, "--project", str(repo)) & {"mcp", "mcp_types", "starlette", "anyio", "jsonschema"}


LIVES = """
import atexit, gc
usual = gc.get_threshold()
from llmgenie_mcp.faces.cli_base import long_life, short_life
atexit.register(print, "at the end")
with short_life():
    assert gc.isenabled()
    assert gc.get_threshold()[0] > usual[0]
    long_life()
    assert gc.get_threshold() == usual
assert gc.get_freeze_count() > 1000
"""


def test_a_command_hardly_looks_for_garbage_and_a_server_does(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run([sys.executable, "-c", LIVES], env=environment(), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("at the end\n", "")
    told: list[tuple[int, ...]] = []
    monkeypatch.setattr("gc.set_threshold", lambda *numbers: told.append(numbers))
    assert run("serve", "--port", "1").exit_code == 2  # before anything is served
    assert told == [gc.get_threshold()]


def processor_seconds(*words: str, env: dict[str, str]) -> float:
    """What a Python program takes of the processor: the clock on the wall also counts whatever else is running."""
    child = subprocess.Popen([sys.executable, *words], env=env, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return used.ru_utime + used.ru_stime


def test_help_reads_and_completions_take_at_most_ten_times_an_empty_program(repo: Path) -> None:
    data("task", "add", "First", project=repo)
    env = environment()
    project = ("--project", str(repo))
    asked = {**env, "_LLMGENIE_COMPLETE": "bash_complete", "COMP_CWORD": "5"}
    cases = {
        "--help": (("--help",), env),
        "task list": (("task", "list", *project), env),
        "log": (("log", *project), env),
        "state": (("state", *project), env),
        "actions": (("actions", *project), env),
        "policy list": (("policy", "list", *project), env),
        "enforce": (("enforce", "create_task", *project), env),
        "Tab, for a task": ((), {**asked, "COMP_WORDS": f"llmgenie {' '.join(project)} task show T"}),
    }
    # Each is measured beside the empty program, so that what slows one slows the other. The first round writes the .pyc
    # files and what is kept of the definitions; and a busy machine only adds, so once is enough, and not every time.
    over: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name in [*over]:
            words, its = cases[name]
            empty = processor_seconds("-c", "pass", env=env)
            over[name].append(processor_seconds("-m", "llmgenie_mcp", *words, env=its) / empty)
            if over[name][-1] <= MOST:
                del over[name]
    assert over == {}
