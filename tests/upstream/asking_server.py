"""An MCP server for tests that asks the person, in whichever era of the protocol the client speaks."""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel, Field

server = MCPServer("rooms", version="1.0")


class Booking(BaseModel):
    """What the person says."""

    day: str = Field(description="Which day?", json_schema_extra={"format": "date"})
    room: Literal["blue", "green"] = "blue"


async def ask(people: int) -> Elicit[Booking]:
    """The question."""
    return Elicit(f"When do {people} people need a room?", Booking)


@server.tool()
async def book(people: int, booking: Annotated[ElicitationResult[Booking], Resolve(ask)]) -> str:
    """Book a room; asks when."""
    if not isinstance(booking, AcceptedElicitation):
        return f"not booked: {booking.action}"
    return f"the {booking.data.room} room for {people} on {booking.data.day}"


if __name__ == "__main__":
    server.run("stdio")
