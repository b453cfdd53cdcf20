"""Policies: which are in force, what they say, and what they would say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.faces import cli_scenarios
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_act import parameters, params_options
from llmgenie_mcp.faces.cli_base import Cli, Command, Group
from llmgenie_mcp.faces.cli_check import report
from llmgenie_mcp.faces.cli_known import Known
from llmgenie_mcp.faces.cli_read import enforcement, outlined, pass_cli

if TYPE_CHECKING:
    from llmgenie_mcp.policy import Decision


@click.group(cls=Group)
def policy() -> None:
    """Policies in force."""


@policy.command("list")
@pass_cli
def policy_list(cli: Cli) -> None:
    """Every policy with its level, and where it comes from."""
    data = [*outlined(cli).policies]
    cli.show(data, text.table(data, "name", "level", "origin", "description"))


@policy.command()
@click.argument("name", type=Known("policies"))
@pass_cli
def show(cli: Cli, name: str) -> None:
    """One policy with its rules."""
    rules = outlined(cli).rules
    if name not in rules:
        raise UnknownName("policy", name, rules)
    data = rules[name]
    lines = [
        f"{text.strong(data['name'])} ({data['level']}, {data['origin']}): {data.get('description', '')}",
        f"file: {data['path']}",
        f"applies to: {text.compact(data.get('applies_to', {}))}",
        f"params: {text.compact(data['params'])}" if data.get("params") else "",
    ]
    for rule in data.get("rules") or ():
        lines.append(
            f"- {rule['id']}: {rule.get('effect', 'deny')} when {' '.join(str(rule.get('when', 'always')).split())}"
        )
        lines.append(f"    {rule.get('reason', '')}")
    cli.show(data, lines)


@policy.command()
@click.argument("files", nargs=-1, type=click.Path())
@pass_cli
def check(cli: Cli, files: tuple[str, ...]) -> None:
    """Which policies are enforced, and what keeps that from being complete.

    With FILES: check these definition files instead, as `workflow check` does.
    """
    if files:
        report(cli, files)
        return
    data = enforcement(cli)
    lines = text.table(data["policies"], "name", "level", "origin", "rules", "actions")
    notes = [f"{text.mark('warn')} {note}" for note in data["notes"]]
    untrusted = "the project's own definitions are not accepted yet  → llmgenie trust"
    cli.show(data, [*lines, *notes, "" if data["trusted"] else f"{text.mark('warn')} {untrusted}"])


@click.command(cls=Command)
@click.argument("action", type=Known("actions", "operations"))
@click.option(
    "--policy", "only", metavar="NAME", type=Known("policies"), help="Ask one policy; all that apply when left out."
)
@click.option("--session", metavar="SES-ID", help="As that session.")
@click.option("--trace", is_flag=True, help="Every rule that was looked at, clause by clause.")
@params_options
@pass_cli
def enforce(
    cli: Cli,
    action: str,
    only: str | None,
    session: str | None,
    trace: bool,
    pairs: tuple[str, ...],
    document: str | None,
) -> None:
    """Ask the policies, without doing it.

    ACTION is an action, or an operation such as git.push. Exits with 1 unless it is allowed.
    """
    decision = _decided(cli, only, action, parameters(pairs, document), session)
    data = decision.to_dict(trace=trace)
    lines = text.decision_lines(action, data)
    if decision.allowed:
        cli.show(data, lines)
    else:
        cli.refusal(data, lines)


def _decided(cli: Cli, only: str | None, action: str, params: dict[str, Any] | None, session: str | None) -> Decision:
    """As `Engine.enforce`; by the Engine itself where what is kept of the definitions is not enough."""
    known = outlined(cli).known
    if known is not None and known.can_decide(action, params):
        with cli.storage() as storage:
            return known.decide(cli.project, storage, only, action, params, session, cli.actor)
    with cli.engine(read_only=True) as engine:
        return engine.enforce(only, action, params, session=session, actor=cli.actor)


for command in cli_scenarios.COMMANDS:
    policy.add_command(command)

COMMANDS = (policy, enforce)
