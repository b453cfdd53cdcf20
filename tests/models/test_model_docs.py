"""docs/models.md tells what is so: its YAML loads and works, its settings, parameters and facts are there."""

from __future__ import annotations

import re
from pathlib import Path

from hostile import Hostile
from model_scene import PATHS, model, saying_json
from scene import commit, configure, define, git, started

from llmgenie_mcp import Engine, plugins
from llmgenie_mcp.config import Model, Opinions, Settings
from llmgenie_mcp.loader import load_bytes

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
MODELS, REVIEW, OPINIONS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_settings_on_the_page_load_and_are_those_there_are() -> None:
    found = load_bytes((MODELS + OPINIONS).encode(), Settings, "docs/models.md").value
    assert list(found.models) == ["local", "big"]
    assert found.opinions.model in found.models
    for name in (*Model.model_fields, *Opinions.model_fields):
        assert re.search(rf"\b{name}\b", PAGE), name


def test_parameters_and_facts_on_the_page_are_those_there_are() -> None:
    for name in ("ask_model", "review_diff"):
        (told,) = re.findall(rf"`run_action {name} \{{(.*?)\}}`", PAGE)
        usage = [part.partition("=")[0] for part in plugins.actions()[name].usage.split(", ")]
        assert [part.replace('"', "") for part in told.split(", ")] == usage
    fields = {f"opinion.{field}" for field in plugins.signals()["opinion"].fields}
    assert set(re.findall(r"opinion\.last\.[a-z]+", PAGE)) <= fields


def test_the_review_on_the_page_waits_for_an_opinion_and_for_a_person(
    engine: Engine, repo: Path, server: Hostile
) -> None:
    define(repo, "workflows", "review", REVIEW)
    configure(repo, models={"big": model(server, "openai")}, commands={"test": {"argv": ["true"]}})
    git(repo, "switch", "-q", "-c", "feature/x")
    commit(repo, "x.py")
    no = {"file": "x.py", "line": 1, "severity": "error", "message": "No."}
    server.on(
        PATHS["openai"],
        saying_json("openai", {"findings": [no], "summary": "No.", "verdict": "request_changes"}),
        saying_json("openai", {"findings": [], "summary": "Yes.", "verdict": "approve"}),
    )
    session = started(engine, mode="review")

    def run(name: str) -> str:
        return engine.run_action(name, {}, session=session).status

    assert [run(name) for name in ("start_review", "run_tests", "submit")] == ["ok", "ok", "denied"]
    assert [run(name) for name in ("review_diff", "submit")] == ["ok", "denied"]
    commit(repo, "x.py", "better\n")
    assert [run(name) for name in ("run_tests", "review_diff", "submit")] == ["ok", "ok", "ok"]
    assert [run(name) for name in ("review_diff", "approve")] == ["ok", "denied"]
