"""Answers as data: what is open, what state things are in. Concise, because a model pays for every word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from llmgenie_mcp.errors import StorageError
from llmgenie_mcp.outcome import Document

if TYPE_CHECKING:
    from llmgenie_mcp.engine.definitions import Definitions
    from llmgenie_mcp.engine.judge import Judgement
    from llmgenie_mcp.plugins import Action
    from llmgenie_mcp.project import Project

_WORDS = re.compile(r"[a-z0-9]+")
HYPOTHETICAL = "(new)"
"""The id of an instance that a question supposes; no call can name it."""
EFFECTS = ("allow", "ask", "deny", "fault")


def action_line(action: Action, judgement: Judgement) -> Document:
    """One available action: name, description, parameters in short, and what it will depend on."""
    line: Document = {"name": action.name, "description": action.description, "params": action.usage}
    if judgement.step:
        line["leads_to"] = f"{judgement.step.instance}: {judgement.step.source} → {judgement.step.target}"
    if judgement.conditions:
        line["if"] = list(judgement.conditions)
    return {k: v for k, v in line.items() if v != ""}


def blocked_line(action: Action, judgement: Judgement, reasons: int = 2) -> Document:
    """One blocked action with its first reasons."""
    shown = []
    for refusal in judgement.refusals[:reasons]:
        short: Document = {"code": refusal.code, "rule": refusal.rule, "message": refusal.message}
        if refusal.fix:
            params = {name: value for name, value in refusal.fix["params"].items() if value != HYPOTHETICAL}
            short["fix"] = {**refusal.fix, "params": params}
        elif refusal.next:
            short["next"] = refusal.next
        shown.append(short)
    more = len(judgement.refusals) - len(shown)
    return {"name": action.name, "reasons": shown, **({"more_reasons": more} if more else {})}


def rank(action: Action, query: str) -> int:
    """How well an action fits the words of `query`; 0 when none occurs. A whole word of its name counts most."""
    score, name, parts = 0, action.name.lower(), _WORDS.findall(action.name.lower())
    for word in query.lower().replace("_", " ").split():
        stem = word[:-1] if len(word) > 3 and word.endswith("s") else word
        if len(stem) > 2 or stem in parts:
            score += 2 * (stem in parts or f"{stem}s" in parts) + 3 * (stem in name)
            score += stem in action.description.lower()
    return score


def enforced(definitions: Definitions) -> list[Document]:
    """What `enforcement` tells of each policy."""
    return [
        {
            "name": name,
            "version": entry.value.version,
            "level": entry.value.level,
            "origin": entry.origin,
            "actions": list(entry.value.applies_to.actions),
            "rules": len(entry.value.rules),
        }
        for name, entry in definitions.catalog.policies.items()
    ]


def enforcement(policies: Sequence[Document], known: Iterable[str], trusted: bool, project: Project) -> Document:
    """Which policies are in force, at which points they are enforced, and what keeps that from being complete.

    Args:
        policies: as `enforced` tells them.
        known: what people should know about the definitions and the store, a sentence each.
        trusted: whether a person accepted the project's own definitions.
        project: the project, and the folder it is looked at from.

    Returns:
        {"policies": […], "installed": [file, …], "points": {name: {last, allow, ask, deny, fault, rules: {rule: count}}},
        "trusted", "notes"}; `last` is when a point spoke last, in UTC, and the others are counts.
    """
    from llmgenie_mcp.engine import tally

    notes = [*known]
    store = project.store
    installed = _installed(project, notes)
    if not installed:
        notes.append("Nothing is installed that stops an agent past the server: llmgenie init.")
    spoken = {
        name: {"last": said["last"], **{effect: said.get(effect, 0) for effect in EFFECTS}, "rules": said["rules"]}
        for name, said in sorted(tally.summary(store).items())
    }
    return {
        "policies": [*policies],
        "installed": installed,
        "points": spoken,
        "trusted": trusted,
        "notes": notes,
    }


def _installed(project: Project, notes: list[str]) -> list[str]:
    """The files that `init` wrote outside the store, as they are named from the project.

    In a linked worktree those that hold there: an agent reads the files of the folder that it is opened in, and git the
    hooks that all worktrees share.
    """
    from llmgenie_mcp.edits import ledger

    store = project.store.resolve()
    try:
        known = ledger.load(store)
    except StorageError as error:
        notes.append(error.message)
        return []
    written = [path for path in known.entries if store not in path.parents]
    root, main = project.root.resolve(), store.parent
    if root == main:
        return sorted(map(known.name, written))
    here = {path.relative_to(root).as_posix() for path in written if path.is_relative_to(root)}
    elsewhere = []
    for path in (path for path in written if path.is_relative_to(main) and not path.is_relative_to(root)):
        name = known.name(path)
        if name.startswith(".git/") or (root / name).exists():
            here.add(name)
        else:
            elsewhere.append(name)
    if missing := sorted({*elsewhere} - here):
        notes.append(
            f"{', '.join(missing)}: only in the main checkout {main}, and an agent that is opened in {root} reads those of "
            f"this worktree: llmgenie init --project {root}."
        )
    return sorted(here)
