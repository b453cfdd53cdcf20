"""The project that this server is about: found and opened at the first need, kept until the server ends."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import InputRequiredResult, ListRootsRequest, ListRootsResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from llmgenie_mcp.errors import LlmgenieError
from llmgenie_mcp.project import ENVIRONMENT, STORE, git_top, resolve

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.engine.dispatcher import Dispatcher
    from llmgenie_mcp.faces.hook_server import HookServer

AnyContext: TypeAlias = Context[Any, Any]
ROOTS_TIMEOUT = 5.0
"""Seconds that a client may take to name its roots; after that the current folder decides."""

logger = logging.getLogger(__name__)


class OpenProject:
    """Opens the Engine once; a failure is told to the caller and tried again at the next call."""

    def __init__(
        self, project: str | None = None, *, engine: Engine | None = None, opened: Callable[[Engine], None]
    ) -> None:
        """Which project to open.

        Args:
            project: the folder that the command line named.
            engine: an open Engine, which stays its giver's to close; nothing is looked for then.
            opened: called once, with the Engine.
        """
        self._project = project
        self._given = engine
        self._opened = opened
        self._engine: Engine | None = None
        self._hooks: HookServer | None = None
        self._dispatcher: Dispatcher | None = None
        self._lock = anyio.Lock()

    @property
    def current(self) -> Engine | None:
        """The Engine, when it is open."""
        return self._engine

    async def engine(self, context: AnyContext | None) -> Engine | InputRequiredResult:
        """The open Engine.

        Returns:
            On a 2026-07-28 connection whose client has roots, perhaps the question for them, to be handed to it.

        Raises:
            LlmgenieError: there is no usable project.
        """
        if (engine := self._engine) is not None:
            return engine
        async with self._lock:
            if (engine := self._engine) is not None:  # opened by another call meanwhile
                return engine
            if self._given is not None:
                return self._take(self._given)
            folder: str | Path | None = self._project
            source = "--project"
            if folder is None and not os.environ.get(ENVIRONMENT) and context is not None:
                roots = await _roots(context)
                if isinstance(roots, InputRequiredResult):
                    return roots
                folder, source = choose_root(roots), "the client's roots"
            # Not under the event loop: the store is read here.
            opened = await anyio.to_thread.run_sync(_open, folder, source)
            self._hooks = await anyio.to_thread.run_sync(serve_hooks, opened)
            self._dispatcher = await anyio.to_thread.run_sync(deliver, opened)
            return self._take(opened)

    async def prepare(self) -> None:
        """Get ready for the first call while the client is still busy with itself; what fails is told by that call."""
        try:
            await anyio.to_thread.run_sync(_load)
            if self._given or self._project is not None or os.environ.get(ENVIRONMENT):
                await self.engine(None)
        except Exception as error:  # noqa: BLE001 - nobody waits for this; the first call meets the same and answers it
            logger.info("the project is not ready yet: %s", error)

    async def close(self) -> None:
        """Close the Engine, when it was opened here."""
        engine, self._engine = self._engine, None
        if self._hooks is not None:
            await anyio.to_thread.run_sync(self._hooks.stop)
        if self._dispatcher is not None:
            await anyio.to_thread.run_sync(self._dispatcher.stop)
        if engine is not None and engine is not self._given:
            await anyio.to_thread.run_sync(engine.close)

    def _take(self, engine: Engine) -> Engine:
        self._engine = engine
        self._opened(engine)
        return engine


def _load() -> None:
    """Import what the first call needs; here and not at the top, because a client waits for `initialize` meanwhile."""
    from llmgenie_mcp import plugins
    from llmgenie_mcp.engine import engine

    assert engine  # noqa: S101 - imported for its effect
    plugins.load()


def _open(folder: str | Path | None, source: str) -> Engine:
    from llmgenie_mcp.engine import Engine

    return Engine.open(None if folder is None else resolve(folder, source=source))


def serve_hooks(engine: Engine) -> HookServer:
    """Answer the project's hooks from this process, which has everything loaded that they would load each time."""
    from llmgenie_mcp.faces.hook_answer import answer
    from llmgenie_mcp.faces.hook_server import HookServer

    try:
        port = engine.definitions.settings.hooks.http_port
    except LlmgenieError:
        port = None  # definitions that cannot be read are told to every hook
    server = HookServer(
        engine.project.root,
        lambda request: answer(request, lambda: nullcontext(engine.guard())),
        http_port=port,
    )
    server.start()
    return server


def deliver(engine: Engine) -> Dispatcher:
    """Deliver what is in the project's outbox from this process, unless another one does already."""
    from llmgenie_mcp.engine.dispatcher import Dispatcher

    dispatcher = Dispatcher(engine)
    dispatcher.start()
    return dispatcher


async def _roots(context: AnyContext) -> Sequence[str] | InputRequiredResult:
    """The client's roots as URIs; [] when it has none to tell."""
    capabilities = context.client_capabilities if context.protocol_version else None
    if capabilities is None or capabilities.roots is None:
        return []
    if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        if context.input_responses is None:
            return InputRequiredResult(input_requests={"roots": ListRootsRequest()})
        answer = context.input_responses.get("roots")
        return [str(root.uri) for root in answer.roots] if isinstance(answer, ListRootsResult) else []
    try:
        # Not session.list_roots(), which warns that roots are deprecated: clients of this era have nothing else.
        answer = await context.session.send_request(
            ListRootsRequest(),
            ListRootsResult,
            request_read_timeout_seconds=ROOTS_TIMEOUT,
            metadata=ServerMessageMetadata(related_request_id=context.request_id),
        )
    except (MCPError, ValidationError) as error:
        logger.warning("the client did not name its roots: %s", error)
        return []
    return [str(root.uri) for root in answer.roots]


def choose_root(uris: Sequence[str]) -> Path | None:
    """Of several roots the first with a store, else the first in a git checkout, else the first that is a folder."""
    folders = [path for uri in uris if (path := _folder(uri)) is not None]
    with_store = (path for path in folders if (path / STORE).is_dir())
    in_git = (path for path in folders if git_top(path) is not None)
    return next(with_store, None) or next(in_git, None) or next(iter(folders), None)


def _folder(uri: str) -> Path | None:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    path = Path(unquote(parts.path))
    try:
        return path if path.is_dir() else None
    except (OSError, ValueError):  # a NUL in the name, or no right to look
        return None
