"""Review and release on a real repository: what git does, what is refused, and that a failure leaves all as it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scene import codes, commands, commit, git, lines, make_repository, started

from llmgenie_mcp import Actor, Engine, Outcome

Open = Callable[..., Engine]
PERSON = Actor("human", "ada")


@pytest.fixture
def session(engine: Engine, repo: Path) -> str:
    """A session on branch feature/x with one commit, in a project whose tests pass."""
    commands(repo, test=["true"])
    git(repo, "switch", "-q", "-c", "feature/x")
    commit(repo, "x.txt", "x\n", "add x")
    return started(engine, mode="review")


def approved(engine: Engine, session: str, **params: Any) -> None:
    """Bring the branch through review to approved."""
    assert engine.run_action("start_review", params, session=session).ok
    for action in ("run_tests", "submit", "request_approval"):
        outcome = engine.run_action(action, session=session)
        assert outcome.ok, outcome
    approval = outcome.result["approval"]["id"]
    assert engine.decide_approval(approval, True, person="ada", channel="terminal").ok


def state(repo: Path) -> tuple[str, str, str]:
    """Where HEAD is, what main is, and what is not committed."""
    head = git(repo, "rev-parse", "--abbrev-ref", "HEAD")
    return head, git(repo, "rev-parse", "main", "HEAD"), git(repo, "status", "--porcelain")


def test_an_approved_review_is_merged_with_a_merge_commit(engine: Engine, session: str, repo: Path) -> None:
    head, base = git(repo, "rev-parse", "HEAD", "main").split()
    approved(engine, session)
    outcome = engine.run_action("merge", {"branch": "main", "message": "Add x"}, session=session)
    assert outcome.state == {"instance": "REV-1", "workflow": "review", "from": "approved", "to": "merged"}
    assert git(repo, "rev-parse", "main^1", "main^2").split() == [base, head]
    assert git(repo, "log", "-1", "--format=%s", "main") == "Add x"
    assert outcome.result["commit"] == git(repo, "rev-parse", "main")
    assert [event["type"] for event in lines(engine)[-1]["events"]] == ["review.merged"]
    assert "has ended" in engine.run_action("reject", {"instance": "REV-1"}, session=session).reasons[0].message


def test_a_merge_into_main_without_review_is_refused_with_the_way(engine: Engine, session: str, repo: Path) -> None:
    before = state(repo)
    (reason,) = engine.run_action("merge", {"branch": "main"}, session=session).reasons
    assert reason.rule == "branch_protection/no-unapproved-merge"
    assert reason.fix == {
        "action": "start_review",
        "params": {},
        "message": "On your branch: start_review, run_tests, submit, request_approval; merge when a person approved.",
    }
    assert state(repo) == before


def test_a_merge_into_an_unprotected_branch_needs_no_review(engine: Engine, session: str, repo: Path) -> None:
    git(repo, "branch", "topic", "main")
    mistyped = engine.run_action("merge", {"branch": "topics"}, session=session)
    assert (mistyped.error or {})["hint"].startswith("Did you mean topic?")
    assert engine.run_action("merge", {"branch": "topic"}, session=session).ok
    assert git(repo, "log", "-1", "--format=%s", "topic^2") == "add x"


@pytest.mark.parametrize(
    "branch",
    ["main^0", "main~0", "heads/main", "refs/heads/main", "main ", "HEAD", "-main", "main\n", "nowhere", "--all"],
)
def test_only_a_branch_by_its_own_name_is_merged_into(engine: Engine, session: str, repo: Path, branch: str) -> None:
    before = state(repo)
    outcome = engine.run_action("merge", {"branch": branch}, session=session)
    assert outcome.status in ("failed", "denied"), outcome
    assert state(repo) == before


@pytest.mark.parametrize("source", ["feature/x^0", "HEAD", "nowhere", "main", "--abort", "-h"])
def test_only_another_branch_by_its_own_name_is_merged(engine: Engine, session: str, repo: Path, source: str) -> None:
    git(repo, "branch", "topic", "main")
    target = "main" if source == "main" else "topic"
    before = state(repo)
    outcome = engine.run_action("merge", {"branch": target, "source": source}, session=session, actor=PERSON)
    assert outcome.status in ("failed", "denied"), outcome
    assert state(repo) == before


@pytest.mark.parametrize("detached", [False, True])
def test_a_conflict_leaves_everything_as_it_was(engine: Engine, session: str, repo: Path, detached: bool) -> None:
    git(repo, "branch", "topic", "main")
    git(repo, "switch", "-q", "topic")
    commit(repo, "x.txt", "other\n")
    git(repo, "switch", "-q", "feature/x")
    if detached:
        git(repo, "switch", "-q", "--detach", "main")
    before = state(repo)
    outcome = engine.run_action("merge", {"branch": "topic", "source": "feature/x"}, session=session)
    assert outcome.status == "failed"
    assert "CONFLICT" in str(outcome.error)
    assert state(repo) == before
    assert not (repo / ".git" / "MERGE_HEAD").exists()


def test_a_hook_that_refuses_leaves_everything_as_it_was(engine: Engine, session: str, repo: Path) -> None:
    git(repo, "branch", "topic", "main")
    hook = repo / ".git" / "hooks" / "pre-merge-commit"
    hook.write_text("#!/bin/sh\necho no thanks >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    before = state(repo)
    outcome = engine.run_action("merge", {"branch": "topic"}, session=session)
    assert (outcome.status, "no thanks" in str(outcome.error)) == ("failed", True)
    assert state(repo) == before


def test_a_target_that_another_worktree_holds_is_merged_there(
    engine: Engine, session: str, repo: Path, tmp_path: Path
) -> None:
    other, before = tmp_path / "with main", state(repo)
    git(repo, "worktree", "add", "-q", str(other), "main")
    approved(engine, session)
    (other / "README.md").write_text("somebody is at work\n", encoding="utf-8")
    outcome = engine.run_action("merge", {"branch": "main"}, session=session)
    assert (outcome.status, str(other) in str(outcome.error)) == ("failed", True)
    assert state(repo) == before
    assert (other / "README.md").read_text(encoding="utf-8") == "somebody is at work\n"
    git(other, "checkout", "-q", "README.md")
    outcome = engine.run_action("merge", {"branch": "main"}, session=session)
    assert outcome.ok, outcome
    assert outcome.result["commit"] == git(repo, "rev-parse", "main")
    assert (state(repo)[0], git(other, "status", "--porcelain"), (other / "x.txt").exists()) == ("feature/x", "", True)


def test_a_conflict_in_another_worktree_leaves_it_as_it_was_and_tells_the_way(
    engine: Engine, session: str, repo: Path, tmp_path: Path
) -> None:
    git(repo, "worktree", "add", "-q", str(tmp_path / "wt"), "main")
    commit(tmp_path / "wt", "x.txt", "other\n")
    approved(engine, session)
    before = state(repo)
    outcome = engine.run_action("merge", {"branch": "main"}, session=session)
    assert outcome.status == "failed"
    assert "git merge main, resolve and commit; then reopen" in str(outcome.error)
    assert (state(repo), state(tmp_path / "wt")[2]) == (before, "")
    assert engine.storage.get("instances", "REV-1")["state"] == "approved"


def test_the_commit_that_was_judged_is_merged_whatever_the_branch_gets_meanwhile(
    engine: Engine, session: str, repo: Path
) -> None:
    head = git(repo, "rev-parse", "HEAD")
    approved(engine, session)
    sneaked: list[str] = []

    def progress(done: float, _total: float | None, _message: str) -> None:
        if done == 1:
            sneaked.append(commit(repo, "sneaked.txt"))

    outcome = engine.run_action("merge", {"branch": "main"}, session=session, progress=progress)
    assert outcome.ok
    assert sneaked
    assert git(repo, "rev-parse", "main^2") == head
    assert not git(repo, "ls-tree", "main", "sneaked.txt")


def test_submitting_needs_the_branch_a_clean_tree_and_tests_of_this_commit(
    engine: Engine, session: str, repo: Path
) -> None:
    engine.run_action("start_review", session=session)
    (reason,) = engine.run_action("submit", session=session).reasons
    assert reason.message == "Run run_tests on this commit first; it must pass with nothing uncommitted."
    assert engine.run_action("run_tests", session=session).ok
    (repo / "dirt").touch()
    assert "Commit or discard" in engine.run_action("submit", session=session).reasons[0].message
    (repo / "dirt").unlink()
    git(repo, "switch", "-q", "main")
    assert "Switch to the branch" in engine.run_action("submit", session=session).reasons[0].message
    git(repo, "switch", "-q", "feature/x")
    commit(repo, "more.txt")
    assert "Run run_tests" in engine.run_action("submit", session=session).reasons[0].message
    assert engine.run_action("run_tests", session=session).ok
    assert engine.run_action("submit", session=session).ok


def test_tests_of_another_commit_do_not_pass_for_those_of_the_review(engine: Engine, session: str, repo: Path) -> None:
    engine.run_action("start_review", session=session)
    assert engine.run_action("run_tests", session=session).ok
    assert engine.run_action("submit", session=session).ok
    commit(repo, "untested.txt")
    git(repo, "switch", "-q", "main")
    assert engine.run_action("run_tests", session=session).ok
    outcome = engine.run_action("approve", session=session, actor=PERSON)
    assert codes(outcome) == ["guard_failed"]


def test_a_person_may_approve_while_something_else_is_checked_out(engine: Engine, session: str, repo: Path) -> None:
    engine.run_action("start_review", session=session)
    for action in ("run_tests", "submit", "request_approval"):
        assert engine.run_action(action, session=session).ok
    git(repo, "switch", "-q", "main")
    outcome = engine.decide_approval("APR-1", True, person="ada", channel="terminal")
    assert outcome.state == {"instance": "REV-1", "workflow": "review", "from": "in_review", "to": "approved"}


def test_a_review_goes_back_and_forth(engine: Engine, session: str) -> None:
    engine.run_action("start_review", session=session)
    assert engine.run_action("run_tests", session=session).ok
    for action in ("submit", "reject", "submit", "reject", "abandon"):
        assert engine.run_action(action, {"comment": f"{action} it"}, session=session).ok, action
    assert engine.run_action("start_review", session=session).result["instance"]["id"] == "REV-2"


CHANGELOG = "# Changelog\n\n## [1.2.0] - 2026-01-01\n\n- x\n"


@pytest.fixture
def release(engine: Engine, repo: Path) -> str:
    """A session with a planned release 1.2.0."""
    commands(
        repo,
        test=["true"],
        publish={
            "argv": ["sh", "-c", "echo $1 > ../published", "sh", "{version}"],
            "params": {"properties": {"version": {"type": "string"}}},
        },
    )
    session = started(engine, mode="release")
    assert engine.run_action("start_release", {"version": "1.2.0"}, session=session).ok
    return session


def to_approved(engine: Engine, session: str, repo: Path) -> None:
    commit(repo, "CHANGELOG.md", CHANGELOG)
    for action in ("prepare", "run_tests", "verify", "request_approval"):
        outcome = engine.run_action(action, session=session)
        assert outcome.ok, outcome
    approval = outcome.result["approval"]["id"]
    assert engine.decide_approval(approval, True, person="ada", channel="terminal").state is not None


def test_a_release_goes_from_planned_to_published(engine: Engine, release: str, repo: Path, tmp_path: Path) -> None:
    assert "CHANGELOG.md" in engine.run_action("prepare", session=release).reasons[0].message
    to_approved(engine, release, repo)
    outcome = engine.run_action("tag_release", {"comment": "Version 1.2.0"}, session=release)
    assert outcome.result["tag"] == "v1.2.0"
    assert git(repo, "rev-parse", "v1.2.0^{commit}") == git(repo, "rev-parse", "HEAD")
    assert git(repo, "cat-file", "-t", "v1.2.0") == "tag"
    assert not (tmp_path / "published").exists()
    outcome = engine.run_action("publish", session=release)
    assert outcome.state == {"instance": "REL-1", "workflow": "release", "from": "tagged", "to": "published"}
    assert (tmp_path / "published").read_text(encoding="utf-8") == "1.2.0\n"
    assert git(repo, "rev-parse", "HEAD") in str(lines(engine)[-1]["notes"])


def test_nothing_is_tagged_but_the_commit_that_a_person_approved(engine: Engine, release: str, repo: Path) -> None:
    to_approved(engine, release, repo)
    commit(repo, "late.txt")
    (reason,) = engine.run_action("tag_release", session=release).reasons
    assert reason.message == "There are new commits since a person approved; rework, and ask again."
    assert engine.run_action("rework", session=release).ok
    for action in ("prepare", "run_tests", "verify"):
        assert engine.run_action(action, session=release).ok
    assert codes(engine.run_action("approve_release", session=release)) == ["approval_required"]


def test_nothing_is_published_but_what_was_tagged(engine: Engine, release: str, repo: Path, tmp_path: Path) -> None:
    to_approved(engine, release, repo)
    assert engine.run_action("tag_release", session=release).ok
    commit(repo, "late.txt")
    assert "Check out the tagged commit" in engine.run_action("publish", session=release).reasons[0].message
    assert not (tmp_path / "published").exists()


def test_a_version_that_has_a_tag_is_not_released_again(engine: Engine, release: str, repo: Path) -> None:
    git(repo, "tag", "v1.2.0")
    to_approved(engine, release, repo)
    assert "exists already" in engine.run_action("tag_release", session=release).reasons[0].message


def test_publishing_that_fails_may_be_tried_again(engine: Engine, release: str, repo: Path) -> None:
    to_approved(engine, release, repo)
    assert engine.run_action("tag_release", session=release).ok
    commands(repo, publish=["false"])
    assert engine.run_action("publish", session=release).status == "failed"
    assert engine.storage.get("instances", "REL-1")["state"] == "tagged"
    commands(repo, trusted=False, publish=["true", "again"])
    assert codes(engine.run_action("publish", session=release)) == ["not_trusted"]
    (repo / ".llmgenie" / "llmgenie.yaml").unlink()
    assert "only the state was moved" in engine.run_action("publish", session=release).result["note"]


@pytest.mark.parametrize("version", ["-d", "--help", "a b", "v", "1..2", "1.0; rm -rf /", "x~1", "é", "..", "@{-1}"])
def test_an_odd_version_is_a_tag_or_an_error_of_git(engine: Engine, repo: Path, version: str) -> None:
    commands(repo, test=["true"])
    session = started(engine, mode="release")
    assert engine.run_action("start_release", {"version": version}, session=session).ok
    commit(repo, "CHANGELOG.md", f"## {version}\n")
    for action in ("prepare", "run_tests", "verify"):
        assert engine.run_action(action, session=session).ok, action
    assert engine.run_action("approve_release", session=session, actor=PERSON).ok
    outcome = engine.run_action("tag_release", session=session, actor=PERSON)
    tags = git(repo, "tag").splitlines()
    assert (outcome.status, len(tags)) in (("ok", 1), ("failed", 0), ("denied", 0)), outcome


class Newcomer:
    """Reaches a goal by doing what a refusal's fix, or an action named in its message, says, and nothing else."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.session, self.way = engine, None, []

    def reach(self, action: str, params: dict[str, Any]) -> None:
        for _ in range(20):
            if self.take(action, params):
                return
        raise AssertionError(f"{action} stays refused: {self.way}")

    def take(self, action: str, params: dict[str, Any], depth: int = 0) -> bool:
        """Run an action; when it is refused, take the way out instead."""
        assert depth < 6, f"the ways out lead nowhere: {self.way}"
        outcome = self.engine.run_action(action, params, session=self.session)
        if outcome.ok:
            self.way.append(action)
            self._note(outcome)
            return True
        assert outcome.status == "denied", outcome
        reason = outcome.reasons[0]
        words = re.findall(r"[a-z_]+", reason.message)
        named = next((w for w in words if w in self.engine.definitions.actions and w != action), None)
        assert reason.fix or named, f"no way out of {reason}"
        fix = reason.fix or {"action": named, "params": {}}
        self.take(fix["action"], dict(fix["params"]), depth + 1)
        return False

    def _note(self, outcome: Outcome) -> None:
        if outcome.action == "start_session":
            self.session = outcome.result["session"]["id"]
        if outcome.action == "request_approval":
            approval = outcome.result["approval"]["id"]
            self.engine.decide_approval(approval, True, person="ada", channel="terminal")


def test_following_fixes_and_named_actions_leads_from_an_empty_project_to_a_merge(engine: Engine, repo: Path) -> None:
    commands(repo, test=["true"])
    git(repo, "switch", "-q", "-c", "feature/x")
    head = commit(repo, "x.txt")
    newcomer = Newcomer(engine)
    newcomer.reach("merge", {"branch": "main"})
    assert {"start_session", "start_review", "run_tests", "submit", "request_approval"} <= set(newcomer.way)
    assert git(repo, "rev-parse", "main^2") == head
    assert engine.storage.get("instances", "REV-1")["state"] == "merged"


def test_following_fixes_leads_from_a_planned_release_to_a_published_one(engine: Engine, repo: Path) -> None:
    commands(repo, test=["true"])
    commit(repo, "CHANGELOG.md", CHANGELOG)
    newcomer = Newcomer(engine)
    newcomer.reach("start_release", {"version": "1.2.0"})
    newcomer.reach("publish", {})
    assert git(repo, "tag") == "v1.2.0"


def test_reviews_of_two_agents_in_two_worktrees_do_not_disturb_each_other(
    repo: Path, tmp_path: Path, open_engine: Open
) -> None:
    commands(repo, test=["true"])
    engines, sessions = [], []
    for name in ("a", "b"):
        git(repo, "worktree", "add", "-q", "-b", name, str(tmp_path / name))
        commit(tmp_path / name, f"{name}.txt")
        engines.append(open_engine(tmp_path / name))
        sessions.append(started(engines[-1], mode="review"))
    for engine, session in zip(engines, sessions, strict=True):
        approved(engine, session)
    reviews = engines[0].context_data("instances")["items"]
    assert [(r["subject"], r["state"], r["session"]) for r in reviews] == [
        ("a", "approved", sessions[0]),
        ("b", "approved", sessions[1]),
    ]


def test_a_submodule_and_its_superproject_are_reviewed_apart(repo: Path, tmp_path: Path, open_engine: Open) -> None:
    library = make_repository(tmp_path / "library")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "lib")
    git(repo, "commit", "-q", "-m", "add lib")
    engine = open_engine(repo / "lib")
    assert started(engine)
    assert (repo / "lib" / ".llmgenie" / "db.json").parent.is_dir()
    assert not (repo / ".llmgenie").exists()
