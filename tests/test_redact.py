"""Secrets in texts: what is found, what is left alone, and that it stays quick."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgenie_mcp import redact

# Made up, in the published formats; joined here so that no scanner takes this file for a leak.
SECRETS = {
    "aws_access_key": "AKIA" + "Q2W3E4R5T6Y7U8I9",
    "github_token": "ghp_" + "a1B2c3D4e5" * 4,
    "gitlab_token": "glpat-" + "x9Y8z7W6v5U4t3S2r1Q0",
    "slack_token": "xoxb-" + "123456789012-abcdefABCDEF",
    "openai_key": "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0k1L2",
    "stripe_key": "sk_live_" + "a1B2c3D4e5F6g7H8",
    "google_key": "AIza" + "SyA1B2C3D4E5F6G7H8I9J0K1L2M3N4O5P6Q",
    "webhook_secret": "whsec_" + "a1B2c3D4e5F6g7H8i9J0k1L2",
    "llmgenie_token": "lgt_" + "ci-1_a1B2c3D4e5_6-7a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3",
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "private_key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA " + "PRIVATE KEY-----",
    "url_password": "https://ada:" + "hunter2hunter2" + "@example.org/x",
    "authorization": "Authorization: Bearer " + "a1B2c3D4e5F6",
    "assignment": "DB_PASSWORD=" + "hunter2hunter2",
}
ASSIGNMENTS = [
    "password: hunter2hunter2",
    'api_key = "abcdefgh12345678"',
    "export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCY",
    '{"dbPassword": "hunter2hunter2"}',
    "MY_SERVICE_API_KEY=abcdefgh12345678",
    "client_secret: 0123456789abcdef",
]
HARMLESS = [
    "Add a password field to the form",
    "password=$DB_PASSWORD",
    "password: ${{ secrets.DB_PASSWORD }}",
    "api_key = os.environ['API_KEY']",
    "secret: <your secret here>",
    "password: ********",
    "The secretary: somebody.else",
    "https://example.org:8080/path@v2",
    "git@github.com:team/repository.git",
    "5784a39c0d1e2f3a4b5c6d7e8f90a1b2c3d4e5f6",
    "sk-short",
    "task-with-a-long-name-that-holds-sk-in-it",
    "fix: token expired after 3600 s",
]


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_by_kind_and_taken_out_wherever_it_stands(kind: str) -> None:
    secret = SECRETS[kind]
    kept = secret.removeprefix("https://ada:").removesuffix("@example.org/x") if kind == "url_password" else secret
    for value in (secret, f"see {secret} there", {"a": [{"b": secret}]}, {secret: 1}, [[secret]], (secret,)):
        assert kind in redact.find(value)
        clean = json.dumps(redact.redact(value))
        assert json.dumps(kept)[1:-1] not in clean
        assert f"[{kind} removed]" in clean


@pytest.mark.parametrize("text", ASSIGNMENTS)
def test_a_value_that_is_named_a_secret_is_one(text: str) -> None:
    assert redact.find(text) == ["assignment"]
    assert redact.find(redact.redact(text)) == []


@pytest.mark.parametrize("name", ["password", "apiKey", "API-KEY", "client_secret", "auth_token", "DB_PASSWORD"])
def test_a_fields_name_tells_that_its_value_is_a_secret(name: str) -> None:
    value = {"config": {name: "hunter2hunter2", "user": "ada"}}
    assert redact.find(value) == ["assignment"]
    assert redact.redact(value) == {"config": {name: "[assignment removed]", "user": "ada"}}


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_speaks_of_secrets_or_names_where_they_are_is_left_alone(text: str) -> None:
    assert redact.find({"text": text}) == []
    assert redact.redact({"text": text}) == {"text": text}


def test_numbers_truth_and_null_pass_unchanged() -> None:
    value = {"a": 1, "b": None, "c": True, "d": 1.5, "e": []}
    assert redact.redact(value) == value
    assert redact.find(value) == []


@given(st.recursive(st.none() | st.integers() | st.text(), lambda t: st.lists(t) | st.dictionaries(st.text(), t)))
def test_what_was_redacted_holds_no_secret_and_is_not_changed_again(value: object) -> None:
    once = redact.redact(value)
    assert redact.find(once) == []
    assert redact.redact(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "a" * 250_000,
        "-----BEGIN PRIVATE KEY-----" * 9_000,
        "eyJ" * 80_000,
        "password" * 30_000,
        "password_" + "a_" * 120_000,
        "password=" + " " * 200_000,
        "sk-" * 80_000,
        "://" * 80_000,
        ("x" * 99 + ":") * 2_500,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_makes_the_search_slow(text: str) -> None:
    """A pattern that runs away takes minutes here, not seconds; the bound leaves room for a busy machine."""
    started = time.process_time()
    redact.redact(text)
    assert time.process_time() - started < 5


def test_a_long_value_is_cut_and_says_what_was_left_out() -> None:
    assert redact.cut("x" * 700) == "x" * 600 + "… (700 characters)"
    assert redact.cut(["word"] * 10_000)[-1].endswith("more")
    assert list(redact.cut({f"key{n}": n for n in range(10_000)}))[-1] == "…"
    assert redact.cut({"a": [1, None, True, "text"]}) == {"a": [1, None, True, "text"]}


@given(st.recursive(st.none() | st.text(), lambda t: st.lists(t) | st.dictionaries(st.text(), t)))
def test_what_is_cut_is_bounded_and_short_values_are_left_as_they_are(value: object) -> None:
    short = redact.cut(value, whole=300)
    size = len(json.dumps(value, ensure_ascii=False).encode())
    assert short == value or size > 150
    assert len(json.dumps(short, ensure_ascii=False).encode("utf-8", "replace")) < 300 + 4 * redact.TEXT + 500


PIECES = st.sampled_from(
    [*SECRETS.values(), *ASSIGNMENTS, *HARMLESS, "x" * 599, "x" * 601, "password", "ä", "", "\ud800"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | PIECES,
    lambda t: st.lists(t, max_size=6) | st.dictionaries(st.text(max_size=8) | PIECES, t, max_size=4),
    max_leaves=40,
)


@given(VALUES)
def test_what_is_called_plain_is_what_neither_redacting_nor_cutting_would_change(value: object) -> None:
    if redact.is_plain(value):
        assert redact.redact(value) == value
        assert redact.cut(value) == value
        assert redact.find(value) == []


def test_what_is_not_json_is_not_called_plain_and_most_of_what_is_logged_is() -> None:
    assert redact.is_plain({"key": "design/parser", "value": {"seen": [1, None, True]}})
    assert not redact.is_plain({"password": "hunter2hunter2"})
    assert not redact.is_plain(["x" * 600])
    assert not redact.is_plain([1] * 400), "more than the log keeps of a whole"
    assert not redact.is_plain({"a": {1, 2}})


@given(st.text(alphabet=":/@ab=sk-", max_size=7))
def test_no_secret_is_as_short_as_the_texts_that_are_not_searched(text: str) -> None:
    assert redact._all().search(text) is None
    assert redact.find(":/a:bcd@") == ["url_password"]
