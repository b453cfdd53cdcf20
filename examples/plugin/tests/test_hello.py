"""The plug-in as llmgenie runs it: a real project, a real store. Needs the plug-in installed: pip install -e ."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmgenie_mcp import Engine
from llmgenie_mcp.engine.dispatcher import Dispatcher


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMGENIE_STATE_DIR", str(tmp_path / "state"))
    folder = tmp_path / "demo"
    folder.mkdir()
    return folder


def test_hello_greets_and_the_guestbook_tells_it_once(project: Path) -> None:
    with Engine.open(project) as engine:
        assert engine.run_action("hello", {"name": "Ada"}).result == {"text": "Hello, Ada!"}
        Dispatcher(engine, sources=False).drain(30)
    (line,) = (project / "guestbook.txt").read_text(encoding="utf-8").splitlines()
    assert line.startswith("Hello, Ada!")


def test_nobody_is_greeted_once_the_guestbook_is_full(project: Path) -> None:
    (project / "guestbook.txt").write_text("x\n" * 3, encoding="utf-8")
    with Engine.open(project) as engine:
        outcome = engine.run_action("hello", {"name": "Ada"})
    assert [reason.rule for reason in outcome.reasons] == ["greetings/book-is-full"]
    assert outcome.reasons[0].message == "The guestbook is full: it has 3 lines."
