"""`serve` and `demo`: the two commands that load the MCP SDK, and not before they run."""

from __future__ import annotations

import click

from llmgenie_mcp.faces.cli_base import Cli, Command
from llmgenie_mcp.faces.cli_read import pass_cli


@click.command(cls=Command)
@pass_cli
def serve(cli: Cli) -> None:
    """Serve MCP on stdin and stdout, as llmgenie-mcp does."""
    serve_stdio(cli)


def serve_stdio(cli: Cli) -> None:
    """The stdio server; the project is looked for at the client's first call."""
    from llmgenie_mcp.faces.mcp_server import run

    run(cli.folder)


@click.command(cls=Command)
@click.option("--yes", is_flag=True, help="A person agrees beforehand to the approvals that the demo asks for.")
@click.option("--keep", is_flag=True, help="Keep the temporary repository, to look around in it.")
@pass_cli
def demo(cli: Cli, yes: bool, keep: bool) -> None:
    """Show the whole way, from a task to a release.

    With a real server, a real client and a real git repository. Without --project in a temporary repository that is
    removed at the end. With --project DIR in that one: what is merged and tagged there stays (nothing is pushed).
    Exits with 1 when anything is not as it should be.
    """
    from llmgenie_mcp.faces.demo import run

    code = run(cli.folder, as_json=cli.json, yes=yes, keep=keep)
    if code:
        raise click.exceptions.Exit(code)


COMMANDS = (serve, demo)
