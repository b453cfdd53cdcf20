"""Who may call the REST face: tokens with a name and a role, made by `llmgenie token create`.

They lie in the user's state folder, as trust does: no repository, and no agent that may write to a project, can bring one
along. A container may be given one more, in a file. Of a token only its SHA-256 is kept. That is enough, and a slow hash
would gain nothing: a token is 256 random bits and no password that somebody chose.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from llmgenie_mcp import trust
from llmgenie_mcp.errors import LlmgenieError, UnknownName, UsageError, shorten
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import now

Role: TypeAlias = Literal["reader", "agent", "human", "admin"]
ROLES: tuple[str, ...] = get_args(Role)
"""From the least to the most: each may do what those before it may."""
NEEDS_PERSON = ("human", "admin")
"""Roles whose tokens only a person makes: they answer what waits for a person."""
PREFIX = "lgt"
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
LONGEST = 200
"""Characters of a token at most; longer ones are not looked at."""
USED_EVERY = timedelta(minutes=1)
"""So often at most is it written down when a token was used last."""


FILE, FILE_ROLE = "LLMGENIE_TOKEN_FILE", "LLMGENIE_TOKEN_ROLE"
"""Variables that name a file with one more token, and its role: for containers, whose state folder is empty at first."""
FROM_FILE = "token-file"
"""The name of that token."""
SHORTEST = 32
"""Characters of a token that somebody else made, at least."""
_GIVEN = re.compile(r"[!-~]+")


class TokensUnreadable(LlmgenieError):
    """The file of tokens is there and cannot be read: nobody is let in by it, and nobody without a token either."""

    code = "tokens_unreadable"


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without what makes it one.

    Attributes:
        name: as its maker calls it, such as `ci`.
        role: reader, agent, human or admin.
        sha256: of the whole token, in hexadecimal digits.
        created_at, expires_at: in UTC, as the store writes times; `expires_at` is None for one that stays good.
        last_used: about when it was used last; None: never.
    """

    name: str
    role: str
    sha256: str
    created_at: str
    expires_at: str | None = None
    last_used: str | None = None

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and datetime.fromisoformat(self.expires_at) <= datetime.now(UTC)

    def shown(self) -> dict[str, Any]:
        """What people may see of it."""
        return {name: value for name, value in asdict(self).items() if name != "sha256"} | {"expired": self.expired}


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a project.

    Attributes:
        all: every one, by name.
        readable: False when there is a file that cannot be read.
    """

    all: Mapping[str, Token]
    readable: bool = True

    @property
    def any(self) -> bool:
        """Whether a token is needed: one was made, even if it has expired, or nobody can tell."""
        return bool(self.all) or not self.readable

    def find(self, bearer: str) -> Token | None:
        """The token that `bearer` is, if it is good now. Compares with every one, in constant time."""
        if len(bearer) > LONGEST or not bearer.isascii():
            return None
        digest, found = _digest(bearer), None
        for token in self.all.values():
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found if found is not None and not found.expired else None

    def holds(self, token: Token | None) -> bool:
        """Whether who was let in with `token`, or with none, would be let in now."""
        if token is None:
            return not self.any
        known = self.all.get(token.name)
        return known is not None and (known.sha256, known.role) == (token.sha256, token.role) and not known.expired


NONE = Tokens({})


class Book:
    """The tokens of a project as they are now: its file is looked at each time, and read when it changed.

    Args:
        store: the project's.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._file = path(store)
        self._mark: object = ()
        self._tokens = NONE
        self._noted: dict[str, datetime] = {}

    @property
    def now(self) -> Tokens:
        """One system call when nothing changed."""
        given = os.environ.get(FILE)
        mark = _mark(self._file), given and _mark(Path(given)), os.environ.get(FILE_ROLE)
        if mark != self._mark:
            self._tokens, self._mark = load(self._store), mark
        return self._tokens

    def used(self, token: Token) -> None:
        """Write down that a token was used, once a minute at most; a folder that cannot be written costs that alone."""
        at = datetime.now(UTC)
        if (last := self._noted.get(token.sha256)) is None or at - last >= USED_EVERY:
            self._noted[token.sha256] = at
            with contextlib.suppress(OSError):
                known = {mark: when for mark, when in _uses(self._store).items() if mark in _marks(self._tokens)}
                _write(_uses_file(self._store), {**known, token.sha256: now()}, durable=False)


def path(store: Path) -> Path:
    """The file that holds the tokens of `store`."""
    return trust.state_folder() / "tokens" / f"{trust.record(store).name}.json"


def load(store: Path) -> Tokens:
    """The tokens of `store` and that of the file, by name. What cannot be read gives none, and `readable` is False."""
    kept = _kept(store)
    try:
        given = from_file()
    except UsageError:
        return Tokens({}, readable=False)
    return kept if given is None or not kept.readable else Tokens({**kept.all, given.name: given})


def from_file() -> Token | None:
    """The token in the file that `LLMGENIE_TOKEN_FILE` names; None when none is named.

    A file, and no variable: what a server runs inherits its environment. No person is asked for it, so it speaks for none.

    Raises:
        UsageError: the file cannot be read, or holds no token; the role is none, or one that a person has to give.
    """
    place = os.environ.get(FILE)
    if not place:
        return None
    role = os.environ.get(FILE_ROLE) or "agent"
    if role not in ROLES or role in NEEDS_PERSON:
        hint = (
            "It is agent (the default) or reader. One that speaks for a person: llmgenie token create NAME --role human"
        )
        raise UsageError(f"{FILE_ROLE} is {shorten(role)!r}, which no token from a file has.", hint)
    hint = f"Put one into it: openssl rand -hex 32 > FILE; or leave {FILE} out."
    try:
        with Path(place).open("rb") as stream:
            found = stream.read(LONGEST + 2).decode("ascii", "replace").strip()
        made = datetime.fromtimestamp(Path(place).stat().st_mtime, UTC)
    except OSError as error:
        raise UsageError(f"{FILE} names {shorten(place)}, which cannot be read: {error.strerror}.", hint) from error
    if not SHORTEST <= len(found) <= LONGEST or not _GIVEN.fullmatch(found):
        wanted = f"one word of {SHORTEST} to {LONGEST} ASCII characters"
        raise UsageError(f"{shorten(place)} holds no token: that is {wanted}.", hint)
    return Token(FROM_FILE, role, _digest(found), made.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def _kept(store: Path) -> Tokens:
    """The tokens that were made here."""
    try:
        found = json.loads(path(store).read_text(encoding="utf-8"))
        tokens = [_token(one) for one in found["tokens"]]
    except FileNotFoundError:
        return NONE
    except (OSError, ValueError, TypeError, KeyError):
        return Tokens({}, readable=False)
    uses = _uses(store)
    return Tokens({token.name: replace(token, last_used=uses.get(token.sha256)) for token in tokens})


def create(store: Path, name: str, role: str, lasts: timedelta | None = None) -> tuple[Token, str]:
    """Make a token. Who may make one of which role is for the face to ask.

    Args:
        store: the project's.
        name: lower-case letters, digits and `-`; what is done with it is logged under this name.
        role: one of `ROLES`.
        lasts: after which it is good no more; None: it stays good.

    Returns:
        What is kept, and the token itself, which is not.

    Raises:
        UsageError: name or role cannot be, or the name is taken. TokensUnreadable.
    """
    if not NAME.fullmatch(name):
        hint = "Use lower-case letters, digits and -, beginning with a letter, 40 characters at most."
        raise UsageError(f"{shorten(name)!r} is no name for a token.", hint)
    if name == FROM_FILE:
        raise UsageError(f"{name} is the name of the token that {FILE} gives.", "Take another name.")
    if role not in ROLES:
        raise UsageError(f"{shorten(role)!r} is no role.", f"Roles are {', '.join(ROLES)}.")
    secret = f"{PREFIX}_{name}_{secrets.token_urlsafe(32)}"
    ends = None if lasts is None else (datetime.now(UTC) + lasts).isoformat(timespec="seconds").replace("+00:00", "Z")
    token = Token(name, role, _digest(secret), now(), ends)
    with _held(store) as tokens:
        if name in tokens:
            hint = f"Take another name, or end the old one first: llmgenie token revoke {name}"
            raise UsageError(f"There is a token {name} already, of role {tokens[name].role}.", hint)
        _save(store, {**tokens, name: token})
    return token, secret


def revoke(store: Path, name: str) -> Token:
    """End a token; a running server heeds it at its next request.

    Raises:
        UnknownName: there is none of that name. TokensUnreadable.
    """
    with _held(store) as tokens:
        if name not in tokens:
            raise UnknownName("token", name, tokens)
        _save(store, {other: token for other, token in tokens.items() if other != name})
        return tokens[name]


def unreadable(store: Path) -> TokensUnreadable:
    """The error for a file of tokens that cannot be read."""
    file = path(store)
    hint = "Until it is mended or removed, the REST face lets nobody in. Removing it ends every token of the project."
    return TokensUnreadable(f"{file} cannot be read as the tokens of this project.", hint, file=str(file))


@contextlib.contextmanager
def _held(store: Path) -> Iterator[dict[str, Token]]:
    """The tokens, while nobody else changes them."""
    file = path(store)
    for folder in (trust.state_folder(), file.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.with_suffix(".lock").open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tokens = _kept(store)
        if not tokens.readable:
            raise unreadable(store)
        yield dict(tokens.all)


def _save(store: Path, tokens: Mapping[str, Token]) -> None:
    kept = [{k: v for k, v in asdict(token).items() if k != "last_used"} for token in tokens.values()]
    _write(path(store), {"store": str(store.resolve()), "tokens": kept})


def _write(file: Path, document: Mapping[str, Any], *, durable: bool = True) -> None:
    """Replace a file as a whole, for its user alone; `durable` waits for the disk."""
    handle, fresh = tempfile.mkstemp(dir=file.parent, prefix="tokens-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=1)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        Path(fresh).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(fresh).unlink()
        raise


def _token(found: Mapping[str, Any]) -> Token:
    """A token as it was kept; raises ValueError, TypeError or KeyError for anything else."""
    ends = found["expires_at"]
    token = Token(str(found["name"]), str(found["role"]), str(found["sha256"]), str(found["created_at"]), ends)
    if token.role not in ROLES or not re.fullmatch("[0-9a-f]{64}", token.sha256):
        raise ValueError(token.name)
    if ends is not None and datetime.fromisoformat(ends).tzinfo is None:
        raise ValueError(ends)
    return token


def _digest(bearer: str) -> str:
    return hashlib.sha256(bearer.encode()).hexdigest()


def _marks(tokens: Tokens) -> frozenset[str]:
    return frozenset(token.sha256 for token in tokens.all.values())


def _uses_file(store: Path) -> Path:
    # A file of its own: a server never writes the one that says who may call.
    return path(store).with_suffix(".used")


def _uses(store: Path) -> dict[str, str]:
    try:
        found = json.loads(_uses_file(store).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(mark): str(when) for mark, when in found.items()} if isinstance(found, dict) else {}


def _mark(file: Path) -> object:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
