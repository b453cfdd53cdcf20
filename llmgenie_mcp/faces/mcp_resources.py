"""Resources: the same facts as the tools give, for clients that attach or watch them; and completion of their names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import anyio.to_thread
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp_types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from llmgenie_mcp.errors import LlmgenieError, UnknownName
from llmgenie_mcp.faces.mcp_answers import error_text
from llmgenie_mcp.faces.mcp_call import Call
from llmgenie_mcp.faces.mcp_changes import STATE
from llmgenie_mcp.faces.mcp_project import AnyContext
from llmgenie_mcp.faces.mcp_prompts import GUIDES, guide

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.faces.mcp_face import Face
    from llmgenie_mcp.workflow import Workflow

P = ParamSpec("P")
R = TypeVar("R")

POLICIES = "llmgenie://policies"
POLICY = "llmgenie://policies/{name}"
CONTEXT = "llmgenie://context/{+key}"
WORKFLOW = "llmgenie://workflows/{name}"
GUIDE = "llmgenie://guides/{name}"
JSON, MARKDOWN = "application/json", "text/markdown"
SHOWN = 100
"""The protocol's limit of completions in one answer."""


def needs_project(uri: str) -> bool:
    """Whether reading `uri` needs the open project."""
    return not uri.startswith("llmgenie://guides/")


def register(face: Face) -> None:
    """Add all resources, their templates and the completion to `face`."""
    _register_facts(face)
    _register_guides(face)
    _register_completion(face)


def _register_facts(face: Face) -> None:
    def engine() -> Engine:
        found = face.project.current
        if found is None:
            raise ResourceError("The project is not open; call a tool first.")
        return found

    @face.resource(
        STATE, name="state", description="Project, mode, sessions, open instances, approvals.", mime_type=JSON
    )
    @_told
    def state() -> str:
        return _json(engine().workflow_state())

    @face.resource(POLICIES, name="policies", description="Every policy in force.", mime_type=JSON)
    @_told
    def policies() -> str:
        return _json(engine().policies())

    @face.resource(POLICY, name="policy", description="One policy with its rules.", mime_type=JSON)
    @_told
    def policy(name: str) -> str:
        return _json(engine().policy(name))

    @face.resource(
        CONTEXT,
        name="context",
        description="Context data by key: tasks, tasks/TSK-1, notes/NAME, meta-log.",
        mime_type=JSON,
    )
    @_told
    def context(key: str, context: AnyContext) -> str:
        return _json(Call(engine(), context, face.background).read(key))

    @face.resource(WORKFLOW, name="workflow", description="A workflow: diagram and states.", mime_type=MARKDOWN)
    @_told
    def workflow(name: str) -> str:
        return workflow_page(_workflow(engine(), name))


def _register_guides(face: Face) -> None:
    @face.resource(GUIDE, name="guide", description="How to work with llmgenie.", mime_type=MARKDOWN)
    @_told
    def any_guide(name: str) -> str:
        if name not in GUIDES:
            raise UnknownName("guide", name, GUIDES)
        return guide(name)

    # Concrete as well, because clients show what resources/list names and few ask for templates.
    for name, about in GUIDES.items():
        uri = GUIDE.replace("{name}", name)
        face.resource(uri, name=f"guide-{name}", description=about, mime_type=MARKDOWN)(_guide(name))


def _register_completion(face: Face) -> None:
    @face.completion()  # type: ignore[no-untyped-call, untyped-decorator]
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        _context: CompletionContext | None,
    ) -> Completion | None:
        what = ref.uri if isinstance(ref, ResourceTemplateReference) else f"{ref.name}.{argument.name}"
        found = await anyio.to_thread.run_sync(_candidates, face.project.current, what, argument.value)
        if found is None:
            return None
        return Completion(values=found[:SHOWN], total=len(found), has_more=len(found) > SHOWN)


def _candidates(engine: Engine | None, what: str, typed: str) -> list[str] | None:
    """What `typed` may become; None for what nothing is known about. Nothing is opened for a completion."""
    if what == GUIDE:
        return _starting(GUIDES, typed)
    if engine is None:
        return None
    sources: dict[str, Callable[[], Iterable[str]]] = {
        POLICY: lambda: engine.catalog.policies,
        WORKFLOW: lambda: engine.catalog.workflows,
        CONTEXT: lambda: engine.complete_key(typed),
        "start_session.task": lambda: _ids(engine, "tasks"),
        "review.branch": lambda: _subjects(engine, "review"),
        "release.version": lambda: _subjects(engine, "release"),
    }
    try:
        return _starting(sources[what](), typed) if what in sources else None
    except LlmgenieError:
        return None


def _starting(names: Iterable[str], typed: str) -> list[str]:
    return sorted({name for name in names if name.startswith(typed)})


def _ids(engine: Engine, table: str) -> Iterable[str]:
    items: list[Mapping[str, Any]] = engine.context_data(table, limit=500)["items"]
    return [item["id"] for item in items if item.get("status") not in ("done", "cancelled")]


def _subjects(engine: Engine, workflow: str) -> Iterable[str]:
    items: list[Mapping[str, Any]] = engine.context_data("instances", f"workflow:{workflow}", 500)["items"]
    return [item["subject"] for item in items]


def _workflow(engine: Engine, name: str) -> Workflow:
    entry = engine.catalog.workflows.get(name)
    if entry is None:
        raise UnknownName("workflow", name, engine.catalog.workflows)
    return entry.value


def workflow_page(flow: Workflow) -> str:
    """A workflow as Markdown: the diagram, then what each state means and opens."""
    from llmgenie_mcp.diagram import mermaid

    lines = [
        f"# {flow.name} (version {flow.version})",
        "",
        flow.description,
        "",
        "```mermaid",
        mermaid(flow).rstrip(),
        "```",
        "",
    ]
    for name, state in flow.states.items():
        lines += [f"## {name}{' (final)' if state.final else ''}", "", state.description]
        if state.actions is not None:
            lines.append(f"Open: {', '.join(state.actions) or 'nothing but the triggers'}.")
        for trigger, step in flow.transitions(name).items():
            person = " A person decides." if step.approval else ""
            lines.append(f"- `{trigger}` → {step.target}: {step.description}{person}")
            for guard in step.guards:
                way = f" → `run_action {guard.fix.action}`" if guard.fix else ""
                lines.append(f"  - if `{guard.expression}`: else {guard.message}{way}")
        lines.append("")
    return "\n".join(lines)


def _guide(name: str) -> Callable[[], str]:
    return lambda: guide(name)


def _told(read: Callable[P, R]) -> Callable[P, R]:
    """The Engine's errors in the SDK's words, so that clients get their text."""

    @wraps(read)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except UnknownName as error:
            raise ResourceNotFoundError(error_text(error)) from error
        except LlmgenieError as error:
            raise ResourceError(error_text(error)) from error

    return told


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1, default=str)
