"""Telling people something, by the ways that the settings name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from llmgenie_mcp import redact
from llmgenie_mcp.actions._configured import unready
from llmgenie_mcp.engine.situation import ActionContext, Situation
from llmgenie_mcp.outbox import NOTIFICATION, RATES
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.records import Document, Refusal, Title, now

Message = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
EXAMPLE = "{to: [{env: TEAM_CHAT}]}"


class Notify(Params):
    """Parameters of notify."""

    to: Title = Field(description="Whom: a name below `notifications` in the settings.")
    message: Message = Field(description="What they are told.")
    title: Title | None = Field(default=None, description="In a few words; the project's name when left out.")


def _ready(situation: Situation, params: Notify | None) -> Refusal | None:
    if refusal := unready(situation, "notifications", params.to if params else None, "notification", EXAMPLE):
        return refusal
    if situation.actor.kind != "agent":
        return None
    names = [params.to] if params else list(situation.settings.notifications)
    spent = [name for name in names if _sent(situation.reader.get(RATES, _rate_of(name))) >= _most(situation, name)]
    return _too_many(situation, spent[0]) if len(spent) == len(names) else None


def _too_many(situation: Situation, name: str) -> Refusal:
    most = _most(situation, name)
    message = (
        f"Agents may tell {name} {most} messages a minute, and have in this one. "
        "Say the rest in one message in the next minute, if it is still worth telling."
    )
    rule = f"settings.notifications.{name}.per_minute"
    return Refusal("too_many", rule, message, {"per_minute": most})


def _most(situation: Situation, name: str) -> int:
    return situation.settings.notifications[name].per_minute


def _rate_of(name: str) -> str:
    return f"{NOTIFICATION}:{name}"


def _sent(known: Document | None) -> int:
    """How many messages of agents were sent in this minute."""
    return int(known["count"]) if known and known["minute"] == now()[:16] else 0


def _resource(_situation: Situation, params: Notify) -> Document:
    return {"type": NOTIFICATION, "id": params.to}


@action(
    "notify",
    params=Notify,
    everywhere=True,
    needs="notifications",
    ready=_ready,
    resource=_resource,
    example={"to": "team", "message": "The review of feature/parser waits for you."},
)
def notify(ctx: ActionContext, params: Notify) -> Document:
    """Tell people something by chat or mail, as the settings say for a name."""
    title = params.title or f"llmgenie: {ctx.situation.project.name}"
    if ctx.situation.actor.kind == "agent":
        count = _sent(ctx.write.get(RATES, _rate_of(params.to))) + 1
        ctx.write.put(RATES, _rate_of(params.to), {"minute": now()[:16], "count": count})
    ctx.deliver(NOTIFICATION, params.to, redact.redact({"title": title, "body": params.message}))
    return {"delivery": "queued"}
