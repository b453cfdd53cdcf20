"""Who acts over HTTP, and the REST face inside an app of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from rest_place import act, as_role, serving
from scene import lines, reviewing

from llmgenie_mcp import Engine
from llmgenie_mcp.faces.rest import create_app

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
