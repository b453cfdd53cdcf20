"""What actions need that run something by its name in the settings: whether it may run, and what it is not given."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from llmgenie_mcp.config import FILE_NAME, Secret
from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.records import Refusal


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
        place = situation.project.store / FILE_NAME
        message = f"There is no {kind} `{name}` in {place}. Add: {part}: {{{name}: {example}}}"
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


def secret_variables(part: object) -> frozenset[str]:
    """Names of the environment variables that hold secrets, by what `part` of the settings says.

    Programs that an agent may have written do not get them: who knows a receiver's secret can sign events.
    """
    if isinstance(part, Secret):
        return frozenset((part.env,) if part.env else ())
    if isinstance(part, BaseModel):
        return secret_variables([getattr(part, name) for name in type(part).model_fields])
    if isinstance(part, Mapping):
        return secret_variables(list(part.values()))
    if isinstance(part, (list, tuple)):
        return frozenset().union(*map(secret_variables, part))
    return frozenset()
