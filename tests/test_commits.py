"""What is about to be committed or pushed, and what was, in real repositories and from real hooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scene import commit, git

import llmgenie_mcp
from llmgenie_mcp.commits import Change, Commit, in_range, message, staged, tasks_named
from llmgenie_mcp.errors import ProjectError, UsageError
from llmgenie_mcp.operations import Operation

TOKEN = "ghp_" + "a1B2c3D4e5" * 4
STRANGE = [
    "a b.txt",
    "tab\there",
    'quo"te',
    "back\\slash",
    "new\nline",
    "é.txt",
    "-dash",
    "b/ +++ x",
    "\udcff.bin",
    " lead",
]


def put(folder: Path, name: str, text: str | bytes) -> None:
    """Write a file and stage it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    subprocess.run(["git", "-C", str(folder), "add", "-f", "--", os.fsencode(name)], check=True)


def files(operations: list[Operation]) -> set[tuple[str, str]]:
    """The operations on files, as (name, path)."""
    assert all(one.params["kind"] == "committed" for one in operations[1:])
    return {(one.name, one.params["path"]) for one in operations[1:]}


def only(repo: Path, revisions: str = "HEAD~1..HEAD") -> Commit:
    (found,) = in_range(repo, revisions)
    return found


# -- staged ----------------------------------------------------------------------------------------------------------


def test_what_is_staged_is_one_commit_and_an_operation_for_each_path(repo: Path) -> None:
    commit(repo, "old.txt", "1\n2\n3\n4\n5\n")
    commit(repo, "gone.txt")
    git(repo, "switch", "-q", "-c", "feature/x")
    put(repo, "new.txt", "x\n")
    put(repo, "README.md", "changed\n")
    git(repo, "rm", "-q", "gone.txt")
    git(repo, "mv", "old.txt", "moved.txt")
    (repo / "unstaged.txt").write_text("not yet\n", encoding="utf-8")
    found = staged(repo)
    assert found[0].name == "git.commit"
    assert found[0].params == {
        "branch": "feature/x", "no_verify": False, "secrets": [], "secret_paths": [], "unread": [],
        "paths": ["README.md", "gone.txt", "moved.txt", "new.txt", "old.txt"],
    }  # fmt: skip
    assert files(found) == {
        ("file.write", "README.md"), ("file.write", "new.txt"), ("file.write", "moved.txt"),
        ("file.delete", "gone.txt"), ("file.write", "old.txt"),
    }  # fmt: skip


def test_the_first_commit_of_a_repository_is_read_too(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "start", "--template=")
    put(tmp_path, "a.txt", f"{TOKEN}\n")
    (first, second) = staged(tmp_path)
    assert (first.params["branch"], second.params["path"]) == ("start", "a.txt")
    assert first.params["secrets"] == [{"path": "a.txt", "line": 1, "kind": "github_token"}]
    git(tmp_path, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "-m", "first")
    assert [one.changes for one in in_range(tmp_path, f"{'0' * 40}..HEAD")] == [(Change("a.txt", "A"),)]


def test_nothing_staged_is_a_commit_of_nothing(repo: Path) -> None:
    (found,) = staged(repo)
    assert found.params["paths"] == []


def test_outside_git_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProjectError):
        staged(tmp_path)
    with pytest.raises(ProjectError):
        staged(tmp_path / "missing")


def test_paths_are_told_from_the_folder_one_is_in(repo: Path) -> None:
    put(repo, "sub/a.txt", f"{TOKEN}\n")
    put(repo, "b.txt", "b\n")
    found = staged(repo / "sub")
    assert files(found) == {("file.write", "a.txt"), ("file.write", "../b.txt")}
    assert [one["path"] for one in found[0].params["secrets"]] == ["a.txt"]


@pytest.mark.parametrize("name", STRANGE)
def test_every_path_that_a_file_can_have_is_told_as_it_is(repo: Path, name: str) -> None:
    put(repo, name, f"one\ntoken {TOKEN}\n")
    found = staged(repo)
    assert found[0].params["paths"] == [name]
    assert found[0].params["secrets"] == [{"path": name, "line": 2, "kind": "github_token"}]
    git(repo, "commit", "-q", "-m", "strange")
    assert only(repo).changes == (Change(name, "A"),)
    assert only(repo).secrets == ({"path": name, "line": 2, "kind": "github_token"},)


# -- from a real hook ------------------------------------------------------------------------------------------------

HOOK = """#!{python}
import json, os, pathlib, sys
sys.path.insert(0, {source!r})
from llmgenie_mcp.commits import message, staged
place = pathlib.Path.cwd()
if sys.argv[0].endswith("commit-msg"):
    out = message(place, pathlib.Path(sys.argv[1]), edited=os.environ.get("GIT_EDITOR") != ":")
else:
    out = [[one.name, dict(one.params)] for one in staged(place, os.environ.get("GIT_INDEX_FILE"))]
pathlib.Path({answer!r}).write_text(json.dumps(out), encoding="utf-8")
"""


@pytest.fixture
def hooked(repo: Path, tmp_path: Path) -> Path:
    """A repository whose hooks pre-commit and commit-msg write down what they are told; returns the file they write."""
    answer = tmp_path / "answer.json"
    text = HOOK.format(python=sys.executable, source=str(Path(llmgenie_mcp.__file__).parent.parent), answer=str(answer))
    for name in ("pre-commit", "commit-msg"):
        hook = repo / ".git" / "hooks" / name
        hook.write_text(text, encoding="utf-8")
        hook.chmod(0o755)
    return answer


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-a"], ["README.md", "file.txt"]),
        (["README.md"], ["README.md"]),
        (["-i", "file.txt"], ["file.txt", "staged.txt"]),
    ],
)
def test_a_commit_that_uses_an_index_of_its_own_is_read_from_that(
    repo: Path, hooked: Path, arguments: list[str], expected: list[str]
) -> None:
    (repo / ".git" / "hooks" / "commit-msg").unlink()
    commit(repo, "file.txt")
    for name in ("README.md", "file.txt"):
        (repo / name).write_text("changed\n", encoding="utf-8")
    if "-i" in arguments or "README.md" in arguments:
        put(repo, "staged.txt", "s\n")
    git(repo, "commit", "-q", "-m", "x", *arguments)
    assert json.loads(hooked.read_text(encoding="utf-8"))[0][1]["paths"] == expected
    assert [change.path for change in only(repo).changes] == expected


# settings, how it is committed, the message as typed
MESSAGES: list[tuple[dict[str, str], list[str], str]] = [
    ({}, ["-F"], "TSK-1 fix\n\nbody\n"),
    ({}, ["-F"], "#5 not a comment  \n\n\n\nbody\n\n"),
    ({}, ["-e", "-F"], "TSK-1 fix\n\n# a comment TSK-2\nbody\n # kept\n"),
    ({"core.commentChar": ";"}, ["-e", "-F"], "# heading\n; a comment\nbody\n"),
    ({"core.commentChar": "auto"}, ["-e", "-F"], "# heading\n\nbody\n"),
    ({"commit.verbose": "true"}, ["-e", "-F"], "TSK-1 fix\n\nbody\n"),
    ({"commit.cleanup": "scissors"}, ["-e", "-F"], "# heading\n\nbody\n"),
    ({"commit.cleanup": "whitespace"}, ["-e", "-F"], "fix\n\n\n\n# kept\n"),
    ({"commit.cleanup": "strip"}, ["-F"], "fix\n# a comment\nbody\n"),
    ({"commit.cleanup": "verbatim"}, ["-F"], "  fix  \n\n\n# kept\n"),
]


@pytest.mark.parametrize(("settings", "arguments", "typed"), MESSAGES)
def test_the_message_is_the_one_that_git_will_keep(
    repo: Path,
    hooked: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    arguments: list[str],
    typed: str,
) -> None:
    (repo / ".git" / "hooks" / "pre-commit").unlink()
    for key, value in settings.items():
        git(repo, "config", key, value)
    monkeypatch.setenv("EDITOR", "true")
    file = tmp_path / "typed.txt"
    file.write_text(typed, encoding="utf-8")
    put(repo, "x.txt", "diff text TSK-9\n")
    git(repo, "commit", "-q", *arguments, str(file))
    kept = subprocess.run(
        ["git", "-C", str(repo), "log", "-1", "--format=%B"], capture_output=True, text=True, encoding="utf-8"
    )
    said = json.loads(hooked.read_text(encoding="utf-8"))
    assert said.rstrip("\n") == kept.stdout.rstrip("\n")


def test_a_message_in_another_encoding_is_read(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"caf\xe9 TSK-1\n")
    assert message(repo, tmp_path / "m") == "caf\N{REPLACEMENT CHARACTER} TSK-1"


# -- merges ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def merging(repo: Path) -> Path:
    """A merge with a conflict, resolved and staged: theirs.txt came along, shared.txt was resolved, evil.txt was added."""
    commit(repo, "shared.txt", "1\n2\n3\n")
    git(repo, "switch", "-q", "-c", "side")
    commit(repo, "theirs.txt", f"{TOKEN}\n", "side")
    commit(repo, "shared.txt", "1\nside\n3\n", "side too")
    git(repo, "switch", "-q", "main")
    commit(repo, "shared.txt", "1\nmain\n3\n", "ours")
    subprocess.run(["git", "-C", str(repo), "merge", "-q", "side"], capture_output=True)
    put(repo, "shared.txt", f"1\nboth {TOKEN}\n3\n")
    put(repo, "evil.txt", "x\npassword=hunter2hunter2\n")
    return repo


def test_a_merge_that_is_concluded_is_judged_by_its_own_resolution(merging: Path) -> None:
    found = staged(merging)
    assert files(found) == {("file.write", "shared.txt"), ("file.write", "evil.txt")}
    assert {(one["path"], one["line"]) for one in found[0].params["secrets"]} == {("shared.txt", 2), ("evil.txt", 2)}


def test_a_merge_in_a_range_is_judged_by_its_own_resolution(merging: Path) -> None:
    git(merging, "commit", "-q", "-m", "Merge side")
    found = {one.subject: one for one in in_range(merging, "main~1..main", "topic")}
    assert set(found) == {"side", "side too", "Merge side"}
    merge = found["Merge side"]
    assert len(merge.parents) == 2
    assert {(one.path, one.status) for one in merge.changes} == {("evil.txt", "A"), ("shared.txt", "M")}
    assert {(one["path"], one["line"]) for one in merge.secrets} == {("shared.txt", 2), ("evil.txt", 2)}
    assert found["side"].secrets == ({"path": "theirs.txt", "line": 1, "kind": "github_token"},)


def test_a_merge_need_not_name_a_task_and_other_commits_must(merging: Path) -> None:
    git(merging, "commit", "-q", "-m", "Merge side")
    missing = {one.subject: one.operations([])[0].params["task_missing"] for one in in_range(merging, "main~1..main")}
    assert missing == {"side": True, "side too": True, "Merge side": False}
    assert not only(merging, "side~1..side").operations(["TSK-1"])[0].params["task_missing"]
    assert not only(merging, "side~1..side").operations()[0].params["task_missing"]


# -- ranges ----------------------------------------------------------------------------------------------------------


def test_a_range_tells_each_commit_in_order(repo: Path) -> None:
    base = git(repo, "rev-parse", "HEAD")
    first = commit(repo, "a.txt", "1\n2\n3\n4\n5\n", "TSK-1 add a\n\nwith a body\x1f\n\n- and a list")
    git(repo, "mv", "a.txt", "b.txt")
    git(repo, "rm", "-q", "README.md")
    second = commit(repo, "c.txt", "c\n", "second")
    found = in_range(repo, f"{base}..HEAD", "feature/x")
    assert [one.oid for one in found] == [first, second]
    assert found[0] == Commit(
        first, (base,), "Ada <ada@example.org>", "TSK-1 add a", "TSK-1 add a\n\nwith a body\x1f\n\n- and a list",
        "feature/x", (Change("a.txt", "A"),), (), (),
    )  # fmt: skip
    assert set(found[1].changes) == {Change("README.md", "D"), Change("b.txt", "R", "a.txt"), Change("c.txt", "A")}
    assert files(found[1].operations()) == {
        ("file.delete", "README.md"), ("file.write", "a.txt"), ("file.write", "b.txt"), ("file.write", "c.txt"),
    }  # fmt: skip


def test_a_commit_in_another_encoding_and_without_a_message_is_read(repo: Path) -> None:
    git(repo, "-c", "i18n.commitEncoding=latin-1", "commit", "-q", "--allow-empty", "-m", "plain")
    raw = b"tree %s\nparent %s\nauthor J\xf6rg <j@x> 1 +0000\ncommitter J\xf6rg <j@x> 1 +0000\nencoding latin-1\n\ncaf\xe9\n"
    tree, parent = (git(repo, "rev-parse", name).encode() for name in ("HEAD^{tree}", "HEAD"))
    made = subprocess.run(
        ["git", "-C", str(repo), "hash-object", "-t", "commit", "-w", "--stdin"], input=raw % (tree, parent), capture_output=True
    ).stdout.decode().strip()  # fmt: skip
    empty = subprocess.run(
        ["git", "-C", str(repo), "commit-tree", "HEAD^{tree}", "-p", made], input=b"", capture_output=True
    ).stdout.decode().strip()  # fmt: skip
    found = in_range(repo, f"HEAD..{empty}")
    assert [(one.author, one.subject, one.message) for one in found] == [
        ("Jörg <j@x>", "café", "café"),
        ("Ada <ada@example.org>", "", ""),
    ]


def test_a_branch_that_is_new_is_judged_from_where_the_others_end(repo: Path) -> None:
    git(repo, "switch", "-q", "-c", "feature/x")
    mine = commit(repo, "x.txt")
    git(repo, "branch", "same")
    assert [one.oid for one in in_range(repo, f"{'0' * 40}..{mine}")] == [mine]


@pytest.mark.parametrize(
    "given", ["HEAD", "main...HEAD", "--all..HEAD", "HEAD..--output=x", "a..b..c", "nope..HEAD", "..nope", "a\0..b"]
)
def test_what_is_no_range_is_refused(repo: Path, given: str) -> None:
    with pytest.raises(UsageError) as caught:
        in_range(repo, given)
    assert caught.value.hint


def test_an_end_that_is_left_out_is_head(repo: Path) -> None:
    mine = commit(repo, "x.txt")
    assert [one.oid for one in in_range(repo, "HEAD~1..")] == [mine]
    assert in_range(repo, "..HEAD") == []


@pytest.mark.parametrize("given", ["{first}..HEAD", "{zeros}..HEAD", "HEAD~1..HEAD"])
def test_a_shallow_clone_is_told_how_to_become_whole(repo: Path, tmp_path: Path, given: str) -> None:
    first = git(repo, "rev-parse", "HEAD")
    for name in ("a.txt", "b.txt"):
        commit(repo, name)
    git(tmp_path, "clone", "-q", "--depth=1", repo.as_uri(), str(tmp_path / "shallow"))
    with pytest.raises(UsageError) as caught:
        in_range(tmp_path / "shallow", given.format(first=first, zeros="0" * 40))
    assert "fetch-depth: 0" in caught.value.hint
    git(tmp_path / "shallow", "fetch", "-q", "--unshallow")
    assert len(in_range(tmp_path / "shallow", f"{first}..HEAD")) == 2


# -- tasks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("TSK-1 fix", ["TSK-1"]),
        ("fix (TSK-12), see TSK-1.\n\nRefs: BUG-7, TSK-12", ["TSK-12", "TSK-1", "BUG-7"]),
        ("feature/TSK-3: x", ["TSK-3"]),
        ("[TSK-4] x", ["TSK-4"]),
        ("#TSK-5", ["TSK-5"]),
        ("XTSK-1 TSK-1x TSK-1-2 pre-TSK-1 TSK_1 tsk-1 TSK- TSK-99", []),
        ("UTF-8 and SHA-256", []),
        ("", []),
    ],
)
def test_tasks_are_named_as_whole_words(text: str, named: list[str]) -> None:
    known = {"TSK-1", "TSK-3", "TSK-4", "TSK-5", "TSK-12", "BUG-7"}
    assert tasks_named(text, known.__contains__) == named
