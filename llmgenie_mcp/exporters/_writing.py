"""Putting an export where it is wanted, without taking anything away that is not its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import ActionError, UsageError
from llmgenie_mcp.exchange import Ledger, digests
from llmgenie_mcp.exporters._content import Exported, Format
from llmgenie_mcp.outcome import Actor, Outcome
from llmgenie_mcp.storage.disk import replace_file

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine

NAME = "export_tasks"
MOST_NAMED = 10


def put(engine: Engine, form: Format, made: Exported, output: Path, *, force: bool, actor: Actor) -> Outcome:
    """Write the files; see `exporters.export_to`."""
    target = Path(os.path.realpath(output))  # links in a ring raise nothing here: writing tells
    files = _placed(form, made, target)
    ledger = Ledger(engine.project.store)
    known = ledger.find(target).get("files") or {}
    gone = [name for name in known if name not in files]
    if (refusal := _refused(engine, target, [*files, *gone], actor)) is not None:
        return refusal
    _check(target, files, known, force=force)
    fields = {key: digests(value) for key, value in made.fields.items()}
    changed = [name for name, data in files.items() if _bytes(target, name) != data]
    removed = [name for name in gone if (there := _bytes(target, name)) is not None and _sha(there) == known[name]]
    try:
        for name in changed:
            path = _path(target, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, files[name], temporary=path.with_name(f".{path.name[:100]}.llmgenie-new"))
        for name in removed:
            _path(target, name).unlink(missing_ok=True)
        ledger.note(target, form.name, files, fields=fields, ids=made.ids)
    except OSError as error:
        raise ActionError(
            f"{output} cannot be written: {error.strerror}.", "Choose another place, or make room."
        ) from None
    result = {"files": changed, "removed": removed, "unchanged": len(files) - len(changed)}
    return Outcome("ok", NAME, result)


def _placed(form: Format, made: Exported, target: Path) -> dict[str, bytes]:
    """The files by their name below `target`; the empty name is `target` itself."""
    if form.folder:
        if target.exists() and not target.is_dir():
            raise UsageError(f"{target} is a file, and {form.name} is a folder of files.", "Name a folder.")
        return made.files
    name, data = next(iter(made.files.items()))
    return {name: data} if target.is_dir() else {"": data}


def _path(target: Path, name: str) -> Path:
    return target / name if name else target


def _bytes(target: Path, name: str) -> bytes | None:
    """What is there now; None when nothing is."""
    path = _path(target, name)
    if path.is_symlink():
        raise UsageError(f"{path} is a link.", "An export does not write through links; remove it.")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except (NotADirectoryError, IsADirectoryError):
        raise UsageError(
            f"{path} cannot be written: a folder or file is in the way.", "Choose another place."
        ) from None
    except OSError as error:
        raise ActionError(f"{path} cannot be read: {error.strerror}.", "Choose another place.") from None


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check(target: Path, files: Mapping[str, bytes], known: Mapping[str, Any], *, force: bool) -> None:
    """Raises UsageError when a file is there that no export wrote, or that was changed since."""
    if force:
        return
    foreign = []
    for name, data in files.items():
        there = _bytes(target, name)
        if there is not None and there != data and known.get(name) != _sha(there):
            foreign.append(str(_path(target, name)))
    if foreign:
        more = f" and {len(foreign) - MOST_NAMED} more" if len(foreign) > MOST_NAMED else ""
        raise UsageError(
            f"Not written by an export, or changed since: {', '.join(foreign[:MOST_NAMED])}{more}.",
            "Bring changes in with llmgenie import, choose another place, or overwrite with --force.",
            files=foreign[:100],
        )


def _refused(engine: Engine, target: Path, names: list[str], actor: Actor) -> Outcome | None:
    """The refusal, when a policy is against writing a file there."""
    from llmgenie_mcp.engine.judge import refusal_of

    for name in names:
        decision = engine.enforce(None, "file.write", {"path": str(_path(target, name))}, actor=actor)
        if not decision.allowed:
            return Outcome("denied", NAME, reasons=tuple(map(refusal_of, decision.reasons)))
    return None
