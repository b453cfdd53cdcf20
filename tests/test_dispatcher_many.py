"""Many deliveries, lanes and destinations: what one costs does not grow with how many wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from outbox_scene import (
    Sink,
    drain,
    hooks_to,
    send,
    webhooks,
)
from scene import configure

from llmgenie_mcp import Engine, outbox
from llmgenie_mcp.engine.lanes import Lanes
from llmgenie_mcp.outbox import Delivery

Open = Callable[..., Engine]


def put(engine: Engine, count: int, lanes: int = 1) -> None:
    """So many items for webhook a, ten a transaction, spread over so many lanes."""
    for start in range(0, count, 10):
        with engine.storage.begin() as tx:
            for number in range(start, start + 10):
                outbox.put(tx, Delivery("webhook", "a", {"n": number}, lane=f"lane-{number % lanes}"))
            tx.commit({"type": "test", "actor": {"kind": "system", "id": "test"}})


def seconds_for(repo: Path, lanes: int, count: int, open_engine: Open) -> float:
    engine = open_engine(repo, store="memory:")
    put(engine, count, lanes)
    with webhooks(sink := Sink()):
        began = time.process_time()
        drain(engine)
    assert len(sink.arrived) == count
    return time.process_time() - began


@pytest.mark.parametrize(
    ("lanes", "few", "many"), [(1, 300, 3000), (0, 300, 3000)], ids=["one destination", "a destination each"]
)
def test_ten_times_as_many_that_wait_are_no_dearer_each(
    repo: Path, open_engine: Open, lanes: int, few: int, many: int
) -> None:
    configure(repo, **hooks_to("a"))
    before = min(seconds_for(repo, lanes or few, few, open_engine) for _ in range(3))
    bound = 10 * before * 2.5
    assert any(seconds_for(repo, lanes or many, many, open_engine) < bound for _ in range(3))


def test_whose_turn_it_is_is_found_as_fast_among_twenty_thousand_as_among_two_hundred() -> None:
    def seconds(waiting_lanes: int) -> float:
        lanes = Lanes()
        for number in range(waiting_lanes):
            lanes.add(f"OUT-{number}", f"lane-{number}")
        for lane in lanes.take(0)[0]:
            lanes.give_back(lane, 1e9, 0)
        lanes.add("OUT-x", "x")
        began = time.process_time()
        for _ in range(1000):
            (lane,) = lanes.take(1)[0]
            lanes.give_back(lane, 0, 1)
        return time.process_time() - began

    assert min(seconds(20_000) for _ in range(3)) < 10 * min(seconds(200) for _ in range(3))


def test_three_hundred_destinations_are_all_served_in_order(engine: Engine, repo: Path) -> None:
    names = [f"d{number}" for number in range(300)]
    configure(repo, **hooks_to(*names))
    with webhooks(sink := Sink()):
        send(engine, 1, 2, 3)
        drain(engine)
    assert {name: sink.numbers(name) for name in names} == {name: [1, 2, 3] for name in names}
