"""`llmgenie token`: anyone makes tokens that give nothing new; those that speak for a person are made by one, at a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_fixtures import WORD, answer, data, environment, run, terminal
from scene import configure

from llmgenie_mcp import tokens


def test_a_token_is_made_shown_once_and_works(repo: Path) -> None:
    made = data("token", "create", "ci", "--role", "agent", project=repo)
    found = tokens.load(repo / ".llmgenie").find(made["token"])
    assert found is not None
    assert (found.name, found.role, found.expires_at) == ("ci", "agent", None)
    assert "sha256" not in made
    for words in (("token", "list"), ("token", "list", "--json"), ("token", "revoke", "ci")):
        shown = run(*words, project=repo)
        assert shown.exit_code == 0
        assert made["token"][-43:] not in shown.stdout
        assert found.sha256 not in shown.stdout


def test_what_is_printed_can_be_taken_by_a_shell(repo: Path) -> None:
    configure(repo, rest={"port": 9999})
    shown = run("token", "create", "ci", "--role", "reader", project=repo).stdout.splitlines()
    assert tokens.load(repo / ".llmgenie").find(shown[0]) is not None
    assert "not shown again" in shown[1]
    assert "http://127.0.0.1:9999/" in shown[2]


@pytest.mark.parametrize(
    ("given", "lasts"),
    [
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("90d", timedelta(days=90)),
        ("4w", timedelta(weeks=4)),
    ],
)
def test_a_token_may_end_by_itself(repo: Path, given: str, lasts: timedelta) -> None:
    ends = data("token", "create", "ci", "--role", "agent", "--expires", given, project=repo)["expires_at"]
    assert abs(datetime.fromisoformat(ends) - datetime.now(UTC) - lasts) < timedelta(minutes=1)


@pytest.mark.parametrize("given", ["", "0d", "-1d", "1", "d", "1y", "1.5h", "999999d", "soon"])
def test_a_time_that_cannot_be_read_makes_no_token(repo: Path, given: str) -> None:
    code, document = answer("token", "create", "ci", "--role", "agent", f"--expires={given}", project=repo)
    assert code == 2
    assert "90d" in document["error"]["hint"]
    assert not tokens.load(repo / ".llmgenie").any


def test_a_name_that_is_taken_or_cannot_be_is_told(repo: Path) -> None:
    data("token", "create", "ci", "--role", "agent", project=repo)
    code, document = answer("token", "create", "ci", "--role", "reader", project=repo)
    assert code == 2
    assert "llmgenie token revoke ci" in document["error"]["hint"]
    assert answer("token", "create", "C I", "--role", "reader", project=repo)[0] == 2
    assert run("token", "create", "x", "--role", "root", project=repo).exit_code == 2
    assert run("token", "create", "x", project=repo).exit_code == 2


def test_the_list_says_what_each_may_and_how_long(repo: Path) -> None:
    assert "may call the server as an agent" in run("token", "list", project=repo).stdout
    data("token", "create", "ci", "--role", "agent", project=repo)
    tokens.create(repo / ".llmgenie", "old", "reader", timedelta(seconds=-1))
    rows = {row["name"]: row for row in data("token", "list", project=repo)["items"]}
    assert (rows["ci"]["role"], rows["ci"]["expired"]) == ("agent", False)
    assert rows["old"]["expired"]
    shown = run("token", "list", project=repo).stdout
    assert "expired" in shown
    assert "never used" in shown


def test_revoking_says_when_none_is_left(repo: Path) -> None:
    for name in ("one", "two"):
        data("token", "create", name, "--role", "agent", project=repo)
    assert data("token", "revoke", "one", project=repo) == {"name": "one", "revoked": True, "left": 1}
    assert "without a token" in run("token", "revoke", "two", project=repo).stdout
    code, document = answer("token", "revoke", "two", project=repo)
    assert (code, document["error"]["code"]) == (2, "unknown_name")


def test_a_damaged_file_is_told_with_its_path(repo: Path) -> None:
    data("token", "create", "ci", "--role", "agent", project=repo)
    file = tokens.path(repo / ".llmgenie")
    file.write_text("{", encoding="utf-8")
    for words in (("list",), ("revoke", "ci"), ("create", "x", "--role", "agent")):
        code, document = answer("token", *words, project=repo)
        assert (code, document["error"]["code"], document["error"]["file"]) == (1, "tokens_unreadable", str(file))


@pytest.mark.parametrize("role", ["human", "admin"])
def test_without_a_terminal_nobody_makes_a_token_that_speaks_for_a_person(repo: Path, role: str) -> None:
    code, document = answer("token", "create", "me", "--role", role, "--expires", "1d", project=repo)
    assert (code, document["error"]["code"]) == (1, "needs_person")
    assert f"llmgenie token create me --role {role} --expires 1d --project {repo}" in document["error"]["hint"]
    assert run("token", "create", "me", "--role", role, project=repo, input="y\nyes\n").exit_code == 1
    assert not tokens.load(repo / ".llmgenie").any


def test_an_agent_in_a_terminal_is_no_person(repo: Path) -> None:
    words = ("token", "create", "me", "--role", "human", "--project", str(repo))
    with terminal(*words, env=environment(CLAUDECODE="1")) as screen:
        assert screen.ended() == 1
    assert "CLAUDECODE is set" in screen.shown
    assert not tokens.load(repo / ".llmgenie").any


def test_a_person_makes_one_by_typing_the_word(repo: Path, tmp_path: Path) -> None:
    words = ("token", "create", "me", "--role", "human", "--json", "--project", str(repo))
    with (tmp_path / "out").open("w+", encoding="utf-8") as out:
        with terminal(*words, stdout=out.fileno()) as screen:
            screen.wait_for("whoever has it is taken for you")
            screen.type(screen.wait_for(WORD)[1])
            assert screen.ended() == 0, screen.shown
        out.seek(0)
        secret = json.load(out)["data"]["token"]
    found = tokens.load(repo / ".llmgenie").find(secret)
    assert found is not None
    assert found.role == "human"
    assert secret not in screen.shown


def test_another_word_makes_none(repo: Path) -> None:
    with terminal("token", "create", "me", "--role", "admin", "--project", str(repo)) as screen:
        screen.wait_for(WORD)
        screen.type("yes")
        assert screen.ended() == 1
    assert "No token was made." in screen.shown
    assert not tokens.load(repo / ".llmgenie").any
