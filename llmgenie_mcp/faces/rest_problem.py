"""Errors over REST: problem details for HTTP APIs, RFC 9457 (https://www.rfc-editor.org/rfc/rfc9457).

The type is `urn:llmgenie:error:<code>`, with the code that the error has over MCP and in the command line too. Refusals by
workflows and policies are no errors: they are Outcomes, and never come as a problem.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from llmgenie_mcp import errors
from llmgenie_mcp.errors import LlmgenieError, shorten
from llmgenie_mcp.faces import rest_asked

if TYPE_CHECKING:
    from fastapi import FastAPI

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 1
"""Seconds after which a busy store is worth another try."""

STATUSES: tuple[tuple[type[LlmgenieError], int, str], ...] = (
    (errors.UnknownName, 404, "There is nothing of that name"),
    (errors.NotWritable, 405, "This cannot be written"),
    (errors.BadParams, 422, "Parameters do not fit"),
    (errors.UsageError, 422, "This cannot be done"),
    (errors.DefinitionError, 503, "The project's definitions are wrong"),
    (errors.ProjectError, 503, "There is no usable project"),
    (errors.ActionError, 422, "The action could not do its work"),
    (errors.Conflict, 409, "Somebody wrote in between"),
    (errors.StorageBusy, 503, "The store is busy"),
    (errors.StorageFull, 507, "There is no space left"),
    (errors.StorageError, 503, "The store cannot be used"),
)
"""The first that fits decides. 405 goes with `Allow: GET`: the key is there, and it is read only (RFC 9110, 15.5.6). Broken
definitions are 503: the server works, and goes on as soon as the files are mended."""

PRECONDITIONS = ("if-match", "if-none-match")
TITLES = {404: ("not_found", "There is no such address"), 405: ("method_not_allowed", "This address has other methods")}

log = logging.getLogger(__name__)


class Json(JSONResponse):
    """A JSON answer that can hold whatever the store holds."""

    def render(self, content: Any) -> bytes:
        """As JSON; a lone surrogate, which has no UTF-8 form, as an escape."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str).encode(
            "utf-8", "backslashreplace"
        )


class Problem(Exception):
    """Ends a request with a problem.

    Args:
        status: of the answer.
        code: stable machine-readable name, see `errors`.
        title: what kind of problem it is.
        detail: what was wrong with this request.
        hint: what to do next.
        headers: of the answer.
        more: further members, JSON-compatible.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        hint: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.title, self.detail, self.hint = status, code, title, detail, hint
        self.headers, self.more = dict(headers or {}), more

    def response(self) -> JSONResponse:
        """The answer."""
        told = {
            "type": f"urn:llmgenie:error:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.hint:
            told["hint"] = self.hint
        extra = {name: value for name, value in self.more.items() if name not in told}
        return Json({**told, **extra}, self.status, self.headers, MEDIA_TYPE)


def of_error(error: LlmgenieError, *, precondition: bool = False) -> JSONResponse:
    """The answer to an error of the tree.

    Args:
        error: what was raised.
        precondition: the request had If-Match or If-None-Match, so that a conflict is a precondition that failed.
    """
    status, title = next((status, title) for kind, status, title in _statuses() if isinstance(error, kind))
    headers = {}
    if isinstance(error, errors.StorageBusy):
        headers["Retry-After"] = str(RETRY_AFTER)
    if isinstance(error, errors.NotWritable):
        headers["Allow"] = "GET"
    if precondition and isinstance(error, errors.Conflict):
        status = 412
    return Problem(status, error.code, title, error.message, error.hint, headers=headers, **error.details).response()


def _statuses() -> Sequence[tuple[type[LlmgenieError], int, str]]:
    return (*STATUSES, (LlmgenieError, 500, "Something went wrong"))


def install(app: FastAPI) -> None:
    """Have every error of `app` answered as a problem."""
    app.add_exception_handler(Problem, _of_problem)
    app.add_exception_handler(LlmgenieError, _of_tree)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_surprise)


async def _of_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 - Starlette calls it for nothing else
    return error.response()


async def _of_tree(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LlmgenieError)  # noqa: S101 - Starlette calls it for nothing else
    return of_error(error, precondition=any(name in request.headers for name in PRECONDITIONS))


async def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - Starlette calls it for nothing else
    problems = [*rest_asked.problems(request, error.errors())]
    detail = "; ".join(f"{one['where']}: {one['message']}" for one in problems[:3])
    hint = "What an address takes stands in /openapi.json."
    if (
        isinstance(error.body, bytes) and error.body
    ):  # FastAPI reads JSON only where it is called so, against forged forms
        hint = f"Send the body with the header Content-Type: application/json. {hint}"
    return Problem(422, "bad_params", "Parameters do not fit", shorten(detail, 500), hint, problems=problems).response()


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette calls it for nothing else
    code, title = TITLES.get(error.status_code, ("http", str(error.detail)))
    detail = f"{request.method} {shorten(request.url.path)}: {error.detail}."
    hint = "The addresses stand in /openapi.json."
    return Problem(error.status_code, code, title, detail, hint, headers=error.headers).response()


async def _of_surprise(_request: Request, error: Exception) -> JSONResponse:
    hint = "The server's log has it, and the server goes on; look at GET /workflow/state before you try again."
    detail = f"Internal error ({type(error).__name__})."
    return Problem(500, "internal", "Something unexpected happened", detail, hint).response()
