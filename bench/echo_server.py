"""The least that a server on the same SDK does: the baseline of `bench.mcp_latency`."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer

server = MCPServer("echo")


@server.tool()
def echo(text: str) -> str:
    """Answer with the same text."""
    return text


@server.tool()
async def echo_async(text: str) -> str:
    """Answer with the same text, without a worker thread."""
    return text


if __name__ == "__main__":
    server.run()
