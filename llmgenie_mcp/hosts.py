"""What a coding agent's hook tells and what it is answered, in the words that all hosts share.

A host is the program the agent runs in: Cursor, Claude Code, Codex. `agents/` translates each host's own payloads to a
`HookEvent`, the Engine answers with a `Verdict`, and `agents/` writes that as the host's own `Reply`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal, TypeAlias

from llmgenie_mcp.frozen import dataclass

PROBE = "llmgenie-doctor"
"""The conversation, and for git the remote, that `doctor` asks in: what it asks for was not tried by any agent."""

Kind: TypeAlias = Literal["before", "after", "session_start", "session_end", "prompt", "stop", "other"]
CallKind: TypeAlias = Literal["shell", "read", "write", "delete", "mcp", "other"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One use of a tool by the agent.

    Attributes:
        kind: shell: `command`; read, write, delete: `paths`; mcp: `server`, `tool` and `arguments`; other: none of them.
        name: the host's name of the tool, for messages.
        command: what a shell would run.
        paths: files as the host names them, absolute or relative to the event's folder.
        server: name of the MCP server, as the host knows it; "" when the host does not say.
        tool: name of its tool.
        arguments: of the tool.
    """

    kind: CallKind
    name: str
    command: str = ""
    paths: tuple[str, ...] = ()
    server: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HookEvent:
    """What a hook was called for.

    Attributes:
        host: name of the host's adapter, such as `cursor`.
        name: the host's own name of the event, such as `beforeShellExecution`.
        kind: before: something is about to happen that may be stopped; after: it happened; the rest as they say.
        folder: where the agent works, absolute; None where the host does not say.
        conversation: the host's id of the conversation; None where it has none.
        calls: the uses of tools it is about (kinds before and after).
        result: what a tool answered (kind after).
        prompt: what the person wrote (kind prompt).
        can_deny: whether this host can be stopped at this event.
        can_ask: whether this host asks the person when told to, in the mode it is in now.
        repeated: stop: how many times in a row a hook has kept the agent from stopping.
    """

    host: str
    name: str
    kind: Kind
    folder: str | None = None
    conversation: str | None = None
    calls: tuple[ToolCall, ...] = ()
    result: Any = None
    prompt: str = ""
    can_deny: bool = False
    can_ask: bool = False
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a hook event.

    Attributes:
        effect: allow; ask (a person decides in the host's own dialogue; only given where `can_ask`); deny.
        reason: why, and what to do next, for the agent: never empty for deny and ask.
        summary: one line of it for the person.
        context: what the agent is to be told although nothing is denied (session_start, prompt, after); may be empty.
            For kind stop: what is left to do; a host that can be kept from stopping is, and gets this as the reason.
    """

    effect: Literal["allow", "ask", "deny"] = "allow"
    reason: str = ""
    summary: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the hook's process does: the bytes it writes and the code it exits with. Silence and 0 is no objection."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0


class PayloadError(ValueError):
    """A payload is not what its host is known to send. The message says what is missing, for the agent and the log."""
