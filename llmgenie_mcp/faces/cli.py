"""`llmgenie`: the command line. A command per verb of the Engine, and what only people do."""

from __future__ import annotations

import contextlib
import sys

import click

from llmgenie_mcp import __version__
from llmgenie_mcp.faces import (
    cli_act,
    cli_approve,
    cli_check,
    cli_doctor,
    cli_hook,
    cli_import,
    cli_init,
    cli_log,
    cli_outbox,
    cli_plugins,
    cli_policy,
    cli_range,
    cli_read,
    cli_serve,
    cli_task,
    cli_token,
    cli_trust,
    cli_upstream,
    cli_work,
)
from llmgenie_mcp.faces.cli_base import Cli, Root, Script
from llmgenie_mcp.faces.cli_read import pass_cli

EPILOG = """\b
Exit codes: 0 ok; 1 refused, failed or unhealthy; 2 the command line is wrong.
With --json every command prints one document: {"ok": true, "data": …},
or {"ok": false} with "outcome" (refused), "error" or "data" (a check that found something)."""


@click.group(
    "llmgenie",
    cls=Root,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="llmgenie")
def cli() -> None:
    """Keep coding agents to the team's workflow: what may be done now, why not, and what would make it possible."""


for module in (
    cli_read,
    cli_policy,
    cli_act,
    cli_task,
    cli_work,
    cli_log,
    cli_outbox,
    cli_import,
    cli_approve,
    cli_trust,
    cli_token,
    cli_upstream,
    cli_plugins,
    cli_check,
    cli_range,
    cli_init,
    cli_doctor,
    cli_hook,
    cli_serve,
):
    for command in module.COMMANDS:
        cli.add_command(command)


@click.command(cls=Script)
@click.version_option(__version__, prog_name="llmgenie-mcp")
@pass_cli
def stdio_server(cli: Cli) -> None:
    """Serve the Model Context Protocol on stdin and stdout, for an MCP client that starts this command."""
    cli_serve.serve_stdio(cli)


def main() -> None:
    """The console script `llmgenie`."""
    _never_fail_on_a_character()
    cli.main(prog_name="llmgenie")


def mcp_main() -> None:
    """The console script `llmgenie-mcp`."""
    _never_fail_on_a_character()
    stdio_server.main(prog_name="llmgenie-mcp")


def _never_fail_on_a_character() -> None:
    """A terminal or pipe of another encoding shows an escape where it has no character."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
