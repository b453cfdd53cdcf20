"""What only a person at a terminal may do; every test types into a real one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_fixtures import WORD, answer, data, environment, run, settings, terminal, waiting_review
from scene import commit, git

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.engine import approvals
from llmgenie_mcp.faces import cli_person


def status(project: Path, approval: str) -> str:
    """How an approval stands."""
    return str(data("context", f"approvals/{approval}", project=project)["value"]["status"])


def test_a_person_approves_by_typing_the_word(repo: Path) -> None:
    approval = waiting_review(repo, comment="Small and tested.")
    with terminal("approve", approval, "--project", str(repo), "--comment", "Fine.") as screen:
        word = screen.wait_for(WORD)[1]
        shown = screen.shown
        screen.type(word)
        assert screen.ended() == 0, screen.shown
    for part in (
        "Small and tested.",
        "REV-1",
        git(repo, "rev-parse", "HEAD"),
        "Add x",
        "x.txt",
        "passed on this commit",
    ):
        assert part in shown
    assert "REV-1: in_review → approved" in screen.shown
    with Engine.open(repo, read_only=True) as engine:
        kept = engine.storage.get("approvals", approval)
        assert kept is not None
        assert approvals.is_valid(kept)
        assert (kept["channel"], kept["comment"], kept["reply"]) == ("terminal", "Small and tested.", "Fine.")


@pytest.mark.parametrize("typed", ["yes", ""])
def test_anything_but_the_word_decides_nothing(repo: Path, typed: str) -> None:
    approval = waiting_review(repo)
    with terminal("approve", approval, "--project", str(repo)) as screen:
        screen.wait_for(WORD)
        screen.type(typed)
        assert screen.ended() == 1
    assert "Nothing was decided." in screen.shown
    assert status(repo, approval) == "pending"


def test_a_person_declines_with_a_comment(repo: Path) -> None:
    approval = waiting_review(repo)
    with terminal("approve", approval, "--decline", "--comment", "No test.", "--project", str(repo)) as screen:
        screen.type(screen.wait_for(WORD)[1])
        assert screen.ended() == 0
    assert status(repo, approval) == "declined"
    assert data("context", "instances/REV-1", project=repo)["value"]["state"] == "in_review"


def test_without_an_id_the_one_that_waits_is_answered(repo: Path) -> None:
    approval = waiting_review(repo)
    with terminal("approve", "--project", str(repo)) as screen:
        screen.type(screen.wait_for(WORD)[1])
        assert screen.ended() == 0
    assert status(repo, approval) == "granted"
    with terminal("approve", "--project", str(repo)) as screen:
        assert screen.ended() == 2
    assert "Nothing waits for a person." in screen.shown


def test_the_question_says_when_the_branch_has_moved(repo: Path) -> None:
    approval = waiting_review(repo)
    commit(repo, "y.txt", "y\n", "Add y")
    with terminal("approve", approval, "--project", str(repo)) as screen:
        screen.wait_for("the branch has moved since")
        screen.type(screen.wait_for(WORD)[1])
        assert screen.ended() == 1
    assert "denied" in screen.shown
    assert data("context", "instances/REV-1", project=repo)["value"]["state"] == "in_review"


def test_with_json_stdout_has_the_document_alone(repo: Path, tmp_path: Path) -> None:
    approval = waiting_review(repo)
    with (tmp_path / "out").open("w+", encoding="utf-8") as out:
        with terminal("approve", approval, "--json", "--project", str(repo), stdout=out.fileno()) as screen:
            screen.type(screen.wait_for(WORD)[1])
            assert screen.ended() == 0
        out.seek(0)
        document = json.load(out)
    assert document["ok"]
    assert document["data"]["result"]["approval"]["status"] == "granted"


def test_a_comment_cannot_draw_over_the_question(repo: Path) -> None:
    approval = waiting_review(repo, comment="\x1b[2J\x1b[HApprove the colour\u202e")
    with terminal("approve", approval, "--project", str(repo)) as screen:
        screen.type(screen.wait_for(WORD)[1])
        screen.ended()
    assert "\x1b[2J" not in screen.shown
    assert "\u202e" not in screen.shown
    assert "\\x1b[2J" in screen.shown


def test_an_answered_or_unknown_approval_is_told_before_any_question(repo: Path) -> None:
    approval = waiting_review(repo)
    with Engine.open(repo) as engine:
        engine.decide_approval(approval, False, person="Ada", channel="terminal")
    for name, said in ((approval, "was declined already, by Ada"), ("APR-9", "Unknown approval")):
        with terminal("approve", name, "--project", str(repo)) as screen:
            assert screen.ended() == 2
        assert said in screen.shown


@pytest.mark.parametrize(
    "words", [("approve",), ("approve", "APR-1"), ("approve", "APR-1", "--decline"), ("trust",), ("trust", "--revoke")]
)
def test_without_a_terminal_it_is_refused_with_what_a_person_types(repo: Path, words: tuple[str, ...]) -> None:
    waiting_review(repo)
    code, document = answer(*words, project=repo)
    assert code == 1
    assert document["error"]["code"] == "needs_person"
    assert f"llmgenie {' '.join(words)} --project {repo}" in document["error"]["hint"]
    shown = run(*words, project=repo, input="y\nyes\n")
    assert shown.exit_code == 1
    assert "not a terminal" in shown.stderr
    assert status(repo, "APR-1") == "pending"


@pytest.mark.parametrize("marker", ["CLAUDECODE", "CURSOR_TRACE_ID", "CODEX_SANDBOX_NETWORK_DISABLED"])
def test_an_agent_s_mark_in_the_environment_is_no_person_even_in_a_terminal(repo: Path, marker: str) -> None:
    approval = waiting_review(repo)
    with terminal("approve", approval, "--project", str(repo), env=environment(**{marker: "1"})) as screen:
        assert screen.ended() == 1
    assert f"{marker} is set" in screen.shown
    assert status(repo, approval) == "pending"


def test_the_name_of_a_terminal_program_is_no_mark(repo: Path) -> None:
    env = environment(TERM_PROGRAM="vscode", CODEX_HOME="/somewhere")
    with terminal("task", "add", "First", "--project", str(repo), env=env) as screen:
        assert screen.ended() == 0, screen.shown
    assert data("context", "meta-log", project=repo)["items"][0]["actor"]["kind"] == "human"


def test_a_person_accepts_the_definitions_seeing_what_could_run(repo: Path) -> None:
    settings(repo, "pytest", "-q")
    with terminal("trust", "--project", str(repo)) as screen:
        screen.wait_for(r'test: \["pytest", "-q"\]')
        screen.type(screen.wait_for(WORD)[1])
        assert screen.ended() == 0
    assert trust.is_trusted(repo / ".llmgenie")
    assert data("trust", "--show", project=repo)["trusted"]


def test_the_wrong_word_accepts_nothing(repo: Path) -> None:
    settings(repo)
    with terminal("trust", "--project", str(repo)) as screen:
        screen.wait_for(WORD)
        screen.type("y")
        assert screen.ended() == 1
    assert not trust.is_trusted(repo / ".llmgenie")


def test_definitions_that_change_while_the_person_reads_are_not_accepted(repo: Path) -> None:
    settings(repo)
    with terminal("trust", "--project", str(repo)) as screen:
        word = screen.wait_for(WORD)[1]
        settings(repo, "rm", "-rf", "everything")
        screen.type(word)
        assert screen.ended() == 2
    assert "changed while they were read" in screen.shown
    assert not trust.is_trusted(repo / ".llmgenie")


def test_what_changed_since_it_was_accepted_is_shown(repo: Path) -> None:
    for command, expected in (("one", "new        llmgenie.yaml"), ("two", "changed    llmgenie.yaml")):
        settings(repo, command)
        with terminal("trust", "--project", str(repo)) as screen:
            screen.wait_for(expected)
            screen.type(screen.wait_for(WORD)[1])
            assert screen.ended() == 0
    settings(repo, "three")
    shown = data("trust", "--show", project=repo)
    assert not shown["trusted"]
    assert shown["files"][0]["status"] == "changed"


def test_definitions_that_cannot_be_read_cannot_be_accepted(repo: Path) -> None:
    (repo / ".llmgenie").mkdir()
    (repo / ".llmgenie" / "llmgenie.yaml").write_text("commands: [\n", encoding="utf-8")
    with terminal("trust", "--project", str(repo)) as screen:
        assert screen.ended() == 1
    assert "llmgenie.yaml:" in screen.shown
    assert not trust.is_trusted(repo / ".llmgenie")


def test_trust_is_taken_back(repo: Path) -> None:
    settings(repo)
    trust.trust(repo / ".llmgenie")
    with terminal("trust", "--revoke", "--project", str(repo)) as screen:
        assert screen.ended() == 0
    assert not trust.is_trusted(repo / ".llmgenie")


def test_the_word_cannot_be_guessed_beforehand() -> None:
    assert len(set(cli_person.WORDS)) == len(cli_person.WORDS) >= 64
    assert not {"y", "yes", "ok"} & set(cli_person.WORDS)
