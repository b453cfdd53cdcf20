"""What is open is answered from plain data as the Engine answers it, word for word, and without what the Engine imports."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from scene import commit, configure, define, git, reviewing, started

from llmgenie_mcp import Engine, kept, trust
from llmgenie_mcp.engine import known, outline
from llmgenie_mcp.engine.definitions import load
from llmgenie_mcp.errors import LlmgenieError
from llmgenie_mcp.operations import OPERATIONS
from llmgenie_mcp.outcome import Actor
from llmgenie_mcp.plugins import Action, NoParams

FLOW = """
name: incident
subject: text
initial: open
states:
  open:
    actions: [create_task, log_*]
    on:
      look: {target: looked, roles: [lead], guards: [{expression: "git.clean", message: "Commit first."}]}
      close: {target: closed, approval: human}
  looked:
    on: {close: closed}
  closed: {final: true}
on: {drop: closed}
"""
RULES = """
name: careful
level: always_on
applies_to: {actions: [create_task, "update_*", merge]}
rules:
  - {id: not-on-main, effect: deny, when: "git.branch == 'main'", reason: "Not on {git.branch}.", fix: {action: start_review}}
  - {id: asked, effect: ask, when: "action.params.priority == 'high'", reason: "Somebody should know."}
"""
SETTINGS: dict[str, Any] = {
    "commands": {"test": {"argv": ["true"]}, "publish": {"argv": ["true"]}},
    "calls": {"deploy": {"url": "https://example.org/"}},
    "notifications": {"team": {"to": [{"env": "TEAM"}]}},
}


def kept_of(engine: Engine) -> known.Known:
    """What is kept, as a command reads it."""
    store = engine.project.store
    before = outline.mark_of(store)
    outline.of(store, load(engine.project), before)
    found = outline.read(store)
    assert found is not None
    assert found.known is not None
    return found.known


def said(work: Callable[[], object]) -> str:
    """An answer as JSON, or the error."""
    try:
        return json.dumps(work(), ensure_ascii=False)
    except LlmgenieError as error:
        return json.dumps(error.to_dict())


def compare(engine: Engine, *sessions: str | None) -> set[str]:
    """Ask both everywhere; the actions that are open somewhere."""
    plain, flows = kept_of(engine), engine.definitions.workflows
    places = [f"{name}/{state}" for name, flow in flows.items() for state in flow.states if name != "modes"]
    ids = [document["id"] for document in engine.context_data("instances")["items"]]
    named: set[str] = set()
    for context in (None, *flows["modes"].states, *flows, *places, *ids, "nowhere", "review/nowhere"):
        for session in sessions:
            for blocked in (True,) if context in places else (False, True):
                about = (context, session, blocked)
                ours = said(partial(plain.available, engine.project, engine.storage, *about, 500))
                assert ours == said(partial(engine.available_actions, *about, None, 500)), about
                named |= {action["name"] for action in json.loads(ours).get("actions", ())}
    return named


def test_it_is_what_the_engine_says_at_every_place_of_a_project(engine: Engine, repo: Path) -> None:
    define(repo, "workflows", "incident", FLOW)
    define(repo, "policies", "careful", RULES)
    session = reviewing(engine, repo)
    configure(repo, **SETTINGS)
    engine.run_action("create_task", {"title": "First"})
    engine.run_action("create_task", {"title": "Second", "dependencies": ["TSK-1"]})
    engine.run_action("create_task", {"title": "Third"})
    other = started(engine, mode="code", role="lead")
    assert engine.run_action("claim_task", {}, session=other).ok
    assert engine.run_action("start_review", {}, session=session).ok
    assert engine.run_action("start_incident", {"subject": "It is slow"}, session=other).ok
    engine.run_action("start_release", {"version": "1.0.0"})
    commit(repo)
    assert engine.run_action("run_tests", {}, session=session).ok
    assert engine.run_action("submit", {}, session=session).ok
    assert said(lambda: engine.available_actions(None, "SES-99")) == said(
        lambda: kept_of(engine).available(engine.project, engine.storage, None, "SES-99", False, 50)
    )
    named = compare(engine, session, other)
    assert {"claim_task", "complete_task", "run_tests", "look", "call_http", "start_incident", "notify"} <= named
    git(repo, "switch", "-q", "main")
    engine.run_action("pause_session", {}, session=session)
    (repo / "loose.txt").write_text("not committed")
    trust.record(engine.project.store).unlink()
    assert "run_tests" not in compare(engine, None, session)


def decided(engine: Engine, *sessions: str | None) -> set[str]:
    """Ask both what the policies say to everything that can be asked in general, and to operations; the effects seen."""
    plain = kept_of(engine)
    named = [*engine.definitions.actions, *OPERATIONS]
    asked: list[tuple[str | None, str, dict[str, Any] | None]] = [(None, name, None) for name in named]
    asked += [(None, "git.push", {"branch": branch}) for branch in ("main", "+HEAD:refs/heads/main", "feature/x", "")]
    asked += [(None, name, {"path": path}) for name in ("file.write", "file.read") for path in (".env", "a.py", "/etc")]
    asked += [(only, "git.push", {"branch": "main"}) for only in ("branch_protection", "logging", "nothing")]
    asked += [("security", "create_task", None), (None, "opaque", {"why": "it is", "deep": [float("nan")]})]
    effects = set()
    for only, action, params in asked:
        assert plain.can_decide(action, params), action
        for session in sessions:
            for actor in (Actor(), Actor("human", "ada")):
                about = (only, action, params)
                ours = said(
                    lambda: plain.decide(engine.project, engine.storage, *about, session, actor).to_dict(trace=True)  # noqa: B023
                )
                theirs = said(lambda: engine.enforce(*about, session=session, actor=actor).to_dict(trace=True))  # noqa: B023
                assert ours == theirs, (about, session, actor)
                effects.add(json.loads(ours).get("effect", json.loads(ours).get("code")))
    return effects


def test_what_policies_say_is_what_the_engine_says(engine: Engine, repo: Path) -> None:
    define(repo, "workflows", "incident", FLOW)
    define(repo, "policies", "careful", RULES)
    session = reviewing(engine, repo)
    configure(repo, **SETTINGS)
    assert engine.run_action("start_review", {}, session=session).ok
    assert decided(engine, None, session, "SES-99") == {"allow", "ask", "deny", "unknown_name", "bad_params"}


def test_what_has_to_be_checked_or_read_first_is_left_to_the_engine(engine: Engine) -> None:
    plain = kept_of(engine)
    for action, params in (("create_task", {"title": "x"}), ("shell", {"command": "ls"}), ("no_such", None)):
        assert not plain.can_decide(action, params)
    assert plain.can_decide("shell", {})


def test_it_is_what_the_engine_says_where_nothing_is_set_up(engine: Engine) -> None:
    named = compare(engine, None)
    assert "create_task" in named
    assert not {"run_tests", "ask_model", "start_ci", "call_http"} & named
    few = kept_of(engine).available(engine.project, engine.storage, None, None, False, 3)
    assert few == engine.available_actions(limit=3)
    assert few["more"] > 10


def test_an_action_that_only_its_own_object_can_judge_leaves_the_answer_to_the_engine(
    engine: Engine, repo: Path
) -> None:
    define(
        repo,
        "actions",
        "build",
        "name: build\ndescription: Builds.\nsteps: [{id: a, action: log_entry, params: {text: x}}]\n",
    )
    trust.trust(engine.project.store)
    before = outline.mark_of(engine.project.store)
    outline.of(engine.project.store, load(engine.project), before)
    found = outline.read(engine.project.store)
    assert found is not None
    assert found.known is None
    assert "build" in found.actions


def test_the_engine_answers_where_an_action_is_somebody_elses(engine: Engine) -> None:
    def greet(_ctx: object, _params: object) -> dict[str, Any]:
        return {}

    found = load(engine.project)
    assert known.plain(found) is not None
    actions = {**found.actions, "greet": Action("greet", "Greets.", NoParams, greet)}
    assert known.plain(replace(found, actions=actions)) is None


@pytest.mark.parametrize("wrong", [{"offers": 5}, {"policies": [{}]}, {"names": None}, 5, {}], ids=str)
def test_another_shape_under_the_right_mark_is_left_to_the_engine(engine: Engine, wrong: object) -> None:
    kept_of(engine)
    place = kept.place(engine.project.store, outline.PART)
    document = json.loads(place.read_bytes())
    document["judged"] = {**document["judged"], **wrong} if isinstance(wrong, dict) and wrong else wrong
    place.write_text(json.dumps(document), encoding="utf-8")
    found = outline.read(engine.project.store)
    assert found is None or found.known is None


def test_no_code_but_llmgenies_own_is_imported_by_name(engine: Engine) -> None:
    plain = known.plain(engine.definitions)
    assert plain is not None
    assert {
        offer[name][0].partition(".")[0] for offer in plain["offers"] for name in ("ready", "move") if offer.get(name)
    } == {"llmgenie_mcp"}
    with pytest.raises(ValueError, match="not ours"):
        known._function(["os", "system", None])
