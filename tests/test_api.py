"""Answers of HTTP APIs as they are read: reasons, waiting times, and what may not come through."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hostile import Hostile, answer, as_json

from llmgenie_mcp import api
from llmgenie_mcp.api import Reply


def reply(body: Any = None, **headers: str) -> Reply:
    return Reply(503, {name.replace("_", "-"): value for name, value in headers.items()}, body, False)


def ask(server: Hostile, **more: Any) -> Reply:
    return api.ask("GET", server.url("/x"), timeout=10, allow_private=True, **more)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("", None),
        ("-3", None),
        ("soon", None),
        ("1.5", None),
        ("²", None),
        ("9" * 50, 999_999_999),
    ],
)
def test_retry_after_is_seconds_or_nothing(said: str, seconds: float | None) -> None:
    assert reply(retry_after=said).retry_after == seconds


def test_retry_after_may_be_a_date() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=100)
    assert reply(retry_after=format_datetime(soon, usegmt=True)).retry_after == pytest.approx(100, abs=2)
    assert reply(retry_after="Wed, 21 Oct 2015 07:28:00 GMT").retry_after == 0
    assert reply(date="Wed, 21 Oct 2015 07:28:00 GMT").date == 1_445_412_480
    for odd in ("Wed, 99 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 99999999999 07:28:00", "x" * 10_000):
        assert reply(date=odd).date is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "Not Found", "documentation_url": "https://x"}, "Not Found"),
        ({"message": "Validation Failed", "errors": [{"message": "a"}, "b"]}, "Validation Failed, a, b"),
        ({"message": {"base": ["Reference not found"], "ref": ["is missing"]}}, "Reference not found, is missing"),
        ({"error": "invalid_token", "error_description": "expired"}, "invalid_token, expired"),
        ({"title": "Busy", "code": 3}, "Busy"),
        ("<html>\n  Bad\tgateway</html>", "<html> Bad gateway</html>"),
        (None, ""),
        ([1, None, True], ""),
    ],
)
def test_the_reason_is_found_in_answers_of_every_shape(body: Any, words: str) -> None:
    assert reply(body).said() == words


def test_a_reason_is_short_and_without_secrets() -> None:
    assert len(reply("long " * 1000).said()) == 300
    assert "ghp_" not in reply({"message": "token ghp_" + "a1B2" * 9}).said()


def test_a_secret_is_hidden_wherever_an_answer_says_it(server: Hostile) -> None:
    secret = "Bearer a-token/with+signs=="
    word = secret.split()[1]
    escaped = word.replace("/", "\\/")
    text = f'{{"a": ["{word}"], "{word}": {{"b": "x{escaped}x"}}, "kind": "Bearer"}}'
    server.on("/x", answer(200, text, {"x-echo": secret}), answer(500, f"no: {secret}"))
    good, bad = (ask(server, secrets={"Authorization": secret}) for _ in range(2))
    hidden = api.SECRET
    assert good.body == {"a": [hidden], hidden: {"b": f"x{hidden}x"}, "kind": "Bearer"}
    assert good.headers["x-echo"] == f"Bearer {hidden}"
    assert bad.body == f"no: Bearer {hidden}"
    assert server.asked[0].headers["authorization"] == secret


def test_hostile_answers_are_read_in_time_and_never_raise(server: Hostile) -> None:
    deep = "[" * 400 + "1" + "]" * 400
    texts = [
        b"[" * 900_000,
        b'{"a":' * 100_000,
        b"1" * 900_000,
        b'"' + b"\\ud800" * 100_000 + b'"',
        deep.encode(),
        b"\xff" * 9,
    ]
    server.on("/x", *(answer(200, text) for text in texts), as_json({"a": [1.5, None, True]}))
    began = time.process_time()
    found = [ask(server).body for _ in texts]
    assert time.process_time() - began < 10
    assert isinstance(found[0], str)
    assert "\ud800" not in found[3]
    assert str(found[4]).count("[") == api.DEPTH
    assert ask(server).body == {"a": [1.5, None, True]}
