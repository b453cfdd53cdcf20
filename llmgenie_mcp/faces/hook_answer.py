"""A hook's request answered: by the server, or in the hook's own process. Light to import: no SDK, no pydantic."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from llmgenie_mcp import agents, redact
from llmgenie_mcp.agents import Agent
from llmgenie_mcp.agents._common import fault
from llmgenie_mcp.engine import oversight, tally
from llmgenie_mcp.engine.guard import Guard
from llmgenie_mcp.errors import LlmgenieError
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.hosts import PROBE, HookEvent, PayloadError, Reply
from llmgenie_mcp.project import Project, store_of

GIT = "git"


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What the hook was given.

    Attributes:
        host: the agent's name, or `git`.
        project: the folder that the installed command names.
        folder: where the hook runs.
        arguments: what stands after the host on its command line.
        environment: what was passed on of its environment.
        payload: its standard input.
    """

    host: str
    project: Path
    folder: Path
    arguments: tuple[str, ...]
    environment: dict[str, str]
    payload: bytes

    @classmethod
    def unpack(cls, data: bytes) -> HookRequest:
        """Read what `hook.pack` wrote. Raises ValueError."""
        count, _, rest = data.partition(b"\0")
        *fields, payload = rest.split(b"\0", int(count))
        if len(fields) != int(count):
            raise ValueError("the request is cut off")
        said: dict[str, list[str]] = {}
        for item in fields:
            name, _, value = item.decode("utf-8", "surrogateescape").partition("=")
            said.setdefault(name, []).append(value)
        environment = dict(pair.split("=", 1) for pair in said.get("env", []))
        return cls(
            said["host"][0],
            Path(said["project"][0]),
            Path(said["folder"][0]),
            tuple(said.get("arg", [])),
            environment,
            payload,
        )


def answer(request: HookRequest, guard: Callable[[], AbstractContextManager[Guard]]) -> Reply:
    """What the hook writes and exits with. Never raises: what cannot be decided is refused, with the reason.

    Args:
        request: what it was given.
        guard: opens the project's guard.
    """
    event: HookEvent | None = None
    try:
        if request.host == GIT:
            from llmgenie_mcp.faces.hook_git import answer_git

            with guard() as opened:
                return answer_git(request, opened)
        agent = agents.find(request.host)
        event = read_event(agent, request)
        with guard() as opened:
            return agent.reply(event, oversight.answer(opened, event))
    except PayloadError as error:
        why = f"{request.host} sent what its hooks are not known to send: {error}"
    except LlmgenieError as error:
        why = f"{error.message} {error.hint}".strip()
    except Exception as error:  # noqa: BLE001 - a hook that fails lets everything pass on most hosts
        why = f"{type(error).__name__}: {error}"
    store = store_of(request.project)
    if store.is_dir() and not (event and event.conversation == PROBE):
        tally.note(store, request.host, event.name if event else "?", "fault")
    why = str(redact.redact(why))  # an error may quote what was asked
    said = f"llmgenie cannot decide, and so refuses: {why} (`llmgenie doctor` tells what is wrong.)"
    return fault(event, said, host=request.host, name=_named(request) if event is None else "")


def read_event(agent: Agent, request: HookRequest) -> HookEvent:
    """The event in the agent's payload. Raises PayloadError."""
    try:
        payload: Any = json.loads(request.payload.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"this is no JSON ({str(error)[:100]})") from None
    if not isinstance(payload, dict):
        raise PayloadError("an object was expected")
    if request.arguments:
        payload["__event__"] = request.arguments[0]
    return agent.read(payload)


def _named(request: HookRequest) -> str:
    """What an event that could not be read calls itself; "" where not even that can be read."""
    try:
        payload: Any = json.loads(request.payload.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ""
    return str(payload.get("hook_event_name", "")) if isinstance(payload, dict) else ""


def answer_here(data: bytes) -> tuple[int, bytes, bytes]:
    """Answer in this process: exit code, stdout, stderr."""
    from llmgenie_mcp.engine.open_guard import open_guard

    request = HookRequest.unpack(data)
    project = Project(request.project, store_of(request.project), "the hook's --project")
    return encode(answer(request, lambda: open_guard(project)))


def encode(reply: Reply) -> tuple[int, bytes, bytes]:
    """A reply as bytes; NUL, which divides the parts on the socket, is left out."""
    texts = (reply.stdout, reply.stderr)
    stdout, stderr = (text.replace("\0", "").encode("utf-8", "backslashreplace") for text in texts)
    return reply.code, stdout, stderr
