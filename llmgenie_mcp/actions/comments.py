"""What is said about a task: comments, which trackers that the task is linked to show too."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from llmgenie_mcp.engine.situation import ActionContext
from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.records import Document, Id, now

Said = Annotated[str, StringConstraints(min_length=1, max_length=20_000, strip_whitespace=True)]


class CommentTask(Params):
    """Parameters of comment_task."""

    id: Id = Field(description="The task, such as TSK-12.")
    text: Said = Field(description="What there is to say, as Markdown.")


@action(
    "comment_task", params=CommentTask, everywhere=True, example={"id": "TSK-1", "text": "It fails on Windows alone."}
)
def comment_task(ctx: ActionContext, params: CommentTask) -> Document:
    """Say something about a task; a tracker that the task is linked to shows it."""
    task = ctx.situation.reader.get("tasks", params.id)
    if task is None:
        raise UnknownName("task", params.id, [one["id"] for one in ctx.situation.reader.all("tasks")])
    actor, id_ = ctx.situation.actor, ctx.write.next_id("CMT")
    ctx.write.put("comments", id_, {"id": id_, "task": params.id, "author": actor.id, "text": params.text, "at": now()})
    ctx.write.put("tasks", params.id, {**task, "updated_at": now()})
    return {"id": params.id, "comment": id_}
