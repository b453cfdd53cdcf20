"""Drawings of the packaged workflows; `UPDATE_GOLDEN=1 pytest tests/test_diagram.py` draws them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmgenie_mcp.diagram import mermaid, text
from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.loader import load_bytes, load_yaml
from llmgenie_mcp.workflow import Workflow

GOLDEN = Path(__file__).parent / "golden"
WORKFLOWS = Path(__file__).parent.parent / "workflows"
SENT_BACK = [("draft", "submit", "in_review"), ("in_review", "reject", "draft"), ("draft", "submit", "in_review")]
STEPS = {"review": ("in_review", SENT_BACK), "modes": ("code", [("discuss", "code", "code")])}


def packaged(name: str) -> Workflow:
    return load_yaml(WORKFLOWS / f"{name}.yaml", Workflow).value


def small(states: str) -> Workflow:
    return load_bytes(f"name: x\ninitial: a\nstates: {states}".encode(), Workflow, "x.yaml").value


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("kind", ["mmd", "txt"])
def test_drawing_of_a_packaged_workflow(name: str, kind: str) -> None:
    current, history = STEPS[name]
    drawn = mermaid(packaged(name), current, history) if kind == "mmd" else text(packaged(name), current)
    path = GOLDEN / f"{name}.{kind}"
    if "UPDATE_GOLDEN" in os.environ:
        path.write_text(drawn, encoding="utf-8")
    assert drawn == path.read_text(encoding="utf-8")


def test_triggers_for_all_states_are_drawn_once() -> None:
    workflow = packaged("modes")
    assert mermaid(workflow).count(" --> ") == len(workflow.on) + 1
    assert len(list(workflow.edges())) > 50


def test_unmarked_drawing_has_no_classes() -> None:
    assert "class" not in mermaid(packaged("review"))
    assert "> " not in text(packaged("review")).replace("-> ", "")


def test_final_states_are_left_out_of_any_state() -> None:
    workflow = load_bytes(b"name: x\ninitial: a\non: {stop: b}\nstates: {a: {}, b: {final: true}}", Workflow, "x").value
    assert '    state "any state that is not final" as ANY\n' in mermaid(workflow)
    assert text(workflow).endswith("  (any state that is not final)  stop -> b\n")


def test_roles_people_and_guards_stand_on_the_edge() -> None:
    workflow = small(
        "{a: {on: {go: {target: b, approval: human, roles: [lead, owner],"
        " guards: [{expression: git.clean, message: m}]}}}, b: {final: true}}"
    )
    assert "    a --> b : go [1 guard, person, role lead or owner]\n" in mermaid(workflow)


def test_states_named_like_words_of_mermaid_get_another_id() -> None:
    drawn = mermaid(small("{a: {on: {go: end}}, end: {on: {go: note}}, note: {final: true}}"), "end")
    assert '    state "end" as STATE_end\n    state "note" as STATE_note\n    a --> STATE_end : go\n' in drawn
    assert drawn.endswith("    class STATE_end current\n")


def test_trigger_of_a_state_over_the_one_for_all_is_ticked_where_it_was_taken() -> None:
    text_ = b"name: x\ninitial: a\non: {go: c}\nstates: {a: {on: {go: b}}, b: {}, c: {}}"
    workflow = load_bytes(text_, Workflow, "x").value
    drawn = mermaid(workflow, history=[("a", "go", "b")])
    assert "a --> b : go ✓\n" in drawn
    assert "ANY --> c : go\n" in drawn
    assert "ANY --> c : go ✓\n" in mermaid(workflow, history=[("b", "go", "c")])


def test_history_of_an_older_version_does_not_fail() -> None:
    assert "gone" not in mermaid(packaged("modes"), history=[("gone", "code", "code"), ("code", "go", "gone")])


def test_terminal_drawing_is_ascii() -> None:
    assert all(text(packaged(name)).isascii() for name in ("modes", "review", "release", "task"))


@pytest.mark.parametrize("draw", [mermaid, text])
def test_unknown_current_state_is_refused(draw: object) -> None:
    with pytest.raises(UnknownName, match="Unknown state 'reviewing'"):
        draw(packaged("review"), "reviewing")  # type: ignore[operator]
