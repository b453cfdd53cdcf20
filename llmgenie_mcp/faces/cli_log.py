"""The meta-log: reading, following, checking it."""

from __future__ import annotations

import queue
import select
import sys
from typing import Any

import click

from llmgenie_mcp.errors import counted
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Group
from llmgenie_mcp.faces.cli_read import pass_cli, read

LOOK = 0.5
"""Seconds between two looks whether anybody still reads what is followed."""

PROMPT = 0.05
"""Seconds between two looks for new lines: who watches sees a line as it is written."""


@click.group(cls=Group, invoke_without_command=True)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500), help="At most so many lines.")
@click.option("--query", help="Words that must all occur; field:value compares one field.")
@click.option("--session", metavar="SES-ID", help="Only what happened in that session.")
@click.option(
    "--follow", is_flag=True, help="Go on with what is committed from now on, until Ctrl-C; with --json a line each."
)
@pass_cli
@click.pass_context
def log(context: click.Context, cli: Cli, limit: int, query: str | None, session: str | None, follow: bool) -> None:
    """What happened, the newest last.

    Every line is one transaction: actor, session, what was asked, what came of it.
    """
    if context.invoked_subcommand is not None:
        return
    asked = " ".join(part for part in (query, f"session:{session.lower()}" if session else None) if part) or None
    if follow:
        _follow(cli, asked, limit)
        return
    data = read(cli, "meta-log", asked, limit)
    data["items"].reverse()
    lines = [text.log_line(entry) for entry in data["items"]]
    older = text.dim(f"… older: llmgenie context meta-log --cursor {data['cursor']}") if data.get("cursor") else ""
    fits = " and ".join(
        [*([text.line(query)] if query else []), *([f"session {text.line(session)}"] if session else [])]
    )
    nothing = f"No line of the log fits {fits}." if fits else "The log is empty."
    cli.show(data, [older, *lines] if lines else [nothing])


def _follow(cli: Cli, query: str | None, limit: int) -> None:
    from llmgenie_mcp.contextdata import matcher
    from llmgenie_mcp.engine.watcher import Watcher

    matches = matcher(query)
    with cli.storage() as storage:
        arrived: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        watcher = Watcher(storage, PROMPT)
        try:
            watcher.subscribe(arrived.put)
            before = [entry for entry in storage.log(limit=500, newest_first=True).items if matches(entry)]
            seen = max((entry["seq"] for entry in before), default=0)
            for entry in reversed(before[:limit]):
                _tell(cli, entry)
            while True:
                try:
                    line = arrived.get(timeout=LOOK)
                except queue.Empty:
                    if _unread():
                        return
                    continue
                entry = {name: value for name, value in line.items() if name != "changes"}
                if matches(entry) and entry["seq"] > seen:
                    _tell(cli, entry)
        except KeyboardInterrupt:
            return
        finally:
            watcher.stop()


def _unread() -> bool:
    """Whether stdout is a pipe that nobody reads any more: else `| head` would wait for the next line."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), select.POLLERR)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # no poll on this system, or no file behind stdout
        return False


def _tell(cli: Cli, entry: dict[str, Any]) -> None:
    if cli.json:
        click.echo(text.compact(entry))
    else:
        text.say(text.log_line(entry))


@log.command()
@pass_cli
def verify(cli: Cli) -> None:
    """Read the whole log, check its hash chain, and replay it against the documents; exit 1 when something is wrong."""
    from llmgenie_mcp.storage import open_storage

    storage = open_storage(cli.project.store, read_only=True)
    try:
        report = storage.verify()
    finally:
        storage.close()
    data = {"ok": report.ok, "lines": report.lines, "problems": report.problems}
    lines = [f"{text.mark('fail')} {problem}" for problem in report.problems]
    lines.append(
        "  → llmgenie doctor --repair"
        if lines
        else f"{text.mark('ok')} {counted(report.lines, 'line')}; the chain is whole."
    )
    cli.show(data, lines, ok=report.ok)


COMMANDS = (log,)
