"""What operators ask of the REST face: is it alive, is it ready, and what has it been doing (Prometheus).

Names and units follow https://prometheus.io/docs/practices/naming/. Every app has a registry of its own, and the values of a
label are bounded: names in definitions, route templates, codes. Nothing a caller says becomes a label.
"""

from __future__ import annotations

import platform
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

import llmgenie_mcp
from llmgenie_mcp.errors import LlmgenieError
from llmgenie_mcp.faces.readiness import examine
from llmgenie_mcp.faces.rest_callers import route_path
from llmgenie_mcp.faces.rest_gauges import Decisions, StoreGauges
from llmgenie_mcp.faces.rest_problem import MEDIA_TYPE

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.engine.telemetry import Observation

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
KEPT_SECONDS = 1.0
"""So long is an answer of /ready given again: a probe is not to be a load."""
PROBLEMS = {
    400: "A header is given twice.",
    401: "A token is needed.",
    403: "The call comes from a foreign web page.",
    421: "The server does not answer to this name.",
    429: "Too many requests.",
}
router = APIRouter(tags=["operation"])


class Metrics:
    """What one app counts.

    Args:
        engine: whose calls are counted from now on.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.registry = registry = CollectorRegistry()
        told: dict[str, Any] = {"registry": registry}
        self._calls = Counter("llmgenie_engine_calls", "Calls of the Engine.", ["verb", "outcome"], **told)
        self._seconds = Histogram(
            "llmgenie_engine_call_duration_seconds", "Time a call took.", ["verb"], buckets=SECONDS, **told
        )
        self._actions = Counter("llmgenie_actions", "Actions asked for.", ["action", "status"], **told)
        self._requests = Counter("llmgenie_http_requests", "Requests answered.", ["route", "method", "status"], **told)
        self._latency = Histogram(
            "llmgenie_http_request_duration_seconds",
            "Time to the end of an answer.",
            ["route"],
            buckets=SECONDS,
            **told,
        )
        built = {"version": llmgenie_mcp.__version__, "python": platform.python_version()}
        Info("llmgenie_build", "What runs here.", **told).info(built)
        ProcessCollector(registry=registry)
        self._decisions = Decisions(engine)
        registry.register(self._decisions)
        registry.register(StoreGauges(engine))
        self.close = engine.observe(self._observed)
        """Count no more."""

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            scope: of the request, after the app had it.
            status: of the answer; 0 when the caller went away before there was one.
            seconds: until its end.
        """
        route = _template(scope)
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._requests.labels(route, method, str(status or 499)).inc()
        self._latency.labels(route).observe(seconds)

    def page(self, accept: str) -> Response:
        """Everything, in the form that `accept` asks for."""
        encode, media_type = choose_encoder(accept)
        return Response(encode(self.registry), media_type=None, headers={"Content-Type": media_type})

    def _observed(self, seen: Observation) -> None:
        """In the thread of the call, which must not suffer from it."""
        result, outcome = seen.result, "ok"
        if seen.error is not None:
            outcome = seen.error.code if isinstance(seen.error, LlmgenieError) else "error"
        elif isinstance(told := getattr(result, "status", None) or getattr(result, "effect", None), str):
            outcome = told
        self._calls.labels(seen.verb, outcome).inc()
        self._seconds.labels(seen.verb).observe(seen.seconds)
        if seen.error is None and seen.verb == "run_action":
            self._actions.labels(result.action, result.status).inc()
            self._decisions.of_action(result)
        elif seen.error is None and seen.verb == "enforce":
            self._decisions.of_question(result)


def attach(app: Any, engine: Engine) -> Metrics:
    """The metrics of `app` about `engine`, made at the first call."""
    known: Metrics | None = getattr(app.state, "metrics", None)
    if known is None or known.engine is not engine:
        if known is not None:
            known.close()
        app.state.metrics = known = Metrics(engine)
    return known


class Health(BaseModel):
    """The answer of /health."""

    status: str = Field(description="ok: the process is alive.")


class Looked(BaseModel):
    """One thing that was looked at."""

    name: str = Field(description="What.")
    status: str = Field(description="ok; warn: works, but look at it; fail: not ready.")
    message: str = Field(description="What was found.")
    fix: str = Field(description="How it is mended; empty when nothing is to be done.")


class Ready(BaseModel):
    """The answer of /ready."""

    status: str = Field(description="ready or unready.")
    checks: list[Looked] | None = Field(
        default=None, description="Not for callers without a token where one is needed."
    )


def _told(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Problems that the guard may answer with, for /openapi.json; their schema is the app's."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": PROBLEMS[status], "content": content} for status in statuses}


@router.get("/health", responses=_told(400, 403, 421), summary="Is it alive?")
async def health() -> Health:
    """The process is alive and answers."""
    return Health(status="ok")


@router.get(
    "/ready",
    response_model=Ready,
    response_model_exclude_none=True,
    responses={503: {"model": Ready, "description": "Not ready; the checks say why."}, **_told(400, 403, 421)},
    summary="May work be sent here?",
)
def ready(request: Request) -> JSONResponse:
    """Whether the store can be written, definitions load, and deliveries get done.

    Who has no token where one is needed gets the answer without its details.
    """
    state = request.app.state
    with _one_at_a_time:
        at, checks = getattr(state, "readiness", (0.0, None))
        if checks is None or time.monotonic() - at > KEPT_SECONDS:
            checks = examine(state.engine)
            state.readiness = (time.monotonic(), checks)
    works = all(check.status != "fail" for check in checks)
    told: dict[str, Any] = {"status": "ready" if works else "unready"}
    if request.scope.get("llmgenie.role") is not None:
        told["checks"] = [asdict(check) for check in checks]
    return JSONResponse(told, 200 if works else 503)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Text."}, **_told(400, 401, 403, 421, 429)},
    summary="Counts and times",
)
def metrics(request: Request) -> Response:
    """For Prometheus, in its text format or as OpenMetrics."""
    found = attach(request.app, request.app.state.engine)
    return found.page(request.headers.get("accept", ""))


_one_at_a_time = threading.Lock()


def _template(scope: Scope) -> str:
    """The route's own path with its parameters' names; nothing that a caller chose."""
    found = getattr(scope.get("route"), "path", None)
    if isinstance(found, str) and found.startswith("/"):
        return found
    path = route_path(scope)  # plain routes of Starlette, such as /mcp, are not told by every version of FastAPI
    return path if any(getattr(route, "path", None) == path for route in scope["app"].routes) else "other"


__all__ = ["Metrics", "attach", "router"]
