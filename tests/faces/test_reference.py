"""docs/reference is what the program says; `llmgenie reference pages --write docs/reference` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_fixtures import run

from llmgenie_mcp.faces import reference
from llmgenie_mcp.faces.reference_text import fields

COMMITTED = Path(__file__).parents[2] / "docs" / "reference"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference.made()


def test_the_committed_pages_are_what_the_program_says(pages: dict[str, str]) -> None:
    assert sorted(path.name for path in COMMITTED.iterdir()) == sorted(pages)
    for name, text in pages.items():
        assert (COMMITTED / name).read_text(encoding="utf-8") == text, f"llmgenie reference pages --write {COMMITTED}"


def test_every_action_stands_there_with_a_call_and_its_answer(pages: dict[str, str]) -> None:
    sections = pages["actions.md"].split("\n## ")[1:]
    assert len(sections) > 40
    for section in sections:
        name = section.split("\n")[0]
        assert f'```json\n{{"action": "{name}", "params": {{' in section
        answer = section.split("```text\n")[1]
        assert answer.startswith(
            (f"{name}: done.", f"{name} was refused", f"{name} failed", "Unknown", "Parameters")
        ), name
    done = sum(": done.\n" in section for section in sections)
    assert done >= 40


def test_no_page_holds_what_differs_from_run_to_run(pages: dict[str, str]) -> None:
    for text in pages.values():
        assert "/tmp/llmgenie" not in text
        assert "llmgenie-reference-" not in text


def test_pages_are_written_once_and_stale_ones_are_named(tmp_path: Path, pages: dict[str, str]) -> None:
    assert len(reference.write(tmp_path, pages)) == len(reference.PAGES) + 1
    (tmp_path / "tools.md").write_text("changed", encoding="utf-8")
    (tmp_path / "gone.md").write_text("of a page that is no more", encoding="utf-8")
    result = run("reference", "pages", "--check", str(tmp_path), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"ok": False, "data": {"stale": ["gone.md", "tools.md"]}}
    assert reference.write(tmp_path, pages) == [tmp_path / "tools.md"]


def test_a_schema_is_a_table_of_its_fields_with_types_limits_and_defaults() -> None:
    schema = {
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "maxLength": 5, "description": "Its name | or none."},
            "size": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": None},
            "kind": {"enum": ["a", "b"], "default": "a"},
            "of": {"additionalProperties": {"$ref": "#/$defs/Part"}, "type": "object"},
        },
        "$defs": {"Part": {"properties": {"x": {}}, "description": "A part."}},
    }
    assert fields(schema).splitlines()[2:] == [
        "| `name` | text (at most 5 characters) | required | Its name \\| or none. |",
        "| `size` | whole number (≥ 1) |  |  |",
        '| `kind` | `"a"`, `"b"` | `"a"` |  |',
        "| `of` | mapping of names to [Part](#part) |  |  |",
    ]
