"""The Engine over HTTP: questions, acts, refusals, preconditions, problems, and who acts."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from rest_place import PATIENCE, Reader, act, as_role, serving
from scene import commands, copy_repository, define, lines, reviewing

from llmgenie_mcp import Engine
from llmgenie_mcp.faces.rest import create_app


@pytest.fixture
def rest(engine: Engine) -> Iterator[httpx2.Client]:
    """A client of the REST face of `engine`."""
    with serving(create_app(engine=engine, dispatcher=False)) as client:
        yield client


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of one server for all tests that are in nobody's way."""
    repo = copy_repository(template, tmp_path_factory.mktemp("shared") / "demo")
    with Engine.open(repo) as engine, serving(create_app(engine=engine, dispatcher=False)) as client:
        yield client


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


# -- entity tags ------------------------------------------------------------------------------------------------------


def test_a_document_is_sent_again_only_when_it_changed(rest: httpx2.Client) -> None:
    act(rest, "create_task", title="Log in")
    tag = rest.get("/context/tasks/TSK-1").headers["etag"]
    assert tag == '"1"'
    same = rest.get("/context/tasks/TSK-1", headers={"If-None-Match": f'"7", W/{tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert rest.post("/context/tasks/TSK-1", json={"value": {"title": "Log out"}}).status_code == 200
    assert rest.get("/context/tasks/TSK-1", headers={"If-None-Match": tag}).headers["etag"] == '"2"'


def test_a_roadmap_items_tag_changes_with_its_tasks(rest: httpx2.Client) -> None:
    item = act(rest, "roadmap_add", title="Beta")["result"]["id"]
    before = rest.get(f"/context/roadmap/{item}").headers["etag"]
    act(rest, "create_task", title="Log in", roadmap_item=item)
    after = rest.get(f"/context/roadmap/{item}", headers={"If-None-Match": before})
    assert after.status_code == 200
    assert after.headers["etag"] != before
    written = rest.post(
        f"/context/roadmap/{item}", json={"value": {"title": "B"}}, headers={"If-Match": after.headers["etag"]}
    )
    assert written.status_code == 200


def test_a_list_is_sent_again_after_any_commit_and_pages_by_its_link(rest: httpx2.Client) -> None:
    for number in range(3):
        act(rest, "create_task", title=f"Task {number}")
    page = rest.get("/context/tasks", params={"limit": 2})
    assert [item["id"] for item in page.json()["items"]] == ["TSK-1", "TSK-2"]
    assert page.links["next"]["url"].startswith("/context/tasks?")
    rest_of_it = rest.get(page.links["next"]["url"])
    assert [item["id"] for item in rest_of_it.json()["items"]] == ["TSK-3"]
    assert "link" not in rest_of_it.headers
    tag = page.headers["etag"]
    assert tag.startswith("W/")
    assert rest.get("/context/tasks", params={"limit": 2}, headers={"If-None-Match": tag}).status_code == 304
    act(rest, "record_note", key="n", value=1)
    assert rest.get("/context/tasks", params={"limit": 2}, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"If-Match": '"1"'}, {}, 200),
        ({"If-Match": '"2"'}, {}, 412),
        ({"If-Match": 'W/"1"'}, {}, 412),
        ({"If-Match": '"5", "1"'}, {}, 200),
        ({"If-Match": '"abc"'}, {}, 412),
        ({"If-Match": "*"}, {}, 200),
        ({"If-Match": "1"}, {}, 422),
        ({"If-Match": '"1"'}, {"expected_version": 2}, 422),
        ({"If-None-Match": "*"}, {}, 412),
        ({}, {"expected_version": 1}, 200),
        ({}, {"expected_version": 2}, 409),
    ],
)
def test_a_write_heeds_its_precondition(
    shared: httpx2.Client, headers: dict[str, str], body: dict[str, Any], status: int
) -> None:
    note = f"/context/notes/{uuid.uuid4()}"
    assert shared.post(note, json={"value": "old"}).status_code == 200
    answer = shared.post(note, json={"value": "new", **body}, headers=headers)
    assert answer.status_code == status, answer.text
    assert shared.get(note).json()["value"]["value"] == ("new" if status == 200 else "old")
    assert (answer.headers["content-type"] == "application/json") == (status == 200)


def test_a_write_of_what_is_not_there_heeds_its_precondition(rest: httpx2.Client) -> None:
    assert rest.post("/context/notes/n", json={"value": 1}, headers={"If-Match": "*"}).status_code == 412
    assert rest.post("/context/notes/n", json={"value": 1}, headers={"If-None-Match": "*"}).status_code == 200


# -- who acts ---------------------------------------------------------------------------------------------------------


def test_without_tokens_an_agent_acts(rest: httpx2.Client, engine: Engine) -> None:
    act(rest, "create_task", title="Log in")
    assert lines(engine)[-1]["actor"] == {"kind": "agent", "id": "rest"}


def test_the_log_names_the_token_that_acted(rest: httpx2.Client, engine: Engine, repo: Path) -> None:
    agent, human = as_role("agent", repo), as_role("human", repo)
    act(rest, "create_task", agent, title="One")
    act(rest, "create_task", human, title="Two")
    assert [line["actor"] for line in lines(engine)] == [
        {"kind": "agent", "id": "an-agent"},
        {"kind": "human", "id": "an-human"},
    ]


def test_a_reader_asks_and_does_not_act(rest: httpx2.Client, repo: Path) -> None:
    reader = as_role("reader", repo)
    asked = [
        rest.get(path, headers=reader)
        for path in (
            "/actions",
            "/workflow/state",
            "/policies",
            "/policy/security",
            "/enforcement/status",
            "/context/tasks",
        )
    ]
    asked.append(rest.post("/enforce", json={"action": "merge"}, headers=reader))
    assert {answer.status_code for answer in asked} == {200}
    done = [
        rest.post("/action", json={"action": "create_task", "params": {"title": "x"}}, headers=reader),
        rest.post("/context/notes/n", json={"value": 1}, headers=reader),
        rest.post("/event", json={"event": "ci.finished"}, headers=reader),
        rest.post("/approvals/APR-1", json={"granted": True}, headers=reader),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in done} == {(403, "forbidden")}
    assert rest.get("/context/meta-log", headers=reader).json()["total"] == 0


def test_a_person_approves_with_a_token_and_the_workflow_moves_in_their_name(
    rest: httpx2.Client, engine: Engine, repo: Path
) -> None:
    session = reviewing(engine, repo)
    for name in ("start_review", "run_tests", "submit"):
        assert engine.run_action(name, session=session).ok
    asked = rest.post("/action", json={"action": "request_approval", "session": session}).json()
    approval = asked["result"]["approval"]["id"]
    told = rest.post(f"/approvals/{approval}", json={"granted": True})
    assert told.status_code == 403
    assert f"llmgenie approve {approval}" in told.json()["hint"]
    agent, human = as_role("agent", repo), as_role("human", repo)
    assert rest.post(f"/approvals/{approval}", json={"granted": True}, headers=agent).status_code == 403
    assert engine.context_data(f"approvals/{approval}")["value"]["status"] == "pending"
    answer = rest.post(f"/approvals/{approval}", json={"granted": True, "comment": "fine"}, headers=human)
    assert (answer.status_code, answer.json()["state"]["to"]) == (200, "approved")
    kept = engine.context_data(f"approvals/{approval}")["value"]
    assert (kept["decided_by"], kept["channel"], kept["reply"]) == ("an-human", "rest", "fine")
    assert engine.run_action("merge", {"branch": "main"}, session=session).ok
    again = rest.post(f"/approvals/{approval}", json={"granted": False}, headers=human)
    assert (again.status_code, again.json()["code"]) == (409, "usage")
    assert rest.post("/approvals/APR-9", json={"granted": False}, headers=human).status_code == 404


def test_an_event_moves_what_waits_for_it(rest: httpx2.Client, repo: Path, engine: Engine) -> None:
    answer = rest.post("/event", json={"event": "ci.finished", "params": {"ok": True}})
    assert answer.status_code == 200
    assert answer.json()["seq"] == 1
    assert lines(engine)[-1]["events"][0]["type"] == "ci.finished"


def test_authzen_asks_and_a_question_to_a_person_is_no_yes(rest: httpx2.Client) -> None:
    asked = {
        "subject": {"type": "agent", "id": "a"},
        "action": {"name": "git.push"},
        "resource": {"type": "branch", "id": "main", "properties": {"branch": "main"}},
    }
    answer = rest.post("/access/v1/evaluation", json=asked).json()
    assert (answer["decision"], answer["context"]["effect"]) == (False, "deny")
    asked["resource"] = {"type": "branch", "id": "f", "properties": {"branch": "feature/x"}}
    assert rest.post("/access/v1/evaluation", json=asked).json()["decision"] is True
    asks = rest.post("/access/v1/evaluation", json={"action": {"name": "file.delete", "properties": {"path": "a"}}})
    assert (asks.json()["decision"], asks.json()["context"]["effect"]) == (False, "ask")


# -- in an app of one's own -------------------------------------------------------------------------------------------


def _host(repo: Path, *, enters: bool) -> Any:
    from fastapi import FastAPI

    genie = create_app(repo)
    host = FastAPI(lifespan=(lambda _: genie.router.lifespan_context(genie)) if enters else None)
    host.mount("/genie", genie)
    return host, genie


@pytest.mark.parametrize("enters", [True, False])
def test_it_is_mounted_into_another_app_which_need_not_run_its_lifespan(repo: Path, *, enters: bool) -> None:
    host, genie = _host(repo, enters=enters)
    with serving(host) as client:
        assert act_at(client, "/genie/action")["result"]["id"] == "TSK-1"
        page = client.get("/genie/context/meta-log", params={"limit": 1})
        assert page.status_code == 200
        assert client.get("/genie/nowhere").json()["code"] == "not_found"
        act_at(client, "/genie/action")
        page = client.get("/genie/context/tasks", params={"limit": 1})
        assert client.get(page.links["next"]["url"]).json()["items"][0]["id"] == "TSK-2"
        engine = genie.state.engine
    assert genie.state.house.running is None
    with pytest.raises(Exception, match="closed"):
        engine.storage.refresh()


def act_at(client: httpx2.Client, path: str) -> Any:
    """Create a task at an address of one's own."""
    answer = client.post(path, json={"action": "create_task", "params": {"title": "Log in"}})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_project_that_cannot_be_opened_is_told_where_it_is_mounted(tmp_path: Path) -> None:
    host, _ = _host(tmp_path / "gone", enters=False)
    with serving(host) as client:
        answer = client.get("/genie/actions")
    assert (answer.status_code, answer.json()["code"]) == (503, "project")


def test_an_engine_that_was_given_stays_open(engine: Engine, open_engine: Callable[..., Engine]) -> None:
    app = create_app(engine=engine)
    assert app.state.engine is engine
    for _ in range(2):
        with serving(app) as client:
            assert client.get("/workflow/state").status_code == 200
    assert engine.storage.refresh() == 0


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
