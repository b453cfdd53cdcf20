"""What one edit has put into a text, in a form that can be kept as JSON, looked for, and taken out of it again.

A record is {"kind": "member", "keys", "value", "made", "before", "weak"}, {"kind": "items", "keys", "mark", "items", "made",
"before"}, {"kind": "block", "comment", "text", "lead", "before"}, {"kind": "whole"} or {"kind": "moved", "aside"}. `made`
counts the objects and arrays on the way that were made too; `before` is what stood there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from llmgenie_mcp.edits import blocks, jsonc

Undo: TypeAlias = Mapping[str, Any]
Presence: TypeAlias = Literal["there", "changed", "missing"]


def identity(record: Undo) -> tuple[object, ...]:
    """The same for two records that speak of the same place in the text."""
    return (record["kind"], *record.get("keys", ()), record.get("mark"), *record.get("comment", ()))


def merged(older: Iterable[Undo], newer: Iterable[Undo]) -> list[dict[str, Any]]:
    """The records of two runs: the first one knows what stood there before, the last one what stands there now."""
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for record in (*older, *newer):
        first = found.get(identity(record), {})
        found[identity(record)] = {**record, **{k: first[k] for k in ("made", "before", "lead", "aside") if k in first}}
    return list(found.values())


def take_out(text: str, records: Iterable[Undo]) -> str:
    """`text` without what the records put in, everything else as it is.

    Raises:
        jsonc.JsoncError, blocks.BlockError: the text was changed so that it cannot be read.
    """
    for record in reversed(list(records)):
        match record["kind"]:
            case "member":
                text = _take_out_member(text, record)
            case "items" if record["before"]:
                text = jsonc.set_items(text, record["keys"], record["before"], record["mark"])
            case "items":
                text = jsonc.remove_items(text, record["keys"], record["mark"], record["made"])
            case "block":
                text = blocks.take_out(text, record["comment"], record["lead"], record["before"])
    return text


def look_for(text: str, record: Undo) -> Presence:
    """Whether what the record put in is still in `text`. Raises as `take_out`."""
    match record["kind"]:
        case "member":
            written = jsonc.source(text, record["keys"])
            if written is None:
                return "missing"
            return "there" if jsonc.same(jsonc.parse(written), record["value"]) else "changed"
        case "items":
            value = jsonc.source(text, record["keys"])
            items = jsonc.parse(value) if value is not None else []
            ours = [item for item in items if jsonc.marked(item, record["mark"])] if isinstance(items, list) else []
            return "there" if jsonc.same(ours, record["items"]) else "changed" if ours else "missing"
        case "block":
            block = blocks.get(text, record["comment"])
            return (
                "missing" if block is None else "there" if record["text"] in block.replace("\r\n", "\n") else "changed"
            )
    return "changed"


def theirs(text: str, records: Sequence[Undo], *, made: bool) -> str | None:
    """What is other people's in `text`: without what the records put in; None where nothing is left of a file that we made.

    Args:
        text: of a file that people changed since.
        records: what was put in.
        made: whether the file is one that we made. Then members of which it only needs some value (`weak`, such as the
            version of a format) stay with what people added.

    Raises:
        jsonc.JsoncError, blocks.BlockError: the text was changed so that it cannot be read.
    """
    rest = take_out(text, records)
    if not made:
        return rest
    if rest.strip("\ufeff \t\r\n") in {"", "{}", "#!/bin/sh"}:
        return None
    return take_out(text, [record for record in records if not record.get("weak")])


def _take_out_member(text: str, record: Undo) -> str:
    keys = record["keys"]
    if record["before"] is None:
        return jsonc.remove_member(text, keys, record["made"])
    return jsonc.set_source(text, keys, record["before"]) if jsonc.source(text, keys) is not None else text
