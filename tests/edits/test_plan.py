"""Planning: what each file will hold, what stays as it is, and what is told about files that cannot be changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from trees import tree
from wanted import MARK, edits, hook_item

from llmgenie_mcp.edits import AddItem, Block, Edit, SetMember, WholeFile, jsonc, ledger
from llmgenie_mcp.edits.plan import Change, plan

SERVER = SetMember("mcp.json", ("mcpServers", "llmgenie"), {"command": "x"})


def only(root: Path, *wanted: Edit) -> Change:
    (change,) = plan(root, wanted)
    return change


def write(root: Path, changes: list[Change]) -> None:
    ledger.apply(root / ".llmgenie", changes)


def test_planning_changes_nothing_and_an_applied_plan_leaves_nothing_to_do(project: Path) -> None:
    before = tree(project)
    changes = plan(project, edits())
    assert tree(project) == before
    assert not [change for change in changes if change.problem]
    write(project, changes)
    assert plan(project, edits(), ledger.written(project / ".llmgenie")) == []


def test_edits_of_one_file_are_made_one_after_the_other(project: Path) -> None:
    change = next(change for change in plan(project, edits()) if change.path == ".cursor/hooks.json")
    assert change.after == (
        b'{"version": 1, "hooks": {"stop": [{"command": "./theirs.sh"}, {"command": "/venv/python faces/hook.py stop", '
        b'"timeout": 1}], "preToolUse": [{"command": "/venv/python faces/hook.py write", "timeout": 1}, '
        b'{"command": "/venv/python faces/hook.py delete", "timeout": 1}]}}'
    )
    assert change.lines == ("adds to hooks.stop", "adds to hooks.preToolUse")


def test_a_newer_version_replaces_what_the_older_one_wrote(project: Path) -> None:
    write(project, plan(project, edits()))
    changes = plan(project, edits(2), ledger.written(project / ".llmgenie"))
    assert not [change for change in changes if change.problem]
    write(project, changes)
    assert (project / ".cursor/rules/llmgenie.mdc").read_text(encoding="utf-8") == "rules 2\n"
    hooks = jsonc.parse((project / ".cursor/hooks.json").read_text(encoding="utf-8"))["hooks"]
    assert hooks["stop"] == [{"command": "./theirs.sh"}, hook_item("stop", 2)]
    assert hooks["preToolUse"] == [hook_item("write", 2), hook_item("delete", 2)]
    assert (project / "AGENTS.md").read_text(encoding="utf-8").count("rule one") == 1


def test_the_same_edit_of_two_agents_is_one(tmp_path: Path) -> None:
    change = only(tmp_path, Block("AGENTS.md", "rule"), Block("AGENTS.md", "rule"), Block("AGENTS.md", "rule\n"))
    assert change.lines == ("adds a marked block of 1 line",)


def test_a_link_inside_the_project_is_followed_and_both_names_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("x\n", encoding="utf-8")
    (tmp_path / "CLAUDE.md").symlink_to("AGENTS.md")
    change = only(tmp_path, Block("CLAUDE.md", "rule"), Block("AGENTS.md", "rule"))
    assert change.place == tmp_path / "AGENTS.md"
    write(tmp_path, [change])
    assert (tmp_path / "CLAUDE.md").is_symlink()


def test_what_people_set_is_kept_where_the_edit_is_weak_or_the_file_is_theirs(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"version": 7}', encoding="utf-8")
    (tmp_path / "settings.yaml").write_text("mine\n", encoding="utf-8")
    wanted = [SetMember("a.json", ("version",), 1, weak=True), WholeFile("settings.yaml", "ours\n", keep=True)]
    assert plan(tmp_path, wanted) == []


def test_a_program_is_made_one_that_may_be_run(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "run").chmod(0o640)
    write(tmp_path, [only(tmp_path, WholeFile("run", "#!/bin/sh\n", executable=True))])
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o750


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_outside_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


# what is at the path: how it is made, and what the problem says
PROBLEMS = {
    "broken JSON": (lambda path: path.write_bytes(b'{\n  "a": 1,\n  b\n}'), "mcp.json:3:3: 'b' is not expected"),
    "another kind": (lambda path: path.write_bytes(b'{"mcpServers": []}'), "mcp.json:1:16: mcpServers is an array"),
    "no UTF-8": (lambda path: path.write_bytes(b'{\n"a": "\xfc"}'), "mcp.json:2:7: This is no UTF-8"),
    "UTF-16": (lambda path: path.write_bytes('{"a": 1}'.encode("utf-16")), "it holds zero bytes"),
    "a folder": (lambda path: path.mkdir(), "mcp.json cannot be read: It is no file"),
    "a pipe": (make_fifo, "mcp.json cannot be read: It is no file"),
    "a link out of the project": (make_outside_link, "mcp.json is a symbolic link out of the project"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "mcp.json"),
    "half a block": (lambda path: path.write_bytes(b"x\n<!-- llmgenie: begin -->\n"), "mcp.json:2: the marks"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_file_that_cannot_be_changed_is_named_with_the_reason_and_the_rest_goes_on(tmp_path: Path, name: str) -> None:
    make, message = PROBLEMS[name]
    make(tmp_path / "mcp.json")  # type: ignore[no-untyped-call, operator]
    edit = Block("mcp.json", "rule") if "block" in name else SERVER
    first, second = plan(tmp_path, [edit, WholeFile("other", "x\n")])
    assert first.after is None
    assert message in (first.problem or "")
    assert second.after == b"x\n"
    write(tmp_path, [first, second])
    assert (tmp_path / "other").exists()


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", "~/out", "out/mcp.json", "file/mcp.json"])
def test_no_path_leads_out_of_the_project_or_through_a_file(tmp_path: Path, path: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "out").symlink_to(tmp_path)
    (tmp_path / "in" / "file").write_bytes(b"")
    assert only(tmp_path / "in", WholeFile(path, "x")).problem


def test_a_file_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "rules.mdc").write_text("theirs\n", encoding="utf-8")
    change = only(tmp_path, WholeFile("rules.mdc", "ours\n"))
    assert "Move it away" in (change.problem or "")


def test_one_of_ours_that_people_changed_since_is_not_replaced_either(tmp_path: Path) -> None:
    write(tmp_path, plan(tmp_path, [WholeFile("rules.mdc", "ours\n")]))
    (tmp_path / "rules.mdc").write_text("ours, changed\n", encoding="utf-8")
    (change,) = plan(tmp_path, [WholeFile("rules.mdc", "newer\n")], ledger.written(tmp_path / ".llmgenie"))
    assert change.problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_bytes(b"{}")
    (tmp_path / "mcp.json").chmod(0)
    assert "Permission denied" in (only(tmp_path, SERVER).problem or "")


def test_an_item_without_its_own_mark_is_a_mistake_of_the_adapter(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lacks its own mark"):
        plan(tmp_path, [AddItem("a.json", ("hooks",), {"command": "x"}, MARK)])


def test_the_diff_shows_line_ends_and_bytes_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "A.md").write_bytes(b"one\r\n\xfc")
    assert only(tmp_path, Block("A.md", "rule")).diff() == (
        "--- a/A.md\n+++ b/A.md\n@@ -1,2 +1,6 @@\n one^M\n-\\xfc\n\\ No newline at end of file\n+\\xfc^M\n+^M\n"
        "+<!-- llmgenie: begin (written by `llmgenie init`, taken out by `llmgenie uninstall`) -->^M\n+rule^M\n"
        "+<!-- llmgenie: end -->^M\n"
    )
    assert only(tmp_path, SERVER).diff().startswith("--- /dev/null\n+++ b/mcp.json\n@@ -0,0 +1,7 @@\n+{\n")


def test_json_that_is_written_can_be_read_by_a_strict_reader(tmp_path: Path) -> None:
    change = only(tmp_path, SERVER, AddItem("mcp.json", ("hooks",), {"x": MARK}, MARK))
    assert json.loads(change.after or b"") == {"mcpServers": {"llmgenie": {"command": "x"}}, "hooks": [{"x": MARK}]}
