"""The tools of other MCP servers as actions `NAME.tool`, from what was listed and accepted: nothing is started for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmgenie_mcp.config import Settings, Upstream
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.plugins import Action, NoParams, provider
from llmgenie_mcp.records import Document, Refusal
from llmgenie_mcp.upstream.folder import mark_of

if TYPE_CHECKING:
    from llmgenie_mcp.engine.situation import ActionContext, Situation
    from llmgenie_mcp.upstream.listing import Listing
    from llmgenie_mcp.upstream.schema import ToolParams
    from llmgenie_mcp.upstream.tools import Tool

SHOWN = 200
"""Characters of what a tool does in a list; its schema says more."""
LIST = "list_tools"


@provider("upstream", mark=mark_of)
def upstream_actions(store: Path | None, settings: Settings, _trusted: bool) -> Iterator[Action]:
    """An action for every tool that is known, and for every server one that asks it for them."""
    if store is None or not settings.upstreams:
        return
    from llmgenie_mcp.upstream import listing

    for name, upstream in settings.upstreams.items():
        known = listing.load(store, name, upstream)
        for tool in known.tools.values():
            yield _ToolAction(name, upstream, known, tool).action()
        if LIST not in known.tools:
            yield _ListAction(name, upstream).action()


@dataclass(frozen=True, slots=True)
class _ToolAction:
    """One tool as an action."""

    name: str
    upstream: Upstream
    known: Listing
    tool: Tool

    def action(self) -> Action:
        """The action. It counts as changing something even if it says it reads: parameters go to somebody else's program."""
        from llmgenie_mcp.upstream.schema import params_of
        from llmgenie_mcp.upstream.text import first_line

        name, tool, accepted = f"{self.name}.{self.tool.name}", self.tool, self.known.changes(self.tool) == []
        if not accepted:  # a model is told nothing of a tool that no person has seen as it is now, in an error neither
            tool = replace(
                tool, description="It waits for a person who accepts it.", schema={"type": "object"}, marks={}
            )
        return Action(
            name,
            first_line(tool.description, SHOWN),
            params_of(name, tool),
            self.run,
            slow=True,
            destructive=self.tool.destructive,
            resource=self.resource,
            ready=self.ready,
            group=self.name,
            operations=self.operations,
            waits="" if accepted else f"llmgenie upstream accept {self.name}",
        )

    def operations(self, _situation: Situation, params: ToolParams) -> list[Operation]:
        """What it does that policies have a word for, as the hook of an agent's host would read it."""
        from llmgenie_mcp.engine.tooluse import of_server
        from llmgenie_mcp.upstream.offers import is_offer

        if is_offer(self.tool.name):
            return [_reading(self.name, self.tool.name, str((params.model_extra or {}).get("uri", "")))]
        found = of_server(self.name, self.tool.name, params.model_extra or {}, lambda push: [push])
        return [self._from_root(operation) for operation in found]

    def _from_root(self, operation: Operation) -> Operation:
        """An operation with its path as from the project's folder: the server runs in one of its own."""
        path = operation.params.get("path")
        if not isinstance(path, str) or self.upstream.cwd == "." or path.startswith(("/", "~")):
            return operation
        return replace(operation, params={**operation.params, "path": f"{self.upstream.cwd}/{path}"})

    def resource(self, _situation: Situation, _params: object) -> Document:
        """What policies see."""
        tool = self.tool
        return {
            "type": "upstream",
            "id": f"{self.name}.{tool.name}",
            "server": self.name,
            "tool": tool.name,
            "read_only": tool.read_only,
            "destructive": tool.destructive,
        }

    def ready(self, situation: Situation, _params: object) -> Refusal | None:
        """Why it may not be called: nobody accepted the settings, or the tool as it is now."""
        if refusal := _untrusted(situation):
            return refusal
        changes = self.known.changes(self.tool)
        if changes == []:
            return None
        tool = self.tool.name
        why = f"the {' and '.join(changes)} changed since" if changes else "nobody has looked at it yet"
        message = f"A person must accept the tool {tool} of {self.name} first: {why}. In a terminal:"
        command = f"llmgenie upstream accept {self.name} {tool} --project {situation.project.root}"
        return Refusal("not_trusted", f"upstreams.{self.name}", f"{message} {command}", {"changed": changes or ["new"]})

    def run(self, ctx: ActionContext, params: ToolParams) -> Document:
        """Call it."""
        from llmgenie_mcp.upstream import calling, pool
        from llmgenie_mcp.upstream.asking import Asking

        project, asking = ctx.situation.project, Asking(ctx.ask)
        ctx.run["command"] = f"{self.name}.{self.tool.name}"
        try:
            return calling.call(
                pool.Place(project.store, project.root),
                self.name,
                self.upstream,
                self.tool,
                params.model_extra or {},
                ctx.cancel,
                ctx.progress,
                asking,
            )
        finally:
            ctx.notes += asking.notes(self.name)


@dataclass(frozen=True, slots=True)
class _ListAction:
    """Asking a server for its tools, as an action."""

    name: str
    upstream: Upstream

    def action(self) -> Action:
        """The action."""
        from llmgenie_mcp.upstream.text import first_line

        about = f" ({first_line(self.upstream.description, SHOWN)})" if self.upstream.description else ""
        text = f"Ask the MCP server {self.name}{about} for its tools; a person then accepts new ones."
        return Action(
            f"{self.name}.{LIST}", text, NoParams, self.run, slow=True, ready=self.ready, resource=self.resource,
            group=self.name,
        )  # fmt: skip

    def resource(self, _situation: Situation, _params: object) -> Document:
        """What policies see."""
        about = {"server": self.name, "tool": LIST, "read_only": True, "destructive": False}
        return {"type": "upstream", "id": f"{self.name}.{LIST}", **about}

    def ready(self, situation: Situation, _params: object) -> Refusal | None:
        """Why it may not be asked."""
        return _untrusted(situation)

    def run(self, ctx: ActionContext, _params: NoParams) -> Document:
        """Ask."""
        from llmgenie_mcp.upstream import calling, pool

        project = ctx.situation.project
        ctx.run["command"] = f"{self.name}.{LIST}"
        found = calling.refresh(pool.Place(project.store, project.root), self.name, self.upstream, ctx.cancel)
        waiting = [tool.name for tool in found.waiting()]
        answer: Document = {
            "upstream": self.name,
            "tools": len(found.tools),
            "accepted": len(found.tools) - len(waiting),
        }
        if waiting:
            answer["next"] = f"A person accepts them, in a terminal: llmgenie upstream accept {self.name}"
        return answer


def _reading(server: str, tool: str, uri: str) -> Operation:
    """A prompt or a resource as an operation: a file by its name, everything else as a call of another server."""
    from urllib.parse import unquote, urlsplit

    if uri.strip().lower().startswith("file:"):
        parts = urlsplit(uri.strip())  # servers that cut off file:// alone take a host for the beginning of the path
        path = parts.path if parts.netloc in ("", "localhost") else parts.netloc + parts.path
        return Operation("file.read", {"path": unquote(path)}, text=f"{server} {uri}")
    return Operation("mcp.call", {"server": server, "tool": tool}, text=f"{server}/{tool}")


def _untrusted(situation: Situation) -> Refusal | None:
    if situation.trusted:
        return None
    message = "A person has not accepted this project's own definitions yet. In a terminal: llmgenie trust"
    return Refusal("not_trusted", "trust", f"{message} --project {situation.project.root}", {"trusted": False})
