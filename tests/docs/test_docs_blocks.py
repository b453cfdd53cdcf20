"""Every fenced block of the documentation is run, loaded, executed or held to what made it; what is only shown says why.

`UPDATE_DOCS=1` writes what was printed into the pages: below commands whose output differs, or is `?`, and below calls.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_agents import Agents, calls
from doc_definitions import check_json, problems
from doc_matching import difference, plain, same
from doc_pages import PAGES, ROOT, Block, blocks, is_made, name
from doc_terminal import Shell, steps
from scene import copy_repository

from llmgenie_mcp.markers import is_marker

UPDATE = os.environ.get("UPDATE_DOCS") == "1"
PLACES = Path(__file__).parent / "places"
"""What is there before a page's first command: a script NAME.sh for docs/NAME.md, run in the project."""

PROGRAMS = ("curl", "openssl")
"""What pages use that not every machine has."""

ELSEWHERE = {
    "README.md": {
        "agent   run_action": "a conversation in short; tests/docs/test_docs_blocks.py plays docs/tutorial.md",
        "$ python3 -m venv": ".ci/readme.py runs it in a copy of the checkout",
        "$ llmgenie init": "docs/tutorial.md runs it",
        "$ bash .ci/run": "it is what runs these tests",
        "$ git push origin HEAD:main": "docs/tutorial.md runs it",
        "$ llmgenie serve --http": "docs/howto/team-server.md runs it",
        "faces/ ": "import-linter holds the layers",
        "from llmgenie_mcp import Engine": "tests/test_readme.py runs it and reads what it prints",
    },
    "docs/live.md": {"from fastapi import FastAPI": "tests/test_docs_live.py asks the app"},
    "docs/performance.md": {"$ python -m bench": "takes minutes; tests/test_bench.py runs its parts quickly"},
    "docs/plugins.md": {"$ pip install ./llmgenie-hello": "tests/plugins/test_plugin_installed.py runs it"},
}
"""Blocks of pages that others run, by how they begin."""

PROBLEMS = {"docs/declared-actions.md": ["No action is called 'github.create_issue'"]}
"""What checking a page finds that is so on purpose."""

SHOWN = {
    "docs/howto/ci.md": 1,
    "docs/howto/team-server.md": 1,
    "docs/lessons.md": 1,
    "docs/live.md": 1,
    "docs/models.md": 1,
    "docs/packaging.md": 3,
    "docs/trackers.md": 1,
    "docs/tutorial.md": 1,
    "docs/upstream.md": 1,
}
"""How many blocks of a page are only shown. One more is a decision: can it not be run?"""


def elsewhere(block: Block) -> bool:
    return any(block.text.startswith(begin) for begin in ELSEWHERE.get(name(block.page), ()))


def of(page: Path, *languages: str) -> list[Block]:
    """The blocks of these languages that are to be tried."""
    return [b for b in blocks(page) if b.language in languages and not b.why_shown and not elsewhere(b)]


def played(page: Path) -> list[Block]:
    """The blocks that are run in one project, in order."""
    return [b for b in of(page, "console", "text") if b.language == "console" or b.calls]


def test_every_block_is_of_a_kind_that_is_tried() -> None:
    tried = {"console", "yaml", "json", "python", "toml", "mermaid", "ini"}
    loose = [
        block.place
        for page in PAGES
        for block in blocks(page)
        if block.language not in tried and not block.calls and not block.why_shown and not elsewhere(block)
        if not (block.language == "text" and is_made(page))
    ]
    assert loose == [], "run it, or put `<!-- shown: why -->` above it"
    there = {(page, begin) for page, begins in ELSEWHERE.items() for begin in begins}
    texts = {page: [block.text for block in blocks(ROOT / page)] for page in ELSEWHERE}
    assert [one for one in there if not any(text.startswith(one[1]) for text in texts[one[0]])] == []


def test_no_more_blocks_are_only_shown_than_there_were() -> None:
    shown = Counter(name(page) for page in PAGES for block in blocks(page) if block.why_shown)
    assert dict(shown) == SHOWN


@pytest.fixture
def shell(tmp_path: Path, template: Path) -> Iterator[Shell]:
    """A person's terminal in a project of theirs, with llmgenie installed and nobody's marks in the environment."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = main\n", "utf-8"
    )
    copy_repository(template, home / "app")
    kept = {key: value for key, value in os.environ.items() if not is_marker(key)}
    for key in ("PYTHONDONTWRITEBYTECODE", "GIT_CONFIG_GLOBAL", "NO_COLOR", "FORCE_COLOR", "VIRTUAL_ENV"):
        kept.pop(key, None)
    programs = Path(sys.executable).parent
    made = Shell(
        home,
        {
            **kept,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "LLMGENIE_STATE_DIR": str(home / ".local/state/llmgenie"),
            "XDG_RUNTIME_DIR": str(home),
            "USER": "ada",
            "LOGNAME": "ada",
            "TERM": "dumb",
            "COLUMNS": "120",
            "LC_ALL": "C.UTF-8",
            "PAGER": "cat",
        },
    )
    made.names |= {str(programs): "/home/ada/.local/bin", str(ROOT): "/home/ada/llmgenie"}
    made.run("cd app")
    yield made
    made.close()


@pytest.mark.parametrize("page", [page for page in PAGES if played(page)], ids=name)
def test_commands_and_calls_of_a_page_answer_what_it_shows(page: Path, shell: Shell) -> None:
    text = page.read_text(encoding="utf-8")
    if missing := [program for program in PROGRAMS if f"{program} " in text and shutil.which(program) is None]:
        pytest.skip(f"{', '.join(missing)}: not installed here")
    set_up = PLACES / f"{page.stem}.sh"
    if set_up.exists():
        code, printed = shell.run(f"set -e; . '{set_up}'; set +e")
        assert code == 0, printed
    agents = Agents(shell)
    written: dict[str, str] = {}
    try:
        for block in played(page):
            written[block.text] = play(block, shell, agents)
    finally:
        agents.close()
        if UPDATE:
            for before, after in written.items():
                text = text.replace(before, after, 1)
            page.write_text(text, encoding="utf-8")


def play(block: Block, shell: Shell, agents: Agents) -> str:
    """Run a block; returns it as it is to be."""
    done = []
    if block.language == "console":
        for step in steps(block.text):
            code, printed = shell.run(step.command, "[y/N] y" if UPDATE else "\n".join(step.shown))
            assert code == 0 or step.shown, f"{block.place}: $ {step.command}\nended with {code}:\n{printed}"
            done += [f"$ {step.command}", *compared(block, step.command, step.shown, printed, shell)]
    else:
        for call in calls(block.text):
            printed = agents.do(call)
            done += [call.line, *compared(block, call.line, call.shown, printed, shell)]
    return "".join(f"{line}\n" for line in done)


def compared(block: Block, what: str, shown: list[str], printed: str, shell: Shell) -> list[str]:
    """The lines that belong below a command: those that are there, when they say what was printed."""
    real = plain(printed, shell.names)
    if not shown and not block.calls:
        return []
    wanted = plain("\n".join(shown))
    if same(wanted, real):
        return shown
    assert UPDATE, f"{block.place}: {what}\n{difference(wanted, real)}"
    for before, after in shell.names.items():
        printed = printed.replace(before, after)
    return [line.rstrip() for line in printed.strip("\n").splitlines()]


@pytest.mark.parametrize("page", [page for page in PAGES if of(page, "yaml")], ids=name)
def test_definitions_of_a_page_are_right(page: Path, tmp_path: Path) -> None:
    found = list(problems([b for b in of(page, "yaml") if not b.file], tmp_path))
    wanted = PROBLEMS.get(name(page), [])
    assert len(found) == len(wanted), found
    assert all(want in problem for want, problem in zip(wanted, found, strict=True)), found


def test_calls_and_entries_in_json_fit() -> None:
    for page in PAGES:
        for block in of(page, "json"):
            check_json(block)


@pytest.mark.parametrize("page", [page for page in PAGES if any(not b.file for b in of(page, "python"))], ids=name)
def test_programs_of_a_page_run(page: Path, repo: Path) -> None:
    for block in of(page, "python"):
        if not block.file:
            code = block.text.replace("path/to/project", str(repo))
            done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=repo)
            assert done.returncode == 0, f"{block.place}\n{done.stderr}"


def test_other_formats_can_be_read() -> None:
    for page in PAGES:
        for block in of(page, "toml"):
            tomllib.loads(block.text)
        for block in of(page, "ini"):
            unit = configparser.ConfigParser(strict=False, interpolation=None)
            unit.optionxform = str  # type: ignore[assignment,method-assign]
            unit.read_string(block.text)
            assert unit.has_option("Service", "ExecStart") or unit.sections(), block.place


LINES = (
    r"stateDiagram-v2|flowchart (TD|LR)|sequenceDiagram",
    r'state ".+" as \w+',
    r"(\[\*\]|\w+) --> (\[\*\]|\w+)( : .+)?",
    r"classDef \w+ .+|class [\w,]+ \w+",
    r'\w+(\[".+"\]|\{".+"\}|\(\[".+"\]\))?( -->(\|"?.+"?\|)? \w+(\[".+"\]|\{".+"\}|\(\[".+"\]\))?)*',
)


def test_drawings_are_of_the_shape_that_mermaid_reads() -> None:
    for page in PAGES:
        for block in of(page, "mermaid"):
            for line in block.text.splitlines():
                assert any(re.fullmatch(pattern, line.strip()) for pattern in LINES), f"{block.place}: {line}"


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ("TSK-1 done", "TSK-1 done", True),
        ("TSK-1 done", "TSK-2 done", False),
        ("a\n…\nd", "a\nb\nc\nd", True),
        ("a\n…\nd", "a\nb\nc", False),
        ("a … c", "a b c", True),
        ("commit 4f1c2d0 at 2026-11-24T12:53:16.001Z", "commit 9ab31e7 at 2027-01-01T00:00:00Z", True),
        ("ok in 3 s", "ok in 12.5 s", True),
        ("", "something", False),
    ],
)
def test_what_differs_from_run_to_run_fits_and_nothing_else(shown: str, printed: str, fits: bool) -> None:
    assert same(plain(shown), plain(printed)) is fits
