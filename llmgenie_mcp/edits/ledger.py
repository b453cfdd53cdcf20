"""Writes planned changes, and remembers what was there: so that all of it can be taken back.

`installed.json` in the store names every file that was written, with the SHA-256 of everything that was ever written there
and what to take out of it; `installed/` holds the files as they were before. Both are on the disk before the first file is
touched: whatever moment a crash comes, `restore` finds its way back. The first original of a file wins over later runs,
unless a person changed the file in between: then it is the file as that person would have it without our entries.

The ledger carries a seal of its user's key (`trust.seal`): one that came with a repository would have files of any place
overwritten when a person takes everything back.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import trust
from llmgenie_mcp.edits import files, undo
from llmgenie_mcp.edits.files import Held
from llmgenie_mcp.errors import Conflict, StorageDamaged
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.storage.disk import refusal

if TYPE_CHECKING:
    from llmgenie_mcp.edits.plan import Change

FILE, ORIGINALS = "installed.json", "installed"
FORMAT = 1


@dataclass(slots=True)
class Entry:
    """What is known of one file.

    Attributes:
        original: what was there before; None where there was nothing.
        written: SHA-256 of all that was written there, oldest first.
        undo: what was put in, see `undo`.
    """

    original: Held | None
    written: list[str] = field(default_factory=list)
    undo: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Ledger:
    """All that was written for a project.

    Attributes:
        store: the project's `.llmgenie` folder; names of files are kept relative to the folder it is in.
        entries: by absolute path, in the order in which they were first written.
        folders: that were made, the outermost first.
    """

    store: Path
    entries: dict[Path, Entry] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)

    def name(self, path: Path) -> str:
        """`path` as it is kept and shown: relative to the project where it is inside."""
        base = self.store.parent
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def load(store: Path) -> Ledger:
    """What is remembered in `store`; an empty ledger where nothing is.

    Raises:
        StorageDamaged: the file is there and is not what `apply` writes.
        StorageError: it cannot be read.
    """
    store = Path(os.path.realpath(store))  # links in a ring raise nothing here: reading tells
    path, ledger = store / FILE, Ledger(store)
    try:
        data = json.loads(path.read_bytes())
        if data["format"] != FORMAT:
            raise StorageDamaged(
                f"{path} is of format {data['format']}; this version reads {FORMAT}.", "Update llmgenie."
            )
        if not trust.is_sealed(_sealed(data), data.get("seal")):
            raise StorageDamaged(
                f"{path} was not written by llmgenie for you on this machine.",
                "Nothing was changed. If it came with a repository, delete it; if it is yours, from another machine or an "
                "earlier version, take out by hand what names llmgenie, and delete it.",
            )
        ledger.folders = [store.parent / name for name in data["folders"]]
        for name, kept in data["files"].items():
            original = _kept(store, kept["original"]) if kept["original"] else None
            ledger.entries[store.parent / name] = Entry(original, list(kept["written"]), list(kept["undo"]))
    except FileNotFoundError as error:
        if Path(str(error.filename)) != path:
            raise _damaged(path, error) from error
    except OSError as error:
        raise refusal(error, path, "read") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error
    return ledger


def _damaged(path: Path, error: Exception) -> StorageDamaged:
    return StorageDamaged(
        f"{path} is damaged: {type(error).__name__} {error}.",
        f"Nothing was changed. Put it back from a backup; without it, take out by hand what names llmgenie, and delete {path}.",
    )


def _kept(store: Path, kept: dict[str, Any]) -> Held:
    data = (store / ORIGINALS / kept["sha256"]).read_bytes()
    held = Held(data, kept["mode"], link=kept["link"])
    if held.sha256 != kept["sha256"]:
        raise ValueError(f"{ORIGINALS}/{kept['sha256']} is not what it was")
    return held


def written(store: Path) -> dict[Path, frozenset[str]]:
    """SHA-256 of everything written to each file, for `plan`. Raises as `load`."""
    return {path: frozenset(entry.written) for path, entry in load(store).entries.items()}


def apply(store: Path, changes: Sequence[Change]) -> list[str]:
    """Write `changes`, those with a problem left out; returns the names of the files written.

    All of them or none: when one fails, those before it are put back. A crash in between leaves what `restore` takes back.

    Raises:
        Conflict: a file is no longer as it was planned for. Nothing was written.
        StorageError: a file cannot be written; nothing is changed.
    """
    wanted = [change for change in changes if change.after is not None and change.problem is None]
    if not wanted:
        return []
    store = Path(os.path.realpath(store))  # links in a ring raise nothing here: reading tells
    with _refusals(store):
        store.mkdir(exist_ok=True)
    with alone(store):
        old, ledger = load(store), load(store)
        # A folder with nothing in it, or with what a crash left before there was a ledger, is one that we made.
        fresh = all(path.name == ORIGINALS or path.suffix == files.SUFFIX for path in store.iterdir())
        found = {change.place: _unchanged(change) for change in wanted}
        ledger.folders += [store] if fresh and store not in ledger.folders else []
        for change in wanted:
            _enter(ledger, change, found[change.place])
        with _refusals(store / FILE):
            save(ledger)
        _write_all(ledger, old, wanted, found)
        return [ledger.name(change.place) for change in wanted]


def _unchanged(change: Change) -> Held | None:
    with _refusals(change.place):
        found = files.look(change.place)
    if (found.data if found else None) != change.before:
        raise Conflict(f"{change.path} was changed while it was planned for. Nothing was written.", "Run it again.")
    return found


def _enter(ledger: Ledger, change: Change, found: Held | None) -> None:
    """Remember in `ledger` what `change` is going to do."""
    entry = ledger.entries.get(change.place)
    if entry is None:
        entry = ledger.entries[change.place] = Entry(found)
    elif found is not None and found.sha256 not in entry.written:
        entry.original = _as_theirs(entry, found)
    after = _after(change, found)
    entry.written = [sha for sha in entry.written if sha != after.sha256] + [after.sha256]
    entry.undo = undo.merged(entry.undo, change.undo)
    ledger.folders += [folder for folder in files.missing_folders(change.place) if folder not in ledger.folders]


def _as_theirs(entry: Entry, found: Held) -> Held | None:
    """A file that a person changed since we wrote it, as it would be without our entries."""
    if found.link or (entry.original is not None and found.data == entry.original.data):
        return found
    try:
        rest = undo.theirs(_text(found.data), entry.undo, made=entry.original is None)
    except ValueError:
        return found
    return None if rest is None else Held(_bytes(rest), found.mode)


def _after(change: Change, found: Held | None) -> Held:
    mode = change.mode if change.mode is not None or change.link else found.mode if found else None
    return Held(change.after or b"", mode, link=change.link)


def _write_all(ledger: Ledger, old: Ledger, wanted: Sequence[Change], found: dict[Path, Held | None]) -> None:
    done: list[Path] = []
    try:
        for change in wanted:
            with _refusals(change.place):
                change.place.parent.mkdir(parents=True, exist_ok=True)
                done.append(change.place)
                files.write(change.place, _after(change, found[change.place]))
    except BaseException:
        with suppress(OSError):
            for place in reversed(done):
                _put_back(place, found[place])
            save(old)
            remove_folders([folder for folder in ledger.folders if folder not in old.folders])
        raise


def _put_back(place: Path, held: Held | None) -> None:
    if held is None:
        files.remove(place)
    elif files.look(place) != held:
        files.write(place, held)


def save(ledger: Ledger) -> None:
    """Write the ledger, the originals first; without entries both go."""
    store = ledger.store
    kept = {entry.original.sha256: entry.original for entry in ledger.entries.values() if entry.original}
    if not ledger.entries:
        files.remove(store / FILE)
    else:
        (store / ORIGINALS).mkdir(exist_ok=True)
        for sha, held in kept.items():
            if not (store / ORIGINALS / sha).exists():
                files.write(store / ORIGINALS / sha, Held(held.data, 0o600))
        files.write(store / FILE, Held(_document(ledger), 0o600))
    for path in (store / ORIGINALS).glob("*"):  # after the ledger: what it names must be there whenever it is read
        if path.name not in kept:
            path.unlink()
    if not kept:
        with suppress(OSError):
            (store / ORIGINALS).rmdir()
    files.temporary(store / FILE).unlink(missing_ok=True)


def _document(ledger: Ledger) -> bytes:
    rows = {
        ledger.name(path): {
            "original": entry.original
            and {"sha256": entry.original.sha256, "mode": entry.original.mode, "link": entry.original.link},
            "written": entry.written,
            "undo": entry.undo,
        }
        for path, entry in ledger.entries.items()
    }
    document = {"format": FORMAT, "folders": [ledger.name(folder) for folder in ledger.folders], "files": rows}
    document["seal"] = trust.seal(_sealed(document))
    return (json.dumps(document, indent=1) + "\n").encode()


def _sealed(document: dict[str, Any]) -> dict[str, Any]:
    """What the seal is of."""
    return {"installed": {name: value for name, value in document.items() if name != "seal"}}


def remove_folders(folders: Sequence[Path]) -> None:
    """Remove those of `folders` that are empty, the innermost first."""
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):
            folder.rmdir()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refusal(error, path, "write") from error


@contextmanager
def alone(store: Path) -> Iterator[None]:
    """One at a time: the store's folder is locked, which leaves no file behind."""
    fd = os.open(store, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


__all__ = ["Entry", "Ledger", "alone", "apply", "load", "remove_folders", "save", "written"]
