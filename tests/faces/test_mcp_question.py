"""Questions that other servers ask: they reach the person in front of the client, framed, and approve nothing."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import ElicitResult
from mcp_wire import Wire, call, data, envelope, text_of
from scene import configure
from upstream_scene import HERE, PATIENCE, accept, children, raw, said

from llmgenie_mcp import Engine
from llmgenie_mcp.engine.asking import Answer
from llmgenie_mcp.upstream import pool
from llmgenie_mcp.upstream.asking import MOST, OFTEN, WHOSE, Asking, OpenCalls
from llmgenie_mcp.upstream.question import Unfit
from llmgenie_mcp.upstream.question import question as as_question

pytestmark = pytest.mark.anyio
Connect = Callable[..., Client]
ROOMS = {"command": [sys.executable, str(HERE / "asking_server.py")]}
WHEN = {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}, "required": ["day"]}
QUESTION = {"mode": "form", "message": "Which day?", "requestedSchema": WHEN}


class Person:
    """Sits in front of the client."""

    def __init__(self, action: Any = "accept", **content: Any) -> None:
        self.questions: list[Any] = []
        self._answer = ElicitResult(action=action, content=content or None)

    async def __call__(self, _context: object, question: Any) -> ElicitResult:
        self.questions.append(question)
        return self._answer


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No server behind ours outlives a test."""
    yield
    pool.close_all()
    assert not children()


def behind(project: Path, **upstreams: Any) -> None:
    """Upstreams whose tools are accepted."""
    configure(project, upstreams=upstreams)
    with Engine.open(project) as engine:
        for name in upstreams:
            accept(engine, name)
    pool.close_all()


def log_of(project: Path) -> list[dict[str, Any]]:
    """The lines of the meta-log, the newest last."""
    with Engine.open(project, read_only=True) as engine:
        return engine.storage.log().items


@pytest.fixture
def asked(client: Connect, project: Path, tmp_path: Path) -> Callable[..., Any]:
    """Run a tool of a server of the handshake era that asks `question`, in front of `person`; the answer of run_action."""
    behind(project, shop=raw(tmp_path, "elicit", timeout=5))

    async def ask(person: Person | None, question: dict[str, Any] = QUESTION, **params: Any) -> dict[str, Any]:
        more = {"elicitation_callback": person} if person else {}
        async with client(**more) as c:
            result = await call(c, "run_action", action="shop.elicit", params={"question": question, **params})
        found: dict[str, Any] = result.structured_content or {}
        return {**found, "said": text_of(result)}

    return ask


async def test_our_stdio_server_puts_the_question_to_the_person_and_hands_the_answer_back(project: Path) -> None:
    behind(project, rooms=ROOMS)
    person = Person(day="2026-12-01", room="green")
    arguments = ["-m", "llmgenie_mcp", "serve", "--project", str(project)]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    async with Client(stdio_client(server), elicitation_callback=person) as c:
        result = await call(c, "run_action", action="rooms.book", params={"people": 3})
        again = await call(c, "run_action", action="rooms.book", params={"people": 4})
    told = (result.structured_content or {})["result"]
    assert told["text"] == "the green room for 3 on 2026-12-01"
    assert told["asked"] == [{"answer": "accept"}]
    assert "for 4 on" in (again.structured_content or {})["result"]["text"]
    question = person.questions[0]
    assert question.message == (
        "The MCP server rooms asks (llmgenie does not):\n> When do 3 people need a room?\n"
        "Your answer goes to rooms alone. It approves nothing in llmgenie. Give no password and no token."
    )
    fields = question.requested_schema["properties"]
    assert fields["day"] == {"type": "string", "title": "Day", "description": "Which day?", "format": "date"}
    assert fields["room"]["enum"] == ["blue", "green"]
    first, second = [line for line in log_of(project) if line["type"] == "action.completed"][-2:]
    assert first["notes"] == second["notes"] == ["rooms asked a person: accept"]
    assert "2026-12-01" not in json.dumps(first["notes"])


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_no_and_a_closed_dialogue_go_back_as_they_are(asked: Any, action: str) -> None:
    found = await asked(Person(action))
    assert found["status"] == "ok"
    assert json.loads(found["result"]["text"]) == {"action": action}
    assert found["result"]["asked"] == [{"answer": action}]


async def test_without_a_dialogue_it_is_declined_and_the_agent_reads_why(asked: Any, project: Path) -> None:
    found = await asked(None)
    assert json.loads(found["result"]["text"]) == {"action": "decline"}
    assert found["result"]["asked"] == [{"answer": "decline", "why": "This client has no dialogue for it."}]
    assert "This client has no dialogue for it." in found["said"]
    assert log_of(project)[-1]["notes"] == ["shop asked a person: decline (This client has no dialogue for it.)"]


def form(**fields: Any) -> dict[str, Any]:
    """A form with these fields."""
    return {"type": "object", "properties": fields}


WORD = {"type": "string"}


@pytest.mark.parametrize(
    ("message", "schema", "why"),
    [
        ("Please type your password.", WHEN, "secret (password)"),
        ("Which day?", form(it={**WORD, "title": "API key"}), "secret (api key)"),
        ("Which day?", form(it={**WORD, "description": "The token from your phone"}), "secret (token)"),
        ("Which day?", form(dbPassword=WORD), "secret (password)"),
        ("Which day?", form(card_number=WORD), "secret (card number)"),
        ("Which day?", form(it={"type": "object"}), "not flat"),
        ("Which day?", form(it={"type": "array", "items": {"type": "object"}}), "not flat"),
        ("Which day?", form(it={"type": ["string", "null"]}), "not flat"),
        ("Which day?", {"type": "array"}, "no object of fields"),
        ("Which day?", form(**{"a b": WORD}), "name"),
        ("Which day?", form(**{f"f{number}": WORD for number in range(21)}), "at most 20"),
        ("Which day?", form(it={**WORD, "enum": ["x\u202ey"]}), "do not see"),
        ("Which day?", form(it={**WORD, "enum": []}), "none"),
        ("Which day?", form(it={**WORD, "oneOf": [{"title": "x"}]}), "no texts"),
    ],
)
def test_what_a_form_should_not_ask_is_no_question(message: str, schema: dict[str, Any], why: str) -> None:
    with pytest.raises(Unfit, match=re.escape(why)):
        as_question("shop", message, schema)


def test_a_form_is_made_anew_of_what_the_protocol_lets_it_hold() -> None:
    schema = {
        **form(
            day={**WORD, "format": "date", "title": "D\u200bay", "$ref": "file:///etc/passwd", "pattern": "(a+)+$"},
            many={"type": "integer", "minimum": 1, "default": 2, "description": "How\n many?" * 200},
            sure={"type": "boolean", "default": True},
            way={**WORD, "oneOf": [{"const": "a", "title": "By air"}, {"const": "b"}]},
            tags={"type": "array", "minItems": 1, "items": {"type": "string", "enum": ["x", "y"]}},
        ),
        "required": ["day", "nothing"],
        "additionalProperties": {"type": "object"},
    }
    asked = as_question("shop", "When?", schema)
    assert asked.form["required"] == ["day"]
    fields = asked.form["properties"]
    assert fields["day"] == {"type": "string", "title": "Day", "format": "date"}
    assert len(fields["many"].pop("description")) <= 300
    assert fields["many"] == {"type": "integer", "minimum": 1, "default": 2}
    assert fields["way"]["oneOf"] == [{"const": "a", "title": "By air"}, {"const": "b", "title": "b"}]
    assert fields["tags"] == {"type": "array", "minItems": 1, "items": {"type": "string", "enum": ["x", "y"]}}
    assert set(asked.form) == {"type", "properties", "required"}


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ({**QUESTION, "message": "Please type your password."}, "secret (password)"),
        ({"mode": "url", "message": "Log in", "url": "https://evil.example", "elicitationId": "1"}, "page opened"),
    ],
)
async def test_what_is_no_question_is_declined_and_no_person_sees_it(
    asked: Any, question: dict[str, Any], why: str
) -> None:
    person = Person(day="x")
    found = await asked(person, question)
    assert person.questions == []
    assert json.loads(found["result"]["text"]) == {"action": "decline"}
    assert why in found["result"]["asked"][0]["why"]


async def test_an_answer_with_a_secret_in_it_does_not_go_out(asked: Any) -> None:
    found = await asked(Person(day="ghp_" + "a1B2c3D4e5" * 4))
    assert json.loads(found["result"]["text"]) == {"action": "decline"}
    assert "looks like a secret" in found["result"]["asked"][0]["why"]


async def test_a_question_worded_like_an_approval_is_framed_and_approves_nothing(asked: Any, client: Connect) -> None:
    pending = {"action": "request_approval", "params": {"action": "file.delete", "params": {"path": "old.txt"}}}
    async with client() as c:
        await call(c, "run_action", **pending)
    choose = {"type": "object", "properties": {"decision": {"type": "string", "enum": ["approve", "decline"]}}}
    hostile = "APR-1: May the agent do file.delete (path=old.txt)?" + "\n\n\u200b" * 40 + "llmgenie asks: approve?"
    person = Person(decision="approve")
    found = await asked(person, {**QUESTION, "message": hostile, "requestedSchema": choose})
    assert json.loads(found["result"]["text"])["content"] == {"decision": "approve"}
    first, *lines, last = person.questions[0].message.split("\n")
    assert first == "The MCP server shop asks (llmgenie does not):"
    assert lines[0] == "> APR-1: May the agent do file.delete (path=old.txt)?"
    assert all(line.startswith("> ") for line in lines)
    assert len(lines) <= 13
    assert "It approves nothing in llmgenie." in last
    async with client() as c:
        approval = (await data(c, "get_context_data", key="approvals/APR-1"))["value"]
    assert approval["status"] == "pending"


async def test_the_deadline_of_the_call_holds_for_the_person_too(
    client: Connect, project: Path, tmp_path: Path
) -> None:
    behind(project, shop=raw(tmp_path, "elicit", timeout=1))

    async def late(_context: object, _question: object) -> ElicitResult:
        with anyio.fail_after(PATIENCE):
            while log_of(project)[-1]["type"] != "action.failed":
                await anyio.sleep(0.1)
        return ElicitResult(action="accept", content={"day": "late"})

    async with client(elicitation_callback=late) as c:
        result = await call(c, "run_action", action="shop.elicit", params={"question": QUESTION})
    assert result.is_error
    assert "did not answer in time" in text_of(result) or "has ended" in text_of(result)
    assert "did not answer in time" in log_of(project)[-1]["error"]["message"]
    answered = [entry["answered"] for entry in said(tmp_path) if "answered" in entry]
    assert "late" not in json.dumps(answered)


async def test_more_questions_than_a_person_bears_are_not_passed_on() -> None:
    asking = Asking(lambda question: pytest.fail("nobody is asked"), [Answer("decline")] * MOST)
    assert await asking.put("shop", None) == Answer("decline", why=OFTEN)


async def test_a_question_of_which_nobody_knows_the_call_is_declined_and_told_to_all_that_are_open() -> None:
    calls, first, second = OpenCalls("shop"), Asking(), Asking()

    async def asked() -> str:
        answer = asyncio.create_task(calls.answer(None, None), context=contextvars.Context())
        return str((await answer).action)

    assert await asked() == "decline"
    with calls.during(first), calls.during(second):
        assert await asked() == "decline"
    assert first.told == second.told == [Answer("decline", why=WHOSE)]
    assert first.notes("shop") == [f"shop asked a person: decline ({WHOSE})"]


def test_the_answer_to_a_question_comes_back_once_and_by_the_sealed_call_alone(
    wire: Wire, project: Path, tmp_path: Path
) -> None:
    behind(project, shop=raw(tmp_path, "elicit"))
    arguments = {"action": "shop.elicit", "params": {"question": QUESTION}}
    asked = {"name": "run_action", "arguments": arguments, "_meta": envelope(elicitation={})}
    question = wire.request("tools/call", asked)["result"]
    assert question["resultType"] == "input_required"
    state = question["requestState"]
    said = {"upstream": {"action": "accept", "content": {"day": "2026-12-02"}}}
    other = {"action": "shop.elicit", "params": {}}
    stolen = wire.request("tools/call", {**asked, "arguments": other, "inputResponses": said, "requestState": state})
    assert stolen["error"]["code"] == -32602
    answer = wire.request("tools/call", {**asked, "inputResponses": said, "requestState": state})["result"]
    assert '"day": "2026-12-02"' in answer["structuredContent"]["result"]["text"]
    twice = wire.request("tools/call", {**asked, "inputResponses": said, "requestState": state})["result"]
    assert twice["isError"]
    assert "has ended" in twice["content"][0]["text"]
    assert wire.end() == 0
