"""`upstream login` and `upstream logout`: a person logs in at a server elsewhere, by OAuth and their browser."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING

import click

from llmgenie_mcp.errors import UnknownName, UsageError
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command
from llmgenie_mcp.faces.cli_person import require_person
from llmgenie_mcp.faces.cli_read import pass_cli

if TYPE_CHECKING:
    from llmgenie_mcp.config import Upstream

DESKTOPS = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
"""Variables of which one is set where a browser can be opened; else it would be one for text, in this very terminal."""


@click.command(cls=Command)
@click.argument("name")
@click.option("--no-browser", is_flag=True, help="Only show the address to open.")
@click.option("--timeout", default=300.0, show_default=True, type=click.FloatRange(1, 3600), help="Seconds.")
@pass_cli
def login(cli: Cli, name: str, no_browser: bool, timeout: float) -> None:
    """Log in to a server elsewhere, in a browser on this machine.

    What comes of it is kept in your own state folder, readable by you alone, and renewed as long as the server allows.
    Works for a person at a terminal only.
    """
    project = cli.project
    require_person("A login", f"llmgenie upstream login {name} --project {project.root}")
    one = _elsewhere(cli, name)
    import asyncio

    from llmgenie_mcp.upstream import pool
    from llmgenie_mcp.upstream.calling import refresh
    from llmgenie_mcp.upstream.keys import keys_of
    from llmgenie_mcp.upstream.login import log_in

    def show(address: str) -> None:
        text.say([f"Log in to {name} in your browser:", f"  {text.plain(address)}"], error=True)
        if not no_browser and (sys.platform == "darwin" or any(os.environ.get(name) for name in DESKTOPS)):
            threading.Thread(target=_open, args=(address,), daemon=True).start()

    keys = keys_of(project.store, name, one.url or "")
    asked = asyncio.run(log_in(keys, one.login, allow_private=one.allow_private, show=show, within=timeout))
    if not asked:
        cli.show({"name": name, "logged_in": False}, f"{name} asks for no login.")
        return
    try:
        known = refresh(pool.Place(project.store, project.root), name, one, threading.Event())
    finally:
        pool.close_all()
    waiting = len(known.waiting())
    more = f"{waiting} of its tools wait for you: llmgenie upstream accept {name}" if waiting else ""
    cli.show(
        {"name": name, "logged_in": True, "tools": len(known.tools), "waiting": waiting},
        [f"{text.mark('ok')} logged in to {name}.", more],
    )


def _open(address: str) -> None:
    """Show it in the browser of choice alone: `webbrowser.open` goes on to text browsers, which take the terminal."""
    import webbrowser

    with contextlib.suppress(webbrowser.Error, OSError):
        webbrowser.get().open(address)


@click.command(cls=Command)
@click.argument("name")
@pass_cli
def logout(cli: Cli, name: str) -> None:
    """Forget the login at a server; there it ends by itself, or where you manage your account."""
    from llmgenie_mcp.upstream.keys import keys_of

    there = keys_of(cli.project.store, name, "").forget()
    cli.show({"name": name, "forgotten": there}, f"Forgotten: {name}." if there else f"Nobody is logged in to {name}.")


def _elsewhere(cli: Cli, name: str) -> Upstream:
    """The settings of a server that one can log in to. Raises UnknownName, UsageError."""
    from llmgenie_mcp import trust
    from llmgenie_mcp.loader.settings import load_settings

    found = load_settings(cli.project.store).upstreams
    if name not in found:
        raise UnknownName("upstream", name, found)
    one = found[name]
    if one.url is None:
        raise UsageError(f"{name} is a program on this machine; there is no login.", "What it needs goes into `env`.")
    if one.login is not None and one.login.grant == "client_credentials":
        raise UsageError(f"{name} is logged in to by the client's own secret.", "There is nothing for you to do.")
    if not trust.is_trusted(cli.project.store):
        message = "A person has not accepted this project's settings yet, so nobody is sent to an address in them."
        raise UsageError(message, f"In a terminal: llmgenie trust --project {cli.project.root}")
    return one
