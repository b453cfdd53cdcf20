"""A model that says what a script tells it to, over the three protocols that coding agents speak.

Just enough of the Anthropic Messages API, the OpenAI Responses and Chat Completions APIs and the Gemini API, streamed or
whole, for a host to be handed one tool call after another and then a last text. Every request is kept, because what the
host sends next is what a model would have learned. A request that offers no tools (a title, a summary, a classifier) is
answered beside the script and does not use it up.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeAlias

Json: TypeAlias = dict[str, Any]
Event: TypeAlias = tuple[str, Json]
LAST_WORDS = "That is all."


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call.

    Attributes:
        tool: its name, as the host offers it.
        arguments: an object; a text for a tool that takes free text (Codex's `apply_patch`).
        namespace: the group that Codex offers the tool in: tools of an MCP server have one each.
    """

    tool: str
    arguments: Json | str
    namespace: str = ""


Turn: TypeAlias = Call | str


@dataclass
class ScriptedModel:
    """A server on 127.0.0.1, to be used in a `with`.

    Attributes:
        turns: what is answered, one a request; after the last one it is `LAST_WORDS`.
        requests: bodies of the requests that offered tools, in their order.
        aside: those that did not.
    """

    turns: Sequence[Turn]
    requests: list[Json] = field(default_factory=list)
    aside: list[Json] = field(default_factory=list)

    def __enter__(self) -> Self:
        model, lock = self, threading.Lock()

        class Handler(_Handler):
            def next_turn(self, body: Json) -> tuple[Turn, int]:
                with lock:
                    if not body.get("tools"):
                        model.aside.append(body)
                        return LAST_WORDS, 10_000 + len(model.aside)
                    model.requests.append(body)
                    number = len(model.requests)
                    return (model.turns[number - 1] if number <= len(model.turns) else LAST_WORDS), number

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def next_turn(self, body: Json) -> tuple[Turn, int]:
        """What to answer, and the number of the answer."""
        raise NotImplementedError

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Some hosts look whether there is a server."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """A list of models; what else is asked for is not there."""
        if self.path.split("?")[0].endswith("/models"):
            self._whole({"object": "list", "data": [{"id": "scripted", "object": "model"}]})
        else:
            self._whole({"error": {"message": "not here"}}, 404)

    def do_POST(self) -> None:
        """The next turn, in the words of the API whose path was asked for."""
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        try:
            body: Json = json.loads(raw or b"{}")
        except ValueError:
            self._whole({"error": {"message": "no JSON"}}, 400)
            return
        streamed = bool(body.get("stream")) or "streamGenerateContent" in path
        if path.endswith(("count_tokens", ":countTokens")):
            self._whole({"input_tokens": 10, "totalTokens": 10})
        elif path.endswith("/v1/messages"):
            self._answer(body, _messages, _message, streamed=streamed)
        elif path.endswith("/responses"):
            self._answer(body, _responses, _response, streamed=streamed)
        elif path.endswith("/chat/completions"):
            self._answer(body, _chunks, _completion, streamed=streamed)
        elif path.endswith("enerateContent"):
            self._answer(body, _contents, _content, streamed=streamed)
        else:
            self._whole({"error": {"message": "not here"}}, 404)

    def _answer(self, body: Json, events: Any, whole: Any, *, streamed: bool) -> None:
        turn, number = self.next_turn(body)
        if not streamed:
            self._whole(whole(turn, number))
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for name, data in events(turn, number):
            line = f"event: {name}\n" if name else ""
            self.wfile.write(f"{line}data: {json.dumps(data)}\n\n".encode())
        if events is _chunks:
            self.wfile.write(b"data: [DONE]\n\n")
        self.wfile.flush()
        self.close_connection = True

    def _whole(self, value: Json, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _as_text(call: Call) -> str:
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)


def _block(turn: Turn, number: int) -> Json:
    if isinstance(turn, str):
        return {"type": "text", "text": turn}
    return {"type": "tool_use", "id": f"toolu_{number:04}", "name": turn.tool, "input": turn.arguments}


def _message(turn: Turn, number: int) -> Json:
    """Anthropic's Messages API."""
    return {
        "id": f"msg_{number:04}",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [_block(turn, number)],
        "stop_reason": "end_turn" if isinstance(turn, str) else "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 10},
    }


def _messages(turn: Turn, number: int) -> Iterator[Event]:
    message = _message(turn, number)
    yield "message_start", {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    block = _block(turn, number)
    if isinstance(turn, str):
        start, delta = {**block, "text": ""}, {"type": "text_delta", "text": turn}
    else:
        start, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": _as_text(turn)}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": start}
    yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 10}}
    yield "message_stop", {"type": "message_stop"}


def _item(turn: Turn, number: int) -> Json:
    if isinstance(turn, str):
        content = [{"type": "output_text", "text": turn, "annotations": []}]
        return {
            "type": "message",
            "id": f"msg_{number}",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
    named = {"id": f"fc_{number}", "call_id": f"call_{number}", "name": turn.tool, "status": "completed"}
    if turn.namespace:
        named["namespace"] = turn.namespace
    if turn.tool == "tool_search":
        return {"type": "tool_search_call", **named, "execution": "client", "arguments": turn.arguments}
    if isinstance(turn.arguments, str):
        return {"type": "custom_tool_call", **named, "input": turn.arguments}
    return {"type": "function_call", **named, "arguments": _as_text(turn)}


def _response(turn: Turn, number: int) -> Json:
    """OpenAI's Responses API."""
    usage = {"input_tokens": 10, "output_tokens": 10, "total_tokens": 20}
    details: Json = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    head = {"id": f"resp_{number}", "object": "response", "created_at": 0, "model": "scripted", "status": "completed"}
    return {**head, "output": [_item(turn, number)], "usage": {**usage, **details}}


def _responses(turn: Turn, number: int) -> Iterator[Event]:
    whole, item = _response(turn, number), _item(turn, number)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    steps: list[Json] = [{"type": "response.created", "response": begun}]
    steps.append({"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}})
    if isinstance(turn, str):
        where = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        steps.append({"type": "response.output_text.delta", **where, "delta": turn})
    steps.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    steps.append({"type": "response.completed", "response": whole})
    for step, event in enumerate(steps):
        yield event["type"], {**event, "sequence_number": step}


def _completion(turn: Turn, number: int) -> Json:
    """OpenAI's Chat Completions API."""
    message: Json = {"role": "assistant", "content": turn if isinstance(turn, str) else None}
    if isinstance(turn, Call):
        function = {"name": turn.tool, "arguments": _as_text(turn)}
        message["tool_calls"] = [{"id": f"call_{number}", "type": "function", "function": function}]
    ended = "stop" if isinstance(turn, str) else "tool_calls"
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    head = {"id": f"chat_{number}", "object": "chat.completion", "created": 0, "model": "scripted"}
    return {**head, "choices": [{"index": 0, "message": message, "finish_reason": ended}], "usage": usage}


def _chunks(turn: Turn, number: int) -> Iterator[Event]:
    whole = _completion(turn, number)
    (choice,) = whole["choices"]
    delta = {**choice["message"]}
    if calls := delta.get("tool_calls"):
        delta["tool_calls"] = [{**call, "index": place} for place, call in enumerate(calls)]
    head = {**whole, "object": "chat.completion.chunk", "usage": None}
    yield "", {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield "", {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    yield "", {**head, "choices": [], "usage": whole["usage"]}


def _content(turn: Turn, number: int) -> Json:
    """Gemini's generateContent."""
    part: Json = {"text": turn}
    if isinstance(turn, Call):
        part = {"functionCall": {"id": f"call_{number}", "name": turn.tool, "args": turn.arguments}}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 10, "totalTokenCount": 20}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "scripted"}


def _contents(turn: Turn, number: int) -> Iterator[Event]:
    yield "", _content(turn, number)


__all__ = ["LAST_WORDS", "Call", "ScriptedModel", "Turn"]
