"""Every host's own payloads, sent to the hook as a process of its own: with a server and without, refused and let pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hook_runs import decided_here, run, serving
from scene import copy_repository, define, lines, started

from llmgenie_mcp import Engine, agents
from llmgenie_mcp.agents._common import EVENT
from llmgenie_mcp.engine import conversations, tally
from llmgenie_mcp.faces.hook_answer import HookRequest
from llmgenie_mcp.hosts import HookEvent, Reply

GOLDEN = Path(__file__).parent.parent / "agents" / "golden"
HOME = "/home/ada/shop"
"""Where the golden payloads were sent."""
NOTHING_GOES = """
name: nothing_goes
level: always_on
applies_to: {actions: ["*"], modes: ["*"]}
rules:
  - {id: at-all, effect: deny, when: "true", reason: "Nothing at all is done here: wait until it is opened again."}
"""
HARMLESS = {
    "merge_pull_request": "list_issues",
    "push_files": "list_issues",
    '"Delete"': '"Write"',
    "*** Delete File": "*** Update File",
    '["push", "origin", "main"]': '["status"]',
    '["git", "push"]': '["git", "status"]',
}
"""What remains of a dangerous payload when its command and its paths are others, and what stands for it."""
SILENCE = Reply()


def payload_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["payload"]
    return found


def event_of(path: Path) -> HookEvent:
    return agents.find(path.parent.name).read(payload_of(path))


STOPPABLE = [path for path in sorted(GOLDEN.glob("*/*.json")) if event_of(path).can_deny]
CASES = pytest.mark.parametrize("path", STOPPABLE, ids=lambda path: f"{path.parent.name}/{path.stem}")


def acts(event: HookEvent) -> bool:
    """Whether the event is about anything but llmgenie's own tools and tools that nothing is known of."""
    return any(call.kind != "other" and not conversations.is_ours(call) for call in event.calls)


def moved(payload: dict[str, Any], repo: Path) -> dict[str, Any]:
    """The payload as it is sent from `repo`."""
    found: dict[str, Any] = json.loads(json.dumps(payload).replace(HOME, str(repo)).replace("C:\\\\shop", str(repo)))
    return found


def harmless(path: Path, repo: Path) -> dict[str, Any]:
    """The same payload about something that nobody minds: another command, other files, a tool that only reads."""
    text = json.dumps(payload_of(path))
    for call in event_of(path).calls:
        if call.command and "*** Begin Patch" not in call.command:
            text = text.replace(json.dumps(call.command)[1:-1], "ls -la")
        for name in sorted(call.paths, key=len, reverse=True):
            if name != HOME:
                text = text.replace(json.dumps(name)[1:-1], "notes/new.md").replace(quote(name), "/notes/new.md")
    for bad, good in HARMLESS.items():
        text = text.replace(bad, good)
    return moved(json.loads(text), repo)


FIRSTS = set({(path.parent.name, event_of(path).name): path for path in reversed(STOPPABLE)}.values())
"""One payload of each event of each host."""


@dataclass(frozen=True, eq=False)
class Places:
    """Two projects with a server each, and what golden payloads are answered there.

    Attributes:
        closed: where nothing goes.
        plain: where the packaged policies alone are in force.
        asked: what the servers of both were asked so far.
        alone: the environment of a hook that finds no server.
    """

    closed: Path
    plain: Path
    asked: tuple[list[HookRequest], list[HookRequest]]
    alone: dict[str, str]

    @cache  # noqa: B019 - as long as the tests of this file
    def refused(self, path: Path) -> Reply:
        """What the server answers where nothing goes."""
        before = len(self.asked[0])
        reply = run(self.closed, path.parent.name, moved(payload_of(path), self.closed))
        assert len(self.asked[0]) == before + 1
        return reply

    def passed(self, path: Path) -> Reply:
        """What the other server answers to the harmless variant."""
        before = len(self.asked[1])
        reply = run(self.plain, path.parent.name, harmless(path, self.plain))
        assert len(self.asked[1]) == before + 1
        return reply


@pytest.fixture(scope="module")
def places(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    place = tmp_path_factory.mktemp("hosts")
    closed, plain = (copy_repository(template, place / name) for name in ("closed", "plain"))
    define(closed, "policies", "nothing_goes", NOTHING_GOES)
    sockets = tmp_path_factory.mktemp("r")
    sockets.chmod(0o700)
    alone = {"LLMGENIE_RUNTIME_DIR": str(tmp_path_factory.mktemp("n"))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMGENIE_RUNTIME_DIR", str(sockets))
        with Engine.open(closed) as one, Engine.open(plain) as two, serving(one) as first, serving(two) as second:
            yield Places(closed, plain, (first, second), alone)


@CASES
def test_a_server_and_the_hook_alone_answer_the_same_bytes(path: Path, places: Places) -> None:
    host, payload = path.parent.name, moved(payload_of(path), places.closed)
    assert decided_here(places.closed, host, payload) == places.refused(path)
    if path in FIRSTS:
        assert run(places.closed, host, payload, places.alone) == places.refused(path)


@CASES
def test_what_is_refused_is_refused_by_the_host_s_own_rules(path: Path, places: Places) -> None:
    agent, reply, event = agents.find(path.parent.name), places.refused(path), event_of(path)
    assert agents.find(event.host).denied(event.name, reply) is acts(event), reply
    assert agent.name == path.parent.name
    if acts(event):
        assert "nothing_goes/at-all" in reply.stdout + reply.stderr
    else:
        assert reply == SILENCE


@CASES
def test_a_harmless_variant_passes_in_silence(path: Path, places: Places, repo: Path) -> None:
    variant = agents.find(path.parent.name).read(harmless(path, repo))
    assert variant.name == event_of(path).name
    assert [call.kind == "other" for call in variant.calls] == [call.kind == "other" for call in event_of(path).calls]
    assert places.passed(path) == SILENCE


HOSTS = pytest.mark.parametrize("host", agents.names())


@pytest.fixture(params=["served", "alone"])
def place(request: pytest.FixtureRequest, engine: Engine, runtime: Path) -> Iterator[Engine]:
    """A project with its packaged policies, whose hooks are answered by a server or by themselves."""
    if request.param == "alone":
        yield engine
        return
    with serving(engine) as served:
        yield engine
        assert len(served) == 1


@HOSTS
def test_doctor_s_probe_is_refused_and_leaves_no_trace(place: Engine, host: str) -> None:
    root = place.project.root
    probe = agents.find(host).probe(root)
    reply = run(root, host, probe.payload)
    assert agents.find(host).denied(probe.event, reply)
    assert "branch_protection/no-direct-push" in reply.stdout + reply.stderr
    assert lines(place) == []
    assert tally.summary(place.project.store) == {}


@HOSTS
def test_a_person_is_asked_only_by_hosts_that_do_ask(place: Engine, host: str) -> None:
    root, agent = place.project.root, agents.find(host)
    probe = agent.probe(root)
    payload = json.loads(json.dumps(dict(probe.payload)).replace("git push origin main", "rm notes.md"))
    reply = run(root, host, payload)
    assert agent.denied(probe.event, reply) is not agent.read(payload).can_ask
    assert "deleting-needs-a-person" in reply.stdout + reply.stderr
    assert ("llmgenie approve" in reply.stdout + reply.stderr) is not agent.read(payload).can_ask


@HOSTS
def test_what_is_no_payload_of_the_host_is_refused_by_its_own_rules(place: Engine, host: str) -> None:
    agent = agents.find(host)
    started(place)
    reply = run(place.project.root, host, {})
    assert all(agent.denied(event, reply) or event == "PermissionRequest" for event in agent.deniable)
    assert tally.summary(place.project.store)[host]["fault"] == 1


def test_the_event_on_the_command_line_is_the_one_that_init_writes_there() -> None:
    unnamed = [path for path in STOPPABLE if EVENT in payload_of(path)]
    assert {path.parent.name for path in unnamed} == {"copilot"}
