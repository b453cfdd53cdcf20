"""`sync`: tasks and the issues of trackers brought together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, quick_imports
from llmgenie_mcp.faces.cli_base import Command as Shared
from llmgenie_mcp.faces.cli_progress import Working
from llmgenie_mcp.faces.cli_read import pass_cli

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine

MARKS = {"problem": "warn", "refused": "warn", "conflict": "warn"}


@click.command(cls=Shared)
@click.argument("name", required=False)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing on either side.")
@click.option("--session", metavar="SES-ID", help="The session it belongs to.")
@pass_cli
def sync(cli: Cli, name: str | None, dry_run: bool, session: str | None) -> None:
    """Make tasks and the issues of a tracker equal; of all trackers in the settings when none is named.

    What changed there is taken over, what changed here is told. Between two syncs, what changes here is told by itself
    while a server of llmgenie runs.
    """
    params = {"dry_run": dry_run, **({"name": name} if name else {})}
    working = Working(f"Reading {name or 'every tracker'}", quiet=cli.json)
    with _reading(cli) if dry_run else cli.engine() as engine, working:
        outcome = engine.run_action("sync_tracker", params, session=session, actor=cli.actor)
    if not outcome.ok:
        cli.outcome(outcome)
    cli.show(outcome.result, list(_lines(outcome.result)))


@contextmanager
def _reading(cli: Cli) -> Iterator[Engine]:
    """The open Engine, and nothing of what waits is delivered afterwards: a dry run changes nothing there."""
    with quick_imports():
        from llmgenie_mcp.engine import Engine
    with Engine.open(cli.project) as engine:
        yield engine


def _lines(result: dict[str, Any]) -> list[str]:
    lines = [
        f"{text.mark(MARKS.get(one['did'], 'ok'))} {one['did']}: {text.line(one['text'], 600)}" for one in result["did"]
    ]
    if more := result.get("more"):
        lines.append(f"… and {more} more")
    counts = ", ".join(f"{count} {did}" for did, count in sorted(result["counts"].items()))
    where = ", ".join(result["trackers"])
    return [*lines, f"{'Would be: ' if result.get('dry_run') else ''}{where}: {counts or 'both sides are equal'}."]


COMMANDS = (sync,)
