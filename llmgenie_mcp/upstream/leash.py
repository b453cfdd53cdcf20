"""Starts a program and ends it, with all that it started, when whoever asked for it is gone, even by kill -9.

Run as `python -I -S leash.py FD PROGRAM [ARGUMENT …]`, as the leader of a session of its own. FD is the reading end of a
pipe whose other end only the caller holds: it closes when the caller ends, however that comes about. Standard library
alone, so that it starts in no time. It exits as the program does, or with 128 + the signal that ended that.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

GRACE = 1.0
"""Seconds that a program has to end by itself once its stdin has closed, before its whole group is killed."""
ASKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals to the whole group, which the program heeds or not; the leash waits for it in either case."""


def main(line: int, argv: list[str]) -> int:
    """Run `argv` until it ends or the pipe `line` closes; returns the exit code."""
    os.set_inheritable(line, False)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for asked in ASKED:
        signal.signal(asked, signal.SIG_IGN)
    program = os.posix_spawnp(argv[0], argv, os.environ, setsigdef=[*ASKED, signal.SIGPIPE, signal.SIGXFSZ])
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):  # else the program's end, or its closing of stdout, would not be seen
        os.dup2(nowhere, number)
    while True:
        gone, status = os.waitpid(program, os.WNOHANG)
        if gone:
            _stand_in(line, nowhere)
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        ready, _, _ = select.select([line, woken], [], [])
        if woken in ready:
            os.read(woken, 64)
        if line in ready and not os.read(line, 1):
            _end(program)


def _stand_in(line: int, nowhere: int) -> None:
    """Leave a process behind that ends what the program started, once the caller is gone.

    A caller that lives ends the group itself, and this one with it; one that was killed cannot, and its death closes the
    program's stdin and the pipe in whichever order, so that the program may be gone before the pipe tells.
    """
    if os.fork():
        return
    os.dup2(nowhere, 2)
    while os.read(line, 64):
        pass
    os.killpg(0, signal.SIGKILL)


def _end(program: int) -> None:
    """Wait a moment for the program, then end the group, this process among it."""
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        if os.waitpid(program, os.WNOHANG)[0]:
            break
        time.sleep(0.02)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
