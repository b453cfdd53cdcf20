"""Connections that nobody uses: who sends no whole request, or takes no answer, holds a place for so long and no longer."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection

import httpx2
import pytest
from rest_place import PATIENCE, Reader, act, serving

from llmgenie_mcp import Engine
from llmgenie_mcp.faces import rest_connections
from llmgenie_mcp.faces.rest import create_app
from llmgenie_mcp.faces.rest_connections import HEAD_SECONDS, UNREAD_SECONDS, Connection, Seldom

Later = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Lets time go by for connections, which look at it often."""
    now = [1000.0]
    monkeypatch.setattr(rest_connections, "clock", lambda: now[0])
    monkeypatch.setattr(rest_connections, "LOOK_EVERY", 0.005)

    def go(seconds: float) -> None:
        now[0] += seconds

    return go


@pytest.fixture
def site(engine: Engine) -> Iterator[httpx2.Client]:
    """A client of a server with such connections."""
    app = create_app(engine=engine, dispatcher=False)
    with serving(app, buffer=4096, http=Connection, timeout_keep_alive=600) as client:
        yield client


def connected(site: httpx2.Client, sent: str) -> socket.socket:
    """A connection on which this was sent, once the server knows it."""
    there = socket.socket()
    there.settimeout(PATIENCE)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    known = len(Connection.opened)
    there.connect(("127.0.0.1", site.base_url.port or 0))
    there.sendall(sent.encode())
    wait_for(lambda: len(Connection.opened) > known)
    return there


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    for _ in range(int(PATIENCE * 200)):
        if condition():
            return
        threading.Event().wait(0.005)
    raise AssertionError("it never came")


def all_of(there: socket.socket) -> bytes:
    """What comes until the connection is ended, in whatever way."""
    came = b""
    with there, suppress(ConnectionResetError):
        while piece := there.recv(65536):
            came += piece
    return came


def test_who_never_sends_a_whole_request_is_let_go_and_who_sends_many_is_not(site: httpx2.Client, later: Later) -> None:
    slow = connected(site, "GET /health HTTP/1.1\r\nHost: ")
    busy = HTTPConnection("127.0.0.1", site.base_url.port or 0, timeout=PATIENCE)
    for _ in range(4):
        busy.request("GET", "/health")
        assert busy.getresponse().read()
        later(HEAD_SECONDS * 0.6)
        with suppress(OSError):
            slow.sendall(b"x")  # a byte now and then is no request
    assert all_of(slow) == b""
    assert len(Connection.opened) == 1
    busy.close()


def test_who_takes_nothing_of_an_answer_is_let_go(site: httpx2.Client, later: Later) -> None:
    host = f"127.0.0.1:{site.base_url.port}"
    length = len(site.get("/openapi.json", headers={"Connection": "close"}).content)
    wait_for(lambda: not Connection.opened)
    lazy = connected(site, f"GET /openapi.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    assert lazy.recv(1, socket.MSG_PEEK) == b"H", "it is being answered"

    def gone() -> bool:
        later(UNREAD_SECONDS / 10)
        return not Connection.opened

    wait_for(gone)
    assert 0 < len(all_of(lazy)) < length


def test_one_connection_too_many_takes_the_place_of_the_one_that_waited_the_longest(
    site: httpx2.Client, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_connections, "bound", lambda: 4)
    with Reader(site) as reader:
        assert reader.block() is not None
        idle = []
        for _ in range(3):
            later(1)
            idle.append(connected(site, "GET /hea"))
        later(1)
        act(site, "record_note", key="plan", value=1)
        assert all_of(idle[0]) == b""
        assert reader.event()[1]["subject"] == "record_note", "what is being answered goes on"
        for there in idle[1:]:
            there.sendall(b"lth HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert all_of(there).startswith(b"HTTP/1.1 200 ")


def test_a_warning_that_anybody_can_cause_is_logged_once_in_a_while(later: Later) -> None:
    seldom = Seldom()

    def passes(level: int, text: str, *args: object) -> bool:
        return seldom.filter(logging.LogRecord("uvicorn.error", level, __file__, 1, text, args, None))

    assert passes(logging.WARNING, "Invalid HTTP request received.")
    assert not passes(logging.WARNING, "Invalid HTTP request received.")
    assert passes(logging.WARNING, "Unsupported upgrade request.")
    assert passes(logging.ERROR, "Exception in ASGI application")
    later(rest_connections.COMPLAINTS)
    assert passes(logging.WARNING, "Invalid HTTP request received.")
