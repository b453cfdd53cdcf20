"""What a person accepted: a hash of the definitions, kept outside every project."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from scene import PYTHON

from llmgenie_mcp import trust
from llmgenie_mcp.loader.packaged import definition_files


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with settings, a workflow and a policy."""
    place = tmp_path / "p" / ".llmgenie"
    for name in ("llmgenie.yaml", "workflows/a.yaml", "policies/b.yaml"):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\nversion: 1\n", encoding="utf-8")
    return place


def test_without_definitions_there_is_nothing_to_accept(tmp_path: Path) -> None:
    assert trust.is_trusted(tmp_path / ".llmgenie")
    assert trust.fingerprint(tmp_path / ".llmgenie") == ""


def test_settings_that_are_all_comments_are_nothing_to_accept(tmp_path: Path) -> None:
    path = tmp_path / ".llmgenie" / "llmgenie.yaml"
    path.parent.mkdir()
    path.write_text("# nothing yet\n\n  # here either\n", encoding="utf-8")
    assert trust.is_trusted(path.parent)
    path.write_text("# nothing yet\n- x\n", encoding="utf-8")
    assert not trust.is_trusted(path.parent)


def test_trust_holds_until_it_is_taken_back(store: Path) -> None:
    assert not trust.is_trusted(store)
    assert trust.trust(store) == trust.fingerprint(store)
    assert trust.is_trusted(store)
    trust.distrust(store)
    assert not trust.is_trusted(store)
    trust.distrust(store)


def added(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.touch()


def linked(store: Path) -> None:
    (store / "llmgenie.yaml").unlink()
    (store.parent / "elsewhere").write_text("# other\n", encoding="utf-8")
    (store / "llmgenie.yaml").symlink_to(store.parent / "elsewhere")


CHANGES = {
    "edited": lambda store: (store / "llmgenie.yaml").write_text("# changed\n", encoding="utf-8"),
    "added": lambda store: added(store / "workflows" / "c.yaml"),
    "added deep": lambda store: added(store / "workflows" / "x" / "y"),
    "removed": lambda store: (store / "policies" / "b.yaml").unlink(),
    "renamed": lambda store: (store / "policies" / "b.yaml").rename(store / "policies" / "c.yaml"),
    "moved": lambda store: (store / "policies" / "b.yaml").rename(store / "workflows" / "b.yaml"),
    "an action added": lambda store: added(store / "actions" / "a.yaml"),
    "linked elsewhere": linked,
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_ends_it_and_undoing_brings_it_back(store: Path, change: str, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path / "copy")
    trust.trust(store)
    CHANGES[change](store)
    assert not trust.is_trusted(store)
    shutil.rmtree(store)
    shutil.copytree(tmp_path / "copy", store)
    assert trust.is_trusted(store)


@pytest.mark.parametrize("name", [".b.yaml.swp", "b.yaml~", "#b.yaml#", ".#b.yaml"])
def test_what_an_editor_keeps_beside_an_open_file_is_no_change_and_loads_nothing(store: Path, name: str) -> None:
    trust.trust(store)
    (store / "policies" / name).write_text("name: b\n", encoding="utf-8")
    assert trust.is_trusted(store)
    assert [path.name for path in definition_files(store / "policies")] == ["b.yaml"]


def test_bytes_that_move_from_one_file_to_the_next_are_a_change(store: Path) -> None:
    one, two = store / "workflows" / "a.yaml", store / "workflows" / "b.yaml"
    one.write_text("xy", encoding="utf-8")
    two.write_text("z", encoding="utf-8")
    before = trust.fingerprint(store)
    one.write_text("x", encoding="utf-8")
    two.write_text("yz", encoding="utf-8")
    assert trust.fingerprint(store) != before


def test_the_store_itself_is_not_part_of_what_is_accepted(store: Path) -> None:
    trust.trust(store)
    (store / "meta-log").mkdir()
    (store / "meta-log" / "000001.jsonl").write_text("{}", encoding="utf-8")
    (store / "db.json").write_text("{}", encoding="utf-8")
    assert trust.is_trusted(store)


def test_a_copy_of_a_trusted_project_is_not_trusted(store: Path, tmp_path: Path) -> None:
    trust.trust(store)
    shutil.copytree(store.parent, tmp_path / "clone")
    assert not trust.is_trusted(tmp_path / "clone" / ".llmgenie")


def test_a_repository_cannot_bring_trust_along(store: Path, isolated: Path) -> None:
    place = store / "trusted" / trust.record(store).name
    place.parent.mkdir()
    place.write_text(f"{trust.fingerprint(store)}\n{store}\n", encoding="utf-8")
    assert not trust.is_trusted(store)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 1}', "null", "\x00"])
def test_a_damaged_record_trusts_nobody_and_can_be_written_anew(store: Path, isolated: Path, content: str) -> None:
    trust.trust(store)
    trust.record(store).write_text(content, encoding="utf-8")
    assert not trust.is_trusted(store)
    trust.trust(store)
    assert trust.is_trusted(store)


def test_the_record_is_for_its_user_alone(store: Path, isolated: Path) -> None:
    trust.trust(store)
    assert (isolated / "state").stat().st_mode & 0o077 == 0
    assert trust.record(store).stat().st_mode & 0o077 == 0


def test_two_ways_to_the_same_store_are_one(store: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(store.parent)
    trust.trust(tmp_path / "link" / ".llmgenie")
    assert trust.is_trusted(store)


def test_people_who_trust_many_projects_at_once_lose_none(tmp_path: Path) -> None:
    stores = [tmp_path / str(n) / ".llmgenie" for n in range(24)]
    for store in stores:
        store.mkdir(parents=True)
        (store / "llmgenie.yaml").write_text("{}", encoding="utf-8")
    code = "import sys; from pathlib import Path; from llmgenie_mcp import trust; [trust.trust(Path(p)) for p in sys.argv[1:]]"
    half = [str(store) for store in stores[:12]]
    with subprocess.Popen([PYTHON, "-c", code, *half]) as other, ThreadPoolExecutor(4) as pool:
        list(pool.map(trust.trust, stores[12:]))
    assert other.returncode == 0
    assert all(map(trust.is_trusted, stores))


def test_a_seal_is_for_exactly_these_facts() -> None:
    facts = {"a": 1, "b": None, "c": {"d": ["é"]}}
    mark = trust.seal(facts)
    assert trust.is_sealed(dict(reversed(facts.items())), mark)
    for other in ({**facts, "a": 2}, {**facts, "e": None}, {"a": 1}, {}):
        assert not trust.is_sealed(other, mark)
    for wrong in (None, "", mark[:-1], mark.upper(), b"x", 5, "é"):
        assert not trust.is_sealed(facts, wrong)


def test_the_state_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert trust.state_folder() == Path(os.environ["LLMGENIE_STATE_DIR"])
    monkeypatch.delenv("LLMGENIE_STATE_DIR")
    assert trust.state_folder().name == "llmgenie"
