"""`outbox`: what is still to be delivered, and what was given up."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.errors import UsageError
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Group, quick_imports
from llmgenie_mcp.faces.cli_outbox_tried import Tried, tried
from llmgenie_mcp.faces.cli_person import confirmed, require_person
from llmgenie_mcp.faces.cli_read import pass_cli

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine

COLUMNS = ("id", "status", "destination", "what", "tries", "next", "error")
SHOWN = 50
Document = dict[str, Any]


@click.group(cls=Group, invoke_without_command=True)
@click.option(
    "--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 5000), help="At most so many of each."
)
@pass_cli
@click.pass_context
def outbox(context: click.Context, cli: Cli, limit: int) -> None:
    """What waits to be delivered, and what was given up.

    Webhooks, notifications, trigger rules whose turn has not come, CI runs that are looked after.
    """
    if context.invoked_subcommand is not None:
        return
    from llmgenie_mcp.faces.readiness import someone_delivers
    from llmgenie_mcp.outbox import TABLE

    with cli.storage() as storage:
        pages = {status: storage.query(TABLE, {"status": status}, limit=limit) for status in ("pending", "dead")}
    items = [_brief(item) for page in pages.values() for item in page.items]
    pending, dead = pages["pending"].total, pages["dead"].total
    delivers = someone_delivers(cli.project.store)
    lines = text.table(map(_row, items), *COLUMNS, empty="Nothing waits, and nothing was given up.")
    if len(items) < pending + dead:
        lines.append(text.dim(f"… {len(items)} of {pending + dead}; see more with --limit"))
    if pending:
        lines.append(_who(delivers))
    if dead:
        lines.append(
            f"  → given up: {dead}. llmgenie outbox replay --all tries them again, outbox drop ID forgets one."
        )
    cli.show({"items": items, "pending": pending, "dead": dead, "delivering": delivers}, lines)


@outbox.command()
@click.argument("ids", metavar="[OUT-ID]…", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that were given up.")
@pass_cli
def replay(cli: Cli, ids: tuple[str, ...], everything: bool) -> None:
    """Have what was given up tried again, from the first attempt.

    Waits up to half a minute, and exits with 1 when one failed or was not tried by then.
    """
    if bool(ids) == everything:
        raise UsageError("Which ones?", "Name them: llmgenie outbox replay OUT-1 OUT-2; or all of them: --all.")
    found = tried(cli, lambda engine: engine.replay_deliveries(None if everything else ids, actor=cli.actor))
    waiting = [one for one in ids if one not in found.ids]
    lines = [*_came_of_each(cli, found), f"Waiting already: {', '.join(waiting)}." if waiting else ""]
    lines += ["" if found.ids or waiting else "Nothing was given up."]
    cli.show({"replayed": found.ids, "left": _briefs(found), "waiting": waiting}, lines, ok=found.ok)


@outbox.command()
@click.argument("ids", metavar="OUT-ID…", nargs=-1, required=True)
@pass_cli
def retry(cli: Cli, ids: tuple[str, ...]) -> None:
    """Have items tried now, whether they wait for their next attempt or were given up.

    Deliveries to one destination go in order: an item goes when those before it are gone. Waits up to half a minute, and
    exits with 1 when one failed or was not tried by then.
    """
    found = tried(cli, lambda engine: engine.retry_deliveries(ids, actor=cli.actor))
    cli.show({"retried": found.ids, "left": _briefs(found)}, _came_of_each(cli, found), ok=found.ok)


@outbox.command()
@click.argument("ids", metavar="OUT-ID…", nargs=-1, required=True)
@pass_cli
def skip(cli: Cli, ids: tuple[str, ...]) -> None:
    """Give items up now, so that those behind them go on.

    They are kept: outbox replay tries them again. Works for a person at a terminal only.
    """
    rows, who = _chosen(cli, "Skipping a delivery", "skip", ids)
    with cli.engine() as engine:
        if not confirmed(f"To give up {len(rows)} of the outbox, as {who},"):
            cli.show({"skipped": []}, "Nothing was skipped.", ok=False)
        done = engine.skip_deliveries(ids, actor=cli.actor)
    told = f"Given up: {', '.join(done)}; llmgenie outbox replay tries again." if done else "None of them waits."
    cli.show({"skipped": done}, told)


@outbox.command()
@click.argument("ids", metavar="OUT-ID…", nargs=-1, required=True)
@pass_cli
def drop(cli: Cli, ids: tuple[str, ...]) -> None:
    """Take items off without delivering them.

    The log keeps what they were. Works for a person at a terminal only: what an agent did is told to others this way too.
    """
    rows, who = _chosen(cli, "Dropping a delivery", "drop", ids)
    with cli.engine() as engine:
        if not confirmed(f"To drop {len(rows)} of the outbox, as {who},"):
            cli.show({"dropped": []}, "Nothing was dropped.", ok=False)
        done = engine.drop_deliveries(ids, actor=cli.actor)
    cli.show({"dropped": done}, f"Dropped: {', '.join(done)}.")


@outbox.command()
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(0.1, 3600), help="Seconds.")
@pass_cli
def deliver(cli: Cli, timeout: float) -> None:
    """Deliver now what is due, where no server runs that does.

    Exits with 1 when something failed or is still due at the end.
    """
    with quick_imports():
        from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.engine.dispatcher import Dispatcher
    from llmgenie_mcp.outbox import TABLE

    with Engine.open(cli.project) as engine:  # not `cli.engine`, which would wait for what is due in its own time
        if not engine.definitions.trusted:
            hint = f"A person in a terminal: llmgenie trust --project {cli.project.root}"
            raise UsageError("Nothing is delivered before a person accepted the project's definitions.", hint)
        before = engine.storage.refresh()
        waits = bool(engine.storage.query(TABLE, {"status": "pending"}, limit=1).items)
        started = time.monotonic()
        mine = not waits or Dispatcher(engine, sources=False).drain(timeout)
        late = time.monotonic() - started >= timeout
        data = _came_of(engine, before, mine)
    if not waits:
        cli.show(data, "Nothing waits.")
        return
    if not mine:
        cli.show(data, "A running server delivers for this project already.")
        return
    lines = [f"Delivered: {data['delivered']}. Failed: {len(data['failed'])}. Waiting: {data['pending']}."]
    lines += [
        f"{text.mark('fail')} {text.line(one['destination'])}: {text.line(one['error'])}" for one in data["failed"]
    ]
    if data["due"] and late:
        lines.append(f"Still due after {timeout:g} s: {data['due']}. Give it longer with --timeout.")
    elif data["due"]:
        lines.append(
            f"Under way: {data['due']}. A server goes on looking; without one, say llmgenie outbox deliver again."
        )
    cli.show(data, lines, ok=not data["failed"] and not (data["due"] and late))


def _chosen(cli: Cli, what: str, command: str, ids: tuple[str, ...]) -> tuple[list[Document], str]:
    """The items that a person named, shown to them, and who that is. Raises NeedsPerson, UnknownName."""
    who = require_person(what, f"llmgenie outbox {command} {' '.join(ids)} --project {cli.project.root}")
    from llmgenie_mcp.errors import UnknownName
    from llmgenie_mcp.outbox import TABLE

    with cli.storage() as storage:
        there = {item["id"]: item for item in storage.query(TABLE).items}
    for one in ids:
        if one not in there:
            raise UnknownName("item of the outbox", one, there)
    rows = [_row(_brief(there[one])) for one in dict.fromkeys(ids)]
    text.say(text.table(rows, *COLUMNS), error=cli.json)
    return rows, who


def _came_of(engine: Engine, before: int, mine: bool) -> Document:
    """What the log tells since line `before`, and what is left."""
    from llmgenie_mcp.outbox import TABLE

    engine.storage.refresh()
    written = engine.storage.log(after=before, limit=100_000).items if mine else []
    failed = [line for line in written if line["type"] in ("delivery.failed", "delivery.given_up")]
    pending = engine.storage.query(TABLE, {"status": "pending"}).items
    return {
        "delivering": not mine,
        "delivered": sum(line["type"] == "delivery.completed" for line in written),
        "failed": [
            {
                "item": line["item"],
                "destination": line["destination"],
                "error": line["why"],
                "next_at": line.get("next_at"),
            }
            for line in failed
        ],
        "pending": len(pending),
        "due": len([item for item in pending if _seconds(item["next_at"]) <= 0 and mine]),
    }


def _came_of_each(cli: Cli, found: Tried) -> list[str]:
    """What came of items that were to be tried, and what a person may do about what did not arrive."""
    from llmgenie_mcp.faces.readiness import someone_delivers

    gone = [one["item"] for one in found.failed if one["next_at"] is None]
    lines = text.table(map(_row, _briefs(found)), *COLUMNS[:-1], empty="")  # the error has a line of its own
    lines += [f"Delivered: {', '.join(found.delivered)}." if found.delivered else ""]
    lines += [f"{text.mark('fail')} {one['item']}: {text.line(one['error'])}" for one in found.failed]
    lines += [f"  → given up: {', '.join(gone)}. Mend the cause, then: llmgenie outbox retry" if gone else ""]
    lines += [f"{one} stands behind {other}." for one, other in found.behind.items()]
    lines += [f"Under way: {', '.join(found.looked_after)}." if found.looked_after else ""]
    if found.waiting and not found.trusted:
        lines.append("Nothing is delivered before a person accepted the project's definitions: llmgenie trust")
    elif found.waiting or found.looked_after:
        lines.append(_who(someone_delivers(cli.project.store)))
    return lines


def _briefs(found: Tried) -> list[Document]:
    return list(map(_brief, found.left.values()))


def _brief(item: Document) -> Document:
    """What is shown of an item; what is sent may hold anything, and is not."""
    event = item["event"] or {}
    told: Document = {name: item[name] for name in ("id", "status", "destination", "kind", "name", "attempts")}
    told |= {
        "event": event.get("type"),
        "subject": event.get("subject"),
        "about": None if event else _about(item),
        "step": item["step"],
        "message": item["message"],
    }
    return told | {name: item[name] for name in ("next_at", "error", "created_at")}


def _about(item: Document) -> str:
    """What an item is that no event led to."""
    payload = item["payload"] or {}
    match item["kind"]:
        case "tracker":
            return f"{payload.get('task')} changed"
        case "ci":
            return f"looks after run {payload['id']}" if payload.get("id") else "looks after a run"
    return "asked for by an action"


def _row(item: Document) -> Document:
    what = " ".join(str(part) for part in (item["event"] or item["about"], item["subject"]) if part)
    wait = _seconds(item["next_at"])
    after = "" if item["status"] == "dead" else "due" if wait <= 0 else f"in {wait:.0f} s"
    return {**item, "what": what, "tries": item["attempts"], "next": after, "error": text.line(item["error"] or "", 80)}


def _seconds(at: str | None) -> float:
    return 0.0 if at is None else (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()


def _who(delivers: bool) -> str:
    if delivers:
        return "  → a running server delivers them"
    return "  → nobody delivers now: llmgenie outbox deliver, or start a server (llmgenie serve --http, an MCP client)"


COMMANDS = (outbox,)
