"""The threat model names tests that are there, and leaves none of the security tests out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[:5] == "test_"
    }


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) >= 60
    missing = [
        f"{file}::{name}" for file, name in named if not (ROOT / file).exists() or name not in names_in(ROOT / file)
    ]
    assert missing == []
    assert PAGE.count("::test_") == len(named), "and each is written so that it is found"


def test_every_row_of_a_threat_has_a_control_and_a_test() -> None:
    rows = [
        line
        for line in PAGE.splitlines()
        if line.count("|") == 5 and not line.startswith(("|---", "| it ", "| they ", "| a dest"))
    ]
    assert len(rows) >= 40
    for row in rows:
        _, tries, control, test, *_ = (part.strip() for part in row.split("|"))
        assert tries, row
        assert control, row
        assert NAMED.search(test), row
    for path in (ROOT / "tests").glob("test_security_[cpf]*.py"):
        assert f"tests/{path.name}::" in PAGE, path.name
