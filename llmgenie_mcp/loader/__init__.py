"""Definition files (YAML 1.2 or JSON) → models; whatever is wrong is said as `file:line:column: where: what`.

    loaded = load_yaml(Path("workflows/review.yaml"), Workflow)
    loaded.value.initial
    loaded.position(("states", "draft", "on", "submit"))       # → (line, column)

All problems of a file are collected in one DefinitionError. Reading goes text → nodes (`yamltext`) → data → the
pydantic model in strict mode; positions are looked up in the nodes only when something is wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from llmgenie_mcp.errors import DefinitionError, shorten
from llmgenie_mcp.expressions.mistake import KEY
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.loader import yamltext
from llmgenie_mcp.loader.schema import explain, schema_for
from llmgenie_mcp.loader.yamlfault import Fault

if TYPE_CHECKING:
    from llmgenie_mcp.expressions import Problem

T = TypeVar("T", bound=BaseModel)
Loc: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_SHOWN = 20
MAX_EXPLAINED = 200
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Located:
    """A problem and its place: lines and columns count from 1; 0 means the file as a whole."""

    file: str
    line: int
    column: int
    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.where}: {self.message}" if self.where else f"{place}: {self.message}"

    def to_dict(self) -> dict[str, str | int]:
        """As JSON: {file, line, column, where, message, hint}."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Loaded(Generic[T]):
    """What was read from a file.

    Attributes:
        value: the model.
        path: the file.
        file: the file as messages name it.
        sha256: of the file's bytes, in hexadecimal.
    """

    value: T
    path: Path | Traversable
    file: str
    sha256: str
    _data: bytes = field(repr=False)
    _tree: yamltext.Tree | None = field(default=None, repr=False)

    def position(self, loc: Loc, offset: int | None = None, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of what stands at `loc`.

        Args:
            loc: keys and indices from the top; what does not exist (a missing key, the label of a union) is skipped, so
                that a missing key is found at its mapping. A last part `[key]` means `key=True`.
            offset: a character within the scalar there; exact in plain and quoted text, the line in a block.
            key: the place of the key instead of its value.
        """
        return _position(self._nodes(), loc, offset, key)

    def located(self, problems: Iterable[Problem]) -> list[Located]:
        """Problems found by a check of the model, with their places in this file."""
        return [
            Located(self.file, *self.position(p.loc, p.offset), _where(p.loc), p.message.removesuffix("."), p.hint)
            for p in problems
        ]

    def _nodes(self) -> yamltext.Tree:
        if self._tree is None:
            self._tree = _parse(self._data, self.file)
        return self._tree


def load_yaml(path: Path | Traversable, model: type[T], *, file: str | None = None) -> Loaded[T]:
    """Read one definition.

    Args:
        path: a YAML 1.2 or JSON file in UTF-8, of at most 1 MB.
        model: what it holds.
        file: how messages name the file; by default its path, relative to the current folder where it is below.

    Raises:
        DefinitionError: the file cannot be read, is not YAML, or does not fit the model. `details["problems"]` lists
            up to 20 problems as {file, line, column, where, message, hint}, `details["count"]` says how many there are.
    """
    name = file or shown(path)
    return load_bytes(read(path, name), model, name, path)


def load_bytes(data: bytes, model: type[T], file: str, path: Path | Traversable | None = None) -> Loaded[T]:
    """The same for the content of a file; `file` is its name in messages."""
    tree = _parse(data, file)
    content = tree.root.data()
    if content is None:
        content = {}
    if isinstance(content, dict):
        content.pop("$schema", None)
    problems = [_from_fault(fault, tree.text, file) for fault in tree.faults]
    try:
        value = validate(content, model)
    except ValidationError as error:
        said = {(p.line, p.column) for p in problems}
        problems += [p for p in _from_model(error, tree, model, file) if (p.line, p.column) not in said]
        raise definition_error(problems, max(0, error.error_count() - MAX_EXPLAINED)) from None
    if problems:
        raise definition_error(problems)
    return Loaded(value, path or Path(file), file, hashlib.sha256(data).hexdigest(), data, tree)


def from_data(content: Any, data: bytes, model: type[T], file: str, path: Path | Traversable) -> Loaded[T]:
    """A definition whose content was parsed before; `data` is the text, read again only to find a place in it."""
    return Loaded(validate(content, model), path, file, hashlib.sha256(data).hexdigest(), data)


def validate(content: Any, model: type[T]) -> T:
    """The model of `content`, strictly: "yes" is no boolean and "1" is no number. Raises pydantic's ValidationError."""
    return model.model_validate_json(json.dumps(content), strict=True)


def definition_error(problems: Iterable[Located], unlisted: int = 0) -> DefinitionError:
    """One error for all problems of one or more files, by file and place.

    Args:
        problems: what was found.
        unlisted: how many more there are that are not among them.
    """
    # An alias brings one place in the file under several keys; one mention is enough.
    once: dict[tuple[str, int, int, str, str], Located] = {}
    for problem in problems:
        once.setdefault(
            (problem.file, problem.line, problem.column, problem.where.rpartition(".")[2], problem.message), problem
        )
    found = sorted(once.values(), key=lambda p: (p.file, p.line, p.column))
    listed = [p.to_dict() for p in found[:MAX_SHOWN]]
    count = len(found) + unlisted
    if count == 1:
        return DefinitionError(str(found[0]), found[0].hint, problems=listed, count=1)
    lines = [f"{p}\n  {p.hint}" if p.hint else str(p) for p in found[:MAX_SHOWN]]
    more = f"… and {count - len(listed)} more." if count > len(listed) else ""
    return DefinitionError("\n".join(lines), more, problems=listed, count=count)


def shown(path: Path | Traversable) -> str:
    """A path as messages name it: relative to the current folder where it is below, with `/` between its parts."""
    if not isinstance(path, Path):
        return str(path)
    here = Path.cwd()
    absolute = here / path
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else path).as_posix()


def read(path: Path | Traversable, file: str) -> bytes:
    """The bytes of a definition file; DefinitionError when it cannot be read or is too large."""
    try:
        if isinstance(path, Path) and not stat.S_ISREG(path.stat().st_mode):
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise definition_error([Located(file, 0, 0, "", f"This is {kind}", "Name a YAML or JSON file.")])
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise definition_error([Located(file, 0, 0, "", "There is no such file")]) from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise definition_error([Located(file, 0, 0, "", f"The file cannot be read: {reason}")]) from None
    if len(data) > MAX_BYTES:
        problem = Located(
            file, 0, 0, "", f"The file is larger than {MAX_BYTES:,} bytes", "A definition is text by hand; split it."
        )
        raise definition_error([problem])
    return data


def _parse(data: bytes, file: str) -> yamltext.Tree:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise definition_error([Located(file, 1, 1, "", "The file is UTF-16, not UTF-8", "Save it as UTF-8.")])
    data = data.removeprefix(_BOM)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = yamltext.place(before := data[: error.start].decode("utf-8"), len(before))
        message = f"Byte 0x{data[error.start]:02x} (number {error.start + 1} of the file) is not UTF-8"
        raise definition_error([Located(file, line, column, "", message, "Save the file as UTF-8.")]) from None
    try:
        return yamltext.parse(text)
    except Fault as fault:
        raise definition_error([_from_fault(fault, text, file)]) from None


def _from_fault(fault: Fault, text: str, file: str) -> Located:
    return Located(file, *yamltext.place(text, fault.index), _where(fault.path), fault.message, fault.hint)


def _from_model(error: ValidationError, tree: yamltext.Tree, model: type[BaseModel], file: str) -> list[Located]:
    schema = schema_for(model)
    if tree.root.value is None:
        required = ", ".join(schema.get("required", ()))
        return [Located(file, 1, 1, "", "The file is empty", f"Required: {required}.")]
    problems = []
    for item in error.errors(include_url=False)[:MAX_EXPLAINED]:
        context: Mapping[str, Any] = item.get("ctx", {})
        below: Loc = context.get("below", ())
        loc: Loc = (*item["loc"], *below)
        found = tree.find(loc)
        if below[-1:] == (KEY,) and found.path[-1:] != below[-2:-1]:
            loc = loc[:-1]  # that key is not there: it is about the mapping
        # pydantic counts the items of a tuple that are right: with a wrong one it is too short as well.
        if item["type"] == "too_short" and len(tree.find(loc).node.data()) >= item["ctx"]["min_length"]:
            continue
        written = tree.text[found.node.start : found.node.end]
        message, hint = explain(schema, item, found.path, written)
        place = _position(tree, loc, context.get("offset"), key=item["type"] == "extra_forbidden")
        missing = (loc[-1],) if item["type"] == "missing" else ()
        problems.append(Located(file, *place, _where((*found.path, *missing)), message, hint))
    return problems


def _position(tree: yamltext.Tree, loc: Loc, offset: int | None, key: bool) -> tuple[int, int]:
    found = tree.find(loc)
    node = found.node
    if found.key is not None and (key or loc[-1:] == (KEY,) or node.start == node.end):
        return tree.place(found.key.start)
    return tree.place(node.start if offset is None else tree.index_in(node, offset))


def _where(path: Loc) -> str:
    return shorten(".".join(shorten(str(part)) for part in path if part != KEY), 200)
