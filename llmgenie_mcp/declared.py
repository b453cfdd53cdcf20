"""What a declared action is: an action without code, in a file of its own, `.llmgenie/actions/NAME.yaml`.

It runs a command, makes an HTTP call, runs another action, or does several of these one after the other, what one of them
answers going into the next. Whatever it does is done as an action of its own, which workflow and policies must allow.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from llmgenie_mcp.config import Call, Command, check_host, split_address
from llmgenie_mcp.errors import ActionError, shorten
from llmgenie_mcp.expressions import UNKNOWN, Expression, message_names, templates
from llmgenie_mcp.expressions.mistake import KEY, mistake
from llmgenie_mcp.expressions.sources import ExpressionSource, check_params
from llmgenie_mcp.expressions.values import lookup

STEPS = 50
"""Steps of one action at most; another declared action may be a step."""
KINDS = ("command", "call", "action", "steps")
ALONE = "run"
"""Id of the only step of an action without `steps`."""
RESUME = "resume"
"""The parameter that every declared action with steps has beside its own."""
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")

DeclaredName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
OtherName: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$")
]


def _readable(params: dict[str, Any]) -> dict[str, Any]:
    check_params(params)
    return params


Templates: TypeAlias = Annotated[dict[str, JsonValue], AfterValidator(_readable)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class OwnCommand(Command):
    """A program to run, as in the settings; its parameters stand beside it."""

    @model_validator(mode="after")
    def _check_params(self) -> OwnCommand:
        if self.params:
            raise _beside("command")
        return self


class OwnCall(Call):
    """An HTTP call, as in the settings; its parameters stand beside it."""

    @model_validator(mode="after")
    def _check_address(self) -> OwnCall:
        if self.params:
            raise _beside("call")
        check_host(split_address(self.url)[0])
        return self


def _beside(kind: str) -> PydanticCustomError:
    hint = f"Write `params` beside `{kind}`, not in it."
    return mistake(f"A {kind} here has no schema of its own", hint, "params", KEY)


class Other(_Part):
    """Another action, and what it gets."""

    action: OtherName = Field(description="Name of the action, such as log_entry, or SERVER.TOOL of an upstream.")
    params: Templates = Field(
        default={},
        description="Its parameters; `{params.name}` in texts is filled in, and alone becomes the value itself.",
    )


class Retry(_Part):
    """How often a step that failed is tried; a refusal is not tried again."""

    attempts: int = Field(ge=2, le=10, description="How often at most, the first time included.")
    delay: float = Field(default=5, ge=0, le=600, description="Seconds between two attempts.")


class Step(_Part):
    """One step. Exactly one of `command`, `call` and `action` is given."""

    id: DeclaredName = Field(description="What later steps call it: {steps.ID.result.name}.")
    command: OwnCommand | None = Field(
        default=None, description="A program to run; `{name}` in it is a name in this step's `params`."
    )
    call: OwnCall | None = Field(
        default=None, description="An HTTP call to make; `{name}` in it is a name in this step's `params`."
    )
    action: OtherName | None = Field(
        default=None, description="Name of another action to run, SERVER.TOOL of an upstream included."
    )
    params: Templates = Field(
        default={},
        description="What it gets; `{params.name}` and `{steps.ID.result.name}` are filled in, alone as the value itself.",
        examples=[{"text": "built {steps.build.result.output}"}],
    )
    when: ExpressionSource = Field(
        default="true",
        description="Condition over params, steps and the facts that guards know; unknown is no: it is skipped.",
        examples=['steps.build.status == "ok" and git.clean'],
    )
    retry: Retry | None = Field(default=None, description="How often it is tried when it fails; null: once.")
    on_failure: Literal["stop", "continue"] = Field(
        default="stop", description="What a failure or a refusal means for the steps that follow."
    )

    @model_validator(mode="after")
    def _check_one(self) -> Step:
        _exactly_one(self, KINDS[:3], "A step")
        return self

    @property
    def condition(self) -> Expression:
        """`when`, parsed."""
        return Expression.parse(self.when)

    @property
    def does(self) -> str:
        """Name of the action that it runs."""
        return self.action or ("run_command" if self.command else "call_http")


class ActionFile(_Part):
    """An action without code. Exactly one of `command`, `call`, `action` and `steps` is given."""

    name: DeclaredName = Field(description="As the file is called, without its suffix.")
    description: str = Field(
        min_length=1,
        max_length=300,
        description="One sentence for the model that chooses.",
        examples=["Lint a folder."],
    )
    params: dict[str, JsonValue] = Field(
        default={},
        description="JSON Schema of the parameters (its `properties` and `required`).",
        examples=[{"properties": {"folder": {"type": "string"}}, "required": ["folder"]}],
    )
    modes: tuple[DeclaredName, ...] = Field(
        default=(), description="Modes in which agents may run it; empty: wherever workflow and policies let them."
    )
    destructive: bool = Field(default=False, description="true: it may lose somebody's work; policies see it.")
    timeout: float = Field(
        default=3600, gt=0, le=86_400, description="Seconds for all of it, beside the limits of what it runs."
    )
    command: OwnCommand | None = Field(
        default=None, description="A program to run, as in the settings; `{name}` in it is a parameter."
    )
    call: OwnCall | None = Field(
        default=None, description="An HTTP call to make, as in the settings; `{name}` in it is a parameter."
    )
    action: Other | None = Field(default=None, description="Another action to run.")
    steps: tuple[Step, ...] = Field(
        default=(),
        max_length=STEPS,
        description="Several, one after the other.",
        examples=[[{"id": "build", "action": "run_tests"}]],
    )

    @model_validator(mode="after")
    def _check_whole(self) -> ActionFile:
        _exactly_one(self, KINDS, "A declared action")
        check_schema(self.params)
        ids = [step.id for step in self.steps]
        if twice := [index for index, id_ in enumerate(ids) if id_ in ids[:index]]:
            said = f"Two steps have the id {ids[twice[0]]!r}"
            raise mistake(said, "Give each an id of its own.", "steps", twice[0], "id")
        return self

    @property
    def properties(self) -> Mapping[str, Any]:
        """The declared parameters by name."""
        found = self.params.get("properties", {})
        return found if isinstance(found, Mapping) else {}

    @property
    def plan(self) -> tuple[Step, ...]:
        """What it does, as steps."""
        if self.steps:
            return self.steps
        if self.action is not None:
            return (Step(id=ALONE, action=self.action.action, params=self.action.params),)
        given: dict[str, JsonValue] = {name: f"{{params.{name}}}" for name in self.properties}
        return (Step(id=ALONE, command=self.command, call=self.call, params=given),)


def _exactly_one(part: BaseModel, kinds: tuple[str, ...], what: str) -> None:
    given = [name for name in kinds if getattr(part, name)]
    if len(given) != 1:
        said = f"{what} does one thing, not {' and '.join(given)}" if given else "Nothing says what it does"
        hint = f"Give exactly one of {', '.join(f'`{name}`' for name in kinds[:-1])} and `{kinds[-1]}`."
        raise mistake(said, hint, *given[1:2], KEY)


USED = frozenset({"type", "properties", "required", "description", "examples", "$defs", "additionalProperties"})
"""What may stand in a schema of parameters itself."""


PARAMS_WRITTEN = "Write params: {properties: {NAME: {type: string}}, required: [NAME]}."


def check_schema(schema: Mapping[str, Any]) -> None:
    """Refuse what is plainly wrong with a schema of parameters, without a validator, which takes long to import.

    Raises:
        PydanticCustomError: with its place below the model.
    """
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if schema.get("type", "object") != "object":
        raise mistake("Parameters are an object", "Leave `type` out, or write type: object.", "params", "type")
    if odd := [name for name in schema if name not in USED]:
        raise _unused(odd[0], schema[odd[0]])
    if not isinstance(properties, Mapping):
        raise mistake("`properties` holds each parameter's schema by its name", PARAMS_WRITTEN, "params", "properties")
    for name, about in properties.items():
        if not re.fullmatch(r"[A-Za-z_]\w*", name) or name == RESUME:
            said = "is the engine's own" if name == RESUME else "is no name: letters, digits and _"
            made = re.sub(r"\W+", "_", name) if name != RESUME and name[:1].isalpha() else f"my_{RESUME}"
            hint = f"Give it another name, such as {made}."
            raise mistake(f"The parameter {shorten(name)!r} {said}", hint, "params", "properties", name, KEY)
        if not isinstance(about, (Mapping, bool)):
            said = f"The parameter {name!r} is not described by a JSON Schema"
            raise mistake(said, f"Write {name}: {{type: string}}, for example.", "params", "properties", name)
    if not isinstance(required, list):
        raise mistake("`required` is a list of names", PARAMS_WRITTEN, "params", "required")
    for index, name in enumerate(required):
        if not isinstance(name, str) or name not in properties:
            said = f"`required` names {shorten(name)!r}, which is not among `properties`"
            near = difflib.get_close_matches(str(name), properties, n=1, cutoff=0.6)
            hint = f"Did you mean {near[0]}?" if near else PARAMS_WRITTEN
            raise mistake(said, hint, "params", "required", index)
    examples = schema.get("examples", [])
    if not isinstance(examples, list) or not all(isinstance(example, Mapping) for example in examples):
        raise mistake("`examples` is a list of parameters", "Write examples: [{NAME: value}].", "params", "examples")


def _unused(name: str, value: object) -> PydanticCustomError:
    """What is said of a key that a schema of parameters does not have here."""
    near = difflib.get_close_matches(name, USED, n=1, cutoff=0.6)
    if near:
        hint = f"Did you mean {near[0]}? Allowed here: {', '.join(sorted(USED))}."
    elif isinstance(value, Mapping):
        hint = f"A parameter stands under properties: params: {{properties: {{{shorten(name)}: …}}}}."
    else:
        hint = f"Allowed here: {', '.join(sorted(USED))}."
    return mistake(f"Unknown key {shorten(name)!r}", hint, "params", name, KEY)


def inner_schema(step: Step) -> dict[str, Any]:
    """What the command or call of a step takes: the names in the step's `params`."""
    return {"properties": {name: {} for name in step.params}}


class Missing(ActionError):
    """A template names something that is not there."""


def fill(value: Any, facts: Mapping[str, Any]) -> Any:
    """A JSON value with its templates filled; a text that is one name alone becomes the value itself.

    What such a text stands for is left out where there is no such value. Unlike in messages nothing is shortened: what is
    filled in here is acted on.

    Raises:
        Missing: a name within a text has no value; half a text would say something else.
    """
    if isinstance(value, str):
        alone = _BRACES.fullmatch(value)
        if alone is not None and alone[1]:
            return _value(alone[1], facts)
        return _BRACES.sub(lambda found: _text(found, facts), value)
    if isinstance(value, Mapping):
        made = {key: fill(part, facts) for key, part in value.items()}
        return {key: part for key, part in made.items() if part is not UNKNOWN}
    if isinstance(value, (list, tuple)):
        return [part for item in value if (part := fill(item, facts)) is not UNKNOWN]
    return value


def _value(name: str, facts: Mapping[str, Any]) -> Any:
    return lookup(facts, tuple(name.strip().split(".")))


def _text(found: re.Match[str], facts: Mapping[str, Any]) -> str:
    if found[1] is None:
        return found[0][0]
    value = _value(found[1], facts)
    if value is UNKNOWN:
        raise Missing(
            f"There is no {shorten(found[1].strip())} to fill in.", "Give it, or have it made by a step before."
        )
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def names_in(params: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], tuple[tuple[str, int], ...]]]:
    """Where texts in `params` stand, and the names they mention with their offsets."""
    for loc, text in templates(params):
        yield loc, message_names(text)
