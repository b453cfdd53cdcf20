"""Endpoints on loopback that speak OpenAI's and Ollama's protocols, well or badly, and a project that knows them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hostile import Behaviour, Hostile, Talk
from scene import configure, started

from llmgenie_mcp import Engine
from llmgenie_mcp.records import Outcome

KEY = "a-key-of-the-tests-0123456789"
KINDS = ("openai", "ollama")
PATHS = {"openai": "/v1/chat/completions", "ollama": "/api/chat"}


def chunked(parts: Iterable[bytes], kind: str, *, whole: bool = True) -> Behaviour:
    """A body that comes in pieces; not `whole`: the connection ends before the body does."""

    def behave(talk: Talk) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        talk.send(head.encode())
        for part in parts:
            talk.send(b"%x\r\n%b\r\n" % (len(part), part))
        if whole:
            talk.send(b"0\r\n\r\n")

    return behave


def events(*data: Any, end: bool = True, whole: bool = True) -> Behaviour:
    """Server-Sent Events, as OpenAI sends them; texts go as they are."""
    lines = [f"data: {part if isinstance(part, str) else json.dumps(part)}\n\n".encode() for part in data]
    done = [b"data: [DONE]\n\n"] if end else []
    return chunked([b": a comment\n\n", *lines, *done], "text/event-stream; charset=utf-8", whole=whole)


def lines(*data: Any, whole: bool = True) -> Behaviour:
    """One JSON value a line, as Ollama sends them; texts go as they are."""
    sent = [(part if isinstance(part, str) else json.dumps(part)).encode() + b"\n" for part in data]
    return chunked(sent, "application/x-ndjson", whole=whole)


def delta(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk of OpenAI's stream."""
    part = {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish, **more}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "gpt-real", "choices": [part]}


def usage(tokens_in: Any = 11, tokens_out: Any = 7) -> dict[str, Any]:
    """The chunk of OpenAI's stream that counts."""
    counted = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": 18}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "gpt-real", "choices": [], "usage": counted}


def piece(text: str = "", *, done: bool = False, **more: Any) -> dict[str, Any]:
    """A line of Ollama's stream."""
    end = {"done_reason": "stop", "prompt_eval_count": 11, "eval_count": 7} if done else {}
    return {"model": "qwen-real", "message": {"role": "assistant", "content": text}, "done": done, **end, **more}


def saying(kind: str, text: str, finish: str = "stop") -> Behaviour:
    """An answer as it should be, a few characters at a time."""
    parts = [text[at : at + 7] for at in range(0, len(text), 7)]
    if kind == "openai":
        return events(delta(""), *map(delta, parts), delta(None, finish), usage())
    return lines(*map(piece, parts), piece(done=True, done_reason=finish))


def saying_json(kind: str, value: Any) -> Behaviour:
    """An answer that is JSON."""
    return saying(kind, json.dumps(value, ensure_ascii=False))


def model(server: Hostile, kind: str, **more: Any) -> dict[str, Any]:
    """Settings of a model at a server of the tests."""
    url = server.url("/v1" if kind == "openai" else "")
    return {"kind": kind, "url": url, "model": "small", "allow_private": True, "timeout": 20} | more


def models(folder: Path, server: Hostile, kind: str, /, **more: Any) -> None:
    """A project with one model `local`."""
    configure(folder, models={"local": model(server, kind) | more})


def ask(engine: Engine, prompt: str = "Say hello.", *, session: str | None = None, **params: Any) -> Outcome:
    """`ask_model`; `cancel` and `progress` are the engine's."""
    own = {name: params.pop(name) for name in ("cancel", "progress") if name in params}
    given = {"name": "local", "prompt": prompt, **params}
    return engine.run_action("ask_model", given, session=session or started(engine, mode="code"), **own)


def failed(outcome: Outcome) -> tuple[str, str, Mapping[str, Any]]:
    """Message, hint and result of an outcome that failed."""
    assert outcome.status == "failed", outcome
    assert outcome.error is not None
    return str(outcome.error["message"]), str(outcome.error["hint"]), outcome.result
