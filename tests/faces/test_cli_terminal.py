"""The command line in a terminal: colours, tables that fit, what a slow command tells, and the way out of it."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest
from cli_fixtures import WORD, data, environment, process, run, settings, terminal
from hypothesis import given
from hypothesis import strategies as st

from llmgenie_mcp import trust
from llmgenie_mcp.faces.cli_table import GAP, fit, layout, width

TITLES = ("Write the parser", "日本語のタスクを書く", "🎉 celebrate 👩‍👩‍👧 e\u0301tude ❤️ done", "long " * 39)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
COLOURED = {"TERM": "xterm-256color"}


def seen(*words: str, **env: str) -> tuple[int, str]:
    """Exit code of a command in a terminal, and what it wrote there."""
    with terminal(*words, env=environment(**env)) as screen:
        code = screen.ended()
        return code, screen.shown


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_the_terminal_and_their_columns_stand_below_each_other(columns: int, repo: Path) -> None:
    for number, title in enumerate(TITLES):
        data("task", "add", title, *(("--after", "TSK-1") if number else ()), project=repo)
    code, shown = seen("task", "list", "--project", str(repo), COLUMNS=str(columns))
    head, *lines = shown.splitlines()
    assert code == 0
    assert [width(line) for line in (head, *lines) if width(line) > columns] == []
    assert head.split() == ["id", "status", "priority", "title", "dependencies"]
    place = head.index("dependencies")
    assert [width(line.partition("TSK-1")[0]) for line in lines[1:]] == [place] * 3
    assert re.search(r"long… {2,3}TSK-1$", lines[-1])
    piped = run("task", "list", project=repo).stdout.splitlines()
    assert TITLES[-1].strip() in piped[-1], "nothing is cut in a pipe"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("abc", 3),
        ("日本", 4),
        ("e\u0301", 1),
        ("🎉", 2),
        ("❤️", 2),
        ("👩‍👩‍👧", 2),
        ("ｱ", 1),
        ("\uff21", 2),
        ("\u200b", 0),
    ],
)
def test_widths_are_those_of_unicode(text: str, columns: int) -> None:
    assert width(text) == columns


@given(st.lists(st.lists(st.text(max_size=60), min_size=3, max_size=3), min_size=1, max_size=5), st.integers(42, 200))
def test_no_line_is_wider_than_the_terminal_and_what_fits_is_whole(rows: list[list[str]], columns: int) -> None:
    lines = layout(rows, columns)
    assert all(width(line) <= columns for line in lines)
    if all(sum(map(width, row)) + 2 * GAP <= columns for row in [[max(c, key=width) for c in zip(*rows, strict=True)]]):
        assert all(cell.rstrip() in line or not cell for row, line in zip(rows, lines, strict=True) for cell in row[:1])
    assert all(width(fit(cell, 10)) <= 10 for row in rows for cell in row)


def test_colours_are_for_terminals_and_for_who_forces_them(repo: Path) -> None:
    words = ("state", "--project", str(repo))
    assert ESCAPE.search(seen(*words, **COLOURED)[1])
    assert not ESCAPE.search(seen(*words, **COLOURED, NO_COLOR="1")[1])
    assert not ESCAPE.search(seen(*words, "--json", **COLOURED)[1])
    assert not ESCAPE.search(process(*words).stdout)
    assert ESCAPE.search(process(*words, env=environment(FORCE_COLOR="1")).stdout)
    assert not ESCAPE.search(process(*words, "--json", env=environment(FORCE_COLOR="1")).stdout)
    assert not ESCAPE.search(process(*words, env=environment(FORCE_COLOR="1", NO_COLOR="1")).stdout)


def test_a_slow_command_tells_in_a_terminal_what_it_is_at(repo: Path, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    waits = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.05)"
    settings(repo, sys.executable, "-c", waits, str(go_on))
    trust.trust(repo / ".llmgenie")
    session = data("session", "start", "--mode", "code", project=repo)["result"]["session"]["id"]
    words = ("run", "run_tests", "--session", session, "--project", str(repo))
    with terminal(*words, env=environment(**COLOURED)) as screen:
        screen.wait_for(r"run_tests.* … [12] s")
        go_on.touch()
        assert screen.ended() == 0
        assert "\r\x1b[K" in screen.shown, "the line is taken back"
    assert process(*words).stderr == ""


def test_an_interrupt_ends_with_130_and_no_traceback(repo: Path) -> None:
    settings(repo)
    with terminal("trust", "--project", str(repo)) as screen:
        screen.wait_for(WORD)
        screen.process.send_signal(signal.SIGINT)
        assert screen.ended() == 130
        assert "Interrupted." in screen.shown
        assert "Traceback" not in screen.shown


def test_tasks_are_chosen_by_what_they_are(repo: Path) -> None:
    data("task", "add", "First", "--priority", "low", "--label", "a", "--label", "b", project=repo)
    data("task", "add", "Second", "--after", "TSK-1", "--label", "a", project=repo)
    data("task", "add", "Third", "--priority", "high", project=repo)
    data("task", "add", "Fourth", project=repo)
    session = data("session", "start", "--mode", "code", project=repo)["result"]["session"]["id"]
    data("task", "claim", "TSK-4", "--session", session, project=repo)
    for options, expected in {
        ("--ready",): ["TSK-3", "TSK-1"],
        ("--ready", "--limit", "1"): ["TSK-3"],
        ("--ready", "--limit", "1", "--cursor", "1"): ["TSK-1"],
        ("--mine",): ["TSK-4"],
        ("--assignee", "nobody"): [],
        ("--status", "todo", "--label", "a"): ["TSK-1", "TSK-2"],
        ("--label", "a", "--label", "b"): ["TSK-1"],
        ("--priority", "low", "--priority", "high"): ["TSK-1", "TSK-3"],
        ("--status", "todo", "--status", "in_progress", "--query", "fo"): ["TSK-4"],
    }.items():
        found = data("task", "list", *options, project=repo)
        assert [task["id"] for task in found["items"]] == expected, options
    first = data("task", "list", "--ready", "--limit", "1", project=repo)
    assert (first["total"], first["cursor"]) == (2, "1")
    shown = run("task", "list", "--status", "tod", project=repo)
    assert (shown.exit_code, "Did you mean todo?" in shown.stderr) == (2, True)
