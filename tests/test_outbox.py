"""What must be delivered is found and written with its cause, and everything that was is delivered, in order, once."""

from __future__ import annotations

import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from outbox_scene import AT_ONCE, Sink, drain, hooks_to, rules, told, waiting, webhooks
from scene import configure, lines, replayed

from llmgenie_mcp import Engine, outbox
from llmgenie_mcp.errors import StorageFull
from llmgenie_mcp.outbox import Cause, Route, delay, events_of
from llmgenie_mcp.outcome import Event
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel
from llmgenie_mcp.storage.memory import MemoryStorage

Open = Callable[..., Engine]
LINE = {"type": "action.completed", "action": "merge", "actor": {"kind": "agent", "id": "agent"}}


def event(kind: str = "thing.happened", **data: Any) -> Event:
    return Event(kind, "test", str(uuid.uuid4()), "2026-03-10T12:00:00.000Z", data=data)


def fill(storage: MemoryStorage, line: dict[str, Any], routes: Sequence[Route], **more: Any) -> dict[str, Any]:
    """Commit a line with what it leads to; returns it as it was written."""
    line = dict(line)
    with storage.begin() as tx:
        outbox.fill(tx, line, routes, source="llmgenie/test", seq=storage.last_seq() + 1, **more)
        tx.commit(line)
    return line


def items(storage: MemoryStorage) -> list[dict[str, Any]]:
    return storage.query("outbox").items


# -- what is an event, and who waits for it ----------------------------------------------------------------------------


def test_a_line_is_an_event_and_so_is_each_that_it_carries() -> None:
    carried = event("deploy.began", where="here").to_dict()
    found = list(events_of({**LINE, "params": {"branch": "main"}, "events": [carried]}, "llmgenie/test", 7))
    assert [made.type for made in found] == ["deploy.began", "action.completed"]
    assert found[0].to_dict() == carried
    own = found[1]
    assert (own.id, own.source, own.subject, own.actor) == ("line-7", "llmgenie/test", "merge", "agent:agent")
    assert own.data["params"] == {"branch": "main"}
    assert "events" not in own.data


def test_a_line_that_only_carries_an_event_is_none_itself() -> None:
    line = {"type": "event.received", "events": [event().to_dict()]}
    assert [made.type for made in events_of(line, "x", 1)] == ["thing.happened"]


@pytest.mark.parametrize("kind", ["delivery.completed", "delivery.failed", "outbox.dropped", "trigger.scheduled"])
def test_lines_about_delivering_lead_to_nothing(kind: str) -> None:
    storage = MemoryStorage()
    fill(storage, {"type": kind, "item": "OUT-1"}, [Route("webhook", "all", ("*",))])
    assert items(storage) == []


@pytest.mark.parametrize(
    ("patterns", "kind", "waits"),
    [
        (("thing.happened",), "thing.happened", True),
        (("thing.*",), "thing.happened", True),
        (("*",), "thing.happened", True),
        (("*.happened", "other"), "thing.happened", True),
        (("thing",), "thing.happened", False),
        (("thing.happened",), "thing.happened.twice", False),
        ((), "thing.happened", False),
    ],
)
def test_types_of_events_are_matched_whole(patterns: tuple[str, ...], kind: str, waits: bool) -> None:
    assert Route("webhook", "a", patterns).waits_for(event(kind)) is waits


@pytest.mark.parametrize(
    ("when", "data", "webhook", "trigger"),
    [
        ("event.data.n == 1", {"n": 1}, True, True),
        ("event.data.n == 1", {"n": 2}, False, False),
        ("event.data.n == 1", {}, False, False),  # unknown is no
        ("not (event.data.n == 1)", {}, False, False),
        ("event.data.n < 1", {"n": "text"}, False, True),  # errs: the rule says so when its turn comes
        ("event.data.n == 1 and git.clean", {"n": 1}, True, True),  # looked at when its turn comes
        ("event.data.n == 1 and git.clean", {"n": 2}, False, False),
    ],
)
def test_a_condition_over_the_event_decides_at_once(
    when: str, data: dict[str, Any], webhook: bool, trigger: bool
) -> None:
    assert Route("webhook", "a", ("*",), when).waits_for(event(**data)) is webhook
    assert Route("trigger", "a", ("*",), when).waits_for(event(**data)) is trigger


def test_every_item_has_a_message_of_its_own_and_the_line_names_them() -> None:
    storage = MemoryStorage()
    line = fill(storage, LINE, [Route("webhook", "a", ("*",)), Route("notification", "b", ("action.*",))])
    found = items(storage)
    assert line["deliveries"] == ["OUT-1", "OUT-2"] == [item["id"] for item in found]
    assert [item["destination"] for item in found] == ["webhook:a", "notification:b"]
    assert len({item["message"] for item in found}) == 2
    assert all(item["message"].startswith("msg_") for item in found)
    assert {(item["status"], item["attempts"], item["step"]) for item in found} == {("pending", 0, 0)}


def test_what_an_action_asks_for_has_a_lane() -> None:
    storage = MemoryStorage()
    asked = [outbox.Delivery("ci", "main", {"ref": "x"}, lane="ci:main:1"), outbox.Delivery("notification", "ada")]
    fill(storage, LINE, (), deliveries=asked)
    assert [(item["destination"], item["payload"]) for item in items(storage)] == [
        ("ci:main:1", {"ref": "x"}),
        ("notification:ada", {}),
    ]


def test_a_step_that_is_done_is_noted_the_last_one_takes_the_item_off_and_one_that_is_broken_off_changes_nothing() -> (
    None
):
    import threading

    storage = MemoryStorage()
    fill(storage, LINE, [Route("trigger", "a", ("*",), per_minute=9)])

    def settle(cause: Cause, **how: Any) -> list[tuple[int, int]]:
        with storage.begin() as tx:
            outbox.settle(tx, cause, **how)
            tx.commit({"type": "test"})
        return [(item["step"], item["attempts"]) for item in items(storage)]

    stopping = threading.Event()
    stopping.set()
    assert settle(Cause((), "e", "OUT-1", 0, last=False)) == [(1, 0)]
    assert settle(Cause((), "e", "OUT-1", 1, last=True, cancel=stopping), ended=True) == [(1, 0)]
    assert settle(Cause((), "e", "OUT-9", 1)) == [(1, 0)]
    assert settle(Cause((), "e", "OUT-1", 1, last=False), ended=True) == []
    assert settle(Cause((), "e", "OUT-1", 1)) == []


# -- bounds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "runs"), [(0, True), (1, True), (2, False), (5, False)])
def test_a_rule_runs_when_fewer_rules_than_its_depth_led_to_the_event(depth: int, runs: bool) -> None:
    storage = MemoryStorage()
    chain = tuple(f"trigger:r{number}" for number in range(depth))
    line = fill(storage, LINE, [Route("trigger", "a", ("*",), max_depth=2, per_minute=9)], cause=Cause(chain, "e"))
    assert bool(items(storage)) is runs
    if runs:
        assert items(storage)[0]["chain"] == list(chain)
        return
    (stop,) = line["stopped"]
    assert (stop["rule"], stop["bound"], stop["event"]) == ("trigger:a", "max_depth", "action.completed")
    assert stop["message"].endswith(" → ".join([*chain, "trigger:a"]))


def test_a_rule_runs_so_often_a_minute_and_what_is_over_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    storage, minute = MemoryStorage(), ["2026-03-10T12:00"]
    monkeypatch.setattr(outbox, "now", lambda: f"{minute[0]}:30.000Z")
    routes = [Route("trigger", "a", ("*",), per_minute=3), Route("trigger", "b", ("*",), per_minute=100)]
    written = [fill(storage, LINE, routes) for _ in range(10)]
    assert Counter(item["name"] for item in items(storage)) == {"a": 3, "b": 10}
    stops = [line.get("stopped") for line in written]
    assert [number for number, stop in enumerate(stops) if stop] == [3]
    assert stops[3][0]["bound"] == "per_minute"
    minute[0] = "2026-03-10T12:01"
    written = [fill(storage, LINE, routes) for _ in range(5)]
    assert Counter(item["name"] for item in items(storage))["a"] == 6
    assert sum("stopped" in line for line in written) == 1


def test_what_a_transaction_that_fails_would_have_led_to_is_not_there(engine: Engine, repo: Path) -> None:
    rules(repo, settings=hooks_to("a"), mine={"on": "*"})
    real, full = engine.storage._append, StorageFull("The disk is full.", "Make room.")

    def refuse(raw: bytes) -> Any:
        raise full

    engine.storage._append = refuse  # type: ignore[method-assign]
    with pytest.raises(StorageFull):
        engine.trigger_event("thing.happened")
    assert waiting(engine) == []
    engine.storage._append = real  # type: ignore[method-assign]
    answer = engine.trigger_event("thing.happened")
    assert [item["id"] for item in waiting(engine)] == answer["deliveries"]


# -- times -------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 1000), st.floats(0, 3600), st.floats(0, 86_400), st.floats(0, 1))
@example(1000, 5.0, 86_400.0, 1.0)
def test_waiting_doubles_up_to_the_longest_and_is_half_chance(
    attempt: int, first: float, longest: float, chance: float
) -> None:
    whole = min(longest, first * 2.0 ** min(attempt - 1, 32))
    assert whole / 2 - 1e-6 <= delay(attempt, first, longest, chance=chance) <= whole + 1e-6
    assert 0 <= delay(attempt, first, longest) <= longest


# -- everything together -----------------------------------------------------------------------------------------------

KINDS = ["a.x", "a.y", "b.x"]
WAITING = {"all": "*", "a": "a.*", "x": "*.x"}
FAULTS = st.sampled_from(["refused", "broken", "final"])
EVENTS = st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)
FAULTY = st.dictionaries(
    st.tuples(st.sampled_from([*WAITING]), st.integers(0, 5)), st.lists(FAULTS, max_size=4), max_size=10
)


def expected(kinds: Sequence[str], name: str) -> list[int]:
    fits = Route("webhook", name, (WAITING[name],))
    return [number for number, kind in enumerate(kinds) if fits.waits_for(event(kind))]


@settings(max_examples=40, deadline=None)
@given(EVENTS, FAULTY, st.booleans())
def test_whatever_fails_every_event_arrives_once_at_each_destination_in_order(
    kinds: list[str], faulty: dict[tuple[str, int], list[str]], all_at_once: bool
) -> None:
    left = {place: list(faults) for place, faults in faulty.items()}

    def answer(parcel: Parcel) -> Delivered:
        faults = left.get((parcel.name, (parcel.event or {})["data"]["n"]))
        match faults.pop(0) if faults else None:
            case "refused":
                raise NotDelivered("no", retry_after=0)
            case "final":
                raise NotDelivered("never", final=True)
            case "broken":
                raise ZeroDivisionError
        return Delivered()

    with tempfile.TemporaryDirectory() as folder:
        hooks = {
            name: {"url": f"https://{name}.example.org/", "events": [kind], "when": "event.data.n >= 0"}
            for name, kind in WAITING.items()
        }
        (Path(folder) / "p").mkdir()
        configure(Path(folder) / "p", webhooks=hooks, deliveries=AT_ONCE)
        with Engine.open(Path(folder) / "p", store="memory:") as engine, webhooks(sink := Sink(answer)):
            for number, kind in enumerate(kinds):
                engine.trigger_event(kind, {"n": number})
                if not all_at_once:
                    drain(engine)
            drain(engine)
            given_up = waiting(engine)
            assert {item["status"] for item in given_up} <= {"dead"}
            lost = {(item["name"], item["event"]["data"]["n"]) for item in given_up}
            assert all("final" in faulty[place] for place in lost)
            for name in WAITING:
                arrived = sink.numbers(name)
                assert arrived == [n for n in expected(kinds, name) if (name, n) not in lost]
            while waiting(engine):
                engine.replay_deliveries()
                drain(engine)
            for name in WAITING:
                assert sorted(sink.numbers(name)) == expected(kinds, name)
            assert len({p.message for p in sink.arrived}) == len(sink.arrived), "no message twice"
            told_of = Counter(line["message"] for line in told(engine, "delivery.completed"))
            assert told_of == Counter(parcel.message for parcel in sink.arrived)


def test_the_outbox_follows_from_the_log(engine: Engine, repo: Path) -> None:
    rules(repo, settings=hooks_to("a", "b"), one={"on": "thing.*"}, two={"on": "action.completed"})

    def answer(parcel: Parcel) -> Delivered:
        if parcel.name == "b":
            raise NotDelivered("gone", final=True)
        return Delivered()

    with webhooks(Sink(answer)):
        for number in range(5):
            engine.trigger_event("thing.happened", {"n": number})
            drain(engine)
    assert replayed(engine)["tasks"] == {}
    found: dict[str, Any] = {}
    for line in lines(engine):
        for table, key, document in line["changes"]:
            if table == "outbox":
                found.pop(key, None)
                found |= {key: document} if document else {}
    assert found == {item["id"]: item for item in waiting(engine)}
    assert engine.storage.verify().ok
