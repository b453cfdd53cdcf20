"""A person's terminal: commands of a page are run by bash in a real one, one after the other, in one folder."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 30.0
"""Seconds to wait for what must come; a page that waits that long is wrong."""

WORD = re.compile(r"type (\w+) \(anything else [^)]*\): \Z")
QUESTION = re.compile(r"\[y/N\] \Z")
HEREDOC = re.compile(r"<<-?\s*'?(\w+)'?")
PORT = "8787"
"""The port that pages name; a run has one of its own."""


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a page, and what is shown below it.

    Attributes:
        command: as typed, several lines when it goes on.
        shown: what it prints, as lines; empty when nothing is shown.
    """

    command: str
    shown: list[str]


def steps(text: str) -> Iterator[Step]:
    """The commands of a console block: each begins with `$ `, and goes on after a backslash and in a here-document."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        if not lines[at].startswith("$ "):
            raise AssertionError(f"{lines[at]!r} stands below no command")
        command, at = [lines[at][2:]], at + 1
        while command[-1].endswith("\\"):
            command, at = [*command, lines[at]], at + 1
        if ends := HEREDOC.search(command[0]):
            while command[-1] != ends[1]:
                command, at = [*command, lines[at]], at + 1
        shown = []
        while at < len(lines) and not lines[at].startswith("$ "):
            shown, at = [*shown, lines[at]], at + 1
        yield Step("\n".join(command), shown)


class Shell:
    """Commands in one scratch folder; what one leaves (folder, variables, programs that go on) is there for the next.

    Attributes:
        home: the person's home; the project is below it.
        names: what a page calls what is there.
    """

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.names = {str(home): "/home/ada", self.port: PORT}
        self.environment = environment
        self._kept = home.parent / "shell"
        self._kept.mkdir()
        (self._kept / "folder").write_text(f"{home}\n", encoding="utf-8")
        (self._kept / "variables").touch()
        self._going_on: list[int] = []

    @property
    def folder(self) -> Path:
        """Where the next command runs."""
        return Path((self._kept / "folder").read_text(encoding="utf-8").rstrip("\n"))

    def run(self, command: str, answers: str = "", **more: str) -> tuple[int, str]:
        """Run a command in a terminal, and answer what it asks.

        Args:
            command: for bash.
            answers: what a page shows as typed after a question.
            more: environment variables, for who is not the person: nothing of it is there for the next command.

        Returns:
            its exit code, and what the terminal showed.
        """
        kept = shlex.quote(str(self._kept))
        # This terminal is gone after the command, and what goes on is not to go with it.
        script = f"trap '' HUP; . {kept}/variables; cd \"$(cat {kept}/folder)\" || exit 99\n"
        script += command.replace(PORT, self.port)
        if not more:
            script += f"\ncode=$?; pwd > {kept}/folder; export -p > {kept}/variables; exit $code"
        screen, theirs = pty.openpty()
        process = subprocess.Popen(
            ["bash", "--norc", "-c", script],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**self.environment, **more},
            cwd=self.home,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            shown = self._attend(process, screen, answers)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)
            raise
        finally:
            os.close(screen)
        code = process.wait(PATIENCE)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 0)
            self._going_on.append(process.pid)
        return code, shown

    def close(self) -> None:
        """End what goes on."""
        for group in self._going_on:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def _attend(self, process: subprocess.Popen[bytes], screen: int, answers: str) -> str:
        shown, deadline = "", time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, f"nothing more came:\n{shown}"
            ended = process.poll() is not None
            if select.select([screen], [], [], 0 if ended else 0.05)[0]:
                try:
                    read = os.read(screen, 65536)
                except OSError:  # EIO: nobody writes to this terminal any more
                    return shown
                shown += read.decode("utf-8", "replace").replace("\r\n", "\n")
                if not read:
                    return shown
                self._reply(screen, shown, answers)
            elif ended:
                return shown

    @staticmethod
    def _reply(screen: int, shown: str, answers: str) -> None:
        typed = ""
        if word := WORD.search(shown):
            typed = word[1]
        elif QUESTION.search(shown):
            typed = (re.findall(r"\[y/N\] (\w+)", answers) or ["n"])[-1]
        if typed:
            os.write(screen, f"{typed}\n".encode())
