"""Every command of the command line says whether an agent's shell may run it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from llmgenie_mcp.faces.cli import cli
from llmgenie_mcp.shell import own


def commands(command: click.Command, context: click.Context, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """All that can be typed, by its words."""
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            inner = command.get_command(context, word)
            assert inner is not None
            yield from commands(inner, click.Context(inner, parent=context), f"{name} {word}".strip())
    if name and (not isinstance(command, click.Group) or command.invoke_without_command):
        yield name, command


def test_every_command_says_whose_it_is_and_none_is_named_that_is_not_there() -> None:
    found = dict(commands(cli, click.Context(cli)))
    assert set(found) == set(own.COMMANDS)
    for name, command in found.items():
        options = {text for one in command.params if isinstance(one, click.Option) for text in one.opts}
        assert options.issuperset(own.COMMANDS[name].unless), name


def test_the_options_that_take_a_value_are_known_so_that_no_help_is_taken_for_a_question() -> None:
    known = set(own.VALUES.split())
    for name, command in commands(cli, click.Context(cli)):
        for one in command.params:
            if isinstance(one, click.Option):
                takes = not one.is_flag and not one.count
                assert known.issuperset(one.opts) if takes else known.isdisjoint(one.opts), (name, one.opts)
