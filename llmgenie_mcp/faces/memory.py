"""How a server that runs for weeks has its memory kept: set once, at its start."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

ASKED = "MALLOC_ARENA_MAX"
"""What a person says of the same to glibc; it goes before what is set here."""
_ARENA_MAX = -8
"""M_ARENA_MAX of glibc's malloc.h."""


def one_arena() -> None:
    """Have all threads take memory from one place, before there are threads.

    glibc gives threads arenas of their own, up to eight for each core, so that they need not wait for each other. Those
    of Python take turns anyway, and an arena keeps what its busiest moment needed.
    See https://man7.org/linux/man-pages/man3/mallopt.3.html. Elsewhere than on glibc nothing is done.
    """
    if not sys.platform.startswith("linux") or ASKED in os.environ:
        return
    import ctypes

    with suppress(OSError, AttributeError):  # musl has no mallopt
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def settled() -> None:
    """What is loaded now stays as long as the server: the collector does not look at it again.

    A full collection waits until a quarter as many objects are new as were there before. With the 138,000 of an HTTP server
    cycles lie about for minutes, and then everybody waits for a tenth of a second.
    """
    gc.collect()
    gc.freeze()


__all__ = ["one_arena", "settled"]
