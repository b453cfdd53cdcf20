"""`upstream`: other MCP servers behind this one; which tools they have, and which of them a person accepted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.errors import LlmgenieError, UnknownName, UsageError, counted
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Group
from llmgenie_mcp.faces.cli_known import Known
from llmgenie_mcp.faces.cli_person import confirmed, require_person
from llmgenie_mcp.faces.cli_read import pass_cli
from llmgenie_mcp.faces.cli_upstream_add import add, remove
from llmgenie_mcp.faces.cli_upstream_login import login, logout

if TYPE_CHECKING:
    from llmgenie_mcp.config import Upstream
    from llmgenie_mcp.upstream.listing import Listing
    from llmgenie_mcp.upstream.tools import Tool

DESCRIBED = 400
"""Characters of what a tool does that a person is shown before accepting it: all that a model gets to see first."""

NONE = "No server stands behind this one.  → llmgenie upstream add"


@click.group(cls=Group)
def upstream() -> None:
    """Other MCP servers behind this one: add, log in, accept their tools.

    Their tools become actions NAME.tool, found by get_available_actions and run by run_action.
    """


@upstream.command("list")
@click.argument("name", required=False, type=Known("upstreams"))
@pass_cli
def upstream_list(cli: Cli, name: str | None) -> None:
    """List the servers of the settings; with NAME, its tools and how they stand."""
    found = _upstreams(cli)
    if name is not None:
        known = _known(cli, found, name)
        rows = [_row(known, tool) for tool in known.tools.values()]
        lines = text.table(rows, "name", "status", "kind", "description", empty=_never(name, known))
        cli.show({"name": name, "tools": rows, "problems": list(known.problems)}, [*lines, *known.problems])
        return
    servers = [_server(cli, found, each) for each in found]
    told = text.table(servers, "name", "reached_by", "server", "tools", "accepted", "listed_at", empty=NONE)
    cli.show({"items": servers}, [*told, *_next(servers)])


@upstream.command()
@click.argument("names", nargs=-1)
@pass_cli
def refresh(cli: Cli, names: tuple[str, ...]) -> None:
    """Ask servers for their tools now, all of them or those named; starts them for that."""
    from llmgenie_mcp.upstream import pool
    from llmgenie_mcp.upstream.calling import refresh as ask

    found, project = _upstreams(cli), cli.project
    servers, failed = [], []
    _trusted(cli)
    try:
        for name in names or tuple(found):
            one = _one(found, name)
            try:
                ask(pool.Place(project.store, project.root), name, one, threading.Event())
            except LlmgenieError as error:
                failed.append({"name": name, **error.to_dict()})
                continue
            servers.append(_server(cli, found, name))
    finally:
        pool.close_all()
    lines = text.table(servers, "name", "server", "tools", "accepted", empty="" if failed else NONE)
    for miss in failed:
        lines.append(f"{text.mark('failed')} {miss['name']}: {miss['message']}")
        lines.append(f"  → {text.line(miss['hint'])}" if miss.get("hint") else "")
    cli.show({"items": servers, "failed": failed}, [*lines, *_next(servers)], ok=not failed)


@upstream.command()
@click.argument("name", type=Known("upstreams"))
@click.argument("tools", nargs=-1)
@pass_cli
def accept(cli: Cli, name: str, tools: tuple[str, ...]) -> None:
    """Accept tools of a server as they are now: all that wait, or those named.

    What a tool is said to do goes into the context of the model, so a person reads it first; what changes later is
    refused until it is accepted again. Works for a person at a terminal only.
    """
    from llmgenie_mcp.upstream import listing

    found, project = _upstreams(cli), cli.project
    typed = " ".join(("llmgenie upstream accept", name, *tools))
    who = require_person("Accepting tools", f"{typed} --project {project.root}")
    _trusted(cli)
    known = _known(cli, found, name)
    for tool in tools:
        if tool not in known.tools:
            raise UnknownName(f"tool of {name}", tool, known.tools)
    chosen = [tool for tool in known.waiting() if not tools or tool.name in tools]
    if not chosen:
        cli.show({"name": name, "accepted": []}, _never(name, known) if not known.tools else "Nothing waits.")
        return
    text.say([line for tool in chosen for line in _shown(known, tool)], error=cli.json)
    if not confirmed(f"To accept {'it' if len(chosen) == 1 else f'these {len(chosen)} tools'}, as {who},"):
        cli.show({"name": name, "accepted": []}, "Nothing was accepted.", ok=False)
    listing.accept(project.store, name, found[name], chosen)
    names = [tool.name for tool in chosen]
    cli.show({"name": name, "accepted": names}, f"{text.mark('ok')} accepted: {counted(len(names), 'tool')} of {name}.")


def _upstreams(cli: Cli) -> dict[str, Upstream]:
    from llmgenie_mcp.loader.settings import load_settings

    return load_settings(cli.project.store).upstreams


def _one(found: dict[str, Upstream], name: str) -> Upstream:
    if name not in found:
        raise UnknownName("upstream", name, found)
    return found[name]


def _trusted(cli: Cli) -> None:
    """Raises UsageError: nothing is started of settings that nobody accepted."""
    from llmgenie_mcp import trust

    if not trust.is_trusted(cli.project.store):
        message = "A person has not accepted this project's settings yet, so nothing of them is started."
        raise UsageError(message, f"In a terminal: llmgenie trust --project {cli.project.root}")


def _known(cli: Cli, found: dict[str, Upstream], name: str) -> Listing:
    from llmgenie_mcp.upstream import listing

    return listing.load(cli.project.store, name, _one(found, name))


def _server(cli: Cli, found: dict[str, Upstream], name: str) -> dict[str, Any]:
    from llmgenie_mcp.upstream.keys import keys_of

    known, one = _known(cli, found, name), found[name]
    return {
        "name": name,
        "reached_by": one.url or text.compact(list(one.command)),
        "server": known.server,
        "tools": len(known.tools) if known.listed_at else None,
        "accepted": len(known.tools) - len(known.waiting()) if known.listed_at else None,
        "logged_in": bool(one.url and keys_of(cli.project.store, name, one.url).load()),
        "waiting": [tool.name for tool in known.waiting()],
        "listed_at": known.listed_at or "never",
        "problems": list(known.problems),
    }


def _next(servers: list[dict[str, Any]]) -> list[str]:
    never = [one["name"] for one in servers if one["listed_at"] == "never"]
    lines = [f"Not asked for their tools yet: {', '.join(never)}; llmgenie upstream refresh"] if never else []
    lines += [
        f"{one['name']}: {counted(len(one['waiting']), 'tool')} waiting for a person; llmgenie upstream accept {one['name']}"
        for one in servers
        if one["waiting"]
    ]
    return lines + [f"{one['name']}: {problem}" for one in servers for problem in one["problems"][:5]]


def _never(name: str, known: Listing) -> str:
    if known.listed_at:
        return f"{name} has no tools that the settings take."
    return f"{name} was never asked for its tools, or is defined otherwise since: llmgenie upstream refresh {name}"


def _row(known: Listing, tool: Tool) -> dict[str, Any]:
    changes = known.changes(tool)
    status = "new" if changes is None else f"changed: {', '.join(changes)}" if changes else "accepted"
    return {"name": tool.name, "status": status, "kind": _kind(tool), "description": tool.description}


def _kind(tool: Tool) -> str:
    return "reads" if tool.read_only else "may destroy" if tool.destructive else "adds"


def _shown(known: Listing, tool: Tool) -> list[str]:
    """What a person reads before accepting a tool."""
    from llmgenie_mcp.upstream.schema import usage

    row = _row(known, tool)
    lines = [
        text.strong(f"{tool.name}({text.line(usage(tool.schema), 300)})") + f" [{row['status']}; {row['kind']}]",
        f"    {text.line(tool.description, DESCRIBED) or '(nothing is said about it)'}",
    ]
    if row["status"].startswith("changed"):
        lines.append(f"    before: {text.line(known.accepted[tool.name].get('description', ''), DESCRIBED)}")
    if tool.hidden:
        lines.append(
            f"    {text.mark('warn')} its texts held {tool.hidden} characters that nobody sees; they are taken out."
        )
    return lines


upstream.add_command(add)
upstream.add_command(remove)
upstream.add_command(login)
upstream.add_command(logout)
COMMANDS = (upstream,)
