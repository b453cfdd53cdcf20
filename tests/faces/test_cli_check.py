"""Checking definitions, writing schemas and drawing workflows from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_fixtures import SOURCE, answer, data, run, settings, waiting_review
from scene import git


def test_workflow_check_names_every_problem_with_file_line_and_column(repo: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "deploy.yaml"
    wrong.write_text(
        "name: deploy\nversion: 1\ninitial: draft\nstates:\n  draft:\n    on:\n      go: {target: dome}\n  done: {final: true}\n",
        encoding="utf-8",
    )
    code, document = answer("workflow", "check", str(wrong))
    assert code == 1
    assert {problem["file"] for problem in document["data"]["problems"]} == {str(wrong)}
    shown = run("workflow", "check", str(wrong))
    assert shown.exit_code == 1
    assert f"{wrong}:7:" in shown.stdout
    assert "dome" in shown.stdout


def test_a_right_file_of_each_kind_has_no_problem(tmp_path: Path, repo: Path) -> None:
    settings(repo)
    files = [
        SOURCE / "workflows" / "review.yaml",
        SOURCE / "workflows/policies/security.yaml",
        repo / ".llmgenie/llmgenie.yaml",
    ]
    assert data("policy", "check", *map(str, files)) == {"problems": []}


def test_checking_a_project_finds_settings_and_definitions_at_once(repo: Path) -> None:
    store = repo / ".llmgenie"
    (store / "policies").mkdir(parents=True)
    (store / "llmgenie.yaml").write_text("comands: {}\n", encoding="utf-8")
    (store / "policies" / "mine.yaml").write_text("name: mine\nlevel: sometimes\n", encoding="utf-8")
    code, document = answer("workflow", "check", project=repo)
    assert code == 1
    assert len({problem["file"] for problem in document["data"]["problems"]}) == 2


@pytest.mark.parametrize("name", ["missing.yaml", "notes.txt"])
def test_what_is_no_definition_file_is_told(tmp_path: Path, name: str) -> None:
    if name == "notes.txt":
        (tmp_path / name).touch()
    code, document = answer("workflow", "check", str(tmp_path / name))
    assert code == 2
    assert name in document["error"]["message"]


def test_schemas_are_written_and_stale_ones_found(tmp_path: Path) -> None:
    folder = tmp_path / "schemas"
    assert len(data("schema", "--write", str(folder))["written"]) == 6
    assert data("schema", "--write", str(folder))["written"] == []
    (folder / "workflow.schema.json").write_text("{}", encoding="utf-8")
    code, document = answer("schema", "--check", str(folder))
    assert code == 1
    assert document["data"]["stale"] == [str(folder / "workflow.schema.json")]
    assert run("schema").exit_code == 2


def test_a_diagram_marks_where_an_instance_is(repo: Path) -> None:
    waiting_review(repo)
    assert "> in_review" in run("workflow", "diagram", "review", "--instance", "REV-1", project=repo).stdout
    assert run("workflow", "diagram", "release", "--instance", "REV-1", project=repo).exit_code == 2
    assert git(repo, "status", "--porcelain") == ""
