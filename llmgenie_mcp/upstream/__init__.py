"""Other MCP servers, whose tools are actions here: what they offer, what a person accepted of it, and calls to them.

`tools` and `listing` are data and light to import; `pool` runs connections, `connection` is one of them, `stdio` and `web`
are how they reach a server. Of all packages but the faces, this one alone imports the MCP SDK, and not before a call.
"""
