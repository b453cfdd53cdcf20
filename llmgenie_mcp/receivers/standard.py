"""Webhooks by the Standard Webhooks specification, which llmgenie sends too.

The body is a JSON object with `type` and `data`: the plain form of the specification, or an event of CloudEvents in
structured mode. The event's name is the type in lower case, with `_` for what a name may not have: `Invoice-Paid` becomes
`invoice_paid`. Its data is `data`, without `instance`: which instance moves is not the sender's choice.

A secret of several lines holds several secrets; see `_signature.secrets`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.plugins import BadRequest, Received, receiver
from llmgenie_mcp.receivers import _payload, _signature
from llmgenie_mcp.validation import check_event

_ODD = re.compile(r"[^a-z0-9_.]")


@receiver("standard")
def receive(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Received:
    """What a request of this kind tells; see `plugins.receiver`."""
    id_ = _signature.standard(headers, body, _signature.secrets(secret), now)
    payload = _payload.read(body)
    return Received((id_,), (_event(payload.get("type"), payload.get("data")),))


def _event(kind: Any, data: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(kind, str):
        raise BadRequest("The body has no text `type`.")
    if data is not None and not isinstance(data, Mapping):
        raise BadRequest("`data` in the body is not an object.")
    kept = {name: value for name, value in (data or {}).items() if name != "instance"}
    try:
        return check_event(_ODD.sub("_", kind.lower()), kept)
    except BadParams as error:
        raise BadRequest(error.message) from None
