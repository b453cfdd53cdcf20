"""HTTP to the outside that cannot be led to the inside, and that ends when it should.

Every address that a connection may go to is checked where the connection is opened, and the name is not looked up again
after that: a host that answers with another address the next time (DNS rebinding) gains nothing. For the same reason it
does not matter how a host is written (`http://2130706433/` is 127.0.0.1 to the resolver). There are no proxies, no netrc, no
cookies, no redirects and no decompression; `SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded, for those who have a CA of their own.

Light to import: the HTTP library is imported by the first request.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from llmgenie_mcp.errors import shorten

if TYPE_CHECKING:
    import ipaddress
    import ssl

    import httpcore2

T = TypeVar("T")
Place: TypeAlias = tuple[Any, ...]
"""Family, type, protocol and address of a socket, as `socket.getaddrinfo` tells them."""
STEP = 0.1
"""Seconds between looks at the clock and the cancel flag while nothing comes."""
PLACES = 8
"""So many addresses of a host are tried at most."""
CANCELLED = "cancelled"
_NOT_PUBLIC_4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
)
"""The IANA IPv4 Special-Purpose Address Registry (RFC 6890) without what is globally reachable, multicast, and the one public
address at which Azure's machines reach their host. Python's own `is_global` differs from release to release."""
_NOT_PUBLIC_6 = ("2001::/23", "2001:db8::/32", "3fff::/20")
"""What the IANA IPv6 Special-Purpose Address Registry takes out of 2000::/3, Teredo among it; 6to4 is looked into."""
_EMBEDDED = {"::ffff:0:0/96": 0, "64:ff9b::/96": 0, "2002::/16": 80}
"""Networks whose addresses hold an IPv4 address, and how many bits follow it: mapped, NAT64 (RFC 6052), 6to4 (RFC 3056)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: 100 to 599; a redirect is an answer like any other.
        headers: by lower-case name; several of one name are joined by a comma.
        body: as it was sent, at most `max_bytes`.
        cut: whether there was more of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool


@dataclass(frozen=True, slots=True)
class Streaming:
    """An answer that is still coming.

    Attributes:
        status, headers: as of an `Answer`.
        parts: the body, once, in pieces as they come; reading raises Unreachable.
    """

    status: int
    headers: Mapping[str, str]
    parts: Iterable[bytes]


class Unreachable(Exception):
    """There is no answer.

    Attributes:
        message: why, for people; names host and port, no other part of the address.
        refused: True: nothing was sent, and nothing would be the next time (a private address, a bad scheme).
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.message, self.refused = message, refused


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    timeout: float,
    allow_private: bool = False,
    max_bytes: int = 65_536,
    cancel: threading.Event | None = None,
) -> Answer:
    """Send one request over a connection of its own and read the answer.

    Args:
        method: such as POST.
        url: http or https.
        headers: to send.
        content: the body.
        timeout: seconds for everything together: resolving, connecting, sending, and reading to the end.
        allow_private: connect to addresses that are not public too.
        max_bytes: of the answer's body; the rest is not read.
        cancel: set it to break off.

    Raises:
        Unreachable: there is no answer. ImportError: there is no httpx2.
    """
    with stream(
        method,
        url,
        headers=headers,
        content=content,
        timeout=timeout,
        allow_private=allow_private,
        cancel=cancel,
    ) as found:
        body, cut = _body(found.parts, max_bytes)
        return Answer(found.status, found.headers, body, cut)


@contextlib.contextmanager
def stream(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    timeout: float,
    allow_private: bool = False,
    cancel: threading.Event | None = None,
    pulse: Callable[[], None] | None = None,
) -> Iterator[Streaming]:
    """The same request, whose answer is read as it comes; the connection ends with the block.

    Args:
        method, url, headers, content, timeout, allow_private, cancel: as of `request`; the time is that of the whole block.
        pulse: called at each look at the clock, about every `STEP` seconds while nothing comes.

    Raises:
        Unreachable: there is no answer, or, while it is read, no more of it. ImportError: there is no httpx2.
    """
    import httpcore2

    asked = _asked(method, url, headers or {}, content)
    net = cast("httpcore2.NetworkBackend", _Net(_Limit(timeout, cancel, pulse), allow_private))
    try:
        with (
            httpcore2.ConnectionPool(network_backend=net) as pool,
            contextlib.closing(pool.handle_request(asked)) as found,
        ):
            yield Streaming(found.status, _headers(found.headers), cast("Iterable[bytes]", found.stream))
    except httpcore2.LocalProtocolError:
        raise Unreachable(
            "A header or the method cannot be sent: it holds a sign that none may.", refused=True
        ) from None
    except httpcore2.ProtocolError as error:
        raise Unreachable(f"The answer is not HTTP, or broke off: {shorten(str(error))}.") from None


def public(address: str) -> bool:
    """Whether an IP address, in its usual writing, belongs to a host on the public internet."""
    import ipaddress

    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        for network, bits in _embedding():
            if found in network:
                found = ipaddress.IPv4Address((int(found) >> bits) & 0xFFFFFFFF)
                break
        else:
            return int(found) >> 125 == 1 and not any(found in network for network in _networks(_NOT_PUBLIC_6))
    return not any(found in network for network in _networks(_NOT_PUBLIC_4))


class _Limit:
    """When a request must be over."""

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


class _Net:
    """Opens connections to checked addresses alone; httpcore2's NetworkBackend."""

    def __init__(self, limit: _Limit, allow_private: bool) -> None:
        self.limit, self.allow_private = limit, allow_private

    def connect_tcp(self, host: str, port: int, **_options: Any) -> _Stream:
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
                return _Stream(self._connected(place, len(places) - number), self.limit)
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


class _Stream:
    """A connection whose every wait is bounded by the whole request's limit; httpcore2's NetworkStream."""

    def __init__(self, connection: socket.socket, limit: _Limit) -> None:
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

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, **_options: Any) -> _Stream:
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


def _places(host: str, port: int, limit: _Limit) -> list[Place]:
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


def _asked(method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> httpcore2.Request:
    """The request as it goes over the wire; raises Unreachable when it cannot."""
    import httpcore2
    import httpx2

    try:
        told = {"accept-encoding": "identity", "connection": "close", **{k.lower(): v for k, v in headers.items()}}
        asked = httpx2.Request(method, url, headers=told, content=content)
    except (httpx2.InvalidURL, ValueError, TypeError):  # not `from` it: it may quote a header
        raise Unreachable("The address or a header cannot be sent.", refused=True) from None
    where = asked.url
    if where.scheme not in ("http", "https"):
        raise Unreachable(f"{where.scheme or 'No scheme'} is not possible: http and https are.", refused=True)
    if not where.host or where.userinfo:
        raise Unreachable("An address names a host, and no user and password: those go into a header.", refused=True)
    target = httpcore2.URL(scheme=where.raw_scheme, host=where.raw_host, port=where.port, target=where.raw_path)
    return httpcore2.Request(asked.method, target, headers=asked.headers.raw, content=content)


def _body(parts: Iterable[bytes], most: int) -> tuple[bytes, bool]:
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > most:
            return bytes(body[:most]), True
    return bytes(body), False


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for key, value in raw:
        name, text = key.decode("latin-1").lower(), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


@functools.cache
def _networks(written: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    import ipaddress

    return tuple(map(ipaddress.ip_network, written))


def _embedding() -> Iterable[tuple[Any, int]]:
    return zip(_networks(tuple(_EMBEDDED)), _EMBEDDED.values(), strict=True)


__all__ = ["CANCELLED", "Answer", "Streaming", "Unreachable", "public", "request", "stream"]
