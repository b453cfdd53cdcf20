"""Every kind of mistake in a definition file, with the whole text of its error.

`UPDATE_GOLDEN=1 pytest tests/test_loader_errors.py` writes the texts anew; read the difference before keeping it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.expressions import Vocabulary
from llmgenie_mcp.loader import definition_error, load_bytes
from llmgenie_mcp.loader.structure import check_workflow
from llmgenie_mcp.rules import Policy, check_policy
from llmgenie_mcp.workflow import Workflow

GOLDEN = Path(__file__).parent / "golden" / "bad_files.txt"
FACTS = Vocabulary(["git.clean", "git.head", "git.branch", "tests.last.passed", "resource.branch"])


def sections() -> list[tuple[str, str, str]]:
    """(title, file, expected error) of every section of the golden file."""
    found = []
    for section in GOLDEN.read_text(encoding="utf-8").split("#### ")[1:]:
        title, rest = section.split("\n", 1)
        source, expected = rest.split(">>>>\n")
        found.append((title, source, expected.strip("\n")))
    return found


def error_of(title: str, source: str) -> str:
    """What is said about a file; also what only the checks of a whole definition find."""
    kind = title.partition(":")[0]
    data = source.encode()
    try:
        if kind == "workflow":
            flow = load_bytes(data, Workflow, "workflows/review.yaml")
            problems = flow.located(check_workflow(flow.value, actions=["run_tests", "claim_task"], vocabulary=FACTS))
        else:
            policy = load_bytes(data, Policy, "policies/branch_protection.yaml")
            problems = policy.located(check_policy(policy.value, FACTS))
        if problems:
            raise definition_error(problems)
    except DefinitionError as error:
        return str(error)
    return "no error"


if "UPDATE_GOLDEN" in os.environ:
    anew = [f"#### {title}\n{source}>>>>\n{error_of(title, source)}\n" for title, source, _ in sections()]
    GOLDEN.write_text("\n".join(anew), encoding="utf-8")


@pytest.mark.parametrize(("title", "source", "expected"), [pytest.param(*s, id=s[0]) for s in sections()])
def test_error_says_where_what_and_what_is_allowed(title: str, source: str, expected: str) -> None:
    assert error_of(title, source) == expected


def test_golden_file_covers_many_kinds_of_mistakes() -> None:
    assert len(sections()) >= 50
    assert all("no error" not in expected for _, _, expected in sections())


def test_a_policy_without_rules_is_told_where() -> None:
    with pytest.raises(DefinitionError, match=r"x\.yaml:3:8: rules"):
        load_bytes(b"name: x\nlevel: always_on\nrules: []\n", Policy, "x.yaml")
