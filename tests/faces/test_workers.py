"""Threads beside the event loop: what comes back from them, and who waits for whom."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextvars import ContextVar

import anyio
import pytest

from llmgenie_mcp.faces.workers import Workers

pytestmark = pytest.mark.anyio
PATIENCE = 20.0
WHO: ContextVar[str] = ContextVar("WHO")


def names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


async def test_what_the_work_returns_comes_back_from_another_thread_that_knows_the_callers_context() -> None:
    WHO.set("ada")
    workers = Workers(2, "one")
    assert await workers.run(lambda: (WHO.get(), threading.current_thread().name)) == ("ada", "one-1")


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), StopIteration()])
async def test_what_the_work_raises_is_raised_at_the_caller_and_the_thread_goes_on(error: BaseException) -> None:
    workers = Workers(1, "two")

    def fail() -> None:
        raise error

    expected = RuntimeError if isinstance(error, StopIteration) else type(error)
    with pytest.raises(expected):  # no future takes a StopIteration: the caller would wait for ever
        await workers.run(fail)
    assert await workers.run(lambda: 7) == 7


async def test_no_more_threads_are_made_than_work_at_once_and_never_more_than_the_most() -> None:
    workers, gate, inside = Workers(3, "three"), threading.Event(), threading.Semaphore(0)

    def wait() -> None:
        inside.release()
        assert gate.wait(PATIENCE)

    for _ in range(5):
        await workers.run(lambda: None)
    assert {name for name in names() if name.startswith("three-")} == {"three-1"}
    waiting = [workers.start(wait) for _ in range(8)]
    for _ in range(3):
        await asyncio.to_thread(inside.acquire, timeout=PATIENCE)
    assert {name for name in names() if name.startswith("three-")} == {"three-1", "three-2", "three-3"}
    assert not inside.acquire(blocking=False)
    gate.set()
    await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)


async def test_who_is_cancelled_waits_for_the_end_of_the_work_and_is_cancelled_then() -> None:
    workers, begun, gate, ended = Workers(1, "four"), threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert gate.wait(PATIENCE)
        ended.set()

    with anyio.CancelScope() as scope:

        async def give_up() -> None:
            await asyncio.to_thread(begun.wait, PATIENCE)
            scope.cancel()
            gate.set()

        giving_up = asyncio.create_task(give_up())
        await workers.run(work)
        assert ended.is_set()
        await anyio.lowlevel.checkpoint()
        pytest.fail("nobody was cancelled")
    await giving_up
    assert ended.is_set()


async def test_the_threads_end_with_the_object() -> None:
    workers = Workers(2, "five")
    await asyncio.gather(workers.run(lambda: None), workers.run(lambda: None))
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("five-")]
    assert threads
    del workers
    gc.collect()
    for thread in threads:
        await asyncio.to_thread(thread.join, PATIENCE)
        assert not thread.is_alive()
