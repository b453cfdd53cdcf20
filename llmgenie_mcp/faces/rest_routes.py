"""The addresses of REST: each asks the Engine one question, or has it do one thing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from starlette.responses import Response

from llmgenie_mcp.engine.elsewhere import asks
from llmgenie_mcp.errors import BadParams, UsageError, shorten
from llmgenie_mcp.faces import rest_etag, rest_guard
from llmgenie_mcp.faces import rest_models as models
from llmgenie_mcp.faces.rest_asked import known_query
from llmgenie_mcp.faces.rest_problem import MEDIA_TYPE, Json, Problem
from llmgenie_mcp.faces.rest_running import actor, running, token
from llmgenie_mcp.outcome import Document, Outcome

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine

STATUSES = {"ok": 200, "running": 202, "denied": 403, "failed": 422}
"""HTTP status by the status of an Outcome. The body is the Outcome whatever the status."""
LOOK_AGAIN = {"Retry-After": "1"}
PROBLEMS = {
    400: "The request cannot be read.",
    401: "A token is needed.",
    403: "The token may not do this.",
    404: "There is nothing of that name.",
    405: "The key cannot be written.",
    408: "The body came too slowly.",
    409: "Somebody wrote in between, or it was answered already.",
    412: "If-Match does not hold.",
    413: "The body is too large.",
    421: "The server is not called by this name.",
    422: "Parameters do not fit.",
    429: "Too many requests.",
    500: "Something unexpected happened.",
    503: "The project's definitions are wrong, or its store cannot be used now.",
    507: "There is no space left.",
}
ALWAYS = (400, 401, 403, 408, 413, 421, 422, 429, 500, 503)
SESSION = Query(max_length=200, description="The caller's session, from start_session.")
Session: TypeAlias = Annotated[str | None, SESSION]
Body: TypeAlias = dict[int | str, dict[str, Any]]

router = APIRouter(dependencies=[Depends(known_query)])


def answers(model: Any, *problems: int, outcome: bool = False) -> Body:
    """What an address answers, for /openapi.json.

    Args:
        model: of the answer with status 200.
        problems: statuses that come with a problem, beside those that always may.
        outcome: the answer is an Outcome, which comes with other statuses too.
    """
    told: Body = {200: {"model": model, "description": "The answer."}}
    if outcome:
        told |= {status: {"model": model, "description": f"{word}."} for word, status in STATUSES.items()}
    for status in sorted({*ALWAYS, *problems}):
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        said = told.setdefault(status, {"description": PROBLEMS[status]})
        said["content"] = content
    return told


def shown(outcome: Outcome) -> Json:
    """An Outcome as an answer."""
    status = STATUSES[outcome.status]
    return Json(outcome.to_dict(), status, LOOK_AGAIN if status == 202 else None)


@router.get("/actions", responses=answers(models.Actions, 404), summary="What may be done now")
async def actions(
    request: Request,
    context: Annotated[str | None, Query(description="A mode, a workflow, workflow/state or an instance id.")] = None,
    session: Session = None,
    query: Annotated[str | None, Query(description="Words to search for; the best come first, with schema.")] = None,
    include_blocked: Annotated[bool, Query(description="Also what may not be done, and why.")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """Open actions in a context; by default where the session is."""
    here = running(request)
    return Json(await here.ask(here.engine.available_actions, context, session, include_blocked, query, limit))


@router.get("/workflow/state", responses=answers(models.State, 404), summary="Where things stand")
async def workflow_state(request: Request, session: Session = None) -> Response:
    """Project, mode, session, running workflows with their next triggers, approvals that wait."""
    here = running(request)
    return Json(await here.ask(here.engine.workflow_state, session))


@router.get("/policies", responses=answers(models.Policies), summary="Every policy in short")
async def policies(request: Request) -> Response:
    """Name, level, origin and description."""
    here = running(request)
    return Json({"policies": await here.ask(here.engine.policies)})


@router.get("/policy/{name}", responses=answers(models.Policy, 404), summary="One policy")
async def policy(request: Request, name: str) -> Response:
    """A policy with its rules."""
    here = running(request)
    return Json(await here.ask(here.engine.policy, name))


@router.get("/enforcement/status", responses=answers(models.Enforcement), summary="What is enforced, and where")
async def enforcement_status(request: Request) -> Response:
    """Policies in force, points at which they are enforced, and what keeps that from being complete."""
    here = running(request)
    return Json(await here.ask(here.engine.enforcement_status))


READ = answers(models.ContextDocument | models.ContextList, 404)
READ[304] = {"description": "It is as If-None-Match says."}


@router.get("/context/{key:path}", responses=READ, summary="Read context data")
async def context_data(
    request: Request,
    key: Annotated[str, Path(description="`tasks`, `tasks/TSK-1`, `notes/NAME`, `meta-log` …", examples=["tasks"])],
    query: Annotated[str | None, Query(description="Words that must occur, or field:value.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="Of the answer before, for what follows.")] = None,
    if_none_match: Annotated[str | None, Header(description="The ETag that you have.")] = None,
) -> Response:
    """One document, with its version as ETag, or a page of a list, with a Link to the next."""
    if asks(key):
        rest_guard.require(request, "agent", "To read what another server has is to have it asked.")
    here = running(request)
    ask = partial(here.engine.context_data, full_key(key), query, limit, cursor, actor=actor(request))
    answer, tag = await here.ask(_read, here.engine, ask)
    headers = {"Cache-Control": "private, no-cache"}  # who keeps it asks whether it still holds
    if tag is not None:
        headers["ETag"] = tag
    if answer.get("cursor") is not None:
        more = {"query": query, "limit": str(limit), "cursor": answer["cursor"]}
        asked = urlencode({name: value for name, value in more.items() if value is not None})
        headers["Link"] = f'<{quote(request.url.path)}?{asked}>; rel="next"'
    if rest_etag.unchanged(tag, if_none_match):
        return Response(status_code=304, headers=headers)
    return Json(answer, headers=headers)


def _read(engine: Engine, ask: Callable[[], Document]) -> tuple[Document, str | None]:
    seq = engine.storage.refresh()  # before reading: what is written meanwhile makes the tag too old, never too new
    answer = ask()
    return answer, rest_etag.of_answer(answer, seq)


def full_key(key: str) -> str:
    """`key`, in which the bare number of a task stands for its id."""
    table, _, name = key.strip("/").partition("/")
    return f"tasks/TSK-{name}" if table == "tasks" and name.isascii() and name.isdecimal() else key


@router.post("/action", responses=answers(Outcome, 404, 409, 507, outcome=True), summary="Run an action")
async def action(
    request: Request,
    asked: models.ActionAsked,
    idempotency_key: Annotated[str | None, Header(max_length=202, description="In place of the body's.")] = None,
) -> Response:
    """Run an action, if workflow and policies allow it. It goes on when the caller hangs up: ask again with the same key."""
    rest_guard.require(request, "agent")
    here = running(request)
    cancel = threading.Event()
    run = partial(
        here.engine.run_action,
        asked.action,
        asked.params,
        session=asked.session,
        actor=actor(request),
        idempotency_key=_one_key(asked.idempotency_key, idempotency_key),
        cancel=cancel,
    )

    def unless_slow() -> Outcome | None:
        offer = here.engine.definitions.actions.get(asked.action)
        return None if offer is not None and offer.slow else run()

    outcome = await here.ask(unless_slow)
    return shown(outcome if outcome is not None else await here.background.run(run, cancel))


def _one_key(in_body: str | None, in_header: str | None) -> str | None:
    """The idempotency key; a header holds it bare or in quotes (draft-ietf-httpapi-idempotency-key-header)."""
    if in_header is None:
        return in_body
    quoted = len(in_header) >= 2 and in_header[0] == in_header[-1] == '"'
    key = in_header[1:-1] if quoted else in_header
    if not key or (in_body is not None and in_body != key):
        raise BadParams("The idempotency key of the header is empty or another than the body's.", "Say it once.")
    return key


@router.post(
    "/context/{key:path}",
    responses=answers(Outcome, 404, 405, 409, 412, 507, outcome=True),
    summary="Write context data",
)
async def update_context(
    request: Request,
    key: Annotated[str, Path(description="`notes/NAME`, `tasks/ID` or `roadmap/ID`.", examples=["notes/plan"])],
    asked: models.WriteAsked,
    if_match: Annotated[str | None, Header(description="The ETag that you read; * when it must be there.")] = None,
    if_none_match: Annotated[str | None, Header(description="* when it must be new.")] = None,
) -> Response:
    """Write a note, or fields of a task or roadmap item."""
    rest_guard.require(request, "agent")
    here, name, who = running(request), full_key(key), actor(request)

    def write() -> Outcome:
        version = rest_etag.expected(here.engine, name, asked.expected_version, if_match, if_none_match)
        return here.engine.update_context(name, asked.value, expected_version=version, session=asked.session, actor=who)

    return shown(await here.ask(write))


@router.post("/event", responses=answers(models.EventReceived, 404, 409, 507), summary="Tell of an event")
async def event(request: Request, asked: models.EventAsked) -> Response:
    """Tell of something that happened outside; workflows that wait for it move on, and rules run."""
    rest_guard.require(request, "agent")
    here = running(request)
    answer = await here.ask(
        here.engine.trigger_event, asked.event, asked.params, session=asked.session, actor=actor(request)
    )
    return Json(answer)


@router.post("/enforce", responses=answers(models.Decision, 404), summary="What the policies say")
async def enforce(request: Request, asked: models.EnforceAsked) -> Response:
    """Whether the policies would allow an action or operation, without doing it."""
    here = running(request)
    only = None if asked.policy in (None, "all", "*") else asked.policy
    decision = await here.ask(
        here.engine.enforce, only, asked.action, asked.params, session=asked.session, actor=actor(request)
    )
    return Json(decision.to_dict())


@router.post("/approvals/{id}", responses=answers(Outcome, 404, 409, 507, outcome=True), summary="A person answers")
async def approve(
    request: Request,
    id: Annotated[str, Path(description="Such as APR-1.")],  # noqa: A002 - the name in the address
    asked: models.ApprovalAsked,
) -> Response:
    """Answer what waits for a person; it takes a person's own token."""
    rest_guard.require(request, "human", f"A person answers in a terminal: llmgenie approve {shorten(id)}.")
    person = token(request) or "rest"
    here = running(request)
    decide = partial(
        here.engine.decide_approval, id, asked.granted, person=person, channel="rest", comment=asked.comment
    )
    try:
        return shown(await here.ask(decide))
    except UsageError as error:
        if type(error) is not UsageError:
            raise
        raise Problem(409, error.code, "It was answered already", error.message, error.hint) from error


@router.post("/access/v1/evaluation", responses=answers(models.Evaluation, 404), summary="AuthZEN access evaluation")
async def evaluation(request: Request, asked: models.EvaluationAsked) -> Response:
    """The decision in the words of the OpenID AuthZEN Authorization API 1.0; `ask` is no yes, for a person must agree."""
    name = asked.action.get("name")
    if not isinstance(name, str):
        raise BadParams(
            "action.name is missing.", 'AuthZEN: {"subject": …, "action": {"name": "merge"}, "resource": …}.'
        )
    params = {**_properties(asked.resource), **_properties(asked.action)}
    session = _properties(asked.subject).get("session")
    here = running(request)
    said = session if isinstance(session, str) else None
    decision = await here.ask(here.engine.enforce, None, name, params or None, session=said, actor=actor(request))
    told = {"effect": decision.effect, "reasons": [reason.to_dict() for reason in decision.reasons]}
    return Json({"decision": decision.allowed, "context": told})


def _properties(part: Document) -> Document:
    found = part.get("properties")
    return found if isinstance(found, dict) else {}
