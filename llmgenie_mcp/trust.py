"""What a person has said about a project's own definitions.

Commands named in a project's `.llmgenie/` run, and its policies replace packaged ones, only after a person said
`llmgenie trust`: a repository that was just cloned runs nothing. What was trusted is a hash of those files, kept in the
user's state folder, outside every project, so that no repository can bring its own trust along.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

STATE_ENVIRONMENT = "LLMGENIE_STATE_DIR"
_PARTS = ("llmgenie.yaml", "workflows", "policies", "actions", "triggers")


def definition_files(store: Path) -> list[Path]:
    """The files of `store` whose content is subject to trust, sorted. Left out are settings that are all comments,
    and what editors leave behind: a file that somebody only looks at would silence triggers and commands.
    """
    files: list[Path] = []
    for part in _PARTS:
        place = store / part
        if place.is_file():
            files.append(place)
        elif place.is_dir():
            files.extend(path for path in sorted(place.rglob("*")) if path.is_file() and not _is_left_over(path.name))
    return files[1:] if files and files[0] == store / _PARTS[0] and _is_silent(files[0]) else files


def _is_left_over(name: str) -> bool:
    """Whether an editor keeps this beside a file while it is open; nothing loads files of such names."""
    return name.startswith(".") or name.endswith("~") or (name.startswith("#") and name.endswith("#"))


def _is_silent(path: Path) -> bool:
    """Whether a YAML file has nothing but comments: settings as `init` writes them define nothing yet."""
    return all(line.strip()[:1] in (b"", b"#") for line in path.read_bytes().splitlines())


def fingerprint(store: Path) -> str:
    """SHA-256 over names and contents of the definition files; empty when there are none."""
    files = definition_files(store)
    if not files:
        return ""
    digest = hashlib.sha256()
    for path in files:
        name, data = path.relative_to(store).as_posix().encode(), path.read_bytes()
        digest.update(len(name).to_bytes(4) + name + len(data).to_bytes(8) + data)
    return digest.hexdigest()


def is_trusted(store: Path) -> bool:
    """Whether a person accepted the definitions as they are now; True when there are none."""
    mark = fingerprint(store)
    if not mark:
        return True
    try:
        return record(store).read_text(encoding="utf-8").split("\n", 1)[0] == mark
    except (OSError, UnicodeDecodeError):
        return False


def trust(store: Path) -> str:
    """Remember the definitions of `store` as accepted; returns their fingerprint. Only a face that saw a person calls it."""
    import tempfile

    mark = fingerprint(store)
    place = record(store)
    for folder in (state_folder(), place.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix="trust-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{mark}\n{store.resolve()}\n")
        Path(temporary).replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    return mark


def distrust(store: Path) -> None:
    """Forget that `store` was trusted."""
    record(store).unlink(missing_ok=True)


def record(store: Path) -> Path:
    """The file that holds what was accepted for `store`: one a store, so that two people never write the same one."""
    return _record(state_folder(), store)


@cache
def _record(state: Path, store: Path) -> Path:
    return state / "trusted" / _name(store)


@cache
def _name(store: Path) -> str:
    # Not where the store itself may lead: a clone whose `.llmgenie` is a link to a trusted one brings no trust along.
    return hashlib.sha256(os.fsencode(store.parent.resolve() / store.name)).hexdigest()[:32]


def seal(facts: Mapping[str, object]) -> str:
    """HMAC-SHA256 over `facts` with this user's own key: no repository and no edited log can bring a seal along."""
    import hmac

    text = json.dumps(facts, sort_keys=True, ensure_ascii=True).encode()
    return hmac.new(_key(), text, hashlib.sha256).hexdigest()


def is_sealed(facts: Mapping[str, object], mark: object) -> bool:
    """Whether `mark` is the seal of `facts` by this user."""
    import hmac

    return isinstance(mark, str) and mark.isascii() and hmac.compare_digest(seal(facts), mark)


def _key() -> bytes:
    path = state_folder() / "approval.key"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    import secrets
    import tempfile

    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix="approval-")
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(fresh, path)
    Path(fresh).unlink()
    return path.read_bytes()


def state_folder() -> Path:
    """The user's state folder for llmgenie; `LLMGENIE_STATE_DIR` names another."""
    return _named_folder(named) if (named := os.environ.get(STATE_ENVIRONMENT)) else _default_folder()


@cache
def _named_folder(named: str) -> Path:
    return Path(named)


@cache
def _default_folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("llmgenie")
