"""`llmgenie`: the command line. A command per verb of the Engine, and what only people do."""

from __future__ import annotations

import contextlib
import sys

import click

from llmgenie_mcp import __version__
from llmgenie_mcp.faces.cli_base import Cli, Root, Script, short_life

MODULES = {
    "cli_act": ("run", "update", "event"),
    "cli_approve": ("approvals", "approve"),
    "cli_check": ("schema",),
    "cli_completion": ("completion",),
    "cli_doctor": ("doctor",),
    "cli_hook": ("hook",),
    "cli_import": ("import", "export"),
    "cli_init": ("init", "uninstall"),
    "cli_log": ("log",),
    "cli_outbox": ("outbox",),
    "cli_plugins": ("plugins",),
    "cli_policy": ("policy", "enforce"),
    "cli_range": ("check",),
    "cli_read": ("actions", "state", "context"),
    "cli_reference": ("reference",),
    "cli_serve": ("serve", "demo"),
    "cli_sync": ("sync",),
    "cli_task": ("task", "roadmap"),
    "cli_token": ("token",),
    "cli_trust": ("trust",),
    "cli_upstream": ("upstream",),
    "cli_work": ("session", "workflow"),
}
"""The commands by the module that has them in its COMMANDS; a module is imported when one of its commands is asked for."""

EPILOG = """\b
Exit codes: 0 ok; 1 refused, failed or unhealthy; 2 the command line is wrong; 130 interrupted.
With --json every command prints one document: {"ok": true, "data": …},
or {"ok": false} with "outcome" (refused), "error" or "data" (a check that found something).
Colours: on a terminal only; NO_COLOR=1 never, FORCE_COLOR=1 always."""


@click.group(
    "llmgenie",
    cls=Root,
    epilog=EPILOG,
    modules=MODULES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="llmgenie")
def cli() -> None:
    """Keep coding agents to the team's workflow: what may be done now, why not, and what would make it possible."""


@click.command(cls=Script)
@click.version_option(__version__, prog_name="llmgenie-mcp")
@click.make_pass_decorator(Cli, ensure=True)
def stdio_server(cli: Cli) -> None:
    """Serve the Model Context Protocol on stdin and stdout, for an MCP client that starts this command."""
    from llmgenie_mcp.faces.cli_serve import serve_stdio

    serve_stdio(cli)


def main() -> None:
    """The console script `llmgenie`."""
    _never_fail_on_a_character()
    with short_life():
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
