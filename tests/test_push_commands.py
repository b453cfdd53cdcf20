"""From the text of a command to the refs that git would write: nothing that it would write is missed."""

from __future__ import annotations

import shlex

import pytest
from push_scene import TAGS, Clone, make_clone, written

from llmgenie_mcp.refs import destinations
from llmgenie_mcp.shell import read_command

SETTINGS: dict[str, list[str]] = {
    "plain": [],
    "upstream main": ["push.default=upstream", "branch.topic.remote=origin", "branch.topic.merge=refs/heads/main"],
    "matching": ["push.default=matching"],
    "refspec": ["remote.origin.push=refs/heads/*:refs/heads/team/*"],
    "mirror": ["remote.origin.mirror=true"],
    "fork": ["push.default=current", "remote.pushDefault=fork"],
}
COMMANDS = """
git push
git push -f
git push origin
git push fork
git push --repo=fork
git push origin HEAD
git push origin @
git push origin topic
git push -u origin topic
git push origin +topic
git push origin main
git push origin refs/heads/both
git push origin both
git push origin topic main
git push origin HEAD:main
git push origin HEAD~1:refs/heads/main
git push origin topic^{}:main
git push origin topic:heads/main
git push . topic:main
git push origin @:refs/for/main
git push origin :theirs
git push -d origin theirs
git push origin --delete main
git push --delete origin v1
git push origin v1
git push origin tag v1
git push origin tags/v1
git push origin v1:refs/tags/main
git push --tags
git push --tags origin topic
git push --follow-tags
git push origin refs/tags/*
git push --all
git push --all origin
git push --mirror origin
git push origin refs/heads/*
git push origin refs/heads/t*:refs/heads/m*
git push origin :
git push origin +:
git push --prune origin refs/heads/t*:refs/heads/*
git push --prune origin refs/heads/*
git -c push.followTags=true push origin topic
git -c push.default=upstream push
git -c remote.origin.push=HEAD:refs/heads/main push
git -c remote.pushDefault=fork push
""".strip().splitlines()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_clone(tmp_path_factory.mktemp("push"))


@pytest.mark.parametrize("case", SETTINGS)
def test_every_ref_that_a_command_would_write_is_told(clone: Clone, case: str) -> None:
    clone.set("topic", *SETTINGS[case])
    missed, accepted = {}, 0
    for command in COMMANDS:
        words = shlex.split(command)
        at = words.index("push")
        real = clone.really(*words[at + 1 :], options=words[1:at]) or set()
        accepted += bool(real)
        told = {
            f"{TAGS}*" if found.name == "git.push_tag" and found.params["tag"] is None else written(found)
            for operation in read_command(command)
            for found in destinations(clone.folder, operation)
        }
        unknown = bool(told & {"?", "-?"})
        left = {ref for ref in real - told if not unknown and not (f"{TAGS}*" in told and TAGS in ref)}
        if left:
            missed[command] = left
    assert missed == {}
    assert accepted >= 10  # a mirror refuses most
