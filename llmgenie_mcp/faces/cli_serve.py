"""`serve` and `demo`: the two commands that load the MCP SDK, and not before they run."""

from __future__ import annotations

import json
import sys

import click

from llmgenie_mcp.faces.cli_base import Cli, Command, long_life
from llmgenie_mcp.faces.cli_read import pass_cli


@click.command(cls=Command)
@click.option("--http", is_flag=True, help="REST and MCP over HTTP, for this machine, in place of stdin and stdout.")
@click.option("--host", metavar="HOST", help="With --http: address to listen at; one that others reach needs a token.")
@click.option("--port", metavar="PORT", type=click.IntRange(0, 65535), help="With --http: port; 0 is any free one.")
@pass_cli
def serve(cli: Cli, http: bool, host: str | None, port: int | None) -> None:
    """Serve MCP on stdin and stdout; with --http REST, and MCP over HTTP.

    Over HTTP it prints where, and serves until SIGTERM or Ctrl-C. Settings are under `rest:` in llmgenie.yaml.
    """
    long_life()
    if http:
        serve_http(cli, host, port)
    elif host is not None or port is not None:
        raise click.UsageError("--host and --port go with --http.")
    else:
        serve_stdio(cli)


def serve_http(cli: Cli, host: str | None, port: int | None) -> None:
    """The HTTP server; says in one line where it is, once it answers."""
    from llmgenie_mcp.faces.rest_serve import Address, serve

    def announce(address: Address) -> None:
        told = json.dumps({"ok": True, "data": address.to_dict()})
        click.echo(told if cli.json else f"llmgenie serves {address.project} at {address.url} (MCP: {address.url}/mcp)")
        sys.stdout.flush()

    serve(cli.folder, host, port, announce)


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
