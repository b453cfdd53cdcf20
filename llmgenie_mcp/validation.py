"""Parameters of actions and events, checked before anything else is done; every message says what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import ActionError, BadParams, shorten

if TYPE_CHECKING:  # reading context data does without pydantic
    from jsonschema import ValidationError
    from pydantic import BaseModel

    from llmgenie_mcp.plugins import Action
    from llmgenie_mcp.records import Document

MAX_BYTES = 256_000
MAX_DEPTH = 32
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_EVENT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


def check(offer: Action, params: Mapping[str, Any] | None, key: str | None) -> tuple[Document, BaseModel]:
    """The parameters as given, and as the action's model.

    Raises:
        BadParams: with every problem as {where, message} in `problems`.
    """
    from pydantic import ValidationError

    given = check_json(params, f"The parameters of {offer.name}")
    if key is not None and not (isinstance(key, str) and 1 <= len(key) <= 200 and key.isprintable()):
        raise BadParams(
            f"{shorten(key)!r} is no idempotency key.", "Use 1 to 200 printable characters, new for each request."
        )
    try:
        return given, offer.params.model_validate(given)
    except ValidationError as error:
        problems = [problem(item, offer.params) for item in error.errors(include_url=False)]
        text = "; ".join(f"{p['where']}: {p['message']}" if p["where"] else p["message"] for p in problems[:5])
        usage, example = offer.usage, offer.sample
        hint = f"{offer.name} takes: {usage}." if usage else f"{offer.name} takes no parameters."
        if usage and example is not None:
            hint += f" Example: {json.dumps(example, ensure_ascii=False)}"
        details = {"problems": problems, **({} if example is None else {"example": dict(example)})}
        raise BadParams(f"Parameters of {offer.name} do not fit: {text}.", hint, **details) from None


def check_json(params: object, what: str) -> Document:
    """`params` as a JSON object of bounded size and depth.

    Raises:
        BadParams: it is something else.
    """
    if params is None:
        return {}
    if not isinstance(params, Mapping):
        raise BadParams(f"{what} must be an object, not {shorten(params)}.", 'Give {"name": value, …}.')
    if _depth(params) > MAX_DEPTH:
        raise BadParams(f"{what} are nested deeper than {MAX_DEPTH}.", "Flatten them.")
    if odd := [key for key in _keys(params) if not isinstance(key, str)]:
        raise BadParams(f"{what} have a key that is no text: {shorten(odd[0])}.", "In JSON every key is text.")
    try:
        text = _encode(dict(params)).encode("utf-8")
    except UnicodeEncodeError:
        raise BadParams(f"{what} hold a lone surrogate, which is no text.", "Send valid Unicode.") from None
    except (TypeError, ValueError) as error:
        raise BadParams(
            f"{what} are not JSON: {error}.", "Use text, finite numbers, true, false, null, lists, objects."
        ) from None
    if rb"\u0000" in text and _has_nul(params):  # so JSON spells it; whoever wrote a backslash has it there as well
        raise BadParams(f"{what} hold a NUL character.", "Leave it out.")
    if len(text) > MAX_BYTES:
        raise BadParams(
            f"{what} have {len(text):,} bytes.", f"At most {MAX_BYTES:,}: keep long texts in files and name them."
        )
    return dict(params)


def check_declared(schema: Mapping[str, Any], params: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """The parameters that the settings declare for a command or a call, by name, if those given fit them.

    Args:
        schema: JSON Schema as the settings have it; it may leave out all but `properties` and `required`.
        params: as given; undeclared ones do not fit.
        what: takes them, such as "The command".

    Raises:
        BadParams: they do not fit. ActionError: the schema itself is none.
    """
    declared = schema.get("properties", {})
    if not schema and not params:
        return {}
    import jsonschema

    whole = {"type": "object", "additionalProperties": False, **schema}
    try:
        jsonschema.Draft202012Validator.check_schema(whole)
    except jsonschema.SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path)
        said = f"{f'{where}: ' if where else ''}{shorten(error.message, 300)}"
        raise ActionError(
            f"The schema of its parameters is wrong: {said}.", "Correct `params` in the settings."
        ) from None
    found = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(whole).iter_errors(dict(params)))
    if found is not None:
        problems = misfits(found)
        text = "; ".join(f"{p['where']}: {p['message']}" if p["where"] else p["message"] for p in problems)
        takes = ", ".join(declared) or "none"
        raise BadParams(f"Parameters do not fit: {text}.", f"{what} takes: {takes}.", problems=problems)
    return dict(declared)


def misfits(error: ValidationError) -> list[Document]:
    """An error of a JSON Schema as problems {where, message}, with `near` where a name was probably meant otherwise."""
    named: Any = error.validator_value
    schema: Any = error.schema
    where = ".".join(shorten(str(part)) for part in error.absolute_path)
    place = f"{where}." if where else ""
    if error.validator == "required":
        missing = (name for name in named if error.message.startswith(repr(name)))  # one error each
        return [{"where": f"{place}{shorten(name)}", "message": "is missing"} for name in missing]
    if error.validator != "additionalProperties" or error.validator_value is not False:
        return [{"where": where, "message": shorten(error.message, 300)}]
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    given: Any = error.instance
    odd = [name for name in given if name not in known and not any(re.search(p, name) for p in patterns)]
    return [unknown_parameter(f"{place}{shorten(name)}", name, known) for name in odd[:5]]


def unknown_parameter(where: str, name: str, known: Iterable[str]) -> Document:
    """The problem that a name is none of those `known`, as {where, message}, with `near` where one was probably meant."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1, cutoff=0.6)
    meant = f"; did you mean {near[0]}?" if near else ""
    return {"where": where, "message": f"is no parameter{meant}", **({"near": near} if near else {})}


def check_name(name: object, what: str) -> str:
    """A name that a caller gave. BadParams when it is no text."""
    if not isinstance(name, str):
        raise BadParams(f"The {what} must be a text, not {shorten(name)}.", f"Give the {what} as text.")
    return name


def check_event(event: str, params: Mapping[str, Any] | None) -> tuple[str, Document]:
    """An event's name and data.

    Raises:
        BadParams: the name is not dotted words, or the data is not JSON.
    """
    if not isinstance(event, str) or len(event) > 100 or not _EVENT.fullmatch(event):
        raise BadParams(
            f"{shorten(event)!r} is no name of an event.", "Use lower-case words with dots, such as ci.finished."
        )
    return event, check_json(params, "The data of the event")


def problem(item: Any, model: type[BaseModel]) -> Document:
    """An error of pydantic as a problem: `where`, `message`, and as far as it helps `near`, `allowed` and `type`.

    `near` lists names that were probably meant, `allowed` the values there are, `type` is JSON's.
    """
    where = shorten(".".join(str(part) for part in item["loc"]))
    if item["type"] == "extra_forbidden":
        if where in (told := getattr(model, "elsewhere", {})):
            return {"where": where, "message": f"is no parameter; {told[where]}"}
        return unknown_parameter(where, where, [info.alias or name for name, info in model.model_fields.items()])
    if item["type"] == "missing":
        info = model.model_fields.get(where)
        about = f" ({info.description})" if info and info.description else ""
        return {"where": where, "message": f"is missing{about}"}
    message = item["msg"][0].lower() + item["msg"][1:]
    if not isinstance(item.get("input"), (Mapping, list)):
        message += f", not {shorten(repr(item.get('input')), 60)}"
    return {"where": where, "message": message, **_right(model, item["loc"])}


def _right(model: type[BaseModel], loc: tuple[int | str, ...]) -> Document:
    """What would be right in a place, by the schema: its `type`, and the values that are `allowed` where they are few."""
    schema = model.model_json_schema() if len(loc) == 1 else {}
    part = schema.get("properties", {}).get(loc[0], {}) if loc else {}
    choices = [option for option in part.get("anyOf", [part]) if option.get("type") != "null"]
    told = choices[0] if len(choices) == 1 else {}
    return {name: told[key] for name, key in (("type", "type"), ("allowed", "enum")) if key in told}


def _keys(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for part in value:
        if _holds(part):
            yield from _keys(part)


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_has_nul(key) or _has_nul(part) for key, part in value.items())
    return isinstance(value, (list, tuple)) and any(_has_nul(part) for part in value)


def _depth(value: Any) -> int:
    """Nesting of a JSON value, found without recursion."""
    deepest, stack = 0, [(value, 1)]
    while stack and deepest <= MAX_DEPTH:
        part, level = stack.pop()
        deepest = max(deepest, level)
        children = part.values() if isinstance(part, Mapping) else part
        stack += [(child, level + 1) for child in children if _holds(child)]
    return deepest


def _holds(value: Any) -> bool:
    """Whether it is an object or a list. Most are neither, and to ask an abstract class takes long."""
    return type(value) not in _SCALARS and isinstance(value, (Mapping, list, tuple))


_SCALARS = frozenset((str, int, float, bool, type(None)))
