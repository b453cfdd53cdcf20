"""The socket on which a running server answers the hooks of its project: 14 ms a hook instead of a start from nothing.

One process a project serves it; when that ends, another that runs for the project takes over. The folder and the socket
are closed to other users, and a peer of another user is turned away.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import logging
import os
import secrets
import select
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from llmgenie_mcp.faces import hook
from llmgenie_mcp.faces.hook_answer import HookRequest, encode
from llmgenie_mcp.hosts import Reply

if TYPE_CHECKING:
    from llmgenie_mcp.faces.hook_http import HttpHooks

TAKE_OVER = 1.0
"""Seconds between looks whether the process that serves has ended."""
READ_SECONDS = 2.0
"""So long may a hook take to send its request."""
AT_ONCE = 16
"""So many hooks are answered at the same time; further ones wait in the queue of the socket."""
TRANSPORT = "LLMGENIE_HOOK_TRANSPORT"
"""Set to `tcp` to use loopback where there are Unix sockets too."""

log = logging.getLogger(__name__)


class HookServer:
    """Answers hooks in threads of its own.

    Args:
        project: the project's folder.
        answer: what a request is answered; must not raise.
        http_port: a port on loopback to answer at as well; None for none.
    """

    def __init__(self, project: Path, answer: Callable[[HookRequest], Reply], *, http_port: int | None = None) -> None:
        self._project, self._http_port = project, http_port
        self.path = Path(hook.socket_path(str(project)))
        self.serving = threading.Event()
        self._settled = threading.Event()
        self._answer = answer
        self._stopped = threading.Event()
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._wake, self._woken = os.pipe()
        self._tcp = os.environ.get(TRANSPORT) == "tcp" or not hasattr(socket, "AF_UNIX")
        self._token = secrets.token_hex(16)
        self._thread = threading.Thread(target=self._run, name="llmgenie-hooks", daemon=True)

    def start(self) -> None:
        """Begin; returns when it serves, or when it is clear that another process does or that it cannot."""
        self._thread.start()
        self._settled.wait(READ_SECONDS)

    def stop(self) -> None:
        """End, and leave nothing behind. May be called twice."""
        if not self._stopped.is_set():
            self._stopped.set()
            os.write(self._woken, b"x")
            if self._thread.is_alive():
                self._thread.join(timeout=READ_SECONDS)
            os.close(self._wake)
            os.close(self._woken)

    def _run(self) -> None:
        try:
            folder = self.path.parent
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not hook.is_private(str(folder)):
                log.warning("hooks are not served: %s is not a folder of this user alone", folder)
                return
            with (folder / f"{self.path.stem}.lock").open("w", encoding="utf-8") as lock:
                while not self._stopped.is_set():
                    with contextlib.suppress(BlockingIOError):
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        self._serve()
                        return
                    self._settled.set()
                    self._stopped.wait(TAKE_OVER)
        except OSError as error:
            log.warning("hooks are not served: %s", error)
        finally:
            self._settled.set()

    def _serve(self) -> None:
        http = self._serve_http()
        try:
            with self._listen() as listener:
                self.serving.set()
                self._settled.set()
                self._take_calls(listener)
        finally:
            if http is not None:
                http.stop()
        self.serving.clear()
        for left in (self.path, self.path.with_name(f"{self.path.name}.tcp")):
            left.unlink(missing_ok=True)

    def _take_calls(self, listener: socket.socket) -> None:
        while not self._stopped.is_set():
            ready, _, _ = select.select([listener.fileno(), self._wake], [], [])
            if listener.fileno() not in ready:
                continue
            connection, _ = listener.accept()
            self._slots.acquire()
            threading.Thread(target=self._one, args=(connection,), name="llmgenie-hook", daemon=True).start()

    def _serve_http(self) -> HttpHooks | None:
        if self._http_port is None:
            return None
        from llmgenie_mcp.faces.hook_http import HttpHooks

        try:
            return HttpHooks(self._http_port, self._project, self._answer)
        except OSError as error:
            log.warning("hooks are not served over HTTP: port %s: %s", self._http_port, error)
            return None

    def _listen(self) -> socket.socket:
        self.path.unlink(missing_ok=True)  # left by a process that was killed
        if not self._tcp:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self.path))
            self.path.chmod(0o600)
        else:
            listener = socket.socket(socket.AF_INET)
            listener.bind(("127.0.0.1", 0))
            note = self.path.with_name(f"{self.path.name}.tcp")
            descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(f"{listener.getsockname()[1]} {self._token}\n")
        listener.listen(128)
        return listener

    def _one(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(READ_SECONDS)
                data = self._read(connection)
                if data is not None:
                    code, stdout, stderr = encode(self._answer(HookRequest.unpack(data)))
                    connection.sendall(b"\0".join((str(code).encode(), stdout, stderr)))
        except (OSError, ValueError, KeyError) as error:
            log.info("a hook was not answered: %s", error)  # it then decides by itself
        finally:
            self._slots.release()

    def _read(self, connection: socket.socket) -> bytes | None:
        """The request; None when it comes from somebody else."""
        if not self._tcp and not _is_mine(connection):
            log.warning("a hook of another user was turned away")
            return None
        parts, size = [], 0
        while part := connection.recv(1 << 20):
            parts.append(part)
            size += len(part)
            if size > hook.LONGEST + 65536:
                return None
        data = b"".join(parts)
        if not self._tcp:
            return data
        token, _, data = data.partition(b"\0")
        return data if hmac.compare_digest(token, self._token.encode()) else None


def _is_mine(connection: socket.socket) -> bool:
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the folder is closed to others, and that is what counts
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", found)[1] == os.getuid())
