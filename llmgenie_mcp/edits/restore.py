"""Takes back what `ledger.apply` wrote, and says what is still there of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from llmgenie_mcp.edits import files, ledger, undo
from llmgenie_mcp.edits.files import Held
from llmgenie_mcp.edits.ledger import Entry, Ledger
from llmgenie_mcp.errors import StorageError
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.storage.disk import refusal

KEEPS_DATA_OUT_OF_GIT = ".gitignore"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one file.

    Attributes:
        path: relative to the project, or absolute.
        what: restored: byte for byte as it was; removed: we had made it; taken_out: people changed it since, and only our
            entries are gone; unchanged: nothing of ours was in it; left: it stays as it is; failed: see `message`.
        message: for people, where there is something to say.
    """

    path: str
    what: Literal["restored", "removed", "taken_out", "unchanged", "left", "failed"]
    message: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One place where something was installed.

    Attributes:
        path: relative to the project, or absolute.
        what: the entry in it, such as `mcpServers.llmgenie`; the whole file where it is empty.
        state: there: as it was written; changed: there and different; missing: gone.
    """

    path: str
    what: str
    state: undo.Presence


def restore(store: Path) -> list[Taken]:
    """Take back everything that was written for the project of `store`; a report for each file, the last written first.

    What fails stays remembered, so that it can be tried again. Where nothing is remembered, what a crash may have left of
    the memory itself is cleared away.

    Raises:
        StorageDamaged: the ledger cannot be read. Nothing was changed.
    """
    if not store.is_dir():
        return []
    store = store.resolve()
    with ledger.alone(store):
        known = ledger.load(store)
        report: list[Taken] = []
        needed: dict[Path, str] = {}
        for path, entry in reversed(list(known.entries.items())):
            taken = (
                _take_back(known, path, entry) if path not in needed else Taken(known.name(path), "left", needed[path])
            )
            report.append(taken)
            if taken.what not in {"restored", "unchanged"} or not path.exists():
                needed |= {path.with_name(name): f"{path.name} may still run it" for name in _asides(entry)}
            if taken.what != "failed":
                del known.entries[path]
        crashed = not (store / ledger.FILE).exists()
        ledger.remove_folders(known.folders)  # while they are still remembered; the store itself comes last
        try:
            ledger.save(known)
        except OSError as error:
            raise refusal(error, store / ledger.FILE, "write") from error
        ledger.remove_folders([store] if crashed else known.folders)
    return report


def status(store: Path) -> list[Point]:
    """What of all that was written is there now, in the order in which it was written. Raises StorageError."""
    if not store.is_dir():
        return []
    known = ledger.load(store)
    return [point for path, entry in known.entries.items() for point in _points(known, path, entry)]


def _take_back(known: Ledger, path: Path, entry: Entry) -> Taken:
    name = known.name(path)
    try:
        files.temporary(path).unlink(missing_ok=True)
        return _taken_back(known, name, path, entry)
    except NotADirectoryError:
        return Taken(name, "unchanged", "its folder is gone")
    except OSError as error:
        return Taken(name, "failed", f"{error.strerror or error}; nothing was changed. Mend that and run it again.")
    except ValueError as error:  # JsoncError, BlockError
        return Taken(
            name, "failed", f"{name}:{error} Mend that, or take out by hand what names llmgenie, and run it again."
        )


def _taken_back(known: Ledger, name: str, path: Path, entry: Entry) -> Taken:
    found = files.look(path)
    if found is None:
        return Taken(name, "unchanged", "" if entry.original is None else "it is gone, and stays so")
    if found == entry.original:
        return Taken(name, "unchanged")
    if found.sha256 not in entry.written:
        return _without_ours(name, path, entry, found)
    if path == known.store / KEEPS_DATA_OUT_OF_GIT and _has_data(known):
        return Taken(name, "left", "it keeps the data that stays in this folder out of git")
    original = _moved_aside(known, path, entry) or entry.original
    if original is None:
        files.remove(path)
        return Taken(name, "removed")
    files.write(path, original)
    return Taken(name, "restored")


def _moved_aside(known: Ledger, path: Path, entry: Entry) -> Held | None:
    """The file that was moved out of the way for ours, when it was changed there since; it is no longer there then."""
    for aside in map(path.with_name, _asides(entry)):
        moved = files.look(aside)
        if moved is not None and moved.sha256 not in known.entries.get(aside, Entry(None)).written:
            files.write(path, moved)
            files.remove(aside)
            return moved
    return None


def _asides(entry: Entry) -> list[str]:
    return [record["aside"] for record in entry.undo if record["kind"] == "moved"]


def _without_ours(name: str, path: Path, entry: Entry, found: Held) -> Taken:
    """A file that people changed since: only what we put in goes."""
    if found.link or any(record["kind"] == "whole" for record in entry.undo):
        return Taken(name, "left", "it was changed since; delete it by hand when it is of no use")
    text = found.data.decode("utf-8", "surrogateescape")
    rest = undo.theirs(text, entry.undo, made=entry.original is None)
    if rest is None:
        files.remove(path)
        return Taken(name, "removed")
    if rest == text:
        return Taken(name, "unchanged", "nothing of llmgenie is in it any more")
    files.write(path, Held(rest.encode("utf-8", "surrogateescape"), found.mode))
    return Taken(name, "taken_out", "it was changed since; only the entries of llmgenie are gone")


def _has_data(known: Ledger) -> bool:
    """Whether something is in the store that `init` did not write."""
    ours = {*known.entries, *known.folders, known.store / ledger.FILE, known.store / ledger.ORIGINALS}
    return any(path not in ours and path.suffix != files.SUFFIX for path in known.store.iterdir())


def _points(known: Ledger, path: Path, entry: Entry) -> list[Point]:
    name = known.name(path)
    try:
        found = files.look(path)
    except OSError:
        return [Point(name, "", "changed")]
    text = found.data.decode("utf-8", "surrogateescape") if found else ""
    points = []
    for record in (record for record in entry.undo if record["kind"] != "moved"):
        state: undo.Presence = "missing" if found is None else "changed"
        if found and found.sha256 == entry.written[-1]:
            state = "there"
        elif found and record["kind"] != "whole":
            with suppress(ValueError):
                state = undo.look_for(text, record)
        points.append(Point(name, _title(record), state))
    return points


def _title(record: Mapping[str, Any]) -> str:
    keys = ".".join(record.get("keys", ()))
    return keys or {"block": "the marked block"}.get(record["kind"], "")


__all__ = ["Point", "StorageError", "Taken", "restore", "status"]
