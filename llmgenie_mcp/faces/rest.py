"""REST: the Engine over HTTP, and MCP at /mcp. Loaded by `llmgenie serve --http`, or mounted into an app of one's own.

    host = FastAPI(lifespan=lambda _: genie.router.lifespan_context(genie))
    genie = create_app("path/to/project")
    host.mount("/llmgenie", genie)

Where the host does not enter the lifespan, everything is opened at the first request and closed when the event loop ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

import llmgenie_mcp
from llmgenie_mcp.errors import LlmgenieError
from llmgenie_mcp.faces import (
    rest_docs,
    rest_events,
    rest_guard,
    rest_mcp,
    rest_metrics,
    rest_models,
    rest_problem,
    rest_routes,
    rest_webhooks,
)
from llmgenie_mcp.faces.rest_running import House, Running

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from llmgenie_mcp.engine import Engine

ABOUT = """\
What may be done now, why not, and what would make it possible; and doing it.

A refusal is an answer, not an error: every Outcome has a `status`, and reasons when it is denied. Errors are problem details
(RFC 9457) of type `urn:llmgenie:error:CODE`."""


def create_app(
    project: str | Path | None = None,
    *,
    engine: Engine | None = None,
    dispatcher: bool = True,
    hosts: Iterable[str] = (),
) -> FastAPI:
    """The REST face as an ASGI app.

    Args:
        project: the project's folder; None to look for it (`LLMGENIE_PROJECT`, the current folder).
        engine: an open Engine to use instead; it stays its giver's to close.
        dispatcher: whether the process that serves the app may also be the one that delivers for the project.
        hosts: names by which it may be called, beside loopback and the settings' `rest.hosts`.

    Returns:
        The app; `app.state.engine` is the Engine once it is open. /docs is a page of our own: FastAPI's loads scripts from
        elsewhere.
    """
    house = House(project, engine, dispatcher=dispatcher)
    app = _App(
        title="llmgenie",
        version=llmgenie_mcp.__version__,
        description=ABOUT,
        lifespan=house.lifespan,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        separate_input_output_schemas=False,
    )
    app.state.house, app.state.engine = house, engine
    rest_problem.install(app)
    app.add_middleware(Front, house=house, hosts=tuple(hosts))
    app.include_router(rest_docs.router)
    app.include_router(rest_routes.router)
    app.include_router(rest_events.router)
    app.include_router(rest_metrics.router)
    app.include_router(rest_webhooks.router)
    app.router.routes.extend(rest_mcp.routes())
    return app


class _App(FastAPI):
    """With the schema of problems, which no route names as its answer's model."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if self.openapi_schema is None:
            schemas = super().openapi().setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = rest_models.Problem.model_json_schema()
        assert self.openapi_schema is not None  # noqa: S101 - FastAPI keeps it
        return self.openapi_schema


class Front:
    """Before everything: the app is open, and the guard has looked at the request."""

    def __init__(self, app: ASGIApp, house: House, hosts: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = hosts
        self._house = house
        self._guarded: tuple[Running | None, ASGIApp] = (None, app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            running = await self._house.ensure(scope["app"])
        except LlmgenieError as error:
            await rest_problem.of_error(error)(scope, receive, send)
            return
        known, guarded = self._guarded
        if known is not running:
            guarded = rest_guard.Guard(self._app, running.engine, self._hosts)
            self._guarded = (running, guarded)
        await guarded(scope, receive, send)


__all__ = ["create_app"]
