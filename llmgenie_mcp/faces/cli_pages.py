"""`reference pages`: the pages of docs/reference, made from the program."""

from __future__ import annotations

from pathlib import Path

import click

from llmgenie_mcp.faces.cli_base import Cli, Command, quick_imports
from llmgenie_mcp.faces.cli_read import pass_cli


@click.command("pages", cls=Command)
@click.option("--write", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Write the pages there.")
@click.option(
    "--check", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Exit 1 if they are stale."
)
@pass_cli
def pages(cli: Cli, write: Path | None, check: Path | None) -> None:
    """The pages about tools, actions, policies, workflows, settings, REST, events, facts and errors."""
    if (write is None) == (check is None):
        raise click.UsageError("Give either --write DIR or --check DIR.")
    with quick_imports():
        from llmgenie_mcp.faces import reference
    made = reference.made()
    if write is not None:
        changed = [str(path) for path in reference.write(write, made)]
        cli.show({"written": changed}, [f"wrote {path}" for path in changed] or ["Up to date; nothing written."])
        return
    assert check is not None  # noqa: S101 - one of the two is given
    stale = [path.name for path in reference.stale(check, made)]
    said = f"In {check} not as the program says: {', '.join(stale)}. llmgenie reference pages --write {check}"
    cli.show({"stale": stale}, said if stale else f"The pages in {check} are up to date.", ok=not stale)
