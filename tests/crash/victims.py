"""The tests' side of `victim.py`: have processes born, hear from them, and kill them."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import llmgenie_mcp


def child_environment() -> dict[str, str]:
    """The environment in which a child finds the package under test, and these modules."""
    folders = [Path(llmgenie_mcp.__file__).parents[1], Path(__file__).parent]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}


class Victims:
    """One process that forks the others, so that a birth costs milliseconds.

    Attributes:
        script: what it runs, beside this file.
    """

    script = "victim.py"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name(self.script)],
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._text = b""
        self._heard: list[list[str]] = []
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def born(self, do: str, folder: Path, **order: Any) -> int:
        """Have one forked that does something to a store; returns its pid."""
        self._tell({"do": do, "folder": str(folder), "options": {}, **order})
        return int(self._wait_for("born")[0])

    def hear(self, seconds: float) -> None:
        """Listen for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(left)

    def kill(self, pid: int) -> None:
        """kill -9."""
        os.kill(pid, signal.SIGKILL)

    def reap(self, pid: int) -> int:
        """Wait for its end; returns its exit code, negative for a signal. All it said has been heard then."""
        self._tell({"reap": pid})
        return int(self._wait_for("gone")[2])

    def said(self, pid: int) -> list[list[str]]:
        """What it said since this was last asked, word by word."""
        mine = [words[1:] for words in self._heard if words[0] == str(pid)]
        self._heard = [words for words in self._heard if words[0] != str(pid)]
        return mine

    def acked(self, pid: int) -> list[int]:
        """The numbers of the commits that returned."""
        return [int(words[1]) for words in self.said(pid) if words[0] == "ack"]

    def _tell(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def _wait_for(self, word: str) -> list[str]:
        while True:
            for words in self._heard:
                if words[1] == word:
                    self._heard.remove(words)
                    return words
            self._read(60)

    def _read(self, seconds: float) -> None:
        assert self._process.stdout is not None
        if select.select([self._process.stdout], [], [], seconds)[0]:
            data = os.read(self._process.stdout.fileno(), 65536)
            assert data, "the forking process is gone"
            *lines, self._text = (self._text + data).split(b"\n")
            self._heard += [line.decode().split() for line in lines]
