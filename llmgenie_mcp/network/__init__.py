"""HTTP to the outside that cannot be led to the inside, and that ends when it should.

Every address that a connection may go to is checked where the connection is opened, and the name is not looked up again
after that: a host that answers with another address the next time (DNS rebinding) gains nothing. For the same reason it
does not matter how a host is written (`http://2130706433/` is 127.0.0.1 to the resolver). There are no proxies, no netrc, no
cookies, no redirects and no decompression; `SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded, for those who have a CA of their own.

Light to import: the HTTP library is imported by the first request.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, cast

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.network.addresses import public
from llmgenie_mcp.network.connection import CANCELLED, PLACES, Limit, Net, Unreachable

if TYPE_CHECKING:
    import httpcore2


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
        body, cut = gathered(found.parts, max_bytes)
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
    net = cast("httpcore2.NetworkBackend", Net(Limit(timeout, cancel, pulse), allow_private))
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


def gathered(parts: Iterable[bytes], most: int) -> tuple[bytes, bool]:
    """A body that comes in `parts`, at most `most` bytes of it, and whether there was more."""
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > most:
            return bytes(body[:most]), True
    return bytes(body), False


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


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for key, value in raw:
        name, text = key.decode("latin-1").lower(), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


__all__ = ["CANCELLED", "PLACES", "Answer", "Streaming", "Unreachable", "gathered", "public", "request", "stream"]
