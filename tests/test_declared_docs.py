"""What docs/declared-actions.md shows is true, and the command line knows such files."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from scene import configure, define

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.declared import STEPS
from llmgenie_mcp.faces import cli_check, cli_trust
from llmgenie_mcp.providers._sequence import ALL, DEPTH, EACH

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "declared-actions.md").read_text(encoding="utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def name_of(text: str) -> str:
    return text.partition("\n")[0].removeprefix("name: ")


@pytest.fixture
def shown(repo: Path) -> Path:
    """A project with the page's actions."""
    configure(repo, upstreams={"github": {"command": ["true"]}})
    for text in YAML:
        define(repo, "actions", name_of(text), text)
    return repo


def test_the_actions_of_the_page_are_in_force(shown: Path) -> None:
    trust.trust(shown / ".llmgenie")
    with Engine.open(shown) as engine:
        declared = engine.definitions.catalog.declared
        assert set(declared) == {"lint", "open_ticket", "report_bug", "ship"}
        assert engine.action_schema("ship")["required"] == ["version"]


def test_the_sequence_of_the_page_runs_as_far_as_it_can_here(shown: Path) -> None:
    path = shown / ".llmgenie/actions/ship.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("delay: 10", "delay: 0"), encoding="utf-8")
    define(shown, "actions", "open_ticket", YAML[1].replace("modes: [code, debug, review]", "modes: [release]"))
    trust.trust(shown / ".llmgenie")
    (shown / "Makefile").write_text(f"all:\n\t@{sys.executable} -c 'print(\"built $(VERSION)\")'\n", encoding="utf-8")
    with Engine.open(shown) as engine:
        session = engine.run_action("start_session", {"mode": "release"}).result["session"]["id"]
        outcome = engine.run_action("ship", {"version": "1.2"}, session=session)
    assert [step["status"] for step in outcome.result["steps"]] == ["ok", "failed", "skipped"]
    assert outcome.result["steps"][0]["result"]["output"] == "built 1.2\n"
    assert outcome.result["steps"][1]["attempts"] == 3
    assert "TRACKER_AUTHORIZATION" in outcome.result["steps"][1]["error"]


def test_the_bounds_on_the_page_are_those_of_the_code() -> None:
    words = " ".join(PAGE.split())
    assert f"{STEPS} steps at most" in words
    assert f"{DEPTH} deep" in words
    assert f"{EACH:,} bytes are kept, of all of them {ALL:,}" in words


def test_a_wrong_schema_of_parameters_is_found_by_checking(tmp_path: Path) -> None:
    folder = tmp_path / "actions"
    folder.mkdir()
    path = folder / "x.yaml"
    path.write_text("name: x\ndescription: x\nparams: {properties: {v: {type: strin}}}\ncommand: {argv: [x]}\n")
    (problem,) = cli_check.of_files([str(path)])
    assert problem["line"] == 3


def test_trusting_shows_every_step_of_what_would_be_run(shown: Path) -> None:
    with Engine.open(shown) as engine:
        told = list(cli_trust._live(engine.definitions))
    report = '{"title": "{params.title}", "body": "How to see it: {params.steps}", "labels": ["bug"]}'
    noted = '{"text": "{params.version} is ticket {steps.ticket.result.body.id}"}'
    where = "https://tracker.example.org/api/tickets, given $TRACKER_AUTHORIZATION"
    assert told[:6] == [
        'action lint: agents may have it run ["ruff", "check", "{folder}"]',
        f"action open_ticket: agents may have it POST {where}",
        f"action report_bug: agents may have it do github.create_issue {report}",
        'action ship, build: agents may have it run ["make", "VERSION={v}"]',
        'action ship, ticket: agents may have it do open_ticket {"title": "Version {params.version}"}',
        f"action ship, told: agents may have it do log_entry {noted}",
    ]
