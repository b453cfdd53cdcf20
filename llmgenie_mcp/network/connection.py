"""Connections to checked addresses alone, whose every wait is bounded by the whole request's limit."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.network.addresses import public

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")
Place: TypeAlias = tuple[Any, ...]
"""Family, type, protocol and address of a socket, as `socket.getaddrinfo` tells them."""
STEP = 0.1
"""Seconds between looks at the clock and the cancel flag while nothing comes."""
PLACES = 8
"""So many addresses of a host are tried at most."""
CANCELLED = "cancelled"


class Unreachable(Exception):
    """There is no answer.

    Attributes:
        message: why, for people; names host and port, no other part of the address.
        refused: True: nothing was sent, and nothing would be the next time (a private address, a bad scheme).
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.message, self.refused = message, refused


class Limit:
    """When a request must be over.

    Args:
        seconds: from now.
        cancel: it is over when this is set.
        pulse: called at each look.
    """

    def __init__(self, seconds: float, cancel: threading.Event | None, pulse: Callable[[], None] | None = None) -> None:
        self.ends, self.seconds, self.cancel, self.pulse = time.monotonic() + seconds, seconds, cancel, pulse

    def left(self) -> float:
        """Seconds that may pass before the next look; raises Unreachable when it is over."""
        if self.pulse is not None:
            self.pulse()
        if self.cancel is not None and self.cancel.is_set():
            raise Unreachable(CANCELLED)
        left = self.ends - time.monotonic()
        if left <= 0:
            raise Unreachable(f"There was no whole answer within {self.seconds:g} s.")
        return min(left, STEP)


class Net:
    """Opens connections to checked addresses alone; httpcore2's NetworkBackend.

    Args:
        limit: of the request.
        allow_private: whether addresses that are not public will do.
    """

    def __init__(self, limit: Limit, allow_private: bool) -> None:
        self.limit, self.allow_private = limit, allow_private

    def connect_tcp(self, host: str, port: int, **_options: Any) -> Connection:
        """A connection to the first address of the host that answers; raises Unreachable."""
        places = _places(host, port, self.limit)
        if not self.allow_private:
            for *_, (address, *_) in places:
                if not public(address):
                    why = f"{host} is at {address}, which is no public address"
                    raise Unreachable(f"{why}; only `allow_private: true` in its settings allows that.", refused=True)
        problem = "it has no address"
        for number, place in enumerate(places):
            try:
                return Connection(self._connected(place, len(places) - number), self.limit)
            except OSError as error:
                problem = _told(error)
        raise Unreachable(f"{host}:{port} cannot be reached: {problem}.")

    def _connected(self, place: Place, shares: int) -> socket.socket:
        """A connection, within one of `shares` equal parts of the time that is left; raises OSError, Unreachable."""
        began = time.monotonic()
        ends = began + (self.limit.ends - began) / shares
        family, kind, protocol, address = place
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setblocking(False)
            code = connection.connect_ex(address)
            with selectors.DefaultSelector() as selector:
                selector.register(connection, selectors.EVENT_WRITE)
                while code == errno.EINPROGRESS:
                    if selector.select(self.limit.left()):
                        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    elif time.monotonic() >= ends:
                        code = errno.ETIMEDOUT
            if code:
                raise OSError(code, os.strerror(code))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            connection.close()
            raise
        return connection


class Connection:
    """A connection whose every wait is bounded by the whole request's limit; httpcore2's NetworkStream."""

    def __init__(self, connection: socket.socket, limit: Limit) -> None:
        self.connection, self.limit = connection, limit

    def read(self, max_bytes: int, **_options: Any) -> bytes:
        """What has come, at most `max_bytes`; raises Unreachable."""
        try:
            return self._patiently(functools.partial(self.connection.recv, max_bytes))
        except OSError as error:
            raise Unreachable(f"The connection broke off: {_told(error)}.") from None

    def write(self, buffer: bytes, **_options: Any) -> None:
        """Send all of it; raises Unreachable, or WriteError: the server hears no more, but may have answered already."""
        import httpcore2

        left = memoryview(buffer)
        try:
            while left:
                left = left[self._patiently(functools.partial(self.connection.send, left)) :]
        except OSError as error:
            raise httpcore2.WriteError(error) from None

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, **_options: Any) -> Connection:
        """The same connection with TLS, for the host by its name; raises Unreachable."""
        try:
            self.connection = secured = ssl_context.wrap_socket(
                self.connection, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            self._patiently(secured.do_handshake)
        except (OSError, ValueError) as error:
            self.close()
            raise Unreachable(f"{server_hostname} cannot be reached by TLS: {_told(error)}.") from None
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End the connection."""
        self.connection.close()

    def get_extra_info(self, _info: str) -> Any:
        """Nothing: HTTP/1.1 needs none."""
        return None

    def _patiently(self, attempt: Callable[[], T]) -> T:
        while True:
            self.connection.settimeout(self.limit.left())
            with contextlib.suppress(TimeoutError):
                return attempt()


def _places(host: str, port: int, limit: Limit) -> list[Place]:
    """Where a host is, each place once; raises Unreachable.

    The resolver cannot be broken off, so it is asked in a thread that is left to itself when time is up.
    """
    from concurrent.futures import Future

    answer: Future[list[Place]] = Future()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.set_result([(family, kind, protocol, place) for family, kind, protocol, _, place in found])
        except Exception as error:  # noqa: BLE001 - raised again by who waits
            answer.set_exception(error)

    threading.Thread(target=ask, name="llmgenie-lookup", daemon=True).start()
    while True:
        try:
            with contextlib.suppress(TimeoutError):
                return list(dict.fromkeys(answer.result(limit.left())))[:PLACES]
        except (OSError, ValueError, OverflowError) as error:  # UnicodeError, too: a name that cannot be one
            raise Unreachable(f"{host} has no address: {_told(error)}.") from None


def _told(error: Exception) -> str:
    """What a resolver, a socket or TLS complains of, in its own words."""
    if isinstance(error, OSError):
        return str(getattr(error, "verify_message", None) or error.strerror or type(error).__name__)
    return shorten(str(error))
