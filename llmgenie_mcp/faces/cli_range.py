"""Judging commits that were made: what CI runs, where no agent can leave it out.

On GitHub the findings also become annotations (workflow commands `::error file=…,line=…::`), and nothing that a commit
says is taken for such a command.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.errors import UsageError
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command, quick_imports
from llmgenie_mcp.faces.cli_progress import Working
from llmgenie_mcp.faces.cli_read import pass_cli
from llmgenie_mcp.frozen import dataclass

if TYPE_CHECKING:
    from llmgenie_mcp.commits import Commit
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.operations import Operation
    from llmgenie_mcp.policy import Reason
    from llmgenie_mcp.project import Project

BRANCH_VARIABLES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME")
"""Where CI says which branch it is about: it mostly checks out a commit and no branch."""
BINDING = "security/definitions-need-a-person"
SHOWN = 10
"""So many findings of one rule in one commit are told to people; JSON and annotations have all."""
BY_FORM = (
    "There is no list of tasks here, so a message passes when it names something in the form of a task, such as TSK-3."
)
WITHOUT_SESSION = "No session could be supposed, so rules about sessions count against these commits."


@dataclass(frozen=True, slots=True)
class Finding:
    """What stands against a commit.

    Attributes:
        effect: deny, or ask: a person must agree.
        rule: `policy/rule`.
        message: the rule's reason.
        path, line: where, as far as it is about a place.
        fix: what would help, as in a refusal.
    """

    effect: str
    rule: str
    message: str
    path: str | None = None
    line: int | None = None
    fix: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@click.command("check", cls=Command)
@click.option("--range", "revisions", metavar="A..B", required=True, help="The commits of B that A does not have.")
@click.option("--branch", metavar="NAME", help="The branch they are on; else what CI says, else the one checked out.")
@click.option("--strict", is_flag=True, help="Exit with 1 also for what only a person may agree to.")
@click.option(
    "--code-owners",
    is_flag=True,
    help="Code owners must approve what binds agents: what the checkout defines holds, and a change of it is a warning.",
)
@click.option("--each", metavar="NAME", help="Run this command of the settings on each commit: it must pass on all.")
@click.option("--no-tasks", is_flag=True, help="Do not ask each message for a task.")
@pass_cli
def check(
    cli: Cli,
    revisions: str,
    branch: str | None,
    strict: bool,
    code_owners: bool,
    each: str | None,
    no_tasks: bool,
) -> None:
    """Judge commits that were made, as CI does.

    Each commit of the range is judged as if an agent made it: its message, its task, secrets in the lines it adds, and
    its paths, by the policies of the checkout. Exits with 1 when one is denied.
    """
    with quick_imports():
        from llmgenie_mcp import commits
        from llmgenie_mcp.faces.cli_range_each import command_named, failures

    project = cli.project
    branch = branch or _branch(project)
    notes: list[str] = []
    known = None if no_tasks else _tasks(cli, project, notes)
    command = command_named(project, each) if each else None  # before anything is taken for accepted
    judged: list[tuple[Commit, list[Finding]]] = []
    with (
        Working(f"Judging {revisions}", quiet=cli.json) as working,
        _owners_accept(project, code_owners),
        _supposed(project) as (engine, session),
    ):
        if session is None:
            notes.append(WITHOUT_SESSION)
        for commit in commits.in_range(project.root, revisions, branch):
            working.say(f"{len(judged) + 1}, {commit.oid[:10]}")
            tasks = None if known is None else commits.tasks_named(commit.message, known)
            found = _findings(engine, session, commit, commit.operations(tasks))
            judged.append((commit, [_owned(one) if code_owners else one for one in found]))
    if each and command:
        wrong = dict(failures(project.root, command, [commit.oid for commit, _ in judged]))
        judged = [(commit, [*found, *_of_each(each, wrong[commit.oid])]) for commit, found in judged]
    effects = [_strictest(found) for _, found in judged]
    denied, asked = effects.count("deny"), effects.count("ask")
    rows = [
        {
            "oid": c.oid,
            "subject": c.subject,
            "author": c.author,
            "effect": effect,
            "findings": [f.to_dict() for f in found],
        }
        for (c, found), effect in zip(judged, effects, strict=True)
    ]
    data = {"range": revisions, "branch": branch, "commits": rows, "denied": denied, "asked": asked, "notes": notes}
    told: set[str] = set()
    lines = [one for commit, found in judged for one in _lines(commit, found, told)] or [f"No commits in {revisions}."]
    lines += [text.dim(note) for note in notes]
    if len(judged) > 1:
        lines += _counted([found for _, found in judged])
    if judged:
        count = f"{len(judged)} commit{'s' if len(judged) > 1 else ''}"
        lines.append(f"{count} on {branch}: {denied} denied, {asked} for a person to agree to.")
    on_github = os.environ.get("GITHUB_ACTIONS") == "true" and not cli.json
    if on_github:
        lines = [*_silenced(lines), *(_annotation(finding) for _, found in judged for finding in found)]
    cli.show(data, lines, ok=not denied and not (strict and asked))


@contextmanager
def _owners_accept(project: Project, accept: bool) -> Iterator[None]:
    """With the checkout's own definitions accepted, by a record of trust that ends with the block; the user's is not touched."""
    if not accept:
        yield
        return
    from llmgenie_mcp import trust

    before = os.environ.get(trust.STATE_ENVIRONMENT)
    with tempfile.TemporaryDirectory(prefix="llmgenie-check-") as folder:
        os.environ[trust.STATE_ENVIRONMENT] = folder
        try:
            trust.trust(project.store)
            yield
        finally:
            os.environ.pop(trust.STATE_ENVIRONMENT)
            if before is not None:
                os.environ[trust.STATE_ENVIRONMENT] = before


@contextmanager
def _supposed(project: Project) -> Iterator[tuple[Engine, str | None]]:
    """An engine over an empty store, and a session in it: in which sessions the commits were made is not known here."""
    with quick_imports():
        from llmgenie_mcp.engine import Engine
    with Engine.open(project, store="memory:") as engine:
        started = engine.run_action("start_session")
        yield engine, started.result["session"]["id"] if started.ok else None


def _findings(engine: Engine, session: str | None, commit: Commit, operations: list[Operation]) -> Iterator[Finding]:
    for operation, reason in _reasons(engine, session, operations):
        rule = f"{reason.policy}/{reason.rule}"
        path = operation.params.get("path")
        if operation.name == "git.commit" and _about_secrets(reason):
            for found in _standing(engine, session, operation, rule, commit):
                said = f"{found['path']}:{found['line']} adds what looks like a secret ({found['kind']})."
                yield Finding(reason.effect, rule, said, found["path"], found["line"], reason.fix)
        else:
            yield Finding(reason.effect, rule, reason.message, path, None, reason.fix)
    for path in commit.unread:
        yield Finding("ask", "check/too-much-to-search", f"{path} was not searched for secrets to its end.", path)


def _standing(
    engine: Engine, session: str | None, operation: Operation, rule: str, commit: Commit
) -> Iterator[dict[str, Any]]:
    """The secrets of a commit that `rule` is about: a project may have said that some are made up."""
    for found in commit.secrets:
        alone = replace(operation, params={**operation.params, "secret_paths": [found["path"]]})
        if any(f"{reason.policy}/{reason.rule}" == rule for _, reason in _reasons(engine, session, [alone])):
            yield found


def _of_each(name: str, wrong: str) -> Iterator[Finding]:
    if wrong:
        yield Finding("deny", "check/each", f"{name} {wrong}")


def _owned(finding: Finding) -> Finding:
    """A change to what binds agents, as a question to the code owners who have to approve it anyway."""
    return replace(finding, effect="ask") if finding.rule == BINDING else finding


def _reasons(engine: Engine, session: str | None, operations: list[Operation]) -> Iterator[tuple[Operation, Reason]]:
    """What the policies in force have against each operation.

    One is judged at a time: the guard takes the paths of one event for patterns of a shell, here each is a file's name.
    """
    from llmgenie_mcp.outcome import Actor
    from llmgenie_mcp.project import git_top

    guard, actor, folder = engine.guard(), Actor("agent", "ci"), git_top(engine.project.root)
    for operation in operations:
        for finding in guard.judge([operation], actor=actor, folder=folder, session=session).findings:
            if finding.operation is operation:
                yield from ((operation, reason) for reason in finding.decision.reasons)


def _about_secrets(reason: Reason) -> bool:
    return any(
        name.endswith(("resource.secrets", "params.secrets")) for clause in reason.evidence for name in clause.values
    )


def _strictest(found: list[Finding]) -> str:
    effects = {finding.effect for finding in found}
    return "deny" if "deny" in effects else "ask" if "ask" in effects else "allow"


def _branch(project: Project) -> str:
    """The branch that the commits are on. Raises UsageError: nobody says it."""
    from llmgenie_mcp.repository import current_branch, repository_folders

    named = next((value for name in BRANCH_VARIABLES if (value := os.environ.get(name))), None)
    found = named or current_branch(project.root)
    if found is None and repository_folders(project.root) is None:
        raise UsageError(f"{project.root} is no git checkout, and commits are judged in one.", "Go to the checkout.")
    if found is None:
        raise UsageError("No branch is checked out, so it is not known which rules hold.", "Name it: --branch NAME.")
    return found


def _tasks(cli: Cli, project: Project, notes: list[str]) -> Callable[[str], bool]:
    """Whether there is a task of that id; by its form alone where no tasks are kept."""
    if project.store.is_dir() and any((project.store / name).exists() for name in ("db.json", "meta-log")):
        with cli.storage() as storage:
            ids = {task["id"] for task in storage.query("tasks").items}
        if ids:
            return ids.__contains__
    notes.append(BY_FORM)
    return lambda _: True


def _lines(commit: Commit, found: list[Finding], told: set[str]) -> Iterator[str]:
    """One commit for people.

    Args:
        commit: which.
        found: what stands against it.
        told: the rules whose way out was said already; it is said once, not with each commit.
    """
    word = {"deny": "denied", "ask": "warn", "allow": "ok"}[_strictest(found)]
    yield f"{text.mark(word)} {commit.oid[:10]} {text.line(commit.subject, 100)}"
    counts: dict[str, int] = {}
    for finding in found:
        counts[finding.rule] = count = counts.get(finding.rule, 0) + 1
        if count <= SHOWN:
            yield f"  - {finding.rule} ({finding.effect}): {text.line(finding.message, 400)}"
            if finding.fix and finding.rule not in told:
                told.add(finding.rule)
                yield f"  {text.line(text.fix(finding.fix), 300)}"
    for rule, count in counts.items():
        if count > SHOWN:
            yield f"  - {rule}: {count - SHOWN} more"


def _counted(judged: list[list[Finding]]) -> Iterator[str]:
    """In how many commits each rule found something, the most first: what to mend once and not a commit at a time."""
    counts = Counter(rule for found in judged for rule in {finding.rule for finding in found})
    for rule, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield text.dim(f"  {count} of {len(judged)}: {rule}")


def _silenced(lines: list[str]) -> Iterator[str]:
    """`lines` as text that GitHub reads no workflow commands from: between a pair of stop-commands with a secret word."""
    import secrets

    word = secrets.token_hex(16)
    yield f"::stop-commands::{word}"
    yield from lines
    yield f"::{word}::"


def _annotation(finding: Finding) -> str:
    """A finding as a workflow command, escaped as the runner's toolkit does."""
    place = {"file": finding.path, "line": finding.line, "title": finding.rule}
    properties = ",".join(f"{k}={_escaped(str(v), ':,')}" for k, v in place.items() if v is not None)
    return f"::{'error' if finding.effect == 'deny' else 'warning'} {properties}::{_escaped(finding.message)}"


def _escaped(value: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        value = value.replace(character, f"%{ord(character):02X}")
    return value


COMMANDS = (check,)
