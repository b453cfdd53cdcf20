"""What actions need that run something by its name in the settings: whether it may run, and what it is not given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import redact
from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.errors import BadParams, UnknownName
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.marks import SETTINGS
from llmgenie_mcp.outbox import RATES
from llmgenie_mcp.outcome import Document, Refusal, now

if TYPE_CHECKING:
    from llmgenie_mcp.actions.model import AskModel
    from llmgenie_mcp.actions.notify import Notify
    from llmgenie_mcp.actions.opinion import ReviewDiff

MODEL = "{kind: ollama, url: 'http://127.0.0.1:11434', model: qwen3, allow_private: true}"
"""A model, as the settings name one."""


def unconfigured(situation: Situation, part: str, name: str, kind: str, example: str) -> Refusal | None:
    """Why what the settings call `name` may not be used, if so: it is not there, or nobody trusted them.

    Args:
        situation: the request's.
        part: of the settings, such as `commands`.
        name: as asked for.
        kind: one word for people, such as "command".
        example: what stands below the name, in YAML on one line.
    """
    if name not in getattr(situation.settings, part):
        place = situation.project.store / SETTINGS
        message = f"There is no {kind} `{name}` in {place}. A person adds it there: {part}: {{{name}: {example}}}"
        return Refusal("not_configured", f"settings.{part}.{name}", message)
    if not situation.trusted:
        message = "A person has not accepted this project's own definitions yet. In a terminal: llmgenie trust"
        return Refusal("not_trusted", "trust", f"{message} --project {situation.project.root}", {"trusted": False})
    return None


def unready(situation: Situation, part: str, name: str | None, kind: str, example: str) -> Refusal | None:
    """The same for an action whose parameter names it; None asks whether there is any at all.

    Raises:
        UnknownName: others are in the settings, but none of that name.
    """
    known = getattr(situation.settings, part)
    if name is not None and known and name not in known:
        raise UnknownName(kind, name, known)
    return unconfigured(situation, part, name if name is not None else next(iter(known), "NAME"), kind, example)


@dataclass(frozen=True, slots=True)
class Configured:
    """The `ready` of an action whose parameter `name` says what of the settings it uses; the attributes are as for `unready`."""

    part: str
    kind: str
    example: str

    def __call__(self, situation: Situation, params: Any) -> Refusal | None:
        """See `unready`."""
        return unready(situation, self.part, params.name if params else None, self.kind, self.example)


def model_ready(situation: Situation, params: AskModel | None) -> Refusal | None:
    """The `ready` of ask_model: the model may be asked, for so much, and for this."""
    refusal = unready(situation, "models", params.name if params else None, "model", MODEL)
    if refusal is not None or params is None:
        return refusal
    most = situation.settings.models[params.name].max_tokens
    if params.max_tokens is not None and params.max_tokens > most:
        hint = f"Ask for {most} at most; a person can allow more in the settings."
        raise BadParams(f"max_tokens is {params.max_tokens}, and {params.name} may give {most}.", hint)
    if params.schema_ is not None:
        from llmgenie_mcp.models import fitting

        fitting.check_schema(params.schema_)
    if kinds := redact.find([params.prompt, params.system, params.schema_]):
        message = (
            f"The prompt holds what looks like a secret ({', '.join(kinds)}), and would go to somebody else. "
            "Leave it out, or write what it is for instead."
        )
        return Refusal("rule_matched", "models.secrets", message, {"action.secrets": kinds})
    return None


def opinion_ready(situation: Situation, params: ReviewDiff | None) -> Refusal | None:
    """The `ready` of review_diff: the model named, else that of the settings, may be asked."""
    settings = situation.settings
    if params is None or params.name is not None:  # without a name, one may still be given
        return unready(situation, "models", params.name if params else None, "model", MODEL)
    if settings.opinions.model:
        return unconfigured(situation, "models", settings.opinions.model, "model", MODEL)
    if len(settings.models) > 1:
        raise BadParams("Several models could be asked.", f"Name one as `name`: {', '.join(settings.models)}.")
    return unready(situation, "models", None, "model", MODEL)


def notify_ready(situation: Situation, params: Notify | None) -> Refusal | None:
    """The `ready` of notify: people are told by these settings, and agents have not told them too much in this minute."""
    name = params.to if params else None
    if refusal := unready(situation, "notifications", name, "notification", "{to: [{env: TEAM_CHAT}]}"):
        return refusal
    if situation.actor.kind != "agent":
        return None
    names = [params.to] if params else list(situation.settings.notifications)
    spent = [name for name in names if _sent(situation.reader.get(RATES, rate_of(name))) >= _most(situation, name)]
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


def rate_of(name: str) -> str:
    """The id under which it is counted how often agents tell somebody something."""
    return f"notification:{name}"


def once_more(known: Document | None) -> Document:
    """What is kept of the messages of agents in this minute, with one more."""
    return {"minute": now()[:16], "count": _sent(known) + 1}


def _sent(known: Document | None) -> int:
    """How many messages of agents were sent in this minute."""
    return int(known["count"]) if known and known["minute"] == now()[:16] else 0


def secret_variables(part: object) -> frozenset[str]:
    """Names of the environment variables that hold secrets, by what `part` of the settings says.

    Programs that an agent may have written do not get them: who knows a receiver's secret can sign events.
    """
    from pydantic import BaseModel

    from llmgenie_mcp.config import Secret  # here: asking what is open does without pydantic

    if isinstance(part, Secret):
        return frozenset((part.env,) if part.env else ())
    if isinstance(part, BaseModel):
        return secret_variables([getattr(part, name) for name in type(part).model_fields])
    if isinstance(part, Mapping):
        return secret_variables(list(part.values()))
    if isinstance(part, (list, tuple)):
        return frozenset().union(*map(secret_variables, part))
    return frozenset()
