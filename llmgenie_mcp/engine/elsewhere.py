"""Context data of other servers: `upstream/NAME/URI` is a resource and `upstream/NAME/prompts/PROMPT` a prompt of theirs.

Both are read by the actions that stand for them, so that workflow, policies, trust and log are the same by either way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import ActionError, NotReadable, UnknownName

if TYPE_CHECKING:
    from llmgenie_mcp.engine.definitions import Definitions
    from llmgenie_mcp.records import Document, Outcome

ROOT = "upstream"
LIST, READ, PROMPT = "resource:list", "resource:read", "prompt:"
PROMPTS = "prompts"


def is_meant(key: object) -> bool:
    """Whether a context key leads to another server."""
    return isinstance(key, str) and key.lstrip("/").partition("/")[0] == ROOT


def asks(key: object) -> bool:
    """Whether to read a context key is to ask another server: an action, which starts it, and which the log has."""
    return is_meant(key) and bool(str(key).lstrip("/").partition("/")[2].strip("/"))


def read(
    definitions: Definitions,
    run: Callable[[str, Document], Outcome],
    key: str,
    query: str | None,
    limit: int,
    cursor: str | None,
) -> Document:
    """What another server lets one read.

    Args:
        definitions: in force.
        run: runs an action.
        key: `upstream` (the servers), `upstream/NAME` (resources and prompts of one), `upstream/NAME/URI`,
            `upstream/NAME/prompts/PROMPT`; a prompt that takes arguments is asked for by its action.
        query, limit, cursor: as for `contextdata.read`, of lists.

    Raises:
        UnknownName: no such server, or it offers no such thing. NotReadable: it may not be read now.
        ActionError: the server did not answer properly.
    """
    servers = definitions.settings.upstreams
    name, _, rest = key.lstrip("/").partition("/")[2].partition("/")
    if not name:
        items = [{"id": each, **_about(definitions, each)} for each in servers]
        return {"key": key, "items": items[:limit], "total": len(items), "cursor": None}
    if name not in servers:
        raise UnknownName("upstream", name, servers)
    prompts = [
        action.removeprefix(f"{name}.") for action in definitions.actions if action.startswith(f"{name}.{PROMPT}")
    ]
    if rest.rstrip("/") in ("", PROMPTS):
        lists_resources = not rest.rstrip("/") and f"{name}.{LIST}" in definitions.actions
        return _list(definitions, run, key, name, prompts, query, cursor, lists_resources)
    asked = {"uri": rest}
    action = f"{name}.{READ}"
    if rest.startswith(f"{PROMPTS}/"):
        action, asked = f"{name}.{PROMPT}{rest.removeprefix(f'{PROMPTS}/')}", {}
    if action not in definitions.actions:
        hint = "It offers nothing to read, or was not asked yet: llmgenie upstream refresh."
        known = [prompt.removeprefix(PROMPT) for prompt in prompts]
        kind = f"prompt of {name}" if PROMPT in action else f"resource of {name}"
        raise UnknownName(
            kind, rest.removeprefix(f"{PROMPTS}/"), known if PROMPT in action else (), hint="" if known else hint
        )
    return {"key": key, "value": _told(run(action, asked))}


def _list(
    definitions: Definitions,
    run: Callable[[str, Document], Outcome],
    key: str,
    name: str,
    prompts: list[str],
    query: str | None,
    cursor: str | None,
    lists_resources: bool,
) -> Document:
    lines: list[Document] = []
    for prompt in prompts:
        offer = definitions.actions[f"{name}.{prompt}"]
        lines.append({"prompt": prompt.removeprefix(PROMPT), "description": offer.description, "params": offer.usage})
    if query:
        words = query.lower().split()
        lines = [line for line in lines if all(word in " ".join(line.values()).lower() for word in words)]
    answer: Document = {"key": key, "items": [] if cursor else lines, "total": len(lines), "cursor": None}
    if lists_resources:
        params = {"query": query, "cursor": cursor}
        told = _told(run(f"{name}.{LIST}", {k: v for k, v in params.items() if v}))
        found: Any = told.get("data") or {}
        answer["items"] += found.get("resources", [])
        answer |= {"total": len(lines) + found.get("total", 0), "cursor": found.get("cursor")}
    return answer


def _about(definitions: Definitions, name: str) -> Document:
    found = {
        action.removeprefix(f"{name}."): offer for action, offer in definitions.actions.items() if offer.group == name
    }
    offers = list(found)
    prompts = [offer.removeprefix(PROMPT) for offer in offers if offer.startswith(PROMPT)]
    told = {
        "description": definitions.settings.upstreams[name].description,
        "tools": sum(":" not in offer for offer in offers),
        "waiting": sum(bool(offer.waits) for offer in found.values()),
        "resources": READ in offers,
        "prompts": prompts,
    }
    return {k: v for k, v in told.items() if v not in ("", [], False, 0)}


def _told(outcome: Outcome) -> Document:
    """What an action answered. Raises NotReadable, ActionError."""
    if outcome.ok:
        return {k: v for k, v in outcome.result.items() if k not in ("upstream", "tool")}
    if outcome.error is not None:
        raise ActionError(outcome.error["message"], outcome.error["hint"])
    first = outcome.reasons[0]
    hint = f"Next: {first.fix['action']}." if first.fix and "action" in first.fix else ""
    raise NotReadable(first.message, hint, reasons=[reason.to_dict() for reason in outcome.reasons])
