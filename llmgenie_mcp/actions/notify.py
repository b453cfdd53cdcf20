"""Telling people something, by the ways that the settings name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from llmgenie_mcp import redact
from llmgenie_mcp.actions._configured import unready
from llmgenie_mcp.engine.situation import ActionContext, Situation
from llmgenie_mcp.outbox import NOTIFICATION
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.records import Document, Refusal, Title

Message = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
EXAMPLE = "{to: [{env: TEAM_CHAT}]}"


class Notify(Params):
    """Parameters of notify."""

    to: Title = Field(description="Whom: a name below `notifications` in the settings.")
    message: Message = Field(description="What they are told.")
    title: Title | None = Field(default=None, description="In a few words; the project's name when left out.")


def _ready(situation: Situation, params: Notify | None) -> Refusal | None:
    return unready(situation, "notifications", params.to if params else None, "notification", EXAMPLE)


def _resource(_situation: Situation, params: Notify) -> Document:
    return {"type": NOTIFICATION, "id": params.to}


@action("notify", params=Notify, everywhere=True, ready=_ready, resource=_resource)
def notify(ctx: ActionContext, params: Notify) -> Document:
    """Tell people something by chat or mail, as the settings say for a name."""
    title = params.title or f"llmgenie: {ctx.situation.project.name}"
    ctx.deliver(NOTIFICATION, params.to, redact.redact({"title": title, "body": params.message}))
    return {"delivery": "queued"}
