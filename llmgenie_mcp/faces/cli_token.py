"""`token`: who may call the REST face."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from llmgenie_mcp.errors import UsageError
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Group
from llmgenie_mcp.faces.cli_person import confirmed, require_person
from llmgenie_mcp.faces.cli_read import pass_cli

ROLES = ("reader", "agent", "human", "admin")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MAY = {
    "reader": "may read",
    "agent": "may act as an agent",
    "human": "speaks for a person: may answer approvals",
    "admin": "speaks for a person, and may run the server",
}


@click.group(cls=Group)
def token() -> None:
    """Tokens for the REST face: create, list, revoke.

    While a project has none, every program on this machine may call its server as an agent, and nobody else may.
    """


@token.command()
@click.argument("name")
@click.option(
    "--role", required=True, type=click.Choice(ROLES), help="What it may do; each may do what those before may."
)
@click.option(
    "--expires", metavar="TIME", help="After which it is good no more: 30m, 12h, 90d, 4w. It stays good otherwise."
)
@pass_cli
def create(cli: Cli, name: str, role: str, expires: str | None) -> None:
    """Make a token; it is shown once.

    Tokens of role human and admin speak for a person, so only a person at a terminal makes them.
    """
    from llmgenie_mcp import tokens

    project, lasts = cli.project, _duration(expires)
    if role in tokens.NEEDS_PERSON:
        until = f" --expires {expires}" if expires else ""
        typed = f"llmgenie token create {name} --role {role}{until} --project {project.root}"
        who = require_person(f"A token of role {role}", typed)
        text.say(f"{name} {MAY[role]} in {project.root}: whoever has it is taken for you.", error=cli.json)
        if not confirmed(f"To make it, as {who},"):
            cli.show({"name": name, "created": False}, "No token was made.", ok=False)
    made, secret = tokens.create(project.store, name, role, lasts)
    until = f" until {made.expires_at}" if made.expires_at else ""
    lines = [
        text.plain(secret),
        f"{name} {MAY[role]}{until}. Keep it now: it is not shown again.",
        text.dim(f'curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:{_port(cli)}/workflow/state'),
    ]
    cli.show({**made.shown(), "token": secret}, lines)


@token.command("list")
@pass_cli
def token_list(cli: Cli) -> None:
    """List the tokens; what makes them good is not kept and cannot be shown."""
    from llmgenie_mcp import tokens

    found = tokens.load(cli.project.store)
    if not found.readable:
        raise tokens.unreadable(cli.project.store)
    rows = [one.shown() for one in found.all.values()]
    lines = [{**row, "made": _day("made", row["created_at"]), "until": _end(row), "used": _use(row)} for row in rows]
    empty = "No token. Programs on this machine may call the server as an agent; nobody else may."
    cli.show({"items": rows}, text.table(lines, "name", "role", "made", "until", "used", empty=empty))


@token.command()
@click.argument("name")
@pass_cli
def revoke(cli: Cli, name: str) -> None:
    """End a token; a running server heeds it at once."""
    from llmgenie_mcp import tokens

    store = cli.project.store
    gone = tokens.revoke(store, name)
    left = len(tokens.load(store).all)
    lines = [f"{gone.name} is revoked."]
    if not left:
        lines.append("None is left: programs on this machine may call the server as an agent, without a token.")
    cli.show({"name": gone.name, "revoked": True, "left": left}, lines)


def _day(word: str, at: str) -> str:
    return f"{word} {at[:10]} {at[11:16]}"


def _end(row: Mapping[str, Any]) -> str:
    return "expired" if row["expired"] else _day("until", row["expires_at"]) if row["expires_at"] else ""


def _use(row: Mapping[str, Any]) -> str:
    return _day("used", row["last_used"]) if row["last_used"] else "never used"


def _duration(given: str | None) -> timedelta | None:
    """What `90d` means. Raises UsageError."""
    if given is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", given)
    if found is None:
        raise UsageError(f"{text.line(given, 40)} is no time.", "Write a number and m, h, d or w: 30m, 12h, 90d, 4w.")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _port(cli: Cli) -> int:
    """The port of the settings, for the example; the usual one when they cannot be read."""
    from llmgenie_mcp.errors import LlmgenieError
    from llmgenie_mcp.loader.settings import load_settings

    try:
        return load_settings(cli.project.store).rest.port
    except LlmgenieError:
        return 8787


COMMANDS = (token,)
