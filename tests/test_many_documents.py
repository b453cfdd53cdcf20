"""In a project with a long past and many open tasks the answers are those of a small one, and are found as fast."""

from __future__ import annotations

import difflib
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import git

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.engine.situation import Situation, StoreReader, World
from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.policy import PolicyRequest, PolicySet
from llmgenie_mcp.rules import Policy
from llmgenie_mcp.signals.tests import LOOKED_AT

PERSON = Actor("human", "ada")
WHEN = "2026-01-01T00:00:00.000000Z"


def put(engine: Engine, table: str, *documents: dict[str, Any]) -> None:
    with engine.storage.begin() as tx:
        for document in documents:
            tx.put(table, document["id"], {"created_at": WHEN, "updated_at": WHEN, "created_by": "agent:x", **document})
        tx.commit({"type": "test.put", "actor": {"kind": "system", "id": "test"}})


def task(number: int, **more: Any) -> dict[str, Any]:
    defaults = {"title": "Work", "description": "", "status": "todo", "priority": "medium", "dependencies": []}
    return {"id": f"TSK-{number}", **defaults, **more}


def run(number: int, commit: str | None, status: str = "passed", at: str = WHEN) -> dict[str, Any]:
    told = {"action": "run_tests", "command": "test", "status": status, "commit": commit, "updated_at": at}
    return {"id": f"RUN-{number}", **told}


def last_tests(engine: Engine) -> dict[str, Any]:
    reader = StoreReader(engine.storage)
    found: Situation = engine.definitions.situation(engine.project, reader, None, Actor(), World())
    return {name: found.fact(f"tests.last.{name}") for name in ("passed", "run")}


def test_the_most_urgent_task_that_is_ready_is_claimed_and_what_it_frees_is_told(engine: Engine) -> None:
    urgent = [task(number, priority="critical", dependencies=["TSK-500"]) for number in (601, 602)]
    put(engine, "tasks", *map(task, range(1, 501)), *urgent, task(700, priority="high"), task(800, priority="high"))
    assert engine.run_action("claim_task", actor=PERSON).result["id"] == "TSK-700"
    engine.run_action("claim_task", {"id": "TSK-500"}, actor=PERSON)
    done = engine.run_action("complete_task", {"id": "TSK-500", "summary": "It works as the plan says."}, actor=PERSON)
    assert done.result["now_ready"] == ["TSK-601", "TSK-602"]
    assert engine.run_action("claim_task", actor=PERSON).result["id"] == "TSK-601"


def test_when_nothing_is_ready_the_first_tasks_that_wait_are_named(engine: Engine) -> None:
    put(engine, "tasks", task(1, status="blocked"), *(task(n, dependencies=["TSK-1"]) for n in range(2, 300)))
    (reason,) = engine.run_action("claim_task", actor=PERSON).reasons
    assert reason.code == "nothing_ready"
    assert reason.message.startswith("TSK-2, TSK-3, ")
    assert "TSK-11 wait" in reason.message


def test_the_run_of_this_commit_counts_however_many_others_ran_since(engine: Engine, repo: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    others = [run(number, f"{number:040x}") for number in range(10, 10 + 3 * LOOKED_AT)]
    put(engine, "runs", run(1, head, "failed"), *others)
    assert last_tests(engine) == {"passed": False, "run": "RUN-1"}


def test_without_a_run_of_this_commit_the_last_that_ended_counts(engine: Engine) -> None:
    others = [run(number, f"{number:040x}") for number in range(10, 10 + 3 * LOOKED_AT)]
    put(engine, "runs", *others, run(500, None, "failed"), run(501, None, "running"))
    assert last_tests(engine) == {"passed": False, "run": "RUN-500"}


def test_an_unknown_name_among_a_hundred_thousand_is_told_at_once_with_the_nearest() -> None:
    known = [f"TSK-{number}" for number in range(100_000)]
    started = time.process_time()
    assert "TSK-9999" in UnknownName("task", "TSK-99999x", known).hint
    told = time.process_time()
    difflib.get_close_matches("TSK-99999x", known)  # which looks at each
    assert told - started < time.process_time() - told


FACTS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["agent", "human", None]),
        "status": st.sampled_from(["active", "paused", None, "a status longer than what is remembered"]),
        "changes": st.booleans(),
        "secrets": st.sampled_from([[], ["jwt"]]),
    },
)
WHENS = (
    "subject.kind == 'agent' and session.status == 'paused'",
    "action.changes and len(action.secrets) > 0",
    "session.status in ['active', 'a status longer than what is remembered'] or not action.changes",
    "subject.kind != 'human' and git.clean",
)
RULES = [{"id": f"r{n}", "effect": "deny", "when": when, "reason": "No."} for n, when in enumerate(WHENS)]
POLICY = Policy.model_validate({"name": "checked", "level": "always_on", "rules": RULES})
SHARED = PolicySet([POLICY])
"""Asked by every example, so that what it remembers of one request meets the next."""


@settings(max_examples=200, deadline=None)
@given(FACTS)
def test_what_is_remembered_of_one_request_does_not_decide_another(told: dict[str, Any]) -> None:
    request = PolicyRequest(
        subject={"kind": told["kind"]} if "kind" in told else {},
        action="act",
        context={"mode": "code"},
        facts={
            "session": {"status": told["status"]} if "status" in told else {},
            "action": {name: told[name] for name in ("changes", "secrets") if name in told},
        },
    )
    environment = {**request.environment(), "params": POLICY.params}
    against = [rule.id for rule in POLICY.rules if rule.condition.explain(environment).value is not False]
    assert [reason.rule for reason in SHARED.decide(request).reasons] == against


@pytest.mark.parametrize("mode", ["code", "docs"])
def test_a_list_of_actions_says_the_same_with_and_without_what_is_blocked(engine: Engine, mode: str) -> None:
    short, whole = (engine.available_actions(mode, include_blocked=blocked) for blocked in (False, True))
    assert short["actions"] == whole["actions"]
    assert {line["name"] for line in whole["blocked"]}.isdisjoint(line["name"] for line in short["actions"])
    assert all(reason["message"] for line in whole["blocked"] for reason in line["reasons"])
