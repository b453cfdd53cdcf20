from __future__ import annotations

from pathlib import Path

import pytest

from llmgenie_mcp.expressions import Vocabulary
from llmgenie_mcp.loader import load_bytes, load_yaml
from llmgenie_mcp.loader.structure import check_workflow
from llmgenie_mcp.workflow import Workflow

WORKFLOWS = Path(__file__).parent.parent / "workflows"
FACTS = Vocabulary(["git.clean", "git.head", "instance.id"])


def problems(
    states: str, *, actions: tuple[str, ...] = ("run_tests",), initial: str = "a", check_names: bool = True
) -> list[str]:
    """What is said about a workflow with these states, each as `line:column: message`."""
    loaded = load_bytes(f"name: x\ninitial: {initial}\n{states}".encode(), Workflow, "x.yaml")
    found = check_workflow(loaded.value, actions=actions, vocabulary=FACTS, check_names=check_names)
    return [f"{p.line}:{p.column}: {p.message}" for p in loaded.located(found)]


def test_sound_workflow_has_no_problems() -> None:
    assert problems("states: {a: {actions: [run_*, go], on: {go: b, again: a}}, b: {final: true}}") == []


def test_workflow_without_final_states_may_go_round_for_ever() -> None:
    assert problems("states: {a: {on: {go: b}}, b: {on: {back: a}}}") == []


def test_unknown_initial_state_is_the_only_thing_said_about_ways() -> None:
    assert problems("states: {a: {}, b: {}}", initial="c") == ["2:10: There is no state 'c'"]


def test_unknown_target_is_not_called_a_dead_end_as_well() -> None:
    assert problems("states: {a: {on: {go: c}}}") == ["3:23: There is no state 'c'"]


def test_unknown_target_of_a_trigger_for_all_states() -> None:
    assert problems("on: {stop: c}\nstates: {a: {on: {go: a}}}") == ["3:12: There is no state 'c'"]


def test_trigger_for_all_states_reaches_and_leaves_states() -> None:
    assert problems("on: {stop: c, start: a}\nstates: {a: {}, b: {}, c: {}}") == [
        "4:17: Nothing leads from 'a' to the state 'b'"
    ]


def test_trigger_for_all_states_does_not_leave_a_final_state() -> None:
    assert problems("on: {stop: c, start: a}\nstates: {a: {}, c: {final: true}}") == []


def test_way_from_a_state_to_itself_is_no_way_out() -> None:
    assert problems("states: {a: {on: {again: a, go: b}}, b: {on: {again: b}}, c: {final: true}}") == [
        "3:10: No final state can be reached from 'a'",
        "3:38: Nothing leads out of the state 'b'",
        "3:59: Nothing leads from 'a' to the state 'c'",
    ]


def test_final_initial_state() -> None:
    assert problems("states: {a: {final: true}}") == ["2:10: The initial state 'a' is final"]


def test_final_state_may_say_that_it_opens_nothing() -> None:
    assert problems("states: {a: {on: {go: b}}, b: {final: true, actions: []}}") == []


def test_own_triggers_may_be_listed_as_actions() -> None:
    assert problems("on: {stop: b}\nstates: {a: {actions: [go, stop], on: {go: b}}, b: {final: true}}") == []


def test_state_that_opens_nothing_or_everything_is_fine() -> None:
    assert (
        problems('states: {a: {actions: [], on: {go: b}}, b: {actions: ["*"], on: {end: c}}, c: {final: true}}') == []
    )


@pytest.mark.parametrize("guard", ["git.head == git.clean", "git.head  ==  git.clean", "(git.head == git.clean)"])
def test_same_guard_in_other_spacing_is_found(guard: str) -> None:
    guards = f"[{{expression: git.head == git.clean, message: m}}, {{expression: {guard}, message: n}}]"
    said = problems(f"states: {{a: {{on: {{go: {{target: b, guards: {guards}}}}}}}, b: {{final: true}}}}")
    assert said == ([] if guard.startswith("(") else ["3:106: The same guard stands here twice"])


def test_names_are_left_alone_when_they_cannot_be_known() -> None:
    states = """
states:
  a:
    actions: [deploy]
    on: {go: {target: b, guards: [{expression: weather.fine, message: "{weather.now}"}], effects: [{log: "{weather}"}]}}
  b: {final: true}
"""
    assert problems(states, check_names=False) == []
    assert problems(states) == [
        "6:15: No action or trigger is called 'deploy'",
        "7:48: There is no fact 'weather.fine'",
        "7:73: There is no fact 'weather.now'",
        "7:108: There is no fact 'weather'",
    ]


def test_facts_of_triggers_for_all_states_are_checked_once() -> None:
    guarded = "{target: b, guards: [{expression: git.clear, message: m}]}"
    assert problems(f"on: {{stop: {guarded}}}\nstates: {{a: {{}}, c: {{on: {{x: a}}}}, b: {{on: {{y: c}}}}}}") == [
        "3:46: There is no fact 'git.clear'"
    ]


@pytest.mark.parametrize("name", ["modes", "review", "release", "task"])
def test_packaged_workflows_are_sound(name: str) -> None:
    workflow = load_yaml(WORKFLOWS / f"{name}.yaml", Workflow).value
    assert check_workflow(workflow, actions=(), vocabulary=FACTS, check_names=False) == []
