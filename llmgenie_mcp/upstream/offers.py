"""What else a server offers beside tools: its prompts and its resources, as tools that are asked for in other words.

A prompt NAME is the tool `prompt:NAME`, whose parameters are the prompt's arguments. Resources are two tools,
`resource:list` and `resource:read`. No tool of a server can be called so, and all that holds for tools holds for these:
a person accepts them, policies bind them, answers are bounded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import contextdata
from llmgenie_mcp.upstream.text import clean
from llmgenie_mcp.upstream.tools import Tool, tool_of, tools_of

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult, ContentBlock

Document = dict[str, Any]
PROMPT, LIST, READ = "prompt:", "resource:list", "resource:read"
PAGES, ITEMS = 50, 2_000
"""Of a list of prompts or resources, at most."""
TEXT = 200
"""Characters of what a resource is said to be."""
_READS = {"readOnlyHint": True}
_LISTING = {
    "name": "list",
    "description": "List what this server lets one read: URIs with what they are, and templates of more.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "Words that must all occur."},
            "cursor": {"type": "string", "description": "From the answer before."},
        },
        "additionalProperties": False,
    },
    "annotations": _READS,
}
_READING = {
    "name": "read",
    "description": "Read a resource of this server by its URI.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "uri": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "As it was listed."}
        },
        "required": ["uri"],
        "additionalProperties": False,
    },
    "annotations": _READS,
}


async def offered(client: Client) -> tuple[list[Tool], list[str]]:
    """What a server offers beside tools, as tools, and what was wrong with others.

    Raises:
        MCPError, and what the SDK makes of answers that are none.
    """
    found: list[Tool] = []
    problems: list[str] = []
    able = client.server_capabilities
    if able.prompts is not None:
        tools, problems = tools_of([_prompt(prompt) for prompt in await _all(client.list_prompts, "prompts")])
        found += [replace(tool, name=f"{PROMPT}{tool.name}") for tool in tools]
    if able.resources is not None and (
        await _all(client.list_resources, "resources", pages=1)
        or await _all(client.list_resource_templates, "resource_templates", pages=1)
    ):
        found += [replace(tool_of(raw), name=name) for name, raw in ((LIST, _LISTING), (READ, _READING))]
    return found, problems


def is_offer(tool: str) -> bool:
    """Whether a tool is none, but another thing that a server offers."""
    return tool in (LIST, READ) or tool.startswith(PROMPT)


async def ask(client: Client, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
    """Ask for what `offered` told of, as a tool would answer."""
    from mcp_types import CallToolResult, EmbeddedResource, TextContent

    blocks: list[ContentBlock]
    if tool == LIST:
        data = await _listed(client, str(arguments.get("query") or ""), str(arguments.get("cursor") or ""))
        text = TextContent(type="text", text=json.dumps(data, ensure_ascii=False))
        return CallToolResult(content=[text], structured_content=data)
    if tool == READ:
        read = await client.read_resource(arguments["uri"])
        blocks = [EmbeddedResource(type="resource", resource=part) for part in read.contents]
        return CallToolResult(content=blocks)
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in arguments.items()}
    prompt = await client.get_prompt(tool.removeprefix(PROMPT), given)
    blocks = []
    for message in prompt.messages:
        if message.content.type == "text":
            blocks.append(TextContent(type="text", text=f"{message.role}: {message.content.text}"))
        else:
            blocks.append(message.content)
    return CallToolResult(content=blocks)


async def _listed(client: Client, query: str, cursor: str) -> Document:
    """One page of the resources and templates that `query` fits."""
    every = [*await _all(client.list_resources, "resources")]
    every += await _all(client.list_resource_templates, "resource_templates")
    fits = contextdata.matcher(query)
    lines = [line for line in map(_line, every) if fits(line)]
    start = int(cursor) if cursor.isascii() and cursor.isdecimal() and len(cursor) < 10 else 0
    shown = contextdata.fitting(lines[start : start + contextdata.FEW])
    end = start + len(shown)
    more = {"cursor": str(end)} if end < len(lines) else {}
    return {"resources": shown, "total": len(lines), **more}


def _line(raw: Any) -> Document:
    """A resource, or a template of many, as it is listed."""
    told = raw.model_dump(by_alias=True, mode="json", exclude_none=True)
    line = {key: told[key] for key in ("uri", "uriTemplate", "name", "mimeType", "size") if key in told}
    line["description"] = told.get("description") or told.get("title") or ""
    short = {
        key: clean(value, TEXT if key == "description" else 2000)
        for key, value in line.items()
        if value != "" and isinstance(value, str)
    }
    return {**short, **({"size": line["size"]} if isinstance(line.get("size"), int) else {})}


def _prompt(prompt: Any) -> Document:
    """A prompt in the words of a tool; its arguments are texts (MCP)."""
    told = prompt.model_dump(by_alias=True, mode="json", exclude_none=True)
    arguments: Iterable[Document] = told.get("arguments") or ()
    properties = {str(each["name"]): {"type": "string", **_said(each)} for each in arguments}
    schema = {
        "type": "object",
        "properties": properties,
        "required": [str(each["name"]) for each in arguments if each.get("required")],
        "additionalProperties": False,
    }
    about = {"name": told["name"], "description": told.get("description") or told.get("title") or ""}
    return {**about, "inputSchema": schema, "annotations": _READS}


def _said(argument: Mapping[str, Any]) -> Document:
    return {"description": argument["description"]} if argument.get("description") else {}


async def _all(ask_page: Any, field: str, *, pages: int = PAGES) -> list[Any]:
    """Every item of a list that comes in pages, up to the bounds; none of a list that the server does not know."""
    from mcp import MCPError
    from mcp_types import METHOD_NOT_FOUND

    found: list[Any] = []
    cursor = None
    for _ in range(pages):
        try:
            page = await ask_page(cursor=cursor)
        except MCPError as error:
            if error.code == METHOD_NOT_FOUND:
                break
            raise
        found += getattr(page, field)
        cursor = page.next_cursor
        if cursor is None or len(found) >= ITEMS:
            break
    return found[:ITEMS]
