"""The MCP server: what the SDK serves, with the Engine behind it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import anyio
from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError, UnexpectedToolError
from mcp.server.request_state import RequestStateSecurity
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, GetPromptResult, InputRequiredResult
from mcp_types import Tool as ListedTool
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import AnyUrl

import llmgenie_mcp
from llmgenie_mcp.errors import LlmgenieError, UnknownName, shorten
from llmgenie_mcp.faces import mcp_answers as answers
from llmgenie_mcp.faces import mcp_prompts, mcp_resources
from llmgenie_mcp.faces.background import Background
from llmgenie_mcp.faces.mcp_answers import error_text
from llmgenie_mcp.faces.mcp_call import READER, Call
from llmgenie_mcp.faces.mcp_changes import Changes
from llmgenie_mcp.faces.mcp_project import AnyContext, OpenProject
from llmgenie_mcp.faces.mcp_stdio import stdio
from llmgenie_mcp.faces.mcp_tools import TOOLS

PATIENCE = 86_400.0
"""Seconds that a person may take for an answer (2026-07-28); the SDK's own limit is ten minutes."""
RESOURCE_NOT_FOUND = -32002
"""The handshake era's code for a resource that is not there; since 2026-07-28 it is INVALID_PARAMS."""
NEED_PROJECT = ("subscriptions/listen", "resources/subscribe", "completion/complete")
GREETINGS = ("notifications/initialized", "server/discover")
TELLING = ("run_action", "update_context")
"""Tools whose schema of answers has room for an error as data."""
NEVER_CHANGES = CacheHint(ttl_ms=3_600_000, scope="public")

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine

logger = logging.getLogger(__name__)


class Face(MCPServer[None]):
    """llmgenie over the Model Context Protocol.

    Tools are listed and called here and not through the SDK's decorators, which let unknown arguments pass in silence
    and hide the text of every error but ToolError.
    """

    cached: ClassVar[dict[Any, CacheHint]] = {
        "tools/list": NEVER_CHANGES,
        "prompts/list": NEVER_CHANGES,
        "resources/list": NEVER_CHANGES,
        "resources/templates/list": NEVER_CHANGES,
    }

    def __init__(
        self, project: str | None = None, *, engine: Engine | None = None, background: Background | None = None
    ) -> None:
        """A server about one project.

        Args:
            project: its folder; None to look for it at the first need: environment, client's roots, current folder.
            engine: an open Engine to use instead; it stays its giver's to close.
            background: where slow actions run; None: in threads of its own.
        """
        self.background = background or Background()
        self.changes = Changes()
        self.greeted = anyio.Event()
        self.project = OpenProject(project, engine=engine, opened=self.changes.opened)
        super().__init__(
            "llmgenie",
            title="llmgenie",
            version=llmgenie_mcp.__version__,
            instructions=mcp_prompts.guide("instructions"),
            lifespan=_lifespan,
            log_level="WARNING",
            cache_hints=self.cached,
            subscriptions=self.changes,
            middleware=[self._open_first],
            request_state_security=RequestStateSecurity.ephemeral(ttl=PATIENCE),
        )
        mcp_resources.register(self)
        mcp_prompts.register(self)
        self.changes.serve_legacy(self._lowlevel_server)

    async def list_tools(self) -> list[ListedTool]:
        """The eight tools, always in the same order."""
        return [tool.listed for tool in TOOLS.values()]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: AnyContext | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Run one tool.

        Raises:
            ToolError: with the text that the model is to read. For what nobody expected it is an UnexpectedToolError,
                which the SDK logs with its traceback.
        """
        context = context or Context(mcp_server=self)
        try:
            tool = TOOLS.get(name)
            if tool is None:
                return _no_tool(name, arguments, self.project.current)
            args = tool.args.read(name, arguments)
            engine = await self.project.engine(context)
            if isinstance(engine, InputRequiredResult):
                return engine
            request = Call(engine, context, self.background)
            if request.role == READER and not tool.hints.read_only_hint:
                raise ToolError(_only_reading(name))
            return await tool.run(request, args)
        except LlmgenieError as error:
            if name in TELLING:
                return answers.error(error, str(arguments.get("action") or name))
            raise ToolError(error_text(error)) from error
        except (ToolError, MCPError):
            raise
        except Exception as error:
            raise UnexpectedToolError(
                f"Internal error in {name} ({type(error).__name__}), reported in the server's log; the server goes on.\n"
                "Look with get_workflow_state whether anything changed before you try again.\n(code: internal)"
            ) from error

    async def read_resource(
        self, uri: AnyUrl | str, context: AnyContext | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read a resource.

        Raises:
            MCPError: with the code that the client's revision of the protocol has for a missing resource.
        """
        context = context or Context(mcp_server=self)
        try:
            if mcp_resources.needs_project(str(uri)):
                engine = await self.project.engine(context)
                if isinstance(engine, InputRequiredResult):
                    return engine
            return await super().read_resource(uri, context)
        except ResourceNotFoundError as error:
            modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
            known = isinstance(error.__cause__, UnknownName)
            text = str(error) if known else f"There is no resource {shorten(str(uri))}."
            raise MCPError(
                INVALID_PARAMS if modern else RESOURCE_NOT_FOUND, text, {"uri": shorten(str(uri))}
            ) from error
        except LlmgenieError as error:
            raise MCPError(INTERNAL_ERROR, error_text(error), {"uri": shorten(str(uri))}) from error

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: AnyContext | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Fill in a prompt with the live state; without a usable project it says so in the state's place."""
        context = context or Context(mcp_server=self)
        mcp_prompts.check(name, arguments)
        try:
            engine = await self.project.engine(context)
            if isinstance(engine, InputRequiredResult):
                return engine
        except LlmgenieError as error:
            logger.info("prompt %s without a project: %s", name, error)
        return await super().get_prompt(name, arguments, context)

    async def run_stdio_async(self) -> None:
        """Serve stdin and stdout until the client closes them.

        Not the SDK's own: see `mcp_stdio`. The low-level server is the only one that takes a pair of streams.
        """
        async with stdio() as (incoming, outgoing):
            server = self._lowlevel_server
            await server.run(incoming, outgoing, server.create_initialization_options())

    async def prepare(self) -> None:
        """Once the client was greeted, get ready for its first call."""
        await self.greeted.wait()
        await self.project.prepare()

    async def _open_first(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """What the SDK handles without asking us still needs the open project: changes, completions."""
        if ctx.method in NEED_PROJECT and self.project.current is None:
            try:
                await self.project.engine(Context(request_context=ctx, mcp_server=self))
            except LlmgenieError as error:
                logger.warning("%s without a project: %s", ctx.method, error)
        answer = await call_next(ctx)
        if ctx.method in GREETINGS and not self.greeted.is_set():
            self.greeted.set()
        return answer


@asynccontextmanager
async def _lifespan(server: MCPServer[None]) -> AsyncIterator[None]:
    """What runs beside the requests: change notifications; at the end the project is closed."""
    assert isinstance(server, Face)  # noqa: S101 - the SDK's type is that of its base class
    async with anyio.create_task_group() as group:
        group.start_soon(server.changes.deliver)
        group.start_soon(server.prepare)
        try:
            yield
        finally:
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await server.project.close()


def _only_reading(name: str) -> str:
    reading = ", ".join(tool.name for tool in TOOLS.values() if tool.hints.read_only_hint)
    return (
        f"{name} changes something, and your token is a reader's. It may call: {reading}.\n"
        "Whoever runs the server makes one that may act: llmgenie token create.\n(code: forbidden)"
    )


def _no_tool(name: str, arguments: dict[str, Any], engine: Engine | None) -> CallToolResult:
    """The answer to a call of a tool that does not exist. An action's name is a frequent one: then how to run it."""
    error = UnknownName(
        "tool", name, TOOLS, hint="Everything else is an action: ask get_available_actions, then call run_action."
    )
    error.message = f"There is no tool {shorten(name)!r}. Tools: {', '.join(TOOLS)}."
    if engine is not None and name in engine.definitions.actions:
        error.hint = f'{name} is an action: call run_action with {{"action": "{name}", "params": {{…}}}}.'
        error.details["fix"] = {"action": name, "params": arguments}
    return answers.error(error, name)
