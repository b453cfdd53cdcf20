"""One request to somebody's HTTP API: secrets go into its headers and do not come back, what comes back is JSON or text.

Light to import, as `network` is, which does the asking.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from llmgenie_mcp import network, redact
from llmgenie_mcp.config import Secret
from llmgenie_mcp.errors import ActionError, shorten

DEPTH = 32
"""What is nested deeper in an answer is left out."""
SECRET = "[secret removed]"  # noqa: S105 - what stands where a secret was
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
        """Seconds until it is of use to ask again, as the answer says (RFC 9110, 10.2.3); None: it does not."""
        said = self.headers.get("retry-after", "").strip()
        if said.isascii() and said.isdigit():
            return float(said[:9])
        return None if (at := http_date(said)) is None else max(0.0, at - time.time())

    @property
    def date(self) -> float | None:
        """Seconds since 1970 by the server's clock; None: it does not say."""
        return http_date(self.headers.get("date", ""))

    def said(self, limit: int = 300) -> str:
        """The answer's own words, short, on one line and without anything that looks like a secret; may be empty."""
        text = self.body if isinstance(self.body, str) else ", ".join(_words(self.body))
        return shorten(" ".join(redact.redact(text).split()), limit)


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
    sent = {"accept": "application/json", "user-agent": "llmgenie"}
    body = None
    if content is not None:
        sent["content-type"] = "application/json"
        body = json.dumps(content, ensure_ascii=False).encode("utf-8")
    sent |= {name.lower(): value for name, value in {**(headers or {}), **(secrets or {})}.items()}
    found = network.request(
        method,
        url,
        headers=sent,
        content=body,
        timeout=timeout,
        allow_private=allow_private,
        max_bytes=max_bytes,
        cancel=cancel,
    )
    hidden = sorted({word for value in (secrets or {}).values() for word in value.split()}, key=len, reverse=True)
    words = tuple(word for word in hidden if len(word) >= _SHORTEST)
    kept = {name: _without(value, words) for name, value in found.headers.items()}
    return Reply(found.status, kept, _decoded(found.body, words), found.cut)


def header(secret: Secret, prefix: str = "") -> str:
    """A secret as the value of a header.

    Raises:
        ActionError: it is not there, or holds what no header may; names where it was looked for.
    """
    value = prefix + secret.read()
    if value.isascii() and value.isprintable():
        return value
    place = f"the environment variable {secret.env}" if secret.env else f"the file {secret.file}"
    message = f"The secret in {place} holds a line break or another sign that no HTTP header may."
    raise ActionError(message, "Set it again, as one line of ASCII.")


def http_date(text: str) -> float | None:
    """Seconds since 1970 of a date as HTTP writes it; None when it is none."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() if isinstance(at, datetime) else None


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


__all__ = ["Reply", "ask", "header", "http_date"]
