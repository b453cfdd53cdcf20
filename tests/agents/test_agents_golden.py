"""Every golden payload is read as the event beside it, and answered with the bytes beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from golden_events import VERDICTS, answers, described, files, label, load

from llmgenie_mcp import agents
from llmgenie_mcp.agents._common import fault

HOSTS = agents.names()


@pytest.mark.parametrize("path", files(), ids=label)
def test_a_payload_is_read_and_answered_as_its_golden_file_says(path: Path) -> None:
    golden, host = load(path), path.parent.name
    event = agents.find(host).read(golden["payload"])
    assert described(event) == golden["event"]
    assert answers(host, event) == golden["replies"]


def test_every_host_has_golden_files_for_each_kind_of_event_it_handles() -> None:
    seen: dict[str, set[str]] = {host: set() for host in HOSTS}
    for path in files():
        seen[path.parent.name].add(load(path)["event"]["kind"])
    for host in HOSTS:
        assert seen[host] >= set(agents.find(host).kinds.values()) - {"session_end"}, host


def test_every_event_that_can_be_stopped_has_a_golden_file() -> None:
    for host in HOSTS:
        named = {load(path)["event"]["name"] for path in files() if path.parent.name == host}
        assert agents.find(host).deniable <= named, host


@pytest.mark.parametrize("path", files(), ids=label)
def test_allowing_is_complete_silence(path: Path) -> None:
    assert load(path)["replies"]["allow"] == {}


@pytest.mark.parametrize("path", files(), ids=label)
def test_standard_output_is_one_line_of_ascii_json_or_nothing(path: Path) -> None:
    for reply in load(path)["replies"].values():
        if text := reply.get("stdout"):
            assert text.isascii()
            assert text.endswith("\n")
            assert text.count("\n") == 1
            assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize("path", files(), ids=label)
def test_a_denial_without_a_reason_gets_one_and_a_long_one_is_cut(path: Path) -> None:
    agent = agents.find(path.parent.name)
    event = agent.read(load(path)["payload"])
    if not event.can_deny:
        return
    silent = agent.reply(event, replace(VERDICTS["deny"], reason="  "))
    assert silent.stderr.strip()
    long = agent.reply(event, replace(VERDICTS["deny"], reason="\ud800é" * 50_000))
    assert len(long.stderr) <= 2_001
    assert len(long.stdout) <= 2 * 6 * 2_000
    assert long.stderr.encode()


@pytest.mark.parametrize("path", files(), ids=label)
def test_a_fault_stops_what_can_be_stopped_and_nothing_else(path: Path) -> None:
    event = agents.find(path.parent.name).read(load(path)["payload"])
    reply = fault(event, "The policies cannot be read.")
    assert reply.stderr == "The policies cannot be read.\n"
    assert agents.find(event.host).denied(event.name, reply) is event.can_deny
    if not event.can_deny:
        assert (reply.stdout, reply.code) == ("", 0)


def test_a_fault_at_an_event_that_is_not_known_is_the_denial_that_all_hosts_share() -> None:
    reply = fault(None, "")
    assert reply.code == 2
    assert reply.stderr.strip()
    assert reply.stdout == ""
