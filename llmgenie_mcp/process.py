"""Runs a program: argument list without a shell, time limit, bounded output, cancellable, its whole process group ended."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.frozen import dataclass

GRACE = 3.0
"""Seconds between asking a program to end and ending it."""
PULSE = 2.0
"""Seconds between signs of life of a program that is silent."""
LINGER = 1.0
"""Seconds for which the output of what a program left running is still read."""
_OTHER_REPOSITORY = frozenset(
    [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_PREFIX",
        "GIT_NAMESPACE",
        "GIT_GRAFT_FILE",
        "GIT_SHALLOW_FILE",
        "GIT_REPLACE_REF_BASE",
        "GIT_IMPLICIT_WORK_TREE",
    ]
)
"""Of `git rev-parse --local-env-vars` those that name a repository; settings such as GIT_CONFIG_COUNT stay."""
STEP = 0.1
"""Seconds between looks at the clock and the cancel flag while a program is silent."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended.

    Attributes:
        exit_code: as the shell would say; negative: ended by that signal.
        output: the end of what it wrote to stdout and stderr together, at most `tail` characters.
        cut: characters left out before that.
        seconds: how long it ran.
        timed_out, cancelled: whether it was ended for that reason.
    """

    exit_code: int
    output: str
    cut: int
    seconds: float
    timed_out: bool = False
    cancelled: bool = False


class _Tail:
    """Keeps the end of a text, however long it gets."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: deque[str] = deque()
        self._held = 0
        self.total = 0

    def add(self, text: str) -> None:
        self._parts.append(text)
        self._held += len(text)
        self.total += len(text)
        while self._parts and self._held - len(self._parts[0]) >= self._limit:
            self._held -= len(self._parts.popleft())

    def text(self) -> str:
        return "".join(self._parts)[-self._limit :] if self._limit else ""


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    without: Collection[str] = (),
    timeout: float,
    tail: int,
    cancel: threading.Event | None = None,
    line: Callable[[float, str], None] | None = None,
) -> Finished:
    """Run `argv` to its end.

    Args:
        argv: program and arguments; no shell sees them.
        cwd: folder to run in.
        env: variables to add to the present environment.
        without: variables of the present environment that it does not get.
        timeout: seconds.
        tail: characters of output to keep.
        cancel: when set, the program is ended.
        line: called as line(seconds, text) with the last line written so far, ten times a second at most.

    Raises:
        ActionError: the program cannot be started.
    """
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=os.fspath(cwd),  # which an error shows as it is
            env={**{name: value for name, value in os.environ.items() if name not in without}, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        missing = error.filename or argv[0]
        raise ActionError(
            f"{missing!s} was not found.", "Correct argv or cwd of the command in the settings, or install it."
        ) from None
    except (OSError, ValueError) as error:
        raise ActionError(f"{argv[0]} cannot be started: {error}.", "Correct the command in the settings.") from error
    with process:
        try:
            return _follow(process, started, timeout, tail, cancel or threading.Event(), line)
        finally:
            _end(process)


def run_git(
    folder: Path, arguments: Sequence[str], *, timeout: float, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run git in `folder` and in no other repository: what a hook or an editor set for another one is left out.

    Args:
        folder: where to run it.
        arguments: after `git`.
        timeout: seconds.
        environment: variables to add.

    Raises:
        OSError: there is no git. subprocess.TimeoutExpired.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _OTHER_REPOSITORY}
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        check=False,
        env={**kept, "LC_ALL": "C", **environment},
    )


def _follow(
    process: subprocess.Popen[bytes],
    started: float,
    timeout: float,
    tail: int,
    cancel: threading.Event,
    line: Callable[[float, str], None] | None,
) -> Finished:
    kept, decoder = _Tail(tail), codecs.getincrementaldecoder("utf-8")("replace")
    timed_out = cancelled = fresh = False
    told, ended = started, None
    stream = process.stdout
    if stream is None:
        raise RuntimeError("the program was started without a pipe")
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not (timed_out or cancelled):
            found = selector.select(STEP)
            data = os.read(stream.fileno(), 65536) if found else b""
            kept.add(decoder.decode(data))
            now = time.monotonic()
            if found and not data:
                break
            fresh = fresh or bool(data)
            if line and now - told >= (STEP if fresh else PULSE):
                told, fresh = now, False
                line(now - started, kept.text()[-2000:].strip().rpartition("\n")[2])
            if process.poll() is not None:
                ended = ended or now
                if not data or now - ended > LINGER:
                    break
            timed_out, cancelled = now - started > timeout, cancel.is_set()
    while not (timed_out or cancelled) and _runs(process):  # it closed its output, and goes on
        timed_out, cancelled = time.monotonic() - started > timeout, cancel.is_set()
    if timed_out or cancelled:
        _end(process)
    kept.add(decoder.decode(b"", final=True))
    text = kept.text()
    seconds = round(time.monotonic() - started, 3)
    return Finished(process.returncode, text, kept.total - len(text), seconds, timed_out, cancelled)


def _runs(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(STEP)
    except subprocess.TimeoutExpired:
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process group to end, then end it; what a program left running in its group ends with it."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
