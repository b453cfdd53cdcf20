"""Endpoints that hang, break off, flood, refuse and talk nonsense: each is told in words, ends in time, and leaves all whole."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import Behaviour, Hostile, answer, as_json, break_off, drip, endless, hang, raw, redirect, reset
from model_scene import KEY, KINDS, PATHS, ask, chunked, delta, events, failed, models, piece, saying
from model_scene import lines as ndjson
from scene import documents

from llmgenie_mcp import Engine

both = pytest.mark.parametrize("kind", KINDS)
TYPES = {"openai": "text/event-stream", "ollama": "application/x-ndjson"}


@pytest.fixture
def whole(engine: Engine) -> Iterator[Engine]:
    """An engine that still works at the end, and whose log is whole."""
    yield engine
    assert engine.run_action("log_entry", {"text": "still here"}).ok
    assert engine.storage.verify().ok
    assert {run["status"] for run in documents(engine)["runs"].values()} <= {"failed", "passed"}


def told(
    engine: Engine, repo: Path, server: Hostile, kind: str, *behaviours: Behaviour, prompt: str = "Hi.", **more: Any
) -> tuple[str, str, Any]:
    """What is told of an endpoint that behaves so."""
    server.on(PATHS[kind], *behaviours)
    models(repo, server, kind, **more)
    return failed(ask(engine, prompt))


# -- hangs, breaks off ---------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("how", ["silent", "after the head", "after a piece", "a byte now and then"])
def test_what_hangs_ends_at_its_time_limit(whole: Engine, repo: Path, server: Hostile, kind: str, how: str) -> None:
    first = f"data: {json.dumps(delta('Hm'))}\n\n" if kind == "openai" else json.dumps(piece("Hm")) + "\n"
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {TYPES[kind]}\r\n\r\n".encode()
    behaviour = {
        "silent": hang(),
        "after the head": lambda talk: (talk.send(head), hang()(talk)),
        "after a piece": lambda talk: (talk.send(head + first.encode()), hang()(talk)),
        "a byte now and then": drip(0.02, head),
    }[how]
    at = time.monotonic()
    message, hint, _ = told(whole, repo, server, kind, behaviour, timeout=0.4)
    assert time.monotonic() - at < 20
    assert "within" in message
    assert "`timeout`" in hint


def half(kind: str, *, whole: bool) -> Behaviour:
    if kind == "openai":
        return events(delta("Once upon"), delta(" a time"), end=False, whole=whole)
    return ndjson(piece("Once upon"), piece(" a time"), whole=whole)


@both
@pytest.mark.parametrize("whole_body", [True, False])
def test_half_a_stream_is_no_answer(whole: Engine, repo: Path, server: Hostile, kind: str, whole_body: bool) -> None:
    message, _, result = told(whole, repo, server, kind, half(kind, whole=whole_body))
    assert "broke off" in message
    if whole_body:
        assert "after 16 characters" in message
        assert result["answer"] == "Once upon a time"


@both
@pytest.mark.parametrize("behaviour", [reset(), break_off(), raw(b"220 smtp ready\r\n"), answer(200), raw(b"")])
def test_what_is_no_answer_at_all_is_told(
    whole: Engine, repo: Path, server: Hostile, kind: str, behaviour: Behaviour
) -> None:
    message, hint, _ = told(whole, repo, server, kind, behaviour)
    assert message.startswith("local: ")
    assert hint


def test_nobody_there_is_told_with_the_address(whole: Engine, repo: Path) -> None:
    with Hostile() as gone:
        pass
    models(repo, gone, "ollama")
    message, _, _ = failed(ask(whole))
    assert f"127.0.0.1:{gone.port} cannot be reached" in message


# -- nonsense ------------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    "line", ["{", '{"choices": [', "null", "[]", "7", '"text"', "{}", '{"choices": 5}', "[" * 100_000, "NaN", "\x00"]
)
def test_invalid_json_and_other_json_are_told(whole: Engine, repo: Path, server: Hostile, kind: str, line: str) -> None:
    behaviour = events(delta("Hm"), line) if kind == "openai" else ndjson(piece("Hm"), line)
    message, hint, _ = told(whole, repo, server, kind, behaviour)
    assert "does not speak the API" in message
    assert "`url`" in hint
    assert len(message) < 500


@both
def test_a_web_page_is_no_api(whole: Engine, repo: Path, server: Hostile, kind: str) -> None:
    page = answer(200, "<!doctype html>\n<html><body>Welcome!</body></html>", {"content-type": "text/html"})
    message, hint, _ = told(whole, repo, server, kind, page)
    assert "does not speak the API" in message
    assert "not that of its web pages" in hint


@both
def test_an_error_in_the_middle_is_told_in_its_words(whole: Engine, repo: Path, server: Hostile, kind: str) -> None:
    error: Any = {"error": {"message": "CUDA out of memory", "code": 500}}
    behaviour = events(delta("Hm"), error) if kind == "openai" else ndjson(piece("Hm"), {"error": "CUDA out of memory"})
    message, _, _ = told(whole, repo, server, kind, behaviour)
    assert "CUDA out of memory" in message


@both
def test_pieces_of_odd_types_are_no_text(whole: Engine, repo: Path, server: Hostile, kind: str) -> None:
    odd: list[Any] = [5, None, ["x"], {"a": 1}, True]
    if kind == "openai":
        parts = [{"choices": [{"delta": {"content": each}, "finish_reason": None}]} for each in odd]
        more: list[Any] = [
            {"choices": []},
            {"choices": [5]},
            {"choices": [{"delta": 7}]},
            delta("ok"),
        ]
        more.append({"choices": [{"delta": {"refusal": None}, "finish_reason": ["odd"]}]})
        server.on(PATHS[kind], events(*parts, *more))
    else:
        server.on(PATHS[kind], ndjson(*({"message": {"content": each}} for each in odd), piece("ok"), piece(done=True)))
    models(repo, server, kind)
    result = ask(whole).result
    assert (result["answer"], result["finish"]) == ("ok", "unknown" if kind == "openai" else "stop")


@both
def test_an_answer_without_a_word_is_told(whole: Engine, repo: Path, server: Hostile, kind: str) -> None:
    message, _, result = told(whole, repo, server, kind, saying(kind, " \n "))
    assert message == "local said nothing (finish: stop)."
    assert result["tokens"] == {"in": 11, "out": 7}


# -- floods --------------------------------------------------------------------------------------------------------------


@both
def test_an_answer_that_does_not_stop_is_stopped(whole: Engine, repo: Path, server: Hostile, kind: str) -> None:
    part = delta("blah " * 100) if kind == "openai" else piece("blah " * 100)
    line = (f"data: {json.dumps(part)}\n\n" if kind == "openai" else json.dumps(part) + "\n").encode()

    def forever() -> Iterator[bytes]:
        while not server.over.is_set():
            yield line

    message, hint, _ = told(whole, repo, server, kind, chunked(forever(), TYPES[kind]), max_tokens=1000)
    assert "It does not stop" in message
    assert "1,000 tokens" in message
    assert "limits" in hint


@both
def test_a_line_without_end_is_not_read_for_ever(whole: Engine, repo: Path, server: Hostile, kind: str) -> None:
    at = time.monotonic()
    message, _, _ = told(whole, repo, server, kind, endless(), max_tokens=100)
    assert "more than 500,000 bytes" in message
    assert time.monotonic() - at < 20


@both
def test_thoughts_without_end_are_stopped_too(whole: Engine, repo: Path, server: Hostile, kind: str) -> None:
    thought: Any = piece(thinking="hm " * 300)
    if kind == "openai":
        thought = {"choices": [{"delta": {"reasoning": "hm " * 300}}]}
    line = (f"data: {json.dumps(thought)}\n\n" if kind == "openai" else json.dumps(thought) + "\n").encode()

    def forever() -> Iterator[bytes]:
        while not server.over.is_set():
            yield line

    message, _, _ = told(whole, repo, server, kind, chunked(forever(), TYPES[kind]), max_tokens=100)
    assert "more than 500,000 bytes" in message


# -- refusals ------------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (400, "context length exceeded", "too long"),
        (401, "Incorrect API key", "renew the key in the environment variable MODEL_KEY"),
        (403, "not allowed", "more rights"),
        (404, "model 'small' not found, try pulling it first", "`url` and `model`"),
        (500, "internal", "broken"),
        (529, "overloaded", "busy"),
    ],
)
def test_refusals_are_told_in_the_endpoints_words_with_what_to_do(
    whole: Engine,
    repo: Path,
    server: Hostile,
    kind: str,
    status: int,
    said: str,
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MODEL_KEY", KEY)
    body = {"error": {"message": said}} if kind == "openai" else {"error": said}
    message, way_out, result = told(whole, repo, server, kind, as_json(body, status), key={"env": "MODEL_KEY"})
    assert f"answered {status}: {said}." in message
    assert hint in way_out
    assert result["status"] == status
    assert len(server.asked) == 1


@both
def test_no_redirect_is_followed(whole: Engine, repo: Path, server: Hostile, kind: str) -> None:
    _, hint, _ = told(whole, repo, server, kind, redirect(server.url("/elsewhere")))
    assert "No redirect is followed" in hint
    assert len(server.asked) == 1


@both
def test_a_busy_endpoint_is_asked_again_when_it_says_soon(
    whole: Engine, repo: Path, server: Hostile, kind: str
) -> None:
    busy = as_json({"error": "slow down"}, 429, {"retry-after": "1"})
    server.on(PATHS[kind], busy, saying(kind, "Now then."))
    models(repo, server, kind)
    assert ask(whole).result["answer"] == "Now then."
    first, second = server.asked
    assert second.at - first.at >= 0.95


@both
@pytest.mark.parametrize("after", ["0", "120"])
def test_a_busy_endpoint_is_not_asked_for_ever(
    whole: Engine, repo: Path, server: Hostile, kind: str, after: str
) -> None:
    busy = as_json({"error": "slow down"}, 429, {"retry-after": after})
    message, hint, result = told(whole, repo, server, kind, busy)
    assert "slow down" in message
    assert f"in {after} s" in hint
    assert result["retry_after"] == float(after)
    assert len(server.asked) == (2 if after == "0" else 1)
