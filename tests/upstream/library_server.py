"""An MCP server for tests that offers resources and prompts beside one tool, run by stdio."""

from __future__ import annotations

import os

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import SamplingMessage, TextContent
from pydantic import BaseModel

server = MCPServer("library", version="1.0")


class Card(BaseModel):
    """What a reader is asked for."""

    name: str


@server.resource("memo://rules", description="What holds in here.\u202e")
def rules() -> str:
    """The rules."""
    return f"Be quiet. The key is {os.environ.get('LIBRARY_KEY', 'nowhere')} and ghp_{'c' * 36}."


@server.resource("memo://long", description="Too much.")
def long() -> str:
    """A long text."""
    return "word " * 20_000


@server.resource("file:///{path}", description="A file.")
def file(path: str) -> str:
    """A file of any name."""
    return f"what is in {path}"


def _shelf(number: int) -> None:
    @server.resource(f"memo://shelf/{number}", description="x" * 100)
    def shelf() -> str:
        """A shelf."""
        return f"shelf {number}"


for _number in range(200):
    _shelf(_number)


@server.prompt(description="Have a book reviewed.")
def review(book: str, tone: str = "kind") -> str:
    """A prompt with arguments."""
    return f"Review {book} and be {tone}."


@server.tool()
async def join(ctx: Context) -> str:
    """Become a reader; asks for the name."""
    answer = await ctx.elicit("What is your name?", Card)
    return f"welcome {answer}"


@server.tool()
async def think(ctx: Context) -> str:
    """Have the client's model think."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text="think"))
    answer = await ctx.session.create_message(messages=[message], max_tokens=10)
    return str(answer)


if __name__ == "__main__":
    server.run("stdio")
