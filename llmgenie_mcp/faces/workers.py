"""Threads in which the Engine works for an event loop.

Not anyio's `to_thread.run_sync`, which at every call goes through its limiter and a `queue.Queue`: 0.15 ms of processor
time there and back against 0.07 ms.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any, TypeVar

import anyio

T = TypeVar("T")
_Settle = Callable[[Any, BaseException | None], object]
_Job = tuple[Context, Callable[[], Any], asyncio.AbstractEventLoop, _Settle]


class Workers:
    """Threads for one event loop, made when they are needed. They end with this object, and keep no process alive.

    Args:
        most: so many work at once; what comes then waits for its turn.
        name: how the threads are called, with their number behind it.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._made = self._wanted = 0  # counted by the loop's own thread only
        weakref.finalize(self, self._jobs.put, None)

    def start(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have `work` done in a thread, in the caller's context; what comes of it is in the future."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            self._wanted -= 1
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self._wanted += 1
        if self._made < min(self._wanted, self._most):
            self._made += 1
            name = f"{self._name}-{self._made}"
            threading.Thread(target=_serve, args=(self._jobs,), name=name, daemon=True).start()
        self._jobs.put((copy_context(), work, loop, settle))
        return future

    async def run(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread. A caller that is cancelled waits for its end all the same, and is cancelled then."""
        working = self.start(work)
        with anyio.CancelScope(shield=True):
            await working
        return working.result()


def _serve(jobs: SimpleQueue[_Job | None]) -> None:
    while _done(jobs.get()):  # by a function of its own, so that a thread that waits holds on to nothing
        pass
    jobs.put(None)  # for the next thread


def _done(job: _Job | None) -> bool:
    if job is None:
        return False
    context, work, loop, settle = job
    result: Any = None
    error: BaseException | None = None
    try:
        result = context.run(work)
    except StopIteration as ended:  # which no future takes
        error = RuntimeError("the work ended with StopIteration")
        error.__cause__ = ended
    except BaseException as raised:  # noqa: BLE001 - it is the caller's
        error = raised
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(settle, result, error)
    return True
