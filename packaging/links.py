"""Links that install the server in an editor with one click, as Markdown.

    python packaging/links.py

Cursor takes the Base64 of the JSON of one server (as in `mcpServers`), quoted for a URL; VS Code the quoted JSON itself,
with the name inside for `vscode:` and beside it for the web address. Web addresses are for pages that let no other scheme
through. Sources: cursor.com/docs (MCP install links) and code.visualstudio.com/docs (MCP servers, installation URL).

The entry names no project: an editor writes it to the settings of the user, where it holds for every folder, and the server
asks the client for its root.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

NAME = "llmgenie"
ENTRY: Mapping[str, Any] = {"type": "stdio", "command": "uvx", "args": ["llmgenie-mcp"]}
"""What starts the server, in the words of both editors."""


def compact(document: Any) -> str:
    """JSON without spaces, as short links want it."""
    return json.dumps(document, separators=(",", ":"))


def cursor(name: str, entry: Mapping[str, Any], *, web: bool = False) -> str:
    """Cursor's link: the JSON first in Base64, then quoted for a URL. The other way round Cursor finds no JSON in it."""
    config = base64.b64encode(compact(dict(entry)).encode()).decode("ascii")
    base = "https://cursor.com/en/install-mcp" if web else "cursor://anysphere.cursor-deeplink/mcp/install"
    return f"{base}?name={quote(name, safe='')}&config={quote(config, safe='')}"


def vscode(name: str, entry: Mapping[str, Any], *, web: bool = False) -> str:
    """VS Code's link."""
    if web:
        config = quote(compact(dict(entry)), safe="")
        return f"https://insiders.vscode.dev/redirect/mcp/install?name={quote(name, safe='')}&config={config}"
    return f"vscode:mcp/install?{quote(compact({'name': name, **entry}), safe='')}"


def markdown() -> str:
    """The table of docs/packaging.md."""
    rows = (("Cursor", cursor), ("VS Code", vscode))
    lines = ["| editor | link for a page | for the system's own opener |", "|---|---|---|"]
    for editor, link in rows:
        lines.append(f"| {editor} | [install]({link(NAME, ENTRY, web=True)}) | `{link(NAME, ENTRY)}` |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
