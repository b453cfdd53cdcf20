"""What a command says when there is nothing to show, or the words were wrong: what is so, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_fixtures import run

from llmgenie_mcp.errors import counted


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("task done TSK-1", 2, "No such command 'done'. There are: add, claim, complete, list, show."),
        ("task show TSK-9", 2, "Unknown task 'TSK-9'.\nThere is no task yet."),
        ("context notes/x", 2, "Unknown note 'x'.\nThere is no note yet."),
        ("log", 0, "The log is empty."),
        ("log --session SES-9", 0, "No line of the log fits session SES-9."),
        ("log --query merge --session SES-9", 0, "No line of the log fits merge and session SES-9."),
        ("upstream list", 0, "No server stands behind this one.  → llmgenie upstream add"),
        ("schema --check nowhere", 1, "nowhere/policy.schema.json is not there  → llmgenie schema --write nowhere"),
        ("check --range a..b", 2, "is no git checkout, and commits are judged in one.\nGo to the checkout."),
    ],
)
def test_nothing_and_wrong_words_are_answered_with_what_to_do(tmp_path: Path, words: str, code: int, told: str) -> None:
    shown = run(*words.split(), project=tmp_path)
    assert shown.exit_code == code
    assert told in shown.stdout + shown.stderr


@pytest.mark.parametrize(("number", "told"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1500, "1,500 files")])
def test_what_is_counted_is_one_or_several(number: int, told: str) -> None:
    assert counted(number, "file") == told
