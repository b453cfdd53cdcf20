"""Settings of issue trackers: where a project's tasks are kept equal with a tracker's issues."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.expressions.mistake import KEY, mistake
from llmgenie_mcp.registry import OWN_TRACKERS
from llmgenie_mcp.remote import Remote, Url
from llmgenie_mcp.secret import Secret

_OWNER_NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


def _kind(kind: str) -> str:
    if kind not in OWN_TRACKERS:
        from llmgenie_mcp import plugins

        if kind not in (known := plugins.trackers()):
            named = ", ".join(sorted({*OWN_TRACKERS, *known}))
            hint = f"There are: {named}. Plug-ins bring others: llmgenie plugins."
            raise mistake(f"There is no tracker of the kind {shorten(kind)!r}", hint)
    return kind


Label = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^,]+$")]


class Tracker(Remote):
    """An issue tracker that tasks are kept equal with."""

    kind: Annotated[str, StringConstraints(min_length=1, max_length=60), AfterValidator(_kind)] = Field(
        description="Whose API it speaks: github, or a plug-in's.", examples=list(OWN_TRACKERS)
    )
    repository: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S+$")] = Field(
        description="Whose issues they are: OWNER/NAME at GitHub; at a plug-in's tracker what that calls a project.",
        examples=["acme/shop"],
    )
    url: Url | None = Field(
        default=None, description="Address of the API, where it is not the vendor's own (https://api.github.com)."
    )
    token: Secret = Field(description="Token of the API; at GitHub with the right `Issues: read and write`.")
    labels: tuple[Label, ...] = Field(
        default=(), max_length=20, description="Only issues that have all of these belong to the project; empty: all."
    )
    create: bool = Field(default=True, description="Whether a task made here becomes an issue.")
    conflicts: Literal["theirs", "ours", "keep"] = Field(
        default="theirs",
        description="What holds when both sides changed a field differently: the tracker's value, llmgenie's, or, with "
        "`keep`, each keeps its own until a person makes them equal.",
    )
    options: dict[str, JsonValue] = Field(
        default={}, max_length=50, description="What a plug-in's tracker wants to know besides; GitHub: nothing."
    )

    @field_validator("repository")
    @classmethod
    def _check_repository(cls, repository: str, info: ValidationInfo) -> str:
        if info.data.get("kind") in OWN_TRACKERS and not _OWNER_NAME.fullmatch(repository):
            raise mistake(f"{shorten(repository)!r} is no repository", "Write OWNER/NAME, as in acme/shop.")
        return repository

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        if self.options and self.kind in OWN_TRACKERS:
            hint = "They are for trackers of plug-ins: leave them out."
            raise mistake(f"A tracker of the kind {self.kind} takes no options", hint, "options", KEY)
        return self
