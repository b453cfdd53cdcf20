"""`llmgenie check`: commits judged after they were made, as CI does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_fixtures import SOURCE, answer, environment, run
from click.testing import Result
from ruamel.yaml import YAML
from scene import commit, configure, define, git

from llmgenie_mcp import Engine
from llmgenie_mcp.faces.cli_range import BRANCH_VARIABLES, BY_FORM, SHOWN

EXAMPLES = SOURCE / "examples" / "ci"
TOKEN = "ghp_" + "a1B2c3D4e5" * 4
VENDORED = """
name: vendored
description: What others wrote is not edited here.
level: always_on
applies_to: {actions: [file.write]}
rules:
  - id: no-vendor
    effect: deny
    when: glob(resource.path, "vendor/**")
    reason: "{resource.path} is vendored."
"""


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CI that runs these tests says nothing about the repositories made here."""
    for name in (*BRANCH_VARIABLES, "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def branch(repo: Path) -> Path:
    """A repository on branch feature/x, which has no commits of its own yet."""
    git(repo, "switch", "-q", "-c", "feature/x")
    return repo


def check(project: Path, *words: str, revisions: str = "main..HEAD") -> Result:
    return run("check", "--range", revisions, *words, project=project)


def judged(project: Path, *words: str, revisions: str = "main..HEAD") -> tuple[int, dict[str, Any]]:
    """Exit code and what it answers with --json."""
    code, document = answer("check", "--range", revisions, *words, project=project)
    return code, document["data"]


def found(data: dict[str, Any]) -> list[tuple[str, str, str | None, int | None]]:
    """The findings as (effect, rule, path, line)."""
    all_of_them = [one for row in data["commits"] for one in row["findings"]]
    return [(one["effect"], one["rule"], one.get("path"), one.get("line")) for one in all_of_them]


def test_commits_that_keep_to_the_rules_pass(branch: Path) -> None:
    first = commit(branch, "a.py", "a = 1\n", "TSK-1 add a")
    second = commit(branch, "b.py", "b = 1\n", "Add b\n\nRefs: TSK-2")
    code, data = judged(branch)
    assert code == 0
    assert [(row["oid"], row["effect"]) for row in data["commits"]] == [(first, "allow"), (second, "allow")]
    assert (data["range"], data["branch"], data["denied"], data["asked"]) == ("main..HEAD", "feature/x", 0, 0)
    assert "2 commits on feature/x: 0 denied" in check(branch).stdout


def test_a_range_without_commits_passes(branch: Path) -> None:
    result = check(branch)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "No commits in main..HEAD.")


# file, its text, message; effect, rule, path and line of what is found
CASES: list[tuple[str, str, str, list[tuple[str, str, str | None, int | None]]]] = [
    ("a.py", "a\n", "no task", [("deny", "session_management/commits-name-their-task", None, None)]),
    ("a.py", f"a\nt = '{TOKEN}'\n", "TSK-1 a", [("deny", "security/no-secrets-in-commits", "a.py", 2)]),
    ("a.py", "a\n", f"TSK-1 {TOKEN}", [("deny", "security/no-secrets-in-parameters", None, None)]),
    (".env", "A=1\n", "TSK-1 a", [("deny", "security/no-secret-files", ".env", None)]),
    ("pages/[id].py", "a\n", "TSK-1 a", []),
    (".llmgenie/x.md", "x\n", "TSK-1 a", [("deny", "security/definitions-need-a-person", ".llmgenie/x.md", None)]),
    (".claude/settings.json", "{}\n", "TSK-1 a", [("deny", "security/definitions-need-a-person", ".claude/settings.json", None)]),
]  # fmt: skip


@pytest.mark.parametrize(("file", "content", "message", "expected"), CASES)
def test_each_commit_is_judged_by_its_message_its_paths_and_what_it_adds(
    branch: Path, file: str, content: str, message: str, expected: list[Any]
) -> None:
    (branch / ".gitignore").unlink()
    commit(branch, file, content, message)
    code, data = judged(branch)
    assert [one for one in found(data) if one[2] != ".gitignore"] == expected
    assert code == (1 if expected else 0)


def test_a_name_that_is_also_a_pattern_hides_no_other_path(branch: Path) -> None:
    for name in ("*", "*.pem", "key.pem"):
        (branch / name).write_text("x\n", encoding="utf-8")
    commit(branch, "z.txt", "z\n", "TSK-1 a")
    assert {path for _, rule, path, _ in found(judged(branch)[1]) if rule == "security/no-secret-files"} == {
        "*.pem",
        "key.pem",
    }


def test_what_a_person_may_agree_to_is_a_warning_unless_strict(branch: Path) -> None:
    git(branch, "rm", "-q", "README.md")
    git(branch, "commit", "-q", "-m", "TSK-1 remove")
    code, data = judged(branch)
    assert (code, data["asked"]) == (0, 1)
    assert found(data) == [("ask", "security/deleting-needs-a-person", "README.md", None)]
    assert judged(branch, "--strict")[0] == 1


def bind(branch: Path, name: str, text: str) -> None:
    """Commit a definition, which the scene's repository ignores otherwise."""
    path = branch / ".llmgenie" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    git(branch, "add", "-f", str(path))
    git(branch, "commit", "-q", "-m", f"TSK-1 {name}")


def test_a_renamed_file_is_not_a_deleted_one_and_yet_what_binds_does_not_move(branch: Path) -> None:
    git(branch, "mv", "README.md", "INTRODUCTION.md")
    git(branch, "commit", "-q", "-m", "TSK-1 rename")
    assert found(judged(branch)[1]) == []
    bind(branch, "policies/vendored.yaml", VENDORED)
    git(branch, "mv", ".llmgenie/policies/vendored.yaml", "vendored.yaml")
    git(branch, "commit", "-q", "-m", "TSK-1 unbind")
    data = judged(branch, revisions="HEAD~1..HEAD")[1]
    assert ("deny", "security/definitions-need-a-person", ".llmgenie/policies/vendored.yaml", None) in found(data)


def test_secrets_that_code_owners_say_are_made_up_are_no_finding(branch: Path) -> None:
    settings = "policies:\n  security:\n    add: {samples: ['tests/**']}\n"
    bind(branch, "llmgenie.yaml", settings)
    commit(branch, "tests/test_a.py", f"{TOKEN}\n", "TSK-1 a sample")
    commit(branch, "a.py", f"{TOKEN}\n", "TSK-1 no sample")
    both = {path for _, rule, path, _ in found(judged(branch)[1]) if rule == "security/no-secrets-in-commits"}
    assert both == {"tests/test_a.py", "a.py"}, "nobody accepted these settings"
    data = judged(branch, "--code-owners", revisions="main..HEAD")[1]
    assert [one for one in found(data) if one[1] == "security/no-secrets-in-commits"] == [
        ("deny", "security/no-secrets-in-commits", "a.py", 1)
    ]
    assert ("ask", "security/definitions-need-a-person", ".llmgenie/llmgenie.yaml", None) in found(data)


def test_what_stands_against_many_commits_is_counted_and_its_way_out_said_once(branch: Path) -> None:
    for number in range(3):
        commit(branch, f"{number}.py", f"n = {number}\n", "no task")
    told = check(branch).stdout
    assert "3 of 3: session_management/commits-name-their-task" in told
    assert told.count("create_task") == 1


EACH = {"commands": {"test": {"argv": ["python3", "-c", "import a, b"]}}}


def test_each_commit_is_tested_by_itself_and_one_that_does_not_stand_alone_is_denied(branch: Path) -> None:
    configure(branch, **EACH)
    commit(branch, "a.py", "import b\n", "TSK-1 use what comes later")
    commit(branch, "b.py", "b = 1\n", "TSK-1 and here it comes")
    (branch / "a.py").write_text("broken(\n", encoding="utf-8")  # what is not committed is not tested
    assert judged(branch)[0] == 0
    code, data = judged(branch, "--each", "test")
    assert code == 1
    assert found(data) == [("deny", "check/each", None, None)]
    assert "No module named 'b'" in data["commits"][0]["findings"][0]["message"]
    assert git(branch, "worktree", "list").count("\n") == 0
    assert (branch / "a.py").read_text(encoding="utf-8") == "broken(\n"


def test_a_command_that_nobody_accepted_or_that_is_none_is_not_run_on_commits(branch: Path) -> None:
    commit(branch, "a.py", "a = 1\n", "TSK-1 a")
    unknown = check(branch, "--each", "tset")
    assert (unknown.exit_code, "name no command 'tset'" in unknown.output) == (2, True)
    bind(branch, "llmgenie.yaml", json.dumps(EACH))
    refused = check(branch, "--each", "test", revisions="HEAD~1..HEAD")
    assert (refused.exit_code, "llmgenie trust" in refused.output) == (2, True)
    owned = check(branch, "--code-owners", "--each", "test", revisions="HEAD~1..HEAD")
    assert (owned.exit_code, "llmgenie trust" in owned.output) == (2, True), "owners accept rules, not programs"


def test_a_commit_that_was_mended_later_stays_denied(branch: Path) -> None:
    commit(branch, "a.py", f"{TOKEN}\n", "TSK-1 a")
    commit(branch, "a.py", "clean\n", "TSK-1 take it out")
    code, data = judged(branch)
    assert code == 1
    assert [row["effect"] for row in data["commits"]] == ["deny", "allow"]


def test_on_a_protected_branch_every_commit_is_a_direct_one(repo: Path) -> None:
    commit(repo, "a.py", "a\n", "TSK-1 a")
    code, data = judged(repo, revisions="HEAD~1..HEAD")
    assert (code, found(data)) == (1, [("deny", "branch_protection/no-direct-commit", None, None)])
    assert judged(repo, "--branch", "feature/x", revisions="HEAD~1..HEAD")[0] == 0


def test_the_branch_is_what_ci_says_where_none_is_checked_out(branch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(branch, "a.py", "a\n", "TSK-1 a")
    git(branch, "switch", "-q", "--detach")
    result = check(branch)
    assert result.exit_code == 2
    assert "--branch" in result.stderr
    monkeypatch.setenv("GITHUB_HEAD_REF", "feature/y")
    assert judged(branch)[1]["branch"] == "feature/y"


def test_without_a_list_of_tasks_their_form_is_enough_and_that_is_said_once(branch: Path) -> None:
    commit(branch, "a.py", "a\n", "TSK-7 a")
    commit(branch, "b.py", "b\n", "TSK-8 b")
    assert judged(branch)[1]["notes"] == [BY_FORM]
    assert check(branch).stdout.count(BY_FORM) == 1


def test_with_a_list_of_tasks_a_message_names_one_of_them(branch: Path) -> None:
    with Engine.open(branch) as engine:
        engine.run_action("create_task", {"title": "x"})
    commit(branch, "a.py", "a\n", "TSK-1 a")
    commit(branch, "b.py", "b\n", "TSK-9 b")
    code, data = judged(branch)
    assert (code, data["notes"], [row["effect"] for row in data["commits"]]) == (1, [], ["allow", "deny"])
    assert judged(branch, "--no-tasks")[0] == 0


def test_judging_writes_nothing(branch: Path) -> None:
    commit(branch, "a.py", "a\n", "no task")
    assert check(branch).exit_code == 1
    assert not (branch / ".llmgenie").exists()


def test_a_policy_of_the_checkout_that_nobody_trusted_forbids_all_the_same(branch: Path) -> None:
    define(branch, "policies", "vendored", VENDORED)
    commit(branch, "vendor/x.py", "x\n", "TSK-1 x")
    assert found(judged(branch)[1]) == [("deny", "vendored/no-vendor", "vendor/x.py", None)]


def test_definitions_that_cannot_be_read_fail_the_check(branch: Path) -> None:
    commit(branch, "a.py", "a\n", "TSK-1 a")
    define(branch, "policies", "vendored", "rules: [")
    result = check(branch)
    assert result.exit_code == 1
    assert "vendored.yaml:1" in result.stderr


def test_a_range_that_is_not_here_is_taught(branch: Path) -> None:
    result = check(branch, revisions="nope..HEAD")
    assert result.exit_code == 2
    assert "nope" in result.stderr
    assert check(branch, revisions="main").exit_code == 2


def test_very_many_findings_of_one_rule_are_counted_for_people(branch: Path) -> None:
    for number in range(SHOWN + 5):
        (branch / f"{number}.pem").write_text("x\n", encoding="utf-8")
    commit(branch, "a.py", "a\n", "TSK-1 a")
    assert "security/no-secret-files: 5 more" in check(branch).stdout
    assert len(found(judged(branch)[1])) == SHOWN + 5


# -- GitHub ----------------------------------------------------------------------------------------------------------


def test_on_github_findings_are_annotations(branch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(branch, "a,b:c%.py", f"\n{TOKEN}\n", "TSK-1 a")
    git(branch, "rm", "-q", "README.md")
    git(branch, "commit", "-q", "-m", "TSK-1 remove")
    assert "::error" not in check(branch).stdout
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    lines = check(branch).stdout.splitlines()
    secret, deleted = (line for line in lines if line.startswith(("::error", "::warning")))
    rule, said = "security/no-secrets-in-commits", "a,b:c%25.py:2 adds what looks like a secret (github_token)."
    assert secret == f"::error file=a%2Cb%3Ac%25.py,line=2,title={rule}::{said}"
    assert deleted.startswith("::warning file=README.md,title=security/deleting-needs-a-person::Deleting README.md")
    assert judged(branch)[0] == 1


def test_on_github_nothing_that_a_commit_says_becomes_a_command(branch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    name = "x\n::set-env name=A::b\n.pem"
    (branch / name).write_text("x\n", encoding="utf-8")
    commit(branch, "a.py", "a\n", "::add-mask::x ##[error]y")
    lines = check(branch).stdout.splitlines()
    assert lines[0].startswith("::stop-commands::")
    end = lines.index(f"::{lines[0].removeprefix('::stop-commands::')}::")
    assert any("##[error]y" in line for line in lines[1:end])
    assert all(line.startswith(("::error ", "::warning ")) for line in lines[end + 1 :])
    assert "set-env" in "".join(lines[end + 1 :])


# -- the examples ----------------------------------------------------------------------------------------------------


@pytest.fixture
def in_ci(branch: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A detached checkout as CI makes it, and an environment in which `llmgenie` is this command."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "llmgenie"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m llmgenie_mcp "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    commit(branch, "a.py", "a\n", "TSK-1 a")
    commit(branch, "b.py", f"{TOKEN}\n", "TSK-1 b")
    git(branch, "switch", "-q", "--detach")
    return branch, environment(PATH=f"{folder}:{os.environ['PATH']}")


def example(name: str) -> Any:
    return YAML(typ="safe").load((EXAMPLES / name).read_text(encoding="utf-8"))


def run_as_ci(folder: Path, script: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize(("back", "code"), [(0, 1), (1, 0)])
def test_the_example_for_github_denies_and_passes(in_ci: tuple[Path, dict[str, str]], back: int, code: int) -> None:
    folder, env = in_ci
    job = example("github-actions.yml")["jobs"]["commits"]
    step = job["steps"][-1]
    event = {
        "github.event.pull_request.base.sha": git(folder, "rev-parse", "main"),
        "github.event.pull_request.head.sha": git(folder, "rev-parse", f"HEAD~{back}"),
        "github.event.pull_request.head.repo.fork && 'fork/' || ''": "",
        "github.head_ref": 'feature/"; exit 7 #',
    }
    for variable, value in step["env"].items():
        for expression, meant in event.items():
            value = value.replace(f"${{{{ {expression} }}}}", meant)  # noqa: PLW2901
        assert "${{" not in value
        env[variable] = value
    done = run_as_ci(folder, step["run"], {**env, "GITHUB_ACTIONS": "true"})
    assert done.returncode == code, done.stderr
    assert ("::error file=b.py,line=1" in done.stdout) is bool(code)
    assert "${{" not in step["run"]
    assert job["steps"][0]["with"]["fetch-depth"] == 0


@pytest.mark.parametrize(("back", "code"), [(0, 1), (1, 0)])
def test_the_example_for_gitlab_denies_and_passes(in_ci: tuple[Path, dict[str, str]], back: int, code: int) -> None:
    folder, env = in_ci
    job = example("gitlab-ci.yml")["llmgenie"]
    env |= {
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(folder, "rev-parse", "main"),
        "CI_COMMIT_SHA": git(folder, "rev-parse", f"HEAD~{back}"),
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/x",
    }
    done = run_as_ci(folder, "\n".join(job["script"][1:]), env)
    assert done.returncode == code, done.stderr
    assert ("b.py:1 adds what looks like a secret" in done.stdout) is bool(code)
    assert job["variables"]["GIT_DEPTH"] == "0"
