"""Sessions, and the workflows that govern them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_act import perform
from llmgenie_mcp.faces.cli_base import Cli, Group
from llmgenie_mcp.faces.cli_check import report
from llmgenie_mcp.faces.cli_known import Known
from llmgenie_mcp.faces.cli_read import more, outlined, pass_cli, read

if TYPE_CHECKING:
    from llmgenie_mcp.engine.flow import Flow
    from llmgenie_mcp.engine.outline import Outline
    from llmgenie_mcp.workflow import Workflow


@click.group(cls=Group)
def session() -> None:
    """Sessions: spans of work with a role, a mode, a task."""


@session.command("list")
@click.option("--all", "everything", is_flag=True, help="Finished ones too.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="At most so many.")
@pass_cli
def session_list(cli: Cli, everything: bool, limit: int) -> None:
    """List sessions that are open."""
    data = read(cli, "sessions", None, limit)
    if not everything:
        data["items"] = [item for item in data["items"] if item["status"] != "finished"]
    columns = ("id", "status", "actor", "role", "mode", "task", "branch", "instance")
    cli.show(data, [*text.table(data["items"], *columns, empty="No open session."), more(data)])


@session.command()
@click.option("--task", metavar="TSK-ID", help="The task to work on.")
@click.option("--role", help="developer, reviewer, release_lead … as the team calls it.")
@click.option("--mode", type=Known("modes"), help="The mode to start in.")
@click.option("--epic", help="The larger goal it belongs to.")
@click.option("--worktree", metavar="DIR", help="The git worktree to work in, when it is another.")
@pass_cli
def start(cli: Cli, /, **params: str | None) -> None:
    """Start a session; hand its id over as --session from then on."""
    perform(cli, "start_session", {k: v for k, v in params.items() if v is not None}, lines=_session_line)


def _session_line(result: dict[str, Any]) -> list[str]:
    found = result["session"]
    rest = ", ".join(f"{k} {found[k]}" for k in ("role", "mode", "task", "branch", "instance") if found.get(k))
    return [f"{found['id']}  {found['status']}  {rest}", result.get("left_open", "")]


@session.command()
@click.argument("id_", metavar="SES-ID")
@pass_cli
def pause(cli: Cli, id_: str) -> None:
    """Pause a session; nothing is done in it until it is resumed."""
    perform(cli, "pause_session", {"session": id_}, lines=_session_line)


@session.command()
@click.argument("id_", metavar="SES-ID")
@pass_cli
def resume(cli: Cli, id_: str) -> None:
    """Go on with a paused session."""
    perform(cli, "resume_session", {"session": id_}, lines=_session_line)


@session.command()
@click.argument("id_", metavar="SES-ID")
@click.option("--summary", default="", help="What was done, what is left.")
@pass_cli
def finish(cli: Cli, id_: str, summary: str) -> None:
    """End a session, with a summary."""
    perform(cli, "finish_session", {"session": id_, "summary": summary}, lines=_session_line)


@click.group(cls=Group)
def workflow() -> None:
    """Workflows: states, and what leads from one to the next."""


@workflow.command("list")
@pass_cli
def workflow_list(cli: Cli) -> None:
    """Every workflow, and where it comes from."""
    known = outlined(cli)
    data = [
        {
            "name": name,
            "version": flow.version,
            "subject": flow.subject,
            "origin": known.origins[name],
            "states": [*flow.states],
            "description": flow.description,
        }
        for name, flow in known.workflows.items()
    ]
    cli.show(data, text.table(data, "name", "origin", "description"))


def _flow(known: Outline, name: str) -> Flow:
    if name not in known.workflows:
        raise UnknownName("workflow", name, known.workflows)
    return known.workflows[name]


@workflow.command("show")
@click.argument("name", type=Known("workflows"))
@pass_cli
def workflow_show(cli: Cli, name: str) -> None:
    """A workflow with its states, triggers and guards."""
    known = outlined(cli)
    flow = _flow(known, name)
    lines = [f"{text.strong(flow.name)} (version {flow.version}, about a {flow.subject}): {flow.description}"]
    for state_name, state in flow.states.items():
        final = " (final)" if state.final else ""
        lines.append(f"{text.strong(state_name)}{final}: {state.description}")
        if state.actions:
            lines.append(f"    opens {', '.join(state.actions)}")
        for trigger, step in state.on.items():
            told = f": {step.description}" if step.description else ""
            lines.append(f"  {trigger} → {step.target}{' (a person decides)' if step.approval else ''}{told}")
            lines += [f"      if {guard.expression}\n        else: {guard.message}" for guard in step.guards]
    lines += [f"  anywhere: {trigger} → {step.target}" for trigger, step in flow.on.items()]
    cli.show(known.flows[name], lines)


@workflow.command()
@click.argument("name", type=Known("workflows"))
@click.option(
    "--instance",
    metavar="ID",
    type=Known("instances"),
    help="Mark where this instance is, such as REV-1, and the way it went.",
)
@click.option("--mermaid", "as_mermaid", is_flag=True, help="As Mermaid text, which GitHub and many editors draw.")
@pass_cli
def diagram(cli: Cli, name: str, instance: str | None, as_mermaid: bool) -> None:
    """Draw a workflow."""
    from llmgenie_mcp import diagram as draw

    flow = _flow(outlined(cli), name)
    document = read(cli, f"instances/{instance}")["value"] if instance else None
    if document and document["workflow"] != name:
        raise UnknownName(
            f"instance of {name}", document["id"], hint=f"It is one of the workflow {document['workflow']}."
        )
    plain = cast("Workflow", flow)  # as it is told, and all that is drawn of it
    current = document["state"] if document else None
    history = [(step["from"], step["trigger"], step["to"]) for step in (document or {}).get("history", [])]
    drawn = draw.mermaid(plain, current, history) if as_mermaid else draw.text(plain, current)
    data = {"workflow": name, "instance": instance, "format": "mermaid" if as_mermaid else "text", "diagram": drawn}
    cli.show(data, drawn.rstrip("\n"))


@workflow.command()
@click.argument("files", nargs=-1, type=click.Path())
@pass_cli
def check(cli: Cli, files: tuple[str, ...]) -> None:
    """Check definition files; every problem as file:line:column.

    Without FILES: everything in force for the project.
    """
    report(cli, files)


COMMANDS = (session, workflow)
