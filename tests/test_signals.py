"""Facts about the world: what git, the changelog, tasks, tests and approvals say, and what is not known."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from scene import commands, commit, configure, define, git, make_repository, started

from llmgenie_mcp import Engine, plugins
from llmgenie_mcp.engine.situation import Situation, StoreReader, World
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.records import Actor
from llmgenie_mcp.signals import git as git_signal
from llmgenie_mcp.signals.release import tag_of

FLOWS = ("branch", "version", "text")


def situation(engine: Engine, session: str | None = None, instance: str | None = None, **resource: Any) -> Situation:
    """What is known now; about an instance or a resource when given."""
    engine.storage.refresh()
    reader = StoreReader(engine.storage)
    found = engine.definitions.situation(engine.project, reader, session, Actor(), World())
    found.instance = reader.get("instances", instance) if instance else None
    found.resource = resource
    return found


def fact(engine: Engine, name: str, **about: Any) -> Any:
    return situation(engine, **about).fact(name)


def instance(engine: Engine, workflow: str, **params: str) -> str:
    outcome = engine.run_action(f"start_{workflow}", params, session=started(engine, mode=workflow))
    return str(outcome.result["instance"]["id"])


def test_every_declared_fact_can_be_read_in_every_kind_of_folder(engine: Engine, repo: Path, tmp_path: Path) -> None:
    outside = tmp_path / "no git"
    outside.mkdir()
    with Engine.open(outside) as other:
        for here in (engine, other):
            for root, signal in plugins.signals().items():
                for field in signal.fields:
                    value = fact(here, f"{root}.{field}")
                    assert value is UNKNOWN or value is None or isinstance(value, (str, bool, list)), (root, field)


def test_what_git_says_of_a_repository(engine: Engine, repo: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "branch", "feature/x")
    git(repo, "tag", "v1")
    facts = situation(engine).facts([f"git.{field}" for field in plugins.signals()["git"].fields])["git"]
    assert facts == {
        "branch": "main",
        "head": head,
        "clean": True,
        "branches": ["feature/x", "main"],
        "upstream": None,
        "tags": ["v1"],
        "subject_head": head,
    }


def test_outside_git_nothing_is_known(tmp_path: Path) -> None:
    with Engine.open(tmp_path) as engine:
        for field in plugins.signals()["git"].fields:
            assert fact(engine, f"git.{field}") is UNKNOWN, field


def test_before_the_first_commit_there_is_a_branch_and_no_head(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk")
    with Engine.open(tmp_path) as engine:
        assert (fact(engine, "git.branch"), fact(engine, "git.head")) == ("trunk", UNKNOWN)
        assert (fact(engine, "git.branches"), fact(engine, "git.subject_head")) == ([], UNKNOWN)


def test_a_detached_head_is_on_no_branch(engine: Engine, repo: Path) -> None:
    git(repo, "switch", "-q", "--detach")
    assert fact(engine, "git.branch") is None
    assert fact(engine, "git.head") == git(repo, "rev-parse", "main")


@pytest.mark.parametrize("name", ["ünï-做", "with'quote", "a/b/c", "x" * 100, "feature/tag-too"])
def test_odd_branch_names_are_told_as_they_are(engine: Engine, repo: Path, name: str) -> None:
    git(repo, "switch", "-q", "-c", name)
    git(repo, "tag", name)
    assert fact(engine, "git.branch") == name
    assert name in fact(engine, "git.branches")


@pytest.mark.parametrize("change", ["untracked", "modified", "staged", "deleted", "in a folder above", "odd name"])
def test_whatever_is_not_committed_makes_it_unclean(engine: Engine, repo: Path, change: str) -> None:
    assert fact(engine, "git.clean") is True
    path = repo / {"odd name": "new\nline 做"}.get(change, "file.txt")
    if change == "deleted":
        (repo / "README.md").unlink()
    elif change == "modified":
        (repo / "README.md").write_text("changed", encoding="utf-8")
    else:
        path.write_text("x", encoding="utf-8")
    if change == "staged":
        git(repo, "add", "-A")
    if change == "in a folder above":
        (repo / "package").mkdir()
        with Engine.open(repo / "package") as inner:
            assert fact(inner, "git.clean") is False
    assert fact(engine, "git.clean") is False


def test_the_store_and_ignored_files_do_not_make_it_unclean(tmp_path: Path) -> None:
    repo = make_repository(tmp_path / "p")
    commit(repo, ".gitignore", "*.log\n")
    configure(repo, log_output=5)
    define(repo, "workflows", "x", "name: x\ninitial: a\nstates: {a: {on: {x_go: b}}, b: {final: true}}\n")
    (repo / "package" / ".llmgenie").mkdir(parents=True)
    (repo / "package" / ".llmgenie" / "db.json").touch()
    (repo / "a.log").touch()
    with Engine.open(repo) as engine:
        started(engine)
        assert fact(engine, "git.clean") is True
        (repo / "package" / "code.py").touch()
        assert fact(engine, "git.clean") is False


def test_asking_does_not_touch_the_index(engine: Engine, repo: Path) -> None:
    (repo / "README.md").touch()
    index = repo / ".git" / "index"
    before = index.read_bytes(), index.stat().st_mtime_ns
    for field in plugins.signals()["git"].fields:
        fact(engine, f"git.{field}")
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before


def test_users_settings_of_git_do_not_change_what_is_told(engine: Engine, repo: Path) -> None:
    for name, value in [
        ("status.short", "false"),
        ("status.showUntrackedFiles", "no"),
        ("color.ui", "always"),
        ("core.quotePath", "true"),
        ("log.showSignature", "true"),
        ("status.relativePaths", "false"),
    ]:
        git(repo, "config", name, value)
    (repo / "new").touch()
    assert fact(engine, "git.clean") is False
    assert fact(engine, "git.branches") == ["main"]


def test_a_git_that_hangs_is_not_waited_for_for_ever(
    engine: Engine, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:/bin:/usr/bin")
    monkeypatch.setattr(git_signal, "TIMEOUT", 0.3)
    began = time.monotonic()
    assert fact(engine, "git.head") is UNKNOWN
    assert time.monotonic() - began < 30


def test_without_git_installed_nothing_is_known(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fact(engine, "git.branch") is UNKNOWN
    assert fact(engine, "git.clean") is UNKNOWN


def test_a_fact_from_outside_is_read_once_for_one_request(engine: Engine, repo: Path) -> None:
    here = situation(engine)
    head = here.fact("git.head")
    commit(repo, "new.txt")
    assert here.fact("git.head") == head
    assert fact(engine, "git.head") != head


def test_the_head_of_the_subject_is_that_of_its_branch_or_of_what_is_merged(engine: Engine, repo: Path) -> None:
    main = git(repo, "rev-parse", "HEAD")
    git(repo, "switch", "-q", "-c", "feature/x")
    head = commit(repo, "x.txt")
    review = instance(engine, "review", branch="feature/x")
    git(repo, "switch", "-q", "main")
    assert fact(engine, "git.subject_head") == main
    assert fact(engine, "git.subject_head", instance=review) == head
    assert fact(engine, "git.subject_head", source="feature/x") == head
    assert fact(engine, "git.subject_head", source="nowhere") is UNKNOWN
    one = situation(engine)
    assert one.fact("git.subject_head") == main
    one.instance = engine.storage.get("instances", review)
    assert one.fact("git.subject_head") == head, "what it is about belongs to what is remembered"


@pytest.mark.parametrize(
    ("version", "heading", "named"),
    [
        ("1.2.0", "## [1.2.0] - 2026-01-01", True),
        ("1.2.0", "## 1.2.0", True),
        ("1.2.0", "# v1.2.0 (today)", True),
        ("v1.2.0", "## 1.2.0", True),
        ("1.2.0", "1.2.0\n=====", True),
        ("1.2.0", "## 1.2.0.1", False),
        ("1.2.0", "## 1.2.01", False),
        ("1.2.0", "## 11.2.0", False),
        ("1.2.0", "- fixed since 1.2.0", False),
        ("1.2", "## 1.2.0", False),
        ("1.2.0", "## 1x2y0", False),
        ("1.2.0", "## [1.2.0-rc.1]", False),
        ("1.2.0-rc.1", "## [1.2.0-rc.1]", True),
        (".*", "## anything", False),
    ],
)
def test_a_heading_of_the_changelog_names_the_version(
    engine: Engine, repo: Path, version: str, heading: str, named: bool
) -> None:
    (repo / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n\n- x\n", encoding="utf-8")
    release = instance(engine, "release", version=version)
    assert fact(engine, "release.in_changelog", instance=release) is named


def test_what_the_repository_says_of_a_release(engine: Engine, repo: Path) -> None:
    release = instance(engine, "release", version="1.0")
    names = [f"release.{field}" for field in plugins.signals()["release"].fields]
    wanted = {"in_changelog": False, "tag": "v1.0", "tag_exists": False, "tag_commit": None}
    assert situation(engine, instance=release).facts(names)["release"] == wanted
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "-a", "v1.0", "-m", "x")
    found = situation(engine, instance=release).facts(names)["release"]
    assert (found["tag_exists"], found["tag_commit"]) == (True, head)
    review = instance(engine, "review", branch="main")
    assert fact(engine, "release.tag", instance=review) is UNKNOWN
    assert (tag_of("1"), tag_of("v1")) == ("v1", "v1")


def test_what_the_last_tests_showed(engine: Engine, repo: Path) -> None:
    assert [fact(engine, f"tests.last.{f}") for f in ("passed", "commit", "at", "run")] == [False, None, None, None]
    commands(repo, test=["test", "!", "-e", "broken"])
    session = started(engine, mode="code")
    head = git(repo, "rev-parse", "HEAD")
    engine.run_action("run_tests", session=session)
    assert [fact(engine, f"tests.last.{f}") for f in ("passed", "commit", "run")] == [True, head, "RUN-1"]
    (repo / "broken").touch()
    engine.run_action("run_tests", session=session)
    assert fact(engine, "tests.last.passed") is True, "the failure was of no commit; that of this commit counts"
    (repo / "broken").unlink()
    commands(repo, test=["false"])
    engine.run_action("run_tests", session=session)
    assert [fact(engine, f"tests.last.{f}") for f in ("passed", "run")] == [False, "RUN-3"]


def test_what_is_known_of_a_task(engine: Engine) -> None:
    assert fact(engine, "task.status") is UNKNOWN
    for params in ({"title": "a"}, {"title": "b", "dependencies": ["TSK-1"], "priority": "high", "labels": ["x"]}):
        engine.run_action("create_task", params)
    session = started(engine, task="TSK-2")
    names = [f"task.{field}" for field in plugins.signals()["task"].fields]
    assert situation(engine, session).facts(names)["task"] == {
        "id": "TSK-2",
        "status": "todo",
        "priority": "high",
        "assignee": None,
        "labels": ["x"],
        "open_dependencies": ["TSK-1"],
    }


def test_what_a_hook_set_for_another_repository_does_not_lead_git_astray(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository(tmp_path / "other")
    git(other, "switch", "-q", "-c", "elsewhere")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    with Engine.open(repo) as engine:
        assert engine.enforce(None, "git.commit", {}).reasons[0].values["resource.branch"] == "main"


def test_ci_that_failed_is_not_hidden_by_another_workflow_that_passed(repo: Path) -> None:
    ci = Actor("system", "webhook:github")
    with Engine.open(repo) as engine:
        head = git(repo, "rev-parse", "HEAD")

        def told(name: str, status: str, actor: Actor = ci, **more: object) -> tuple[object, object]:
            engine.trigger_event("ci.finished", {"name": name, "status": status, "commit": head, **more}, actor=actor)
            situation = engine.situation()
            return situation.fact("ci.last.passed"), situation.fact("tests.last.passed")

        assert told("tests", "passed", Actor("agent", "liar")) == (False, False)
        assert told("tests", "passed", fork=True) == (False, False)
        assert told("tests", "failed") == (False, False)
        assert told("docs", "passed") == (False, False)
        assert told("tests", "passed") == (True, True)
        assert engine.situation().fact("ci.last.name") == "tests"
