"""Signatures of webhooks, checked in constant time over the raw body before anything in it is read."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.plugins import BadRequest

PREFIX = "whsec_"
TOLERANCE = 300
"""Seconds by which a request may be older or newer than our clock: what the library of Standard Webhooks allows."""
_HINT = "Have the sender make a secret of the form whsec_…, and keep it as it was shown."


def secrets(text: str) -> list[str]:
    """The secrets in a secret's text, one on each line: while one is being replaced, the new one and the old one.

    Raises:
        ActionError: there is none.
    """
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise ActionError("The secret of a receiver is empty.", "Put in what the sender signs with.")
    return found


def same(given: str, expected: bytes) -> bool:
    """Whether a header's value is what it should be; takes as long for any value of the same length."""
    return hmac.compare_digest(given.encode("latin-1", "replace"), expected)


def hexadecimal(secret: str, body: bytes) -> bytes:
    """HMAC-SHA256 of the body in lower-case hexadecimal digits."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()


def standard(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: float) -> str:
    """Check a request that is signed by the Standard Webhooks specification; returns its id.

    The specification (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md) signs
    `id.timestamp.body`; the header holds one or more signatures `v1,BASE64` with a space between. Its Python library is
    not used here: it reads the clock itself, and breaks off with other errors at headers that are malformed.

    Args:
        headers: with lower-case names.
        body: as it came.
        secrets: of the form whsec_BASE64; one that fits is enough.
        now: seconds since 1970.

    Raises:
        BadRequest: 401 no signature or none that fits, 403 too old or too new, 400 no time.
        ActionError: a secret is not of that form.
    """
    id_, sent, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (id_ and sent and signatures):
        raise BadRequest("webhook-id, webhook-timestamp or webhook-signature is missing.", status=401)
    signed = b".".join((id_.encode("latin-1", "replace"), sent.encode("latin-1", "replace"), body))
    given = [value for version, _, value in (part.partition(",") for part in signatures.split(" ")) if version == "v1"]
    fits = False
    for key in [_key(word) for secret in secrets for word in secret.split()]:
        right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
        for value in given:
            fits |= same(value, right)
    if not fits:
        raise BadRequest("No signature in webhook-signature fits.", status=401)
    if not (sent.isascii() and sent.isdecimal() and len(sent) <= 12):
        raise BadRequest("webhook-timestamp is not whole seconds since 1970.")
    if abs(now - int(sent)) > TOLERANCE:
        raise BadRequest(f"It was sent more than {TOLERANCE} seconds before or after our time.", status=403)
    return id_


def _key(secret: str) -> bytes:
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ActionError("The secret of a receiver is not whsec_ and Base64 after it.", _HINT)
    return key
