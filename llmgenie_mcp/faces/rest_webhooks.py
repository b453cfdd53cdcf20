"""Webhooks that come in, at /webhooks/NAME for each of `receivers:` in the settings.

No token is asked for: the sender's signature says who it is, and a receiver reads the events (`receivers/`). What it tells
is recorded once however often it is sent; a replay is answered with 200, for senders repeat what is not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect, Request

from llmgenie_mcp import plugins
from llmgenie_mcp.config import Receiver
from llmgenie_mcp.engine import Engine
from llmgenie_mcp.errors import ActionError, BadParams, DefinitionError
from llmgenie_mcp.faces.rest_problem import MEDIA_TYPE, Problem
from llmgenie_mcp.outcome import Actor, Document
from llmgenie_mcp.plugins import BadRequest, Received
from llmgenie_mcp.validation import check_event

T = TypeVar("T")
THREADS = 8
"""So many requests are looked at at once: anyone may send them, and they must not take the threads of those with a token."""
COMPLAINTS = 60.0
"""Seconds in which one failure of each receiver is logged; the others are counted."""
CODES = {
    400: ("bad_webhook", "The webhook cannot be read"),
    401: ("bad_signature", "The webhook is not signed right"),
    403: ("too_old", "The webhook was sent too long ago or in the future"),
}
_HINTS = {
    400: "The signature was right, so the sender's own settings are the place to look.",
    401: "The sender and the receiver of llmgenie.yaml need the same secret, and its kind has to be the sender's.",
    403: "Send it anew, with the time of now; look at the clocks on both sides.",
}

log = logging.getLogger(__name__)
router = APIRouter()


class EventTaken(BaseModel):
    """What came of an event."""

    type: str = Field(description="Its name.")
    id: str = Field(description="As the log has it.")
    moved: list[Document] = Field(description="Instances that took a step.")
    refused: list[Document] = Field(description="Instances that waited for it and took none, with reasons.")
    deliveries: list[str] = Field(description="What it led to in the outbox.")


class WebhookTaken(BaseModel):
    """What came of a webhook."""

    events: list[EventTaken]
    duplicates: int = Field(description="So many of its events had been taken in before; nothing was done for them.")


@dataclass(slots=True)
class Desk:
    """What an app keeps about its webhooks.

    Attributes:
        limiter: of the threads in which they are looked at.
        told: for each receiver, when it was last complained of, and how often it could have been since.
    """

    limiter: anyio.CapacityLimiter
    told: dict[str, tuple[float, int]] = field(default_factory=dict)

    async def ask(self, question: Callable[..., T], *args: Any) -> T:
        """Ask in a thread."""
        return await anyio.to_thread.run_sync(partial(question, *args), limiter=self.limiter)

    def complain(self, name: str, message: str) -> None:
        """Log a failure, unless one of the same receiver was logged just now; anyone can cause them."""
        now = time.monotonic()
        last, unsaid = self.told.get(name, (now - COMPLAINTS, 0))
        if now - last < COMPLAINTS:
            self.told[name] = (last, unsaid + 1)
            return
        self.told[name] = (now, 0)
        log.warning("webhook %s was refused: %s%s", name, message, f" ({unsaid} more before)" if unsaid else "")


def _problems() -> dict[int | str, dict[str, Any]]:
    said = {
        **{status: title for status, (_, title) in CODES.items()},
        404: "There is no such receiver",
        413: "The body is too large",
        503: "The receiver is not ready, or the store is busy",
    }
    body = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": text, "content": body} for status, text in said.items()}


@router.post(
    "/webhooks/{name}",
    tags=["webhooks"],
    responses=_problems(),
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def receive_webhook(name: str, request: Request) -> WebhookTaken:
    """Take in a signed webhook."""
    state, engine = request.app.state, request.app.state.engine
    if not hasattr(state, "webhooks"):
        state.webhooks = Desk(anyio.CapacityLimiter(THREADS))
    desk: Desk = state.webhooks
    try:
        config, limit = await desk.ask(_find, engine, name)
    except DefinitionError:  # what stands in them is not for everybody who calls
        hint = "Send it again later; what is wrong is told on the receiving side: llmgenie doctor"
        raise Problem(503, "not_ready", "The receiver is not ready", "The definitions are wrong.", hint) from None
    if config is None:
        hint = "Receivers stand in llmgenie.yaml (`receivers:`), and count once a person said `llmgenie trust`."
        raise Problem(404, "unknown_name", "There is nothing of that name", "There is no such receiver.", hint)
    body = await _body(request, limit)
    try:
        received = await desk.ask(_read, config, dict(request.headers), body)
    except BadRequest as error:
        desk.complain(name, error.message)
        _refuse(error.status, error.message)
    except BadParams as error:
        desk.complain(name, error.message)
        _refuse(400, error.message, error.hint)
    except ActionError as error:
        desk.complain(name, str(error))
        raise Problem(503, "not_ready", "The receiver is not ready", "Its secret cannot be used.") from None
    return await desk.ask(_record, engine, name, received)


def _refuse(status: int, message: str, hint: str = "") -> NoReturn:
    code, title = CODES.get(status, CODES[400])
    headers = {"WWW-Authenticate": "Signature"} if status == 401 else {}
    raise Problem(status, code, title, message, hint or _HINTS.get(status, ""), headers=headers)


def _find(engine: Engine, name: str) -> tuple[Receiver | None, int]:
    """The receiver, where a person accepted it, and the bytes of a body at most."""
    definitions = engine.definitions
    settings = definitions.settings
    found = settings.receivers.get(name) if definitions.trusted else None
    if found is not None and not definitions.plugged.has("receivers", found.kind):
        found = None
    return found, settings.rest.body_bytes


async def _body(request: Request, limit: int) -> bytes:
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise Problem(413, "too_large", "Body too large", f"The body has more than {limit} bytes.", limit=limit)
            parts.append(part)
    except ClientDisconnect:
        _refuse(400, "The body ended before it was whole.")
    return b"".join(parts)


def _read(config: Receiver, headers: Mapping[str, str], body: bytes) -> Received:
    """What a request tells. Raises BadRequest, BadParams; ActionError: the secret cannot be used."""
    received: Received = plugins.receivers()[config.kind](headers, body, config.secret.read(), time.time())
    for kind, data in received.events:  # all of them, before the first is recorded
        check_event(kind, data)
    return received


def _record(engine: Engine, name: str, received: Received) -> WebhookTaken:
    taken, duplicates = [], 0
    for number, (kind, data) in enumerate(received.events):
        receipt = tuple(f"{name}:{id_}#{number}" for id_ in received.ids)
        answer = engine.trigger_event(kind, data, actor=Actor("system", f"webhook:{name}"), receipt=receipt)
        if "duplicate" in answer:
            duplicates += 1
            continue
        kept = {key: answer.get(key, []) for key in ("moved", "refused", "deliveries")}
        taken.append(EventTaken(type=kind, id=answer["event"]["id"], **kept))
    return WebhookTaken(events=taken, duplicates=duplicates)
