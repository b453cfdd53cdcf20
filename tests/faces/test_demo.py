"""The demo, run for real: as text, as JSON, with a person at the terminal, in a repository of the user's own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_fixtures import answer, data, environment, process, run, settings, terminal
from scene import commit, git, make_repository

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.faces.demo_pilot import Pilot

HOSTILE_GIT = (
    "[init]\ndefaultBranch = trunk\n[commit]\ngpgSign = true\n[tag]\ngpgSign = true\n[core]\nhooksPath = /nowhere\n"
)


def bare_environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """A machine without uv, without a git identity, and with settings of git that stand in the way."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "gitconfig").write_text(HOSTILE_GIT, encoding="utf-8")
    (tmp_path / "tmp").mkdir()
    return environment(
        HOME=str(home),
        PATH=os.pathsep.join(("/usr/local/bin", "/usr/bin", "/bin")),
        GIT_CONFIG_GLOBAL=str(home / "gitconfig"),
        GIT_DIR=str(tmp_path / "another.git"),
        TMPDIR=str(tmp_path / "tmp"),
        LLMGENIE_STATE_DIR=str(home / "state"),
        **more,
    )


def with_mark(mark: str) -> list[int]:
    """Processes that have `mark` in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found


def test_the_demo_goes_the_whole_way_and_leaves_nothing_behind(tmp_path: Path) -> None:
    mark = secrets.token_hex(16)
    done = process("demo", env=bare_environment(tmp_path, LLMGENIE_TEST_MARK=mark), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for part in (
        "branch_protection/no-unapproved-merge",
        "review.draft.submit (guard_failed)",
        "AssertionError: 'Hello, Ada, Grace!'",
        "review.in_review.approve (approval_required)",
        "the script plays the person",
        "REV-1: approved → merged",
        "REL-1: tagged → published",
        "> merged",
        "(HEAD -> main, tag: v0.2.0)",
        "the chain is whole",
        "branch_protection/no-direct-push: main is protected",
        "passes in silence",
        "Next, in a project of yours: llmgenie init",
    ):
        assert part in done.stdout, part
    assert "\x1b" not in done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "home" / "state").exists()
    assert with_mark(mark) == []


def test_as_json_it_is_one_document_with_every_request_and_answer(tmp_path: Path) -> None:
    done = process("demo", "--json", "--keep", env=bare_environment(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["ok"]
    found = document["data"]
    assert {"steps", "meta_log", "diagram", "graph", "verify", "server", "project", "kept"} <= set(found)
    assert all(step["ok"] for step in found["steps"])
    assert {step["tool"] for step in found["steps"]} == {
        "run_action",
        "get_available_actions",
        "get_workflow_state",
        "get_context_data",
        "enforce_policy",
    }
    states = [line["state"]["to"] for line in found["meta_log"] if line.get("state")]
    assert [
        state for state in states if state in ("in_review", "merged", "prepared", "verified", "tagged", "published")
    ] == [
        "in_review",
        "merged",
        "prepared",
        "verified",
        "tagged",
        "published",
    ]
    granted = [line for line in found["meta_log"] if line["type"] == "approval.granted"]
    assert ["script plays the person" in line["notes"][0] for line in granted] == [True, True]
    kept = Path(found["kept"])
    assert git(kept, "cat-file", "-t", "v0.2.0") == "tag"
    assert len(git(kept, "rev-list", "--parents", "-n", "1", "main").split()) == 3
    assert data("log", "verify", project=kept)["ok"]


def test_at_a_terminal_the_person_is_asked_and_may_decline(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with terminal("demo", "--project", str(folder)) as screen:
        screen.wait_for(r"APR-1: .*\n.*Approve\? \[y/n\] ")
        screen.type("y")
        screen.wait_for(r"APR-2: .*\n.*Approve\? \[y/n\] ")
        screen.type("n")
        assert screen.ended() == 1
    assert "You declined" in screen.shown
    assert "plays the person" not in screen.shown
    with Engine.open(folder, read_only=True) as engine:
        assert [engine.storage.get("approvals", f"APR-{n}")["status"] for n in (1, 2)] == ["granted", "declined"]  # type: ignore[index]
    assert git(folder, "tag") == ""
    assert not trust.is_trusted(folder / ".llmgenie")


def test_ctrl_c_at_a_question_ends_everything(tmp_path: Path) -> None:
    mark = secrets.token_hex(16)
    env = environment(TMPDIR=str(tmp_path), LLMGENIE_TEST_MARK=mark)
    with terminal("demo", env=env) as screen:
        screen.wait_for(r"Approve\? \[y/n\] ")
        screen.process.send_signal(signal.SIGINT)
        assert screen.ended() == 130
    assert "KeyboardInterrupt" not in screen.shown
    assert list(tmp_path.glob("llmgenie-demo-*")) == []
    assert with_mark(mark) == []


def test_a_server_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    code, document = answer("demo")
    assert code == 1
    assert document["error"]["code"] == "demo"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A repository of the user's own on the branch `work`, with a test command that a person accepted."""
    folder = make_repository(tmp_path / "own")
    settings(folder, sys.executable, "-c", "print('tested')")
    trust.trust(folder / ".llmgenie")
    commit(folder, "CHANGES.md", "# Changes\n\n## 1.0\n- first\n", "Changes")
    git(folder, "branch", "-m", "main", "master")
    git(folder, "switch", "-q", "-c", "work")
    commit(folder, "work.txt", "work\n", "Work only")
    return folder


def test_in_a_repository_of_the_user_s_own_it_stays_beside_and_says_how_to_undo_it(own: Path) -> None:
    ran = own.parent / "published"
    commands = {"test": {"argv": ["true"]}, "publish": {"argv": ["touch", str(ran)]}}
    (own / ".llmgenie" / "llmgenie.yaml").write_text(json.dumps({"commands": commands}), encoding="utf-8")
    trust.trust(own / ".llmgenie")
    before = git(own, "rev-parse", "--short", "master")
    git(own, "branch", "demo/llmgenie-1")  # as if it had run before
    done = process("demo", "--project", str(own), "--yes", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)["data"]
    assert git(own, "rev-parse", "--abbrev-ref", "HEAD") == "work"
    assert git(own, "tag") == "v0.0.0-demo.2"
    undo = (
        f"git checkout master && git reset --hard {before} && git branch -D demo/llmgenie-2 && git tag -d v0.0.0-demo.2"
    )
    assert found["undo"] == undo
    assert "## 0.0.0-demo.2" in git(own, "show", "master:CHANGES.md")
    assert "Work only" not in git(own, "log", "--format=%s", "master")
    assert not ran.exists()  # what publishes for real is not run


def test_without_a_person_or_their_word_beforehand_it_does_not_touch_the_user_s_own(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = git(own, "for-each-ref")
    code, document = answer("demo", project=own)
    assert (code, document["error"]["code"]) == (1, "needs_person")
    monkeypatch.setenv("CLAUDECODE", "1")
    code, document = answer("demo", "--yes", project=own)
    assert (code, document["error"]["code"]) == (1, "needs_person")
    assert git(own, "for-each-ref") == refs


def dirty(folder: Path) -> None:
    (folder / "README.md").write_text("changed\n", encoding="utf-8")


def without_main(folder: Path) -> None:
    git(folder, "branch", "-m", "master", "trunk")


def without_trust(folder: Path) -> None:
    trust.distrust(folder / ".llmgenie")


def without_tests(folder: Path) -> None:
    (folder / ".llmgenie" / "llmgenie.yaml").write_text("{}\n", encoding="utf-8")


def without_git(folder: Path) -> None:
    (folder / ".git").rename(folder.parent / "away")


def detached(folder: Path) -> None:
    git(folder, "checkout", "-q", "--detach")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (dirty, "not committed"),
        (without_main, "neither a branch main nor master"),
        (without_trust, "not accepted"),
        (without_tests, "how its tests are run"),
        (without_git, "neither empty nor a git repository"),
        (detached, "No branch is checked out"),
    ],
)
def test_a_repository_that_is_not_fit_is_refused_with_what_to_do(own: Path, spoil: Any, said: str) -> None:
    spoil(own)
    code, document = answer("demo", "--yes", project=own)
    assert code == 1
    assert said in document["error"]["message"]
    assert document["error"]["hint"]
    assert document["data"]["steps"] == []


def test_tests_that_fail_end_it_with_1_and_the_branch_from_before(own: Path) -> None:
    settings(own, "false")
    trust.trust(own / ".llmgenie")
    code, document = answer("demo", "--yes", project=own)
    assert code == 1
    assert "expected ok" in document["error"]["message"]
    assert [step["ok"] for step in document["data"]["steps"]].count(False) == 1
    assert git(own, "rev-parse", "--abbrev-ref", "HEAD") == "work"


def test_a_refusal_that_does_not_come_ends_it_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    async def merge_unhindered(self: Pilot) -> None:
        await self.talk.run("Create a task", "create_task", {"title": "x"}, "denied")

    monkeypatch.setattr(Pilot, "be_refused", merge_unhindered)
    result = run("demo")
    assert result.exit_code == 1
    assert "expected denied, but run_action answered ok" in result.stderr
