"""A real HTTP server on loopback that answers as told, well or badly, and remembers what it was asked.

with Hostile() as server:
    server.on("/hook", answer(500), answer(500), answer(200))   # the last one goes on for ever
    ...
    first, second, third = server.wait(3)
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeAlias

PATIENCE = 20.0
"""Seconds that a test waits at most for what must happen."""
BUSY = 15.0
"""Seconds that a busy machine may take beyond a time limit, where without the limit it would be far more."""


@dataclass(frozen=True)
class Asked:
    """One request: `headers` have lower-case names, `at` is of `time.monotonic`."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass
class Talk:
    """The connection of one request, for a behaviour to answer over; `over` is set when the server closes."""

    asked: Asked
    connection: socket.socket
    over: threading.Event

    def send(self, data: bytes) -> None:
        """Send as it is."""
        self.connection.sendall(data)


Behaviour: TypeAlias = Callable[[Talk], object]


def answer(status: int = 200, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> Behaviour:
    """An answer as it should be."""
    sent = body.encode() if isinstance(body, str) else body
    return raw(_head(status, {"content-length": str(len(sent)), **(headers or {})}) + sent)


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Behaviour:
    """An answer with a JSON body."""
    return answer(status, json.dumps(value), {"content-type": "application/json", **(headers or {})})


def redirect(to: str, status: int = 302) -> Behaviour:
    """Sends elsewhere."""
    return answer(status, headers={"location": to})


def raw(data: bytes) -> Behaviour:
    """Sends bytes, HTTP or not, and closes."""
    return lambda talk: talk.send(data)


def hang() -> Behaviour:
    """Never answers."""
    return lambda talk: _stay(talk, PATIENCE * 3)


def hold(until: threading.Event, then: Behaviour | None = None) -> Behaviour:
    """Answers when `until` is set."""

    def behave(talk: Talk) -> None:
        until.wait(PATIENCE)
        (then or answer())(talk)

    return behave


def reset() -> Behaviour:
    """Ends the connection with a TCP reset instead of an answer."""

    def behave(talk: Talk) -> None:
        talk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talk.connection.close()

    return behave


def break_off(status: int = 200) -> Behaviour:
    """Promises a longer body than it sends."""
    return raw(_head(status, {"content-length": "1000"}) + b"the beginning")


def drip(every: float = 0.05, head: bytes = b"HTTP/1.1 200 OK\r\n") -> Behaviour:
    """Sends one byte after the other and never ends: each read is in time, the whole is not."""

    def behave(talk: Talk) -> None:
        talk.send(head)
        while not _stay(talk, every):
            talk.send(b"x")

    return behave


def endless(status: int = 200) -> Behaviour:
    """Sends a body without end, as fast as it is read."""

    def behave(talk: Talk) -> None:
        talk.send(_head(status, {"connection": "close"}))
        while not talk.over.is_set():
            talk.send(b"endless " * 8192)

    return behave


class Hostile:
    """The server; a context manager.

    Args:
        tls: files of a certificate and its key; None: http.

    Attributes:
        asked: every request so far, oldest first.
        port: where it listens.
        names: host names that clients asked for by TLS (SNI).
    """

    def __init__(self, tls: tuple[str, str] | None = None) -> None:
        self._behaviours: dict[str, deque[Behaviour]] = {}
        self._changed = threading.Condition()
        self.over = threading.Event()
        self.asked: list[Asked] = []
        self.names: list[str | None] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._scheme = "http" if tls is None else "https"
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """The address of a path, under whatever name of this host."""
        return f"{self._scheme}://{host}:{self.port}{path}"

    def on(self, path: str, *behaviours: Behaviour) -> str:
        """Answer requests to `path` (without its query) one after the other so, the last for ever; returns the address."""
        with self._changed:
            self._behaviours[path] = deque(behaviours)
        return self.url(path)

    def to(self, path: str) -> list[Asked]:
        """The requests to a path so far."""
        with self._changed:
            return [asked for asked in self.asked if asked.path.partition("?")[0] == path]

    def wait(self, count: int, path: str | None = None) -> list[Asked]:
        """The requests (to a path), as soon as there are `count`; fails when that takes too long."""

        def found() -> list[Asked]:
            return [a for a in self.asked if path is None or a.path.partition("?")[0] == path]

        with self._changed:
            arrived = self._changed.wait_for(lambda: len(found()) >= count, PATIENCE)
            assert arrived, f"{len(found())} requests instead of {count}"
            return found()

    def take(self, asked: Asked) -> Behaviour:
        """Note a request; returns how it is answered: 404 where nobody said."""
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()
            queue = self._behaviours.get(asked.path.partition("?")[0])
            if not queue:
                return answer(404, "nothing here")
            return queue.popleft() if len(queue) > 1 else queue[0]


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for every answer: no thread outlives its test

    def handle_error(self, *_: object) -> None:
        """Clients that go away are what this server is for."""


def _handler(server: Hostile) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            self.close_connection = True
            if not self.raw_requestline or not self.parse_request():
                return
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body, time.monotonic())
            server.take(asked)(Talk(asked, self.connection, server.over))

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _stay(talk: Talk, seconds: float) -> bool:
    """Wait; True when the server closes meanwhile or the client has gone."""
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        if talk.over.wait(min(left, 0.05)) or _gone(talk.connection):
            return True
    return False


def _gone(connection: socket.socket) -> bool:
    if isinstance(connection, ssl.SSLSocket):
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
