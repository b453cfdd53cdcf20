"""What the policies would say: to the scenarios that somebody wrote down, and to a shell command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.errors import counted
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command, quick_imports
from llmgenie_mcp.faces.cli_read import pass_cli

if TYPE_CHECKING:
    from llmgenie_mcp.engine.scenarios import FileResult, Report, Result


@click.command(cls=Command)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Fail also when a rule is matched by no scenario.")
@pass_cli
def test(cli: Cli, files: tuple[Path, ...], strict: bool) -> None:
    """Run scenario files against the policies in force.

    With FILES: these; else the packaged ones and those in .llmgenie/scenarios/. Exits with 1 when a scenario fails.
    """
    with quick_imports():
        from llmgenie_mcp.engine import definitions, scenarios
        from llmgenie_mcp.loader import shown
        from llmgenie_mcp.loader.scenarios import Source, scenario_sources
    project = cli.project
    known = definitions.load(project)
    sources = [Source(path, shown(path), "project") for path in files] or scenario_sources(project.store)
    report = scenarios.run(known, sources, whole=not files)
    ok = not report.failed and not (strict and report.uncovered)
    data = {**report.to_dict(), "notes": list(known.catalog.notes)}
    lines = [*_report_lines(report), *(f"{text.mark('warn')} {note}" for note in known.catalog.notes)]
    # Some files alone need not speak of every rule there is.
    if strict or not files:
        word = text.mark("fail" if strict else "warn")
        lines += [f"{word} uncovered: {rule}" for rule in report.uncovered]
    cli.show(data, lines, ok=ok)


def _report_lines(report: Report) -> Iterator[str]:
    for file in report.files:
        yield from _file_lines(file)
    count, failed = len(report.results), report.failed
    yield (
        f"{text.mark('fail' if failed else 'ok')} {counted(count, 'scenario')}, "
        f"{count - failed} passed, {failed} failed"
    )


def _file_lines(file: FileResult) -> Iterator[str]:
    yield text.strong(file.file)
    if file.skipped:
        yield text.dim(f"  - not run: {file.skipped}")
    for result in file.results:
        yield f"  {text.mark('✓' if result.passed else '✗')} {result.name}"
        yield from (f"      {one}" for one in _miss_lines(file.file, result))
        yield from (f"      {one}" for one in text.audit_lines(reason.to_dict() for reason in result.audit))


def _miss_lines(file: str, result: Result) -> Iterator[str]:
    if result.passed:
        return
    yield f"{file}:{result.line}:{result.column}"
    for answer in result.answers:
        yield f"asked: {text.call(answer.name, answer.params)} → {answer.decision.effect}"
    yield from result.misses
    yield from (line for lines in result.evidence for line in lines)


@click.command(cls=Command, context_settings={"allow_interspersed_args": False})
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--session", metavar="SES-ID", help="As that session.")
@click.option("--all", "every", is_flag=True, help="Also the rules that do not apply, clause by clause.")
@pass_cli
def explain(cli: Cli, words: tuple[str, ...], session: str | None, every: bool) -> None:
    """What an agent would be told about a shell command, and why.

    WORDS are the command, such as -- git push origin main; one word is taken as the command's text. The operations found
    in it are asked for one by one, and the rules that decided are shown clause by clause; --json (before the words) has
    every rule. Exits with 1 unless it is allowed.
    """
    command = words[0] if len(words) == 1 else shlex.join(words)
    data = explained(cli, command, session)
    lines = list(_explanation_lines(data, every=every))
    if data["decision"] == "allow":
        cli.show(data, lines)
    else:
        cli.refusal(data, lines)


def explained(cli: Cli, command: str, session: str | None) -> dict[str, Any]:
    """The operations of a command with the decision on each, and the strictest of them, as JSON."""
    with quick_imports():
        from llmgenie_mcp import redact
        from llmgenie_mcp.engine.open_guard import open_guard
        from llmgenie_mcp.engine.tooluse import operations_of
        from llmgenie_mcp.hosts import ToolCall
        from llmgenie_mcp.outcome import Actor
    project, here = cli.project, Path.cwd()
    folder = here if here.is_relative_to(project.root) else project.root
    operations = operations_of(ToolCall("shell", "shell", command=command), folder)
    with open_guard(project, read_only=True) as guard:
        ruling = guard.judge(operations, actor=Actor("agent", "cli"), folder=folder, session=session)
        findings = [
            {
                "name": finding.operation.name,
                "params": redact.redact(finding.operation.params),
                **redact.redact(finding.decision.to_dict(trace=True)),
            }
            for finding in ruling.findings
        ]
    return {"command": redact.redact(command), "decision": ruling.effect, "operations": findings}


def _explanation_lines(data: dict[str, Any], *, every: bool) -> Iterator[str]:
    yield text.strong(data["command"])
    for operation in data["operations"]:
        yield from text.decision_lines(text.call(operation["name"], operation["params"]), operation, every=every)
    looked_at = [rule for operation in data["operations"] for rule in operation.get("trace") or ()]
    applying = {(rule["policy"], rule["rule"]) for rule in looked_at if text.applies(rule)}
    if not every and (left := len({(rule["policy"], rule["rule"]) for rule in looked_at} - applying)):
        yield text.dim(f"{counted(left, 'more rule')} {'does' if left == 1 else 'do'} not apply: --all shows them.")
    rules = dict.fromkeys(
        f"{reason['policy']}/{reason['rule']}"
        for operation in data["operations"]
        for reason in operation.get("reasons") or ()
        if reason["effect"] == data["decision"]
    )
    by = f" by {', '.join(rules)}" if rules else ""
    yield f"{text.verdict(data['decision'])}{by}"


COMMANDS = (test, explain)
