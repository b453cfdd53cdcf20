"""Tools of other servers as actions: found, checked, allowed, called, logged; over stdio with a real server."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from scene import codes, configure, copy_repository, define, lines, started
from upstream_scene import PATIENCE, SHOP, accept, alive, behind, children, raw, said, tool, wait_until

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import BadParams, UnknownName
from llmgenie_mcp.records import Actor
from llmgenie_mcp.upstream import pool

ISSUE = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "description": "What is wrong."},
        "labels": {"type": "array", "items": {"type": "string"}},
        "state": {"enum": ["open", "closed"], "default": "open"},
    },
    "required": ["title"],
}


def test_a_tool_is_found_among_hundreds_with_its_schema(repo: Path, tmp_path: Path) -> None:
    others = [
        tool(f"{verb}_{what}{n}") for n in range(12) for verb in ("get", "list", "create") for what in ("page", "team")
    ]
    wanted = tool("create_issue", description="Create a new issue in a GitHub repository.", schema=ISSUE)
    with behind(repo, github=raw(tmp_path, *others, wanted)) as engine:
        found = engine.available_actions(query="create github issue")
        first = found["actions"][0]
        assert (first["name"], first["params"]) == ("github.create_issue", "title, labels?, state?=open")
        assert first["schema"]["properties"]["title"] == {"type": "string", "description": "What is wrong."}
        assert first["schema"]["required"] == ["title"]
        assert "GitHub repository" in first["schema"]["description"]
        assert len(found["actions"]) <= 50


def test_lists_name_the_servers_and_not_their_tools(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, "buy", "sell")) as engine:
        listed = engine.available_actions()
        assert listed["groups"] == {"shop": 3}
        assert not any(action["name"].startswith("shop.") for action in listed["actions"])
        outcome = engine.run_action("shop.buy")
        assert outcome.ok
        assert not any(name.startswith("shop.") for name in outcome.actions)


def test_a_search_starts_no_server(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, "buy")) as engine:
        pool.close_all()
        asked = len(said(tmp_path))
        with Engine.open(repo) as other:
            assert other.available_actions(query="buy")["actions"][0]["name"] == "shop.buy"
        assert engine.run_action("shop.buy").ok
        assert len(said(tmp_path)) > asked


def test_a_call_is_answered_logged_and_kept_as_a_run(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, "buy")) as engine:
        outcome = engine.run_action("shop.buy", {"item": "cat", "deep": {"a": [1, None]}})
        assert outcome.ok
        assert json.loads(outcome.result["text"]) == {"name": "buy", "given": {"item": "cat", "deep": {"a": [1, None]}}}
        kinds = [(line["type"], line.get("action")) for line in lines(engine)[-2:]]
        assert kinds == [("action.started", "shop.buy"), ("action.completed", "shop.buy")]
        run = engine.storage.get("runs", outcome.result["run"])
        assert run is not None
        assert (run["command"], run["status"]) == ("shop.buy", "passed")


def test_the_same_key_calls_once(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, "buy")) as engine:
        first = engine.run_action("shop.buy", idempotency_key="k1")
        again = engine.run_action("shop.buy", idempotency_key="k1")
        assert again.replayed
        assert again.result == first.result
        assert len([entry for entry in said(tmp_path) if entry.get("method") == "tools/call"]) == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "title: is missing"),
        ({"title": 1}, "title: 1 is not of type 'string'"),
        ({"title": "t", "labels": [1]}, "labels.0: 1 is not of type 'string'"),
        ({"title": "t", "state": "gone"}, "'gone' is not one of"),
    ],
)
def test_parameters_that_do_not_fit_are_told_and_not_sent(repo: Path, tmp_path: Path, given: Any, told: str) -> None:
    with behind(repo, hub=raw(tmp_path, tool("create", schema=ISSUE))) as engine:
        with pytest.raises(BadParams) as caught:
            engine.run_action("hub.create", given)
        assert told in caught.value.message
        assert caught.value.hint == "hub.create takes: title, labels?, state?=open."
        assert not [entry for entry in said(tmp_path) if entry.get("method") == "tools/call"]


def test_before_anyone_accepted_the_settings_nothing_is_started(repo: Path, tmp_path: Path) -> None:
    configure(repo, trusted=False, upstreams={"shop": raw(tmp_path, "buy")})
    with Engine.open(repo) as engine:
        outcome = engine.run_action("shop.list_tools")
        assert codes(outcome) == ["not_trusted"]
        assert "llmgenie trust" in outcome.reasons[0].message
    assert not said(tmp_path)


def test_a_policy_reads_what_the_annotations_say(repo: Path, tmp_path: Path) -> None:
    rules = """
name: shopping
level: always_on
applies_to: {actions: ["shop.*"]}
rules:
  - id: no-harm
    effect: deny
    when: resource.destructive and subject.kind == "agent"
    reason: "{resource.tool} of {resource.server} destroys."
  - {id: reads-are-fine, effect: allow, when: resource.read_only, reason: It reads.}
"""
    define(repo, "policies", "shopping", rules)
    tools = [
        tool("look", readOnlyHint=True),
        tool("add", destructiveHint=False),
        tool("burn"),
        tool("raze", destructiveHint=True),
    ]
    with behind(repo, shop=raw(tmp_path, *tools)) as engine:
        assert [engine.run_action(f"shop.{name}").status for name in ("look", "add", "burn", "raze")] == [
            "ok", "ok", "denied", "denied",
        ]  # fmt: skip
        refused = engine.run_action("shop.raze").reasons[0]
        assert (refused.rule, refused.message) == ("shopping/no-harm", "raze of shop destroys.")
        assert engine.run_action("shop.burn", actor=Actor("human", "ada")).ok


def test_what_needs_a_person_is_asked_for_and_then_done(repo: Path, tmp_path: Path) -> None:
    rules = """
name: shopping
level: always_on
applies_to: {actions: ["shop.sell"]}
rules:
  - {id: ask-first, effect: ask, when: not approval.granted, reason: Selling needs a person.}
"""
    define(repo, "policies", "shopping", rules)
    with behind(repo, shop=raw(tmp_path, "sell")) as engine:
        assert engine.run_action("shop.sell", {"item": "cat"}).status == "denied"
        asked = engine.run_action("request_approval", {"action": "shop.sell", "params": {"item": "cat"}})
        engine.decide_approval(asked.result["approval"]["id"], True, person="ada", channel="terminal")
        assert engine.run_action("shop.sell", {"item": "dog"}).status == "denied"
        assert engine.run_action("shop.sell", {"item": "cat"}).ok


def test_policies_and_triggers_may_name_tools_that_are_not_known_yet(repo: Path, tmp_path: Path) -> None:
    rules = """
name: shopping
level: always_on
applies_to: {actions: [shop.buy, "shop.s*"]}
rules:
  - {id: look-first, effect: deny, when: action.destructive, reason: Look first., fix: {action: shop.look}}
"""
    define(repo, "policies", "shopping", rules)
    rule = {"on": "ci.finished", "run": [{"action": "shop.buy"}]}
    configure(repo, upstreams={"shop": raw(tmp_path, "buy")}, triggers={"restock": rule})
    with Engine.open(repo) as engine:
        assert "shopping" in engine.catalog.policies
        with pytest.raises(UnknownName):
            engine.run_action("shop.buy")


def test_tools_are_open_in_every_mode_until_a_mode_lists_them(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, "buy", "sell")) as engine:
        session = started(engine, mode="review")
        assert engine.run_action("shop.buy", session=session).ok
        engine.run_action("switch_mode", {"mode": "release"}, session=session)
        assert engine.run_action("shop.sell", session=session).ok


def test_a_state_that_lists_tools_binds_them(repo: Path, tmp_path: Path) -> None:
    flow = """
name: sale
initial: counting
states:
  counting: {actions: [record_note], on: {open_up: open}}
  open: {actions: [record_note, shop.sell], on: {close_down: over}}
  over: {final: true}
"""
    define(repo, "workflows", "sale", flow)
    with behind(repo, shop=raw(tmp_path, "buy", "sell")) as engine:
        session = started(engine)
        engine.run_action("start_sale", {"subject": "cats"}, session=session)
        refused = engine.run_action("shop.sell", session=session)
        assert codes(refused) == ["not_open_here"]
        assert engine.run_action("shop.buy", session=session).ok
        engine.run_action("open_up", session=session)
        assert engine.run_action("shop.sell", session=session).ok


def test_an_agents_secret_is_not_sent_to_another_server(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, tool("look", readOnlyHint=True))) as engine:
        refused = engine.run_action("shop.look", {"key": "ghp_" + "a" * 36})
        assert refused.reasons[0].rule == "security/no-secrets-in-parameters"


def test_secrets_in_an_answer_do_not_reach_anybody(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_SHOP", "open-sesame-1234")
    env = {"SHOP_KEY": {"env": "KEY_OF_SHOP"}}
    with behind(repo, shop=raw(tmp_path, "secret", "rpc_error", env=env)) as engine:
        outcome = engine.run_action("shop.secret")
        assert outcome.result["data"] == {"token": "[github_token removed]", "given": "[secret removed]"}
        assert "text" not in outcome.result
        failed = engine.run_action("shop.rpc_error")
        everything = json.dumps([outcome.to_dict(), failed.to_dict(), lines(engine)])
        assert "ghp_" not in everything
        assert "open-sesame" not in everything
        assert failed.error is not None
        assert "[github_token removed]" in failed.error["message"]


def test_the_server_gets_what_the_settings_say_and_not_our_whole_environment(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVATE_THING", "mine")
    (repo / "sub").mkdir()
    with behind(repo, shop=raw(tmp_path, "secret", env={"SHOP_KEY": "plain"}, cwd="sub")) as engine:
        assert engine.run_action("shop.secret").result["data"]["given"] == "plain"
        pid = int(next(iter(children(children()[0]))))
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"PRIVATE_THING" not in environ
        assert b"SHOP_KEY=plain" in environ
        assert Path(f"/proc/{pid}/cwd").resolve() == (repo / "sub").resolve()


@pytest.mark.parametrize("cwd", ["..", "/", "missing", "ring"])
def test_a_folder_outside_the_project_is_none_to_start_in(repo: Path, tmp_path: Path, cwd: str) -> None:
    configure(repo, upstreams={"shop": raw(tmp_path, "buy", cwd=cwd)})
    (repo / "ring").symlink_to("ring")
    with Engine.open(repo) as engine:
        outcome = engine.run_action("shop.list_tools")
        assert outcome.status == "failed"
        assert outcome.error is not None
        assert "outside the project" in outcome.error["message"]


def test_a_program_or_a_secret_that_is_not_there_is_named(repo: Path, tmp_path: Path) -> None:
    missing = raw(tmp_path, "buy", env={"T": {"env": "NOT_SET_ANYWHERE"}})
    configure(repo, upstreams={"gone": {"command": ["no-such-program"]}, "keyless": missing})
    with Engine.open(repo) as engine:
        for name, part in (("gone", "no-such-program"), ("keyless", "NOT_SET_ANYWHERE")):
            outcome = engine.run_action(f"{name}.list_tools")
            assert outcome.error is not None
            assert part in outcome.error["message"]


def test_cancelling_a_call_cancels_it_there(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, "hang", "buy")) as engine:
        cancel, outcomes = threading.Event(), []
        caller = threading.Thread(target=lambda: outcomes.append(engine.run_action("shop.hang", cancel=cancel)))
        caller.start()
        called = wait_until(lambda: [e for e in said(tmp_path) if e.get("method") == "tools/call"], "the call")
        cancel.set()
        caller.join(PATIENCE)
        assert outcomes[0].status == "failed"
        assert "cancelled" in outcomes[0].error["message"]
        run = engine.storage.get("runs", outcomes[0].result["run"])
        assert run is not None
        assert run["status"] == "cancelled"
        told = wait_until(
            lambda: [e for e in said(tmp_path) if e.get("method") == "notifications/cancelled"], "the cancellation"
        )
        assert told[0]["params"]["requestId"] == called[0]["id"]
        assert engine.run_action("shop.buy").ok


def test_a_call_that_takes_too_long_ends_and_the_next_one_works(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, "hang", "buy", timeout=0.3)) as engine:
        outcome = engine.run_action("shop.hang")
        assert outcome.error is not None
        assert outcome.error["message"] == "shop.hang did not answer in time."
        assert engine.run_action("shop.buy").ok


def test_an_unused_server_is_stopped_and_started_again_when_needed(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, "pid", idle=0.3)) as engine:
        first = int(engine.run_action("shop.pid").result["text"])
        wait_until(lambda: not alive(first), "the end of the idle server")
        second = int(engine.run_action("shop.pid").result["text"])
        assert second != first
        third = int(engine.run_action("shop.pid").result["text"])
        assert third == second


def test_two_projects_do_not_share_a_server(template: Path, repo: Path, tmp_path: Path) -> None:
    other = copy_repository(template, tmp_path / "other")
    with behind(repo, shop=raw(tmp_path, "pid")) as engine:
        configure(other, upstreams={"shop": raw(tmp_path, "pid")})
        with Engine.open(other) as second:
            assert codes(second.run_action("shop.list_tools")) == []
            refused = second.run_action("shop.pid")
            assert codes(refused) == ["not_trusted"]
            accept(second, "shop")
            pids = {each.run_action("shop.pid").result["text"] for each in (engine, second)}
            assert len(pids) == 2


def test_a_server_that_is_asked_by_many_at_once_is_started_once(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, "pid")) as engine:
        pool.close_all()
        answers: list[str] = []
        callers = [
            threading.Thread(target=lambda: answers.append(engine.run_action("shop.pid").result["text"]))
            for _ in range(8)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(PATIENCE)
        assert len(answers) == 8
        assert len(set(answers)) == 1


def test_changed_settings_start_the_server_anew(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, "secret")) as engine:
        configure(repo, upstreams={"shop": raw(tmp_path, "secret", env={"SHOP_KEY": "fresh"})})
        with pytest.raises(UnknownName):
            engine.run_action("shop.secret")
        accept(engine, "shop")
        assert engine.run_action("shop.secret").result["data"]["given"] == "fresh"


def test_only_tools_that_the_settings_take_are_there(repo: Path, tmp_path: Path) -> None:
    with behind(repo, shop=raw(tmp_path, "look_up", "look_down", "burn", tools=["look_*"])) as engine:
        assert [name for name in engine.definitions.actions if name.startswith("shop.")] == [
            "shop.list_tools", "shop.look_down", "shop.look_up",
        ]  # fmt: skip


def test_a_server_made_with_the_sdk_tells_progress_errors_pictures_and_long_texts(repo: Path) -> None:
    import sys

    with behind(repo, shop={"command": [sys.executable, str(SHOP)], "max_answer": 2000}) as engine:
        reports: list[tuple[float, float | None, str]] = []
        counted = engine.run_action("shop.count", {"to": 3, "pause": 0.25}, progress=lambda *told: reports.append(told))
        assert counted.result["text"] == "counted to 3"
        assert reports[0] == (0.0, 3.0, "at 0")
        assert len(reports) >= 2
        failed = engine.run_action("shop.fail", {"why": "sold out\nfor good"})
        assert failed.status == "failed"
        assert failed.error is not None
        assert "sold out" in failed.error["message"]
        assert "for good" in failed.result["text"]
        pictured = engine.run_action("shop.picture").result
        assert pictured["text"] == "A cat."
        assert pictured["attachments"] == ["image image/png, 30,000 bytes; not passed on"]
        big = engine.run_action("shop.big", {"size": 100_000}).result
        assert len(json.dumps(big)) < 2400
        assert "left out" in big["cut"]
        sold = engine.run_action("shop.sell", {"item": "cat", "price": 3}).result
        assert sold["data"] == {"sold": "cat", "price": 3.0, "tags": None}
        assert "text" not in sold
