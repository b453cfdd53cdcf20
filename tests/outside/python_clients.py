"""Clients in Python that are not ours, each run by the Python of its own environment.

    /env/of/pydantic-ai/bin/python python_clients.py pydantic-ai COMMAND [ARGUMENT …]
    /env/of/langchain/bin/python   python_clients.py langchain COMMAND [ARGUMENT …]

COMMAND serves a project on stdin and stdout. Of the standard library but for the framework that is tried.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from importlib.metadata import version
from typing import Any


async def pydantic_ai(command: str, arguments: list[str]) -> list[str]:
    """An agent whose model, TestModel, calls tools with arguments made from its schema."""
    from pydantic_ai import Agent
    from pydantic_ai.mcp import MCPToolset
    from pydantic_ai.models.test import TestModel

    try:
        from fastmcp.client.transports import StdioTransport
    except ImportError:
        from fastmcp_slim.client.transports import StdioTransport  # type: ignore[import-not-found, no-redef]
    server = MCPToolset(StdioTransport(command=command, args=arguments, env=dict(os.environ)))
    reading = ["get_available_actions", "get_workflow_state"]  # those that take whatever the schema allows
    agent = Agent(TestModel(call_tools=reading), toolsets=[server], retries=3)
    result = await agent.run("Do your work.")
    returned = [
        part.tool_name for message in result.all_messages() for part in message.parts if part.part_kind == "tool-return"
    ]
    assert "get_workflow_state" in returned, result.all_messages()
    return sorted(set(returned))


async def langchain(command: str, arguments: list[str]) -> list[str]:
    """The tools of a session as LangChain's, called without a model; resources and a prompt."""
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_mcp_adapters.prompts import load_mcp_prompt
    from langchain_mcp_adapters.resources import load_mcp_resources
    from langchain_mcp_adapters.tools import load_mcp_tools

    server: dict[str, Any] = {"transport": "stdio", "command": command, "args": arguments, "env": dict(os.environ)}
    client = MultiServerMCPClient({"llmgenie": server})  # type: ignore[dict-item]
    async with client.session("llmgenie") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        made = await tools["run_action"].ainvoke({"action": "create_task", "params": {"title": "From LangChain"}})
        assert "From LangChain" in json.dumps(made, default=str)
        refused = await tools["run_action"].ainvoke({"action": "merge", "params": {"branch": "main"}})
        assert "no-unapproved-merge" in json.dumps(refused, default=str), refused
        (page,) = await load_mcp_resources(session, uris="llmgenie://guides/refusals")
        assert page.as_string()
        (message, *_) = await load_mcp_prompt(session, "review", arguments={"branch": "feature/y"})
        assert "feature/y" in str(message.content)
    return sorted(tools)


if __name__ == "__main__":
    which, program, *words = sys.argv[1:]
    run, packages = {
        "pydantic-ai": (pydantic_ai, ("pydantic-ai-slim", "mcp")),
        "langchain": (langchain, ("langchain-mcp-adapters", "mcp")),
    }[which]
    used = asyncio.run(run(program, words))
    print(f"{', '.join(f'{name} {version(name)}' for name in packages)}: {', '.join(used)}")
