"""What was written is given back: exactly where nobody touched it, and without our entries where somebody did."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from trees import difference, tree
from wanted import edits, everything, hook_item

from llmgenie_mcp import trust
from llmgenie_mcp.edits import Block, SetMember, WholeFile, jsonc, ledger
from llmgenie_mcp.edits.plan import plan
from llmgenie_mcp.edits.restore import Taken, restore, status
from llmgenie_mcp.errors import Conflict, StorageDamaged, StorageError

SERVER = SetMember("mcp.json", ("servers", "llmgenie"), {"command": "x"})


def install(root: Path, version: int = 1) -> list[str]:
    return ledger.apply(root / ".llmgenie", everything(root, version))


def what(report: list[Taken]) -> dict[str, str]:
    return {taken.path: taken.what for taken in report}


def test_everything_is_given_back_byte_for_byte(project: Path) -> None:
    before = tree(project)
    names = install(project)
    assert set(names) <= difference(before, tree(project)).keys()
    assert ".git/hooks/pre-push" in names
    report = restore(project / ".llmgenie")
    assert difference(before, tree(project)) == {}
    assert {taken.what for taken in report} == {"restored", "removed"}


def test_several_runs_are_given_back_at_once(project: Path) -> None:
    before = tree(project)
    for version in (1, 2, 3):
        install(project, version)
    assert install(project, 3) == []
    restore(project / ".llmgenie")
    assert difference(before, tree(project)) == {}


def test_what_people_changed_since_is_kept_and_only_our_entries_go(project: Path) -> None:
    install(project)
    for name, old, new in (
        (".cursor/mcp.json", b'"db": {"command": "db"}', b'"db": {"command": "newer"}'),
        (".claude/settings.local.json", b'"model": "m"', b'"model": "n" // why'),
        (".codex/hooks.json", b"{", b'{\n  "theirs": 1,'),
        ("AGENTS.md", b"No line end", b"A line end\n\nmore"),
        (".git/hooks/pre-commit", b"# theirs", b"# theirs, changed"),
    ):
        data = (project / name).read_bytes()
        assert data.count(old) >= 1
        (project / name).write_bytes(data.replace(old, new, 1))
    (project / "CLAUDE.md").write_bytes((project / "CLAUDE.md").read_bytes() + b"after\r\n")
    (project / ".vscode/mcp.json").write_text('{"servers": {"llmgenie": {"changed": true}}} ', encoding="utf-8")
    assert {taken.what for taken in restore(project / ".llmgenie")} == {"restored", "removed", "taken_out"}
    assert (project / ".cursor/mcp.json").read_bytes() == (
        b'{\r\n\t// servers\r\n\t"mcpServers": {\r\n\t\t"db": {"command": "newer"}, // ours\r\n\t},\r\n}\r\n'
    )
    assert (project / ".claude/settings.local.json").read_bytes() == (
        b'\xef\xbb\xbf{\n    "hooks": {\n        "PreToolUse": [\n            {"matcher": "Bash", "hooks": []} /* kept */\n'
        b'        ]\n    },\n    "model": "n" // why\n}'
    )
    assert jsonc.parse((project / ".codex/hooks.json").read_text(encoding="utf-8")) == {"theirs": 1}
    assert (project / "AGENTS.md").read_bytes() == "# Häuser\n\nA line end\n\nmore".encode()
    assert (project / "CLAUDE.md").read_bytes() == b"# Claude\r\n\r\nlatin-1: \xfc\r\nafter\r\n"
    assert b"llmgenie" not in (project / ".git/hooks/pre-commit").read_bytes()
    assert b"# theirs, changed" in (project / ".git/hooks/pre-commit").read_bytes()
    assert not (project / ".vscode").exists()


def test_changes_between_two_runs_are_kept(project: Path) -> None:
    before = tree(project)
    install(project)
    path = project / ".mcp.json"
    path.write_bytes(path.read_bytes().replace(b'"command":"a"', b'"command":"theirs"'))
    install(project, 2)
    restore(project / ".llmgenie")
    assert path.read_bytes() == b'{"mcpServers":{"a":{"command":"theirs"}}}'
    assert list(difference(before, tree(project))) == [".mcp.json"]


def test_a_file_that_people_put_back_themselves_is_theirs_again(project: Path) -> None:
    before = tree(project)
    install(project)
    (project / "AGENTS.md").write_bytes(before["AGENTS.md"][2])
    assert what(restore(project / ".llmgenie"))["AGENTS.md"] == "unchanged"
    assert difference(before, tree(project)) == {}


def test_an_entry_of_the_same_name_that_was_there_comes_back(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"servers": {"llmgenie": {"command":   "old"}, "b": 1}}', encoding="utf-8")
    (tmp_path / "A.md").write_text("<!-- llmgenie: begin -->\nold\n<!-- llmgenie: end -->\nx\n", encoding="utf-8")
    before = tree(tmp_path)
    ledger.apply(tmp_path / ".llmgenie", plan(tmp_path, [SERVER, Block("A.md", "new")]))
    for name, text in (("mcp.json", '"b": 1'), ("A.md", "x\n")):
        path = tmp_path / name
        path.write_text(path.read_text(encoding="utf-8").replace(text, f"{text} "), encoding="utf-8")
    restore(tmp_path / ".llmgenie")
    assert (tmp_path / "mcp.json").read_text(encoding="utf-8") == before["mcp.json"][2].decode().replace("1", "1 ")
    assert (tmp_path / "A.md").read_text(encoding="utf-8") == before["A.md"][2].decode() + " "


def test_what_people_added_to_a_file_that_we_made_keeps_the_version_it_needs(project: Path) -> None:
    (project / ".cursor/hooks.json").unlink()
    before = tree(project)
    install(project)
    path = project / ".cursor/hooks.json"
    hooks = jsonc.parse(path.read_text(encoding="utf-8"))
    hooks["hooks"]["stop"].append({"command": "theirs"})
    path.write_text(json.dumps(hooks), encoding="utf-8")
    restore(project / ".llmgenie")
    assert path.read_text(encoding="utf-8") == '{"version": 1, "hooks": {"stop": [{"command": "theirs"}]}}'
    path.unlink()
    assert difference(before, tree(project)) == {}


def test_a_file_that_we_made_and_people_only_laid_out_anew_goes(project: Path) -> None:
    (project / ".cursor/hooks.json").unlink()
    before = tree(project)
    install(project)
    path = project / ".cursor/hooks.json"
    path.write_text(json.dumps(jsonc.parse(path.read_text(encoding="utf-8")), indent=7), encoding="utf-8")
    assert what(restore(project / ".llmgenie"))[".cursor/hooks.json"] == "removed"
    assert difference(before, tree(project)) == {}


def test_a_whole_file_that_people_changed_stays_and_so_does_its_folder(tmp_path: Path) -> None:
    ledger.apply(
        tmp_path / ".llmgenie", plan(tmp_path, [WholeFile("deep/rules.mdc", "ours\n"), WholeFile("b/c", "c\n")])
    )
    (tmp_path / "deep/rules.mdc").write_text("theirs\n", encoding="utf-8")
    assert what(restore(tmp_path / ".llmgenie")) == {"b/c": "removed", "deep/rules.mdc": "left"}
    assert sorted(tree(tmp_path)) == ["deep", "deep/rules.mdc"]


def test_folders_in_which_people_put_something_stay(project: Path) -> None:
    install(project)
    (project / "deep/er/mine.txt").write_text("mine", encoding="utf-8")
    restore(project / ".llmgenie")
    assert sorted(path.name for path in (project / "deep/er").iterdir()) == ["mine.txt"]


def test_a_file_that_can_no_longer_be_read_is_told_and_can_be_taken_back_later(project: Path) -> None:
    before = tree(project)
    install(project)
    path = project / ".mcp.json"
    good = path.read_bytes()
    path.write_bytes(good + b"}")
    (failed,) = [taken for taken in restore(project / ".llmgenie") if taken.what == "failed"]
    assert failed.message.startswith(".mcp.json:1:100: '}' is not expected after the end")
    assert [name for name in difference(before, tree(project)) if "/installed/" not in name] == [
        *(".llmgenie", ".llmgenie/installed", ".llmgenie/installed.json", ".mcp.json"),
    ]
    path.write_bytes(good)
    assert what(restore(project / ".llmgenie")) == {".mcp.json": "restored"}
    assert difference(before, tree(project)) == {}


def test_the_data_of_the_store_stays_and_what_keeps_it_out_of_git_too(project: Path) -> None:
    install(project)
    (project / ".llmgenie/db.json").write_text("{}", encoding="utf-8")
    assert what(restore(project / ".llmgenie"))[".llmgenie/.gitignore"] == "left"
    assert sorted(path.name for path in (project / ".llmgenie").iterdir()) == [".gitignore", "db.json"]


def test_taking_back_what_was_never_written_changes_nothing(project: Path) -> None:
    before = tree(project)
    assert restore(project / ".llmgenie") == []
    assert status(project / ".llmgenie") == []
    assert difference(before, tree(project)) == {}


def test_the_status_tells_what_is_there_changed_and_gone(project: Path) -> None:
    install(project)
    assert {point.state for point in status(project / ".llmgenie")} == {"there"}
    hooks = project / ".cursor/hooks.json"
    hooks.write_bytes(hooks.read_bytes().replace(b'"timeout": 1', b'"timeout": 9', 1) + b"\n")
    (project / ".mcp.json").write_bytes(b'{"mcpServers": {}}')
    (project / "AGENTS.md").write_bytes((project / "AGENTS.md").read_bytes() + b"more\n")
    (project / "bin/run.sh").unlink()
    (project / ".cursor/rules/llmgenie.mdc").write_bytes(b"changed")
    found = {
        (point.path, point.what): point.state for point in status(project / ".llmgenie") if point.path[:5] != ".llmg"
    }
    assert found[".cursor/hooks.json", "hooks.stop"] == "changed"
    assert found[".cursor/hooks.json", "hooks.preToolUse"] == "there"
    assert found[".mcp.json", "mcpServers.llmgenie"] == "missing"
    assert found["AGENTS.md", "the marked block"] == "there"
    assert found["bin/run.sh", ""] == "missing"
    assert found[".cursor/rules/llmgenie.mdc", ""] == "changed"


def test_a_moved_project_is_given_back_where_it_is_now(project: Path, tmp_path: Path) -> None:
    before = tree(project)
    ledger.apply(project / ".llmgenie", plan(project, edits()))
    moved = shutil.move(project, tmp_path / "moved")
    restore(Path(moved) / ".llmgenie")
    assert difference(before, tree(Path(moved))) == {}


def test_a_file_that_changed_while_it_was_planned_for_stops_everything(project: Path) -> None:
    changes = everything(project)
    (project / "AGENTS.md").write_bytes(b"meanwhile\n")
    before = tree(project)
    with pytest.raises(Conflict, match=r"AGENTS\.md was changed"):
        ledger.apply(project / ".llmgenie", changes)
    shutil.rmtree(project / ".llmgenie", ignore_errors=True)
    assert difference(before, tree(project)) == {}


def test_when_one_file_cannot_be_written_the_others_are_put_back(project: Path) -> None:
    install(project)
    changes = everything(project, 2)
    last = changes[-1].place
    (last.parent / f".{last.name}.llmgenie-new").mkdir()  # nobody can write over a folder
    before = tree(project)
    with pytest.raises(StorageError, match="llmgenie-new"):
        ledger.apply(project / ".llmgenie", changes)
    assert difference(before, tree(project)) == {}


@pytest.mark.parametrize("damage", ["", "{", '{"format": 1}', '{"format": 9, "folders": [], "files": {}}', "[]"])
def test_a_damaged_memory_stops_before_anything_is_changed(project: Path, damage: str) -> None:
    install(project)
    (project / ".llmgenie/installed.json").write_text(damage, encoding="utf-8")
    before = tree(project)
    with pytest.raises(StorageDamaged, match=r"installed\.json"):
        restore(project / ".llmgenie")
    assert difference(before, tree(project)) == {}


@pytest.mark.parametrize("sealed", [False, True])
def test_a_memory_that_came_with_a_repository_has_no_file_overwritten(
    project: Path, sealed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = project.parent / "their-state", os.environ["LLMGENIE_STATE_DIR"]
    monkeypatch.setenv("LLMGENIE_STATE_DIR", str(theirs))
    install(project)
    victim = project.parent / ".bashrc"
    victim.write_text("# as everybody has it\n", encoding="utf-8")
    path = project / ".llmgenie/installed.json"
    known = json.loads(path.read_bytes())
    evil = next((project / ".llmgenie/installed").iterdir()).name
    original = {"sha256": evil, "mode": 0o644, "link": False}
    held = hashlib.sha256(victim.read_bytes()).hexdigest()
    known["files"]["../.bashrc"] = {"original": original, "written": [held], "undo": []}
    known.pop("seal")
    path.write_text(json.dumps({**known, **({"seal": trust.seal({"installed": known})} if sealed else {})}))
    monkeypatch.setenv("LLMGENIE_STATE_DIR", ours)
    before = tree(project.parent)
    with pytest.raises(StorageDamaged, match="was not written by llmgenie for you"):
        restore(project / ".llmgenie")
    with pytest.raises(StorageDamaged, match="was not written by llmgenie for you"):
        install(project)
    assert {name for name in difference(before, tree(project.parent)) if "state" not in name} == set()


def test_a_damaged_original_is_never_put_back(project: Path) -> None:
    install(project)
    kept = next((project / ".llmgenie/installed").iterdir())
    kept.write_bytes(kept.read_bytes() + b"x")
    with pytest.raises(StorageDamaged, match="is not what it was"):
        restore(project / ".llmgenie")


def test_the_memory_names_no_folder_outside_the_project(project: Path) -> None:
    install(project)
    known = json.loads((project / ".llmgenie/installed.json").read_bytes())
    assert [name for name in (*known["files"], *known["folders"]) if name.startswith("/")] == []
    items = {"kind": "items", "keys": ["hooks", "stop"], "mark": "faces/hook.py", "items": [hook_item("stop")]}
    assert known["files"][".cursor/hooks.json"]["undo"][0] == {**items, "made": 0, "before": []}
