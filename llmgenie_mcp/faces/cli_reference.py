"""`reference cli`: the page that describes the command line, made from the commands themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from llmgenie_mcp.faces import cli_pages
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import EXIT_CODES, Cli, Group, OutOfDate
from llmgenie_mcp.faces.cli_read import pass_cli

SHARED = ("folder", "json", "help")
"""Options that every command takes; the page says so once."""
HEAD = """<!-- Made by `llmgenie reference cli --write docs/cli.md`; change the texts of the commands instead. -->
# The command line

`llmgenie COMMAND --help` says the same in a terminal. Every command takes:

| option | |
|---|---|
| `--project DIR` | The project's folder; else `LLMGENIE_PROJECT`, else the git checkout you are in. |
| `--json` | Answer with one JSON document instead of lines. |
| `-h`, `--help` | Show the help and exit. |

`llmgenie completion bash` (or `zsh`, `fish`) prints a script that completes commands, options, ids and names; its first
lines say how to install it.

## Exit codes

| code | meaning |
|---|---|
{codes}

## JSON

With `--json` a command prints one document on stdout, and nothing on stderr:

- `{"ok": true, "data": …}`: done, or answered; the exit code is 0, and only then.
- `{"ok": false, "outcome": …}`: refused or failed. `outcome` has the reasons, and for each what would help.
- `{"ok": false, "error": {"code": …, "message": …, "hint": …}}`: it could not be tried: a wrong name, parameter or file.
- `{"ok": false, "data": …}`: a check that found something.

`log --follow --json` prints a line of the log each, as JSON, until it is ended.

## Colours and terminals

Colours are for terminals. `NO_COLOR=1` switches them off, `FORCE_COLOR=1` on; `--json` never has any. Tables are cut to the
width of the terminal; in a pipe they are whole. What a command is doing is told on stderr when that is a terminal. Control
characters in what is stored are shown as `\\x1b` and the like.

## Commands
"""


@click.group(cls=Group, hidden=True)
def reference() -> None:
    """Pages of the documentation that are made from the program."""


@reference.command("cli")
@click.option("--write", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write the page there.")
@click.option("--check", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Exit 1 if it is stale.")
@pass_cli
@click.pass_context
def cli_page(context: click.Context, cli: Cli, write: Path | None, check: Path | None) -> None:
    """The page about the command line: every command with its arguments, options and exit codes."""
    made = page(context.find_root().command)
    if write is not None:
        write.write_text(made, encoding="utf-8")
    stale = check is not None and not (check.is_file() and check.read_text(encoding="utf-8") == made)
    if stale:
        raise OutOfDate(f"{check} is not as the commands say.", f"llmgenie reference cli --write {check}")
    cli.show({"page": made}, "" if write or check else made)


def page(root: click.Command) -> str:
    """The whole page, as Markdown."""
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())
    parts = [HEAD.replace("{codes}", codes)]
    for words, command in commands(root):
        parts.append("\n".join(_section(words, command)))
    return "\n".join(parts).rstrip("\n") + "\n"


def commands(group: click.Command, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is not hidden, with the words to type, in the order of the help."""
    if not isinstance(group, click.Group):
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        yield (*before, name), command
        yield from commands(command, *before, name)


def _section(words: tuple[str, ...], command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=" ".join(("llmgenie", *words)), terminal_width=10_000)
    yield f"{'#' * (2 + len(words))} llmgenie {' '.join(words)}\n"
    yield f"```text\n{' '.join((context.command_path, *_pieces(context, command)))}\n```\n"
    yield from (f"{paragraph}\n" for paragraph in _paragraphs(command))
    rows = [row for param in command.params if param.name not in SHARED and (row := _row(context, param))]
    if rows:
        yield "| option | |\n|---|---|"
        yield from rows
        yield ""


def _pieces(context: click.Context, command: click.Command) -> list[str]:
    """The usage, without the word for options where a command has only those that all have."""
    own = [param for param in command.params if isinstance(param, click.Option) and param.name not in SHARED]
    return [piece for piece in command.collect_usage_pieces(context) if own or piece != "[OPTIONS]"]


def _paragraphs(command: click.Command) -> Iterator[str]:
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield " ".join(text.plain(paragraph).replace("\b", "").split())


def _row(context: click.Context, param: click.Parameter) -> str | None:
    record = param.get_help_record(context)
    if record is None or not isinstance(param, click.Option):
        return None
    names, told = record
    spelled = re.sub(r"\s+", " ", names).replace("|", "\\|")
    return f"| `{spelled}` | {' '.join(told.split()).replace('|', chr(92) + '|')} |"


reference.add_command(cli_pages.pages)
COMMANDS = (reference,)
