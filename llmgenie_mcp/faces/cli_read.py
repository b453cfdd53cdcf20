"""Reading: what may be done, where things stand, what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command, quick_imports
from llmgenie_mcp.faces.cli_known import Known

if TYPE_CHECKING:
    from llmgenie_mcp.engine.outline import Outline

pass_cli = click.make_pass_decorator(Cli, ensure=True)


@click.command(cls=Command)
@click.argument("context", required=False, type=Known("modes", "workflows", "instances"))
@click.option("--query", help="Words to search names and descriptions for; the best come first, with their schema.")
@click.option("--session", metavar="SES-ID", help="As that session sees it.")
@click.option("--blocked", is_flag=True, help="Also what may not be done, and why.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="At most so many.")
@pass_cli
def actions(cli: Cli, context: str | None, query: str | None, session: str | None, blocked: bool, limit: int) -> None:
    """What may be done now.

    CONTEXT is a mode, a workflow, workflow/state or an instance id; where you are now when left out.
    """
    data = _available(cli, context, session, blocked, query, limit)
    cli.show(data, _actions_lines(data))


def _available(
    cli: Cli, context: str | None, session: str | None, blocked: bool, query: str | None, limit: int
) -> dict[str, Any]:
    """As `Engine.available_actions`; from the definitions where what is kept of them is not enough."""
    if query is None and (known := outlined(cli).known) is not None:
        with cli.storage() as storage:
            return known.available(cli.project, storage, context, session, blocked, limit)
    with quick_imports():
        from llmgenie_mcp.engine.questions import Questions  # the Engine's half that reads
    with cli.storage() as storage:
        return Questions(cli.project, storage).available_actions(context, session, blocked, query, limit)


def _actions_lines(data: dict[str, Any]) -> list[str]:
    lines = [text.strong(f"In {data['context']}, mode {data['mode']}:")]
    for action in data["actions"]:
        leads = f" [{action['leads_to']}]" if action.get("leads_to") else ""
        lines.append(f"  {action['name']}({action.get('params', '')}): {action['description']}{leads}")
        lines += [f"      only if: {condition}" for condition in action.get("if") or ()]
    if not data["actions"]:
        lines.append("  nothing")
    if data.get("more"):
        lines.append(f"  … and {data['more']} more: --limit or --query")
    for blocked in data.get("blocked") or ():
        lines.append(f"{text.mark('denied')} {blocked['name']}")
        lines += [f"  {one}" for reason in blocked["reasons"] for one in text.reason_lines(reason) if one]
    return lines


@click.command(cls=Command)
@click.option("--session", metavar="SES-ID", help="As that session sees it.")
@pass_cli
def state(cli: Cli, session: str | None) -> None:
    """Where things stand.

    Project, mode, sessions, open reviews and releases with what may come next, approvals that wait.
    """
    from llmgenie_mcp.engine.standing import StoreReader

    known = outlined(cli)
    with cli.storage() as storage:
        data = known.state(cli.project, StoreReader(storage), session, [*getattr(storage, "warnings", [])])
    cli.show(data, _state_lines(data))


def outlined(cli: Cli) -> Outline:
    """What is told of the definitions: as it was kept while nothing behind it has changed, else from the definitions."""
    from llmgenie_mcp.engine import outline

    project = cli.project
    if known := outline.read(project.store):
        return known
    before = outline.mark_of(project.store)
    with quick_imports():
        from llmgenie_mcp.engine.definitions import load
    return outline.of(project.store, load(project), before)


def enforcement(cli: Cli) -> dict[str, Any]:
    """As `Engine.enforcement_status`, without the Engine."""
    known = outlined(cli)
    with cli.storage() as storage:
        return known.enforcement(cli.project, getattr(storage, "warnings", []))


def _state_lines(data: dict[str, Any]) -> list[str]:
    project = data["project"]
    lines = [
        f"{text.strong(project['name'])}  {project['root']} (found by {project['found_by']})",
        f"mode {data['mode']}: {data.get('mode_description', '')}",
    ]
    if session := data.get("session"):
        kept = ("role", "task", "branch", "instance")
        lines.append(
            f"{session['id']} ({session['status']}) " + ", ".join(f"{k} {session[k]}" for k in kept if k in session)
        )
    elif opened := data.get("sessions_open"):
        lines.append(f"open sessions: {', '.join(opened)}")
    for instance in data.get("instances") or ():
        ways = ", ".join(f"{trigger} → {target}" for trigger, target in (instance.get("next") or {}).items())
        lines.append(f"{instance['id']} {instance['workflow']} of {instance['subject']}: {instance['state']}; {ways}")
    waiting = data.get("approvals_pending") or ()
    lines += [f"{one['id']} waits for a person: {one['question']}  → llmgenie approve {one['id']}" for one in waiting]
    if tasks := data.get("tasks"):
        lines.append("tasks: " + ", ".join(f"{count} {status}" for status, count in tasks.items()))
    lines.append(f"policies: {', '.join(data['policies'])}")
    if not data["trusted"]:
        lines.append(f"{text.mark('warn')} this project's own definitions are not accepted yet  → llmgenie trust")
    return [*lines, *(f"{text.mark('warn')} {warning}" for warning in data.get("warnings") or ())]


@click.command(cls=Command)
@click.argument("key", type=Known("keys"))
@click.option("--query", help="Words that must all occur; field:value compares one field.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="At most so many.")
@click.option("--cursor", help="From the answer before, for what follows.")
@pass_cli
def context(cli: Cli, key: str, query: str | None, limit: int, cursor: str | None) -> None:
    """Read context data by key.

    KEY is tasks, roadmap, sessions, instances, approvals, runs, notes, lessons, opinions, outbox or meta-log;
    one document is tasks/TSK-1. Of other servers: upstream/NAME, upstream/NAME/URI.
    """
    data = read(cli, key, query, limit, cursor)
    if "items" not in data:
        value = data["value"]
        cli.show(data, text.fields(value) if isinstance(value, dict) else text.plain(value))
        return
    if key == "meta-log":
        lines = [text.log_line(item) for item in data["items"]]
    else:
        lines = text.table(data["items"], *_columns(data["items"]), empty=f"{key}: nothing.")
    cli.show(data, [*lines, more(data)])


def read(cli: Cli, key: str, query: str | None = None, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    """`Engine.context_data` without the Engine, but for what other servers have."""
    from llmgenie_mcp import contextdata

    if key.lstrip("/").partition("/")[0] == "upstream":
        with cli.engine() as engine:
            return engine.context_data(key, query, limit, cursor)

    with cli.storage() as storage:
        return contextdata.read(storage, key, query, limit, cursor)


def more(data: dict[str, Any]) -> str:
    """How to read on, when there is more."""
    if data.get("cursor") is None:
        return ""
    return text.dim(f"… {len(data['items'])} of {data['total']}; go on with --cursor {data['cursor']}")


def _columns(items: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for item in items for name in item if name not in ("created_at", "updated_at")))


COMMANDS = (actions, state, context)
