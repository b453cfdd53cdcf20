"""Subscribers hear of every commit, of this process and of others, in order, each once."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scene import PYTHON

from llmgenie_mcp import Engine
from llmgenie_mcp.engine import watcher

Open = Callable[..., Engine]

WRITER = """
import sys
from llmgenie_mcp import Engine
with Engine.open(sys.argv[1]) as engine:
    for number in range(20):
        engine.run_action("log_entry", {"text": f"other {number}"})
"""


class Heard:
    """A subscriber that remembers, and can be waited for."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self._new: queue.Queue[int] = queue.Queue()

    def __call__(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        self._new.put(line["seq"])

    def until(self, seq: int) -> list[int]:
        """The numbers heard, once `seq` is among them."""
        while self._new.get(timeout=20) != seq:
            pass
        return [line["seq"] for line in self.lines]


def write(engine: Engine, text: str = "x") -> int:
    seq = engine.run_action("log_entry", {"text": text}).seq
    assert seq is not None
    return seq


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "llmgenie-watcher"]


def test_every_commit_of_this_process_is_heard_once_in_order_with_its_changes(engine: Engine) -> None:
    write(engine, "before")
    heard = Heard()
    engine.subscribe(heard)
    engine.run_action("create_task", {"title": "x"})
    assert heard.until(write(engine)) == [2, 3]
    assert ["tasks", "TSK-1"] in [change[:2] for change in heard.lines[0]["changes"]]


def test_commits_of_other_threads_and_processes_are_heard_too(engine: Engine, repo: Path) -> None:
    heard = Heard()
    engine.subscribe(heard)
    with subprocess.Popen([PYTHON, "-c", WRITER, str(repo)]) as other:
        for number in range(20):
            write(engine, f"own {number}")
    assert other.returncode == 0
    assert heard.until(write(engine)) == list(range(1, 42))
    notes = [line["notes"][0] for line in heard.lines]
    assert [n for n in notes if n.startswith("other")] == [f"other {n}" for n in range(20)]


def test_more_lines_than_one_look_takes_are_all_heard(engine: Engine, repo: Path, open_engine: Open) -> None:
    heard = Heard()
    engine.subscribe(heard)
    other = open_engine(repo)
    for _ in range(250):
        last = write(other)
    assert heard.until(last) == list(range(1, 251))


def test_who_comes_later_hears_only_what_comes_later(engine: Engine) -> None:
    gate, first, second = threading.Event(), Heard(), Heard()
    engine.subscribe(lambda line: (gate.wait(20), first(line)))
    for _ in range(3):
        write(engine)
    engine.subscribe(second)
    gate.set()
    last = write(engine)
    assert first.until(last) == [1, 2, 3, 4]
    assert second.until(last) == [4]


def test_who_unsubscribes_hears_no_more_and_the_others_do(engine: Engine) -> None:
    first, second = Heard(), Heard()
    stop = engine.subscribe(first)
    engine.subscribe(second)
    second.until(write(engine))
    stop()
    stop()
    assert second.until(write(engine)) == [1, 2]
    assert first.until(1) == [1]


def test_the_same_listener_twice_is_two_subscriptions(engine: Engine) -> None:
    heard, end = Heard(), Heard()
    stop = engine.subscribe(heard)
    engine.subscribe(heard)
    engine.subscribe(end)
    end.until(write(engine))
    stop()
    end.until(write(engine))
    assert [line["seq"] for line in heard.lines] == [1, 1, 2]


def test_a_listener_that_fails_keeps_nobody_from_hearing(engine: Engine) -> None:
    heard = Heard()

    def fail(_line: object) -> None:
        raise ValueError

    engine.subscribe(fail)
    engine.subscribe(heard)
    write(engine)
    assert heard.until(write(engine)) == [1, 2]


def test_a_listener_may_act_and_unsubscribe(engine: Engine) -> None:
    heard = Heard()

    def answer(line: dict[str, Any]) -> None:
        stop()
        write(engine, f"answer to {line['seq']}")

    stop = engine.subscribe(answer)
    engine.subscribe(heard)
    write(engine)
    assert heard.until(2) == [1, 2]
    assert heard.lines[1]["notes"] == ["answer to 1"]


def test_closing_ends_the_thread_also_from_a_listener(repo: Path, open_engine: Open) -> None:
    before = watchers()
    engine = open_engine(repo)
    assert watchers() == before, "nobody listens yet"
    closed = threading.Event()

    def close(_line: object) -> None:
        engine.close()
        closed.set()

    engine.subscribe(close)
    (thread,) = set(watchers()) - set(before)
    write(engine)
    assert closed.wait(20)
    thread.join(20)
    assert not thread.is_alive()
    engine.close()


def test_closing_while_others_write_ends_the_thread(repo: Path, open_engine: Open) -> None:
    engine, other = open_engine(repo), open_engine(repo)
    heard = Heard()
    engine.subscribe(heard)
    heard.until(write(other))
    engine.close()
    assert watchers() == []
    write(other)


def test_who_waits_for_a_table_is_woken_only_by_what_touches_it_and_hears_of_the_rest_then(
    repo: Path, open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(repo)
    engine._watcher = watcher.Watcher(engine.storage, 3600.0)  # which does not look by itself
    woken: list[None] = []
    wake = engine._watcher._wake
    set_it = wake.set
    monkeypatch.setattr(wake, "set", lambda: (woken.append(None), set_it()))
    heard = Heard()
    engine.subscribe(heard, waits_for="tasks")
    write(engine)
    engine.update_context("notes/x", 1)
    assert woken == []
    engine.run_action("create_task", {"title": "x"})
    assert heard.until(3) == [1, 2, 3]
    other = Heard()
    engine.subscribe(other)
    assert other.until(write(engine)) == [4]
    assert heard.until(4) == [1, 2, 3, 4]
    assert len(woken) == 2
