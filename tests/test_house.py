"""The house's own rules: sizes, names, docstrings, and which libraries may be imported where."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = ("llmgenie_mcp", "bench", "packaging", "examples", ".ci")
"""Folders of code beside that of the tests."""
EMPTY_WORDS = re.compile(r"manager|service|helper|(?:^|_)utils?(?:_|$)", re.IGNORECASE)
SILENT = re.compile(r"/tests/|mcp_tools\.py: \w+Args$")
"""What needs no docstring: tests, whose names say it, and parameters of tools, whose docstring would go into every client."""
LIGHT = ("actions", "agents", "sinks", "sources", "receivers")
"""Folders whose files every process imports: what is heavy is imported there by the function that needs it."""
HEAVY = frozenset(
    {"apprise", "cronsim", "fastapi", "httpx2", "mcp", "standardwebhooks", "starlette", "uvicorn", "watchfiles"}
)
WEB = frozenset({"fastapi", "prometheus_client", "starlette", "uvicorn"})


@cache
def files(folder: str) -> dict[str, ast.Module]:
    """Every Python file below a folder, parsed, by its path."""
    found = sorted((ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_bytes()) for path in found}


def all_files() -> Iterator[tuple[str, ast.Module]]:
    for folder in CODE:
        yield from files(folder).items()


def public(body: list[ast.stmt], inside: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Public functions, classes and methods, each by its name."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield f"{inside}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{inside}{node.name}.")


@pytest.mark.parametrize("folder", [*CODE, "tests"])
def test_no_file_is_over_400_lines_and_the_median_is_at_most_180(folder: str) -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert {path: size for path, size in sizes.items() if size > 400} == {}
    assert median(sizes.values()) <= 180


def test_nothing_has_a_name_that_says_nothing() -> None:
    named = [
        f"{path}: {name}"
        for path, module in all_files()
        for name in (Path(path).stem, *(name for name, _ in public(module.body)))
        if EMPTY_WORDS.search(name)
    ]
    assert named == []


def test_everything_public_says_what_it_is() -> None:
    silent = [path for path, module in all_files() if module.body and not ast.get_docstring(module)]
    silent += [
        f"{path}: {name}"
        for path, module in all_files()
        for name, node in public(module.body)
        if not ast.get_docstring(node) and not SILENT.search(f"{path}: {name}")  # type: ignore[arg-type]
    ]
    assert silent == []


def test_test_files_have_names_of_their_own() -> None:
    """pytest imports them by name alone, and their scenes too."""
    counted = Counter(path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py")
    assert [name for name, times in counted.items() if times > 1] == []


def imported(body: list[ast.stmt]) -> Iterator[str]:
    """The top names of what is imported as soon as a module is."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Try):
            yield from imported([*node.body, *node.orelse])


def test_files_that_every_process_imports_are_light() -> None:
    heavy = {
        path: found
        for folder in LIGHT
        for path, module in files(f"llmgenie_mcp/{folder}").items()
        if (found := HEAVY & set(imported(module.body)))
    }
    assert heavy == {}


def test_the_web_s_libraries_are_imported_by_the_rest_face_alone() -> None:
    elsewhere = {
        path: found
        for path, module in files("llmgenie_mcp").items()
        if not path.startswith("llmgenie_mcp/faces/rest") and (found := WEB & set(imported(module.body)))
    }
    assert elsewhere == {}
