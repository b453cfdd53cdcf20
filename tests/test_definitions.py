"""What is in force for a project: loaded when a file changes, told when one is wrong, the project's own over the packaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from scene import DEPLOY, define

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.errors import DefinitionError


def test_definitions_are_loaded_once_until_a_file_changes(engine: Engine, repo: Path) -> None:
    first = engine.definitions
    assert engine.definitions is first
    path = define(repo, "workflows", "deploy", DEPLOY)
    second = engine.definitions
    assert "start_deploy" in second.actions
    path.unlink()
    assert "start_deploy" not in engine.definitions.actions


BROKEN = {
    "workflows/deploy.yaml": (
        DEPLOY.replace("target: rolling", "target: roling"),
        ".llmgenie/workflows/deploy.yaml:11:17",
    ),
    "workflows/other.yaml": (DEPLOY, ".llmgenie/workflows/other.yaml:2:7"),
    "workflows/review.yaml": ("name: review\ninitial: a\nstates: {a: {fnal: true}}", "review.yaml:3:14"),
    "policies/mine.yaml": (
        "name: mine\nlevel: always_on\nrules: [{id: r, effect: deny, when: git.brnch == 1, reason: no}]",
        "policies/mine.yaml:3:37",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_definition_with_a_typo_is_told_at_each_call_and_all_works_again_when_it_is_mended(
    engine: Engine, repo: Path, name: str
) -> None:
    assert engine.run_action("create_task", {"title": "x"}).ok
    text, place = BROKEN[name]
    kind, file = name.split("/")
    path = define(repo, kind, file.removesuffix(".yaml"), text)
    for call in (
        engine.available_actions,
        engine.workflow_state,
        lambda: engine.run_action("list_tasks"),
        lambda: engine.run_action("create_task", {"title": "y"}),
        lambda: engine.enforce(None, "git.push"),
        lambda: engine.trigger_event("ci.finished"),
        lambda: engine.policy("security"),
    ):
        with pytest.raises(DefinitionError) as error:
            call()
        assert place in str(error.value)
    assert engine.context_data("tasks")["total"] == 1
    path.unlink()
    assert engine.run_action("create_task", {"title": "y"}).ok


def test_two_definitions_of_one_name_are_told(engine: Engine, repo: Path) -> None:
    define(repo, "workflows", "deploy", DEPLOY)
    twin = define(repo, "workflows", "deploy2", DEPLOY)
    with pytest.raises(DefinitionError) as error:
        engine.workflow_state()
    assert "'deploy'" in str(error.value)
    twin.unlink()
    assert "deploy" in engine.workflow_state()["workflows"]


def test_a_policy_of_the_projects_own_forbids_at_once_and_replaces_only_when_trusted(
    engine: Engine, repo: Path
) -> None:
    lax = "name: branch_protection\nlevel: always_on\napplies_to: {actions: [git.push]}\nparams: {protected: [trunk]}\nrules:\n"
    rule = '  - {id: mine, effect: deny, when: "resource.branch in params.protected", reason: no}\n'
    define(repo, "policies", "branch_protection", lax + rule)
    assert [engine.enforce(None, "git.push", {"branch": b}).effect for b in ("main", "trunk")] == ["deny", "deny"]
    assert "`llmgenie trust`" in str(engine.enforcement_status()["notes"])
    trust.trust(engine.project.store)
    assert [engine.enforce(None, "git.push", {"branch": b}).effect for b in ("main", "trunk")] == ["allow", "deny"]
