"""The Engine over HTTP: questions, acts, refusals, statuses and problems."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest
from rest_place import PATIENCE, Reader, act
from scene import commands, define

from llmgenie_mcp import Engine

# -- the five scenarios of the plan -----------------------------------------------------------------------------------


def test_actions_in_a_context_are_those_of_the_engine(rest: httpx2.Client, engine: Engine) -> None:
    answer = rest.get("/actions", params={"context": "review"})
    assert answer.status_code == 200
    assert answer.json() == engine.available_actions("review")


def test_a_mode_switch_answers_with_the_actions_that_are_open_now(rest: httpx2.Client) -> None:
    answer = rest.post("/action", json={"action": "log_mode_switch", "params": {"mode": "code", "reason": "…"}})
    assert answer.status_code == 200
    assert answer.json()["state"]["to"] == "code"
    assert "run_tests" in answer.json()["actions"]
    assert rest.get("/workflow/state").json()["mode"] == "code"


@pytest.mark.parametrize("named", ["TSK-1", "1"])
def test_a_task_is_read_by_its_id_or_its_number(rest: httpx2.Client, named: str) -> None:
    assert act(rest, "create_task", title="Log in")["result"]["id"] == "TSK-1"
    value = rest.get(f"/context/tasks/{named}").json()["value"]
    assert (value["id"], value["title"], value["status"]) == ("TSK-1", "Log in", "todo")


def test_a_policy_says_why_a_merge_is_not_allowed(rest: httpx2.Client, engine: Engine) -> None:
    asked = {"policy": "branch_protection", "action": "merge", "params": {"branch": "main"}}
    answer = rest.post("/enforce", json=asked)
    assert answer.status_code == 200
    assert answer.json() == engine.enforce("branch_protection", "merge", {"branch": "main"}).to_dict()
    assert (answer.json()["allowed"], answer.json()["reasons"][0]["rule"]) == (False, "no-unapproved-merge")


# -- statuses ---------------------------------------------------------------------------------------------------------


def test_a_refusal_is_an_outcome_with_status_403(rest: httpx2.Client) -> None:
    answer = rest.post("/action", json={"action": "merge", "params": {"branch": "main"}})
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/json")
    assert answer.json()["status"] == "denied"
    assert answer.json()["reasons"]


def test_an_action_that_fails_is_an_outcome_with_status_422(rest: httpx2.Client, repo: Path) -> None:
    commands(repo, test=["false"])
    act(rest, "switch_mode", mode="code")
    answer = rest.post("/action", json={"action": "run_tests"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/json")
    assert answer.json()["status"] == "failed"


def test_a_repeated_key_is_told_to_wait_while_the_first_works_and_then_gets_its_answer(
    rest: httpx2.Client, repo: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    commands(repo, test=["sh", "-c", f"cat {gate}"])
    os.mkfifo(gate)
    act(rest, "switch_mode", mode="code")
    answers: list[httpx2.Response] = []
    ask = lambda: answers.append(rest.post("/action", json={"action": "run_tests"}, headers={"Idempotency-Key": "k"}))  # noqa: E731
    first = threading.Thread(target=ask)
    first.start()
    with gate.open("w", encoding="utf-8"):  # opens once the command reads it
        ask()
        assert answers[0].status_code == 202
        assert answers[0].headers["retry-after"] == "1"
        assert answers[0].json()["status"] == "running"
        assert rest.get("/health").status_code == 200
    first.join(PATIENCE)
    ask()
    assert [answer.status_code for answer in answers] == [202, 200, 200]
    assert answers[2].json() == {**answers[1].json(), "replayed": True}


def test_an_action_goes_on_when_its_caller_hangs_up_and_its_answer_is_there_for_who_asks_again(
    rest: httpx2.Client, repo: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    commands(repo, test=["cat", str(gate)])
    act(rest, "switch_mode", mode="code")
    asked: dict[str, Any] = {"json": {"action": "run_tests", "idempotency_key": "k"}}
    with pytest.raises(httpx2.TimeoutException):
        rest.post("/action", **asked, timeout=0.3)
    with gate.open("w", encoding="utf-8"):
        assert rest.post("/action", **asked).status_code == 202
    with Reader(rest, params={"after": 0, "types": "action.completed"}) as reader:
        while reader.event()[1]["subject"] != "run_tests":
            pass
    again = rest.post("/action", **asked)
    assert (again.status_code, again.json()["replayed"]) == (200, True)


def test_a_key_in_quotes_in_the_header_is_the_key_of_the_body(rest: httpx2.Client) -> None:
    asked = {"action": "create_task", "params": {"title": "Once"}}
    first = rest.post("/action", json={**asked, "idempotency_key": "k"}).json()
    again = rest.post("/action", json=asked, headers={"Idempotency-Key": '"k"'}).json()
    assert (first["result"]["id"], again["result"]["id"], again["replayed"]) == ("TSK-1", "TSK-1", True)
    other = rest.post("/action", json={**asked, "idempotency_key": "k"}, headers={"Idempotency-Key": "j"})
    assert (other.status_code, other.json()["code"]) == (422, "bad_params")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/policy/nope", None, 404, "unknown_name"),
        ("GET", "/context/nope", None, 404, "unknown_name"),
        ("GET", "/context/tasks/TSK-9", None, 404, "unknown_name"),
        ("GET", "/actions?context=nope", None, 404, "unknown_name"),
        ("GET", "/actions?limit=0", None, 422, "bad_params"),
        ("GET", "/context/tasks?cursor=x", None, 422, "bad_params"),
        ("POST", "/action", {"action": "nope"}, 404, "unknown_name"),
        ("POST", "/action", {"action": "create_task"}, 422, "bad_params"),
        ("POST", "/action", {"action": "create_task", "parms": {}}, 422, "bad_params"),
        ("POST", "/action", [], 422, "bad_params"),
        ("POST", "/context/meta-log", {"value": 1}, 405, "not_writable"),
        ("POST", "/event", {"event": "no spaces"}, 422, "bad_params"),
        ("POST", "/enforce", {"action": "nope"}, 404, "unknown_name"),
        ("GET", "/nowhere", None, 404, "not_found"),
        ("DELETE", "/action", None, 405, "method_not_allowed"),
    ],
)
def test_what_cannot_be_is_a_problem_that_says_why(
    shared: httpx2.Client, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = shared.request(method, path, json=body)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (problem["type"], problem["status"], problem["code"]) == (f"urn:llmgenie:error:{code}", status, code)
    assert problem["title"]
    assert problem["detail"]
    assert problem["hint"]
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"action": ' + b"9" * 5000 + b"}", b"[" * 100_000])
def test_a_body_that_cannot_be_read_is_the_callers_fault(shared: httpx2.Client, body: bytes) -> None:
    answer = shared.post("/action", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_form_of_a_foreign_page_is_not_read_as_json(rest: httpx2.Client) -> None:
    body = b'{"action": "create_task", "params": {"title": "x"}}'
    answer = rest.post("/action", content=body, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422
    assert rest.get("/context/tasks").json()["total"] == 0


def test_text_without_a_utf8_form_comes_back_as_an_escape(rest: httpx2.Client) -> None:
    body = b'{"value": "a\\ud800b"}'
    written = rest.post("/context/notes/n", content=body, headers={"Content-Type": "application/json"})
    assert written.status_code in (200, 422)
    assert rest.get("/actions", params={"context": "\udcff".encode("utf-8", "surrogatepass")}).status_code in (404, 422)


def test_broken_definitions_are_the_projects_fault_and_the_server_goes_on(rest: httpx2.Client, repo: Path) -> None:
    file = define(repo, "policies", "mine", "name: mine\nlevel: sometimes\n")
    answer = rest.get("/policies")
    assert (answer.status_code, answer.json()["code"]) == (503, "bad_definition")
    assert answer.json()["problems"][0]["file"] == ".llmgenie/policies/mine.yaml"
    file.unlink()
    assert rest.get("/policies").status_code == 200


def test_openapi_names_every_address(shared: httpx2.Client) -> None:
    document = shared.get("/openapi.json").json()
    assert document["info"]["title"] == "llmgenie"
    assert {
        *(
            "/actions",
            "/workflow/state",
            "/policy/{name}",
            "/policies",
            "/context/{key}",
            "/action",
            "/event",
            "/enforce",
        ),
        *("/enforcement/status", "/approvals/{id}", "/events", "/access/v1/evaluation", "/webhooks/{name}"),
        *("/health", "/ready", "/metrics"),
    } <= document["paths"].keys()
    assert document["components"]["schemas"]["Problem"]["required"] == ["type", "title", "status", "detail", "code"]


@pytest.mark.parametrize(
    ("method", "path", "body", "detail", "hint"),
    [
        (
            "GET",
            "/actions?contxt=review",
            None,
            "query.contxt: is no parameter; did you mean context?",
            "context, session",
        ),
        (
            "GET",
            "/context/tasks?status=todo&limt=5",
            None,
            "query.limt: is no parameter; did you mean limit?",
            "query, limit",
        ),
        ("GET", "/policies?x=1", None, "query.x: is no parameter", "This address takes no query."),
        ("GET", "/events?type=a", None, "query.type: is no parameter; did you mean types?", "types, after"),
        ("POST", "/event?event=a", {"event": "a.b"}, "query.event: is no parameter", "takes no query"),
        (
            "POST",
            "/action",
            {"action": "merge", "parms": {}},
            "body.parms: is no parameter; did you mean params?",
            "openapi",
        ),
        ("POST", "/enforce", {"params": {}}, "body.action: is missing (", "openapi"),
    ],
)
def test_a_name_that_an_address_does_not_know_is_refused_with_the_near_one(
    shared: httpx2.Client, method: str, path: str, body: Any, detail: str, hint: str
) -> None:
    answer = shared.request(method, path, json=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "bad_params")
    assert detail in problem["detail"]
    assert hint in problem["hint"]
