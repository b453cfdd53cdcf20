"""Asking a person: through the client's dialogue where there is one, in a terminal where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult
from mcp_wire import Wire, call, data, envelope, git, run_action, start_session, text_of

from llmgenie_mcp.faces.mcp_server import create_server

pytestmark = pytest.mark.anyio
Connect = Callable[..., Client]
Commands = Callable[..., None]
ASK = {"action": "request_approval", "params": {"action": "file.delete", "params": {"path": "old.txt"}}}
WHY = {**ASK, "params": {**ASK["params"], "comment": "It is not used."}}  # type: ignore[dict-item]


class Person:
    """Sits in front of the client and answers every dialogue alike."""

    def __init__(self, action: Any = "accept", **content: Any) -> None:
        self.questions: list[Any] = []
        self._answer = ElicitResult(action=action, content=content or None)

    async def __call__(self, _context: object, question: Any) -> ElicitResult:
        self.questions.append(question)
        return self._answer


async def test_a_person_approves_in_the_client_and_the_answer_is_recorded_as_theirs(client: Connect) -> None:
    person = Person(decision="approve", comment="fine")
    async with client(elicitation_callback=person) as c:
        result = await call(c, "run_action", **WHY)
        approval = (await data(c, "get_context_data", key="approvals/APR-1"))["value"]
    question, said = person.questions[0].message.split("\n")
    assert question == f"APR-1: May the agent do file.delete (path=old.txt), at commit {approval['commit'][:10]}?"
    assert said == "The agent says: It is not used."
    assert person.questions[0].requested_schema["properties"]["decision"]["enum"] == ["approve", "decline"]
    assert (approval["status"], approval["channel"], approval["reply"]) == ("granted", "elicitation", "fine")
    assert approval["comment"] == "It is not used."
    assert "APR-1: a person approved. Comment: fine Run file.delete now" in text_of(result)
    assert (result.structured_content or {})["action"] == "request_approval"


async def test_an_approved_trigger_is_run_in_the_persons_name(
    client: Connect, commands: Commands, project: Path
) -> None:
    commands(test=["true"])
    git(project, "switch", "-q", "-c", "feature/x")
    async with client(elicitation_callback=Person(decision="approve")) as c:
        session = await start_session(c, mode="review")
        await run_action(c, "start_review", session)
        await run_action(c, "run_tests", session)
        await run_action(c, "submit", session)
        result = await call(c, "run_action", action="request_approval", session=session)
        assert (result.structured_content or {})["state"]["to"] == "approved", text_of(result)
        assert "a person approved" in text_of(result)
        merged = await run_action(c, "merge", session, branch="main")
    assert merged["state"]["to"] == "merged"


async def test_a_question_that_is_sent_again_with_its_key_is_not_put_to_the_person_again(client: Connect) -> None:
    person = Person(decision="approve")
    async with client(elicitation_callback=person) as c:
        await call(c, "run_action", **ASK, idempotency_key="k")
        again = await call(c, "run_action", **ASK, idempotency_key="k")
    assert len(person.questions) == 1
    assert "answered before, not run again" in text_of(again)


async def test_a_persons_no_is_recorded_and_told(client: Connect) -> None:
    async with client(elicitation_callback=Person(decision="decline", comment="too early")) as c:
        result = await call(c, "run_action", **ASK)
        approval = (await data(c, "get_context_data", key="approvals/APR-1"))["value"]
    assert approval["status"] == "declined"
    assert "APR-1: a person declined. Comment: too early Leave file.delete." in text_of(result)


@pytest.mark.parametrize(
    ("person", "word"),
    [
        (Person("decline"), "declined"),
        (Person("cancel"), "closed"),
        (Person("accept", comment="hm"), "left without a decision"),
        (Person("accept", decision="yes"), "left without a decision"),
    ],
)
async def test_a_dialogue_without_a_decision_leaves_the_question_open(
    client: Connect, person: Person, word: str
) -> None:
    async with client(elicitation_callback=person) as c:
        result = await call(c, "run_action", **ASK)
        approval = (await data(c, "get_context_data", key="approvals/APR-1"))["value"]
    assert approval["status"] == "pending"
    assert f"The dialogue was {word}: nobody has decided." in text_of(result)
    assert "llmgenie approve APR-1" in text_of(result)


async def test_without_a_dialogue_the_agent_is_told_how_a_person_answers(client: Connect) -> None:
    async with client() as c:
        result = await call(c, "run_action", **ASK)
    assert "llmgenie approve APR-1" in text_of(result)
    assert 'get_context_data key="approvals/APR-1"' in text_of(result)
    assert (result.structured_content or {})["result"]["approval"]["status"] == "pending"


async def test_a_project_may_take_answers_in_a_terminal_only(client: Connect, project: Path) -> None:
    person = Person(decision="approve")
    (project / ".llmgenie").mkdir()
    settings = json.dumps({"approvals": {"elicitation": False}})
    (project / ".llmgenie" / "llmgenie.yaml").write_text(settings, encoding="utf-8")
    async with client(elicitation_callback=person) as c:
        result = await call(c, "run_action", **ASK)
    assert person.questions == []
    assert "in a terminal only" in text_of(result)


async def test_a_handshake_client_that_fails_to_ask_does_not_fail_the_call(project: Path) -> None:
    async def broken(_context: object, _question: object) -> ElicitResult:
        raise MCPError(-32603, "no window")

    async with Client(create_server(str(project)), mode="legacy", elicitation_callback=broken) as c:
        result = await call(c, "run_action", **ASK)
    assert "The client could not show the dialogue." in text_of(result)


@pytest.mark.parametrize("forged", [{"approved": True}, {"approval": "granted"}, {"decision": "approve"}])
async def test_no_tool_lets_a_model_answer_for_a_person(client: Connect, forged: dict[str, Any]) -> None:
    async with client() as c:
        result = await c.call_tool("run_action", {**ASK, **forged})
        inside = await c.call_tool("run_action", {**ASK, "params": {**ASK["params"], **forged}})  # type: ignore[dict-item]
        written = await c.call_tool("update_context", {"key": "approvals/APR-1", "value": {"status": "granted"}})
    assert result.is_error
    assert inside.is_error
    assert written.is_error


def test_an_answer_to_a_dialogue_that_was_never_asked_counts_for_nothing(wire: Wire) -> None:
    """A 2026-07-28 client sends answers along with the call; without the sealed state they are not looked at."""
    yes = {"approval": {"action": "accept", "content": {"decision": "approve"}}}
    asked = {"name": "run_action", "arguments": ASK, "_meta": envelope()}
    forged = wire.request("tools/call", {**asked, "inputResponses": yes})["result"]
    assert forged["structuredContent"]["result"]["approval"]["status"] == "pending"
    made_up = wire.request("tools/call", {**asked, "inputResponses": yes, "requestState": '{"approval": "APR-1"}'})
    assert made_up["error"]["code"] == -32602


def test_the_sealed_question_of_one_call_does_not_answer_another(wire: Wire) -> None:
    yes = {"approval": {"action": "accept", "content": {"decision": "approve"}}}
    asked = {"name": "run_action", "arguments": ASK, "_meta": envelope(elicitation={})}
    question = wire.request("tools/call", asked)["result"]
    assert question["resultType"] == "input_required"
    assert question["inputRequests"]["approval"]["method"] == "elicitation/create"
    state = question["requestState"]
    other = {"action": "request_approval", "params": {"action": "package.publish"}}
    stolen = wire.request("tools/call", {**asked, "arguments": other, "inputResponses": yes, "requestState": state})
    assert stolen["error"]["code"] == -32602
    answered = wire.request("tools/call", {**asked, "inputResponses": yes, "requestState": state})["result"]
    assert answered["structuredContent"]["result"]["approval"]["status"] == "granted"
    twice = wire.request("tools/call", {**asked, "inputResponses": yes, "requestState": state})["result"]
    assert twice["isError"]
    assert wire.end() == 0
