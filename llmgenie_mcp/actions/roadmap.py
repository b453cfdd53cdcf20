"""The roadmap: goals whose progress is counted from the tasks that name them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from llmgenie_mcp.contextdata import fitting, progress
from llmgenie_mcp.engine.situation import ActionContext
from llmgenie_mcp.errors import BadParams, UnknownName
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.records import Document, Id, RoadmapItem, Text, Title, now

SHOWN = ("id", "title", "status", "target", "version")


class RoadmapAdd(Params):
    """Parameters of roadmap_add."""

    title: Title = Field(description="The goal, in one line.")
    description: Text = Field(default="", description="What it means and when it is reached.")
    target: str = Field(default="", max_length=100, description="A date or a version.")


class RoadmapUpdate(Params):
    """Parameters of roadmap_update."""

    id: Id = Field(description="The item, such as RMI-1.")
    title: Title | None = Field(default=None, description="New title.")
    description: Text | None = Field(default=None, description="New description.")
    target: str | None = Field(default=None, max_length=100, description="New date or version.")
    status: Literal["planned", "active", "done", "dropped"] | None = Field(default=None, description="New status.")
    expected_version: int | None = Field(default=None, ge=0, description="Refuse when the item has another version.")


@action("roadmap_add", params=RoadmapAdd, example={"title": "Parse every dialect", "target": "1.2.0"})
def roadmap_add(ctx: ActionContext, params: RoadmapAdd) -> Document:
    """Add a goal to the roadmap; tasks that name it as roadmap_item count towards it."""
    item = RoadmapItem(id=ctx.write.next_id("RMI"), **params.model_dump())
    return {"id": item.id, "item": _short(ctx.write.put("roadmap", item.id, item.model_dump()))}


@action("roadmap_update", params=RoadmapUpdate, example={"id": "RMI-1", "status": "active"})
def roadmap_update(ctx: ActionContext, params: RoadmapUpdate) -> Document:
    """Change a goal of the roadmap."""
    item = ctx.situation.reader.get("roadmap", params.id)
    if item is None:
        raise UnknownName("roadmap item", params.id, [other["id"] for other in ctx.situation.reader.all("roadmap")])
    changes = params.model_dump(exclude_unset=True, exclude={"id", "expected_version"})
    if nulls := [name for name, value in changes.items() if value is None]:
        raise BadParams(f"{', '.join(nulls)} cannot be null.", "Leave out what shall stay as it is.")
    document = {**item, **changes, "updated_at": now()}
    written = ctx.write.put("roadmap", params.id, document, expected_version=params.expected_version)
    return {"id": params.id, "item": _short(written)}


@action("list_roadmap", changes=False, everywhere=True, example={})
def list_roadmap(ctx: ActionContext, _params: BaseModel) -> Document:
    """List the goals of the roadmap with their progress; context data `roadmap` has the rest of a long list."""
    reader = ctx.situation.reader
    items = reader.all("roadmap")
    shown = fitting(
        {**_short(item), "progress": progress(reader.all("tasks", {"roadmap_item": item["id"]}))} for item in items
    )
    return {"items": shown, "total": len(items)}


def _short(item: Document) -> Document:
    return {name: item[name] for name in SHOWN if item.get(name) not in (None, "")}
