"""Models are asked over both protocols: what is sent, what comes back, what it cost, and what is refused before."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import PATIENCE, Hostile, Talk, as_json, hang
from model_scene import (
    KEY,
    KINDS,
    PATHS,
    ask,
    chunked,
    delta,
    events,
    failed,
    model,
    models,
    piece,
    saying,
    usage,
)
from model_scene import lines as ndjson
from scene import codes, configure, documents, lines, started

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import BadParams, DefinitionError, UnknownName

SECRET = "ghp_" + "a1B2c3D4e5" * 4


both = pytest.mark.parametrize("kind", KINDS)


# -- what is sent, and what comes back ----------------------------------------------------------------------------------


def test_an_openai_endpoint_is_asked_as_its_reference_says(
    engine: Engine, repo: Path, server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_KEY", KEY)
    server.on(PATHS["openai"], saying("openai", "Hello, Ada. ✓"))
    models(repo, server, "openai", key={"env": "MODEL_KEY"}, price_in=2, price_out=10)
    outcome = ask(engine, "Say hello.", system="You are kind.", max_tokens=50)
    assert outcome.ok, outcome
    assert outcome.result.pop("seconds") > 0
    assert outcome.result == {
        "model": "gpt-real",
        "tokens": {"in": 11, "out": 7},
        "cost": 0.000092,
        "finish": "stop",
        "answer": "Hello, Ada. ✓",
        "run": "RUN-1",
    }
    (asked,) = server.asked
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.json == {
        "model": "small",
        "messages": [{"role": "system", "content": "You are kind."}, {"role": "user", "content": "Say hello."}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 50,
    }
    run = documents(engine)["runs"]["RUN-1"]
    assert (run["command"], run["tokens"], run["cost"], run["model"]) == (
        "local",
        {"in": 11, "out": 7},
        0.000092,
        "gpt-real",
    )
    assert KEY not in json.dumps(lines(engine))


def test_ollama_is_asked_as_its_reference_says(engine: Engine, repo: Path, server: Hostile) -> None:
    server.on(PATHS["ollama"], saying("ollama", "Hello, Ada. ✓"))
    models(repo, server, "ollama", max_tokens=99)
    outcome = ask(engine)
    assert outcome.ok, outcome
    assert (outcome.result["answer"], outcome.result["finish"]) == ("Hello, Ada. ✓", "stop")
    assert (outcome.result["tokens"], outcome.result["model"]) == ({"in": 11, "out": 7}, "qwen-real")
    assert "cost" not in outcome.result
    (asked,) = server.asked
    assert "authorization" not in asked.headers
    assert asked.json == {
        "model": "small",
        "messages": [{"role": "user", "content": "Say hello."}],
        "stream": True,
        "options": {"num_predict": 99, "num_ctx": 4096},
    }


def test_ollama_is_told_of_room_for_a_long_prompt_and_no_more_than_there_is(
    engine: Engine, repo: Path, server: Hostile
) -> None:
    server.on(PATHS["ollama"], saying("ollama", "ok"))
    models(repo, server, "ollama", max_tokens=100, context=20_000)
    assert ask(engine, "x" * 20_000).ok
    assert ask(engine, "x" * 50_000).ok
    assert [asked.json["options"]["num_ctx"] for asked in server.asked] == [16_384, 20_000]


@both
def test_the_answer_is_told_of_while_it_comes(engine: Engine, repo: Path, server: Hostile, kind: str) -> None:
    go_on, heard = threading.Event(), list[str]()

    def slowly(talk: Talk) -> None:
        def parts() -> Iterator[bytes]:
            for text in ("The first part. ", "The second."):
                part = delta(text) if kind == "openai" else piece(text)
                yield (f"data: {json.dumps(part)}\n\n" if kind == "openai" else json.dumps(part) + "\n").encode()
                assert go_on.wait(PATIENCE)
            end = delta(None, "stop") if kind == "openai" else piece(done=True)
            yield (f"data: {json.dumps(end)}\n\n" if kind == "openai" else json.dumps(end) + "\n").encode()

        chunked(parts(), "text/event-stream" if kind == "openai" else "application/x-ndjson")(talk)

    def progress(_done: float, _total: float | None, message: str) -> None:
        heard.append(message)
        if "The first part." in message:
            go_on.set()

    server.on(PATHS[kind], slowly)
    models(repo, server, kind)
    outcome = ask(engine, progress=progress)
    assert outcome.result["answer"] == "The first part. The second."
    assert "The first part." in heard


def test_a_model_that_is_silent_for_long_gives_a_sign_of_life(engine: Engine, repo: Path, server: Hostile) -> None:
    heard = list[str]()
    until = threading.Event()

    def progress(_done: float, _total: float | None, message: str) -> None:
        heard.append(message)
        until.set()

    def late(talk: Talk) -> None:
        assert until.wait(PATIENCE)
        saying("ollama", "at last")(talk)

    server.on(PATHS["ollama"], late)
    models(repo, server, "ollama")
    assert ask(engine, progress=progress).result["answer"] == "at last"
    assert heard[0].startswith("local has been at it for")


def test_an_endpoint_that_does_not_stream_is_understood(engine: Engine, repo: Path, server: Hostile) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "At once."}, "finish_reason": "length"}
    told = {"model": "m", "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    server.on(PATHS["openai"], as_json(told))
    models(repo, server, "openai")
    result = ask(engine).result
    assert (result["answer"], result["finish"], result["tokens"]) == ("At once.", "length", {"in": 3, "out": 2})


@pytest.mark.parametrize(
    ("complaint", "gone", "come"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "max_completion_tokens",
        ),
        ("stream_options: Extra inputs are not permitted", "stream_options", None),
    ],
)
def test_what_an_endpoint_refuses_by_name_is_asked_for_otherwise(
    engine: Engine, repo: Path, server: Hostile, complaint: str, gone: str, come: str | None
) -> None:
    server.on(PATHS["openai"], as_json({"error": {"message": complaint}}, 400), saying("openai", "Well then."))
    models(repo, server, "openai")
    assert ask(engine).result["answer"] == "Well then."
    first, second = (asked.json for asked in server.asked)
    assert gone in first
    assert gone not in second
    if come is not None:
        assert second[come] == first[gone]


def test_thoughts_refusals_and_odd_counts_are_no_answer(engine: Engine, repo: Path, server: Hostile) -> None:
    thought = {**delta(), "choices": [{"delta": {"reasoning_content": "hm", "content": None}}]}
    refused = {**delta(), "choices": [{"delta": {"refusal": "I will not."}, "finish_reason": "stop"}]}
    server.on(PATHS["openai"], events(thought, refused, usage(-1, "7")))
    models(repo, server, "openai", price_in=1, price_out=1)
    result = ask(engine).result
    assert (result["answer"], result["finish"]) == ("I will not.", "filtered")
    assert not {"tokens", "cost"} & set(result)


@both
def test_halves_of_a_character_nul_and_secrets_are_no_trouble(
    engine: Engine, repo: Path, server: Hostile, kind: str
) -> None:
    parts = ["\ud83d", "\ude00 a\0b ", SECRET, " \ud83d"]
    if kind == "openai":
        server.on(PATHS[kind], events(*map(delta, parts), delta(None, "stop")))
    else:
        server.on(PATHS[kind], ndjson(*map(piece, parts), piece(done=True)))
    models(repo, server, kind)
    assert ask(engine).result["answer"] == "\U0001f600 ab [github_token removed] \ufffd"
    assert SECRET not in json.dumps(lines(engine))


@both
def test_an_endpoint_that_repeats_its_key_is_not_repeated(
    engine: Engine, repo: Path, server: Hostile, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_KEY", KEY)
    heard = list[str]()
    server.on(PATHS[kind], saying(kind, f"Your key is {KEY}, is it not?"), as_json({"error": f"no {KEY}"}, 401))
    models(repo, server, kind, key={"env": "MODEL_KEY"})
    assert ask(engine, progress=lambda *told: heard.append(told[2])).result["answer"].count("[secret removed]") == 1
    message, hint, _ = failed(ask(engine))
    assert "[secret removed]" in message
    assert "MODEL_KEY" in hint
    assert KEY not in json.dumps([lines(engine), heard])


# -- what is refused before anything is sent ----------------------------------------------------------------------------


@pytest.mark.parametrize("params", [{"prompt": f"Why does {SECRET} not work?"}, {"system": f"token: {SECRET}"}])
def test_a_prompt_with_a_secret_is_not_sent(
    engine: Engine, repo: Path, server: Hostile, params: dict[str, str]
) -> None:
    models(repo, server, "openai")
    outcome = ask(engine, **params)
    assert outcome.status == "denied"
    assert "models.secrets" in [reason.rule for reason in outcome.reasons]
    assert server.asked == []
    assert SECRET not in json.dumps([lines(engine), outcome.to_dict()])


def test_a_project_without_models_says_how_to_name_one(engine: Engine, repo: Path, server: Hostile) -> None:
    outcome = ask(engine)
    assert codes(outcome) == ["not_configured"]
    assert "models: {local: {kind: ollama" in outcome.reasons[0].message
    configure(repo, trusted=False, models={"local": model(server, "ollama")})
    assert codes(ask(engine)) == ["not_trusted"]
    assert server.asked == []


def test_unknown_models_and_limits_over_the_settings_teach(engine: Engine, repo: Path, server: Hostile) -> None:
    models(repo, server, "openai", max_tokens=100)
    with pytest.raises(UnknownName, match="locl"):
        ask(engine, name="locl")
    with pytest.raises(BadParams) as error:
        ask(engine, max_tokens=101)
    assert "100" in error.value.hint
    message, hint, _ = failed(ask(engine, "x" * 99_000))
    assert "needs about 33,100 tokens, and there is room for 32,768" in message
    assert "`context`" in hint
    assert server.asked == []


def test_a_private_address_needs_the_settings_word(engine: Engine, repo: Path, server: Hostile) -> None:
    models(repo, server, "openai", allow_private=False)
    message, hint, _ = failed(ask(engine))
    assert "`allow_private: true`" in message
    assert "settings" in hint
    assert server.asked == []


def test_a_key_that_is_not_there_is_told_by_its_place(engine: Engine, repo: Path, server: Hostile) -> None:
    models(repo, server, "openai", key={"env": "NO_SUCH_KEY"})
    message, _, _ = failed(ask(engine))
    assert "NO_SUCH_KEY" in message
    assert server.asked == []


@pytest.mark.parametrize(
    "wrong", [{"kind": "telepathy"}, {"url": "ftp://x"}, {"max_tokens": 0}, {"key": "sk-123"}, {"price_in": -1}]
)
def test_wrong_settings_are_told_by_place(
    engine: Engine, repo: Path, server: Hostile, wrong: dict[str, object]
) -> None:
    models(repo, server, "openai", **wrong)
    with pytest.raises(DefinitionError):
        ask(engine)


# -- nothing else waits --------------------------------------------------------------------------------------------------


def test_a_model_that_hangs_holds_nobody_up_and_can_be_cancelled(engine: Engine, repo: Path, server: Hostile) -> None:
    server.on(PATHS["openai"], hang())
    models(repo, server, "openai", timeout=600)
    session = started(engine, mode="code")
    cancel, outcomes = threading.Event(), list[object]()
    asking = threading.Thread(target=lambda: outcomes.append(ask(engine, session=session, cancel=cancel)))
    asking.start()
    server.wait(1)
    assert engine.run_action("create_task", {"title": "meanwhile"}, session=session).ok
    assert documents(engine)["runs"]["RUN-1"]["status"] == "running"
    at = time.monotonic()
    cancel.set()
    asking.join(PATIENCE)
    assert time.monotonic() - at < 20
    message, _, _ = failed(outcomes[0])  # type: ignore[arg-type]
    assert message == "Asking local was cancelled."
    assert documents(engine)["runs"]["RUN-1"]["status"] == "cancelled"
