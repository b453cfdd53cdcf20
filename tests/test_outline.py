"""What is kept of the definitions for reading commands answers as the Engine does, and only while it holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scene import configure, define, reviewing, started

from llmgenie_mcp import Engine, kept, trust
from llmgenie_mcp.engine import outline
from llmgenie_mcp.engine.definitions import load
from llmgenie_mcp.engine.standing import StoreReader
from llmgenie_mcp.errors import UnknownName

POLICY = "name: extra\nlevel: audit\nrules: [{id: one, effect: deny, reason: No.}]\n"


def keep(engine: Engine) -> None:
    store = engine.project.store
    before = outline.mark_of(store)
    outline.of(store, load(engine.project), before)


def told(engine: Engine, session: str | None = None) -> object:
    found = outline.read(engine.project.store)
    assert found is not None
    return found.state(engine.project, StoreReader(engine.storage), session, [])


def test_it_answers_as_the_engine_does(engine: Engine, repo: Path) -> None:
    session = reviewing(engine, repo)
    define(repo, "policies", "extra", POLICY)
    configure(repo, commands={"test": {"argv": ["true"]}}, webhooks={"w": {"url": "https://e.org/", "events": ["a.*"]}})
    for name, params in (("start_review", {}), ("run_tests", {}), ("submit", {}), ("request_approval", {})):
        assert engine.run_action(name, params, session=session).ok
    engine.run_action("create_task", {"title": "First"})
    started(engine, mode="debug")
    for trusted in (True, False):
        if not trusted:
            trust.record(engine.project.store).unlink()
        keep(engine)
        for whose in (session, None):
            assert told(engine, whose) == engine.workflow_state(whose)
    found = outline.read(engine.project.store)
    assert found is not None
    assert [*found.policies] == engine.policies()
    assert found.actions == {name: action.description for name, action in engine.definitions.actions.items()}
    with pytest.raises(UnknownName):
        told(engine, "SES-99")


@pytest.mark.parametrize("change", ["a policy", "the settings", "trust"])
def test_it_does_not_hold_once_something_behind_it_has_changed(change: str, engine: Engine, repo: Path) -> None:
    configure(repo, trusted=False, log_output=10)
    keep(engine)
    assert outline.read(engine.project.store) is not None
    if change == "a policy":
        define(repo, "policies", "extra", POLICY)
    elif change == "the settings":
        configure(repo, trusted=False, log_output=100)
    else:
        trust.trust(engine.project.store)
    assert outline.read(engine.project.store) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"mark": 1}', b"[" * 100_000], ids=range(6))
def test_what_is_damaged_does_not_count(engine: Engine, content: bytes) -> None:
    keep(engine)
    place = kept.place(engine.project.store, outline.PART)
    assert place.stat().st_mode & 0o777 == 0o600
    place.write_bytes(content)
    assert outline.read(engine.project.store) is None


def test_another_shape_under_the_right_mark_does_not_count(engine: Engine) -> None:
    keep(engine)
    place = kept.place(engine.project.store, outline.PART)
    known = json.loads(place.read_bytes())
    for wrong in ({"flows": {}}, {"policies": 5}, {"unknown": 1}):
        place.write_text(json.dumps({**known, **wrong}), encoding="utf-8")
        assert outline.read(engine.project.store) is None
