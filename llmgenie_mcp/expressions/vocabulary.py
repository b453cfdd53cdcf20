"""Which dotted names exist, and texts that mention them: the load-time checks of expressions and messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from llmgenie_mcp.errors import ExpressionError, shorten
from llmgenie_mcp.expressions.values import UNKNOWN, lookup, plain_text
from llmgenie_mcp.frozen import dataclass

if TYPE_CHECKING:
    from llmgenie_mcp.expressions.fix import Fix

_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a definition that reads well.

    Attributes:
        loc: keys and indexes that lead to the value, as in pydantic's errors.
        message: what is wrong.
        hint: what to write instead; may be empty.
        offset: characters from the start of the value, where the value is an expression or a template.
    """

    loc: tuple[str | int, ...]
    message: str
    hint: str = ""
    offset: int | None = None


class ReadsNames(Protocol):
    """Anything that reads dotted names: an `Expression`."""

    @property
    def name_offsets(self) -> tuple[tuple[str, int], ...]:
        """Each name that it reads, and where that stands: characters of the source from 0."""


class Vocabulary:
    """The dotted names that expressions and messages may use.

    `git.branch` declares that name and makes `git` readable as a whole; `params.*` declares everything below `params`;
    `*` declares everything.

    Args:
        names: the declared names.

    Raises:
        ValueError: a name that is not dotted words, optionally ending in `.*`.
    """

    __slots__ = ("_above", "_names", "_open")

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(names)
        for name in self._names:
            if name != "*" and not _DOTTED.fullmatch(name.removesuffix(".*")):
                raise ValueError(f"{name!r} is not a dotted name")
        self._open = frozenset(name.removesuffix("*") for name in self._names if name.endswith("*"))
        self._above = frozenset(above for name in self._names for above in _prefixes(name))

    def __contains__(self, name: str) -> bool:
        if name in self._names or name in self._above or "" in self._open:
            return True
        return any(f"{above}." in self._open for above in _prefixes(name))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __or__(self, other: Vocabulary) -> Vocabulary:
        return Vocabulary(self._names | other._names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self._names == other._names

    def __hash__(self) -> int:
        return hash(self._names)

    def __repr__(self) -> str:
        return f"Vocabulary({{{', '.join(map(repr, self))}}})"

    def narrowed(self, root: str, values: Mapping[str, Any]) -> Vocabulary:
        """The same vocabulary, but the names below `root` are exactly the keys of `values`, nested ones included."""
        others = {name for name in self._names if name != root and not name.startswith(f"{root}.")}
        return Vocabulary({*others, *(f"{root}.{name}" for name in _keys(values))})

    def check(self, reader: ReadsNames) -> list[tuple[int, str, str]]:
        """The undeclared names of an expression as (character offset, message, hint)."""
        return self.check_names(reader.name_offsets)

    def check_names(self, names: Iterable[tuple[str, int]]) -> list[tuple[int, str, str]]:
        """The undeclared ones of (name, character offset) as (character offset, message, hint)."""
        return [
            (offset, f"There is no fact {shorten(name)!r}.", self._hint(name))
            for name, offset in names
            if name not in self
        ]

    def _hint(self, name: str) -> str:
        known = [candidate for candidate in self if candidate != "*"]
        if name.startswith("event.") and "action.params.*" in self._names:
            return f"Here, what an event brings is what the action is given: action.params.{name.rpartition('.')[2]}."
        from difflib import get_close_matches

        near = get_close_matches(name, known, n=3, cutoff=0.6)
        last = name.rpartition(".")[2]
        near += [other for other in known if other.rpartition(".")[2] == last and other not in near]
        if near:
            return f"Did you mean {' or '.join(near[:3])}?"
        root = name.partition(".")[0]
        below = [other for other in known if other.startswith(f"{root}.")]
        shown = below or sorted({other.partition(".")[0] for other in known})
        if not shown:
            return "Nothing is declared here."
        return f"Known{f' below {root}' if below else ''}: {', '.join(shown[:20])}{' …' if len(shown) > 20 else ''}."


def message_names(template: str) -> tuple[tuple[str, int], ...]:
    """The names that a message mentions, each with the character offset of its first letter.

    Raises:
        ExpressionError: a brace without its partner, or braces around something that is not a dotted name.
    """
    names: list[tuple[str, int]] = []
    for found in _BRACES.finditer(template):
        if found[0] in ("{{", "}}"):
            continue
        if found[1] is None:
            hint = f"A brace that is meant as text is written twice: {found[0] * 2}."
            raise ExpressionError(f"{found[0]!r} has no partner.", hint, offset=found.start())
        name = found[1].strip()
        if not _DOTTED.fullmatch(name):
            hint = "Between braces stands a dotted name such as {git.branch}; a brace meant as text is written twice."
            raise ExpressionError(f"{shorten(found[0])!r} is not a name.", hint, offset=found.start())
        names.append((name, found.start(1) + len(found[1]) - len(found[1].lstrip())))
    return tuple(names)


def format_message(
    template: str, facts: Mapping[str, Any], unknown: Callable[[str], str] = lambda _: plain_text(UNKNOWN)
) -> str:
    """Fill `{dotted.name}` with facts, each shortened to 80 characters.

    Only mappings are looked into, so that no template reaches an object's attributes as `str.format` would. Never
    raises: what is not a name stays as it is.

    Args:
        template: the text.
        facts: by root.
        unknown: what stands for a fact of that name that is not known; `?` when left out.
    """

    def fill(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        name = (found[1] or "").strip()
        if not _DOTTED.fullmatch(name):
            return found[0]
        fact = _fact(name, facts)
        return unknown(name) if fact is UNKNOWN else plain_text(fact)

    return _BRACES.sub(fill, template) if "{" in template or "}" in template else template


LONGEST = 4096
"""Characters of a text that becomes a parameter whole: a path may be that long (PATH_MAX)."""


def fill_params(value: Any, facts: Mapping[str, Any]) -> Any:
    """Fill the templates inside a JSON value; a text that is one name alone becomes that fact itself, unless long."""
    if isinstance(value, str):
        alone = _BRACES.fullmatch(value)
        if alone is not None and alone[1]:
            fact = _fact(alone[1].strip(), facts)
            if fact is None or isinstance(fact, (bool, int, float)) or (isinstance(fact, str) and len(fact) <= LONGEST):
                return fact
        return format_message(value, facts)
    if isinstance(value, Mapping):
        return {key: fill_params(item, facts) for key, item in value.items()}
    return [fill_params(item, facts) for item in value] if isinstance(value, (list, tuple)) else value


def fill_fix(fix: Fix, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The way out of a refusal with its templates filled in: {action, params} and, where it has one, message.

    A parameter whose template comes to nothing is left out: it was left out of the request as well.
    """
    filled_in = fill_params(fix.params, facts)
    params = {name: value for name, value in filled_in.items() if value is not None or fix.params[name] is None}
    filled = {"action": fix.action, "params": params}
    return {**filled, "message": format_message(fix.message, facts)} if fix.message else filled


def templates(value: Any, loc: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text inside a JSON value, with the keys and indexes that lead to it."""
    if isinstance(value, str):
        yield loc, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from templates(item, (*loc, key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from templates(item, (*loc, index))


def _fact(name: str, facts: Mapping[str, Any]) -> Any:
    try:
        return lookup(facts, tuple(name.split(".")))
    except Exception:  # noqa: BLE001 - a mapping may compute its items; a message about a refusal must still be written
        return UNKNOWN


def _prefixes(name: str) -> Iterator[str]:
    end = name.find(".")
    while end >= 0:
        yield name[:end]
        end = name.find(".", end + 1)


def _keys(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        yield key
        if isinstance(value, Mapping):
            yield from (f"{key}.{below}" for below in _keys(value))
