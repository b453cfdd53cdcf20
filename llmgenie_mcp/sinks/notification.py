"""Tells people, by chat, mail or whatever Apprise (https://github.com/caronc/apprise) knows a way to.

Apprise opens its connections itself, with libraries of its own: the guards of `network` (no private addresses, one limit
for everything) do not hold for it. Whoever sets an address decides where it leads, as with any mail program; no part of
it comes from an agent. Redirects are off and each address has a time limit where the version of Apprise offers that.

An address is a secret. Apprise writes addresses, and what it sends, into its log, and so does the HTTP library below it;
both loggers are kept to themselves here, and of why something failed only that is told which names no part of it.

With several addresses, those that were reached are not told again when another failed, as long as the process lives.
"""

from __future__ import annotations

import inspect
import logging
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from llmgenie_mcp import redact
from llmgenie_mcp.config import Notification, Secret
from llmgenie_mcp.errors import ActionError, shorten, visible
from llmgenie_mcp.expressions import format_message
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel, sink

TIMEOUT = 15.0
"""Seconds for one address."""
ALL = 45.0
"""Seconds after which no further address is begun with; the rest is for the next attempt."""
REMEMBERED = 1000
"""Messages of which it is known whom they reached; the oldest are forgotten first."""
OPTIONS: dict[str, Any] = {
    "app_id": "llmgenie",
    "async_mode": False,
    "http_redirects": False,
    "pgp_autogen": False,
    "pem_autogen": False,
    "service_timeout": TIMEOUT,
}
"""Of `apprise.AppriseAsset`; what an older version does not know is left out."""
_PIECE = re.compile(r"[^/:@?&=,;#\s]+")
_reached: dict[str, set[int]] = {}


@sink("notification")
def tell(parcel: Parcel) -> Delivered:
    """Tell everybody below a name of the settings' `notifications`."""
    settings = parcel.settings.notifications.get(parcel.name)
    if settings is None:
        raise NotDelivered(f"There is no notification {parcel.name} in the settings any more.", final=True)
    title, body = _words(settings, parcel)
    reached = _reached.setdefault(parcel.message, set())
    while len(_reached) > REMEMBERED:
        _reached.pop(next(iter(_reached)), None)
    problems, until = [], time.monotonic() + ALL
    for number, address in enumerate(settings.to):
        if number in reached:
            continue
        if parcel.cancel.is_set() or time.monotonic() > until:
            problems.append(f"{_place(address)}: not begun with")
        elif problem := _send(address, title, body):
            problems.append(f"{_place(address)}: {problem}")
        else:
            reached.add(number)
    if problems:
        raise NotDelivered("; ".join(problems))
    _reached.pop(parcel.message, None)
    return Delivered({"told": len(settings.to)})


def _words(settings: Notification, parcel: Parcel) -> tuple[str, str]:
    """Title and text: as the action gave them, or by the settings' templates for an event."""
    if parcel.event is None:
        title, body = str(parcel.payload.get("title", "")), str(parcel.payload.get("body", ""))
    else:
        facts = {"event": parcel.event}
        title, body = format_message(settings.title, facts), format_message(settings.body, facts)
    # A title is one line: in some ways to people it is a header, and what an agent says must not make each attempt fail.
    # What a chat or a mail program would not show, or would show turned round, is written out.
    return visible(redact.redact(" ".join(title.split()))), visible(redact.redact(body))


def _send(address: Secret, title: str, body: str) -> str:
    """Send to one address; returns why it did not work, empty when it did."""
    try:
        url = address.read()
    except ActionError as error:
        return f"{error.message} {error.hint}"
    try:
        import apprise
    except ImportError:
        raise NotDelivered("Apprise is not installed: pip install 'llmgenie-mcp[notify]'.", final=True) from None
    _keep_quiet()
    takes = {*dir(apprise.AppriseAsset), *inspect.signature(apprise.AppriseAsset).parameters}
    asset = apprise.AppriseAsset(**{name: value for name, value in OPTIONS.items() if name in takes})
    way = apprise.Apprise.instantiate(url, asset=asset)
    if way is None:
        return "what stands there is no address that Apprise understands"
    ways = apprise.Apprise(asset=asset)
    ways.add(way)
    answer = ways.notify(body=body or title, title=title if body else "", body_format="text")
    if answer:
        return ""
    return "; ".join(dict.fromkeys(_clean(said, url) for said in _said(answer))) or "Apprise does not say why"


def _said(answer: Any) -> Iterator[str]:
    """What Apprise logged about a failure; versions before 2 tell nothing."""
    logs = getattr(answer, "logs", None)
    for entry in logs() if logs else ():
        yield entry.message


def _clean(text: str, url: str) -> str:
    """A message without any part of an address but its scheme."""
    scheme, _, rest = url.partition("://")
    pieces = {form for piece in _PIECE.findall(rest) for form in (piece, unquote(piece)) if len(form) > 1}
    for piece in sorted(pieces, key=len, reverse=True):
        text = text.replace(piece, "…") if piece.lower() != scheme.lower() else text
    return shorten(redact.redact(" ".join(text.split())), 200)


def _place(address: Secret) -> str:
    return address.env or address.file or address.place


def _keep_quiet() -> None:
    """Nothing of Apprise's log reaches another, nor what its HTTP library logs of addresses."""
    for name in ("apprise", "urllib3"):
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.WARNING)


__all__ = ["tell"]
