"""The stdio transport: one JSON-RPC message a line, and a server that outlives every line.

The SDK's own transport is not used, for three reasons found by running it (mcp 2.3.0): an answer with a lone surrogate
ends the server; a request that it cannot parse is never answered, so the client waits for ever; and a server told to
stop by a signal hangs in the read of stdin. This one also costs no switch of threads a message where stdin is a pipe:
the event loop reads it itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import re
import select
import signal
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import ErrorData, JSONRPCError, JSONRPCMessage, JSONRPCResponse, jsonrpc_message_adapter
from pydantic import ValidationError

from llmgenie_mcp.frozen import dataclass

Incoming: TypeAlias = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing: TypeAlias = MemoryObjectSendStream[SessionMessage]

PARSE_ERROR, INVALID_REQUEST, INTERNAL_ERROR = -32700, -32600, -32603
CHUNK = 1 << 16
PIPE_BUF = 4096  # POSIX: a write of at most this many bytes to a pipe that polls writable does not block
ID_IN_TEXT = re.compile(rb'"id"\s*:\s*(-?\d{1,18}|"[^"\\]{1,200}")')
ID_AT_END = re.compile(ID_IN_TEXT.pattern + rb"\s*}\s*$")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no message, and what to answer."""

    answer: JSONRPCError


@asynccontextmanager
async def stdio() -> AsyncIterator[tuple[Incoming, Outgoing]]:
    """This process's stdin and stdout as streams; inside, stdin is empty for everybody else and prints go to stderr."""
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](math.inf)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](0)
    complaints = outgoing.clone()
    loop = asyncio.get_running_loop()

    def hand_over(message: JSONRPCMessage | Unreadable | None) -> None:
        try:
            if message is None:
                to_server.close()
            elif isinstance(message, Unreadable):
                group.start_soon(_complain, complaints, message.answer)
            else:
                to_server.send_nowait(SessionMessage(message))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            logger.debug("a message after the end was dropped")

    with _own_descriptors() as (wire_in, wire_out):
        async with anyio.create_task_group() as group, complaints:
            group.start_soon(_write, from_server, wire_out, group.cancel_scope)
            if _tells(wire_in):
                loop.add_reader(wire_in, _arrived, loop, wire_in, Lines(), hand_over)
            else:
                _daemon("llmgenie stdin", _read, wire_in, lambda message: loop.call_soon_threadsafe(hand_over, message))
            try:
                yield incoming, outgoing
            finally:
                loop.remove_reader(wire_in)
                to_server.close()


def _daemon(name: str, work: Callable[..., None], *args: Any) -> None:
    """Run `work` in a thread that does not keep the process alive: nothing wakes it out of a blocking read or write."""
    threading.Thread(target=work, args=args, name=name, daemon=True).start()


async def until_told_to_stop(serve: Callable[[], Awaitable[None]]) -> None:
    """Run `serve` to its end, or until a signal asks the process to end; either way it can put things in order."""

    async def stop_on_signal() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for number in signals:
                logger.info("ends on %s", signal.Signals(number).name)
                group.cancel_scope.cancel()
                return

    async with anyio.create_task_group() as group:
        group.start_soon(stop_on_signal)
        await serve()
        group.cancel_scope.cancel()


@contextmanager
def _own_descriptors() -> Iterator[tuple[int, int]]:
    """Private duplicates of stdin and stdout; 0 reads nothing and 1 goes to stderr until the end."""
    wire_in, wire_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    try:
        yield wire_in, wire_out
    finally:
        # The duplicates stay open: a thread may still sit on them, and their numbers must not go to another file.
        os.dup2(wire_in, 0)
        os.dup2(wire_out, 1)


def _tells(descriptor: int) -> bool:
    """Whether the event loop can be told when there is something to read. A pipe or a socket then never has it wait."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


HandOver: TypeAlias = Callable[[JSONRPCMessage | Unreadable | None], object]


def _arrived(loop: asyncio.AbstractEventLoop, wire_in: int, lines: Lines, hand_over: HandOver) -> None:
    """Read what came, in the event loop, and hand over the messages in it; None at the end."""
    try:
        chunk = os.read(wire_in, CHUNK)
    except BlockingIOError:  # its giver does not block on it, and there is nothing after all
        return
    except OSError as error:
        logger.debug("reading of stdin ends: %s", error)
        chunk = b""
    for line in lines.of(chunk):
        hand_over(parse(line))
    if not chunk:
        loop.remove_reader(wire_in)
        hand_over(None)


def _read(wire_in: int, hand_over: HandOver) -> None:
    """The same in a thread, which may have to wait: for a terminal or a file."""
    lines = Lines()
    try:
        while chunk := os.read(wire_in, CHUNK):
            for line in lines.of(chunk):
                hand_over(parse(line))
        for line in lines.of(b""):
            hand_over(parse(line))
        hand_over(None)
    except (RuntimeError, OSError) as error:  # the event loop is closed, or the descriptor is: the server is ending
        logger.debug("reading of stdin ends: %s", error)


class Lines:
    """The lines in what arrives piece by piece; empty ones are left out."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def of(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that `chunk` ends. An empty chunk is the end of everything, and so of the last line."""
        *ended, rest = chunk.split(b"\n") if chunk else (b"", b"")
        for end in ended:
            line = b"".join((*self._pieces, end))
            self._pieces = []
            if line.strip():
                yield line
        if rest:
            self._pieces.append(rest)


def parse(line: bytes) -> JSONRPCMessage | Unreadable:
    """The message in `line`, or the error to answer with."""
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError:
        return _second_look(line)


def _second_look(line: bytes) -> JSONRPCMessage | Unreadable:
    """Escape lone surrogates and take the message; for anything else, an error with the id, when there is one."""
    try:
        data = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        # Before the parameters or at the very end: an `id` among the parameters is somebody else's.
        found = ID_IN_TEXT.search(line.partition(b'"params"')[0]) or ID_AT_END.search(line[-300:])
        id_ = json.loads(found[1]) if found else None
        return Unreadable(_error(id_, PARSE_ERROR, "Parse error: this line is no JSON that can be read here."))
    try:
        return jsonrpc_message_adapter.validate_python(without_surrogates(data), by_name=False)
    except (ValidationError, RecursionError):
        given = data.get("id") if isinstance(data, dict) else None
        known = given if isinstance(given, int | str) and not isinstance(given, bool) else None
        what = (
            "batches are not served; send one message a line" if isinstance(data, list) else "no JSON-RPC 2.0 message"
        )
        return Unreadable(_error(without_surrogates(known), INVALID_REQUEST, f"Invalid request: {what}."))


def _error(id_: Any, code: int, message: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=id_, error=ErrorData(code=code, message=message))


def encode(message: JSONRPCMessage) -> bytes:
    """One line of UTF-8. Text that cannot be written as UTF-8 is escaped, never a reason to stop."""
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
    except ValueError as error:  # a lone surrogate, or nested too deep
        logger.warning("a message had to be mended before it could be sent: %s", error)
    try:
        data = without_surrogates(message.model_dump(mode="python", by_alias=True, exclude_unset=True))
        return json.dumps(data, separators=(",", ":"), default=str).encode() + b"\n"
    except (ValueError, RecursionError):
        given = message.id if isinstance(message, JSONRPCResponse | JSONRPCError) else None
        return encode(_error(given, INTERNAL_ERROR, "The answer cannot be written as JSON."))


def without_surrogates(data: Any) -> Any:
    """`data` with every character that has no UTF-8 form written as its escape."""
    if isinstance(data, str):
        return data if data.isascii() else data.encode("utf-8", "backslashreplace").decode()
    if isinstance(data, dict):
        return {without_surrogates(key): without_surrogates(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [without_surrogates(value) for value in data]
    return data


async def _complain(complaints: Outgoing, answer: JSONRPCError) -> None:
    try:
        await complaints.send(SessionMessage(answer))
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        logger.debug("an answer after the end was dropped")


async def _write(
    from_server: MemoryObjectReceiveStream[SessionMessage], wire_out: int, serving: anyio.CancelScope
) -> None:
    async with from_server:
        async for item in from_server:
            line = encode(item.message)
            try:
                rest = memoryview(line)
                while rest and _writable(wire_out):
                    rest = rest[os.write(wire_out, rest[:PIPE_BUF]) :]
                if rest:
                    await _write_in_thread(wire_out, rest)
            except OSError as error:  # the client is gone
                logger.debug("writing to stdout ends: %s", error)
                serving.cancel()
                return


def _writable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(events & select.POLLOUT for _, events in poll.poll(0))


async def _write_in_thread(descriptor: int, rest: memoryview) -> None:
    """Write a line that may have to wait for the client to read."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: OSError | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def work() -> None:
        failure: OSError | None = None
        left = rest
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError as error:
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, failure)

    _daemon("llmgenie stdout", work)
    await done
