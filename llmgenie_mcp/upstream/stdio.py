"""How an upstream is reached that is a program: started on a leash, lines of bounded length, ended with all it started.

The SDK's own transport reads a line of any length into memory, logs what is no JSON, and leaves the program running when
this process is killed; so this is another one for the same session.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from llmgenie_mcp.upstream import leash
from llmgenie_mcp.upstream.limits import MESSAGE_BYTES, Broken

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.client._transport import TransportStreams

INHERITED = (
    *("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"),
    *("SSL_CERT_DIR", "SSL_CERT_FILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
)
"""What a program gets of our environment; keys and tokens are not for every program, so they are named in the settings."""
CHUNK = 65_536
TAIL = 2_000
"""Characters of stderr kept to explain an end."""
PAUSE = 0.05
"""Seconds between reads of stderr: who floods it waits, and costs nothing."""
GRACE = 1.0
"""Seconds to end by itself when its stdin is closed, and again when it is asked to by a signal."""


class Said:
    """The end of what a program wrote to stderr, and what it wrote to stdout that is no message."""

    def __init__(self) -> None:
        self._parts: deque[str] = deque(maxlen=40)
        self.garbage = ""

    def add(self, data: bytes) -> None:
        """More of it."""
        self._parts.append(data[-TAIL:].decode("utf-8", "replace"))

    def text(self) -> str:
        """The last of it."""
        return "".join(self._parts)[-TAIL:].strip()


def found(program: str, cwd: Path, path: str) -> str | None:
    """Where a program is, as the shell would find it in `cwd`; None when it is not."""
    return shutil.which(str(cwd / program) if os.sep in program else program, path=path)


@asynccontextmanager
async def stdio_transport(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], broken: Broken, said: Said
) -> AsyncIterator[TransportStreams]:
    """The streams of a program that is started now and ended with the context.

    Args:
        argv: program and arguments.
        cwd: folder to run in.
        env: its whole environment.
        broken: is told when it did what ends the connection.
        said: gets what it writes beside messages.

    Raises:
        OSError: it cannot be started.
    """
    line, held = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", leash.__file__, str(line), *argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=cwd,
            env=dict(env),
            pass_fds=(line,),
            start_new_session=True,
        )
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(line)
    incoming, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with anyio.create_task_group() as tasks, read, write:
            tasks.start_soon(_read, process, incoming, broken, said)
            tasks.start_soon(_write, process, outgoing, broken)
            tasks.start_soon(_listen, process, said)
            try:
                yield read, write
            finally:
                read.close()  # the reader then drains what still comes, so that the program can write to its end
                with anyio.CancelScope(shield=True):
                    await _end(process)
                tasks.cancel_scope.cancel()
    finally:
        os.close(held)
        _close(process)


async def _read(
    process: asyncio.subprocess.Process,
    incoming: MemoryObjectSendStream[SessionMessage | Exception],
    broken: Broken,
    said: Said,
) -> None:
    """Pass on what comes, a message a line."""
    stream = _present(process.stdout)
    buffer = bytearray()
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        async with incoming:
            while data := await stream.read(CHUNK):
                *lines, rest = data.split(b"\n")
                for part in lines:
                    await _pass_on(bytes(buffer + part), incoming, broken, said)
                    buffer.clear()
                broken.count(len(data), len(lines))
                buffer += rest
                if len(buffer) > MESSAGE_BYTES:
                    broken.because(f"It sent a message of more than {MESSAGE_BYTES:,} bytes.")
                if broken.why:
                    return
            broken.ending = True
            broken.because(f"It ended{await _exit_code(process)}.")
    while await stream.read(CHUNK):  # nobody listens any more; it must not wait for room in the pipe before it ends
        pass


async def _pass_on(
    line: bytes, incoming: MemoryObjectSendStream[SessionMessage | Exception], broken: Broken, said: Said
) -> None:
    if broken.why or not line.strip() or len(line) > MESSAGE_BYTES:
        return
    try:
        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        said.garbage = said.garbage or line[:200].decode("utf-8", "replace")
        broken.garbage()
        return
    await incoming.send(SessionMessage(message))


async def _write(
    process: asyncio.subprocess.Process, outgoing: MemoryObjectReceiveStream[SessionMessage], broken: Broken
) -> None:
    stream = _present(process.stdin)
    try:
        async with outgoing:
            async for item in outgoing:
                stream.write(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                await stream.drain()
    except (OSError, anyio.ClosedResourceError):
        broken.because(f"It reads no more{await _exit_code(process)}.")


async def _listen(process: asyncio.subprocess.Process, said: Said) -> None:
    stream = _present(process.stderr)
    while data := await stream.read(CHUNK):
        said.add(data)
        if len(data) >= CHUNK // 2:
            await anyio.sleep(PAUSE)


async def _exit_code(process: asyncio.subprocess.Process) -> str:
    """How it ended, for people; empty while that is not known."""
    if not await _gone(process, GRACE):
        return ""
    code = process.returncode or 0
    if code > 128 and (name := next((s.name for s in signal.Signals if s.value == code - 128), None)):
        return f" by {name}"
    return f" with exit code {code}"


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it as the specification asks: close its stdin, wait, ask by a signal, wait, kill; then what it left."""
    _present(process.stdin).close()
    if not await _gone(process, GRACE):
        _signal(process, signal.SIGTERM)
        await _gone(process, GRACE)
    _signal(process, signal.SIGKILL)
    await _gone(process, GRACE)


async def _gone(process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Whether it ends within `seconds`; `wait()` would also wait for others that hold its pipes."""
    deadline = anyio.current_time() + seconds
    while process.returncode is None:
        if anyio.current_time() >= deadline:
            return False
        await anyio.sleep(0.01)
    return True


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _close(process: asyncio.subprocess.Process) -> None:
    """Let go of the pipes, also when a process that left the group still holds their other ends."""
    pipe = _present(process.stdin).transport
    if pipe.get_write_buffer_size():  # what nobody read would keep it open
        pipe.abort()
    transport: Any = getattr(process, "_transport", None)
    if transport is not None:
        with contextlib.suppress(PermissionError):
            transport.close()


def _present(stream: Any) -> Any:
    if stream is None:
        raise RuntimeError("the program was started without a pipe")
    return stream
