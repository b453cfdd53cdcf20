"""Ollama's own API: https://docs.ollama.com/api/chat, …/api/streaming, …/capabilities/structured-outputs.

Its stream is one JSON object a line. `num_ctx` is told with each request: without it a prompt that is longer than the
server's default is cut from the front, silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llmgenie_mcp import api
from llmgenie_mcp.models.connection import Connection
from llmgenie_mcp.models.gathering import Gathering, at, count
from llmgenie_mcp.models.question import Question, Said

PATH = "/api/chat"
ENDS = {"stop": "stop", "length": "length"}
SMALLEST = 4096
"""Tokens of `num_ctx` at least. It grows by doubling: another size means that the server loads the model again."""


def ask(connection: Connection, question: Question, tell: Callable[[int, str], None]) -> Said:
    """Ask; raises Unanswered."""
    body: dict[str, Any] = {
        "model": connection.model.model,
        "messages": list(question.messages),
        "stream": True,
        "options": {"num_predict": question.max_tokens, "num_ctx": _room(connection, question)},
    }
    if question.schema is not None:
        body["format"] = dict(question.schema)
    with connection.post(PATH, body, question.max_tokens) as coming:
        answer, done = Gathering(question.max_tokens, lambda size, end: tell(size, coming.without_secrets(end))), False
        for line in coming.lines():
            if not line.strip():
                continue
            try:
                part = api.parsed(line, tidy=False)
            except ValueError:
                raise connection.no_api("a line is no JSON") from None
            if (error := at(part, "error")) is not None:
                raise connection.complaint(error)
            if not isinstance(part, Mapping) or ("message" not in part and not part.get("done")):
                raise connection.no_api("there is no `message`")
            answer.add(at(part, "message", "content"))
            answer.model = answer.model or str(at(part, "model") or "")[:200]
            if part.get("done") is True:
                done = True
                answer.finish = str(part.get("done_reason") or "stop")
                answer.tokens_in, answer.tokens_out = (
                    count(part.get("prompt_eval_count")),
                    count(part.get("eval_count")),
                )
                break
        if not done:
            raise connection.broken_off(coming.without_secrets(answer.text))
        return answer.said(ENDS, coming.without_secrets)


def _room(connection: Connection, question: Question) -> int:
    """Tokens of context: enough for prompt and answer, and no more than the settings say there are."""
    size = sum(len(message["content"].encode("utf-8", "replace")) for message in question.messages)
    needed, room = size // 2 + question.max_tokens, SMALLEST
    while room < needed:
        room *= 2
    return min(room, connection.model.context)
