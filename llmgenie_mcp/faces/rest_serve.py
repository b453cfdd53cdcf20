"""`llmgenie serve --http`: the REST face as a process, and how it ends.

At SIGTERM or SIGINT nothing more is accepted and streams end; what is being answered has the settings' `rest.grace`; then,
or at a second signal, slow actions are told to stop and end as such in the log; then the one who delivers stops, the
Engine is closed, and the exit code is 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import tokens
from llmgenie_mcp.errors import LlmgenieError, UsageError, shorten
from llmgenie_mcp.faces import memory
from llmgenie_mcp.faces.background import PATIENCE
from llmgenie_mcp.frozen import dataclass

if TYPE_CHECKING:
    from fastapi import FastAPI

    from llmgenie_mcp.engine import Engine

NEEDED = ("fastapi", "uvicorn", "prometheus_client")
BACKLOG = 128
AT_ONE_GO = 16
"""Connections that asyncio takes before it looks at any of them, and so before they are counted."""
LEVEL = "LLMGENIE_LOG"


@dataclass(frozen=True, slots=True)
class Address:
    """Where it serves.

    Attributes:
        url: of the REST face.
        project: the project's folder.
    """

    url: str
    project: str

    def to_dict(self) -> dict[str, Any]:
        """As `--json` says it."""
        return {"url": self.url, "mcp": f"{self.url}/mcp", "project": self.project, "pid": os.getpid()}


def serve(project: str | Path | None, host: str | None, port: int | None, announce: Callable[[Address], None]) -> None:
    """Serve until told to stop.

    Args:
        project: the project's folder; None to look for it.
        host, port: in place of the settings'.
        announce: called once, when requests are answered.

    Raises:
        UsageError: the extra is not installed, the port is taken, or the address needs a token and there is none.
        ProjectError, DefinitionError, StorageError: the project cannot be opened.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(f"To serve HTTP takes {', '.join(missing)}.", "pip install 'llmgenie-mcp[rest]'")
    name = os.environ.get(LEVEL, "WARNING").upper()
    level = name if name in logging.getLevelNamesMapping() else "WARNING"
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    memory.one_arena()
    from llmgenie_mcp import plugins
    from llmgenie_mcp.engine import Engine

    plugins.load()
    with Engine.open(project) as engine:
        from llmgenie_mcp.faces.rest_callers import in_force

        definitions = engine.definitions
        settings = in_force(definitions.settings.rest, trusted=definitions.trusted)
        where, number = host or settings.host, settings.port if port is None else port
        _check_reach(where, engine)
        with _listening(where, number) as listener:
            from llmgenie_mcp.faces.rest import create_app

            app = create_app(engine=engine, hosts=[where])
            url = _url(where, listener.getsockname()[1])
            _run(app, listener, settings.grace, lambda: announce(Address(url, str(engine.project.root))))


def _check_reach(host: str, engine: Engine) -> None:
    """Others than this machine's user come in by a token alone, so there has to be one. Raises UsageError."""
    tokens.from_file()  # who names a file of which nothing comes hears of it now
    if _loopback(host):
        return
    try:
        found = tokens.load(engine.project.store)
    except LlmgenieError as error:
        raise UsageError(error.message, error.hint) from error
    if not found.any:
        raise UsageError(
            f"{shorten(host)} can be reached from other machines, and there is no token: anybody could act.",
            "Make one first: llmgenie token create NAME --role agent; or name a file with one in LLMGENIE_TOKEN_FILE. "
            "Or leave out --host to serve this machine alone.",
        )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"There is no address {shorten(host)}: {error}.", "Use --host 127.0.0.1.") from error
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Head and body of an answer are two writes: by Nagle's algorithm the second would wait 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            hint = "Stop what listens there, or take another: --port 0 takes any that is free."
            said = os.strerror(error.errno) if error.errno else str(error)
            raise UsageError(f"Nobody can listen at {_url(host, port)}: {said}.", hint) from error
        yield listener


def _url(host: str, port: int) -> str:
    bare = host.strip("[]")
    return f"http://[{bare}]:{port}" if ":" in bare else f"http://{bare}:{port}"


def _run(app: FastAPI, listener: socket.socket, grace: float, ready: Callable[[], None]) -> None:
    import uvicorn
    from sse_starlette.sse import AppStatus

    from llmgenie_mcp.faces.rest_connections import Connection, Seldom

    logging.getLogger("uvicorn.error").addFilter(Seldom())
    # It would cut every answer of the MCP SDK's at the signal; which streams end then, and which at the grace, is ours.
    AppStatus.enable_automatic_graceful_drain = False

    class Server(uvicorn.Server):
        """One that says when it is ready, ends slow actions in time, and is not killed by the signal it obeyed."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                for listener in sockets or ():
                    listener.listen(BACKLOG)
                memory.settled()
                ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            running = app.state.house.running
            if running is not None:
                running.stopping.set()
                ending = asyncio.get_running_loop().call_later(grace, running.background.cancel)
            await super().shutdown(sockets)
            if running is not None:
                ending.cancel()

        def handle_exit(self, sig: int, frame: Any) -> None:
            running = app.state.house.running
            if self.should_exit and running is not None:  # told twice: no grace any more
                running.background.cancel()
            super().handle_exit(sig, frame)

        @contextlib.contextmanager
        def capture_signals(self) -> Any:
            with super().capture_signals():
                yield
                self._captured_signals.clear()  # uvicorn would raise them anew

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # else any caller on this machine could say that it is another address
        ws="none",
        http=Connection,
        backlog=AT_ONE_GO,
        lifespan="on",
        timeout_graceful_shutdown=int(grace + PATIENCE),
    )
    Server(config).run([listener])


__all__ = ["Address", "serve"]
