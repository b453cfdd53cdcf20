"""HTTP calls from the settings, made by name: what may be called, and with what, is the team's choice, not the caller's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import Field

from llmgenie_mcp import api, network, redact, validation
from llmgenie_mcp.actions._configured import Configured
from llmgenie_mcp.config import PLACEHOLDER, Call, split_address
from llmgenie_mcp.engine.situation import ActionContext, Situation
from llmgenie_mcp.errors import ActionError, BadParams, shorten
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.records import Document, Title

SHOWN = 4000
"""Characters of an answer that is text, and about so many bytes of one that is JSON, in the result."""
EXAMPLE = "{url: 'https://example.org/items/{id}', method: GET, params: {properties: {id: {type: string}}}}"
_MISSING = object()


class CallHttp(Params):
    """Parameters of call_http."""

    name: Title = Field(description="Name of an HTTP call in the settings.")
    params: dict[str, Any] = Field(default={}, description="Its parameters, as its schema says.")


def _resource(situation: Situation, params: CallHttp) -> Document:
    call = situation.settings.calls.get(params.name)
    return {"type": "call", "id": params.name, **({"method": call.method, "url": call.url} if call else {})}


@action(
    "call_http",
    params=CallHttp,
    slow=True,
    needs="calls",
    ready=Configured("calls", "HTTP call", EXAMPLE),
    resource=_resource,
    example={"name": "deploy", "params": {"environment": "staging"}},
)
def call_http(ctx: ActionContext, params: CallHttp) -> Document:
    """Make an HTTP call of the settings by name, such as asking another system of the team."""
    call = ctx.situation.settings.calls[params.name]
    url, body = fill(call, params.params)
    ctx.run["command"] = params.name
    secrets = {name: api.header(secret) for name, secret in call.secret_headers.items()}
    try:
        reply = api.ask(
            call.method,
            url,
            timeout=call.timeout,
            allow_private=call.allow_private,
            headers=call.headers,
            secrets=secrets,
            content=body,
            max_bytes=call.max_bytes,
            cancel=ctx.cancel,
        )
    except network.Unreachable as error:
        cancelled = ctx.cancel.is_set()
        message = f"The call {params.name} was cancelled." if cancelled else f"{params.name}: {error.message}"
        hint = "Nothing was sent." if error.refused else "It may have been done all the same, if it does anything."
        raise ActionError(message, hint) from None
    result: Document = {"status": reply.status, **_shown(reply)}
    if reply.ok:
        return result
    why = f": {said}" if (said := reply.said()) else ""
    hint = "No redirect is followed: a person must correct the address." if 300 <= reply.status < 400 else ""
    message = f"{params.name} was answered with {reply.status}{why}."
    raise ActionError(message, hint or "Its answer is in `result`.", result=result)


def fill(call: Call, params: Mapping[str, Any]) -> tuple[str, Any]:
    """The address and the body (None: none) with the parameters in their places.

    Values in the address are percent-encoded (RFC 3986, 2.1), so that one never ends the part that it stands in; what
    a query says with a parameter that was not given is left out. In the body a text that is nothing but a declared
    parameter becomes its value, and is left out when it was not given.

    Raises:
        BadParams: they do not fit the call's schema, or lead elsewhere than the settings say.
        ActionError: the schema is wrong.
    """
    declared = validation.check_declared(call.params, params, "The call")
    origin, rest = split_address(call.url)
    path, mark, query = rest.partition("?")
    pairs = [pair for pair in query.split("&") if all(name in params for name in PLACEHOLDER.findall(pair))]
    asked = PLACEHOLDER.sub(lambda found: quote(_text(params[found[1]]), safe=""), "&".join(pairs))
    way = PLACEHOLDER.sub(lambda found: _segment(params, found[1]), path)
    _check_way(way)
    body = _filled(call.body, params, declared)
    return f"{origin}{way}{mark if asked else ''}{asked}", None if body is _MISSING else body


def _segment(params: Mapping[str, Any], name: str) -> str:
    """A value as a part of a path."""
    value = _text(params[name]) if name in params else ""
    if not value:
        raise BadParams(f"{name} is part of the call's address, so it cannot be left out or empty.", f"Give {name}.")
    return quote(value, safe="")


def _check_way(way: str) -> None:
    """No part of a path may lead up, also not for a server that decodes before it looks."""
    parts = re.split(r"/|\\|%2[fF]|%5[cC]", way)
    if ".." in parts or "." in parts:
        raise BadParams("A parameter must not lead to another place: `.` and `..` are no parts of a path.", "Name it.")


def _filled(value: Any, params: Mapping[str, Any], declared: Mapping[str, Any]) -> Any:
    """A JSON value with its texts filled; _MISSING for a text that is a parameter which was not given."""
    if isinstance(value, str):
        alone = PLACEHOLDER.fullmatch(value)
        if alone and alone[1] in declared:
            return params.get(alone[1], _MISSING)
        return PLACEHOLDER.sub(
            lambda found: _text(params.get(found[1], "")) if found[1] in declared else found[0], value
        )
    if isinstance(value, Mapping):
        filled = {key: _filled(part, params, declared) for key, part in value.items()}
        return {key: part for key, part in filled.items() if part is not _MISSING}
    if isinstance(value, (list, tuple)):
        return [part for item in value if (part := _filled(item, params, declared)) is not _MISSING]
    return value


def _text(value: Any) -> str:
    """A parameter inside a text: texts as they are, all else as JSON writes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(reply: api.Reply) -> Document:
    """The answer without secrets, and no more of it than somebody reads."""
    if reply.body is None:
        return {}
    body = redact.redact(reply.body)
    if isinstance(body, str):
        shown: Any = body if len(body) <= SHOWN else shorten(body, SHOWN)
    else:
        shown = redact.cut(body, whole=SHOWN)
    cut = reply.cut or shown != body
    return {"body": shown, **({"cut": "the answer was longer"} if cut else {})}
