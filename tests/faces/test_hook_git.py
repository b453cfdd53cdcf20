"""Git's own hooks, installed by `init` in real repositories with a real remote: what git itself then refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli_fixtures import data, environment
from hook_runs import serving
from scene import commit, copy_repository, git, reviewing, started

from llmgenie_mcp import Engine

AGENT = {"CLAUDECODE": "1"}
PERSON: dict[str, str] = {}
BOTH = pytest.mark.parametrize("who", [PERSON, AGENT], ids=["person", "agent"])
HARMLESS_POLICY = """
name: mine
level: audit
applies_to: {actions: [network], modes: ["*"]}
rules: [{id: none, effect: deny, when: "true", reason: "No."}]
"""
SECRET = "ghp_" + "a1B2c3D4e5" * 4


@dataclass(frozen=True)
class Kept:
    """A repository that is kept to its workflow, and its remote."""

    folder: Path
    remote: Path

    def git(self, *words: str, who: dict[str, str] = PERSON, inside: Path | None = None) -> tuple[int, str]:
        """Exit code and stderr of a git command, run by a person or by an agent."""
        done = subprocess.run(
            ["git", *words],
            cwd=inside or self.folder,
            env=environment(**who, GIT_EDITOR="true"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
        )
        return done.returncode, done.stderr

    def refs(self) -> str:
        """Branches and tags of the remote with their commits."""
        return git(self.remote, "for-each-ref", "--format=%(refname) %(objectname)")

    def state(self) -> tuple[str, ...]:
        """The commit, what is staged, and what is not."""
        return tuple(
            git(self.folder, *words.split()) for words in ("rev-parse HEAD", "ls-files -s", "status --porcelain")
        )

    def logged(self) -> list[dict[str, Any]]:
        """What git's hooks left in the meta-log, oldest first."""
        with Engine.open(self.folder) as engine:
            return [line for line in engine.storage.log(limit=1000).items if line.get("host") == "git"]


def keep(folder: Path, remote: Path) -> Kept:
    """A remote that has main and topic, a commit more on both here, topic checked out, and the hooks installed."""
    git(folder, "branch", "topic")
    git(folder.parent, "init", "-q", "--bare", "-b", "main", str(remote))
    git(folder, "remote", "add", "origin", remote.as_uri())
    git(folder, "push", "-q", "origin", "main", "topic")
    for name in ("main", "topic"):
        git(folder, "switch", "-q", name)
        commit(folder, f"{name}.txt", message=f"more on {name}")
    git(folder, "tag", "v1")
    git(folder, "branch", "orphan", git(folder, "commit-tree", "-m", "of no history", "HEAD^{tree}"))
    data("init", "--yes", "--agent", "none", project=folder)
    return Kept(folder, remote)


@pytest.fixture
def alone(repo: Path, tmp_path: Path) -> Kept:
    """A repository whose hooks decide by themselves."""
    return keep(repo, tmp_path / "origin.git")


@pytest.fixture
def kept(alone: Kept, open_engine: Callable[..., Engine], runtime: Path) -> Iterator[Kept]:
    """A repository whose hooks are answered by a server."""
    with serving(open_engine(alone.folder)) as served:
        yield alone
        assert served


@pytest.fixture
def session(kept: Kept) -> str:
    """A session in the checkout, with task TSK-1."""
    with Engine.open(kept.folder) as engine:
        task = engine.run_action("create_task", {"title": "Write it"}).result["task"]["id"]
        return started(engine, mode="code", task=task)


def stage(kept: Kept, name: str = "new.txt", text: str = "new\n") -> None:
    (kept.folder / name).parent.mkdir(parents=True, exist_ok=True)
    (kept.folder / name).write_text(text, encoding="utf-8")
    git(kept.folder, "add", "-f", "--", name)


# Pushing.


@BOTH
def test_what_would_change_a_protected_branch_is_refused_and_the_remote_stays_as_it_is(
    request: pytest.FixtureRequest, who: dict[str, str]
) -> None:
    kept: Kept = request.getfixturevalue("alone" if who is PERSON else "kept")
    before = kept.refs()
    cases = {
        "main": "no-direct-push",
        "HEAD:main": "no-direct-push",
        "topic:refs/heads/main": "no-direct-push",
        "topic:develop": "no-direct-push",
        "HEAD:refs/heads/release/1.0": "no-direct-push",
        "topic main": "no-direct-push",
        "--all": "no-direct-push",
        "--mirror": "no-direct-push",
        "+HEAD~1^{commit}:main": "",  # nothing new
        "--force orphan:main": "no-force",
        "+orphan:main": "no-force",
        ":main": "no-direct-push",
        "--delete main topic": "no-direct-push",
    }
    for words, rule in cases.items():
        code, said = kept.git("push", "origin", *words.split(), who=who)
        assert (code != 0, f"branch_protection/{rule}" in said) == (bool(rule), bool(rule)), (words, said)
        assert kept.refs() == before, words
    assert ("Do not try another way" in said) is (who is AGENT)
    assert ("As a person you may decide otherwise" in said) is (who is PERSON)
    logged = kept.logged()
    assert len(logged) == sum(map(bool, cases.values()))
    assert {(line["type"], line["event"]) for line in logged} == {("operation.denied", "pre-push")}
    assert {line["actor"]["kind"] for line in logged} == {"agent" if who is AGENT else "human"}
    assert who is PERSON or {line["actor"]["id"] for line in logged} == {"claude-code"}


@BOTH
def test_branches_of_one_s_own_are_pushed_also_with_force_and_taken_back(kept: Kept, who: dict[str, str]) -> None:
    for words in (
        ["origin", "topic"],
        ["-u", "origin", "topic:feature/new"],
        ["origin", "HEAD:refs/heads/a/b"],
        ["origin", "topic:x", "topic:y"],
        ["--force", "origin", "HEAD~1:topic"],
        ["--delete", "origin", "x", "y"],
    ):
        code, said = kept.git("push", *words, who=who)
        assert (code, "llmgenie" in said) == (0, False), words
    names = {line.split()[0].removeprefix("refs/heads/") for line in kept.refs().splitlines()}
    assert names == {"main", "topic", "feature/new", "a/b"}


def test_a_person_publishes_a_tag_and_an_agent_does_not(kept: Kept) -> None:
    code, said = kept.git("push", "origin", "v1", who=AGENT)
    assert (code != 0, "publishing-needs-a-person" in said) == (True, True)
    assert "v1" not in kept.refs()
    assert kept.git("push", "origin", "v1")[0] == 0
    assert kept.git("push", "origin", "--delete", "v1", who=AGENT)[0] != 0
    git(kept.folder, "tag", "-f", "v1", "main")
    assert kept.git("push", "--force", "--tags", "origin", "topic", who=AGENT)[0] != 0
    assert f"refs/tags/v1 {git(kept.folder, 'rev-parse', 'topic')}" in kept.refs()


def test_a_remote_that_is_named_as_doctor_s_probe_is_judged_and_logged_as_any_other(kept: Kept) -> None:
    git(kept.folder, "remote", "rename", "origin", "llmgenie-doctor")
    assert kept.git("push", "llmgenie-doctor", "main", who=AGENT)[0] != 0
    assert [line["type"] for line in kept.logged()] == ["operation.denied"]


def test_a_linked_worktree_is_kept_too(kept: Kept, session: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git(kept.folder, "worktree", "add", "-q", "-b", "other", str(tree))
    before = kept.refs()
    assert "no-direct-push" in kept.git("push", "origin", "HEAD:main", who=AGENT, inside=tree)[1]
    (tree / "new.txt").write_text("new\n", encoding="utf-8")
    git(tree, "add", "-A")
    code, said = kept.git("commit", "-m", "TSK-1: new", who=AGENT, inside=tree)
    assert (code, "work-needs-a-session" in said) == (1, True), "the session is that of the main checkout"
    with Engine.open(kept.folder) as engine:
        started(engine, mode="code", task="TSK-1", worktree=str(tree))
    (tree / "sub").mkdir()
    assert kept.git("commit", "-m", "TSK-1: new", who=AGENT, inside=tree / "sub")[0] == 0
    assert kept.refs() == before
    assert kept.git("push", "origin", "other", who=AGENT, inside=tree)[0] == 0


def test_a_path_with_spaces_quotes_and_letters_of_every_kind(template: Path, tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s a "place" ü $HOME `x` \\ {a,b}'
    odd.mkdir()
    kept = keep(copy_repository(template, odd / "my project"), odd / "origin.git")
    before = kept.refs()
    assert "no-direct-push" in kept.git("push", "origin", "main", who=AGENT)[1]
    assert kept.refs() == before
    for name in ('a "b" ü.txt', "c\td.txt", "e\nf.txt", "-g.txt", " h "):
        stage(kept, name)
    assert kept.git("commit", "-qm", "Odd names") == (0, "")
    stage(kept, 'a "b" ü.txt', f"token = {SECRET}\n")
    assert "no-secrets-in-commits" in kept.git("commit", "-m", "A secret")[1]
    assert kept.git("push", "-q", "origin", "topic", who=AGENT) == (0, "")


# Committing.


def test_a_person_commits_on_a_branch_as_ever_and_not_on_a_protected_one(kept: Kept) -> None:
    stage(kept)
    assert kept.git("commit", "-qm", "no task, no session") == (0, "")
    git(kept.folder, "switch", "-q", "main")
    stage(kept)
    before = kept.state()
    code, said = kept.git("commit", "-m", "on main")
    assert (code, "branch_protection/no-direct-commit" in said, "--no-verify" in said) == (1, True, True)
    assert kept.state() == before


def test_an_agent_commits_in_a_session_and_names_the_task(alone: Kept) -> None:
    kept = alone
    stage(kept)
    before = kept.state()
    code, said = kept.git("commit", "-m", "TSK-1: new", who=AGENT)
    assert (code, "session_management/work-needs-a-session" in said) == (1, True)
    with Engine.open(kept.folder) as engine:
        task = engine.run_action("create_task", {"title": "Write it"}).result["task"]["id"]
        one = started(engine, mode="code", task=task)
    for message in ("Add new", "TSK-9: of no task", "# TSK-1: in a comment\nAdd new"):
        code, said = kept.git("commit", "--edit", "-m", message, who=AGENT)
        assert (code, "commits-name-their-task" in said) == (1, True), message
        assert kept.state() == before
    assert kept.git("commit", "-qm", "Add new\n\nFor TSK-1.", who=AGENT) == (0, "")
    allowed = [line for line in kept.logged() if line["type"] == "operation.allowed"]
    assert [(line["event"], line["session"]) for line in allowed[-2:]] == [("pre-commit", one), ("commit-msg", one)]


@BOTH
def test_a_secret_in_the_staged_lines_is_refused_and_nowhere_repeated(
    kept: Kept, session: str, who: dict[str, str]
) -> None:
    stage(kept, "sub/config.py", f'TOKEN = "{SECRET}"\n')
    before = kept.state()
    code, said = kept.git("commit", "-m", "TSK-1: configure", who=who)
    assert (code, "security/no-secrets-in-commits" in said, "sub/config.py" in said) == (1, True, True)
    assert SECRET not in said
    assert kept.state() == before
    code, said = kept.git("commit", "--allow-empty", "-m", f"TSK-1: with {SECRET}", who=who)
    assert (code, SECRET in said) == (1, False)
    assert kept.state() == before
    stage(kept, "sub/config.py", "TOKEN = os.environ['TOKEN']\n")
    assert kept.git("commit", "-qm", "TSK-1: configure", who=who) == (0, "")


def test_what_a_commit_takes_in_is_judged_by_its_own_index(kept: Kept, session: str) -> None:
    for name in ("a.txt", "b.txt"):
        stage(kept, name)
    assert kept.git("commit", "-qm", "TSK-1: two", who=AGENT) == (0, "")
    (kept.folder / "b.txt").write_text(SECRET, encoding="utf-8")
    before = kept.state()
    for words in (("-a",), ("b.txt",), ("--include", "b.txt"), ("a.txt", "b.txt"), ("-am",)):
        message = () if words == ("-am",) else ("-m",)
        code, said = kept.git("commit", *words[:1], *message, "TSK-1: more", *words[1:], who=AGENT)
        assert (code, "no-secrets-in-commits" in said) == (1, True), words
        assert kept.state() == before
    git(kept.folder, "add", "b.txt")
    (kept.folder / "a.txt").write_text("changed\n", encoding="utf-8")
    before = kept.state()
    assert kept.git("commit", "-qm", "TSK-1: only a", "a.txt", who=AGENT) == (0, "")
    assert git(kept.folder, "show", "--format=", "--name-only", "HEAD") == "a.txt"
    assert git(kept.folder, "diff", "--cached", "--name-only") == "b.txt"


@pytest.mark.parametrize(
    "name", [".llmgenie/policies/mine.yaml", ".cursor/hooks.json", ".claude/settings.json", "sub/.mcp.json"]
)
def test_an_agent_does_not_commit_what_binds_it(kept: Kept, session: str, name: str) -> None:
    stage(kept, name, HARMLESS_POLICY)
    before = kept.state()
    code, said = kept.git("commit", "-m", "TSK-1: loosen", who=AGENT)
    assert (code, f"definitions-need-a-person: {name} belongs to the rules" in said) == (1, True)
    assert kept.state() == before
    assert kept.git("commit", "-qm", "A person may") == (0, "")


def test_merges_take_over_what_was_judged_and_what_they_add_is_judged(kept: Kept, session: str) -> None:
    git(kept.folder, "switch", "-q", "-c", "feature", "topic~1")
    stage(kept, "topic.txt", "another text\n")
    assert kept.git("commit", "-qm", "TSK-1: mine", who=AGENT) == (0, "")
    assert kept.git("merge", "-q", "main", "-m", "no task named", who=AGENT)[0] == 0, "no conflict"
    assert kept.git("merge", "-q", "topic", who=AGENT)[0] != 0
    stage(kept, "topic.txt", f"both, and {SECRET}\n")
    assert "no-secrets-in-commits" in kept.git("commit", "--no-edit", who=AGENT)[1]
    assert (kept.folder / ".git" / "MERGE_HEAD").exists()
    stage(kept, "topic.txt", "both\n")
    assert kept.git("commit", "-q", "--no-edit", who=AGENT) == (0, "")
    assert len(git(kept.folder, "rev-list", "--parents", "-1", "HEAD").split()) == 3


def test_a_person_rebases_and_commits_on_a_detached_head(kept: Kept) -> None:
    git(kept.folder, "switch", "-q", "-c", "feature", "topic~1")
    for number in (1, 2):
        stage(kept, "topic.txt", f"mine {number}\n")
        assert kept.git("commit", "-qm", f"mine {number}") == (0, "")
    assert kept.git("rebase", "-q", "topic")[0] != 0
    stage(kept, "topic.txt", "both\n")
    assert kept.git("commit", "-qm", "both") == (0, ""), "HEAD is detached here"
    code, said = kept.git("rebase", "--continue")
    assert "llmgenie" not in said
    assert code != 0, "the second one conflicts too"
    stage(kept, "topic.txt", "both again\n")
    assert kept.git("rebase", "--continue")[0] == 0
    assert git(kept.folder, "rev-parse", "--abbrev-ref", "HEAD") == "feature"


def test_while_the_definitions_are_broken_a_commit_is_refused_with_the_file(kept: Kept) -> None:
    (kept.folder / ".llmgenie" / "policies").mkdir(exist_ok=True)
    (kept.folder / ".llmgenie" / "policies" / "mine.yaml").write_text("name: mine\nlevel: never\n", encoding="utf-8")
    stage(kept)
    code, said = kept.git("commit", "-m", "x")
    assert (code, "mine.yaml:2:" in said) == (1, True)


# What a person approved.


def test_a_reviewed_merge_carries_no_unreviewed_commit_of_main_along(
    repo: Path, tmp_path: Path, open_engine: Callable[..., Engine]
) -> None:
    remote = tmp_path / "origin.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(remote))
    git(repo, "remote", "add", "origin", remote.as_uri())
    git(repo, "push", "-q", "origin", "main")
    stage(Kept(repo, remote), "slipped_in.txt")
    git(repo, "commit", "-q", "-m", "nobody looked at it")
    data("init", "--yes", "--agent", "none", project=repo)
    kept, engine = Kept(repo, remote), open_engine(repo)
    one = reviewing(engine, repo)
    for action in ("start_review", "run_tests", "submit", "request_approval"):
        assert engine.run_action(action, session=one).ok
    assert engine.decide_approval("APR-1", True, person="ada", channel="terminal").ok
    merged = engine.run_action("merge", {"branch": "main"}, session=one)
    assert "Below it main has commits that no remote has and no review covered (1, " in merged.result["note"]
    assert "no-direct-push" in kept.git("push", "origin", "main")[1]
    git(repo, "push", "-q", "--no-verify", "origin", "main~1:main")
    assert kept.git("push", "-q", "origin", "main") == (0, ""), "a person brought the other one there"


@BOTH
def test_the_reviewed_merge_may_be_pushed_to_main_and_nothing_on_top_of_it(
    repo: Path, tmp_path: Path, open_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch, who: dict[str, str]
) -> None:
    remote = tmp_path / "origin.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(remote))
    git(repo, "remote", "add", "origin", remote.as_uri())
    git(repo, "push", "-q", "origin", "main")
    kept, engine = Kept(repo, remote), open_engine(repo)
    one = reviewing(engine, repo)
    data("init", "--yes", "--agent", "none", project=repo)
    for name, value in who.items():
        monkeypatch.setenv(name, value)  # the server runs where the agent does
    for action in ("start_review", "run_tests", "submit", "request_approval"):
        assert engine.run_action(action, session=one).ok
    assert kept.git("push", "origin", "feature/x:main", who=who)[0] != 0, "nobody approved it yet"
    assert engine.decide_approval("APR-1", True, person="ada", channel="terminal").ok
    before = kept.refs()
    assert "no-direct-push" in kept.git("push", "origin", "feature/x:main", who=who)[1]
    assert kept.refs() == before
    merged = engine.run_action("merge", {"branch": "main"}, session=one)
    assert merged.ok, merged
    assert kept.git("push", "-q", "origin", "main", who=who) == (0, "")
    assert kept.refs() == f"refs/heads/main {merged.result['commit']}"
    stage(kept, "on_top.txt")
    git(repo, "commit", "-q", "--no-verify", "-m", "on top")
    assert "no-direct-push" in kept.git("push", "origin", "main", who=who)[1]
    assert kept.git("push", "--force", "origin", f"{merged.result['commit']}~1:main", who=who)[0] != 0
    assert kept.refs() == f"refs/heads/main {merged.result['commit']}"
