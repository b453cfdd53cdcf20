"""Which folder is the project: named, from the environment, from git; and folders that are none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from scene import codes, commit, git, make_repository, started

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import ProjectError, StorageReadOnly
from llmgenie_mcp.project import main_checkout, resolve

Open = Callable[..., Engine]


def test_a_named_folder_is_the_project_git_or_not(tmp_path: Path) -> None:
    found = resolve(tmp_path)
    assert (found.root, found.store, found.name) == (tmp_path, tmp_path / ".llmgenie", tmp_path.name)
    assert found.source == "the project argument"
    assert not found.store.exists(), "nothing is written by looking"


def test_a_named_folder_goes_over_the_environment_and_that_over_the_current_folder(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository(tmp_path / "other")
    monkeypatch.chdir(repo)
    assert resolve().root == repo
    monkeypatch.setenv("LLMGENIE_PROJECT", str(other))
    assert resolve().root == other
    assert "LLMGENIE_PROJECT" in resolve().source
    assert resolve(repo).root == repo


def test_the_current_folder_stands_for_the_git_top_level_above_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = repo / "src" / "deep"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert resolve().root == repo


def test_home_and_the_root_are_no_projects_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (Path.home(), Path("/")):
        monkeypatch.chdir(place)
        with pytest.raises(ProjectError) as error:
            resolve()
        assert "--project" in error.value.hint


def test_a_current_folder_that_was_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ProjectError):
        resolve()


BAD = {
    "${workspaceFolder}": "placeholder",
    "/x/${workspaceFolder}/y": "placeholder",
    "": "write the path out",
    "   ": "write the path out",
    "a\0b": "write the path out",
    "/no/such/folder": "Make the folder first",
    "~nobody-of-that-name/x": "",
    "\ud800": "",
    "x" * 5000: "",
    "/dev/null": "",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_is_no_folder_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProjectError) as error:
        resolve(text)
    assert BAD[text] in error.value.hint
    assert len(error.value.message) < 500
    if "\0" not in text and text != "\ud800" and text:
        monkeypatch.setenv("LLMGENIE_PROJECT", text)
        with pytest.raises(ProjectError) as error:
            resolve()
        assert "LLMGENIE_PROJECT" in error.value.message


def test_a_file_and_a_ring_of_links_are_no_projects(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    for name, words in [("file", "is a file"), ("ring", "cannot be read"), ("file/below", "")]:
        with pytest.raises(ProjectError) as error:
            resolve(tmp_path / name)
        assert words in error.value.message


@pytest.mark.parametrize("name", ["with space", "ünï-codé-做-🦀", "new\nline", "-dash", "quote'\"", "%41", "a:b"])
def test_odd_names_work_from_end_to_end(name: str, tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(make_repository(tmp_path / name))
    session = started(engine, mode="review")
    assert engine.workflow_state(session)["session"]["branch"] == "main"
    assert engine.run_action("create_task", {"title": "x"}).ok
    assert engine.workflow_state()["project"]["name"] == name


def test_a_folder_inside_a_project_is_refused_unless_it_is_a_repository_or_has_a_store(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(engine)
    inside = repo / "packages" / "one"
    inside.mkdir(parents=True)
    with pytest.raises(ProjectError) as error:
        resolve(inside)
    assert f"--project {repo}" in error.value.hint
    (inside / ".llmgenie").mkdir()
    assert resolve(inside).root == inside
    vendored = make_repository(repo / "vendored")
    assert resolve(vendored).root == vendored


def test_the_current_folder_inside_a_project_without_git_is_not_a_second_one(
    tmp_path: Path, open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(open_engine(tmp_path))
    inside = tmp_path / "src"
    inside.mkdir()
    monkeypatch.chdir(inside)
    with pytest.raises(ProjectError) as error:
        resolve()
    assert str(tmp_path) in error.value.hint


def test_a_link_to_a_project_is_that_project(repo: Path, tmp_path: Path, open_engine: Open) -> None:
    link = tmp_path / "link"
    link.symlink_to(repo)
    assert resolve(link) == resolve(repo)


def test_a_linked_worktree_shares_the_store_of_the_main_checkout(repo: Path, tmp_path: Path) -> None:
    worktree = tmp_path / "trees" / "x"
    git(repo, "worktree", "add", "-q", "-b", "x", str(worktree))
    found = resolve(worktree)
    assert (found.root, found.store, found.name) == (worktree, repo / ".llmgenie", "demo")
    assert resolve(worktree / "..").root == tmp_path / "trees", "only the worktree itself"


def test_a_worktree_inside_the_project_is_no_nested_project(engine: Engine, repo: Path) -> None:
    started(engine)
    git(repo, "worktree", "add", "-q", "-b", "x", str(repo / ".worktrees" / "x"))
    assert resolve(repo / ".worktrees" / "x").store == repo / ".llmgenie"


def test_a_submodule_has_a_store_of_its_own(repo: Path, tmp_path: Path) -> None:
    library = make_repository(tmp_path / "library")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "lib")
    (repo / ".llmgenie").mkdir()
    assert resolve(repo / "lib").store == repo / "lib" / ".llmgenie"


def test_a_separate_git_folder_and_a_broken_pointer_do_not_confuse(repo: Path, tmp_path: Path) -> None:
    separate = tmp_path / "work"
    git(tmp_path, "init", "-q", "--separate-git-dir", str(tmp_path / "elsewhere"), str(separate))
    assert resolve(separate).store == separate / ".llmgenie"
    pointers = [b"gitdir: /no/where", b"nonsense", b"", b"\xff\xfe", b"gitdir: ring", b"gitdir: a\0b"]
    for number, content in enumerate(pointers):
        broken = tmp_path / f"broken{number}"
        broken.mkdir()
        (broken / "ring").symlink_to("ring")
        (broken / ".git").write_bytes(content)
        assert main_checkout(broken) == broken
        assert resolve(broken).store == broken / ".llmgenie"


def test_a_worktree_of_a_bare_repository_keeps_its_own_store(repo: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(bare))
    git(bare, "worktree", "add", "-q", str(tmp_path / "wt"), "main")
    assert resolve(tmp_path / "wt").store == tmp_path / "wt" / ".llmgenie"


def test_a_bare_repository_is_no_project_and_gets_no_store(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(bare))
    before = sorted(bare.rglob("*"))
    with pytest.raises(ProjectError, match="is a bare git repository") as refused:
        Engine.open(bare)
    assert f"git -C {bare} worktree add" in refused.value.hint
    for here in (bare, bare / "hooks"):
        monkeypatch.chdir(here)
        with pytest.raises(ProjectError, match="is a bare git repository"):
            resolve()
    assert sorted(bare.rglob("*")) == before
    (bare / ".llmgenie").mkdir()  # made by an earlier version: it goes on
    assert resolve(bare).store == bare / ".llmgenie"
    monkeypatch.chdir(repo / ".git" / "hooks")
    assert resolve().root == repo


def world(kind: str, folder: Path) -> Path:
    """A project folder whose git is of an unusual kind."""
    if kind == "no git":
        folder.mkdir()
    elif kind == "unborn":
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
    else:
        make_repository(folder)
        if kind == "detached":
            git(folder, "checkout", "-q", "--detach")
        elif kind == "tag named as the branch":
            git(folder, "tag", "main")
        elif kind == "damaged":
            (folder / ".git" / "HEAD").write_text("garbage", encoding="utf-8")
        elif kind == "merging":
            git(folder, "switch", "-q", "-c", "other")
            commit(folder, "f", "other\n")
            git(folder, "switch", "-q", "main")
            commit(folder, "f", "main\n")
            git(folder, "config", "merge.conflictStyle", "merge")
            assert os.system(f"git -C '{folder}' merge -q other >/dev/null 2>&1") != 0
    return folder


KINDS = ["no git", "unborn", "detached", "tag named as the branch", "damaged", "merging"]


@pytest.mark.parametrize("kind", KINDS)
def test_in_every_world_the_whole_api_answers(kind: str, tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(world(kind, tmp_path / "p"))
    session = started(engine, mode="review")
    assert engine.run_action("create_task", {"title": "x"}, session=session).ok
    for context in (None, "review", "release", "review/approved"):
        engine.available_actions(context, session, include_blocked=True)
    outcome = engine.run_action("start_review", session=session)
    no_branch = kind in ("no git", "unborn", "detached", "damaged")
    assert codes(outcome) == (["not_configured"] if no_branch else []), outcome
    for action in ("submit", "run_tests", "approve", "request_approval", "publish"):
        assert engine.run_action(action, session=session).status == "denied"
    assert engine.run_action("merge", {"branch": "main"}, session=session).status == "denied"
    for operation in ("git.push", "git.commit", "git.merge"):
        assert engine.enforce(None, operation, session=session).effect == "deny", operation
    engine.trigger_event("ci.finished")
    assert engine.workflow_state(session)["mode"] == "review"


def test_a_store_opened_for_reading_answers_and_refuses_to_write(engine: Engine, repo: Path, open_engine: Open) -> None:
    engine.run_action("create_task", {"title": "x"})
    reader = open_engine(repo, read_only=True)
    assert reader.context_data("tasks")["total"] == 1
    assert reader.available_actions()["actions"]
    with pytest.raises(StorageReadOnly):
        reader.run_action("create_task", {"title": "y"})
    assert reader.context_data("tasks")["total"] == 1


def test_reading_a_fresh_folder_writes_nothing(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    engine.available_actions(include_blocked=True)
    engine.workflow_state()
    engine.enforce(None, "git.push")
    engine.context_data("tasks")
    engine.run_action("list_tasks")
    engine.close()
    assert list(tmp_path.iterdir()) == []
