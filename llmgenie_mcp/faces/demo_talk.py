"""The demo's client: the SDK's own, with the real server as a process behind it."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import ElicitRequestParams, ElicitResult, Implementation

import llmgenie_mcp
from llmgenie_mcp.faces.demo_show import DemoError, Story

TIMEOUT = 60.0
CLIENT = "llmgenie-demo"

Ask = Callable[[str], Awaitable[tuple[bool, str]]]
"""Puts a question to the person: whether it is granted, and a comment that is kept with the answer."""


def server_parameters(project: Path, environment: dict[str, str]) -> StdioServerParameters:
    """How the server of this very installation is started, whatever is on PATH."""
    package = Path(llmgenie_mcp.__file__).resolve().parent.parent
    environment = dict(environment)
    if package.name not in ("site-packages", "dist-packages"):  # a source checkout, which nothing else makes findable
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(package), environment.get("PYTHONPATH"))))
    # -P: what lies in the project's folder is not to be taken for modules of the server.
    arguments = ["-P", "-m", "llmgenie_mcp", "serve", "--project", str(project)]
    return StdioServerParameters(command=sys.executable, args=arguments, env=environment, cwd=project)


@dataclass
class Talk:
    """A conversation with the server, every answer of which is held against what must come.

    Attributes:
        client: connected.
        story: what is told.
        session: the session to hand over, once there is one.
    """

    client: Client
    story: Story
    session: str | None = None

    async def call(
        self, title: str, tool: str, arguments: dict[str, Any], expect: str = "ok", *, timeout: float | None = TIMEOUT
    ) -> dict[str, Any]:
        """Call a tool and show request and answer.

        Args:
            title: what it is for, in a few words.
            tool: its name.
            arguments: its arguments.
            expect: what must come: the status of an action, the effect of a decision, `ok` for all else.
            timeout: seconds; None while a person may be asked.

        Raises:
            DemoError: something else came.
        """
        self.story.request(tool, arguments)
        result = await self.client.call_tool(tool, arguments, read_timeout_seconds=timeout)
        answer = "\n".join(part.text for part in result.content if part.type == "text")
        data: dict[str, Any] = result.structured_content or {}
        step = self.story.answer(title, tool, arguments, answer, data)
        came = data.get("status") or data.get("effect") or ("error" if result.is_error else "ok")
        if came != expect:
            raise DemoError(f"{title}: expected {expect}, but {tool} answered {came}.", answer[:600])
        step["ok"] = True
        return data

    async def run(
        self, title: str, action: str, params: dict[str, Any], expect: str = "ok", *, timeout: float | None = TIMEOUT
    ) -> dict[str, Any]:
        """Run an action, in the session when there is one."""
        own = {"session": self.session} if self.session else {}
        arguments = {"action": action, "params": params, **own}
        return await self.call(title, "run_action", arguments, expect, timeout=timeout)


@asynccontextmanager
async def conversation(
    project: Path, environment: dict[str, str], story: Story, ask: Ask, errors: TextIO
) -> AsyncIterator[Talk]:
    """Start the server, connect, and end both afterwards.

    Args:
        project: the folder the server is about.
        environment: of the server.
        story: what is told.
        ask: puts a question to the person.
        errors: where the server's stderr goes.
    """

    async def elicited(context: Any, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001 - the SDK's signature
        granted, comment = await ask(params.message)
        return ElicitResult(
            action="accept", content={"decision": "approve" if granted else "decline", "comment": comment}
        )

    transport = stdio_client(server_parameters(project, environment), errlog=errors)
    client = Client(
        transport,
        elicitation_callback=elicited,
        client_info=Implementation(name=CLIENT, version=llmgenie_mcp.__version__),
    )
    async with client:
        yield Talk(client, story)
