"""What the README shows is true: its code runs, its definitions load, its tables name what there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from scene import make_repository

from llmgenie_mcp.faces.mcp_tools import TOOLS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_library_example_runs_and_is_refused_with_the_rule_that_it_names(tmp_path: Path) -> None:
    make_repository(tmp_path / "project")
    (code,) = blocks("python")
    code = code.replace("path/to/project", str(tmp_path / "project"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert "branch_protection/no-unapproved-merge" in done.stdout.decode()


def test_the_table_of_tools_is_that_of_the_server() -> None:
    rows = re.findall(r"^\| `(\w+)\(([^)]*)\)` \|", README, re.MULTILINE)
    shown = {name: parameters.split(", ") for name, parameters in rows}
    real = {
        name: [n if info.is_required() else f"{n}?" for n, info in tool.args.model_fields.items()]
        for name, tool in TOOLS.items()
    }
    assert {name: {p.rstrip("?") for p in ps} for name, ps in shown.items()} == {
        name: {p.rstrip("?") for p in ps} for name, ps in real.items()
    }


def test_the_cursor_entry_passes_the_workspace_folder() -> None:
    (entry,) = blocks("json")
    server = json.loads(entry)["mcpServers"]["llmgenie"]
    assert (server["command"], server["args"][0]) == ("uvx", "llmgenie-mcp")
    assert server["args"][1:] == ["--project", "${workspaceFolder}"]


def test_no_file_of_the_package_is_over_400_lines_and_the_median_is_at_most_180() -> None:
    sizes = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "llmgenie_mcp").rglob("*.py"))
    if not sizes:
        pytest.fail("no package found")
    assert sizes[-1] <= 400
    assert sizes[len(sizes) // 2] <= 180
