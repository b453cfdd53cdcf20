"""Tokens: what is kept of them, who finds one, and that nobody brings one along."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scene import PYTHON

from llmgenie_mcp import redact, tokens
from llmgenie_mcp.errors import UnknownName, UsageError


@pytest.fixture
def store(tmp_path: Path) -> Path:
    place = tmp_path / "p" / ".llmgenie"
    place.mkdir(parents=True)
    return place


def test_without_a_file_there_is_no_token_and_none_is_needed(store: Path) -> None:
    found = tokens.load(store)
    assert not found.any
    assert found.find("lgt_ci_x") is None
    assert not tokens.path(store).exists()


def test_a_token_is_found_by_itself_and_by_nothing_near_it(store: Path) -> None:
    made, secret = tokens.create(store, "ci", "agent")
    tokens.create(store, "other", "reader")
    found = tokens.load(store)
    assert found.any
    assert found.find(secret) == made
    for wrong in (
        "",
        secret[:-1],
        secret + "x",
        secret.upper(),
        f" {secret}",
        made.sha256,
        "é" * 47,
        secret.replace("ci", "other"),
    ):
        assert found.find(wrong) is None


def test_a_token_is_256_random_bits_that_are_kept_nowhere(store: Path, isolated: Path) -> None:
    secrets = {tokens.create(store, f"t{number}", "agent")[1] for number in range(20)}
    assert len(secrets) == 20
    for secret in secrets:
        assert re.fullmatch(r"lgt_t\d+_[A-Za-z0-9_-]{43}", secret)
        assert redact.find(f"Authorization: {secret}") == ["llmgenie_token"]
    kept = [path.read_bytes() for path in isolated.rglob("*") if path.is_file()]
    assert kept
    assert not [secret for secret in secrets for data in kept if secret[-43:].encode() in data]


def test_what_is_kept_is_for_its_user_alone_and_outside_the_project(store: Path, isolated: Path) -> None:
    tokens.create(store, "ci", "admin")
    file = tokens.path(store)
    assert isolated in file.parents
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o077 == 0
    assert list(store.iterdir()) == []


def test_a_token_holds_for_its_own_project(store: Path, tmp_path: Path) -> None:
    _, secret = tokens.create(store, "ci", "agent")
    other = tmp_path / "q" / ".llmgenie"
    assert not tokens.load(other).any
    tokens.create(other, "ci", "agent")
    assert tokens.load(other).find(secret) is None


def test_a_project_cannot_bring_tokens_along(store: Path, isolated: Path) -> None:
    _, secret = tokens.create(store, "ci", "admin")
    brought = store / "tokens" / tokens.path(store).name
    brought.parent.mkdir()
    tokens.path(store).rename(brought)
    assert not tokens.load(store).any
    assert tokens.load(store).find(secret) is None


def test_an_expired_token_is_found_no_more_but_one_is_still_needed(store: Path) -> None:
    made, secret = tokens.create(store, "ci", "agent", timedelta(hours=1))
    assert made.expires_at is not None
    assert timedelta(minutes=59) < datetime.fromisoformat(made.expires_at) - datetime.now(UTC) <= timedelta(hours=1)
    assert tokens.load(store).find(secret) == made
    tokens.revoke(store, "ci")
    _, secret = tokens.create(store, "ci", "agent", timedelta(seconds=-1))
    assert tokens.load(store).find(secret) is None
    assert tokens.load(store).any


def test_a_name_is_given_once_until_it_is_revoked(store: Path) -> None:
    _, first = tokens.create(store, "ci", "agent")
    with pytest.raises(UsageError, match="There is a token ci already, of role agent"):
        tokens.create(store, "ci", "admin")
    assert tokens.revoke(store, "ci").role == "agent"
    _, second = tokens.create(store, "ci", "reader")
    assert tokens.load(store).find(first) is None
    assert tokens.load(store).find(second) is not None


@pytest.mark.parametrize("name", ["", "A", "1a", "a_b", "a b", "../x", "a" * 41, "é", "a\n"])
def test_a_name_that_cannot_be_is_refused(store: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no name for a token"):
        tokens.create(store, name, "agent")


def test_an_unknown_role_and_an_unknown_token_are_told_with_what_there_is(store: Path) -> None:
    with pytest.raises(UsageError) as role:
        tokens.create(store, "ci", "root")
    assert "reader, agent, human, admin" in role.value.hint
    tokens.create(store, "deploy", "agent")
    with pytest.raises(UnknownName) as name:
        tokens.revoke(store, "deplo")
    assert "deploy" in name.value.hint


DAMAGE = {
    "empty": "",
    "half": '{"tokens": [',
    "a list": "[]",
    "not utf-8": "\udcff",
    "no role": '{"tokens": [{"name": "a", "sha256": "%s", "created_at": "", "expires_at": null}]}' % ("0" * 64),
    "a role of its own": '{"tokens": [{"name": "a", "role": "root", "sha256": "%s", "created_at": "", "expires_at": null}]}'
    % ("0" * 64),
    "no hash": '{"tokens": [{"name": "a", "role": "admin", "sha256": "", "created_at": "", "expires_at": null}]}',
    "no time": '{"tokens": [{"name": "a", "role": "admin", "sha256": "%s", "created_at": "", "expires_at": "soon"}]}'
    % ("0" * 64),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_lets_nobody_in_and_is_not_written_over(store: Path, kind: str) -> None:
    _, secret = tokens.create(store, "ci", "admin")
    data = DAMAGE[kind].encode("utf-8", "surrogateescape")
    tokens.path(store).write_bytes(data)
    found = tokens.load(store)
    assert found.any
    assert not found.readable
    assert found.find(secret) is None
    for change in (lambda: tokens.create(store, "new", "agent"), lambda: tokens.revoke(store, "ci")):
        with pytest.raises(tokens.TokensUnreadable, match="cannot be read"):
            change()
    assert tokens.path(store).read_bytes() == data


def test_people_who_make_tokens_at_once_lose_none(store: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from llmgenie_mcp import tokens;"
        "[tokens.create(Path(sys.argv[1]), f'other{n}', 'agent') for n in range(10)]"
    )
    with subprocess.Popen([PYTHON, "-c", code, str(store)]) as other, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: tokens.create(store, f"mine{n}", "agent"), range(10)))
    assert other.returncode == 0
    assert len(tokens.load(store).all) == 20


def test_a_book_sees_what_another_process_changed(store: Path) -> None:
    book = tokens.Book(store)
    assert not book.now.any
    _, secret = tokens.create(store, "ci", "agent")
    assert book.now.find(secret) is not None
    assert book.now is book.now
    code = (
        "import sys; from pathlib import Path; from llmgenie_mcp import tokens; tokens.revoke(Path(sys.argv[1]), 'ci')"
    )
    subprocess.run([PYTHON, "-c", code, str(store)], check=True)
    assert book.now.find(secret) is None
    assert not book.now.any


def test_a_file_that_comes_and_goes_and_has_the_same_length_is_seen(store: Path) -> None:
    book = tokens.Book(store)
    secrets = []
    for _ in range(20):
        _, secret = tokens.create(store, "ci", "agent")
        assert book.now.find(secret) is not None
        assert not [old for old in secrets if book.now.find(old)]
        secrets.append(secret)
        tokens.revoke(store, "ci")


def test_the_last_use_is_noted_beside_the_tokens_and_not_for_a_new_one_of_the_same_name(store: Path) -> None:
    made, _ = tokens.create(store, "ci", "agent")
    assert tokens.load(store).all["ci"].last_used is None
    file = tokens.path(store)
    before = file.stat()
    book = tokens.Book(store)
    assert book.now.any
    book.used(made)
    noted = tokens.load(store).all["ci"].last_used
    assert noted is not None
    book.used(made)
    assert tokens.load(store).all["ci"].last_used == noted  # a minute has not passed
    assert file.stat() == before
    tokens.revoke(store, "ci")
    tokens.create(store, "ci", "agent")
    assert tokens.load(store).all["ci"].last_used is None


def test_a_damaged_note_of_uses_costs_nothing_else(store: Path) -> None:
    _, secret = tokens.create(store, "ci", "agent")
    for text in ("[", "[]", "\x00"):
        tokens.path(store).with_suffix(".used").write_text(text, encoding="utf-8")
        found = tokens.load(store).find(secret)
        assert found is not None
        assert found.last_used is None


def test_a_note_that_cannot_be_written_costs_itself_alone(store: Path) -> None:
    made, secret = tokens.create(store, "ci", "agent")
    tokens.path(store).with_suffix(".used").mkdir()
    book = tokens.Book(store)
    assert book.now.find(secret) is not None
    book.used(made)
    assert sorted(path.suffix for path in tokens.path(store).parent.iterdir()) == [".json", ".lock", ".used"]


def test_what_is_shown_of_a_token_has_no_hash(store: Path) -> None:
    made, _ = tokens.create(store, "ci", "agent")
    assert made.sha256 not in json.dumps(made.shown())
    assert made.shown()["expired"] is False


GIVEN = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("content", "role", "said"),
    [
        ("", "", "holds no token"),
        ("short", "", "holds no token"),
        ("x" * 201, "", "holds no token"),
        (f"{GIVEN} {GIVEN}", "", "holds no token"),
        (GIVEN, "human", "which no token from a file has"),
        (GIVEN, "root", "which no token from a file has"),
    ],
)
def test_a_file_that_gives_no_token_is_told_and_lets_nobody_in(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, role: str, said: str
) -> None:
    _, made = tokens.create(store, "made", "reader")
    (tmp_path / "given").write_text(content)
    monkeypatch.setenv(tokens.FILE, str(tmp_path / "given"))
    monkeypatch.setenv(tokens.FILE_ROLE, role)
    with pytest.raises(UsageError) as raised:
        tokens.from_file()
    assert said in raised.value.message
    assert GIVEN not in str(raised.value.to_dict())
    found = tokens.load(store)
    assert (found.any, found.find(made), found.find(GIVEN)) == (True, None, None)


def test_the_token_of_a_file_is_beside_those_that_were_made_and_is_not_kept_with_them(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "given").write_text(f"{GIVEN}\n")
    monkeypatch.setenv(tokens.FILE, str(tmp_path / "given"))
    tokens.create(store, "made", "reader")
    found = tokens.load(store).find(GIVEN)
    assert found is not None
    assert (found.name, found.role) == (tokens.FROM_FILE, "agent")
    with pytest.raises(UsageError):
        tokens.create(store, tokens.FROM_FILE, "human")
    with pytest.raises(UnknownName):
        tokens.revoke(store, tokens.FROM_FILE)
    monkeypatch.delenv(tokens.FILE)
    assert set(tokens.load(store).all) == {"made"}
