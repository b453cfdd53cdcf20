"""Events posted to where the settings say: CloudEvents as JSON, signed by the Standard Webhooks specification.

The body is a CloudEvent in structured mode (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md),
and the headers are those of https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md:
the id is the same at every attempt, the timestamp and with it the signature are of the attempt.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llmgenie_mcp import __version__, api, network, redact
from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel, sink

if TYPE_CHECKING:
    from llmgenie_mcp.config import Secret, Webhook

MEDIA_TYPE = "application/cloudevents+json"
BUSY = (429, 503)
"""Statuses whose Retry-After is heeded (RFC 6585, section 4; RFC 9110, section 15.6.4)."""
GONE = 410
"""The receiver wants no more of it, says the specification."""
TOO_LARGE = 413
"""The event will not be smaller the next time, and others wait behind it: an agent may have made it so."""
NOT_YET = (408, 409, 425, 429)
"""Of the statuses that lay it on the sender those that another time mends (RFC 9110, RFC 8470, RFC 6585)."""
REFUSED = 3
"""Attempts at what the receiver refuses with another 4xx: it would say so each time, and others wait behind it."""
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret, by the specification's table of signature schemes."""
QUOTED = 160
"""Characters of an answer that are told."""
INSTALL = "pip install 'llmgenie-mcp[webhooks]'"


@sink("webhook")
def deliver(parcel: Parcel) -> Delivered:
    """Post the parcel's event once. Raises NotDelivered."""
    webhook = parcel.settings.webhooks.get(parcel.name)
    if webhook is None:
        raise NotDelivered(f"The settings name no webhook {parcel.name} any more.", final=True)
    if parcel.event is None:
        raise NotDelivered("A webhook tells of an event, and this names none.", final=True)
    event = {name: value for name, value in parcel.event.items() if value not in (None, "")}
    body = json.dumps(event, separators=(",", ":")).encode("ascii")
    try:
        answer = network.request(
            "POST",
            webhook.url,
            headers=_headers(parcel, webhook, body),
            content=body,
            timeout=webhook.timeout,
            allow_private=webhook.allow_private,
            max_bytes=webhook.max_bytes,
            cancel=parcel.cancel,
        )
    except network.Unreachable as error:
        raise NotDelivered(error.message, final=error.refused) from None
    except ImportError as error:
        raise NotDelivered(f"{error.name} is not installed: {INSTALL}", final=True) from None
    if 200 <= answer.status < 300:
        return Delivered({"status": answer.status})
    raise NotDelivered(
        _told(answer, webhook),
        retry_after=api.retry_after(answer.headers.get("retry-after", "")) if answer.status in BUSY else None,
        final=answer.status in (GONE, TOO_LARGE),
        most=REFUSED if 400 <= answer.status < 500 and answer.status not in NOT_YET else None,
    )


def _headers(parcel: Parcel, webhook: Webhook, body: bytes) -> dict[str, str]:
    now = datetime.now(UTC)
    own = {name.lower(): value for name, value in webhook.headers.items()}
    signed = {"webhook-id": parcel.message, "webhook-timestamp": str(int(now.timestamp()))}
    if webhook.secret is not None:
        signed["webhook-signature"] = _signature(webhook.secret, parcel.message, now, body)
    return {"user-agent": f"llmgenie/{__version__}", **own, "content-type": MEDIA_TYPE, **signed}


def _signature(secret: Secret, message: str, now: datetime, body: bytes) -> str:
    """One signature for each secret that is there: two while one is being replaced, as the specification says."""
    from standardwebhooks import Webhook

    try:
        keys = secret.read().split()
    except ActionError as error:
        raise NotDelivered(str(error)) from None
    if not all(map(_well_formed, keys)):
        form = f"whsec_ and {SHORTEST} to {LONGEST} random bytes in base64"
        raise NotDelivered(f"What is in {secret.place} is no secret of a webhook: that is {form}.")
    return " ".join(Webhook(key).sign(message, now, body.decode("ascii")) for key in keys)


def _well_formed(key: str) -> bool:
    """Whether it is of the specification's form. The library is laxer: it skips what is no base64, as receivers may not."""
    import base64
    import binascii

    text = key.removeprefix("whsec_").rstrip("=")
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return SHORTEST <= len(found) <= LONGEST


def _told(answer: network.Answer, webhook: Webhook) -> str:
    """Status and the beginning of what the receiver said, without secrets, should it have said ours."""
    problem = _problem(answer)
    text = problem or answer.body.decode("utf-8", "replace")
    most = 2 * QUOTED if problem else QUOTED
    for value in webhook.headers.values():
        text = text.replace(value, "[header removed]") if value.strip() else text
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in redact.redact(text)).split())
    told = f"The receiver answered {answer.status}"
    if 300 <= answer.status < 400:
        return f"{told}; redirects are not followed: set the address it is to go to."
    if answer.status == GONE:
        return f"{told}: it wants no more of this webhook."
    return f"{told}: {words[:most]}{'…' if len(words) > most else ''}" if words else f"{told}."


def _problem(answer: network.Answer) -> str:
    """What a problem by RFC 9457 says to people, with the `hint` that llmgenie adds; empty when it is none."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return ""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return ""
    said = [found.get(name) for name in ("detail", "hint")] if isinstance(found, dict) else []
    return " ".join(part for part in said if isinstance(part, str))
