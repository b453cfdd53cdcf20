"""Entity tags and preconditions of context data (RFC 9110, sections 8.8 and 13.1).

A document's tag is its version: what If-Match says is what `expected_version` says over MCP. A list's is weak: it is the
number of the last line of the log, and so changes with every commit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import BadParams, Conflict, UnknownName, shorten

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.outcome import Document

TAG = re.compile(r'(W/)?"([^"]*)"')
LONGEST = 1000
"""Characters of a header with tags."""


def of_answer(answer: Document, seq: int) -> str | None:
    """The entity tag of an answer of `Engine.context_data`; None for a document that has no version.

    Args:
        answer: the answer.
        seq: the last line of the log before it was read.
    """
    if "items" in answer:
        return f'W/"{seq}"'
    value = answer["value"]
    if not isinstance(value, dict):
        return None
    version = value.get("version", value.get("seq"))
    if version is None:
        return None
    # A roadmap item's progress is counted from tasks and changes without it.
    progress = value.get("progress")
    counted = f"-{progress['done']}of{progress['total']}" if isinstance(progress, dict) else ""
    return f'"{version}{counted}"'


def unchanged(tag: str | None, if_none_match: str | None) -> bool:
    """Whether the caller has what `tag` names already; the comparison is the weak one."""
    if tag is None or if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    own = TAG.fullmatch(tag)
    return own is not None and own[2] in (opaque for _, opaque in TAG.findall(if_none_match[:LONGEST]))


def expected(
    engine: Engine, key: str, in_body: int | None, if_match: str | None, if_none_match: str | None
) -> int | None:
    """The version that a write may replace; None: any.

    Args:
        engine: the project's.
        key: what is to be written.
        in_body: `expected_version` of the body.
        if_match: `"VERSION"`, several of them, or `*` for any that is there.
        if_none_match: `*`: it must be new.

    Raises:
        Conflict: no version can fit. BadParams: the header is none, or says another thing than the body.
    """
    asked = in_body
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise BadParams(
                f"If-None-Match is {shorten(if_none_match)!r}.", "A write knows If-None-Match: * (it is new)."
            )
        asked = _same(asked, 0)
    if if_match is None:
        return asked
    if if_match.strip() == "*":
        _present(engine, key)
        return asked
    tags = TAG.findall(if_match[:LONGEST])
    if not tags:
        raise BadParams(f"If-Match is {shorten(if_match)!r}.", 'Hand back the ETag that you read, such as "3", or *.')
    # If-Match compares strongly: a weak tag fits nothing.
    versions = [int(found[1]) for weak, tag in tags if not weak and (found := re.fullmatch(r"(\d{1,15})(-.*)?", tag))]
    if len(versions) == 1:
        return _same(asked, versions[0])
    version = _present(engine, key)
    if version in versions:
        return _same(asked, version)
    raise Conflict(f"{shorten(key)} is at version {version}, not at {shorten(if_match)}.", "Read it again.")


def _present(engine: Engine, key: str) -> int:
    """The version of the document that is there. Raises Conflict when none is."""
    try:
        value: Any = engine.context_data(key).get("value")
    except UnknownName:
        value = None
    if not isinstance(value, dict):
        raise Conflict(
            f"There is no document {shorten(key)}.", "If-Match is for what is there; leave it out for a new one."
        )
    return int(value.get("version", 0))


def _same(in_body: int | None, in_header: int) -> int:
    if in_body not in (None, in_header):
        hint = "Say it once."
        raise BadParams(f"The body expects version {in_body}, the header version {in_header}.", hint)
    return in_header
