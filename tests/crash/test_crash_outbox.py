"""kill -9 while events lead to deliveries: nothing is lost, nothing has two ids, and each destination keeps its order.

Webhooks are delivered at least once, and a receiver tells doubles by the id. What a rule does inside the store it does once.
"""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from scene import configure
from victims import Victims

from llmgenie_mcp.storage.tinydb import TinyDBStorage

HOOKS = ("a", "b")
NOTE = [{"action": "log_entry", "params": {"text": "did {event.data.n}"}}]
ROUNDS = 35


class Couriers(Victims):
    """One process that forks those who deliver."""

    script = "courier.py"


class Receiver:
    """A real HTTP server that remembers what arrived: (destination, id, n) in order."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, str, int]] = []
        self.gate, self.asked = threading.Event(), threading.Event()
        self.gate.set()
        receiver, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.asked.set()
                receiver.gate.wait(60)
                with lock:
                    receiver.arrived.append((self.path[1:], self.headers["webhook-id"], body["data"]["n"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """The sender was killed: its connection breaks off."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def of(self, name: str) -> list[tuple[str, int]]:
        """(id, n) of what arrived at a destination, each id once, in the order it came first."""
        return list(dict.fromkeys((id_, n) for place, id_, n in self.arrived if place == name))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.gate.set()
    made.server.shutdown()
    made.server.server_close()
    thread.join(20)


@pytest.fixture
def couriers() -> Iterator[Couriers]:
    with Couriers() as started:
        yield started


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> Path:
    """A project with two webhooks and one rule, all on the same event; a person accepted them."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".git").mkdir()
    hooks = {
        name: {"url": f"{receiver.address}/{name}", "events": ["thing.*"], "allow_private": True} for name in HOOKS
    }
    configure(
        folder,
        webhooks=hooks,
        triggers={"mine": {"on": "thing.*", "run": NOTE, "per_minute": 1000}},
        deliveries={"first_delay": 0, "longest_delay": 0},
    )
    return folder


def finish(couriers: Couriers, project: Path) -> int:
    """Have what is left delivered by a process that nobody kills; returns how much that was."""
    pid = couriers.born("finish", project)
    assert couriers.reap(pid) == 0
    return next(int(words[1]) for words in couriers.said(pid) if words[0] == "left")


def check(project: Path, receiver: Receiver, acked: list[int]) -> list[int]:
    """All that was recorded was delivered, once by id, in order; returns the numbers of the events that are recorded."""
    store = TinyDBStorage(project / ".llmgenie", read_only=True)
    try:
        assert store.verify().ok
        assert store.query("outbox").items == []
        log = store.log(limit=100_000, changes=True).items
    finally:
        store.close()
    put: dict[str, dict[str, tuple[str, int]]] = {}
    for line in log:
        for table, key, item in line["changes"]:
            if table == "outbox" and item is not None:
                put.setdefault(item["destination"], {})[key] = (item["message"], item["event"]["data"]["n"])
    recorded = [line["params"]["n"] for line in log if line["type"] == "event.received"]
    assert {*acked} <= {*recorded}, "what is acknowledged is recorded"
    for name in HOOKS:
        expected = list(put.get(f"webhook:{name}", {}).values())
        assert [n for _, n in expected] == recorded, "no event without its deliveries, nor the other way"
        assert receiver.of(name) == expected, "each id arrived, and first in the order of its events"
    notes = Counter(note for line in log for note in line.get("notes", ()))
    assert notes == {f"did {n}": 1 for n in recorded}, "what a rule does in the store is done once"
    assert not [line for line in log if line["type"] in ("delivery.given_up", "action.denied")]
    return recorded


def fresh(project: Path, receiver: Receiver) -> None:
    """The project as it was before anything happened."""
    for path in (project / ".llmgenie").iterdir():
        if path.name != "llmgenie.yaml":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    receiver.arrived.clear()


@pytest.mark.parametrize("part", [0, 0.5], ids=["before a write", "in a write"])
def test_killed_between_any_two_steps_of_recording_and_delivering(
    couriers: Couriers, project: Path, receiver: Receiver, part: float, record_property: pytest.RecordProperty
) -> None:
    left, doubles = [], 0
    for step in range(1, 1000):
        fresh(project, receiver)
        pid = couriers.born("work", project, first=0, count=2, step=step, part=part)
        code = couriers.reap(pid)
        acked = couriers.acked(pid)
        left.append(finish(couriers, project))
        recorded = check(project, receiver, acked)
        assert recorded == list(range(len(recorded)))
        assert len(recorded) <= len(acked) + 1
        doubles += len(receiver.arrived) - len({*receiver.arrived})
        if code == 0:
            break
        assert code == -9
    assert (acked, left[-1]) == ([0, 1], 0)
    assert step > (8 if part else 40)
    assert max(left) >= 3, "it was killed with deliveries pending"
    assert doubles or part, "it was killed between a delivery and the line that says so"
    record_property("steps", step)
    print(f"{step} steps, {doubles} messages delivered twice with the same id")


def test_killed_at_random_moments_while_two_processes_record_and_deliver(
    couriers: Couriers, project: Path, receiver: Receiver
) -> None:
    seed = random.randrange(2**32)
    choose = random.Random(seed)
    acked: list[int] = []
    number = killed_with = 0
    for _ in range(ROUNDS):
        pids = [
            couriers.born("serve", project, first=number + 10 * offset, count=10)
            for offset in range(choose.choice([1, 2]))
        ]
        for pid in pids:
            couriers.hear(choose.random() * 0.12)
            couriers.kill(pid)
        assert [couriers.reap(pid) for pid in pids] == [-9] * len(pids), seed
        acked += [n for pid in pids for n in couriers.acked(pid)]
        number += 20
        if choose.random() < 0.3:
            killed_with += finish(couriers, project) > 0
            check(project, receiver, acked)
    finish(couriers, project)
    recorded = check(project, receiver, acked)
    doubles = len(receiver.arrived) - len({*receiver.arrived})
    print(
        f"{ROUNDS} rounds of kill -9 (seed {seed}): {len(recorded)} events, {len(receiver.arrived)} deliveries, "
        f"{doubles} of them again"
    )
    assert len(recorded) > ROUNDS / 2
    assert killed_with


def test_a_server_killed_with_a_hundred_deliveries_pending_loses_none(
    couriers: Couriers, project: Path, receiver: Receiver
) -> None:
    receiver.gate.clear()
    pid = couriers.born("serve", project, first=0, count=100)
    until(couriers, lambda: any(words[:2] == [str(pid), "served"] for words in couriers._heard))
    assert receiver.asked.wait(30)
    couriers.kill(pid)
    assert couriers.reap(pid) == -9
    acked = couriers.acked(pid)
    assert acked == list(range(100))
    receiver.gate.set()
    began = time.monotonic()
    left = finish(couriers, project)
    seconds = time.monotonic() - began
    assert left >= 200, "a hundred at each of two destinations"
    assert check(project, receiver, acked) == acked
    print(f"{left} deliveries left by a killed server were made in {seconds:.2f} s, from the birth of the next")


def test_another_process_goes_on_at_once_when_the_one_that_delivers_is_killed(
    couriers: Couriers, project: Path, receiver: Receiver
) -> None:
    receiver.gate.clear()
    first = couriers.born("serve", project, first=0, count=20)
    until(couriers, lambda: any(words[:2] == [str(first), "served"] for words in couriers._heard))
    assert receiver.asked.wait(30)
    second = couriers.born("serve", project, first=20, count=20)
    until(couriers, lambda: any(words[:2] == [str(second), "served"] for words in couriers._heard))
    couriers.kill(first)
    assert couriers.reap(first) == -9
    receiver.gate.set()
    began = time.monotonic()
    until(couriers, lambda: all(len(receiver.of(name)) == 40 for name in HOOKS))
    print(f"80 deliveries by the other process, {time.monotonic() - began:.2f} s after the first was killed")
    couriers.kill(second)
    couriers.reap(second)
    finish(couriers, project)
    assert check(project, receiver, [*range(40)]) == [*range(40)]


def until(couriers: Couriers, fits: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not fits():
        assert time.monotonic() < end
        couriers.hear(0.02)
