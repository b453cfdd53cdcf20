"""An issue tracker that an installed plug-in brings: tasks are kept equal with it as with llmgenie's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outbox_scene import AT_ONCE, drain
from plugin_scene import forget, plugin, shown
from scene import configure

from llmgenie_mcp import Engine, plugins
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.outcome import Actor

pytestmark = pytest.mark.usefixtures("fresh")

BOARD = """
    import json
    from pathlib import Path

    from llmgenie_mcp.plugins import tracker


    @tracker("board")
    class Board:
        "Issues in a JSON file: what a tracker's API is elsewhere."

        title = "Board"

        def __init__(self, settings, cancel):
            self.file = Path(settings.options["file"])
            self.secret = settings.token.read()

        def _all(self):
            return json.loads(self.file.read_text()) if self.file.exists() else []

        def _made(self, at):
            from llmgenie_mcp.trackers import Issue

            fields = {**self._all()[at - 1]}
            return Issue(at, fields["title"], fields["body"], fields.get("state", "open"), tuple(fields["labels"]),
                         tuple(fields.get("people", ())), f"board:{at}", f"2026-01-01T00:00:{at:02}Z")

        def _write(self, issues):
            self.file.write_text(json.dumps(issues))

        def issues(self, since, etag):
            from llmgenie_mcp.trackers import Listing

            items = tuple(self._made(at) for at in range(1, len(self._all()) + 1))
            return Listing(items, max((one.updated_at for one in items), default=""))

        def comments(self, since, etag):
            from llmgenie_mcp.trackers import Listing

            return Listing()

        def issue(self, number):
            return self._made(number)

        def create(self, fields):
            self._write([*self._all(), {"labels": [], "body": "", **fields}])
            return self._made(len(self._all()))

        def change(self, number, fields):
            issues = self._all()
            issues[number - 1] |= fields
            self._write(issues)
            return self._made(number)

        def comments_of(self, number):
            return []

        def comment(self, number, text):
            raise NotImplementedError

        def assignable(self, login):
            return True
"""
Board = Callable[..., Path]


@pytest.fixture
def board(repo: Path, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    """Install the plug-in and give the project a tracker of its kind; returns the board's file."""
    monkeypatch.setenv("BOARD_TOKEN", "a-token-of-the-tests-0123456789")
    plugin(site, "boards", tracker=BOARD)
    forget()

    def make(**more: Any) -> Path:
        options = {"file": str(tmp_path / "board.json")}
        given = {"kind": "board", "repository": "PROJ", "token": {"env": "BOARD_TOKEN"}, "options": options}
        configure(repo, trackers={"team": given}, deliveries=AT_ONCE, **more)
        return tmp_path / "board.json"

    return make


def test_tasks_and_a_plug_in_s_issues_stay_equal(repo: Path, board: Board) -> None:
    file = board()
    with Engine.open(repo) as engine:
        assert engine.run_action("create_task", {"title": "Write it down"}).ok
        drain(engine)
        (issue,) = json.loads(file.read_text(encoding="utf-8"))
        assert issue["title"] == "Write it down"
        file.write_text(json.dumps([{**issue, "title": "Write it all down"}]), encoding="utf-8")
        done = engine.run_action("sync_tracker", {}, actor=Actor("human", "ada"))
        assert [one["text"] for one in done.result["did"]] == ["TSK-1 from PROJ#1: title"]
        assert (engine.storage.get("tasks", "TSK-1") or {})["title"] == "Write it all down"
    assert shown("plugins", project=repo)[2]["items"][0]["adds"] == {"trackers": ["board"]}


def test_one_that_is_switched_off_is_told_nothing_and_says_why(repo: Path, board: Board) -> None:
    file = board(plugins={"disabled": ["llmgenie-boards"]})
    with Engine.open(repo) as engine:
        assert engine.run_action("create_task", {"title": "Write it down"}).ok
        drain(engine)
        (item,) = engine.storage.query("outbox", {"status": "dead"}).items
        done = engine.run_action("sync_tracker", {}, actor=Actor("human", "ada"))
    for told in (item["error"], (done.error or {})["message"]):
        assert "The tracker board is the plug-in llmgenie-boards's, which the settings switch off." in told
    assert not file.exists()


def test_a_kind_that_nobody_brings_and_a_name_that_is_taken_are_told(repo: Path, site: Path) -> None:
    plugin(site, "taker", tracker='from llmgenie_mcp.plugins import tracker\ntracker("github")(dict)')
    forget()
    (failure,) = plugins.failures()
    assert "tracker 'github' is registered twice: llmgenie has one of its own" in failure.message
    given = {"kind": "board", "repository": "PROJ", "token": {"env": "BOARD_TOKEN"}}
    configure(repo, trusted=False, trackers={"team": given})
    with pytest.raises(DefinitionError, match=r"There are: github\. Plug-ins bring others"):
        Engine.open(repo)


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"repository": "shop"}, "Write OWNER/NAME"), ({"options": {"team": "x"}}, "takes no options")],
)
def test_github_keeps_to_its_own_form(repo: Path, changed: dict[str, Any], told: str) -> None:
    given = {"kind": "github", "repository": "acme/shop", "token": {"env": "X"}, **changed}
    configure(repo, trusted=False, trackers={"hub": given})
    with pytest.raises(DefinitionError, match=told):
        Engine.open(repo)
