"""What `init` puts into `.llmgenie/`: settings that say everything and change nothing, and a list of what git leaves out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scene import git

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.config import Command, Settings
from llmgenie_mcp.edits import ledger, store
from llmgenie_mcp.edits.plan import plan
from llmgenie_mcp.loader.settings import load_settings
from llmgenie_mcp.storage.folder import GITIGNORE


@pytest.fixture
def place(repo: Path) -> Path:
    """The `.llmgenie` of a project after `init`."""
    (repo / ".gitignore").unlink()
    ledger.apply(repo / ".llmgenie", plan(repo, store.edits()))
    return repo / ".llmgenie"


def test_the_settings_as_written_change_nothing_and_need_nobody_to_accept_them(place: Path) -> None:
    assert load_settings(place) == Settings()
    assert trust.is_trusted(place)


def test_the_settings_with_everything_uncommented_say_what_holds_without_them(place: Path) -> None:
    path = place / "llmgenie.yaml"
    text = path.read_text(encoding="utf-8")
    first, rest = text.split("\n", 1)
    path.write_text(f"{first}\n{re.sub('^# ', '', rest, flags=re.MULTILINE)}", encoding="utf-8")
    example = Command(argv=["pytest", "-q"], description="All tests.", env={"CI": "1"})
    assert load_settings(place) == Settings(commands={"test": example})


def test_every_setting_and_every_field_of_a_command_is_there_with_its_meaning() -> None:
    text = store.settings_text()
    for name, field in Settings.model_fields.items():
        assert re.search(rf"^## {re.escape(field.description or '?')}\n# {name}:", text, re.MULTILINE), name
    for name, field in Command.model_fields.items():
        assert re.search(rf"^#     {name}: .+  # {re.escape(field.description or '?')}$", text, re.MULTILINE), name


def test_editors_find_the_schema_that_the_first_line_names(place: Path) -> None:
    first = (place / "llmgenie.yaml").read_text(encoding="utf-8").split("\n")[0]
    schema = place / first.removeprefix("# yaml-language-server: $schema=")
    assert schema.is_file()
    names = {path.name for path in (place / "schemas").iterdir()}
    assert {"policy.schema.json", "settings.schema.json", "workflow.schema.json"} <= names


def test_git_sees_what_the_team_writes_and_nothing_else(place: Path) -> None:
    with Engine.open(place.parent) as engine:
        engine.run_action("create_task", {"title": "x"})
    for name in ("policies/a.yaml", "workflows/b.yaml", "scenarios/c.yaml"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text("", encoding="utf-8")
    assert (place / "meta-log").is_dir()
    shown = git(place.parent, "ls-files", "--others", "--exclude-standard", ".llmgenie").splitlines()
    assert shown == [
        f".llmgenie/{name}"
        for name in (".gitignore", "llmgenie.yaml", "policies/a.yaml", "scenarios/c.yaml", "workflows/b.yaml")
    ]


def test_what_init_keeps_for_itself_stays_out_of_git_where_there_were_tasks_before_it(repo: Path) -> None:
    (repo / ".gitignore").unlink()
    with Engine.open(repo) as engine:
        engine.run_action("create_task", {"title": "x"})
    ledger.apply(repo / ".llmgenie", plan(repo, store.edits()))
    assert git(repo, "ls-files", "--others", "--exclude-standard").splitlines() == [".llmgenie/llmgenie.yaml"]
    kept = {line.removeprefix("!/") for line in GITIGNORE.splitlines() if line.startswith("!")}
    assert kept == set(store.DEFINED)
