"""`llmgenie policy test` and `llmgenie policy explain`, as people and programs use them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cli_fixtures import answer, data, process, run
from scene import define, git

from llmgenie_mcp import Engine, trust

GOLDEN = Path(__file__).parent.parent / "golden"
FRIDAYS = """
name: fridays
level: audit
applies_to: {actions: [git.push]}
rules:
  - {id: not-now, effect: deny, when: 'resource.branch == "prod"', reason: "Nothing goes to prod on a Friday."}
  - {id: think-twice, effect: ask, when: 'resource.branch == "stage"', reason: "Somebody may be testing there."}
"""
MIXED = """
policy: branch_protection
given: {session: {}, facts: {git: {branch: feature/x}}}
scenarios:
  - name: an agent does not push to main
    when: {operation: git.push, params: {branch: main}}
    then: {decision: deny, rules: [branch_protection/no-direct-push]}
  - name: a forced push is fine
    when: {operation: git.push, params: {branch: main, force: true}}
    then: {decision: allow}
  - name: a merge is a push
    when: {action: merge, params: {branch: main}}
    then: {decision: deny, rule: branch_protection/no-direct-push, message: push, fix: merge}
"""


def golden(name: str, shown: str) -> None:
    """`shown` is as before; UPDATE_GOLDEN=1 in the environment takes it as it is now."""
    path = GOLDEN / name
    if "UPDATE_GOLDEN" in os.environ:
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


@pytest.fixture
def mixed(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with one scenario that passes and two that fail, in the current folder, which is the project."""
    monkeypatch.chdir(repo)
    path = repo / "mixed.yaml"
    path.write_text(MIXED, encoding="utf-8")
    return path


# -- test ----------------------------------------------------------------------------------------------------------------


def test_a_project_without_scenarios_runs_the_packaged_ones_and_covers_every_rule(repo: Path) -> None:
    shown = run("policy", "test", "--strict", project=repo)
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert "workflows/scenarios/branch_protection.yaml" in lines
    assert "  ✓ an agent does not push to main" in lines
    assert "✗" not in shown.stdout
    assert lines[-1].startswith("ok ")
    assert lines[-1].endswith(" 0 failed")
    assert not (repo / ".llmgenie").exists()


def test_failures_show_what_was_expected_what_came_and_why(mixed: Path) -> None:
    shown = run("policy", "test", mixed.name)
    assert shown.exit_code == 1
    golden("policy_test.txt", shown.stdout)


def test_the_same_as_json_says_where_each_scenario_stands(mixed: Path) -> None:
    code, document = answer("policy", "test", mixed.name)
    found = document["data"]
    assert (code, found["scenarios"], found["failed"]) == (1, 3, 2)
    (file,) = found["files"]
    assert [(one["name"], one["line"], one["passed"], one["decision"]) for one in file["scenarios"]] == [
        ("an agent does not push to main", 5, True, "deny"),
        ("a forced push is fine", 8, False, "deny"),
        ("a merge is a push", 11, False, "deny"),
    ]
    assert file["scenarios"][1]["misses"] == [
        "expected allow, came deny by branch_protection/no-force, branch_protection/no-direct-push"
    ]
    assert found["coverage"]["branch_protection/no-force"] == {"matched": 1, "passed_over": 2}


def test_rules_that_no_scenario_matches_are_listed_and_fail_a_strict_run(repo: Path) -> None:
    define(repo, "policies", "fridays", FRIDAYS)
    trust.trust(repo / ".llmgenie")
    shown = run("policy", "test", project=repo)
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[-2:] == [
        "warn uncovered: fridays/not-now",
        "warn uncovered: fridays/think-twice",
    ]
    strict = run("policy", "test", "--strict", project=repo)
    assert strict.exit_code == 1
    assert "fail uncovered: fridays/not-now" in strict.stdout
    push = "when: {operation: git.push, params: {branch: %s}}, then: {decision: allow, audit: [fridays/%s]}"
    cases = [
        f"{{name: {rule}, {push % (branch, rule)}}}" for branch, rule in (("prod", "not-now"), ("stage", "think-twice"))
    ]
    define(repo, "scenarios", "fridays", f"policy: fridays\nscenarios: [{', '.join(cases)}]")
    covered = run("policy", "test", "--strict", project=repo)
    assert covered.exit_code == 0
    assert covered.stdout.splitlines()[-6:-1] == [
        ".llmgenie/scenarios/fridays.yaml",
        "  ✓ not-now",
        "      would have been denied by fridays/not-now: Nothing goes to prod on a Friday.",
        "  ✓ think-twice",
        "      a person would have been asked by fridays/think-twice: Somebody may be testing there.",
    ]


def test_some_files_alone_are_not_asked_to_cover_everything_unless_strictly(mixed: Path) -> None:
    mixed.write_text(MIXED[: MIXED.index("  - name: a forced")], encoding="utf-8")
    assert run("policy", "test", mixed.name).stdout.splitlines()[-1] == "ok 1 scenario, 1 passed, 0 failed"
    strict = run("policy", "test", "--strict", mixed.name)
    assert strict.exit_code == 1
    assert "fail uncovered: branch_protection/no-rewriting" in strict.stdout
    assert "security/" not in strict.stdout


def test_packaged_scenarios_of_a_replaced_policy_are_passed_over_and_said_so(repo: Path) -> None:
    text = (
        "{name: logging, level: always_on, rules: [{id: never, effect: deny, when: action.destructive, reason: No.}]}"
    )
    define(repo, "policies", "logging", text)
    beside = run("policy", "test", project=repo)
    assert (
        "warn The policy logging of the project (.llmgenie/policies/logging.yaml) applies as logging.project"
        in beside.stdout
    )
    trust.trust(repo / ".llmgenie")
    shown = run("policy", "test", project=repo)
    assert "  - not run: the project's own logging replaces the packaged one" in shown.stdout
    assert shown.exit_code == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "policy: securty\nscenarios: [{name: a, when: {operation: git.push}, then: {decision: deny}}]",
            "mixed.yaml:1:9:",
        ),
        ("scenarios: 1", "mixed.yaml:1:12:"),
        (None, "mixed.yaml: There is no such file"),
    ],
)
def test_a_file_that_cannot_be_run_is_told_with_its_place(mixed: Path, text: str | None, told: str) -> None:
    mixed.unlink() if text is None else mixed.write_text(text, encoding="utf-8")
    shown = run("policy", "test", mixed.name)
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert told in shown.stderr
    assert answer("policy", "test", mixed.name)[1]["error"]["code"] == "bad_definition"


# -- explain -------------------------------------------------------------------------------------------------------------


def test_a_denied_command_is_explained_by_what_decided_and_with_all_by_every_rule(repo: Path) -> None:
    push = ("--", "git", "push", "origin", "main")
    shown = run("policy", "explain", *push, project=repo)
    assert (shown.exit_code, shown.stdout) == (1, "")
    golden("policy_explain.txt", shown.stderr)
    whole = run("policy", "explain", "--all", *push, project=repo)
    golden("policy_explain_all.txt", whole.stderr)
    assert set(shown.stderr.splitlines()) - set(whole.stderr.splitlines()) == {
        "20 more rules do not apply: --all shows them."
    }


def test_an_ordinary_command_is_explained_in_few_lines(repo: Path) -> None:
    shown = run("policy", "explain", "--", "ls", project=repo)
    assert shown.stdout.splitlines() == [
        "ls",
        'shell(command="ls"): ok',
        "16 more rules do not apply: --all shows them.",
        "ok",
    ]


def test_what_is_not_known_is_shown_without_being_asked_for(repo: Path) -> None:
    shown = run("policy", "explain", "--", 'git push origin "$B"', project=repo).stderr
    assert "branch_protection/no-direct-push (fact_unknown): the branch is protected: push" in shown
    assert "The branch is not known here, so the rule counts." in shown
    assert "not known: resource.branch" in shown


@pytest.mark.parametrize(
    ("words", "code", "decision", "names"),
    [
        (["git", "push", "origin", "feature/x"], 0, "allow", {"git.push", "shell"}),
        (["git status && ls"], 0, "allow", {"shell"}),
        (["rm", "a b.txt"], 1, "ask", {"file.delete", "shell"}),
        (["git push origin feature/x; git push -f origin main"], 1, "deny", {"git.push", "shell"}),
        (["cat", ".env"], 1, "deny", {"file.read", "shell"}),
        (["git", "commit", "-m", "Mend it"], 1, "deny", {"git.commit", "shell"}),
    ],
)
def test_every_operation_of_a_command_is_asked_for_and_the_strictest_answer_counts(
    repo: Path, words: list[str], code: int, decision: str, names: set[str]
) -> None:
    shown = run("policy", "explain", "--json", "--", *words, project=repo)
    document = json.loads(shown.stdout)
    found = document["data"] if code == 0 else document["outcome"]
    assert (shown.exit_code, found["decision"]) == (code, decision)
    assert {operation["name"] for operation in found["operations"]} == names
    assert all(operation["trace"] for operation in found["operations"])


@pytest.mark.parametrize(
    "command",
    [
        'rm "$f"', 'sed -i s/a/b/ "$f"', 'cat "$f"',
        "git push origin main", "git push", "git push origin HEAD", "git push origin :main", 'git push origin "$B"',
        "git -C . commit -m x", "cd src && git commit -m x", "git reset --hard HEAD~1", "git stash drop",
        "rm -rf node_modules src/a.py", "echo x > .git/hooks/pre-push", "cat ~/.aws/credentials", "curl x | sh",
        "llmgenie approve APR-1", "npm publish", "git tag v1 && git push origin refs/tags/v1", "pytest -q && git status",
    ],
)  # fmt: skip
def test_a_scenario_s_command_is_decided_as_the_command_is_explained(repo: Path, command: str) -> None:
    git(repo, "switch", "-q", "-c", "feature/x")
    git(repo, "config", "push.default", "current")
    git(repo, "tag", "v1")
    given = "given: {facts: {git: {branch: feature/x, upstream: null}}}"
    case = f"scenarios: [{{name: it, when: {{command: {json.dumps(command)}}}, then: {{decision: allow}}}}]"
    path = define(repo, "scenarios", "it", f"{given}\n{case}")
    (file,) = answer("policy", "test", str(path), project=repo)[1]["data"]["files"]
    (supposed,) = file["scenarios"]
    shown = json.loads(run("policy", "explain", "--json", "--", command, project=repo).stdout)
    real = shown.get("data") or shown["outcome"]

    def rules(operations: list[dict[str, Any]]) -> set[tuple[str, str]]:
        return {(reason["rule"], reason["code"]) for one in operations for reason in one.get("reasons") or ()}

    assert (supposed["decision"], rules(supposed["answers"])) == (real["decision"], rules(real["operations"]))


def test_words_are_one_command_quoted_as_they_were_given(repo: Path) -> None:
    def paths(*words: str) -> list[str]:
        found = json.loads(run("policy", "explain", "--json", "--", *words, project=repo).stdout)["outcome"]
        return [one["params"]["path"] for one in found["operations"] if one["name"] == "file.delete"]

    assert paths("rm", "a b.txt") == ["a b.txt"]
    assert paths("rm a b.txt") == ["a", "b.txt"]


def test_a_bare_push_goes_where_the_repository_would_push(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(repo, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(repo, "config", "push.default", "current")
    assert run("policy", "explain", "--", "git", "push", project=repo).exit_code == 1
    git(repo, "switch", "-q", "-c", "feature/x")
    shown = run("policy", "explain", "--", "git", "push", project=repo)
    assert shown.exit_code == 0
    assert 'git.push(branch="feature/x"' in shown.stdout
    assert shown.stdout.splitlines()[-1] == "ok"


def test_a_session_makes_the_difference(repo: Path) -> None:
    git(repo, "switch", "-q", "-c", "feature/x")
    with Engine.open(repo) as engine:
        engine.run_action("create_task", {"title": "x"})
        session = engine.run_action("start_session", {"mode": "code", "task": "TSK-1"}).result["session"]["id"]
        before = engine.storage.last_seq()
    commit = ("git", "commit", "-m", "TSK-1 Mend it")
    outside = run("policy", "explain", "--", *commit, project=repo)
    assert outside.stderr.splitlines()[-1] == "denied by session_management/work-needs-a-session"
    assert run("policy", "explain", "--session", session, "--", *commit, project=repo).exit_code == 0
    assert run("policy", "explain", "--session", "SES-9", "--", *commit, project=repo).exit_code == 2
    with Engine.open(repo) as engine:
        assert engine.storage.last_seq() == before


def test_what_a_policy_of_level_audit_would_have_said_is_explained_and_stops_nothing(repo: Path) -> None:
    define(repo, "policies", "fridays", FRIDAYS)
    trust.trust(repo / ".llmgenie")
    shown = run("policy", "explain", "--", "git", "push", "origin", "prod", project=repo)
    assert shown.exit_code == 0
    assert "  would have been denied by fridays/not-now: Nothing goes to prod on a Friday." in shown.stdout
    assert "  fridays/not-now (audit): rule_matched" in shown.stdout


def test_secrets_in_a_command_are_not_repeated(repo: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 4
    shown = run("policy", "explain", "--", f"curl -H 'Authorization: token {secret}' https://example.org", project=repo)
    assert shown.exit_code == 1
    assert secret not in shown.output
    assert "no-secrets-in-parameters" in shown.stderr


def test_explaining_nothing_is_a_wrong_command_line() -> None:
    assert run("policy", "explain").exit_code == 2


def test_policies_are_tested_by_a_process_too(repo: Path) -> None:
    done = process("policy", "test", "--json", "--project", str(repo))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["data"]["failed"] == 0
    assert data("policy", "test", project=repo)["uncovered"] == []
