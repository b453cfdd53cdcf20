"""Hooks: what hosts run, for places that `init` does not write to, and what came of it."""

from __future__ import annotations

import json
import shlex

import click

from llmgenie_mcp.errors import UsageError
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Group, quick_imports
from llmgenie_mcp.faces.cli_known import Known
from llmgenie_mcp.faces.cli_read import enforcement, pass_cli

EFFECTS = ("allow", "ask", "deny", "fault")


@click.group(cls=Group)
def hook() -> None:
    """Hooks of agents and of git."""


@hook.command()
@pass_cli
def status(cli: Cli) -> None:
    """Which enforcement points are installed, when each spoke last, and what it decided."""
    found = enforcement(cli)
    data = {name: found[name] for name in ("installed", "points", "notes")}
    lines = [f"installed: {', '.join(data['installed']) or 'nothing  → llmgenie init'}"]
    for name, said in data["points"].items():
        counts = ", ".join(f"{said[effect]} {effect}" for effect in EFFECTS if said[effect])
        lines.append(f"{text.strong(name)}: last {said['last']}; {counts}")
        lines += [f"  {count:>6} {rule}" for rule, count in sorted(said["rules"].items(), key=lambda pair: -pair[1])]
    cli.show(data, [*lines, *(f"{text.mark('warn')} {note}" for note in data["notes"])])


@hook.command()
@click.argument("host", type=Known("hosts"))
@pass_cli
def command(cli: Cli, host: str) -> None:
    """The command that HOST has to run, with its payload on stdin.

    HOST is an agent such as cursor, or git followed by the name of its hook.
    """
    with quick_imports():
        from llmgenie_mcp import agents
        from llmgenie_mcp.faces.cli_init import site_of
    if host != "git":
        agents.find(host)
    words = [*site_of(cli.project.root).hook, host]
    cli.show({"command": words}, shlex.join(words))


@hook.command()
@pass_cli
def http(cli: Cli) -> None:
    """What to put among `hooks.PreToolUse` of Claude Code, to ask a running server instead of starting a process."""
    with quick_imports():
        from llmgenie_mcp.config import FILE_NAME
        from llmgenie_mcp.faces.cli_init import site_of
        from llmgenie_mcp.faces.hook_http import handler_settings
        from llmgenie_mcp.loader.settings import load_settings
    project = cli.project
    port = load_settings(project.store).hooks.http_port
    if port is None:
        place = project.store / FILE_NAME
        raise UsageError("This project has no port for hooks.", f"In {place}: hooks: {{http_port: 8737}}")
    data = handler_settings(port, site_of(project.root).timeout)
    cli.show(data, json.dumps(data, indent=2))


COMMANDS = (hook,)
