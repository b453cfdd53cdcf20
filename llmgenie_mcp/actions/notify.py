"""Telling people something, by the ways that the settings name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from llmgenie_mcp import redact
from llmgenie_mcp.actions._configured import notify_ready, once_more, rate_of
from llmgenie_mcp.engine.situation import ActionContext, Situation
from llmgenie_mcp.outbox import NOTIFICATION, RATES
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.records import Document, Title

Message = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]


class Notify(Params):
    """Parameters of notify."""

    to: Title = Field(description="Whom: a name below `notifications` in the settings.")
    message: Message = Field(description="What they are told.")
    title: Title | None = Field(default=None, description="In a few words; the project's name when left out.")


def _resource(_situation: Situation, params: Notify) -> Document:
    return {"type": NOTIFICATION, "id": params.to}


@action(
    "notify",
    params=Notify,
    everywhere=True,
    needs="notifications",
    ready=notify_ready,
    resource=_resource,
    example={"to": "team", "message": "The review of feature/parser waits for you."},
)
def notify(ctx: ActionContext, params: Notify) -> Document:
    """Tell people something by chat or mail, as the settings say for a name."""
    title = params.title or f"llmgenie: {ctx.situation.project.name}"
    if ctx.situation.actor.kind == "agent":
        ctx.write.put(RATES, rate_of(params.to), once_more(ctx.write.get(RATES, rate_of(params.to))))
    ctx.deliver(NOTIFICATION, params.to, redact.redact({"title": title, "body": params.message}))
    return {"delivery": "queued"}
