"""Tasks and the roadmap."""

from __future__ import annotations

from typing import Any

import click

from llmgenie_mcp.errors import BadParams, UnknownName
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_act import perform
from llmgenie_mcp.faces.cli_base import Cli, Group
from llmgenie_mcp.faces.cli_known import Known
from llmgenie_mcp.faces.cli_read import more, outlined, pass_cli, read

PRIORITY = click.Choice(["critical", "high", "medium", "low"])
SESSION = click.option("--session", metavar="SES-ID", help="The session it belongs to.")


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value not in (None, "", (), [])}


@click.group(cls=Group)
def task() -> None:
    """Tasks: list, add, show, claim, complete."""


@task.command("list")
@click.option("--ready", is_flag=True, help="Only what may be claimed now, the most urgent first.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    metavar="STATUS",
    type=Known("statuses"),
    help="Only of that status; may be repeated.",
)
@click.option("--mine", is_flag=True, help="Only what you have claimed; you are who the log says you are.")
@click.option("--assignee", metavar="WHO", help="Only what that person or agent has claimed.")
@click.option("--priority", "priorities", multiple=True, type=PRIORITY, help="Only of that priority; may be repeated.")
@click.option("--label", "labels", multiple=True, help="Only with that label; may be repeated, then with all of them.")
@click.option("--roadmap-item", metavar="RMI-ID", help="Only of that goal.")
@click.option("--query", help="Words, or field:value such as status:todo.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="At most so many.")
@click.option("--cursor", help="From the answer before, for what follows.")
@pass_cli
def task_list(cli: Cli, /, query: str | None, limit: int, cursor: str | None, **chosen: Any) -> None:
    """List tasks."""
    some = any(chosen.values())
    data = _chosen(cli, query, limit, cursor, **chosen) if some else read(cli, "tasks", query, limit, cursor)
    columns = ("id", "status", "priority", "assignee", "title", "dependencies", "roadmap_item")
    empty = "No task is like that." if query or some else "No task."
    cli.show(data, [*text.table(data["items"], *columns, empty=empty), more(data)])


def _chosen(
    cli: Cli,
    query: str | None,
    limit: int,
    cursor: str | None,
    *,
    ready: bool,
    statuses: tuple[str, ...],
    mine: bool,
    assignee: str | None,
    priorities: tuple[str, ...],
    labels: tuple[str, ...],
    roadmap_item: str | None,
) -> dict[str, Any]:
    """As `contextdata.read` of tasks, with only those that all options choose."""
    from llmgenie_mcp.contextdata import TABLES, matcher, task_order

    who = assignee or (cli.actor.id if mine else None)
    if cursor is not None and not (cursor.isascii() and cursor.isdecimal()):
        raise BadParams(f"{text.line(cursor, 40)!r} is no position.", "Hand back the cursor of the answer before.")
    if statuses or ready:
        flow = outlined(cli).workflows["task"]
        if unknown := [status for status in statuses if status not in flow.states]:
            raise UnknownName("status", unknown[0], flow.states)
    matches = matcher(query)
    with cli.storage() as storage:
        found = [
            document
            for document in storage.query("tasks").items
            if matches(document)
            and (not statuses or document["status"] in statuses)
            and (who is None or document.get("assignee") == who)
            and (not priorities or document.get("priority") in priorities)
            and set(labels) <= set(document.get("labels") or ())
            and roadmap_item in (None, document.get("roadmap_item"))
        ]
        if ready:
            from llmgenie_mcp.engine.standing import StoreReader
            from llmgenie_mcp.signals.task import is_open

            reader = StoreReader(storage)
            waiting = [one for one in found if one["status"] == flow.initial]
            free = [one for one in waiting if not any(is_open(reader, other) for other in one["dependencies"])]
            found = sorted(free, key=task_order)
    start = int(cursor or 0)
    rows = [{f: v for f in TABLES["tasks"] if (v := one.get(f)) not in (None, [], "")} for one in found]
    end = start + limit
    following = str(end) if end < len(rows) else None
    return {"key": "tasks", "items": rows[start:end], "total": len(rows), "cursor": following}


@task.command()
@click.argument("title")
@click.option("--description", help="What it means and when it is done.")
@click.option("--priority", type=PRIORITY, help="How urgent; medium otherwise.")
@click.option(
    "--after", "dependencies", metavar="TSK-ID", multiple=True, help="A task to be done before; may be repeated."
)
@click.option("--label", "labels", multiple=True, help="A free word; may be repeated.")
@click.option("--roadmap-item", metavar="RMI-ID", help="The goal it belongs to.")
@SESSION
@pass_cli
def add(cli: Cli, /, title: str, session: str | None, **more_params: Any) -> None:
    """Create a task."""
    params = {k: list(v) if isinstance(v, tuple) else v for k, v in _given(**more_params).items()}
    perform(cli, "create_task", {"title": title, **params}, session=session, lines=_id_line)


def _id_line(result: dict[str, Any]) -> list[str]:
    found = result.get("task") or result.get("item") or {}
    ready = f"; now ready: {', '.join(result['now_ready'])}" if result.get("now_ready") else ""
    return [f"{result['id']}  {found.get('status', '')}  {found.get('title', '')}{ready}"]


@task.command()
@click.argument("id_", metavar="TSK-ID")
@pass_cli
def show(cli: Cli, id_: str) -> None:
    """Show one task with everything known about it."""
    data = read(cli, f"tasks/{id_}")
    cli.show(data, text.fields(data["value"]))


@task.command()
@click.argument("id_", metavar="[TSK-ID]", required=False)
@SESSION
@pass_cli
def claim(cli: Cli, id_: str | None, session: str | None) -> None:
    """Take a task; the most urgent one that is ready when none is named."""
    perform(cli, "claim_task", _given(id=id_), session=session, lines=_id_line)


@task.command()
@click.argument("id_", metavar="[TSK-ID]", required=False)
@click.option("--summary", default="", help="What was done and how it was checked.")
@SESSION
@pass_cli
def complete(cli: Cli, id_: str | None, summary: str, session: str | None) -> None:
    """Mark a task as done; the session's own when none is named."""
    perform(cli, "complete_task", _given(id=id_, summary=summary), session=session, lines=_id_line)


@click.group(cls=Group)
def roadmap() -> None:
    """Goals, with the progress of their tasks."""


@roadmap.command("list")
@pass_cli
def roadmap_list(cli: Cli) -> None:
    """List the goals."""
    data = read(cli, "roadmap", limit=500)
    rows = [{**item, "progress": "{done}/{total} ({percent} %)".format(**item["progress"])} for item in data["items"]]
    cli.show(data, text.table(rows, "id", "status", "progress", "target", "title", empty="No goal."))


@roadmap.command("add")
@click.argument("title")
@click.option("--description", help="What it means and when it is reached.")
@click.option("--target", help="A date or a version.")
@SESSION
@pass_cli
def roadmap_add(cli: Cli, title: str, description: str | None, target: str | None, session: str | None) -> None:
    """Add a goal."""
    params = {"title": title, **_given(description=description, target=target)}
    perform(cli, "roadmap_add", params, session=session, lines=_id_line)


COMMANDS = (task, roadmap)
