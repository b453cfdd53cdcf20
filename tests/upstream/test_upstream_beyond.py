"""A tool called through llmgenie gets no further than one that the agent calls itself: policies read what it would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scene import codes, configure, git, make_repository, started
from upstream_scene import behind, raw, said

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.records import Actor

TOOLS = ("write_file", "read_file", "delete_file", "move_file", "git_commit", "git_push", "execute_command", "buy")


@pytest.mark.parametrize(
    ("tool", "given", "rule"),
    [
        ("write_file", {"path": ".llmgenie/llmgenie.yaml", "content": "x"}, "security/definitions-need-a-person"),
        ("write_file", {"path": "src/../.git/hooks/pre-commit"}, "security/definitions-need-a-person"),
        ("write_file", {"path": "/etc/hosts"}, "security/stay-in-the-project"),
        ("read_file", {"path": ".env"}, "security/no-secret-files"),
        ("delete_file", {"path": "src/main.py"}, "security/deleting-needs-a-person"),
        ("move_file", {"source": "a", "destination": ".claude/settings.json"}, "security/definitions-need-a-person"),
        ("git_commit", {"repo_path": ".", "message": "no task"}, "session_management/commits-name-their-task"),
        ("git_push", {"branch": "main"}, "branch_protection/no-direct-push"),
        ("git_push", {}, "branch_protection/no-direct-push"),
        ("execute_command", {"command": "cd x && git push origin main"}, "branch_protection/no-direct-push"),
        ("execute_command", {"command": "git commit --no-verify -m x"}, "security/checks-are-not-skipped"),
    ],
)
def test_what_a_hook_would_refuse_is_refused(repo: Path, tmp_path: Path, tool: str, given: Any, rule: str) -> None:
    with behind(repo, files=raw(tmp_path, *TOOLS)) as engine:
        refused = engine.run_action(f"files.{tool}", given)
        assert rule in [reason.rule for reason in refused.reasons]
        assert not [entry for entry in said(tmp_path) if entry.get("method") == "tools/call"]
        assert engine.run_action("files.buy", given).ok


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("write_file", {"path": "src/new.py", "content": "x"}),
        ("read_file", {"path": "README.md"}),
        ("delete_file", {"path": "dist/old.whl"}),
        ("git_push", {"branch": "feature/x"}),
        ("execute_command", {"command": "ls -la"}),
    ],
)
def test_ordinary_work_passes(repo: Path, tmp_path: Path, tool: str, given: Any) -> None:
    with behind(repo, files=raw(tmp_path, *TOOLS)) as engine:
        assert engine.run_action(f"files.{tool}", given).ok


def test_a_commit_that_names_its_task_on_a_branch_passes(repo: Path, tmp_path: Path) -> None:
    git(repo, "switch", "-q", "-c", "feature/x")
    with behind(repo, files=raw(tmp_path, *TOOLS)) as engine:
        session = started(engine, mode="code")
        task = engine.run_action("create_task", {"title": "Cats"}, session=session).result["id"]
        given = {"repo_path": str(repo), "message": f"{task}: add cats"}
        assert engine.run_action("files.git_commit", given, session=session).ok
        git(repo, "switch", "-q", "main")
        refused = engine.run_action("files.git_commit", given, session=session)
        assert any(reason.rule.startswith("branch_protection/") for reason in refused.reasons)


def test_paths_are_read_from_the_folder_that_the_server_runs_in(repo: Path, tmp_path: Path) -> None:
    (repo / "sub").mkdir()
    with behind(repo, files=raw(tmp_path, *TOOLS, cwd="sub")) as engine:
        refused = engine.run_action("files.write_file", {"path": "../.llmgenie/llmgenie.yaml"})
        assert [reason.rule for reason in refused.reasons] == ["security/definitions-need-a-person"]


def test_a_commit_in_another_repository_is_about_that_one(repo: Path, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "elsewhere")
    git(other, "switch", "-q", "-c", "feature/y")
    with behind(repo, files=raw(tmp_path, *TOOLS)) as engine:
        session = started(engine, mode="code")
        task = engine.run_action("create_task", {"title": "Cats"}, session=session).result["id"]
        given = {"repo_path": str(other), "message": f"{task}: add cats"}
        assert engine.run_action("files.git_commit", given, session=session).ok


def test_a_persons_yes_to_the_operation_opens_the_call(repo: Path, tmp_path: Path) -> None:
    given = {"path": "src/main.py"}
    with behind(repo, files=raw(tmp_path, *TOOLS)) as engine:
        refused = engine.run_action("files.delete_file", given)
        assert codes(refused) == ["rule_matched"]
        assert refused.reasons[0].fix is not None
        asked = engine.run_action("request_approval", refused.reasons[0].fix["params"])
        engine.decide_approval(asked.result["approval"]["id"], True, person="ada", channel="terminal")
        assert engine.run_action("files.delete_file", given).ok
        assert not engine.run_action("files.delete_file", {"path": "src/other.py"}).ok


def test_a_person_may_do_what_an_agent_may_not(repo: Path, tmp_path: Path) -> None:
    with behind(repo, files=raw(tmp_path, *TOOLS)) as engine:
        given = {"path": "src/main.py"}
        assert engine.run_action("files.delete_file", given, actor=Actor("human", "ada")).ok


@pytest.mark.parametrize("name", ["git", "file", "mcp", "network", "shell"])
def test_no_server_may_be_called_like_operations(repo: Path, tmp_path: Path, name: str) -> None:
    configure(repo, upstreams={name: raw(tmp_path, "push")})
    with pytest.raises(DefinitionError) as caught, Engine.open(repo):
        pass
    assert f"{name}-server" in str(caught.value)
