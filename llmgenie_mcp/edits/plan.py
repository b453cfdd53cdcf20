"""From edits to changes: what each file will hold, for people to see before anything is written.

Planning only reads. A plan that was applied leaves nothing to change in the next one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from llmgenie_mcp.edits import AddItem, Block, Edit, SetMember, WholeFile, blocks, files, jsonc
from llmgenie_mcp.edits.undo import Undo
from llmgenie_mcp.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one file.

    Attributes:
        path: the file for people: relative to the root it was planned for, else absolute.
        place: the file itself, absolute, with symbolic links followed.
        before: its bytes now; None where there is no such file.
        after: its bytes then; None where there is a problem.
        lines: what is added or set, a line each, for people.
        problem: why nothing can be done here and what to do about it; such a change is not applied.
        mode: permission bits it is to have; None: those it has, or the usual ones.
        link: whether `after` is the target of a symbolic link instead.
        undo: what was put in, for taking only that out again (see `undo`).
    """

    path: str
    place: Path
    before: bytes | None
    after: bytes | None
    lines: tuple[str, ...] = ()
    problem: str | None = None
    mode: int | None = None
    link: bool = False
    undo: tuple[Undo, ...] = ()

    def diff(self) -> str:
        """A unified diff of it; bytes that are not UTF-8 are shown as escapes, a carriage return as ^M."""
        if self.after is None:
            return ""
        old, new = (_shown(data) for data in (self.before, self.after))
        names = "/dev/null" if self.before is None else f"a/{self.path}", f"b/{self.path}"
        return "".join(difflib.unified_diff(old, new, *names))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A text on its way through the edits of its file."""

    path: str
    text: str | None
    mode: int | None = None
    written: frozenset[str] = frozenset()
    original: files.Held | None = None
    lines: tuple[str, ...] = ()
    undo: tuple[Undo, ...] = ()

    def with_(self, text: str, line: str, undo: Undo) -> _Draft:
        return replace(self, text=text, lines=(*self.lines, line), undo=(*self.undo, undo))


class _ProblemError(Exception):
    """Nothing can be done with this file; the text says why, for people."""


def plan(root: Path, edits: Iterable[Edit], written: Mapping[Path, frozenset[str]] | None = None) -> list[Change]:
    """What `edits` change in the files below `root`, in the order in which files are first named.

    Args:
        root: the folder to which the paths of the edits are relative.
        edits: those of one file are made one after the other.
        written: SHA-256 of what was written to files before (see `ledger.written`): such whole files may be replaced.

    Returns:
        a change for every file that is not yet as it should be, and for every one with a problem.
    """
    top = root.resolve()
    groups: dict[Path, tuple[str, list[Edit]]] = {}
    changes: list[Change] = []
    for edit in edits:
        try:
            place = _place(top, edit.path)
        except _ProblemError as problem:
            changes.append(Change(edit.path, top / edit.path, None, None, problem=str(problem)))
        else:
            mine = groups.setdefault(place, (edit.path, []))[1]
            mine += [] if edit in mine else [edit]  # agents share files, and say the same about them
    for place, (path, mine) in groups.items():
        change = _change(place, path, mine, (written or {}).get(place, frozenset()))
        changes += [change] if change else []
    return changes


def _place(top: Path, path: str) -> Path:
    if path.startswith(("/", "~")) or ".." in Path(path).parts:
        raise _ProblemError(f"{path} leads out of the project; only files inside are changed.")
    try:
        place = (top / path).resolve()
    except (OSError, RuntimeError) as error:
        raise _ProblemError(f"{path} is a symbolic link that leads nowhere: {error}. Mend or delete it.") from None
    if not place.is_relative_to(top):
        raise _ProblemError(f"{path} is a symbolic link out of the project, to {place}; nothing is written there.")
    above = next((folder for folder in place.parents if folder.exists()), top)
    if not above.is_dir():
        raise _ProblemError(f"{above} is a file where a folder is needed for {path}. Move it away.")
    return place


def _change(place: Path, path: str, edits: Sequence[Edit], written: frozenset[str]) -> Change | None:
    try:
        found = files.look(place)
    except OSError as error:
        said = f"{path} cannot be read: {error.strerror or error}. Nothing is written there."
        return Change(path, place, None, None, problem=said)
    before = found.data if found else None
    try:
        draft = _Draft(path, None if before is None else _text(path, before), written=written, original=found)
        for edit in _grouped(edits):
            draft = _made(draft, edit)
    except _ProblemError as problem:
        return Change(path, place, before, None, problem=str(problem))
    except jsonc.JsoncError as error:
        return Change(path, place, before, None, problem=f"{path}:{error}")
    except blocks.BlockError as error:
        return Change(path, place, before, None, problem=f"{path}:{error}")
    after = None if draft.text is None else draft.text.encode("utf-8", "surrogateescape")
    if after is None or (after == before and draft.mode in {None, found.mode if found else None}):
        return None
    return Change(path, place, before, after, draft.lines, mode=draft.mode, undo=draft.undo)


def _text(path: str, data: bytes) -> str:
    if b"\0" in data:
        raise _ProblemError(f"{path} is no UTF-8 text: it holds zero bytes. Save it as UTF-8.")
    return data.decode("utf-8", "surrogateescape")


def _grouped(edits: Sequence[Edit]) -> list[Edit | list[AddItem]]:
    """Items for the same array that have the same mark belong together: each has a place of its own there."""
    groups: dict[object, list[AddItem]] = {}
    steps: list[Edit | list[AddItem]] = []
    for edit in edits:
        if not isinstance(edit, AddItem):
            steps.append(edit)
            continue
        key = (edit.keys, edit.mark)
        if key not in groups:
            groups[key] = []
            steps.append(groups[key])
        if not any(jsonc.same(edit.item, other.item) for other in groups[key]):
            groups[key].append(edit)
    return steps


def _made(draft: _Draft, edit: Edit | list[AddItem]) -> _Draft:
    match edit:
        case SetMember():
            return _with_member(draft, edit)
        case Block():
            return _with_block(draft, edit)
        case WholeFile():
            return _with_whole(draft, edit)
        case list() as items:
            return _with_items(draft, items)
    raise TypeError(f"{edit!r} is no edit")


def _with_member(draft: _Draft, edit: SetMember) -> _Draft:
    text, keys = _json(draft), edit.keys
    before = jsonc.source(text, keys)
    if before is not None and (edit.weak or jsonc.same(jsonc.parse(before), edit.value)):
        return draft
    made = len(keys) - 1 - jsonc.reach(text, keys) if before is None else 0
    record = {
        "kind": "member",
        "keys": list(keys),
        "value": edit.value,
        "made": made,
        "before": before,
        "weak": edit.weak,
    }
    verb = "adds" if before is None else "replaces"
    return draft.with_(jsonc.set_member(text, keys, edit.value), f"{verb} {'.'.join(keys)}", record)


def _with_items(draft: _Draft, edits: list[AddItem]) -> _Draft:
    text, keys, mark = _json(draft), edits[0].keys, edits[0].mark
    items = [edit.item for edit in edits]
    for item in items:
        if not jsonc.marked(item, mark):
            raise ValueError(f"an item for {draft.path} lacks its own mark {mark!r}: {item!r}")
    after = jsonc.set_items(text, keys, items, mark)
    if after == text:
        return draft
    found = jsonc.source(text, keys)
    before = [] if found is None else [item for item in jsonc.parse(found) if jsonc.marked(item, mark)]
    made = len(keys) - jsonc.reach(text, keys)
    record = {"kind": "items", "keys": list(keys), "mark": mark, "items": items, "made": made, "before": before}
    verb = "replaces in" if before else "adds to"
    return draft.with_(after, f"{verb} {'.'.join(keys)}", record)


def _with_block(draft: _Draft, edit: Block) -> _Draft:
    text = draft.text or ""
    before = blocks.get(text, edit.comment)
    after, lead = blocks.put(text, edit.text, edit.comment, at=0 if edit.first else None)
    if after == text:
        return draft
    record = {
        "kind": "block",
        "comment": list(edit.comment),
        "text": edit.text.strip("\n"),
        "lead": lead,
        "before": before,
    }
    count = edit.text.strip("\n").count("\n") + 1
    verb = "adds" if before is None else "replaces"
    return draft.with_(after, f"{verb} a marked block of {count} line{'s' * (count != 1)}", record)


def _with_whole(draft: _Draft, edit: WholeFile) -> _Draft:
    found = draft.original
    if found is None:
        mode = files.usual_executable_mode() if edit.executable else None
        count = edit.text.count("\n")
        return replace(draft, mode=mode).with_(edit.text, f"{count} line{'s' * (count != 1)}", {"kind": "whole"})
    same = draft.text == edit.text
    if edit.keep or (same and not edit.executable):
        return draft
    mode = files.executable(found.mode or 0) if edit.executable else None
    if same:
        return replace(draft, mode=mode, lines=() if mode == found.mode else ("may be run",), undo=({"kind": "whole"},))
    if found.sha256 in draft.written:
        return replace(draft, mode=mode).with_(edit.text, "replaced by a newer one", {"kind": "whole"})
    raise _ProblemError(
        f"{draft.path} is there, and not as `llmgenie init` wrote it; it is left as it is. "
        "Move it away and run `llmgenie init` again to have the one of llmgenie."
    )


def _json(draft: _Draft) -> str:
    text = draft.text or ""
    for number, line in enumerate(text.split("\n"), 1):
        try:
            line.encode()
        except UnicodeEncodeError as error:
            raise _ProblemError(
                f"{draft.path}:{number}:{error.start + 1}: This is no UTF-8. Save the file as UTF-8."
            ) from None
    return text


def _shown(data: bytes | None) -> list[str]:
    lines = (data or b"").decode("utf-8", "backslashreplace").split("\n")
    shown = [line.replace("\r", "^M") + "\n" for line in lines]
    last = shown.pop()
    return shown if last == "\n" else [*shown, f"{last}\\ No newline at end of file\n"]


__all__ = ["Change", "plan"]
