"""Every exception that llmgenie raises, in one tree.

    LlmgenieError
    ├── UsageError                  the caller asked for something that cannot be
    │   ├── UnknownName             no action, policy, workflow, key, session … of that name
    │   ├── BadParams               parameters that do not fit the action's schema
    │   ├── NotWritable             a context key that only the engine may write
    │   └── NotReadable             a context key of another server that may not be read now
    ├── DefinitionError             a workflow, policy or settings file is wrong (file:line:column)
    │   └── ExpressionError         an expression does not parse or names something undeclared
    ├── ProjectError                no usable project folder
    ├── ActionError                 an action was allowed, ran, and could not do its work
    └── StorageError                the store cannot be read or written
        ├── Conflict                expected_version did not match: somebody wrote in between
        ├── StorageBusy             another process held the lock for too long
        ├── StorageFull             no space left, or a file size limit
        ├── StorageReadOnly         the folder or the file system cannot be written
        └── StorageDamaged          a line or file was changed or torn where it must not be

A refusal by a workflow or a policy is not an exception: it is an Outcome (data).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import ClassVar

COMPARED = 1_000
"""A name that is not known is compared with so many."""


class LlmgenieError(Exception):
    """Base of all errors: what went wrong and what to do next.

    Attributes:
        code: stable machine-readable name, the same over MCP, REST and the CLI.
        message: one sentence saying what was wrong, with the offending value.
        hint: what is allowed or what to do next; may be empty.
        details: further machine-readable facts (JSON-compatible).
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, hint: str = "", **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def to_dict(self) -> dict[str, object]:
        """The error as the JSON object that every face shows."""
        return {"code": self.code, "message": self.message, "hint": self.hint, **self.details}


class UsageError(LlmgenieError):
    """The caller asked for something that cannot be."""

    code = "usage"


class UnknownName(UsageError):
    """There is nothing of that kind with that name.

    Args:
        kind: what was looked for, as a word for people: "action", "policy", "session" …
        name: the name that was not found.
        known: the names that exist; the nearest are offered.
        hint: replaces the generated hint.
        fix: an action that makes one, {action, params}.
    """

    code = "unknown_name"

    def __init__(
        self,
        kind: str,
        name: str,
        known: Iterable[str] = (),
        hint: str = "",
        fix: Mapping[str, object] | None = None,
    ) -> None:
        names = sorted(known)
        from difflib import get_close_matches  # most commands meet no unknown name

        near = get_close_matches(name, _around(name, names), n=3, cutoff=0.5)
        if not hint:
            if near:
                hint = f"Did you mean {' or '.join(near)}?"
            elif names:
                shown = ", ".join(names[:30])
                hint = f"Known: {shown}{' …' if len(names) > 30 else ''}."
            else:
                hint = f"There is no {kind} yet."
        more = {"known": names[:30]} if names and not near else {}
        helps = {"fix": dict(fix)} if fix else {}
        super().__init__(
            f"Unknown {kind} {shorten(name)!r}.", hint, kind=kind, name=shorten(name), near=near, **more, **helps
        )


def _around(name: str, names: list[str]) -> list[str]:
    """Those of many sorted names that stand nearest: to compare a hundred thousand would take seconds."""
    first = max(0, bisect_left(names, name) - COMPARED // 2)
    return names[first : first + COMPARED]


class BadParams(UsageError):
    """Parameters do not fit. `problems` lists each as {where, message}."""

    code = "bad_params"


class NotWritable(UsageError):
    """A context key that may be read but not written this way."""

    code = "not_writable"


class NotReadable(UsageError):
    """A context key that workflow or policies do not let one read now. `reasons` lists why, as in an Outcome."""

    code = "not_readable"


class DefinitionError(LlmgenieError):
    """A definition file is wrong. `problems` lists each as {file, line, column, message}; lines and columns count from 1."""

    code = "bad_definition"


class ExpressionError(DefinitionError):
    """An expression is not of the language or names something undeclared. `offset` counts characters from 0."""

    code = "bad_expression"

    def __init__(self, message: str, hint: str = "", *, offset: int = 0, **details: object) -> None:
        super().__init__(message, hint, offset=offset, **details)
        self.offset = offset


class ProjectError(LlmgenieError):
    """There is no usable project folder."""

    code = "project"


class ActionError(LlmgenieError):
    """An action was allowed and ran, but could not do its work (nothing was changed in the store by it)."""

    code = "action_failed"


class StorageError(LlmgenieError):
    """The store cannot be read or written."""

    code = "storage"


class Conflict(StorageError):
    """The document has another version than the caller expected."""

    code = "conflict"


class StorageBusy(StorageError):
    """Another process held the lock longer than the time limit."""

    code = "storage_busy"


class StorageFull(StorageError):
    """No space left on the device, or a file size limit was reached. Nothing was written."""

    code = "storage_full"


class StorageReadOnly(StorageError):
    """The folder, file or file system cannot be written. Nothing was written."""

    code = "storage_read_only"


class StorageDamaged(StorageError):
    """A file of the store was changed or torn where that cannot be mended silently. Names file and line."""

    code = "storage_damaged"


def counted(number: int, noun: str) -> str:
    """A number with what it counts, `noun` being the word for one: `1 file`, `2 files`; for messages."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


_HIDDEN = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]"
    # Joiners and variation selectors are part of emoji and of some scripts; in plain text nobody would see them.
    "|(?<![^\x00-\x7f])[\u200c\u200d\ufe00-\ufe0f]"
)
"""Control characters but line ends and tabs, what turns the direction of text round, and what is shown as nothing."""


def visible(text: str) -> str:
    """`text` with characters that people do not see, or that change what they see, as `\\x1b` or `\\u202e`.

    For every place where a person reads, and decides by, what an agent, a server or a repository wrote. See Unicode
    Technical Report 36, and CVE-2021-42574 about the direction of text.
    """
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_HIDDEN, lambda found: escaped(found[0]), text)  # compiled when it is needed first


def escaped(character: str) -> str:
    """A character as Python writes it in a text."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def shorten(value: object, limit: int = 80) -> str:
    """`value` as text of at most `limit` characters, for messages: a caller may send a megabyte."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (RecursionError, ValueError):  # nested too deep, or an integer of too many digits
        text = f"a very large {type(value).__name__}"
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
