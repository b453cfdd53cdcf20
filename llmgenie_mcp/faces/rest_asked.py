"""What a request asks for: names that its address does not know are refused and told, in the query as in the body.

A filter whose name is misspelt would else be left out in silence, and the answer taken for a filtered one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastapi import Request

from llmgenie_mcp.errors import BadParams, shorten
from llmgenie_mcp.validation import problem, unknown_parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = 20


def known_query(request: Request) -> None:
    """Refuse parameters of the query that the address does not have.

    Raises:
        BadParams: names them, and those that there are.
    """
    if not request.query_params:
        return
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    if odd := [name for name in request.query_params if name not in known]:
        problems = [unknown_parameter(f"query.{shorten(name)}", name, known) for name in odd[:SHOWN]]
        text = "; ".join(f"{one['where']}: {one['message']}" for one in problems[:3])
        takes = f"The query takes: {', '.join(known)}." if known else "This address takes no query."
        raise BadParams(f"Parameters do not fit: {text}.", takes, problems=problems)


def problems(request: Request, found: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Mistakes that FastAPI found, as {where, message, …}; of the body in the words of all other parameters.

    Args:
        request: in which they are.
        found: `RequestValidationError.errors()`.
    """
    field = getattr(request.scope.get("route"), "body_field", None)
    model: Any = getattr(getattr(field, "field_info", None), "annotation", None)
    for item in found[:SHOWN]:
        place, *inner = item["loc"]
        if place == "body" and inner and hasattr(model, "model_fields"):
            told = problem({**item, "loc": tuple(inner)}, model)
            yield {**told, "where": f"body.{told['where']}"}
        else:
            yield {"where": ".".join(map(str, item["loc"])), "message": str(item["msg"])}
