from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result
from import_scene import FILES, write

from llmgenie_mcp.faces.cli import cli


def run(project: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--project", str(project), *words], catch_exceptions=False)


def test_import_tells_line_by_line_what_it_did(tmp_path: Path) -> None:
    first = run(tmp_path, "import", str(FILES / "taskmaster"))
    assert first.exit_code == 0, first.output
    shown = first.output.splitlines()
    assert shown[0] == "taskmaster: .taskmaster/tasks/tasks.json: it holds 3 numbered tasks with titles, in 2 tags"
    assert "ok created TSK-3 (was 1.1)  Users" in shown
    assert "changed: status deferred → todo, 1 time" in shown
    assert shown[-1] == "6 created, 4 changed."
    assert run(tmp_path, "import", str(FILES / "taskmaster")).output.splitlines()[-1] == "6 unchanged."
    assert "import_tasks; from" in run(tmp_path, "log").output


def test_json_has_the_whole_report(tmp_path: Path) -> None:
    data = json.loads(run(tmp_path, "import", str(FILES / "beads"), "--dry-run", "--json").stdout)["data"]
    assert (data["format"], data["dry_run"], data["counts"]["created"]) == ("beads", True, 4)
    assert data["problems"][0] | {"file": ".beads/issues.jsonl", "line": 5, "column": 27} == data["problems"][0]


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    bad = "\x1b[2Jgone\u202e"
    issue = {"number": 1, "title": bad, "state": bad, "labels": [], "url": bad}
    path = write(tmp_path / f"a{bad[:4]}.json", json.dumps([issue]))
    shown = (
        run(tmp_path, "import", str(path)).output
        + run(tmp_path, "export", "--format", "csv", "--output", str(path)).output
    )
    assert "gone" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_export_prints_one_file_and_asks_where_for_a_folder(tmp_path: Path) -> None:
    run(tmp_path, "import", str(FILES / "beads"))
    assert json.loads(run(tmp_path, "export").output)["tasks"][0]["id"] == "bd-a1b2"
    assert json.loads(run(tmp_path, "export", "--format", "csv", "--json").output)["data"]["content"].startswith(
        "id,title"
    )
    refused = run(tmp_path, "export", "--format", "markdown")
    assert (refused.exit_code, "Say where: --output FOLDER." in refused.output) == (2, True)
    done = run(tmp_path, "export", "--format", "markdown", "--output", str(tmp_path / "out"))
    assert done.output.splitlines()[-1] == f"ok {tmp_path / 'out'}: 4 files written, 0 unchanged."


def test_markdown_of_two_branches_is_merged_by_git(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    write(tmp_path / ".gitignore", ".llmgenie/\n")
    for title in ("One", "Two"):
        run(tmp_path, "task", "add", title)
    out = tmp_path / "work"
    run(tmp_path, "export", "--format", "markdown", "--output", str(out))
    git("add", "-A")
    git("commit", "-qm", "export")
    for branch, path, old, new in (("left", "TSK-1", "One", "First"), ("right", "TSK-2", "Two", "Second")):
        git("switch", "-qc", branch, "main")
        file = out / "tasks" / f"{path}.md"
        file.write_text(file.read_text(encoding="utf-8").replace(f"title: {old}", f"title: {new}"), encoding="utf-8")
        git("commit", "-qam", branch)
    git("merge", "-q", "left", "-m", "merged")
    assert run(tmp_path, "import", str(out)).output.splitlines()[-1] == "2 updated."
    assert [word in run(tmp_path, "task", "list").output for word in ("First", "Second")] == [True, True]


def test_command_line_starts_without_the_formats() -> None:
    check = (
        "import sys, llmgenie_mcp.faces.cli; print([m for m in sys.modules if 'porters.' in m or m == 'hypothesis'])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "[]"
    assert importlib.util.find_spec("llmgenie_mcp.importers.taskmaster")
