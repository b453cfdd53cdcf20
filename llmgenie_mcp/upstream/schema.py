"""The parameters of a tool: as a model is shown them, and checked before anything is sent.

The server checks them again and is the one who decides, so what would be dear or dangerous to check here is not:
regular expressions (which may take for ever), formats, and references that go in a circle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from llmgenie_mcp.errors import BadParams, shorten
from llmgenie_mcp.upstream.text import clean
from llmgenie_mcp.validation import misfits

if TYPE_CHECKING:
    from llmgenie_mcp.upstream.tools import Tool

SHOWN_BYTES = 5_000
"""A schema that is longer is shown with shorter texts, and then with less of them."""
NODES = 2_000
"""Parts of a schema, references followed, that are checked; what lies beyond fits whatever it is."""
PROBLEMS = 5
KNOWN = 2_000
_UNCHECKED = ("pattern", "patternProperties", "format", "$schema", "$id", "$anchor", "$dynamicRef", "$dynamicAnchor")
_known: dict[tuple[str, str], type[ToolParams]] = {}


class ToolParams(BaseModel):
    """Parameters of another server's tool; each tool has a class of its own, with its name and schema."""

    model_config = ConfigDict(extra="allow", defer_build=True)
    action: ClassVar[str] = ""
    tool: ClassVar[Tool]
    validator: ClassVar[Any]

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """The parameters, if they fit the tool's schema.

        Raises:
            BadParams: with every problem as {where, message}.
        """
        problems = list(_problems(cls._validator(), obj))
        if problems:
            text = "; ".join(f"{p['where']}: {p['message']}" if p["where"] else p["message"] for p in problems)
            takes = usage(cls.tool.schema)
            hint = f"{cls.action} takes: {takes}." if takes else f"{cls.action} takes no parameters."
            raise BadParams(f"Parameters of {cls.action} do not fit: {text}.", hint, problems=problems)
        return super().model_validate(obj, **options)

    @classmethod
    def _validator(cls) -> Any:
        """What checks them; None when the schema is none, for then the server must decide."""
        if "validator" not in cls.__dict__:
            import jsonschema

            schema = checked(cls.tool.schema)
            try:
                jsonschema.Draft202012Validator.check_schema(schema)
                cls.validator = jsonschema.Draft202012Validator(schema)
            except (jsonschema.SchemaError, RecursionError):
                cls.validator = None
        return cls.validator

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        """The tool's own schema, with what the tool does as its description."""
        return shown(cls.tool.schema, cls.tool.description)

    @classmethod
    def usage_line(cls) -> str:
        """The parameters in one line."""
        return usage(cls.tool.schema)


def params_of(action: str, tool: Tool) -> type[ToolParams]:
    """The class of the parameters of a tool; the same one while the tool stays the same."""
    key = action, "".join(tool.marks.values())
    if key not in _known:
        if len(_known) >= KNOWN:
            _known.clear()
        _known[key] = type("ToolParams", (ToolParams,), {"action": action, "tool": tool, "__module__": __name__})
    return _known[key]


def usage(schema: Mapping[str, Any]) -> str:
    """The parameters in one line: `title, body?, state?=open`; those needed first."""
    declared = _object(schema.get("properties"))
    needed = [name for name in _list(schema.get("required")) if isinstance(name, str)]
    parts = [name for name in declared if name in needed]
    for name, about in declared.items():
        if name not in needed:
            default = about.get("default") if isinstance(about, Mapping) else None
            plain = isinstance(default, (str, int, float)) and default != ""
            parts.append(f"{name}?={shorten(default, 20)}" if plain else f"{name}?")
    return ", ".join(shorten(part, 60) for part in parts[:30]) + (", …" if len(parts) > 30 else "")


def shown(schema: Mapping[str, Any], description: str = "") -> dict[str, Any]:
    """A schema as a model is shown it: of bounded size, though it may then say less than it could."""
    whole = {"description": description, **schema} if description else dict(schema)
    for limit in (None, 100, 0):
        made = whole if limit is None else {**_with_prose(whole, limit), "description": clean(description, 300)}
        if len(json.dumps(made, ensure_ascii=False)) <= SHOWN_BYTES:
            return made
    kinds = {
        name: {key: part for key, part in _object(about).items() if key == "type"}
        for name, about in list(_object(schema.get("properties")).items())[:60]
    }
    note = "Shortened: of what the parameters hold inside, nothing is told here."
    needed = [name for name in _list(schema.get("required")) if name in kinds]
    return {
        "type": "object",
        "description": clean(f"{description} {note}", 400),
        "properties": kinds,
        "required": needed,
    }


def _with_prose(schema: Any, limit: int, *, named: bool = False) -> Any:
    if isinstance(schema, Mapping):
        made = {}
        for key, part in schema.items():
            if not named and isinstance(part, (str, list)) and key in ("description", "title", "examples", "$schema"):
                if key == "description" and limit and isinstance(part, str):
                    made[key] = clean(part, limit)
                continue
            made[key] = _with_prose(part, limit, named=not named and key in ("properties", "$defs", "definitions"))
        return made
    return [_with_prose(part, limit) for part in schema] if isinstance(schema, list) else schema


def checked(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What of a schema is checked: references written out, patterns left away, at most `NODES` parts."""
    made = _Copy(schema).of(schema, ())
    return made if isinstance(made, dict) else {}


class _Copy:
    """Writes a schema out."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = NODES

    def of(self, part: Any, way: tuple[str, ...], *, named: bool = False) -> Any:
        """A copy of a part; True, which anything fits, where it goes in a circle or on for too long."""
        if isinstance(part, list):
            return [self.of(item, way) for item in part]
        if not isinstance(part, Mapping):
            return part
        self._left -= 1
        if self._left < 0:
            return {} if named else True
        if named:
            return {key: self.of(value, way) for key, value in part.items()}
        made = {key: self._value(key, value, way) for key, value in part.items() if key not in (*_UNCHECKED, "$ref")}
        if "patternProperties" in part:
            made.pop("additionalProperties", None)
            made.pop("unevaluatedProperties", None)
        if "$ref" in part:
            made["allOf"] = [*_list(made.get("allOf")), self._referred(part["$ref"], way)]
        for name in ("$defs", "definitions"):
            made.pop(name, None)
        return made

    def _value(self, key: str, value: Any, way: tuple[str, ...]) -> Any:
        if key in ("enum", "const", "default", "examples", "$defs", "definitions"):
            return value
        return self.of(value, way, named=key in ("properties", "dependentSchemas"))

    def _referred(self, ref: Any, way: tuple[str, ...]) -> Any:
        if not isinstance(ref, str) or not ref.startswith("#") or ref in way:
            return True
        found: Any = self._root
        for step in ref[1:].split("/")[1:]:
            found = _object(found).get(step.replace("~1", "/").replace("~0", "~"), True)
        return self.of(found, (*way, ref)) if isinstance(found, Mapping) else True


def _problems(validator: Any, given: Any) -> Iterator[dict[str, str]]:
    """What does not fit, the nearest first; nothing where that cannot be found out."""
    try:
        found = list(validator.iter_errors(given)) if validator is not None else []
    except (RecursionError, TypeError, ValueError):
        return
    told = {(tuple(error.absolute_path), error.message): error for error in found}  # each once, however it was come by
    errors = sorted(told.values(), key=lambda error: (len(error.absolute_path), error.message))
    yield from [problem for error in errors[:PROBLEMS] for problem in misfits(error)][:PROBLEMS]


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
