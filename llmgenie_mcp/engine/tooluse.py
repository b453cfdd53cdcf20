"""What the use of a tool would do: a command, an edit or a call of another server as operations, as far as can be known here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from llmgenie_mcp.engine import conversations
from llmgenie_mcp.hosts import ToolCall
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.project import git_top
from llmgenie_mcp.surroundings import Place

_READ_HERE = ("unresolved", "refspec", "config")
"""Parameters of a push that say how it is to be resolved, and nothing about what it does."""
TOLD = 120
"""So many characters of a command that cannot be read stand in a question to a person; a `fix` carries up to 200 whole."""


def operations_of(call: ToolCall, folder: Path) -> list[Operation]:
    """What a use of a tool would do.

    Args:
        call: the use.
        folder: where the agent is.
    """
    if call.kind in ("read", "write", "delete"):
        return [Operation(f"file.{call.kind}", {"path": path}, text=call.name) for path in call.paths]
    if call.kind == "mcp":
        if conversations.is_ours(call):
            return []
        from llmgenie_mcp.shell.mcptools import read_tool

        found = _resolved(read_tool(call.server, call.tool, call.arguments), folder, f"{call.server} {call.tool}")
        given = json.dumps(call.arguments, sort_keys=True, default=str)
        return [_sealed(operation, given, always=True) for operation in found]
    if call.kind == "shell":
        from llmgenie_mcp.shell import read_command

        whole = Operation("shell", {"command": call.command}, text=call.command)
        found = _resolved(read_command(call.command, Place(folder, git_top(folder))), folder, call.command)
        return [*(_sealed(operation, call.command) for operation in found), whole]
    return []


def _resolved(operations: Iterable[Operation], folder: Path, text: str) -> list[Operation]:
    """The operations of a command or tool as far as they can be known here.

    Pushes that name no branch are what the repository's settings and branches make of them. A file whose name is not
    known is opaque: what is written may be anything, and what is read matters when `text` speaks of secrets.
    """
    found: list[Operation] = []
    for operation in operations:
        if operation.name == "git.push" and operation.folder is not None:
            from llmgenie_mcp.refs import destinations

            found += destinations(folder / operation.folder, operation)
        elif operation.name.startswith("file.") and operation.params.get("path", "") is None:
            found.append(_unnamed(operation, text))
        else:
            found.append(operation)
    return [replace(one, params={k: v for k, v in one.params.items() if k not in _READ_HERE}) for one in found]


def _unnamed(operation: Operation, text: str) -> Operation:
    from llmgenie_mcp.shell.opaque import SHOWN, touches

    verb = operation.name.partition(".")[2]
    concerns = [name for name in touches(text) if name == "secrets"] if verb == "read" else ["files"]
    why = f"which file it would {verb} is not known"
    return Operation("opaque", {"command": text[:SHOWN], "why": why, "touches": concerns}, operation.text)


def _sealed(operation: Operation, whole: str, *, always: bool = False) -> Operation:
    """What cannot be read and is too long to be shown, by its beginning and a hash: a person's yes is for it alone.

    Args:
        operation: of the call.
        whole: all that the call was given.
        always: also where its text is short, because that does not tell all.
    """
    command = operation.params.get("command")
    if operation.name != "opaque" or not isinstance(command, str) or (len(command) <= TOLD and not always):
        return operation
    from hashlib import blake2b

    mark = blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    told = f"{command[:TOLD].rstrip('…')}… ({len(whole)} characters, {mark})"
    return replace(operation, params={**operation.params, "command": told})
