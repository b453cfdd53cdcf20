"""`init` and `uninstall`, from the question which agents to the last byte given back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_fixtures import SOURCE, WORD, answer, data, environment, process, run, terminal
from scene import commit, git
from trees import Tree, difference, rich_project, tree

from llmgenie_mcp import agents
from llmgenie_mcp.edits import jsonc
from llmgenie_mcp.faces.cli_init import site_of

GOLDEN = Path(__file__).parent.parent / "golden" / "init_dry_run.txt"
ALL = ",".join(agents.names())
TWO = ("--agent", "cursor,claude-code")


@pytest.fixture
def project(repo: Path) -> Path:
    """A git repository full of other people's files."""
    (repo / ".gitignore").unlink()
    return rich_project(repo)


def uninstall(root: Path) -> str:
    """Have a person take everything back; returns what was shown."""
    with terminal("uninstall", "--project", str(root)) as screen:
        screen.type(screen.wait_for(WORD)[1])
        assert screen.ended() == 0, screen.shown
        return screen.shown


def but_for(index: Tree) -> Tree:
    """Git's index left out: git itself writes the times of files there when it looks at them."""
    return {name: found for name, found in index.items() if name != ".git/index"}


def test_everything_that_init_wrote_for_every_agent_is_given_back_byte_for_byte(project: Path) -> None:
    before = but_for(tree(project))
    written = data("init", "--yes", "--agent", ALL, project=project)["written"]
    assert {".cursor/hooks.json", "AGENTS.md", ".git/hooks/pre-push", ".llmgenie/llmgenie.yaml"} <= set(written)
    shown = uninstall(project)
    assert difference(before, but_for(tree(project))) == {}
    assert "as it was: AGENTS.md" in shown
    assert "removed: .llmgenie/llmgenie.yaml" in shown


def test_a_second_run_changes_nothing_and_says_so(project: Path) -> None:
    data("init", "--yes", "--agent", ALL, project=project)
    before = tree(project)
    assert "Everything is there already; nothing was written." in run("init", "--agent", ALL, project=project).stdout
    assert data("init", "--yes", "--agent", ALL, project=project)["written"] == []
    assert difference(but_for(before), but_for(tree(project))) == {}


def test_fewer_agents_take_none_away(project: Path) -> None:
    data("init", "--yes", "--agent", ALL, project=project)
    before = but_for(tree(project))
    assert data("init", "--yes", "--agent", "cursor", project=project)["written"] == []
    assert data("init", "--yes", "--agent", "none", "--no-git-hooks", project=project)["written"] == []
    assert difference(before, but_for(tree(project))) == {}


def test_without_a_person_and_without_yes_nothing_is_written_and_the_way_is_told(project: Path) -> None:
    before = but_for(tree(project))
    code, document = answer("init", *TWO, project=project)
    assert (code, document["data"]["written"]) == (1, [])
    assert "llmgenie init --yes" in document["data"]["hint"]
    shown = run("init", *TWO, project=project)
    assert shown.exit_code == 1
    assert "change .cursor/mcp.json: adds mcpServers.llmgenie" in shown.stdout
    assert "llmgenie init --yes" in shown.stdout
    assert difference(before, but_for(tree(project))) == {}


def test_a_person_chooses_sees_and_agrees(project: Path) -> None:
    with terminal("init", "--project", str(project)) as screen:
        offered = screen.wait_for(r"Which agents, with commas between\? \[(.+?)\]")[1]
        screen.type("cursor")
        screen.wait_for(r"Write this\? \[y/N\]")
        shown = screen.shown
        screen.type("y")
        assert screen.ended() == 0, screen.shown
    assert {"cursor", "claude-code", "codex"} <= set(offered.split(","))
    assert "change .cursor/hooks.json: adds to hooks.beforeShellExecution" in shown
    assert "llmgenie" in (project / ".cursor/mcp.json").read_text(encoding="utf-8")
    assert "llmgenie" not in (project / ".claude/settings.local.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("typed", ["", "n", "no", "later"])
def test_a_person_who_does_not_agree_has_nothing_written(project: Path, typed: str) -> None:
    before = but_for(tree(project))
    with terminal("init", "--agent", "cursor", "--project", str(project)) as screen:
        screen.wait_for(r"Write this\? \[y/N\]")
        screen.type(typed)
        assert screen.ended() == 1
    assert difference(before, but_for(tree(project))) == {}


def test_uninstall_needs_a_person_and_the_word(project: Path) -> None:
    data("init", "--yes", *TWO, project=project)
    before = but_for(tree(project))
    code, document = answer("uninstall", project=project)
    assert (code, document["error"]["code"]) == (1, "needs_person")
    with terminal("uninstall", "--project", str(project), env=environment(CURSOR_AGENT="1")) as screen:
        assert screen.ended() == 1
    with terminal("uninstall", "--project", str(project)) as screen:
        screen.wait_for(WORD)
        screen.type("yes")
        assert screen.ended() == 1
    assert difference(before, but_for(tree(project))) == {}


def test_uninstall_keeps_what_people_changed_and_the_tasks(project: Path) -> None:
    data("init", "--yes", *TWO, project=project)
    data("run", "create_task", "-p", "title=x", project=project)
    path = project / ".mcp.json"
    path.write_bytes(path.read_bytes().replace(b'"command":"a"', b'"command":"b"'))
    assert [point["path"] for point in data("uninstall", "--dry-run", project=project)["points"]].count(
        ".mcp.json"
    ) == 1
    shown = uninstall(project)
    assert path.read_bytes() == b'{"mcpServers":{"a":{"command":"b"}}}'
    assert "ours taken out: .mcp.json" in shown
    assert "Tasks and log stay in" in shown
    assert [task["title"] for task in data("task", "list", project=project)["items"]] == ["x"]
    assert git(project, "ls-files", "--others", "--exclude-standard", ".llmgenie") == ".llmgenie/.gitignore"
    assert "nothing to take back" in run("uninstall", "--dry-run", project=project).stdout


def test_a_file_that_cannot_be_changed_is_told_and_the_rest_is_written(project: Path) -> None:
    (project / ".cursor/mcp.json").write_text('{"mcpServers": {\n', encoding="utf-8")
    code, document = answer("init", "--yes", *TWO, project=project)
    assert code == 1
    assert [file["problem"] for file in document["data"]["files"] if file["problem"]] == [
        ".cursor/mcp.json:2:1: The file ends; } is missing for what began at 1:16."
    ]
    assert ".cursor/hooks.json" in document["data"]["written"]


def test_files_of_this_machine_stay_out_of_git_and_tracked_ones_are_named(project: Path) -> None:
    made = data("init", "--yes", *TWO, project=project)
    shown = git(project, "ls-files", "--others", "--exclude-standard").splitlines()
    assert ".claude/settings.local.json" in shown, "it was there before"
    assert ".cursor/rules/llmgenie.mdc" in shown
    assert [note for note in made["notes"] if note.startswith("git tracks .cursor/mcp.json, and")]
    git(project, "rm", "-q", "-f", "--cached", ".cursor/mcp.json")
    for name in (".cursor/mcp.json", ".cursor/hooks.json"):
        (project / name).unlink()
    assert data("init", "--yes", *TWO, project=project)["written"] == [".cursor/mcp.json", ".cursor/hooks.json"]


def test_new_files_that_name_this_machine_s_python_are_not_shown_by_git(repo: Path) -> None:
    data("init", "--yes", *TWO, project=repo)
    assert git(repo, "ls-files", "--others", "--exclude-standard").splitlines() == [
        ".cursor/rules/llmgenie.mdc",
        "CLAUDE.md",
    ]
    data("init", "--yes", "--agent", "codex", project=repo)
    assert ".codex" not in git(repo, "ls-files", "--others", "--exclude-standard")
    assert ".cursor/hooks.json" in (repo / ".git/info/exclude").read_text(encoding="utf-8")


def test_a_linked_worktree_shares_the_git_hooks_and_has_files_of_its_own(repo: Path, tmp_path: Path) -> None:
    side = tmp_path / "side"
    git(repo, "worktree", "add", "-q", "-b", "side", str(side))
    before = but_for(tree(repo)), tree(side)
    data("init", "--yes", "--agent", "cursor", project=side)
    assert (side / ".cursor/hooks.json").exists()
    assert f"--project {repo} git pre-push" in (repo / ".git/hooks/pre-push").read_text(encoding="utf-8")
    assert (repo / ".llmgenie/installed.json").exists()
    written = data("init", "--yes", "--agent", "cursor", project=repo)["written"]
    assert sorted(written) == [".cursor/hooks.json", ".cursor/mcp.json", ".cursor/rules/llmgenie.mdc"]
    assert git(side, "ls-files", "--others", "--exclude-standard") == ".cursor/rules/llmgenie.mdc"
    uninstall(side)
    assert difference(before[0], but_for(tree(repo))) == {}
    assert difference(before[1], tree(side)) == {}


def test_the_installed_hooks_stop_a_commit_to_main(repo: Path) -> None:
    data("init", "--yes", "--agent", "none", project=repo)
    git(repo, "add", "-A")
    done = subprocess.run(
        ["git", "-C", str(repo), "commit", "-m", "x"],
        env={**environment(), "AI_AGENT": "1"}, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode != 0
    assert "branch_protection" in done.stderr


def test_outside_git_there_are_no_git_hooks_and_it_is_told(tmp_path: Path) -> None:
    made = data("init", "--yes", "--agent", "cursor", project=tmp_path)
    assert any("no git checkout" in note for note in made["notes"])
    assert (tmp_path / ".cursor/hooks.json").exists()


def test_the_site_is_this_python_with_this_installation(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    assert site.hook == (
        *(sys.executable, "-I", "-S"),
        *(str(SOURCE / "llmgenie_mcp/faces/hook.py"), "--project", str(tmp_path)),
    )
    script = Path(sys.executable).parent / "llmgenie-mcp"
    assert site.server == ((str(script),) if script.exists() else ("uvx", "llmgenie-mcp"))


def test_an_unknown_agent_is_told_with_the_nearest(repo: Path) -> None:
    code, document = answer("init", "--yes", "--agent", "cursr", project=repo)
    assert (code, document["error"]["near"]) == (2, ["cursor"])
    assert not (repo / ".llmgenie").exists()


def test_init_reads_quickly_enough_to_be_run_often(repo: Path) -> None:
    done = process("init", "--dry-run", "--agent", "cursor", "--json", "--project", str(repo))
    assert done.returncode == 0
    assert json.loads(done.stdout)["data"]["diff"].startswith("--- /dev/null\n+++ b/.llmgenie/llmgenie.yaml\n")


def shown_by_dry_run(root: Path) -> str:
    """What a dry run shows, but for schemas, with names of this machine made general."""
    shown = run("init", "--dry-run", *TWO, project=root).stdout
    for name, word in (
        (str(Path(sys.executable).parent / "llmgenie-mcp"), "SERVER"),
        (sys.executable, "PYTHON"),
        (str(root), "ROOT"),
        (str(SOURCE), "SOURCE"),  # last: the environment may lie inside
    ):
        shown = shown.replace(name, word)
    shown = "--- ".join(file for file in shown.split("--- ") if ".schema.json\n@@" not in file)
    return "".join(line for line in shown.splitlines(keepends=True) if ".schema.json: " not in line)


def test_the_dry_run_of_two_agents_is_as_before(project: Path) -> None:
    shown = shown_by_dry_run(project)
    if "UPDATE_GOLDEN" in os.environ:
        GOLDEN.write_text(shown, encoding="utf-8")
    assert shown == GOLDEN.read_text(encoding="utf-8")
    assert not (project / ".llmgenie").exists()


@pytest.mark.parametrize("name", agents.names())
def test_what_an_agent_has_written_can_be_read_and_is_complete(repo: Path, name: str) -> None:
    commit(repo, "a.txt")
    made = data("init", "--yes", "--agent", name, project=repo)
    assert [file["problem"] for file in made["files"] if file["problem"]] == []
    for file in made["written"]:
        if file.endswith(".json"):
            jsonc.parse((repo / file).read_text(encoding="utf-8"))
    assert list(agents.find(name).complaints(repo)) == []
