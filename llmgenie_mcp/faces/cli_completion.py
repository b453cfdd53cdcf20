"""`completion`: the script that teaches a shell to complete llmgenie's commands, options, ids and names."""

from __future__ import annotations

import click

from llmgenie_mcp.faces.cli_base import COMPLETE, Cli, Command
from llmgenie_mcp.faces.cli_read import pass_cli

INSTALL = {
    "bash": (
        "mkdir -p ~/.local/share/bash-completion/completions",
        "llmgenie completion bash > ~/.local/share/bash-completion/completions/llmgenie",
        'or, without bash-completion, in ~/.bashrc: eval "$(llmgenie completion bash)"   (bash 4.4 or newer)',
    ),
    "zsh": (
        "mkdir -p ~/.zfunc && llmgenie completion zsh > ~/.zfunc/_llmgenie",
        "and in ~/.zshrc, once: fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit",
    ),
    "fish": ("llmgenie completion fish > ~/.config/fish/completions/llmgenie.fish",),
}
"""How the script of each shell is installed."""


@click.command(cls=Command)
@click.argument("shell", type=click.Choice([*INSTALL]))
@pass_cli
@click.pass_context
def completion(context: click.Context, cli: Cli, shell: str) -> None:
    """Print a script that completes commands, options, ids and names in your shell.

    The script's first lines say how to install it. It asks llmgenie at every Tab; nothing is written.
    """
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, shell  # noqa: S101 - the three that click has
    # Not the class's own `source`, which looks for the shell and complains where there is none.
    source = ShellComplete.source(kind(context.find_root().command, {}, "llmgenie", COMPLETE))
    about = [f"Completion of llmgenie for {shell}. To install it:", *(f"  {line}" for line in INSTALL[shell])]
    first, _, rest = source.partition("\n")
    head = [first] if first.startswith("#compdef") else []  # zsh looks for it in the first line
    script = "\n".join([*head, *(f"# {line}" for line in about), rest if head else source])
    if cli.json:
        cli.show({"shell": shell, "install": [*INSTALL[shell]], "script": script}, "")
    else:
        click.echo(script)


COMMANDS = (completion,)
