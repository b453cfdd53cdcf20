"""GET /events: every event once and in order, from anywhere in the log, for as long as anybody reads."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from rest_place import PATIENCE, Reader, act, serving

from llmgenie_mcp import Engine
from llmgenie_mcp.faces import rest_events
from llmgenie_mcp.faces.rest import create_app


def note(engine: Engine, number: int) -> None:
    """Something that happens."""
    assert engine.run_action("record_note", {"key": f"n{number}", "value": number}).ok


def test_what_happens_is_told_as_it_happens_with_its_place_in_the_log(rest: httpx2.Client, engine: Engine) -> None:
    note(engine, 0)
    with Reader(rest) as reader:
        assert reader.response.headers["content-type"].startswith("text/event-stream")
        assert reader.block() == {"id": "2.0", "retry": "2000"}
        engine.trigger_event("ci.finished", {"ok": True})
        place, event = reader.event()
    assert place == "2.1"
    assert (event["type"], event["source"], event["data"]) == ("ci.finished", "llmgenie/demo", {"ok": True})


def test_what_another_process_commits_is_told_too(
    rest: httpx2.Client, repo: Path, open_engine: Callable[..., Engine]
) -> None:
    other = open_engine(repo)
    with Reader(rest) as reader:
        reader.block()
        note(other, 0)
        assert reader.event()[1]["subject"] == "record_note"


def test_a_reader_that_comes_back_gets_what_it_missed_once_each(rest: httpx2.Client, engine: Engine) -> None:
    engine.trigger_event("ci.began", {})
    act(rest, "create_task", title="Log in")
    for number in range(3):
        note(engine, number)
    with Reader(rest, params={"after": 0}) as reader:
        told = [reader.event() for _ in range(5)]
    places = [place for place, _ in told]
    assert places == sorted(places, key=lambda place: tuple(map(int, place.split("."))))
    for number, place in enumerate(places):
        with Reader(rest, headers={"Last-Event-ID": place}) as reader:
            assert [reader.event() for _ in range(4 - number)] == told[number + 1 :]


def test_a_line_with_two_events_is_gone_on_with_in_its_middle(rest: httpx2.Client, engine: Engine) -> None:
    with engine.storage.begin() as tx:
        made = [
            {"type": f"test.{name}", "source": "t", "id": name, "time": "2026-01-01T00:00:00Z", "data": {}}
            for name in ("one", "two")
        ]
        tx.commit({"type": "action.completed", "events": made})
    with Reader(rest, headers={"Last-Event-ID": "1.1"}, params={"after": 0}) as reader:
        assert [(place, event["type"]) for place, event in (reader.event(), reader.event())] == [
            ("1.2", "test.two"),
            ("1.3", "action.completed"),
        ]


def test_only_the_types_asked_for_are_told_and_the_place_moves_on_past_the_others(
    rest: httpx2.Client, engine: Engine
) -> None:
    for number in range(rest_events.BATCH + 5):
        note(engine, number)
    with Reader(rest, params={"after": 0, "types": "ci.*, approval.granted"}) as reader:
        assert reader.block() == {"id": "1.0", "retry": "2000"}
        skipped = reader.block()
        assert skipped is not None
        assert int(skipped["id"].split(".")[0]) > rest_events.BATCH
        engine.trigger_event("ci.finished", {})
        engine.trigger_event("deploy.done", {})
        engine.trigger_event("ci.began", {})
        assert [reader.event()[1]["type"] for _ in range(2)] == ["ci.finished", "ci.began"]


def test_a_place_that_the_log_does_not_have_is_a_problem(rest: httpx2.Client) -> None:
    for params in ({"after": "5"}, {"after": "-1"}, {"after": "x"}, {"after": str(10**30)}):
        answer = rest.get("/events", params=params)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_params")
    for place in ("9.1", "one", "1", "1.2.3", "9" * 30 + ".1"):
        answer = rest.get("/events", headers={"Last-Event-ID": place})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_params")


def test_many_readers_and_writers_lose_and_double_nothing(rest: httpx2.Client, engine: Engine) -> None:
    seen: list[list[str]] = []

    def read() -> None:
        """Hangs up after every third event and comes back."""
        got: list[str] = []
        place = "1.0"
        while len(got) < 40:
            with Reader(rest, headers={"Last-Event-ID": place}) as reader:
                for _ in range(min(3, 40 - len(got))):
                    place, event = reader.event()
                    got.append(event["data"]["params"]["key"])
        seen.append(got)

    def write(first: int) -> None:
        for number in range(first, first + 10):
            note(engine, number)

    threads = [threading.Thread(target=read) for _ in range(3)]
    threads += [threading.Thread(target=write, args=(first,)) for first in (0, 10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    written = [line["params"]["key"] for line in engine.storage.log(limit=100).items]
    assert seen == [written] * 3
    assert sorted(written) == sorted(f"n{number}" for number in range(40))


def test_a_reader_that_takes_nothing_is_let_go_and_the_others_go_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = threading.Event()
    monkeypatch.setattr(rest_events, "TOO_SLOW", 0.3)
    monkeypatch.setattr(rest_events.log, "warning", lambda *_: gone.set())
    for number in range(400):
        engine.trigger_event("big.one", {"text": "x" * 500, "number": number})
    with serving(create_app(engine=engine, dispatcher=False), buffer=4096) as rest, socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", rest.base_url.port or 0))
        lazy.sendall(f"GET /events?after=0 HTTP/1.1\r\nHost: 127.0.0.1:{rest.base_url.port}\r\n\r\n".encode())
        assert lazy.recv(12) == b"HTTP/1.1 200"
        assert gone.wait(PATIENCE)
        with Reader(rest) as reader:
            reader.block()
            note(engine, 0)
            assert reader.event()[1]["subject"] == "record_note"


def test_a_stream_ends_when_the_server_does_and_nobody_listens_any_more(engine: Engine) -> None:
    app = create_app(engine=engine, dispatcher=False)
    with serving(app) as client, Reader(client) as reader:
        assert reader.block() is not None
        running = app.state.house.running
        running.loop.call_soon_threadsafe(running.stopping.set)
        assert reader.block() is None
    assert engine._watcher._subscriptions == ()
