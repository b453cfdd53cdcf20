"""Starting a CI workflow. Its end comes as the event ci.finished, from `sinks/ci.py`, which watches it."""

from __future__ import annotations

import uuid
from dataclasses import asdict

from pydantic import Field

from llmgenie_mcp import ci
from llmgenie_mcp.actions._configured import Configured
from llmgenie_mcp.ci import Run, Unanswered
from llmgenie_mcp.config import Ci
from llmgenie_mcp.engine.situation import ActionContext, Situation
from llmgenie_mcp.errors import ActionError, BadParams
from llmgenie_mcp.outcome import CI_FINISHED
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.records import Document, Title, now

LOOKS = 3
"""So often is a run looked for at once that the vendor did not name; later the sink goes on with it."""
BETWEEN = 2.0
"""Seconds between these looks."""
EXAMPLE = "{kind: github, project: owner/repository, workflow: ci.yml, token: {env: GITHUB_TOKEN}}"


class StartCi(Params):
    """Parameters of start_ci."""

    name: Title = Field(description="Name of a CI workflow in the settings.")
    ref: str | None = Field(
        default=None,
        min_length=1,
        max_length=250,
        description="Branch or tag to run on; the branch worked on when left out.",
    )
    inputs: dict[str, str | bool | int | float] = Field(
        default={}, description="Values for inputs that the settings name."
    )


def _resource(situation: Situation, params: StartCi) -> Document:
    return {"type": "ci", "id": params.name, "branch": _ref(situation, params)}


@action(
    "start_ci",
    params=StartCi,
    slow=True,
    needs="ci",
    ready=Configured("ci", "CI workflow", EXAMPLE),
    resource=_resource,
    example={"name": "tests", "ref": "feature/parser"},
)
def start_ci(ctx: ActionContext, params: StartCi) -> Document:
    """Start a CI workflow of the settings on a branch; its end comes as the event ci.finished."""
    settings = ctx.situation.settings.ci[params.name]
    ref = _ref(ctx.situation, params)
    if ref is None:
        raise ActionError("There is no branch to run on: HEAD is detached.", "Name a branch or tag as `ref`.")
    inputs = _inputs(settings, params)
    ctx.run["command"] = params.name
    try:
        run = ci.start(settings, ref, inputs, ctx.cancel)
    except Unanswered as error:
        hint = "It may have been started all the same: look before you start it again." if error.perhaps else error.hint
        message = f"Starting {params.name} was cancelled." if ctx.cancel.is_set() else error.message
        raise ActionError(message, hint, result={"status": error.status} if error.status else {}) from None
    run = _named(ctx, settings, run)
    session = (ctx.situation.session or {}).get("id")
    watched = {**asdict(run), "ref": ref, "session": session, "started": now()}
    ctx.deliver("ci", params.name, watched, lane=f"ci:{params.name}:{run.id or uuid.uuid4().hex[:8]}")
    told = {
        "name": params.name,
        "provider": settings.kind,
        "ci_run": run.id,
        "ref": ref,
        "commit": run.commit,
        "url": run.url,
    }
    return {**{key: value for key, value in told.items() if value}, "ends_with": CI_FINISHED}


def _named(ctx: ActionContext, settings: Ci, run: Run) -> Run:
    """The run with its number, if the vendor tells it soon; whoever waits can look at it then."""
    for number in range(LOOKS if not run.id else 0):
        if number and ctx.cancel.wait(BETWEEN):
            break
        ctx.progress(number, None, "it was started; looking which run it is")
        try:
            run = ci.look(settings, run, ctx.cancel)
        except (Unanswered, ActionError):
            continue  # the sink looks again, and says what is wrong
        if run.id:
            break
    return run


def _ref(situation: Situation, params: StartCi) -> str | None:
    """What is asked for, else what the settings say, else the session's branch, else the one checked out."""
    settings = situation.settings.ci.get(params.name)
    said = params.ref or (settings.ref if settings else "") or (situation.session or {}).get("branch")
    found = said or situation.fact("git.branch")
    return found if isinstance(found, str) and found else None


def _inputs(settings: Ci, params: StartCi) -> dict[str, str]:
    """The inputs to send: those of the settings, and over them what was given for them."""
    if unknown := [name for name in params.inputs if name not in settings.inputs]:
        known = ", ".join(settings.inputs) or "none"
        hint = f"It takes: {known}. A person may name more below `inputs` in the settings."
        raise BadParams(f"{unknown[0]!r} is no input of {params.name} in the settings.", hint)
    given = {name: _text(value) for name, value in params.inputs.items()}
    return {name: value for name, value in {**settings.inputs, **given}.items() if value is not None}


def _text(value: str | bool | float) -> str:
    """A value as CI vendors write it in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)
