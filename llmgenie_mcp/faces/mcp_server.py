"""`llmgenie-mcp`: the stdio server as a process. Light to import; the SDK is loaded by `run`."""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.faces.mcp_face import Face

LEVEL = "LLMGENIE_LOG"


def create_server(project: str | None = None, *, engine: Engine | None = None) -> Face:
    """The MCP server, for a transport of one's own: it is an `MCPServer` of the SDK.

    Args:
        project: the project's folder; None to look for it at the first need.
        engine: an open Engine to use instead; it stays its giver's to close.
    """
    from llmgenie_mcp.faces.mcp_face import Face

    return Face(project, engine=engine)


def run(project: str | None = None) -> None:
    """Serve stdin and stdout until the client closes them or the process is told to end; then close the project.

    Args:
        project: the folder that `--project` named.
    """
    _log_to_stderr()
    if sys.stdin.isatty():
        sys.stderr.write("An MCP server: clients start it and speak JSON-RPC with it. Ctrl-D ends it.\n")
    # Half a second of imports makes garbage collections that free nothing; and what is loaded now is never garbage.
    gc.disable()
    import anyio

    from llmgenie_mcp.faces import memory
    from llmgenie_mcp.faces.mcp_stdio import until_told_to_stop

    memory.one_arena()
    server = create_server(project)
    gc.enable()
    gc.freeze()
    anyio.run(until_told_to_stop, server.run_stdio_async)


def _log_to_stderr() -> None:
    """Before the SDK does: it would load `rich` for it where that is installed."""
    name = os.environ.get(LEVEL, "WARNING").upper()
    level = name if name in logging.getLevelNamesMapping() else "WARNING"
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
