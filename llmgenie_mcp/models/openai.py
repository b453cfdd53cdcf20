"""Chat Completions, as OpenAI defined it and many others speak it: https://platform.openai.com/docs/api-reference/chat.

Its stream is Server-Sent Events whose data is a JSON object, the last one `[DONE]`. Endpoints differ in what they take: newer
models of OpenAI want `max_completion_tokens`, others know neither `stream_options` nor a JSON Schema in `response_format`.
What one refuses by name is asked for otherwise or left out; a refused request costs nothing. Whether an answer fits a schema
is checked by who asked, whatever the endpoint promised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from llmgenie_mcp import api
from llmgenie_mcp.models.connection import Connection
from llmgenie_mcp.models.gathering import Gathering, at, count
from llmgenie_mcp.models.question import Question, Said, Unanswered

PATH = "/chat/completions"
ENDS = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "content_filter": "filtered",
    "refusal": "filtered",
}
"""The words of `finish_reason`, and of those who do not keep to them."""
ATTEMPTS = 6
"""Requests at most until the endpoint takes one."""


def ask(connection: Connection, question: Question, tell: Callable[[int, str], None]) -> Said:
    """Ask; raises Unanswered."""
    body: dict[str, Any] = {
        "model": connection.model.model,
        "messages": list(question.messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": question.max_tokens,
    }
    if question.schema is not None:
        body["response_format"] = _format(question.schema)
    for _ in range(ATTEMPTS - 1):
        try:
            return _ask(connection, body, question, tell)
        except Unanswered as error:
            if error.status not in (400, 422) or not _adapted(body, error.said.lower()):
                raise
    return _ask(connection, body, question, tell)


def _ask(connection: Connection, body: dict[str, Any], question: Question, tell: Callable[[int, str], None]) -> Said:
    with connection.post(PATH, body, question.max_tokens) as coming:
        answer, ended = Gathering(question.max_tokens, lambda size, end: tell(size, coming.without_secrets(end))), False
        kind = coming.headers.get("content-type", "")
        streamed = not ("json" in kind or "html" in kind)  # some forget to call it text/event-stream
        texts = _events(coming.lines()) if streamed else ["\n".join(coming.lines())]
        for text in texts:
            if ended := text.strip() == "[DONE]":
                break
            try:
                part = api.parsed(text, tidy=False)
            except ValueError:
                raise connection.no_api("what it sends is no JSON") from None
            if (error := at(part, "error")) is not None:
                raise connection.complaint(error)
            if not isinstance(at(part, "choices"), list):
                raise connection.no_api("there are no `choices`")
            _take(answer, part, "delta" if streamed else "message")
        if answer.finish is None and not ended:
            raise connection.broken_off(coming.without_secrets(answer.text))
        return answer.said(ENDS, coming.without_secrets)


def _take(answer: Gathering, part: Mapping[str, Any], key: str) -> None:
    answer.add(at(part, "choices", 0, key, "content"))
    if refusal := at(part, "choices", 0, key, "refusal"):
        answer.add(refusal)
        answer.finish = "refusal"
    if answer.finish is None and (finish := at(part, "choices", 0, "finish_reason")) is not None:
        answer.finish = str(finish)
    answer.model = answer.model or str(part.get("model") or "")[:200]
    if isinstance(usage := part.get("usage"), Mapping):
        answer.tokens_in, answer.tokens_out = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))


def _events(lines: Iterable[str]) -> Iterator[str]:
    """The data of the events of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    data: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data and data[0].strip() == "[DONE]":  # an event that no empty line ends is none, and some leave out this one
        yield data[0]


def _adapted(body: dict[str, Any], said: str) -> bool:
    """Change the request to what an endpoint that `said` so may take; False: there is nothing to change."""
    if "max_completion_tokens" in said and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    elif ("stream_options" in said or "include_usage" in said) and "stream_options" in body:
        del body["stream_options"]
    elif ("response_format" in said or "schema" in said) and "response_format" in body:
        asked = body["response_format"]
        if asked.get("json_schema", {}).pop("strict", False):
            pass
        elif asked["type"] == "json_schema":
            body["response_format"] = {"type": "json_object"}
        else:
            del body["response_format"]
    else:
        return False
    return True


def _format(schema: Mapping[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"name": "answer", "schema": dict(schema)}
    return {"type": "json_schema", "json_schema": {**described, "strict": True} if _is_strict(schema) else described}


def _is_strict(schema: Any) -> bool:
    """Whether a schema is one that OpenAI's strict mode takes: every object closed, each of its properties required."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    kinds = schema.get("type")
    if kinds == "object" or (isinstance(kinds, list) and "object" in kinds) or "properties" in schema:
        named, needed = schema.get("properties"), schema.get("required")
        if schema.get("additionalProperties") is not False or not isinstance(named, Mapping):
            return False
        if not isinstance(needed, list) or sorted(map(str, needed)) != sorted(map(str, named)):
            return False
        return all(map(_is_strict, named.values()))
    return all(_is_strict(part) for key, part in schema.items() if key not in ("enum", "const"))
