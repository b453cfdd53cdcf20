"""What a model said last of the change on the branch, by `review_diff`. It is evidence, never an approval."""

from __future__ import annotations

from typing import Any

from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.plugins import signal
from llmgenie_mcp.records import Document

TABLE = "opinions"


@signal(
    "opinion",
    {
        "last.verdict": "approve, request_changes or comment (about this commit, if there is one); null before the first.",
        "last.commit": "The commit it is about.",
        "last.at": "When it was given, UTC.",
        "last.findings": "What was found: a list of {file, line, severity, message}; severity is error, warning or note.",
        "last.model": "The model's name in the settings.",
        "last.base": "The branch that the change was compared with.",
    },
    outside=False,
)
def read(field: str, situation: Situation) -> Any:
    """One fact about the last opinion that counts; before the first all is null."""
    found = last_opinion(situation)
    key = "created_at" if field == "last.at" else field.removeprefix("last.")
    return None if found is None else found.get(key)


def last_opinion(situation: Situation) -> Document | None:
    """The opinion that counts: of this commit where there is one, as with `tests.last`.

    Of each model the last one counts, and one that does not approve goes before those that do. Opinions for which the asker
    chose another base, or another model, than the project's own are no evidence.
    """
    newest = next(situation.reader.each(TABLE, {"counts": True}, newest_first=True), None)
    head = situation.fact("git.subject_head") if newest else None
    about = situation.reader.all(TABLE, {"counts": True, "commit": head}) if isinstance(head, str) else []
    here = sorted(about, key=lambda opinion: str(opinion["created_at"]))
    if not here:
        return newest
    latest = list({opinion["model"]: opinion for opinion in here}.values())
    against = [opinion for opinion in latest if opinion["verdict"] != "approve"]
    return (against or sorted(latest, key=here.index))[-1]
