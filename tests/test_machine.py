"""What a step needs: the right state, role, guards and person; every reason is told, the most basic first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgenie_mcp import machine
from llmgenie_mcp.machine import Step
from llmgenie_mcp.records import Refusal
from llmgenie_mcp.workflow import Workflow

FLOW = Workflow.model_validate(
    {
        "name": "flow",
        "initial": "draft",
        "on": {"stop": "stopped"},
        "states": {
            "draft": {
                "on": {
                    "send": {
                        "target": "sent",
                        "guards": [
                            {"expression": "git.clean", "message": "Commit first ({git.branch})."},
                            {"expression": "tests.passed and tests.commit == git.head", "message": "Test first."},
                        ],
                        "effects": [{"log": "{instance.id} sent at {git.head}"}],
                    }
                }
            },
            "sent": {
                "on": {
                    "accept": {"target": "accepted", "approval": "human", "roles": ["lead", "owner"]},
                    "compare": {"target": "draft", "guards": [{"expression": "1 < git.head", "message": "Cannot be."}]},
                }
            },
            "accepted": {"on": {"publish": "published", "send": "sent"}},
            "published": {"final": True},
            "stopped": {"final": True},
        },
    }
)
GOOD = {"git": {"clean": True, "head": "abc", "branch": "x"}, "tests": {"passed": True, "commit": "abc"}}


def step(state: str, trigger: str, facts: dict[str, Any] | None = None, **more: Any) -> Step | tuple[Refusal, ...]:
    more = {"instance": "FLO-1", "actor": "agent", **more}
    return machine.step(FLOW, state, trigger, GOOD if facts is None else facts, **more)


def refusals(*args: Any, **more: Any) -> tuple[Refusal, ...]:
    result = step(*args, **more)
    assert not isinstance(result, Step)
    return result


def test_a_step_whose_guards_hold_is_taken_with_its_trace() -> None:
    result = step("draft", "send")
    assert isinstance(result, Step)
    assert (result.source, result.target, result.instance) == ("draft", "sent", "FLO-1")
    assert result.trace[0] == "git.clean → true (git.clean = true)"
    assert len(result.trace) == 3


def test_every_guard_that_fails_is_told_with_its_values() -> None:
    facts = {"git": {"clean": False, "head": "abc", "branch": "x"}, "tests": {"passed": True, "commit": "old"}}
    first, second = refusals("draft", "send", facts)
    assert (first.code, first.rule, first.message) == ("guard_failed", "flow.draft.send", "Commit first (x).")
    assert second.values == {"tests.passed": True, "tests.commit": "old", "git.head": "abc"}


@pytest.mark.parametrize("missing", ["git", "tests"])
def test_a_guard_on_a_fact_that_is_not_known_does_not_hold(missing: str) -> None:
    found = refusals("draft", "send", {key: value for key, value in GOOD.items() if key != missing})
    assert {refusal.code for refusal in found} == {"guard_failed"}
    assert "unknown" in found[-1].values.values()


def test_a_guard_that_cannot_be_decided_does_not_hold_and_says_why() -> None:
    (refusal,) = refusals("sent", "compare")
    assert refusal.message.startswith("Cannot be. (the guard cannot be decided:")


@pytest.mark.parametrize(
    ("actor", "role", "approved", "wanted"),
    [
        ("agent", "lead", False, ["approval_required"]),
        ("agent", None, False, ["wrong_role", "approval_required"]),
        ("agent", "developer", True, ["wrong_role"]),
        ("human", "developer", False, ["wrong_role"]),
        ("system", "lead", False, ["approval_required"]),
    ],
)
def test_a_person_and_a_role_are_two_things(actor: str, role: str | None, approved: bool, wanted: list[str]) -> None:
    found = refusals("sent", "accept", actor=actor, role=role, approved=approved)
    assert [r.code for r in found] == wanted
    told = {None: "none", "developer": "developer"}
    roles = [r.message for r in found if r.code == "wrong_role"]
    assert all(said == f"accept is for lead or owner; this session's role is {told[role]}." for said in roles)


@pytest.mark.parametrize(("actor", "approved"), [("human", False), ("agent", True)])
def test_a_person_or_a_persons_approval_passes(actor: str, approved: bool) -> None:
    assert isinstance(step("sent", "accept", actor=actor, role="owner", approved=approved), Step)


def test_what_needs_a_person_says_how_to_ask_one() -> None:
    fix = refusals("sent", "accept", role="lead")[0].fix
    assert fix == {"action": "request_approval", "params": {"action": "accept", "instance": "FLO-1"}}


@pytest.mark.parametrize(
    ("state", "trigger", "fix"),
    [("draft", "publish", "send"), ("draft", "accept", "send")],
)
def test_from_the_wrong_state_the_way_is_told(state: str, trigger: str, fix: str) -> None:
    (refusal,) = refusals(state, trigger)
    assert refusal.code == "no_transition"
    assert refusal.fix == {"action": fix, "params": {"instance": "FLO-1"}}
    assert f"First {fix}" in refusal.message


def test_where_the_way_leads_by_a_person_an_agent_is_told_to_ask_and_a_person_to_go() -> None:
    (refusal,) = refusals("sent", "publish")
    assert refusal.fix == {"action": "request_approval", "params": {"action": "accept", "instance": "FLO-1"}}
    assert "First accept. accept needs a person" in refusal.message
    (refusal,) = refusals("sent", "publish", actor="human")
    assert refusal.fix == {"action": "accept", "params": {"instance": "FLO-1"}}


def test_what_has_ended_stays_ended() -> None:
    for trigger in ("send", "stop", "accept"):
        (refusal,) = refusals("published", trigger)
        assert "has ended" in refusal.message
        assert refusal.fix == {"action": "start_flow", "params": {"subject": "…"}}


def test_where_a_trigger_leads_already_it_is_not_undone_to_be_done_again() -> None:
    (refusal,) = refusals("sent", "send")
    assert refusal.message.startswith("FLO-1 is sent already, which is where send leads. From here: ")
    assert refusal.fix is None


def test_a_trigger_of_another_workflow_and_a_lost_state_are_told() -> None:
    assert "in draft there are stop, send" in refusals("draft", "fly")[0].message
    assert "no longer has" in refusals("lost", "send")[0].message
    assert machine.step_names(FLOW, "lost", "send") == machine.step_names(FLOW, "draft", "fly") == frozenset()


def test_the_facts_of_a_step_are_those_of_guards_messages_and_effects() -> None:
    wanted = {"git.clean", "git.branch", "git.head", "tests.passed", "tests.commit", "instance.id"}
    assert machine.step_names(FLOW, "draft", "send") == wanted


def test_a_trigger_for_all_states_does_not_lead_from_its_target_to_itself() -> None:
    assert isinstance(step("draft", "stop"), Step)
    assert "stop" not in FLOW.transitions("stopped")


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.booleans(), max_size=2)
FACTS = st.dictionaries(
    st.sampled_from(["git", "tests"]),
    st.dictionaries(st.sampled_from(["clean", "head", "branch", "passed", "commit"]), VALUES) | VALUES,
)


@given(FACTS, st.sampled_from(sorted(FLOW.states)), st.sampled_from([*sorted(FLOW.triggers), "x"]), st.booleans())
def test_whatever_the_facts_are_a_step_is_one_of_the_workflow_or_there_is_a_reason(
    facts: dict[str, Any], state: str, trigger: str, approved: bool
) -> None:
    result = step(state, trigger, facts, approved=approved)
    if isinstance(result, Step):
        assert FLOW.transitions(state)[trigger].target == result.target
        assert approved or not result.transition.approval
        assert (state, trigger) != ("draft", "send") or facts["git"]["clean"]
    else:
        assert result
        assert all(refusal.message for refusal in result)
