from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.expressions import Vocabulary
from llmgenie_mcp.loader.catalog import Catalog, load_catalog
from llmgenie_mcp.loader.settings import read_settings
from llmgenie_mcp.marks import files as fingerprint
from llmgenie_mcp.operations import OPERATIONS
from llmgenie_mcp.policy import PolicyRequest, PolicySet

ACTIONS = frozenset(
    {"create_task", "update_task", "block_task", "unblock_task", "cancel_task", "claim_task", "complete_task", "move_task"}
    | {"record_note", "record_lesson", "roadmap_add", "run_tests", "review_diff", "run_command", "log_entry", "request_approval"}
    | {"start_session", "finish_session", "pause_session", "resume_session", "switch_mode", "log_mode_switch", "list_tasks"}
    | {"import_tasks"}
)  # fmt: skip

FLOW = "name: {name}\ninitial: a\nstates: {{a: {{on: {{{trigger}: b}}}}, b: {{final: true}}}}\n"
RULES = """\
name: {name}
level: always_on
applies_to: {{actions: [{action}]}}
rules:
  - {{id: no, effect: {effect}, reason: Not here.}}
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / ".llmgenie"


def write(store: Path, name: str, text: str) -> Path:
    path = store / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def load(store: Path | None, trusted: bool = True, facts: tuple[str, ...] = ("*",)) -> Catalog:
    return load_catalog(store, actions=ACTIONS, operations=OPERATIONS, vocabulary=Vocabulary(facts), trusted=trusted)


def refusal(store: Path, trusted: bool = True) -> str:
    with pytest.raises(DefinitionError) as caught:
        load(store, trusted)
    return str(caught.value)


def test_packaged_definitions_are_in_force_without_a_project() -> None:
    catalog = load(None)
    assert list(catalog.workflows) == ["modes", "release", "review", "task"]
    assert list(catalog.policies) == ["branch_protection", "logging", "security", "session_management"]
    assert {entry.origin for entry in (*catalog.workflows.values(), *catalog.policies.values())} == {"packaged"}
    assert catalog.workflows["review"].file == "workflows/review.yaml"
    assert len(catalog.workflows["review"].sha256) == 64
    assert catalog.notes == ()


def test_nothing_is_created_for_a_project_without_definitions(store: Path) -> None:
    assert load(store).notes == ()
    assert fingerprint(store) == ()
    assert not store.exists()


def test_project_adds_definitions_in_yaml_and_json(store: Path) -> None:
    write(store, "workflows/deploy.yml", FLOW.format(name="deploy", trigger="roll_out"))
    write(
        store,
        "workflows/audit.json",
        '{"name": "audit", "initial": "a", "states": {"a": {"on": {"go": "b"}}, "b": {"final": true}}}',
    )
    write(store, "policies/freeze.yaml", RULES.format(name="freeze", action="roll_out, start_deploy", effect="deny"))
    write(store, "policies/README.md", "not a definition")
    write(store, "policies/.freeze.yaml", "not: a definition")
    catalog = load(store)
    assert catalog.workflows["deploy"].origin == "project"
    assert catalog.workflows["deploy"].path == store / "workflows" / "deploy.yml"
    assert catalog.workflows["deploy"].file == ".llmgenie/workflows/deploy.yml"
    assert {"audit", "review"} < set(catalog.workflows)
    assert catalog.policies["freeze"].origin == "project"
    assert [policy.name for policy in catalog.effective_policies()] == sorted(catalog.policies)
    assert catalog.notes == ()


def test_workflow_of_a_project_replaces_the_packaged_one(store: Path) -> None:
    write(store, "workflows/task.yaml", FLOW.format(name="task", trigger="go"))
    catalog = load(store)
    assert list(catalog.workflows["task"].value.states) == ["a", "b"]
    assert catalog.notes == (
        "The workflow task is the project's own (.llmgenie/workflows/task.yaml); the packaged one is not in force.",
    )


def test_trusted_policy_of_a_project_replaces_the_packaged_one(store: Path) -> None:
    write(store, "policies/security.yaml", RULES.format(name="security", action="merge", effect="allow"))
    catalog = load(store, trusted=True)
    assert [rule.id for rule in catalog.policies["security"].value.rules] == ["no"]
    assert len(catalog.effective_policies()) == 4
    assert catalog.notes == (
        "The policy security is the project's own (.llmgenie/policies/security.yaml); the packaged one is not in force.",
    )


def test_untrusted_policy_of_a_project_can_forbid_more_but_never_less(store: Path) -> None:
    write(store, "policies/security.yaml", RULES.format(name="security", action="file.delete", effect="allow"))
    write(store, "policies/logging.yaml", RULES.format(name="logging", action="run_tests", effect="deny"))
    catalog = load(store, trusted=False)
    assert catalog.policies["security"].origin == "packaged"
    assert catalog.policies["security.project"].origin == "project"
    policies = PolicySet(catalog.effective_policies())
    deleting = policies.decide(PolicyRequest({"kind": "agent"}, "file.delete", resource={"path": "a.txt"}))
    assert (deleting.effect != "allow", deleting.reasons[0].policy) == (True, "security")
    testing = policies.decide(PolicyRequest({"kind": "agent"}, "run_tests"))
    assert (testing.effect, testing.reasons[0].policy, testing.reasons[0].message) == (
        "deny",
        "logging.project",
        "Not here.",
    )
    assert catalog.notes == tuple(
        f"The policy {name} of the project (.llmgenie/policies/{name}.yaml) applies as {name}.project beside the packaged "
        "one, until a person accepts it with `llmgenie trust`."
        for name in ("logging", "security")
    )


def test_trigger_that_has_the_name_of_an_action_is_refused_because_it_could_never_be_taken(store: Path) -> None:
    write(store, "workflows/deploy.yaml", FLOW.format(name="deploy", trigger="create_task"))
    assert refusal(store) == (
        ".llmgenie/workflows/deploy.yaml:3:19: states.a.on.create_task: "
        "'create_task' is the name of an action, which would be run instead of this trigger\n"
        "Give the trigger another name."
    )


def test_untrusted_workflow_does_not_take_the_person_out_of_a_packaged_one(store: Path) -> None:
    write(store, "workflows/review.yaml", FLOW.format(name="review", trigger="approve"))
    assert load(store, trusted=False).workflows["review"].value.asking == {"approve"}
    assert load(store, trusted=True).workflows["review"].value.asking == frozenset()


def test_untrusted_policy_of_another_name_keeps_it(store: Path) -> None:
    write(store, "policies/freeze.yaml", RULES.format(name="freeze", action="merge", effect="deny"))
    catalog = load(store, trusted=False)
    assert catalog.policies["freeze"].origin == "project"
    assert catalog.notes == ()


def test_one_name_in_two_files_names_both(store: Path) -> None:
    write(store, "workflows/deploy.json", FLOW.format(name="deploy", trigger="go"))
    write(store, "workflows/deploy.yaml", FLOW.format(name="deploy", trigger="go"))
    assert refusal(store) == (
        ".llmgenie/workflows/deploy.yaml:1:7: name: 'deploy' is defined in .llmgenie/workflows/deploy.json already\n"
        "Keep one of the two files."
    )


def test_file_is_named_like_its_definition(store: Path) -> None:
    write(store, "policies/freezing.yaml", RULES.format(name="freeze", action="merge", effect="deny"))
    assert refusal(store) == (
        ".llmgenie/policies/freezing.yaml:1:7: name: The file freezing.yaml holds 'freeze'\n"
        "Rename the file to freeze.yaml, or write `name: freezing`."
    )


def test_names_in_policies_that_nobody_knows(store: Path) -> None:
    text = """\
name: freeze
level: situational
applies_to:
  actions: [mrege, git.push, "file.*", start_review, "deploy_*"]
  modes: [code, relase, "re*"]
rules:
  - {id: no, effect: deny, when: git.head, reason: Not here., fix: {action: start_reveiw}}
  - {id: any, effect: ask, when: git.clean, reason: Not here., fix: {action: "{action.name}"}}
"""
    write(store, "policies/freeze.yaml", text)
    said = refusal(store).splitlines()
    assert said[:5] == [
        ".llmgenie/policies/freeze.yaml:4:13: applies_to.actions.0: No action, trigger or operation is called 'mrege'",
        "  Did you mean merge?",
        ".llmgenie/policies/freeze.yaml:4:54: applies_to.actions.4: No action, trigger or operation is called 'deploy_*'",
        said[3],
        ".llmgenie/policies/freeze.yaml:5:17: applies_to.modes.1: No mode is called 'relase'",
    ]
    assert said[5:] == [
        "  Did you mean release?",
        ".llmgenie/policies/freeze.yaml:7:77: rules.0.fix.action: No action is called 'start_reveiw'",
        "  Did you mean start_review or start_release or start_session?",
    ]


def test_actions_of_a_state_may_be_triggers_of_other_workflows(store: Path) -> None:
    write(store, "workflows/deploy.yaml", FLOW.format(name="deploy", trigger="roll_out"))
    text = "name: work\ninitial: a\nstates: {a: {actions: [roll_out, start_deploy, submit], on: {go: b}}, b: {final: true}}"
    write(store, "workflows/work.yaml", text)
    assert "work" in load(store).workflows


def test_facts_that_policies_and_workflows_name_are_checked() -> None:
    with pytest.raises(
        DefinitionError, match=r"workflows/policies/branch_protection.yaml:[0-9:]+ rules.0.when: There is no"
    ):
        load(None, facts=("git.*", "tests.*", "instance.*", "approval.*", "release.*", "task.*"))
    with pytest.raises(
        DefinitionError, match=r"workflows/review.yaml:[0-9:]+ states.draft.on.submit.guards.0.expression: "
    ):
        load(
            None,
            facts=(
                "action.*",
                "resource.*",
                "subject.*",
                "session.*",
                "approval.*",
                "instance.*",
                "release.*",
                "task.*",
            ),
        )


def test_all_problems_of_all_files_are_said_at_once(store: Path) -> None:
    write(store, "workflows/a.yaml", "name: a\ninitial: x\nstates: {x: {on: {go: y}}}")
    write(store, "workflows/b.yaml", "name: [")
    write(
        store,
        "policies/c.yaml",
        "name: c\nlevel: always_on\nrules: [{id: no, effect: deny, when: git.x ==, reason: No.}]",
    )
    (store / "policies" / "d.yaml").mkdir()
    write(store, "policies/e.yaml", "".join(f"key{n}: 1\n" for n in range(40)))
    with pytest.raises(DefinitionError) as caught:
        load(store)
    files = dict.fromkeys(problem["file"] for problem in caught.value.details["problems"])  # type: ignore[attr-defined]
    assert [Path(file).name for file in files] == ["c.yaml", "d.yaml", "e.yaml"]
    assert caught.value.details["count"] == 1 + 1 + 1 + 43 + 1


def test_file_that_cannot_be_read_does_not_make_others_wrong(store: Path) -> None:
    write(store, "workflows/deploy.yaml", "name: deploy\ninitial: [")
    write(store, "policies/freeze.yaml", RULES.format(name="freeze", action="roll_out", effect="deny"))
    text = "name: work\ninitial: a\nstates: {a: {actions: [roll_out], on: {go: b}}, b: {final: true}}"
    write(store, "workflows/work.yaml", text)
    assert refusal(store) == (
        ".llmgenie/workflows/deploy.yaml:2:11: A value is missing before the end of the file\nCheck what stands before."
    )


def test_fingerprint_changes_with_every_change_of_a_definition(store: Path) -> None:
    seen = [fingerprint(store), fingerprint(None)]
    assert seen == [(), ()]
    path = write(store, "workflows/deploy.yaml", FLOW.format(name="deploy", trigger="go"))
    seen.append(fingerprint(store))
    write(store, "policies/freeze.yaml", "x")
    seen.append(fingerprint(store))
    os.utime(path, ns=(1, 1))
    seen.append(fingerprint(store))
    path.unlink()
    seen.append(fingerprint(store))
    assert len(set(seen)) == 5
    write(store, "policies/notes.txt", "x")
    assert fingerprint(store) == seen[-1]


def test_link_to_nowhere_is_a_problem_and_no_crash(store: Path) -> None:
    (store / "workflows").mkdir(parents=True)
    (store / "workflows" / "x.yaml").symlink_to("gone.yaml")
    assert refusal(store) == ".llmgenie/workflows/x.yaml: There is no such file"
    assert fingerprint(store) == ()


def adjusted(store: Path, text: str, trusted: bool = True) -> Catalog:
    """With these settings, read as an engine reads them."""
    write(store, "llmgenie.yaml", text)
    return load_catalog(
        store,
        actions=ACTIONS,
        operations=OPERATIONS,
        vocabulary=Vocabulary(("*",)),
        trusted=trusted,
        settings=read_settings(store),
    )


ADJUSTMENT = """
policies:
  branch_protection: {params: {protected: [trunk]}}
  security: {add: {secret_files: [vault.json]}}
"""


def test_settings_change_params_of_a_policy_without_its_rules(store: Path) -> None:
    catalog = adjusted(store, ADJUSTMENT)
    assert catalog.policies["branch_protection"].value.params["protected"] == ["trunk"]
    packaged = load(None).policies["security"].value.params["secret_files"]
    assert catalog.policies["security"].value.params["secret_files"] == [*packaged, "vault.json"]
    assert catalog.notes == (
        "The settings change protected of the policy branch_protection.",
        "The settings change secret_files of the policy security.",
    )


def test_params_that_nobody_accepted_apply_beside_the_packaged_ones(store: Path) -> None:
    catalog = adjusted(store, ADJUSTMENT, trusted=False)
    assert "main" in catalog.policies["branch_protection"].value.params["protected"]
    assert catalog.policies["branch_protection.project"].value.params["protected"] == ["trunk"]
    assert all("until a person accepts it with `llmgenie trust`" in note for note in catalog.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("branch_protecton: {}", "3:3: policies.branch_protecton: There is no policy 'branch_protecton'"),
        ("security: {params: {secret_file: []}}", "The policy security has no param 'secret_file'"),
        ("branch_protection: {params: {protected: main}}", "protected is a list in the policy branch_protection, and this"),
        ("security: {params: {samples: []}, add: {samples: [a]}}", "samples stands under params too"),
    ],
)  # fmt: skip
def test_changes_of_params_that_change_nothing_are_refused(store: Path, text: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        adjusted(store, f"# settings\npolicies:\n  {text}\n")
    assert said in str(caught.value)
