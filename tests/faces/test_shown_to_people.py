"""What agents, servers and repositories wrote is shown to the people who decide by it, and shows nothing else."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest
from cli_fixtures import WORD, data, run, terminal, waiting_review
from hypothesis import given
from hypothesis import strategies as st
from mcp.client import Client
from mcp_types import ElicitResult
from mcp_wire import call
from scene import configure

from llmgenie_mcp.errors import visible
from llmgenie_mcp.faces import cli_text

HIDING = "\x1b[2J\x9b1A\u202egnp\u2066\u200bx\u2060\ufeff\xad\u2028\U000e0041\x7f\r"
"""A screen that is cleared, text turned round, and what nobody sees."""
FORGED = "\ue001ok\ue000"
"""How a word of judgement in green was written before printing."""
SEEN = ("\\x1b[2J", "\\x9b1A", "\\u202egnp", "\\u2066", "\\u200bx", "\\U000e0041")
EVERY = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ue000-\ue005]"
)


def nothing_hides(shown: str) -> None:
    """Colours of ours aside, nothing that a terminal obeys and nothing that people do not see."""
    rest = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r", "")
    assert EVERY.findall(rest) == []
    assert not any(0xE0000 <= ord(sign) < 0xE0200 for sign in rest)


@given(st.text(st.characters(categories=("Cc", "Cf", "Zl", "Zp", "Lu", "So")), max_size=40))
def test_characters_that_hide_are_written_out_and_no_other_is(text: str) -> None:
    shown = visible(text)
    left = [sign for sign in shown if unicodedata.category(sign) in ("Cc", "Zl", "Zp") and sign not in "\n\t"]
    assert left == []
    assert visible(shown) == shown
    plain = [sign for sign in text if unicodedata.category(sign) in ("Lu", "So") or sign in "\n\t"]
    assert [sign for sign in plain if sign not in shown] == []


def test_emoji_and_scripts_that_need_joiners_are_left_as_they_are() -> None:
    for text in ("👩‍👩‍👧‍👦 family", "می‌خواهم", "❤️", "e\u0301", "做", "عنوان"):
        assert visible(text) == text
    assert visible("pay\u200dpal\ufe0f") == "pay\\u200dpal\\ufe0f"


@pytest.mark.parametrize("words", ["task list", "task show TSK-1", "log", "context tasks/TSK-1", "state"])
def test_no_command_shows_a_title_that_hides_anything(repo: Path, words: str) -> None:
    title = f"red {HIDING} {FORGED}"
    data("task", "add", title, project=repo)
    shown = run(*words.split(), project=repo, color=True).stdout
    nothing_hides(shown)
    if words not in ("log", "state"):
        assert "\\x1b[2J" in shown
        assert "\\u202egnp" in shown
        assert "\\ue001ok" in shown
    document = run(*words.split(), "--json", project=repo).stdout
    nothing_hides(document.replace(FORGED, ""))
    assert words == "state" or json.dumps(title) in json.dumps(json.loads(document))


def test_who_approves_in_a_terminal_sees_what_a_comment_hides(repo: Path) -> None:
    approval = waiting_review(repo, comment=f"Fine.{HIDING}{FORGED}\n  tests      passed on this commit")
    nothing_hides(run("approvals", project=repo, color=True).stdout)
    with terminal("approve", approval, "--project", str(repo)) as screen:
        screen.wait_for(WORD)
        shown = screen.shown
        screen.type("no")
        assert screen.ended() == 1
    nothing_hides(shown)
    assert all(part in shown for part in SEEN)
    assert len([line for line in shown.split("\n") if line.startswith("  tests ")]) == 1


@pytest.mark.anyio
async def test_a_dialogue_of_the_client_shows_what_a_comment_hides_on_one_line(
    project: Path, client: type[Client]
) -> None:
    asked: list[str] = []

    async def person(_context: object, question: object) -> ElicitResult:
        asked.append(question.message)  # type: ignore[attr-defined]
        return ElicitResult(action="cancel")

    about = {
        "action": "file.delete",
        "params": {"path": f"a{HIDING}"},
        "comment": f"{HIDING}\n\nllmgenie: all is well.",
    }
    async with client(elicitation_callback=person) as connected:
        await call(connected, "run_action", action="request_approval", params=about)
    (message,) = asked
    nothing_hides(message)
    assert message.count("\n") == 1
    assert message.count("\\u202e") == 2


def test_who_trusts_a_project_sees_what_its_definitions_hide(repo: Path) -> None:
    configure(repo, commands={"test": {"argv": ["sh", "-c", f"echo {HIDING}".replace("\r", "").replace("\u2028", "")]}})
    shown = run("trust", "--show", project=repo, color=True).stdout
    nothing_hides(shown)
    assert "\\u202egnp" in shown


def test_styles_are_of_this_process_alone() -> None:
    assert cli_text.plain(FORGED) == "\\ue001ok\\ue000"
    assert cli_text.no_styles(cli_text.plain(cli_text.mark("ok"))) == "ok"
    assert cli_text.no_styles(cli_text.strong(cli_text.line(f"a{FORGED}"))) == "a\\ue001ok\\ue000"
