"""One request to somebody's HTTP API: secrets go into its headers and do not come back, what comes back is JSON or text.

Light to import, as `network` is, which does the asking.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from llmgenie_mcp import network, redact
from llmgenie_mcp.config import Secret
from llmgenie_mcp.errors import ActionError, shorten
from llmgenie_mcp.frozen import dataclass

DEPTH = 32
"""What is nested deeper in an answer is left out."""
SECRET = "[secret removed]"  # noqa: S105 - what stands where a secret was
BUSY = frozenset({408, 425, 429})
"""HTTP statuses below 500 that say: not now."""
MOST_SECONDS = 999_999_999.0
"""As long as anybody is waited for: what is more may be no date any more."""
_SHORTEST = 7
"""A word of a secret of fewer characters is not looked for, such as `Bearer`: it would be found everywhere."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an API answered, without the secrets that it was asked with.

    Attributes:
        status: HTTP's.
        headers: by lower-case name.
        body: the JSON value when the answer is JSON, else its text; None when there is none.
        cut: whether the answer had more bytes than were read.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    cut: bool

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300

    @property
    def retry_after(self) -> float | None:
        """Seconds until it is of use to ask again, as the answer says; None: it does not."""
        return retry_after(self.headers.get("retry-after", ""))

    @property
    def spent(self) -> bool:
        """Whether a rate limit is used up, in the words of GitHub, which says so on a 403 too."""
        return self.headers.get("x-ratelimit-remaining") == "0"

    @property
    def pause(self) -> float | None:
        """Seconds that the answer asks to wait: as it says, else until its rate limit begins anew; None: it does not."""
        if self.retry_after is not None:
            return self.retry_after
        reset = self.headers.get("x-ratelimit-reset", "")
        if not (self.spent and reset.isascii() and reset.isdigit()):
            return None
        return max(0.0, float(reset[:12]) - (self.date or time.time()))

    @property
    def date(self) -> float | None:
        """Seconds since 1970 by the server's clock; None: it does not say."""
        return http_date(self.headers.get("date", ""))

    def said(self, limit: int = 300) -> str:
        """The answer's own words, short, on one line and without anything that looks like a secret; may be empty."""
        text = self.body if isinstance(self.body, str) else ", ".join(_words(self.body))
        return shorten(" ".join(redact.redact(text).split()), limit)


@dataclass(eq=False)
class Unanswered(Exception):
    """Who was asked did not do it.

    Attributes:
        message, hint: why, and what to do next; for people.
        status: HTTP's; None: there was no answer.
        retry_after: seconds after which it is of use to ask again, as the answer said; None: it did not.
    """

    message: str
    hint: str
    _: KW_ONLY
    status: int | None = None
    retry_after: float | None = None

    def __str__(self) -> str:
        return self.message


def ask(
    method: str,
    url: str,
    *,
    timeout: float,
    allow_private: bool,
    headers: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    content: Any = None,
    max_bytes: int = 1_000_000,
    cancel: threading.Event | None = None,
) -> Reply:
    """Ask and read the answer.

    Args:
        method: of HTTP.
        url: whole.
        timeout: seconds for everything.
        allow_private: whether the host may have a private address.
        headers: to send.
        secrets: further headers, whose values show up nowhere else.
        content: JSON value for the body; None: no body.
        max_bytes: of the answer's body.
        cancel: set it to break off.

    Raises:
        network.Unreachable: there is no answer.
    """
    with listen(
        method,
        url,
        timeout=timeout,
        allow_private=allow_private,
        headers=headers,
        secrets=secrets,
        content=content,
        max_bytes=max_bytes,
        cancel=cancel,
    ) as coming:
        return coming.reply()


@dataclass(slots=True)
class Coming:
    """An answer that is still coming, read once: by `lines` or by `reply`.

    Attributes:
        status: HTTP's.
        headers: by lower-case name, without the secrets.
        parts: the body as it comes.
        max_bytes: of it.
        hidden: words that are taken out of it.
    """

    status: int
    headers: Mapping[str, str]
    parts: Iterable[bytes]
    max_bytes: int
    hidden: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The body's lines, each as soon as it is there, without line ends and without secrets; the last may be a part.

        Raises:
            network.Unreachable: there is no more of it, or more than `max_bytes`.
        """
        held, seen = bytearray(), 0
        for part in self.parts:
            seen += len(part)
            if seen > self.max_bytes:
                raise network.Unreachable(f"The answer has more than {self.max_bytes:,} bytes.")
            held += part
            if b"\n" in part:
                *whole, rest = held.split(b"\n")
                held = bytearray(rest)
                yield from map(self._read, whole)
        if held:
            yield self._read(held)

    def reply(self) -> Reply:
        """The whole answer, at most `max_bytes` of it. Raises network.Unreachable."""
        body, cut = network.gathered(self.parts, self.max_bytes)
        return Reply(self.status, self.headers, _decoded(body, self.hidden), cut)

    def without_secrets(self, text: str) -> str:
        """A text that was put together of several lines."""
        return _without(text, self.hidden)

    def _read(self, line: bytes | bytearray) -> str:
        return _without(line.removesuffix(b"\r").decode("utf-8", "replace"), self.hidden)


@contextlib.contextmanager
def listen(
    method: str,
    url: str,
    *,
    timeout: float,
    allow_private: bool,
    headers: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    content: Any = None,
    max_bytes: int = 1_000_000,
    cancel: threading.Event | None = None,
    pulse: Callable[[], None] | None = None,
) -> Iterator[Coming]:
    """Ask, and hear the answer while it comes; the connection ends with the block.

    Args:
        method, url, allow_private, headers, secrets, content, max_bytes, cancel: as of `ask`.
        timeout: seconds for the whole block.
        pulse: called about ten times a second while nothing comes.

    Raises:
        network.Unreachable: there is no answer.
    """
    sent, body = _prepared(content, headers, secrets)
    with network.stream(
        method,
        url,
        headers=sent,
        content=body,
        timeout=timeout,
        allow_private=allow_private,
        cancel=cancel,
        pulse=pulse,
    ) as found:
        hidden = _hidden(secrets)
        kept = {name: _without(value, hidden) for name, value in found.headers.items()}
        yield Coming(found.status, kept, found.parts, max_bytes, hidden)


def header(secret: Secret, prefix: str = "") -> str:
    """A secret as the value of a header.

    Raises:
        ActionError: it is not there, or holds what no header may; names where it was looked for.
    """
    value = prefix + secret.read()
    if value.isascii() and value.isprintable():
        return value
    message = f"The secret in {secret.place} holds a line break or another sign that no HTTP header may."
    raise ActionError(message, "Set it again, as one line of ASCII.")


def retry_after(text: str) -> float | None:
    """Seconds from now that a Retry-After says, as a number or as a date (RFC 9110, 10.2.3); None when it is neither."""
    said = text.strip()
    if said.isascii() and said.isdigit():
        return min(float(said), MOST_SECONDS)
    return None if (at := http_date(said)) is None else max(0.0, at - time.time())


def http_date(text: str) -> float | None:
    """Seconds since 1970 of a date as HTTP writes it; None when it is none."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() if isinstance(at, datetime) else None


def _prepared(
    content: Any, headers: Mapping[str, str] | None, secrets: Mapping[str, str] | None
) -> tuple[dict[str, str], bytes | None]:
    """The headers and the body as they are sent."""
    sent = {"accept": "application/json", "user-agent": "llmgenie"}
    body = None
    if content is not None:
        sent["content-type"] = "application/json"
        body = json.dumps(content, ensure_ascii=False).encode("utf-8")
    return sent | {name.lower(): value for name, value in {**(headers or {}), **(secrets or {})}.items()}, body


def _hidden(secrets: Mapping[str, str] | None) -> tuple[str, ...]:
    """Words of the secrets that must not come back, the longest first."""
    words = sorted({word for value in (secrets or {}).values() for word in value.split()}, key=len, reverse=True)
    return tuple(word for word in words if len(word) >= _SHORTEST)


def parsed(text: str, *, tidy: bool = True) -> Any:
    """The JSON value that a text is, as plain as a `Reply` has it; not `tidy`: as it is. ValueError: it is none."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
        return _plain(value, (), DEPTH) if tidy else value
    except RecursionError:
        raise ValueError("nested too deep") from None


def _decoded(body: bytes, hidden: tuple[str, ...]) -> Any:
    text = body.decode("utf-8", "replace")
    if not text.strip():
        return None
    try:
        return _plain(json.loads(text, parse_constant=_no_constant), hidden, DEPTH)
    except (ValueError, RecursionError):
        return _plain(text, hidden, DEPTH)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _plain(value: Any, hidden: tuple[str, ...], depth: int) -> Any:
    """A JSON value without secrets, lone surrogates, infinity (as which 1e999 is read) and what is nested too deep."""
    if isinstance(value, str):
        return _without(value.encode("utf-8", "replace").decode("utf-8"), hidden)
    if isinstance(value, dict):
        if depth == 0:
            return "…"
        return {_plain(key, hidden, depth): _plain(part, hidden, depth - 1) for key, part in value.items()}
    if isinstance(value, list):
        return "…" if depth == 0 else [_plain(part, hidden, depth - 1) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _without(text: str, hidden: Iterable[str]) -> str:
    for word in hidden:
        text = text.replace(word, SECRET)
    return text


def _words(body: Any) -> Iterable[str]:
    """What APIs give as the reason: GitHub `message` and `errors`, GitLab `message` of many shapes, OAuth's `error`."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping):
        told = [body[name] for name in ("message", "error", "error_description", "errors") if name in body]
        for part in told or list(body.values()):
            yield from _words(part)
    elif isinstance(body, list):
        for part in body:
            yield from _words(part)


__all__ = ["BUSY", "Coming", "Reply", "Unanswered", "ask", "header", "http_date", "listen", "parsed", "retry_after"]
