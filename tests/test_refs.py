"""Where a push goes: git itself is asked, over real remotes, and must say the same."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from push_scene import HEADS, TAGS, UNSHARED, Clone, make_clone
from scene import git

from llmgenie_mcp.operations import Operation
from llmgenie_mcp.refs import MOST, destinations
from llmgenie_mcp.repository import current_branch


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_clone(tmp_path_factory.mktemp("push"))


RULES = ("", "simple", "current", "upstream", "matching", "nothing")
UPSTREAMS: dict[str, list[str]] = {
    "none": [],
    "same": ["branch.topic.remote=origin", "branch.topic.merge=refs/heads/topic"],
    "main": ["branch.topic.remote=origin", "branch.topic.merge=refs/heads/main"],
    "fork": ["branch.topic.remote=fork", "branch.topic.merge=refs/heads/other"],
    "two": ["branch.topic.remote=origin", "branch.topic.merge=refs/heads/topic", "branch.topic.merge=refs/heads/main"],
}
REMOTES: dict[str, list[str]] = {
    "": [],
    "pushDefault": ["remote.pushDefault=fork"],
    "pushRemote": ["branch.topic.pushRemote=fork"],
}
REFSPECS: dict[str, list[str]] = {
    "wildcard": ["refs/heads/*:refs/heads/*"],
    "renaming": ["refs/heads/*:refs/heads/team/*"],
    "forced": ["+refs/heads/t*:refs/heads/t*"],
    "without a side": ["refs/heads/*"],
    "middle": ["refs/heads/*ic:refs/heads/*al"],
    "elsewhere": ["refs/heads/*:refs/for/*"],
    "HEAD to main": ["HEAD:refs/heads/main"],
    "HEAD": ["HEAD"],
    "at": ["@"],
    "one": ["refs/heads/topic:refs/heads/main"],
    "short": ["topic"],
    "short to short": ["topic:main"],
    "matching": [":"],
    "all but main": ["refs/heads/*", "^refs/heads/main"],
    "all but some": ["refs/heads/*", "^refs/heads/t*"],
    "renaming, but one": ["refs/heads/*:refs/heads/team/*", "^refs/heads/topic"],
    "two": ["refs/heads/topic:refs/heads/a", "refs/heads/other:refs/heads/b"],
    "first wins": ["refs/heads/t*:refs/heads/one/*", "refs/heads/*:refs/heads/two/*"],
    "tags": ["refs/tags/*:refs/tags/*"],
    "deleting": [":refs/heads/theirs"],
    "branch and tag": ["both"],
}  # fmt: skip


def unshared(rule: str) -> set[str]:
    return {UNSHARED} if rule == "matching" else set()


def agree(clone: Clone, arguments: list[str], params: dict[str, Any], undecided: set[str] | None = None) -> None:
    """Git and `destinations` name the same refs, but for what cannot be told here; where git refuses, something is named."""
    real, ours = clone.really(*arguments), clone.resolved(**params)
    assert ours
    if real is not None:
        assert real <= ours
        assert ours - real <= (undecided or set())


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("rule", RULES)
def test_a_bare_push_goes_where_git_says(clone: Clone, rule: str, upstream: str) -> None:
    default = [f"push.default={rule}"] if rule else []
    for how, named in [*product(REMOTES, ([], ["origin"])), ("", ["fork"])]:
        clone.set("topic", *default, *UPSTREAMS[upstream], *REMOTES[how])
        agree(clone, named, {"unresolved": "default", "remote": "".join(named)}, unshared(rule))


@pytest.mark.parametrize("head", ["main", "detached", "unborn"])
@pytest.mark.parametrize("rule", RULES)
def test_another_head_makes_another_push(clone: Clone, rule: str, head: str) -> None:
    clone.set(
        head,
        *([f"push.default={rule}"] if rule else []),
        "branch.main.remote=origin",
        "branch.main.merge=refs/heads/other",
    )
    for named in ([], ["fork"], [str(clone.remotes["fork"])], ["."]):
        agree(clone, named, {"unresolved": "default", "remote": "".join(named)}, unshared(rule))


@pytest.mark.parametrize("case", REFSPECS)
@pytest.mark.parametrize("head", ["topic", "detached"])
def test_the_refspecs_of_a_remote_are_followed(clone: Clone, head: str, case: str) -> None:
    clone.set(
        head, *(f"remote.origin.push={spec}" for spec in REFSPECS[case]), "push.default=upstream", *UPSTREAMS["main"]
    )
    for named in ([], ["origin"], ["fork"]):
        agree(clone, named, {"unresolved": "default", "remote": "".join(named)}, unshared(case))
    agree(clone, ["origin", "HEAD"], {"unresolved": "HEAD", "remote": "origin"})
    negative = {f"{HEADS}main", f"{HEADS}team/topic"} if "but" in case else set()
    agree(clone, ["origin", "topic"], {"branch": "topic", "refspec": "topic", "remote": "origin"}, negative)
    agree(clone, ["origin", "+topic"], {"branch": "topic", "refspec": "+topic", "force": True, "remote": "origin"})
    agree(clone, ["--all", "origin"], {"unresolved": "branches", "remote": "origin"})


# refspec as written, what the other side alone decides between
GIVEN: list[tuple[str, set[str]]] = [
    ("main", set()),
    ("heads/main", set()),
    ("refs/heads/main", set()),
    ("topic", set()),
    ("v1", set()),
    ("tags/v1", set()),
    ("both", set()),
    ("HEAD", set()),
    ("@", set()),
    ("HEAD:main", set()),
    ("@:main", set()),
    ("HEAD:refs/heads/new", set()),
    ("HEAD:new", set()),
    ("HEAD~1:main", set()),
    ("HEAD~1:refs/heads/x", set()),
    ("HEAD~1:x", set()),
    ("topic:heads/main", {f"{HEADS}heads/main"}),
    ("topic:heads/new", {"refs/heads/new"}),
    ("v1:main", {f"{TAGS}main"}),
    ("v1:v2", {f"{HEADS}v2"}),
    ("topic:v1", {f"{HEADS}v1"}),
    ("topic:refs/for/main", set()),
    (":theirs", set()),
    (":refs/heads/theirs", set()),
    (":v1", {f"-{HEADS}v1"}),
    ("refs/remotes/origin/topic:refs/heads/new", set()),
    ("origin/topic:main", set()),
    ("origin/topic", set()),
    ("refs/heads/t*:refs/heads/u*", set()),
    ("refs/heads/*", set()),
    ("nothing", set()),
    (":", {UNSHARED}),
    ("+main", set()),
]  # fmt: skip


@pytest.mark.parametrize("spec", GIVEN, ids=lambda case: case[0])
@pytest.mark.parametrize("head", ["topic", "detached"])
def test_a_given_refspec_goes_where_git_says(clone: Clone, head: str, spec: tuple[str, set[str]]) -> None:
    text, undecided = spec
    clone.set(head)
    real, ours = (
        clone.really("origin", text),
        clone.resolved(branch=text.rpartition(":")[2], refspec=text, remote="origin"),
    )
    assert (real or set()) <= ours
    if real:
        assert ours - real <= undecided


@pytest.mark.parametrize("branch", ["main", "topic", "v1", "heads/main", "mine", "new"])
@pytest.mark.parametrize("source", ["{}", "HEAD:{}", "other:{}"])
@pytest.mark.parametrize("rule", ["simple", "upstream"])
def test_a_push_known_only_by_its_destination_covers_what_git_would_write(
    clone: Clone, rule: str, source: str, branch: str
) -> None:
    clone.set("topic", f"push.default={rule}", *UPSTREAMS["main"])
    assert (clone.really("origin", source.format(branch)) or set()) <= clone.resolved(branch=branch, remote="origin")


def test_a_branch_that_tracks_main_is_pushed_to_main_by_its_own_name_under_upstream(clone: Clone) -> None:
    clone.set("topic", "push.default=upstream", *UPSTREAMS["main"])
    assert clone.really("origin", "topic") == {f"{HEADS}main"}
    assert f"{HEADS}main" in clone.resolved(branch="topic", remote="origin")


def test_a_setting_for_one_command_counts(clone: Clone) -> None:
    clone.set("topic", *UPSTREAMS["main"])
    assert clone.really(options=["-c", "push.default=upstream"]) == {f"{HEADS}main"}
    assert clone.resolved(unresolved="default", config=[("push.default", "upstream")]) == {f"{HEADS}main"}
    assert clone.resolved(unresolved="default") == {f"{HEADS}topic"}


@pytest.mark.parametrize("how", ["--mirror", "setting"])
def test_a_mirror_writes_every_ref_and_deletes_what_is_not_known(clone: Clone, how: str) -> None:
    clone.set("topic", *(["remote.origin.mirror=true"] if how == "setting" else []))
    unresolved = "mirror" if how == "--mirror" else "default"
    real = clone.really(*(["--mirror"] if how == "--mirror" else []), "origin")
    ours = clone.resolved(unresolved=unresolved, remote="origin")
    assert real is not None
    assert {ref for ref in real if not ref.startswith("-")} == ours - {"-?"}
    assert f"-{HEADS}theirs" in real
    assert "-?" in ours
    found = destinations(clone.folder, Operation("git.push", {"unresolved": unresolved, "remote": "origin"}))
    assert all(one.params["force"] for one in found)


def test_a_push_of_all_that_may_be_a_pattern_is_also_one_to_an_unknown_branch(clone: Clone) -> None:
    clone.set("topic")
    assert clone.resolved(unresolved="all", branch=None, remote="") == {
        "?", *(f"{HEADS}{name}" for name in ("main", "topic", "other", "both", "mine"))
    }  # fmt: skip
    assert clone.resolved(unresolved="all", refspec="refs/heads/t*:refs/heads/m*", remote="") == {f"{HEADS}mopic"}


def test_a_remote_that_is_not_known_matters_where_one_has_refspecs(clone: Clone) -> None:
    clone.set("topic")
    (found,) = destinations(
        clone.folder, Operation("git.push", {"unresolved": "default", "branch": "", "remote": None})
    )
    assert found.params == {"branch": "topic", "remote": None, "source": f"{HEADS}topic"}
    clone.set("topic", "remote.fork.push=HEAD:refs/heads/main")
    assert clone.resolved(unresolved="default", remote=None) == {"?"}
    assert clone.resolved(unresolved="HEAD", remote=None) == {f"{HEADS}topic"}


def test_force_comes_from_the_command_or_the_refspec(clone: Clone) -> None:
    clone.set(
        "topic", "remote.origin.push=+refs/heads/t*:refs/heads/t*", "remote.fork.push=refs/heads/t*:refs/heads/t*"
    )
    for remote, given, force in (("origin", {}, True), ("fork", {}, False), ("fork", {"force": True}, True)):
        (found,) = destinations(
            clone.folder, Operation("git.push", {"unresolved": "default", "remote": remote, **given})
        )
        assert bool(found.params.get("force")) is force


def test_what_else_was_known_of_the_push_is_kept_and_the_remote_is_named(clone: Clone) -> None:
    clone.set("topic", *REMOTES["pushDefault"])
    asked = Operation(
        "git.push", {"branch": "", "unresolved": "default", "no_verify": True}, "git push --no-verify", "sub"
    )
    (found,) = destinations(clone.folder, asked)
    assert (found.text, found.folder) == (asked.text, asked.folder)
    assert found.params == {"branch": "topic", "remote": "fork", "no_verify": True, "source": f"{HEADS}topic"}


@pytest.mark.parametrize("kind", ["remotes", "branches"])
def test_a_remote_in_the_old_files_is_not_known(clone: Clone, kind: str) -> None:
    clone.set("topic")
    file = clone.folder / ".git" / kind / "old"
    file.parent.mkdir(exist_ok=True)
    url = clone.remotes["origin"]
    file.write_text(
        f"URL: {url}\nPush: HEAD:refs/heads/main\n" if kind == "remotes" else f"{url}#main\n", encoding="utf-8"
    )
    assert clone.really("old") == {f"{HEADS}main"}
    assert clone.resolved(unresolved="default", remote="old") == {"?"}
    file.unlink()


def test_a_branch_that_is_a_link_to_another_is_that_one(clone: Clone) -> None:
    clone.set("alias")
    (clone.folder / ".git" / "refs" / "heads" / "alias").write_text("ref: refs/heads/main\n", encoding="utf-8")
    try:
        assert current_branch(clone.folder) == git(clone.folder, "symbolic-ref", "--short", "HEAD") == "main"
        agree(clone, [], {"unresolved": "default"})
    finally:
        (clone.folder / ".git" / "refs" / "heads" / "alias").unlink()


def test_the_only_remote_there_is_is_the_default_where_git_takes_it(tmp_path: Path, clone: Clone) -> None:
    folder = Path(shutil.copytree(clone.folder, tmp_path / "single"))
    git(folder, "remote", "remove", "origin")
    single = Clone(folder, clone.remotes, (folder / ".git" / "config").read_text(encoding="utf-8"))
    single.set("topic", "remote.fork.push=refs/heads/topic:refs/heads/elsewhere")
    assert single.resolved(unresolved="default") == {f"{HEADS}elsewhere"}
    assert single.really() in (None, {f"{HEADS}elsewhere"})


def test_outside_git_and_at_other_operations_nothing_is_made_up(tmp_path: Path, clone: Clone) -> None:
    assert [
        one.params["branch"] for one in destinations(tmp_path, Operation("git.push", {"unresolved": "default"}))
    ] == [None]
    assert [one.params["branch"] for one in destinations(tmp_path, Operation("git.push", {"branch": "main"}))] == [None]
    assert [
        one.params["branch"] for one in destinations(tmp_path / "no", Operation("git.push", {"unresolved": "all"}))
    ] == [None]
    for kept in (Operation("git.push", {"branch": None}), Operation("git.merge", {"branch": "main"})):
        assert destinations(clone.folder, kept) == [kept]


def test_a_push_of_very_many_branches_is_one_to_an_unknown_branch(repo: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    (repo / ".git" / "packed-refs").write_text(
        "".join(f"{head} refs/heads/b{number:04}\n" for number in range(MOST + 1)), encoding="utf-8"
    )
    (found,) = destinations(repo, Operation("git.push", {"unresolved": "branches", "remote": "origin"}))
    assert found.params["branch"] is None
