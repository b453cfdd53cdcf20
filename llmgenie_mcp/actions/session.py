"""Sessions: spans of work with a beginning, a mode, and an end with a summary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from llmgenie_mcp.engine.situation import ActionContext, Situation
from llmgenie_mcp.errors import BadParams, ProjectError, UnknownName, shorten
from llmgenie_mcp.plugins import Params, action, given
from llmgenie_mcp.project import git_top, resolve, store_of
from llmgenie_mcp.records import Document, Id, Refusal, Session, Text, Title, now


class StartSession(Params):
    """Parameters of start_session."""

    task: Id | None = Field(default=None, description="The task to work on, such as TSK-12.")
    role: Title = Field(default="developer", description="developer, reviewer, release_lead … as the team calls it.")
    mode: Title | None = Field(
        default=None, description="The mode to start in; the workflow's initial one when left out."
    )
    epic: Title | None = Field(default=None, description="The larger goal it belongs to.")
    worktree: str | None = Field(
        default=None, max_length=1000, description="The git worktree to work in, when it is another."
    )


class OneSession(Params):
    """Parameters of pause_session and resume_session."""

    session: Id | None = Field(default=None, description="The session; the caller's own when left out.")


class FinishSession(OneSession):
    """Parameters of finish_session."""

    summary: Text = Field(default="", description="What was done, what is left.")


@given
def _startable(situation: Situation, params: StartSession) -> Refusal | None:
    modes = situation.workflows["modes"].states
    if params.mode is not None and params.mode not in modes:
        raise UnknownName("mode", params.mode, modes)
    if params.task is not None and situation.reader.get("tasks", params.task) is None:
        raise UnknownName("task", params.task, [t["id"] for t in situation.reader.all("tasks")])
    _there(situation, params).fact("git.branch")
    return None


@action(
    "start_session",
    params=StartSession,
    everywhere=True,
    ready=_startable,
    example={"task": "TSK-1", "role": "developer", "mode": "code"},
)
def start_session(ctx: ActionContext, params: StartSession) -> Document:
    """Start a session; hand its id over as `session` from then on."""
    situation = ctx.situation
    there = _there(situation, params)
    branch = there.fact("git.branch")
    session = Session(
        id=ctx.write.next_id("SES"),
        actor=situation.actor.id,
        role=params.role,
        mode=params.mode or situation.workflows["modes"].initial,
        task=params.task,
        epic=params.epic,
        branch=branch if isinstance(branch, str) else None,
        worktree=str(there.folder),
    )
    situation.session = ctx.write.put("sessions", session.id, session.model_dump())
    situation.mode = session.mode
    return {"session": _shown(situation.session)}


@given
def _known(situation: Situation, params: OneSession) -> Refusal | None:
    """Before any policy: what a summary lacks is no matter while there is no such session."""
    if params.session is not None and situation.reader.get("sessions", params.session) is None:
        opened = [d["id"] for d in situation.reader.all("sessions") if d["status"] != "finished"]
        raise UnknownName("session", params.session, opened)
    return None


@action("pause_session", params=OneSession, everywhere=True, ready=_known, example={"session": "SES-1"})
def pause_session(ctx: ActionContext, params: OneSession) -> Document:
    """Pause a session; nothing is done in it until it is resumed."""
    return _turn(ctx, params.session, {"active": "paused"})


@action("resume_session", params=OneSession, everywhere=True, ready=_known, example={"session": "SES-1"})
def resume_session(ctx: ActionContext, params: OneSession) -> Document:
    """Go on with a paused session; answers with its task and instance."""
    return _turn(ctx, params.session, {"paused": "active"})


@action(
    "finish_session",
    params=FinishSession,
    everywhere=True,
    ready=_known,
    example={"summary": "The parser is written and tested; nothing is left."},
)
def finish_session(ctx: ActionContext, params: FinishSession) -> Document:
    """End a session with a summary of what was done and what is left."""
    ended = {"summary": params.summary, "finished_at": now()}
    answer = _turn(ctx, params.session, {"active": "finished", "paused": "finished"}, ended)
    task_id = answer["session"].get("task")
    task = ctx.write.get("tasks", task_id) if task_id else None
    if task and task["status"] not in ("done", "cancelled"):
        answer["left_open"] = (
            f"{task['id']} is {task['status']}; release it with move_task or let the next session go on."
        )
    return answer


def _turn(ctx: ActionContext, id_: str | None, turns: dict[str, str], more: dict[str, Any] | None = None) -> Document:
    situation = ctx.situation
    id_ = id_ or (situation.session or {}).get("id")
    if id_ is None:
        raise BadParams("Which session?", "Name it as `session`.")
    session = ctx.write.get("sessions", id_)
    if session is None:
        raise UnknownName("session", id_, [d["id"] for d in ctx.write.query("sessions") if d["status"] != "finished"])
    if session["status"] not in turns:
        raise BadParams(f"{id_} is {session['status']}.", f"This works for a session that is {' or '.join(turns)}.")
    session |= {"status": turns[session["status"]], "updated_at": now(), **(more or {})}
    written = ctx.write.put("sessions", id_, session)
    if situation.session and situation.session["id"] == id_:
        situation.session = written
    return {"session": _shown(written)}


def _shown(session: Document) -> Document:
    return {k: v for k, v in session.items() if v not in (None, "", []) and k not in ("created_at", "updated_at")}


def _there(situation: Situation, params: StartSession) -> Situation:
    """The situation in the worktree that the session is to work in. BadParams when that is none of this project's."""
    place = situation.project.root
    if params.worktree is not None:
        hint = "Name a checkout that git worktree list shows."
        try:
            place = resolve(params.worktree, source="worktree").root
        except ProjectError as error:
            raise BadParams(error.message, hint) from None
        if git_top(place) != place or store_of(place).resolve() != situation.project.store.resolve():
            raise BadParams(f"{shorten(params.worktree)} is no worktree of this project.", hint)
    return replace(situation, session={"worktree": str(place)})
