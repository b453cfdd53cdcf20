"""An MCP server for tests, run by stdio or, with a port, by Streamable HTTP: a well-behaved one."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ImageContent, TextContent, ToolAnnotations

server = MCPServer("shop", version="1.2")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def look(item: str, depth: int = 1) -> str:
    """Look at an item of the shop."""
    return f"{item} at {depth}"


@server.tool(annotations=ToolAnnotations(destructive_hint=True))
def sell(item: str, price: float, tags: list[str] | None = None) -> dict[str, object]:
    """Sell an item for good."""
    return {"sold": item, "price": price, "tags": tags}


@server.tool(annotations=ToolAnnotations(destructive_hint=False))
async def count(ctx: Context, to: int, pause: float = 0.0) -> str:
    """Count, and tell how far it is."""
    for number in range(to):
        await ctx.report_progress(number, to, f"at {number}")
        await asyncio.sleep(pause)
    return f"counted to {to}"


@server.tool()
def fail(why: str) -> str:
    """Fail, as tools may."""
    raise ToolError(why)


@server.tool()
def environment(name: str) -> str:
    """What a variable of the environment is, and where it runs."""
    return f"{name}={os.environ.get(name)} in {Path.cwd()} as {os.getpid()}"


@server.tool()
def picture() -> list[TextContent | ImageContent]:
    """A picture with a word beside it."""
    return [
        TextContent(type="text", text="A cat."),
        ImageContent(type="image", data="A" * 40_000, mime_type="image/png"),
    ]


@server.tool()
def big(size: int) -> str:
    """So many characters."""
    return "x" * size


@server.tool()
async def hang(mark: str) -> str:
    """Never come back, and tell in a file when that is given up."""
    Path(mark).write_text("hanging", encoding="utf-8")
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        Path(mark).write_text("cancelled", encoding="utf-8")
        raise
    return "never"


@server.tool()
async def where(ctx: Context) -> str:
    """Ask the client for its roots, and to sample."""
    roots = await ctx.session.list_roots()
    return str(roots.roots[0].uri)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
