"""Approvals: what waits for a person, and the person's answer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.errors import UnknownName, UsageError
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command
from llmgenie_mcp.faces.cli_person import confirmed, require_person
from llmgenie_mcp.faces.cli_read import more, pass_cli, read

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine

BASES = ("main", "master", "develop")
COMMITS = 15
Document = dict[str, Any]


@click.command(cls=Command)
@click.option("--all", "everything", is_flag=True, help="Answered ones too.")
@pass_cli
def approvals(cli: Cli, everything: bool) -> None:
    """What waits for a person."""
    data = read(cli, "approvals", None if everything else "status:pending", 200)
    columns = ("id", "status", "question", "decided_by")
    lines = text.table(data["items"], *columns, empty="Nothing waits for a person.")
    cli.show(data, [*lines, more(data), "  → llmgenie approve ID" if data["items"] and not everything else ""])


@click.command(cls=Command)
@click.argument("approval_id", metavar="[APR-ID]", required=False)
@click.option("--decline", is_flag=True, help="Say no.")
@click.option("--comment", default="", help="Kept with the answer; the agent reads it.")
@pass_cli
def approve(cli: Cli, approval_id: str | None, decline: bool, comment: str) -> None:
    """Answer what waits for a person.

    Shows what it is about, then asks for a word to be typed. Without an id it is about the one that waits. Works for a person
    at a terminal only; nothing skips the question.
    """
    project = cli.project
    words = ["llmgenie approve", approval_id, "--decline" if decline else None, f"--project {project.root}"]
    who = require_person("An approval", " ".join(filter(None, words)))
    with cli.engine() as engine:
        approval = _pending(engine, approval_id or _only(engine))
        approval_id = approval["id"]
        about = _about(engine, approval)
        text.say(_question_lines(approval, about), error=cli.json)
        if not confirmed(f"To {'decline' if decline else 'approve'}, as {who},"):
            cli.show({"approval": approval_id, "status": "pending"}, "Nothing was decided.", ok=False)
        outcome = engine.decide_approval(approval_id, not decline, person=who, channel="terminal", comment=comment)
    cli.outcome(outcome, [f"{approval_id}: {'declined' if decline else 'approved'} by {who}.", _moved(outcome.state)])


def _moved(state: Document | None) -> str:
    return f"{state['instance']}: {state['from']} → {state['to']}" if state else ""


def _only(engine: Engine) -> str:
    """The id of the one that waits. UsageError: none does, or several do."""
    waiting = [str(one["id"]) for one in engine.storage.query("approvals", {"status": "pending"}).items]
    if len(waiting) == 1:
        return waiting[0]
    if not waiting:
        raise UsageError("Nothing waits for a person.", "What was answered: llmgenie approvals --all.")
    raise UsageError(f"{len(waiting)} wait: {', '.join(waiting[:10])}.", "Name one; what they ask: llmgenie approvals.")


def _pending(engine: Engine, approval_id: str) -> Document:
    """The approval, if it still waits. Raises UnknownName, UsageError."""
    found = engine.storage.get("approvals", approval_id)
    if found is None:
        waiting = [one["id"] for one in engine.storage.query("approvals", {"status": "pending"}).items]
        raise UnknownName("approval", approval_id, waiting)
    if found["status"] != "pending":
        raise UsageError(
            f"{approval_id} was {found['status']} already, by {found.get('decided_by')}.", "See llmgenie approvals."
        )
    return found


def _about(engine: Engine, approval: Document) -> Document:
    """What a person needs to judge: the instance, the commits and files, the tests."""
    from llmgenie_mcp.signals.git import git

    instance = engine.storage.get("instances", approval["instance"]) if approval.get("instance") else None
    session = engine.storage.get("sessions", approval["session"]) if approval.get("session") else None
    named = (session or {}).get("worktree")
    folder = Path(named) if named and Path(named).is_dir() else engine.project.root
    about: Document = {"instance": instance, "tests": _tests(engine, approval.get("commit"))}
    commit = approval.get("commit")
    if not isinstance(commit, str) or not re.fullmatch("[0-9a-f]{7,64}", commit):
        return about
    start = _start(folder, commit)
    span = f"{start}..{commit}" if start else commit
    about["since"] = start
    about["commits"] = (git(folder, "log", "--oneline", "--no-decorate", f"-{COMMITS + 1}", span) or "").splitlines()
    if start:
        about["files"] = (git(folder, "diff", "--stat=100", f"{start}...{commit}") or "").splitlines()
    if instance and engine.catalog.workflows[instance["workflow"]].value.subject == "branch":
        head = git(folder, "rev-parse", "--verify", "-q", f"refs/heads/{instance['subject']}")
        about["moved"] = head != commit
    return about


def _start(folder: Path, commit: str) -> str | None:
    """What to compare `commit` with: the branch it goes to, else the tag before it; None for all of history."""
    from llmgenie_mcp.signals.git import git

    for name in BASES:
        base = git(folder, "rev-parse", "--verify", "-q", f"refs/heads/{name}")
        if base is not None and git(folder, "merge-base", "--is-ancestor", commit, base) is None:
            return name
    return git(folder, "describe", "--tags", "--abbrev=0", f"{commit}^")


def _tests(engine: Engine, commit: str | None) -> str:
    runs = [
        r for r in engine.storage.query("runs", {"action": "run_tests"}).items if r.get("commit") == commit and commit
    ]
    if not runs:
        return "no test run on this commit"
    return f"{runs[-1]['status']} on this commit ({runs[-1]['id']}, {runs[-1].get('updated_at', '')[:19]})"


def _question_lines(approval: Document, about: Document) -> list[str]:
    instance = about.get("instance")
    place = (
        f"{instance['id']}: {instance['workflow']} of {instance['subject']} is {instance['state']}" if instance else ""
    )
    params = {k: v for k, v in (approval.get("params") or {}).items() if v not in (None, "")}
    lines = [
        text.strong(text.line(approval["question"], 400)),
        f"  asked by   {text.line(approval['requested_by'])} at {approval.get('created_at', '')[:19]} ({approval['id']})",
        f"  comment    {text.line(approval['comment'], 600)}" if approval.get("comment") else "",
        f"  action     {text.line(approval['action'])} {text.compact(params) if params else ''}",
        f"  instance   {text.line(place)}" if place else "",
        f"  commit     {approval.get('commit') or 'none'}",
        f"  tests      {about['tests']}",
    ]
    if about.get("moved"):
        lines.append(f"  {text.mark('warn')} the branch has moved since: an answer holds for the commit above only")
    commits, since = about.get("commits") or [], about.get("since")
    if commits:
        lines.append(f"  commits{f' since {since}' if since else ''}")
        lines += [f"    {text.line(one)}" for one in commits[:COMMITS]]
        lines.append("    …" if len(commits) > COMMITS else "")
    files = about.get("files") or []
    if files:
        lines += ["  files", *(f"   {text.plain(one)}" for one in files[:30])]
        lines.append(f"    … {files[-1].strip()}" if len(files) > 30 else "")
    return lines


COMMANDS = (approvals, approve)
