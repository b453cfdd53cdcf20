"""Edits of JSON with comments that leave everything else in the text as it is, byte for byte.

Written here because nothing packaged does it: json-five 1.1.2 (of 2024) keeps comments when it reads and writes, but silently
drops a member that is added to its model, and jsonc-edit 0.2.1 needs Node.js.

New entries take the style around them: the line ends, the indentation, or everything in one line. An entry that was put in
and is taken out again leaves the text that was there before, except where there was no value at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from llmgenie_mcp.edits.jsontext import Entry, JsoncError, Node, Tree, read

_BLANKS = " \t\r\n"
_NEWLINE = re.compile(r"\r\n|\n|\r")


def parse(text: str) -> Any:
    """The value of `text`; {} where it holds none, as an empty file does. Raises JsoncError."""
    root = read(text).root
    return {} if root is None else root.value()


def reach(text: str, keys: Sequence[str]) -> int:
    """How many of `keys`, from the first on, are there. Raises JsoncError."""
    return max(0, len(list(read(text).find(tuple(keys)))) - 1)


def source(text: str, keys: Sequence[str]) -> str | None:
    """The value at `keys` as it is written; None where there is none. Raises JsoncError."""
    nodes = list(read(text).find(tuple(keys)))
    return text[nodes[-1].start : nodes[-1].end] if len(nodes) == len(keys) + 1 else None


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; the order of members does not count, and true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def marked(item: Any, mark: str) -> bool:
    """Whether `mark` is in the compact JSON of `item`, as it is or as JSON escapes it."""
    written = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    return mark in written or json.dumps(mark, ensure_ascii=False)[1:-1] in written


def set_member(text: str, keys: Sequence[str], value: Any) -> str:
    """`text` with the member at `keys` set to `value`; the objects on the way are made where they are missing.

    Raises:
        JsoncError: the text is not JSON with comments, or what stands on the way is no object.
    """
    tree, nodes = _way(text, keys, "object")
    if len(nodes) == len(keys) + 1:
        node = nodes[-1]
        return text if same(node.value(), value) else _replace(tree, node, value)
    return _put(tree, nodes, keys, value)


def set_source(text: str, keys: Sequence[str], written: str) -> str:
    """`text` with the value of the member at `keys`, which must be there, written as `written`. Raises JsoncError, KeyError."""
    node = _node(text, keys)
    return text[: node.start] + written + text[node.end :]


def add_item(text: str, keys: Sequence[str], item: Any, mark: str) -> str:
    """`text` with `item` in the array at `keys`: in place of the one that has `mark`, else at the end. See `set_items`."""
    return set_items(text, keys, [item], mark)


def set_items(text: str, keys: Sequence[str], items: Sequence[Any], mark: str) -> str:
    """`text` where `items` are the ones in the array at `keys` that have `mark`.

    Those that are there are replaced in their places, missing ones are appended, and those too many taken out.

    Args:
        text: JSON with comments.
        keys: the way to the array; it and the objects that lead to it are made where missing.
        items: in order.
        mark: see `marked`.

    Raises:
        JsoncError: the text is not JSON with comments, or what is there is of another kind.
    """
    for number, item in enumerate(items):
        tree, nodes = _way(text, keys, "array")
        if len(nodes) <= len(keys):
            text = _put(tree, nodes, keys, [item])
            continue
        ours = _ours(nodes[-1], mark)
        if number >= len(ours):
            text = _insert(tree, nodes[-1], None, item)
        elif not same(ours[number].node.value(), item):
            text = _replace(tree, ours[number].node, item)
    while True:
        tree, nodes = _way(text, keys, "array")
        ours = _ours(nodes[-1], mark) if len(nodes) > len(keys) else []
        if len(ours) <= len(items):
            return text
        text = _cut(tree, nodes[-1], ours[-1])


def remove_member(text: str, keys: Sequence[str], made: int = 0) -> str:
    """`text` without the member at `keys`; unchanged where there is none.

    Args:
        text: JSON with comments.
        keys: the way to the member.
        made: so many of the objects that lead to it go too where they are left without entries and comments.

    Raises:
        JsoncError: the text is not JSON with comments.
    """
    tree = read(text)
    nodes = list(tree.find(tuple(keys)))
    if len(nodes) <= len(keys):
        return text
    return _cut_with_parents(tree, nodes[:-1], _entry(nodes[-2], nodes[-1]), made)


def remove_items(text: str, keys: Sequence[str], mark: str, made: int = 0) -> str:
    """`text` without the items that have `mark` in the array at `keys`. See `remove_member`."""
    while True:
        tree = read(text)
        nodes = list(tree.find(tuple(keys)))
        ours = _ours(nodes[-1], mark) if len(nodes) > len(keys) else []
        if not ours:
            return text
        text = _cut_with_parents(tree, nodes, ours[-1], made)


def _way(text: str, keys: Sequence[str], last: str) -> tuple[Tree, list[Node]]:
    """The nodes along `keys`; all but the last are objects, and the last one is of kind `last` where it is an array."""
    tree = read(text)
    nodes = list(tree.find(tuple(keys)))
    for depth, node in enumerate(nodes):
        wanted = "object" if depth < len(keys) else last
        if node.kind != wanted and not (wanted == "object" and depth == len(keys)):
            name = " → ".join(keys[:depth]) or "The file"
            raise tree.error(node.start, f"{name} is {_kind(node)} here; an {wanted} belongs here.")
    return tree, nodes


def _kind(node: Node) -> str:
    return {"object": "an object", "array": "an array"}.get(node.kind, "a single value")


def _node(text: str, keys: Sequence[str]) -> Node:
    nodes = list(read(text).find(tuple(keys)))
    if len(nodes) <= len(keys):
        raise KeyError(keys)
    return nodes[-1]


def _entry(parent: Node, node: Node) -> Entry:
    return next(entry for entry in parent.entries if entry.node is node)


def _ours(array: Node, mark: str) -> list[Entry]:
    return [entry for entry in array.entries if marked(entry.node.value(), mark)] if array.kind == "array" else []


def _put(tree: Tree, nodes: list[Node], keys: Sequence[str], value: Any) -> str:
    """Insert `value` below the deepest of `nodes`, in the objects that are still missing on the way along `keys`."""
    missing = keys[max(0, len(nodes) - 1) :]
    for key in reversed(missing[1:] if nodes else missing):
        value = {key: value}
    if nodes:
        return _insert(tree, nodes[-1], missing[0], value)
    newline = _newline(tree.text)
    kept = tree.text.rstrip(_BLANKS) if tree.comments else tree.text[: tree.text.startswith("\ufeff")]
    return f"{kept}{newline if tree.comments else ''}{_written(value, '  ', newline)}{newline}"


def _replace(tree: Tree, node: Node, value: Any) -> str:
    text = tree.text
    lines = "\n" in text[node.start : node.end] or "\r" in text[node.start : node.end]
    spread = lines or (node.kind == "scalar" and _own_line(text, node.start))
    written = (
        _written(value, _unit(tree), _newline(text), _indentation(text, node.start)) if spread else _inline(tree, value)
    )
    return text[: node.start] + written + text[node.end :]


def _insert(tree: Tree, parent: Node, key: str | None, value: Any) -> str:
    """Insert an entry as the last one of `parent`."""
    if not parent.entries:
        return _insert_first(tree, parent, key, value)
    text, last = tree.text, parent.entries[-1]
    blank = text[len(text[: last.start].rstrip(_BLANKS)) : last.start]
    at, line_comment = _after_comments(tree, last.node.end if last.comma is None else last.comma + 1)
    if _NEWLINE.search(blank) or line_comment:
        between = _newline(text) + _indentation(text, last.start)
    elif len(parent.entries) > 1:
        between = blank
    else:
        between = " " if " " in _between_tokens(tree) else ""
    spread = "\n" in between or "\r" in between or "\n" in text[last.node.start : last.node.end]
    entry = between + _entry_text(tree, key, value, _indentation(text, last.start), spread=spread)
    if last.comma is not None:
        return f"{text[:at]}{entry},{text[at:]}"
    return f"{text[: last.node.end]},{text[last.node.end : at]}{entry}{text[at:]}"


def _insert_first(tree: Tree, parent: Node, key: str | None, value: Any) -> str:
    text, newline = tree.text, _newline(tree.text)
    inside = [span for span in tree.comments if parent.start < span[0] < parent.end]
    at = inside[-1][1] if inside else parent.start + 1
    rest, close = text[at : parent.end - 1], _indentation(text, parent.start)
    one_line = not _NEWLINE.search(text.strip("\ufeff" + _BLANKS)) and parent is not tree.root
    if inside:
        spread, child = bool(_NEWLINE.search(rest)), _indentation(text, inside[-1][0])
        child = child if _own_line(text, inside[-1][0]) else close + _unit(tree)
        before, after = (newline + child if spread else " "), ""
    elif one_line:
        spread, child, before, after = False, "", "", ""
    else:
        # What is put behind the entry tells `_cut` which of the two it was: nothing, or an empty line, between the braces.
        spread, child = True, close + _unit(tree)
        before, after = newline + child, (newline if rest.startswith(newline) else newline + close)
    return text[:at] + before + _entry_text(tree, key, value, child, spread=spread) + after + text[at:]


def _cut_with_parents(tree: Tree, parents: list[Node], entry: Entry, made: int) -> str:
    """Take out `entry` of the last of `parents`; of these so many as `made`, from the last on, where nothing else is in them."""
    while (
        made > 0 and len(parents) > 1 and len(parents[-1].entries) == 1 and not _has_comments(tree, parents[-1], entry)
    ):
        entry, made = _entry(parents[-2], parents[-1]), made - 1
        parents = parents[:-1]
    return _cut(tree, parents[-1], entry)


def _has_comments(tree: Tree, parent: Node, entry: Entry) -> bool:
    spans = (span for span in tree.comments if parent.start < span[0] < parent.end)
    return any(not entry.start < span[0] < entry.node.end for span in spans)


def _cut(tree: Tree, parent: Node, entry: Entry) -> str:
    """The inverse of `_insert`."""
    text, index = tree.text, parent.entries.index(entry)
    start = len(text[: entry.start].rstrip(_BLANKS))
    end, comma = entry.node.end, entry.comma
    last = index == len(parent.entries) - 1
    if len(parent.entries) == 1 and start == parent.start + 1 and start < entry.start and comma is None:
        newline, close = _newline(text), _indentation(text, parent.start)
        rest = text[end : parent.end - 1]
        end += len(newline) if rest.startswith(newline * 2) else len(newline + close) * rest.startswith(newline + close)
    follows = text[end:comma] + text[comma + 1 :] if comma is not None else text[end:]
    if any(span[1] == start and text.startswith("//", span[0]) for span in tree.comments) and not _NEWLINE.match(
        follows
    ):
        follows = text[start : entry.start] + follows  # else the comment would swallow what follows
    if index == 0 and start == entry.start and comma == end:
        follows = follows.lstrip(" \t")
    head = text[:start]
    before = parent.entries[index - 1].comma if index else None
    if last and comma is None and before is not None:
        head = head[:before] + head[before + 1 :]
    return head + follows


def _after_comments(tree: Tree, at: int) -> tuple[int, bool]:
    """The end of the comments that follow on the same line, and whether the last one goes to the end of its line."""
    line_comment = False
    for start, end in tree.comments:
        if start >= at:
            if tree.text[at:start].strip(" \t"):
                break
            at, line_comment = end, tree.text.startswith("//", start)
    return at, line_comment


def _entry_text(tree: Tree, key: str | None, value: Any, indentation: str, *, spread: bool) -> str:
    written = _written(value, _unit(tree), _newline(tree.text), indentation) if spread else _inline(tree, value)
    if key is None:
        return written
    colon = ": " if spread or " " in _between_tokens(tree) else ":"
    return f"{_dump(key)}{colon}{written}"


def _written(value: Any, unit: str, newline: str, indentation: str = "") -> str:
    return _dump(value, indent=unit).replace("\n", newline + indentation)


def _inline(tree: Tree, value: Any) -> str:
    return _dump(value, separators=(", ", ": ") if " " in _between_tokens(tree) else (",", ":"))


def _dump(value: Any, **options: Any) -> str:
    written = json.dumps(value, ensure_ascii=False, **options)
    try:
        written.encode()
    except UnicodeEncodeError:  # a lone surrogate, as in a path that is not UTF-8, has no form but the escape
        return json.dumps(value, **options)
    return written


def _between_tokens(tree: Tree) -> str:
    """The blanks after the first colons and commas of the text: " " among them tells that it is not minified."""
    found = re.findall(r'"(?:[^"\\]|\\.)*"\s*:([ \t]?)', tree.text[:20_000])
    return " " if " " in found or "\t" in found or not found else ""


def _newline(text: str) -> str:
    found = _NEWLINE.search(text)
    return found[0] if found else "\n"


def _own_line(text: str, position: int) -> bool:
    """Whether nothing but blanks stands before `position` on its line, or the name of the member whose value begins there."""
    line = text[_line_start(text, position) : position].strip(" \t\ufeff")
    return not line or re.fullmatch(r'"(?:[^"\\]|\\.)*"\s*:', line) is not None


def _indentation(text: str, position: int) -> str:
    start = _line_start(text, position)
    line = text[start:position]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _line_start(text: str, position: int) -> int:
    return max(text.rfind("\n", 0, position), text.rfind("\r", 0, position)) + 1


def _unit(tree: Tree) -> str:
    """What one level is indented by: as the first entry on a line of its own is; else two spaces."""
    nodes = [tree.root] if tree.root else []
    while nodes:
        node = nodes.pop(0)
        base = _indentation(tree.text, node.start)
        for entry in node.entries:
            if _line_start(tree.text, entry.start) > node.start:
                deeper = _indentation(tree.text, entry.start)
                if len(deeper) > len(base) and deeper.startswith(base):
                    return deeper[len(base) :]
            nodes.append(entry.node)
    return "  "


__all__ = [
    "JsoncError", "add_item", "marked", "parse", "reach", "remove_items", "remove_member", "same", "set_items", "set_member",
    "set_source", "source",
]  # fmt: skip
