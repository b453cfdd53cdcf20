"""Settings of a project: defaults, what they may say, and faults by file, line and column."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scene import commands, configure

from llmgenie_mcp import Engine
from llmgenie_mcp.config import Settings
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.loader.settings import load_settings

FAULTS = {
    "comands: {}": (1, 1, "commands"),
    "commands:\n  test: {argv: []}": (2, 16, ""),
    "commands:\n  test: {argv: pytest -q}": (2, 16, ""),
    "commands:\n  test: {argv: [pytest], shell: true}": (2, 26, ""),
    "commands:\n  Test: {argv: [pytest]}": (2, 3, ""),
    "commands:\n  test: {argv: [pytest], timeout: 0}": (2, 35, ""),
    "durability: fast": (1, 13, "full"),
    "lock_timeout: soon": (1, 15, ""),
    "log_output: -1": (1, 13, ""),
    "- a list": (1, 1, ""),
    "commands:\n  test: {argv: [a]}\n  test: {argv: [b]}": (3, 3, ""),
    "commands: {test: {argv: [a}": (1, 27, ""),
}


def write(folder: Path, text: str) -> Path:
    path = folder / ".llmgenie" / "llmgenie.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}", "commands:\n"])
def test_without_settings_or_with_empty_ones_the_defaults_hold(tmp_path: Path, text: str) -> None:
    assert load_settings(tmp_path / ".llmgenie") == Settings()
    write(tmp_path, text)
    if text == "commands:\n":
        with pytest.raises(DefinitionError):
            load_settings(tmp_path / ".llmgenie")
    else:
        assert load_settings(tmp_path / ".llmgenie") == Settings()


def test_settings_are_read_as_yaml_1_2(tmp_path: Path) -> None:
    write(tmp_path, "commands:\n  on: {argv: [echo, no, '012', 'yes']}\ndurability: relaxed\nlock_timeout: 2.5\n")
    settings = load_settings(tmp_path / ".llmgenie")
    assert (settings.durability, settings.lock_timeout) == ("relaxed", 2.5)
    assert list(settings.commands) == ["on"]


@pytest.mark.parametrize("text", FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_told_with_line_and_column(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(DefinitionError) as error:
        load_settings(tmp_path / ".llmgenie")
    line, column, hint = FAULTS[text]
    problem = error.value.details["problems"][0]  # type: ignore[index]
    assert (problem["line"], problem["column"]) == (line, column), problem
    assert "llmgenie.yaml" in problem["file"]
    assert hint in str(problem)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: \x00", b"commands: " + b"[" * 100_000, b"a: &a [*a]"])
def test_what_is_no_text_or_has_no_end_is_told(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "").write_bytes(content)
    with pytest.raises(DefinitionError):
        load_settings(tmp_path / ".llmgenie")


def test_settings_that_are_a_folder_are_told(tmp_path: Path) -> None:
    (tmp_path / ".llmgenie" / "llmgenie.yaml").mkdir(parents=True)
    with pytest.raises(DefinitionError):
        load_settings(tmp_path / ".llmgenie")


def test_a_fault_made_while_the_engine_runs_is_told_at_each_call_until_it_is_mended(engine: Engine, repo: Path) -> None:
    assert engine.run_action("log_entry", {"text": "x"}).ok
    path = commands(repo, test=["true"])
    good = path.read_text(encoding="utf-8")
    path.write_text("comands: {}", encoding="utf-8")
    for call in (engine.available_actions, engine.workflow_state, engine.enforcement_status):
        with pytest.raises(DefinitionError) as error:
            call()
        assert "llmgenie.yaml:1:1" in str(error.value)
    with pytest.raises(DefinitionError):
        engine.run_action("log_entry", {"text": "x"})
    assert engine.context_data("meta-log")["total"] == 1, "what was written can be read all the same"
    path.write_text(good, encoding="utf-8")
    assert engine.run_action("log_entry", {"text": "x"}).ok


def test_with_a_fault_nothing_is_opened_and_nothing_stays_behind(
    repo: Path, open_engine: Callable[..., Engine]
) -> None:
    path = write(repo, "comands: {}")
    with pytest.raises(DefinitionError):
        open_engine(repo)
    path.unlink()
    assert open_engine(repo).run_action("log_entry", {"text": "x"}).ok


def test_a_change_of_the_settings_is_taken_up_without_a_restart(engine: Engine, repo: Path) -> None:
    names = []
    for name in ("one", "other"):
        configure(repo, commands={name: {"argv": ["true"]}})
        names.append(list(engine.definitions.settings.commands))
    assert names == [["one"], ["other"]]


def test_the_defaults_are_what_checking_nothing_gives() -> None:
    assert Settings.defaults() == Settings()
    assert Settings.defaults().model_dump() == Settings().model_dump()
    assert Settings.defaults().model_fields_set == set()
