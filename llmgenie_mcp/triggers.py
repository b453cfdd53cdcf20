"""What a trigger rule is: on which event, under which condition, which actions run with which parameters.

A rule stands in the settings (`triggers:`, by name) or in a file of its own, `.llmgenie/triggers/NAME.yaml`. It runs only
after a person accepted it (`llmgenie trust`). Attribute names of events are those of CloudEvents 1.0.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
    model_validator,
)

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.expressions import Expression, Vocabulary
from llmgenie_mcp.expressions.mistake import KEY, mistake
from llmgenie_mcp.expressions.sources import ExpressionSource, MessageSource, check_params, not_empty

EVENT_NAMES = ("event.id", "event.type", "event.source", "event.subject", "event.time", "event.actor", "event.data.*")
"""What conditions and templates about an event may name."""
EVENT_VOCABULARY = Vocabulary(EVENT_NAMES)

EventPattern: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^(\*|[a-z][a-z0-9_]*)([.*][a-z0-9_*]+)*\*?$", max_length=100)
]
"""An event's type, in which `*` stands for any characters."""


EventPatterns: TypeAlias = Annotated[
    tuple[EventPattern, ...], AfterValidator(not_empty), Field(json_schema_extra={"minItems": 1})
]


OneOrMore: TypeAlias = Annotated[
    Annotated[EventPattern, Tag("one")] | Annotated[EventPatterns, Tag("several")],
    Discriminator(lambda given: "one" if isinstance(given, str) else "several"),
]
"""Told apart by what is written, so that a mistake is told once."""
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""What cron has short names for, crontab(5)."""
FilePatterns: TypeAlias = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...],
    AfterValidator(not_empty),
    Field(json_schema_extra={"minItems": 1}),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _five_fields(schedule: str) -> str:
    if (count := len(schedule.split())) != 5:
        said = f"A schedule has five fields, and {shorten(schedule)!r} has {count}"
        meant = NICKNAMES.get(schedule.strip().lower())
        hint = "Write minute hour day month weekday, such as 0 3 * * 1-5 (03:00 from Monday to Friday)."
        raise mistake(said, f"{hint} What cron calls {schedule.strip()} is {meant}." if meant else hint, offset=0)
    return schedule


class RunStep(_Part):
    """One action that a rule runs."""

    action: str = Field(min_length=1, max_length=200, description="Name of the action.", examples=["log_entry"])
    params: dict[str, JsonValue] = Field(
        default={},
        description="Its parameters; `{event.data.name}` in texts is filled in, and alone becomes the value itself.",
        examples=[{"text": "CI {event.data.status} on {event.data.branch}"}],
    )

    @model_validator(mode="after")
    def _check_templates(self) -> RunStep:
        check_params(self.params, "params")
        return self


class TriggerRule(_Part):
    """On which event, under which condition, which actions run. Exactly one of `on`, `schedule` and `files` is given."""

    description: str = Field(default="", max_length=500, description="What it is for.")
    on: OneOrMore | None = Field(
        default=None,
        description="Type of the event, or several; `*` stands for any characters.",
        examples=["ci.finished", ["review.*", "action.denied"]],
    )
    schedule: Annotated[str, AfterValidator(_five_fields)] | None = Field(
        default=None,
        max_length=100,
        json_schema_extra={"minLength": 9},
        description="Time as a cron expression: minute hour day month weekday.",
        examples=["0 3 * * 1-5"],
    )
    timezone: str = Field(default="UTC", max_length=60, description="Of `schedule`, by its IANA name.")
    files: FilePatterns | None = Field(
        default=None,
        description="Files of the project whose change it runs on; `**` stands for any folders.",
        examples=[["docs/**", "pyproject.toml"]],
    )
    when: ExpressionSource = Field(
        default="true",
        description="Condition over the event and the facts that guards know; unknown is no.",
        examples=['event.data.status == "passed" and git.clean'],
    )
    run: Annotated[tuple[RunStep, ...], AfterValidator(not_empty)] = Field(
        max_length=20,
        json_schema_extra={"minItems": 1},
        examples=[[{"action": "run_tests"}]],
        description="Actions, one after the other; what is refused or fails ends it.",
    )
    session: MessageSource = Field(
        default="", description="Session to run them in, such as {event.data.session}; empty: none."
    )
    max_depth: int = Field(
        default=5, ge=1, le=20, description="How many rules may have led to the event, this one included."
    )
    per_minute: int = Field(default=30, ge=1, le=1000, description="So often a minute at most.")
    enabled: bool = Field(default=True, description="false switches it off.")

    @model_validator(mode="after")
    def _check_source(self) -> TriggerRule:
        given = [name for name in ("on", "schedule", "files") if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"{' and '.join(given)} are given together" if given else "Nothing says when it runs"
            hint = "Give exactly one of `on` (an event), `schedule` (a cron expression) and `files` (patterns)."
            raise mistake(said, hint, *given[1:2], KEY)
        return self

    @property
    def patterns(self) -> tuple[str, ...]:
        """The types of events it waits for; a schedule and files have events of their own."""
        if self.on is None:
            return ()
        return (self.on,) if isinstance(self.on, str) else self.on

    @property
    def condition(self) -> Expression:
        """`when`, parsed; remembered by `Expression.parse`."""
        return Expression.parse(self.when)


TriggerName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=60)]


class Trigger(TriggerRule):
    """A trigger rule in a file of its own, named after it."""

    name: TriggerName = Field(description="As the file is called, without its suffix.")


def event_type(name: str, rule: TriggerRule) -> str | None:
    """The type of the event that a rule's own source raises, such as `schedule.nightly`; None for rules on events."""
    word = name.replace("-", "_")
    return f"schedule.{word}" if rule.schedule else f"files.{word}" if rule.files else None
