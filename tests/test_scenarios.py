"""Scenario files: what the packaged ones show, how a situation is supposed, and what is said about a wrong file."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from scenario_scene import written
from scene import define, started

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.engine.definitions import Definitions, load
from llmgenie_mcp.engine.scenarios import run
from llmgenie_mcp.engine.supposed import ask, suppose
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.loader import load_yaml, yamltext
from llmgenie_mcp.loader.scenarios import Source, scenario_sources
from llmgenie_mcp.loader.schema import schema_for
from llmgenie_mcp.policy import PolicySet
from llmgenie_mcp.project import resolve
from llmgenie_mcp.rules import Policy
from llmgenie_mcp.scenarios import Given, ScenarioFile, When, merged

ROOT = Path(__file__).parent.parent
PACKAGED = scenario_sources(Path("/nowhere"))
POLICIES = [load_yaml(path, Policy).value for path in sorted((ROOT / "workflows" / "policies").glob("*.yaml"))]
RULES = [f"{policy.name}/{rule.id}" for policy in POLICIES for rule in policy.rules]
NO_FRIDAYS = """
name: fridays
level: {level}
applies_to: {{actions: [git.push]}}
rules:
  - id: not-now
    effect: {effect}
    when: resource.branch == "prod"
    reason: "Nothing goes to {{resource.branch}} on a Friday."
    fix: {{action: create_task, params: {{title: "Push it on Monday"}}}}
  - id: noted
    effect: allow
    when: resource.branch == "stage"
"""


@pytest.fixture
def definitions(repo: Path) -> Definitions:
    """What is in force in a project without definitions of its own."""
    return load(resolve(repo))


def without(policies: PolicySet, rule: str, **instead: str) -> PolicySet:
    """The same policies, one rule of them taken away, or changed where something is given instead."""
    policy_name, _, id_ = rule.partition("/")

    def changed(policy: Policy) -> Policy:
        rules = [
            found.model_copy(update=instead) if found.id == id_ else found
            for found in policy.rules
            if found.id != id_ or instead
        ]
        return policy.model_copy(update={"rules": tuple(rules)}) if policy.name == policy_name else policy

    return PolicySet(map(changed, policies))


def of_policy(name: str) -> list[Source]:
    """The packaged scenario files about one policy."""
    return [source for source in PACKAGED if source.path.name == f"{name}.yaml"]


# -- the packaged scenarios ----------------------------------------------------------------------------------------------


def test_every_packaged_scenario_passes(definitions: Definitions) -> None:
    report = run(definitions, PACKAGED)
    assert [result.misses for result in report.results if not result.passed] == []
    assert {source.path.name for source in PACKAGED} >= {f"{policy.name}.yaml" for policy in POLICIES}
    assert len(report.results) >= 80


def test_every_packaged_rule_is_seen_to_match_and_to_pass_over_the_same_thing_done_otherwise(
    definitions: Definitions,
) -> None:
    report = run(definitions, PACKAGED)
    assert report.uncovered == ()
    outcomes: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for answer in (answer for result in report.results for answer in result.answers):
        for line in answer.decision.trace():
            outcomes[f"{line['policy']}/{line['rule']}"][line["outcome"]].add(answer.name)
    assert sorted(outcomes) == sorted(RULES)
    assert [rule for rule in RULES if not outcomes[rule]["rule_matched"] & outcomes[rule]["not_matched"]] == []


@pytest.mark.parametrize("rule", RULES)
def test_packaged_scenarios_fail_when_a_rule_is_taken_away_or_matches_always(
    definitions: Definitions, rule: str
) -> None:
    sources = of_policy(rule.partition("/")[0])
    gone = replace(definitions, policies=without(definitions.policies, rule))
    always = replace(definitions, policies=without(definitions.policies, rule, when="true"))
    assert run(gone, sources).failed
    assert run(always, sources).failed


@pytest.mark.parametrize("source", PACKAGED, ids=lambda source: source.path.name)
def test_packaged_scenario_file_fits_its_schema_and_names_it_for_editors(source: Source) -> None:
    text = source.path.read_text(encoding="utf-8")
    schema = schema_for(ScenarioFile)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(yamltext.parse(text).root.data())
    assert text.startswith("# yaml-language-server: $schema=../../schemas/scenario.schema.json\n")


def test_committed_schema_is_what_the_model_says() -> None:
    committed = (ROOT / "schemas" / "scenario.schema.json").read_text(encoding="utf-8")
    assert json.loads(committed) == schema_for(ScenarioFile)


# -- the situation that is supposed --------------------------------------------------------------------------------------

SUPPOSED: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "context.mode", "discuss"),
    ({}, "subject.kind", "agent"),
    ({}, "subject.role", None),
    ({}, "session.id", None),
    ({}, "session.open", False),
    ({}, "instance.id", UNKNOWN),
    ({}, "approval.granted", False),
    ({}, "approval.by", None),
    ({}, "tests.last.passed", False),
    ({}, "tests.last.commit", None),
    ({}, "git.branch", UNKNOWN),
    ({}, "git.clean", UNKNOWN),
    ({}, "task.status", UNKNOWN),
    ({}, "release.tag_exists", UNKNOWN),
    ({"mode": "code"}, "context.mode", "code"),
    ({"actor": "human"}, "subject.kind", "human"),
    ({"actor": {"id": "cursor"}}, "subject.id", "cursor"),
    ({"session": {}}, "session.id", "SES-1"),
    ({"session": {}}, "session.open", True),
    ({"session": {}}, "session.mode", "discuss"),
    ({"session": {}}, "subject.role", "developer"),
    ({"session": {}, "role": "reviewer", "mode": "review"}, "session.mode", "review"),
    ({"session": {}, "role": "reviewer"}, "subject.role", "reviewer"),
    ({"role": "reviewer"}, "subject.role", None),
    ({"session": {"status": "paused", "task": "TSK-7"}}, "session.open", False),
    ({"session": {"task": "TSK-7"}}, "session.task", "TSK-7"),
    ({"instance": {"id": "REV-1", "workflow": "review", "state": "draft"}}, "instance.state", "draft"),
    ({"facts": {"git": {"branch": None}}}, "git.branch", None),
    ({"facts": {"approval": {"granted": True}}}, "approval.by", None),
    ({"facts": {"tests": {"last": {"passed": True}}}}, "tests.last.passed", True),
    ({"facts": {"tests": {"last": {"passed": True}}}}, "tests.last.run", None),
]


@pytest.mark.parametrize(("given", "name", "value"), SUPPOSED)
def test_what_is_not_given_is_as_where_nothing_happened_yet_or_unknown(
    definitions: Definitions, given: dict[str, Any], name: str, value: object
) -> None:
    assert suppose(definitions, Given.model_validate(given)).fact(name) == value


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("git.push", {"branch": "main"}), ("git.push", {"branch": "feature/x", "force": True}), ("git.push", {}),
        ("git.commit", {}), ("git.merge", {"source": "x"}), ("git.reset", {"branch": "x", "hard": True}),
        ("file.read", {"path": ".env"}), ("file.read", {"path": "src/../.env"}), ("file.read", {}),
        ("file.write", {"path": "/srv/other/a.py"}), ("file.delete", {"path": "src/a.py"}),
        ("package.publish", {"version": "1"}), ("opaque", {"command": "x", "why": "y", "touches": ["git"]}),
        ("merge", {"branch": "main", "source": "x"}), ("merge", None), ("create_task", {"title": "x"}),
        ("complete_task", {"id": "TSK-1"}), ("finish_session", {"summary": ""}), ("list_tasks", {"query": "x"}),
        ("start_review", {}), ("run_command", {"name": "test"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("in_session", [True, False])
def test_a_supposed_situation_is_decided_as_the_real_one_like_it(
    engine: Engine, in_session: bool, name: str, params: dict[str, Any] | None
) -> None:
    engine.run_action("create_task", {"title": "x"})
    session = started(engine, mode="code") if in_session else None
    real = engine.enforce(None, name, params, session=session)
    given = Given.model_validate(
        {"mode": "code" if in_session else "discuss", "facts": {"git": {"branch": "main"}}}
        | ({"session": {"id": session, "branch": "main"}} if in_session else {})
    )
    kind = "action" if name in engine.definitions.actions else "operation"
    (answer,) = ask(engine.definitions, given, When.model_validate({kind: name, "params": params}))
    supposed = answer.decision
    assert (supposed.effect, supposed.policies) == (real.effect, real.policies)
    assert [(reason.rule, reason.code) for reason in supposed.reasons] == [(r.rule, r.code) for r in real.reasons]


def test_a_scenario_s_situation_goes_over_that_of_its_file() -> None:
    file = Given.model_validate(
        {"mode": "code", "session": {"task": "TSK-1"}, "facts": {"git": {"branch": "x", "tags": ["a"]}}}
    )
    case = Given.model_validate({"session": {"status": "paused"}, "facts": {"git": {"tags": []}, "task": {"id": "T"}}})
    found = case.over(file)
    assert (found.mode, found.session) == (
        "code",
        Given.model_validate({"session": {"status": "paused", "task": "TSK-1"}}).session,
    )
    assert found.facts == {"git": {"branch": "x", "tags": []}, "task": {"id": "T"}}
    assert Given.model_validate({"session": None}).over(file).session is None
    assert Given().over(file) == file


TREES = st.recursive(
    st.integers(0, 2), lambda below: st.dictionaries(st.sampled_from("abc"), below, max_size=3), max_leaves=8
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)


@generated(base=MAPPINGS, over=MAPPINGS)
def test_merging_keeps_what_lies_over_and_adds_what_it_leaves_out(base: dict[str, Any], over: dict[str, Any]) -> None:
    found = merged(base, over)
    assert merged(found, over) == found
    assert merged({}, over) == over
    assert found.keys() == base.keys() | over.keys()
    assert {key: found[key] for key in base.keys() - over.keys()} == {k: v for k, v in base.items() if k not in over}


# -- expectations --------------------------------------------------------------------------------------------------------


def misses(definitions: Definitions, folder: Path, then: str, when: str, top: str = "") -> list[str]:
    """What is said about one scenario in a session on branch feature/x."""
    text = f"""{top}
given: {{session: {{}}, facts: {{git: {{branch: feature/x}}}}}}
scenarios: [{{name: it, when: {when}, then: {then}}}]
"""
    (result,) = run(definitions, [written(folder, text)]).results
    return list(result.misses)


MAIN = "{operation: git.push, params: {branch: main}}"
FORCED = "{operation: git.push, params: {branch: main, force: true}}"
FREE = "{operation: git.push, params: {branch: x}}"
PUSH, FORCE = "branch_protection/no-direct-push", "branch_protection/no-force"
FORCE_SAYS = "A forced push would rewrite main, which is protected."
EXPECTED: list[tuple[str, str, list[str]]] = [
    (MAIN, "{decision: deny}", []),
    (MAIN, f"{{decision: deny, rule: {PUSH}}}", []),
    (FORCED, f"{{decision: deny, rule: {PUSH}}}", []),
    (FORCED, f"{{decision: deny, rules: [{PUSH}, {FORCE}]}}", []),
    (FREE, "{decision: allow, rules: []}", []),
    (MAIN, "{decision: deny, message: main is protected, fix: start_review}", []),
    (MAIN, "{decision: allow}", [f"expected allow, came deny by {PUSH}"]),
    (FREE, "{decision: deny}", ["expected deny, came allow; no rule stands against it"]),
    (MAIN, f"{{decision: deny, rule: {FORCE}}}", [f"expected {FORCE}, which did not match"]),
    (FORCED, f"{{decision: deny, rules: [{PUSH}]}}", [f"did not expect {FORCE}, which matched"]),
    (MAIN, "{decision: deny, rules: []}", [f"did not expect {PUSH}, which matched"]),
    (MAIN, "{decision: deny, fix: merge}", ["expected the fix merge, offered: start_review"]),
    (FREE, "{decision: allow, fix: merge}", ["expected the fix merge, offered: none"]),
    (FREE, "{decision: allow, message: no}", ["expected the message to hold 'no', it says: nothing"]),
    (
        FORCED,
        f"{{decision: deny, rule: {FORCE}, message: push a branch of your own}}",
        [f"expected the message to hold 'push a branch of your own', it says: {FORCE_SAYS}"],
    ),
]


@pytest.mark.parametrize(("when", "then", "said"), EXPECTED)
def test_what_comes_is_held_against_what_is_expected(
    definitions: Definitions, tmp_path: Path, when: str, then: str, said: list[str]
) -> None:
    assert misses(definitions, tmp_path, then, when) == said


def test_one_policy_is_asked_alone_where_the_file_names_it(definitions: Definitions, tmp_path: Path) -> None:
    assert misses(definitions, tmp_path, "{decision: allow}", MAIN, "policy: security") == []


def test_a_failure_shows_the_clauses_of_the_rule_that_matched_and_of_the_one_that_did_not(
    definitions: Definitions, tmp_path: Path
) -> None:
    text = f"scenarios: [{{name: it, when: {MAIN}, then: {{decision: allow, rules: []}}}}]"
    (result,) = run(definitions, [written(tmp_path, text)]).results
    (shown,) = result.evidence
    assert shown[0] == f"{PUSH}: rule_matched for git.push"
    assert "  approval.granted → false (approval.granted = false)" in shown
    text = f"scenarios: [{{name: it, when: {FREE}, then: {{decision: deny, rule: {PUSH}}}}}]"
    (result,) = run(definitions, [written(tmp_path, text)]).results
    assert result.evidence[0][0] == f"{PUSH}: not_matched for git.push"
    text = "scenarios: [{name: it, when: {operation: file.read, params: {path: a}}, then: {decision: deny, rule: %s}}]"
    (result,) = run(definitions, [written(tmp_path, text % PUSH)]).results
    assert result.evidence == ((f"{PUSH}: its policy does not cover what was asked (file.read)",),)


def test_a_rule_that_matches_for_want_of_facts_alone_is_not_covered(definitions: Definitions, tmp_path: Path) -> None:
    text = "policy: branch_protection\nscenarios: [{name: it, when: {operation: git.push}, then: {decision: deny}}]"
    report = run(definitions, [written(tmp_path, text)])
    assert report.failed == 0
    assert PUSH in report.uncovered
    assert {rule.partition("/")[0] for rule in report.uncovered} == {"branch_protection"}


# -- a project's own policies --------------------------------------------------------------------------------------------


def own(repo: Path, name: str, text: str, *, trusted: bool = True) -> Definitions:
    """What is in force once a project has a policy of its own."""
    define(repo, "policies", name, text)
    if trusted:
        trust.trust(repo / ".llmgenie")
    return load(resolve(repo))


@pytest.mark.parametrize("trusted", [True, False])
def test_a_policy_of_the_project_is_asked_whether_or_not_a_person_accepted_it(
    repo: Path, tmp_path: Path, trusted: bool
) -> None:
    definitions = own(repo, "fridays", NO_FRIDAYS.format(level="always_on", effect="deny"), trusted=trusted)
    prod = "{operation: git.push, params: {branch: prod}}"
    assert misses(definitions, tmp_path, "{decision: deny, rules: [fridays/not-now], fix: create_task}", prod) == []
    stage = "{operation: git.push, params: {branch: stage}}"
    assert misses(definitions, tmp_path, "{decision: allow, rules: [fridays/noted]}", stage) == []


@pytest.mark.parametrize("effect", ["deny", "ask"])
def test_a_policy_of_level_audit_stands_against_nothing_and_tells_what_it_would_have_said(
    repo: Path, tmp_path: Path, effect: str
) -> None:
    definitions = own(repo, "fridays", NO_FRIDAYS.format(level="audit", effect=effect))
    prod = "{operation: git.push, params: {branch: prod}}"
    assert misses(definitions, tmp_path, "{decision: allow, rules: [], audit: [fridays/not-now]}", prod) == []
    said = misses(definitions, tmp_path, "{decision: allow, audit: []}", prod)
    assert said == ["did not expect fridays/not-now, which matched"]
    assert misses(definitions, tmp_path, "{decision: allow, audit: [fridays/not-now]}", FREE) == [
        "expected fridays/not-now, which did not match"
    ]
    text = f"scenarios: [{{name: it, when: {prod}, then: {{decision: allow}}}}]"
    (result,) = run(definitions, [written(tmp_path, text)]).results
    assert [(reason.rule, reason.effect) for reason in result.audit] == [("not-now", effect)]
    assert [(r.rule, r.effect) for r in Engine.open(repo).enforce(None, "git.push", {"branch": "prod"}).audit] == [
        ("not-now", effect)
    ]


def test_packaged_scenarios_are_not_run_where_the_project_s_own_policy_stands_in(repo: Path) -> None:
    text = (ROOT / "workflows" / "policies" / "logging.yaml").read_text(encoding="utf-8")
    untrusted = run(own(repo, "logging", text, trusted=False), PACKAGED)
    named = {file.file: file for file in untrusted.files}
    assert named["workflows/scenarios/logging.yaml"].skipped == ""
    report = run(own(repo, "logging", text), PACKAGED)
    skipped = {file.file: file.skipped for file in report.files if file.skipped}
    assert skipped["workflows/scenarios/logging.yaml"] == "the project's own logging replaces the packaged one"
    assert not any(rule.startswith("logging/") for rule in report.matched)


def test_a_project_s_own_scenarios_are_found_beside_the_packaged_ones(repo: Path) -> None:
    path = define(repo, "scenarios", "mine", "scenarios: []")
    found = scenario_sources(repo / ".llmgenie")
    assert [source.file for source in found] == [
        *(source.file for source in PACKAGED),
        ".llmgenie/scenarios/mine.yaml",
    ]
    assert (found[-1].path, found[-1].origin) == (path, "project")
