"""`import` and `export`: tasks of other tools brought in, and the project's tasks written out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.errors import UsageError, counted
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli
from llmgenie_mcp.faces.cli_base import Command as Shared
from llmgenie_mcp.faces.cli_progress import Working
from llmgenie_mcp.faces.cli_read import pass_cli

if TYPE_CHECKING:
    from llmgenie_mcp.importers import Report

SESSION = click.option("--session", metavar="SES-ID", help="The session it belongs to.")


@click.command("import", cls=Shared)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--format", "name", metavar="NAME", help="The format; found by content when left out.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--strict", is_flag=True, help="Do nothing when there is any problem.")
@click.option(
    "--max-size", default=16, show_default=True, type=click.IntRange(1, 4096), help="Mebibytes that may be read."
)
@click.option("--encoding", metavar="NAME", help="Of the files, such as cp1251; UTF-8 when left out.")
@SESSION
@pass_cli
def import_(
    cli: Cli,
    path: Path,
    name: str | None,
    dry_run: bool,
    strict: bool,
    max_size: int,
    encoding: str | None,
    session: str | None,
) -> None:
    """Bring in the tasks of another tool, or an export of llmgenie.

    Task Master, Backlog.md, beads, Shrimp, GitHub issues, the folder data of an older llmgenie, llmgenie's own JSON and
    Markdown. A second import changes what has changed there since; what was changed here stays.
    """
    from llmgenie_mcp.importers import MEBIBYTE, import_path

    with cli.engine() as engine, Working(f"Importing {path}", quiet=cli.json) as working:
        outcome, report = import_path(
            engine,
            path,
            format=name,
            dry_run=dry_run,
            strict=strict,
            bound=max_size * MEBIBYTE,
            encoding=encoding,
            actor=cli.actor,
            session=session,
            progress=lambda _done, _total, message: working.say(message),
        )
    if not outcome.ok:
        cli.outcome(outcome)
    cli.show({"dry_run": dry_run, "seq": outcome.seq, **report.to_dict()}, list(_lines(report, dry_run)))


def _lines(report: Report, dry_run: bool) -> list[str]:
    lines = [text.line(f"{report.format}: {report.why}", 300)]
    for made in report.created:
        known = f" (was {text.line(made['key'], 60)})" if made["key"] != made["id"] and made["table"] == "tasks" else ""
        lines.append(f"{text.mark('ok')} created {_name(made)}{known}  {text.line(made['title'], 100)}")
    lines += [f"{text.mark('ok')} updated {_name(one)}: {', '.join(one['fields'])}" for one in report.updated]
    for kept in report.kept:
        there = text.line(f"{kept['file']}:{kept['line']}", 100)
        lines.append(
            f"{text.mark('warn')} kept {_name(kept)}: {kept['field']} was changed here and at {there}; what is here stays"
        )
    lines += [f"changed: status {text.line(a, 60)} → {b}, {counted(n, 'time')}" for (a, b), n in report.mapped.items()]
    told = [("changed", remark) for remark in report.changes] + [
        (text.mark("warn"), remark) for remark in report.problems
    ]
    lines += [f"{what}: {text.line(f'{one.place}: {one.message} {one.hint}', 300)}" for what, one in told]
    return [*lines, f"{'Would be: ' if dry_run else ''}{report.told()}."]


def _name(told: dict[str, Any]) -> str:
    return text.line(told["id"] if told["table"] == "tasks" else f"{told['table']}/{told['id']}", 120)


@click.command(cls=Shared)
@click.option(
    "--format",
    "name",
    metavar="NAME",
    default="json",
    show_default=True,
    help="json, markdown, csv, taskmaster, backlog.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="The file or folder; what is one file is printed when left out."
)
@click.option("--force", is_flag=True, help="Overwrite what no export wrote.")
@pass_cli
def export(cli: Cli, name: str, output: Path | None, force: bool) -> None:
    """Write the project's tasks for git, for other tools, or as a copy.

    json has everything but approvals and the log; markdown has a file for each task, and comes back by import; csv is for
    spreadsheets; taskmaster and backlog are for Task Master and Backlog.md.
    """
    from llmgenie_mcp import exporters

    with cli.engine(read_only=output is None) as engine:
        if output is None:
            made = exporters.export(engine, name)
            if len(made.files) != 1 or exporters.formats()[name].folder:
                raise UsageError(f"{name} is a folder of files.", "Say where: --output FOLDER.")
            if cli.json:
                cli.show({"format": name, "content": made.text, "lost": made.lost}, [])
            else:
                click.echo(made.text, nl=False)
                text.say([f"lost: {one}" for one in made.lost], error=True)
            return
        outcome, made = exporters.export_to(engine, name, output, force=force, actor=cli.actor)
    if not outcome.ok:
        cli.outcome(outcome)
    written, removed = outcome.result["files"], outcome.result["removed"]
    lines = [f"lost: {one}" for one in made.lost]
    lines += [f"removed {text.line(one, 150)}" for one in removed]
    lines.append(
        f"{text.mark('ok')} {output}: {counted(len(written), 'file')} written, {outcome.result['unchanged']} unchanged."
    )
    cli.show({"format": name, "output": str(output), **outcome.result, "lost": made.lost}, lines)


COMMANDS = (import_, export)
