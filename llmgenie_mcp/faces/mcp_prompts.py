"""Prompts that a person picks in the client, and the texts that agents read; the texts themselves are in `guides/`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.prompts.base import PromptArgument
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from llmgenie_mcp.errors import LlmgenieError, UnknownName, shorten
from llmgenie_mcp.faces.mcp_answers import error_text, state_text

if TYPE_CHECKING:
    from llmgenie_mcp.faces.mcp_face import Face

GUIDES = {
    "workflow": "How to work: sessions, modes, tasks, reviews and releases.",
    "refusals": "How to read a refusal and what to do next.",
}
"""Pages that are read as resources."""

PROMPTS: dict[str, tuple[str, dict[str, str]]] = {
    "start_session": (
        "Begin a piece of work under the team's workflow.",
        {"task": "The task, such as TSK-12; left out: the agent proposes one.", "role": "developer, reviewer …"},
    ),
    "review": (
        "Bring a branch through review to merged.",
        {"branch": "The branch; left out: the current one."},
    ),
    "release": (
        "Bring a version from planned to published.",
        {"version": "The version, such as 1.2.0; left out: the agent proposes one."},
    ),
}
"""Description and arguments of each prompt; all arguments may be left out."""

_DEFAULTS = {
    "task": "the task you propose and the user agrees to",
    "role": "developer",
    "branch": "the current branch",
    "version": "the version you propose and the user agrees to",
}


@cache
def guide(name: str) -> str:
    """One of the texts in `guides/`."""
    return files("llmgenie_mcp").joinpath("guides", f"{name}.md").read_text(encoding="utf-8")


def register(face: Face) -> None:
    """Add the prompts to `face`."""
    for name, (description, arguments) in PROMPTS.items():
        listed = [PromptArgument(name=key, description=text, required=False) for key, text in arguments.items()]
        face.add_prompt(Prompt(name=name, description=description, arguments=listed, fn=_filling(face, name)))


def check(name: str, arguments: dict[str, Any] | None) -> None:
    """Refuse what is unknown.

    Raises:
        MCPError: invalid params, with the names that exist. The SDK itself answers code 0 and logs a traceback.
    """
    if name not in PROMPTS:
        raise MCPError(INVALID_PARAMS, error_text(UnknownName("prompt", name, PROMPTS)))
    known = PROMPTS[name][1]
    if unknown := sorted(set(arguments or ()) - set(known)):
        text = f"The prompt {name} has no argument {shorten(unknown[0], 40)!r}; it takes {', '.join(known)}."
        raise MCPError(INVALID_PARAMS, text)


def _filling(face: Face, name: str) -> Any:
    async def fill(**given: str) -> str:
        return await anyio.to_thread.run_sync(_fill, face, name, given)

    return fill


def _fill(face: Face, name: str, given: dict[str, str]) -> str:
    values = {key: shorten(text, 200) for key, text in given.items() if text}
    defaults = {key: _DEFAULTS[key] for key in PROMPTS[name][1]}
    return Template(guide(name)).safe_substitute({**defaults, **values, "state": _state(face)})


def _state(face: Face) -> str:
    engine = face.project.current
    if engine is None:
        return "The project cannot be opened; get_workflow_state says why and what to do."
    try:
        return state_text(engine.workflow_state())
    except LlmgenieError as error:
        return error_text(error)
