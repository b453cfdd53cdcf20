"""Settings of issue trackers: where a project's tasks are kept equal with a tracker's issues."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.remote import Remote, Url
from llmgenie_mcp.secret import Secret

KINDS = ("github",)
"""The kinds that llmgenie itself brings, a file each in `trackers/`."""


def _kind(kind: str) -> str:
    if kind not in KINDS:
        message = f"There is no tracker of the kind {shorten(kind)!r}"
        raise PydanticCustomError("kind", "{message}", {"message": message, "hint": f"There are: {', '.join(KINDS)}."})
    return kind


Label = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^,]+$")]


class Tracker(Remote):
    """An issue tracker that tasks are kept equal with."""

    kind: Annotated[str, AfterValidator(_kind)] = Field(description="Whose API it speaks.", examples=list(KINDS))
    repository: str = Field(
        max_length=200,
        pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$",
        description="Whose issues they are.",
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
