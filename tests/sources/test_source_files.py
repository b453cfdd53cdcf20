"""Changed files raise the events of the rules that wait for them: real files, watched as the system tells of them."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from outbox_scene import PATIENCE, Heard, delivering, drain, hooks_to, note, noted, rules, told, waiting
from scene import PYTHON, configure, git
from watchfiles import Change

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.sources import files
from llmgenie_mcp.sources.files import Observer, watch

CANARY = {"files": ["canary.txt"], "run": note("canary")}


BLIND = """
import sys, threading
from llmgenie_mcp import Engine
from llmgenie_mcp.sources.files import Observer
with Engine.open(sys.argv[1]) as engine:
    observer = Observer(engine)
    for _ in range(2):
        print(observer.watch(threading.Event()))
"""


class Watched:
    """A project whose files are watched, and what is heard of it."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.root, self.heard = engine, engine.project.root, Heard(engine)

    def begun(self) -> Watched:
        """Return when changes are noticed: a rule on `canary.txt` is tried until it hears."""
        for number in range(200):
            self.write("canary.txt", str(number))
            if self.heard.until(lambda seen: any(line.get("action") == "files.canary" for line in seen), 0.2):
                return self
        raise AssertionError("nothing is noticed")

    def write(self, name: str, text: str = "x") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line["params"] for line in self.heard.lines("event.received") if line["action"] == f"files.{name}"]

    def paths(self, name: str) -> list[str]:
        """The paths that a rule was told of, each once."""
        return sorted({path for event in self.events(name) for path in event["paths"]})

    def until_paths(self, name: str, *paths: str) -> None:
        assert self.heard.until(lambda _: {*paths} <= {*self.paths(name)}), (paths, self.paths(name))


@pytest.fixture
def watched(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """The source at work in a thread."""
    monkeypatch.setattr(files, "LOOK", 0.1)
    stop = threading.Event()
    thread = threading.Thread(target=watch, args=(engine, stop))
    thread.start()
    yield Watched(engine)
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def docs(folder: Path, *patterns: str, **more: Any) -> None:
    rules(folder, docs={"files": list(patterns) or ["docs/**"]}, canary=CANARY, **more)


def test_a_changed_file_raises_the_event_of_the_rules_whose_patterns_it_fits(watched: Watched, repo: Path) -> None:
    docs(repo, "docs/**", "*.toml", code={"files": ["**/*.py"]})
    watched.begun()
    watched.write("docs/a/b.md")
    watched.write("setup.py")
    watched.until_paths("docs", "docs/a/b.md")
    watched.until_paths("code", "setup.py")
    watched.write("docs/conf.py")
    watched.write("own.toml")
    watched.write("sub/other.toml")
    watched.until_paths("docs", "docs/conf.py", "own.toml")
    watched.until_paths("code", "docs/conf.py")
    (repo / "own.toml").unlink()
    assert watched.heard.until(lambda _: sum("own.toml" in e["paths"] for e in watched.events("docs")) == 2)
    assert watched.paths("docs") == ["docs/a/b.md", "docs/conf.py", "own.toml"]
    assert watched.paths("code") == ["docs/conf.py", "setup.py"]
    (line, *_) = watched.heard.lines("event.received")
    assert line["actor"] == {"kind": "system", "id": "files"}


def test_what_tools_keep_for_themselves_never_counts(watched: Watched, repo: Path) -> None:
    docs(repo, "**")
    watched.begun()
    for name in (
        ".git/x",
        ".llmgenie/notes.txt",
        "node_modules/a/b.js",
        ".venv/lib/x.py",
        "sub/__pycache__/m.pyc",
        "a.py~",
        ".ruff_cache/0",
    ):
        watched.write(name)
    git(repo, "status")
    watched.write("seen.txt")
    watched.until_paths("docs", "seen.txt")
    assert [path for path in watched.paths("docs") if path not in ("canary.txt", "seen.txt")] == []


def test_many_changes_at_once_are_few_events_with_fifty_paths_and_the_number_of_all(
    watched: Watched, repo: Path, tmp_path: Path
) -> None:
    docs(repo)
    watched.begun()
    made = tmp_path / "made"
    for number in range(120):
        path = made / f"{number // 40}" / f"{number:03}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
    shutil.move(made, repo / "docs")
    assert watched.heard.until(lambda _: bool(watched.events("docs")))
    first = watched.events("docs")[0]
    assert (first["rule"], first["count"], len(first["paths"])) == ("docs", 120, 50)
    assert first["paths"] == sorted(first["paths"])
    assert first["paths"][0] == "docs/0/000.md", "a folder that was moved here is told by its files"


def test_rules_may_come_change_and_go_while_it_runs(watched: Watched, repo: Path) -> None:
    watched.write("docs/early.md")
    docs(repo)
    watched.begun()
    watched.write("docs/a.md")
    watched.until_paths("docs", "docs/a.md")
    docs(repo, "other/**")
    watched.write("docs/b.md")
    watched.write("other/c.md")
    watched.until_paths("docs", "other/c.md")
    assert watched.paths("docs") == ["docs/a.md", "other/c.md"]
    configure(repo)
    watched.write("other/d.md")
    rules(repo, canary={**CANARY, "files": ["canary2.txt"]}, docs={"files": ["docs/**"]})
    for number in range(200):
        watched.write("canary2.txt", str(number))
        if watched.heard.until(lambda _: "canary2.txt" in watched.paths("canary"), 0.2):
            break
    assert watched.paths("docs") == ["docs/a.md", "other/c.md"]


def test_a_rule_whose_own_action_changes_its_files_ends_at_its_bound_with_one_line_that_says_so(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LOOK", 0.1)
    monkeypatch.setattr("llmgenie_mcp.outbox.now", lambda: "2026-03-10T12:00:30.000Z")  # no minute ends in this test
    script = "import pathlib,time; pathlib.Path('docs/made.md').write_text(str(time.time_ns()))"
    command = {"argv": [PYTHON, "-I", "-S", "-c", script]}
    rule = {"files": ["docs/**"], "run": [{"action": "run_command", "params": {"name": "make"}}], "per_minute": 3}
    (repo / "docs").mkdir()
    rules(repo, settings={"commands": {"make": command}}, docs=rule, canary=CANARY)
    with delivering(engine, sources=True):
        watched = Watched(engine).begun()
        watched.write("docs/a.md")
        assert watched.heard.until(lambda seen: any(line.get("stopped") for line in seen))
        watched.write("docs/again.md")
        watched.until_paths("docs", "docs/again.md")
    assert len([line for line in told(engine, "action.completed") if line["action"] == "run_command"]) == 3
    (stop,) = [stop for line in told(engine) for stop in line.get("stopped", ())]
    assert (stop["rule"], stop["bound"]) == ("trigger:docs", "per_minute")
    assert waiting(engine) == []


def test_events_lead_to_rules_and_to_webhooks(engine: Engine, repo: Path) -> None:
    docs(repo, settings=hooks_to("there", events="files.docs"))
    observer = Observer(engine)
    observer.held = {"docs/x.md", "y.md"}
    assert observer.tell()
    assert [item["destination"] for item in waiting(engine)] == ["trigger:docs", "webhook:there"]
    engine.drop_deliveries(["OUT-2"])
    drain(engine)
    assert noted(engine) == ["heard files.docs"]


def test_what_changes_while_definitions_are_broken_is_told_when_they_can_be_read(engine: Engine, repo: Path) -> None:
    docs(repo)
    observer = Observer(engine)
    (repo / ".llmgenie" / "llmgenie.yaml").write_text("triggers: [", encoding="utf-8")
    observer.held = {"docs/x.md"}
    assert observer.tell()
    docs(repo)
    assert observer.tell()
    assert [line["params"]["paths"] for line in told(engine, "event.received")] == [["docs/x.md"]]
    observer.tell()
    assert len(told(engine)) == 1


def test_what_cannot_be_written_is_told_when_it_can_and_nobody_hears_it_twice(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from llmgenie_mcp.errors import StorageFull

    real = engine.trigger_event

    def full(event: str, *args: Any, **options: Any) -> Any:
        if event == "files.docs":
            raise StorageFull("The disk is full.", "Make room.")
        return real(event, *args, **options)

    docs(repo, more={"files": ["docs/*"]})
    observer = Observer(engine)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "trigger_event", full)
        for name in ("docs/a.md", "docs/b.md"):
            observer.held = {name}
            assert observer.tell()
    assert observer.tell()
    found = [(line["action"], line["params"]["paths"]) for line in told(engine, "event.received")]
    assert found == [
        ("files.more", ["docs/a.md"]),
        ("files.more", ["docs/b.md"]),
        ("files.docs", ["docs/a.md", "docs/b.md"]),
    ]
    assert len(caplog.records) == 1


def test_rules_that_nobody_accepted_or_that_are_off_watch_nothing(engine: Engine, repo: Path) -> None:
    rules(repo, trusted=False, docs={"files": ["docs/**"]})
    observer = Observer(engine)
    assert not observer.rules()
    trust.trust(repo / ".llmgenie")
    assert list(observer.rules()) == ["docs"]
    rules(repo, docs={"files": ["docs/**"], "enabled": False})
    observer.held = {"docs/x.md"}
    assert not observer.tell()
    assert told(engine) == []


def test_without_the_library_there_is_one_warning_and_no_crash(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    docs(repo)
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    observer = Observer(engine)
    with caplog.at_level(logging.WARNING):
        assert not observer.watch(threading.Event())
        assert not observer.watch(threading.Event())
    (record,) = caplog.records
    assert "pip install 'llmgenie-mcp[watch]'" in record.message


def test_a_folder_that_cannot_be_watched_is_one_warning(
    engine: Engine, repo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    docs(repo)
    observer = Observer(engine)
    assert observer.rules()
    shutil.move(repo, tmp_path / "gone")
    try:
        for _ in range(2):
            assert not observer.watch(threading.Event())
    finally:
        shutil.move(tmp_path / "gone", repo)
    (record,) = caplog.records
    assert "cannot be watched" in record.message


def test_the_same_trouble_in_another_folder_is_not_warned_of_again(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import watchfiles

    folders = iter("ab")

    def refuse(*_roots: Path, **_options: Any) -> Any:
        raise OSError(f"OS file watch limit reached: {next(folders)}")

    monkeypatch.setattr(watchfiles, "watch", refuse)
    observer = Observer(engine)
    assert [observer.watch(threading.Event()) for _ in range(2)] == [False, False]
    (record,) = caplog.records
    assert "cannot be watched: OS file watch limit reached: a" in record.message


def test_more_folders_than_the_system_will_watch_is_one_warning(repo: Path) -> None:
    limited = "echo 2 > /proc/sys/user/max_inotify_watches && exec"
    command = ["unshare", "-rU", "sh", "-c", f'{limited} "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("the number of watches cannot be limited here")
    docs(repo)
    for name in "abcd":
        (repo / "docs" / name).mkdir(parents=True)
    run = subprocess.run([*command, PYTHON, "-c", BLIND, repo], capture_output=True, text=True, encoding="utf-8")
    assert (run.returncode, run.stdout) == (0, "False\nFalse\n"), run.stderr
    assert run.stderr.count("cannot be watched: OS file watch limit reached") == 1


def test_what_cannot_be_read_is_one_warning_and_the_rest_is_watched(
    watched: Watched, repo: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import watchfiles

    real = watchfiles.watch

    def refuse(*roots: Path, ignore_permission_denied: bool, **options: Any) -> Any:
        if not ignore_permission_denied:
            raise PermissionError("Permission denied: docs/secret")  # root may read everything
        return real(*roots, ignore_permission_denied=True, **options)

    monkeypatch.setattr(watchfiles, "watch", refuse)
    docs(repo)
    watched.begun()
    watched.write("docs/a.md")
    watched.until_paths("docs", "docs/a.md")
    (record,) = caplog.records
    assert "some of it cannot be read" in record.message


def test_a_project_below_a_folder_that_would_not_count_is_watched_all_the_same(tmp_path: Path) -> None:
    root = tmp_path / ".venv" / "demo"
    (root / "docs").mkdir(parents=True)
    (root / "docs" / "x.md").touch()
    changes = {(Change.added, str(root / "docs")), (Change.modified, str(root / "y.md")), (Change.added, "/elsewhere")}
    assert sorted(files._paths(root, changes)) == ["docs/x.md", "y.md"]
