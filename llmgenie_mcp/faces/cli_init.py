"""`init` and `uninstall`: a project's files get what keeps its agents to the workflow, and are given back as they were."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.errors import ProjectError, counted
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command, quick_imports
from llmgenie_mcp.faces.cli_person import answer, ask, confirmed, person, require_person
from llmgenie_mcp.faces.cli_read import pass_cli
from llmgenie_mcp.frozen import dataclass

if TYPE_CHECKING:
    from llmgenie_mcp.agents import Agent, Site
    from llmgenie_mcp.edits import Edit
    from llmgenie_mcp.edits.plan import Change
    from llmgenie_mcp.edits.restore import Taken
    from llmgenie_mcp.project import Project


LONGEST = 60
"""Lines of a diff that `--dry-run` shows of one file; with `--json` it shows all."""


UNWRITTEN = "Nothing was written: `llmgenie init --yes` writes it, `llmgenie init --dry-run` shows it line by line."


NO_GIT = "This is no git checkout, so there are no git hooks: run `llmgenie init` again after `git init`."
NO_ANSWER = (
    "git does not answer here, so there are no git hooks: see what `git status` says, and run `llmgenie init` again."
)


@dataclass(slots=True)
class Installation:
    """What `init` is about to do.

    Attributes:
        agents: names of those that are set up.
        changes: of files, those with a problem among them.
        notes: what a person should know, a sentence each.
    """

    agents: list[str]
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Why some files stay as they are."""
        return [change.problem for change in self.changes if change.problem]

    @property
    def wanted(self) -> list[Change]:
        """What can be written."""
        return [change for change in self.changes if not change.problem]


@click.command("init", cls=Command)
@click.option(
    "--agent", "agents", multiple=True, metavar="NAMES", help="Agents to set up: cursor,claude-code,…; none: no agent."
)
@click.option("--yes", is_flag=True, help="Ask nothing; without --agent, the agents that are used here.")
@click.option("--no-git-hooks", is_flag=True, help="Leave git's hooks alone.")
@click.option("--dry-run", is_flag=True, help="Show every change as a diff and write nothing.")
@pass_cli
def init(cli: Cli, agents: tuple[str, ...], yes: bool, no_git_hooks: bool, dry_run: bool) -> None:
    """Set up a project: MCP server, agent hooks, git hooks, rules and settings.

    What is in the files stays there; a second run changes nothing; `llmgenie uninstall` gives everything back.
    It only ever adds: agents that are set up already stay so, whatever is named now.
    """
    project = cli.project
    asking = not (yes or dry_run or cli.json) and person() is not None
    names = _chosen(project, agents, asking=asking)
    found = survey(project, names, git_hooks=not no_git_hooks)
    data = _facts(project, found)
    if dry_run:
        diffs = [change.diff() for change in found.wanted]
        shown = [line for diff in diffs for line in _cut(diff.splitlines())]
        cli.show({**data, "diff": "".join(diffs)}, [*_lines(project, found), *shown])
        return
    if found.wanted and not yes:
        text.say([] if cli.json else _lines(project, found))
        if not asking:
            cli.show({**data, "hint": UNWRITTEN}, UNWRITTEN, ok=False)
        ask("Write this? [y/N] ")
        if answer().lower() not in {"y", "yes"}:
            cli.show(data, "Nothing was written.", ok=False)
    data["written"] = _write(project, found)
    shown = [] if asking else _lines(project, found)
    cli.show(data, [*shown, *_ending(found, data)], ok=not found.problems)


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Only say what there is to take back.")
@pass_cli
def uninstall(cli: Cli, dry_run: bool) -> None:
    """Take back what `llmgenie init` wrote; works for a person at a terminal only.

    Files that nobody changed since are again what they were, byte for byte; others lose only what is llmgenie's.
    The project's tasks and its log stay in .llmgenie: delete that folder to be rid of them.
    """
    from llmgenie_mcp.edits.restore import restore, status

    project = cli.project
    if not dry_run:
        require_person("Uninstall", f"llmgenie uninstall --project {project.root}")
    points = [asdict(point) for point in status(project.store)]
    paths = list(dict.fromkeys(point["path"] for point in points))
    if dry_run or not points:
        lines = (
            ["Would be taken back:", *(f"  {path}" for path in paths)] if paths else ["There is nothing to take back."]
        )
        taken = [] if dry_run else restore(project.store)  # also clears away what a crash left of the memory itself
        cli.show({"store": str(project.store), "points": points, "taken": [asdict(one) for one in taken]}, lines)
        return
    text.say(["llmgenie wrote to these files:", *(f"  {path}" for path in paths)], error=cli.json)
    if not confirmed("Agents are free of the workflow then. To take it all back,"):
        cli.show({"store": str(project.store), "points": points, "taken": []}, "Nothing was changed.", ok=False)
    taken = restore(project.store)
    failed = [one for one in taken if one.what == "failed"]
    data = {"store": str(project.store), "points": points, "taken": [asdict(one) for one in taken]}
    cli.show(data, [*_taken_lines(taken), *_after_uninstall(project)], ok=not failed)


def survey(project: Project, names: Sequence[str], *, git_hooks: bool = True) -> Installation:
    """What is to be written so that the agents of these names are kept to the workflow in `project`. Reads only.

    Raises:
        UnknownName: there is no agent of a name.
        StorageDamaged: what was written before is not known any more.
    """
    with quick_imports():
        from llmgenie_mcp import agents
        from llmgenie_mcp.edits import githooks, ledger, store
        from llmgenie_mcp.edits.plan import plan
        from llmgenie_mcp.project import git_top

    written = ledger.written(project.store)
    found = Installation(list(names))
    site = site_of(project.root)
    wanted: list[Edit] = [edit for name in names for edit in agents.find(name).edits(site)]
    found.changes += plan(project.store.parent, store.edits(project.store), written)
    found.changes += plan(project.root, wanted, written)
    repo = githooks.repository(project.root)
    if repo is None:
        found.notes.append(NO_ANSWER if git_top(project.root) else NO_GIT)
    elif git_hooks:
        hooks = githooks.plan_hooks(repo, site_of(project.store.parent).hook)
        found.changes += hooks.changes
        found.notes += hooks.notes
    if repo is not None:
        machine = _of_this_machine(project, found.changes, site)
        found.changes += githooks.exclude(repo, [path for path, fresh in machine.items() if fresh])
        tracked = [
            change.path for change in found.wanted if change.place in machine and githooks.is_tracked(change.place)
        ]
        if tracked:
            found.notes.append(
                f"git tracks {', '.join(tracked)}, and what is put there names the Python of this machine: do not commit that."
            )
    if any(part in site.hook[0] for part in ("/uv/archive-", "/uv/builds-", "/.cache/")):
        found.notes.append(
            f"{site.hook[0]} is in a cache that may be emptied: `uv tool install llmgenie-mcp`, and init from there."
        )
    return found


def site_of(root: Path) -> Site:
    """What hooks and clients run for the project at `root`: this Python, with this installation."""
    from llmgenie_mcp import faces
    from llmgenie_mcp.agents import Site

    python = os.path.abspath(sys.executable)  # noqa: PTH100 - a link stays: it is what makes a virtual environment
    client = Path(next(iter(faces.__path__))).absolute() / "hook.py"
    script = Path(python).with_name("llmgenie-mcp")
    server = (str(script),) if os.access(script, os.X_OK) else ("uvx", "llmgenie-mcp")
    return Site(root, (python, "-I", "-S", str(client), "--project", str(root)), server)


def _of_this_machine(project: Project, changes: Sequence[Change], site: Site) -> dict[Path, bool]:
    """Files that are to name this machine's Python or what is installed beside it, and whether `init` makes, or made, them."""
    from llmgenie_mcp.edits import files, ledger

    signs = {part for part in (*site.hook[:-1], *site.server) if part.startswith("/")}
    signs |= {json.dumps(sign)[1:-1] for sign in signs}
    known = ledger.load(project.store).entries
    made = {path for path, entry in known.items() if entry.original is None}
    made |= {change.place for change in changes if change.before is None and change.place not in known}
    data: dict[Path, bytes] = {}
    for path in known:
        with suppress(OSError):
            held = files.look(path)
            data |= {path: held.data} if held else {}
    data |= {change.place: change.after for change in changes if change.after is not None}
    return {path: path in made for path, text in data.items() if any(os.fsencode(sign) in text for sign in signs)}


def _chosen(project: Project, given: Sequence[str], *, asking: bool) -> list[str]:
    """Names of the agents to set up. Raises UnknownName."""
    from llmgenie_mcp import agents

    named = [name.strip() for part in given for name in part.split(",") if name.strip()]
    if named:
        chosen = [] if named == ["none"] else list(dict.fromkeys(named))
        for name in chosen:
            agents.find(name)
        return chosen
    known: dict[str, Agent] = {name: agents.find(name) for name in agents.names()}
    used = [name for name, agent in known.items() if agent.used_in(project.root, Path.home())]
    if not asking:
        return used
    text.say([
        text.strong(f"llmgenie init in {project.root}"),
        *(f"  {'*' if name in used else ' '} {name} ({agent.title})" for name, agent in known.items()),
    ])  # fmt: skip
    ask(f"Which agents, with commas between? [{','.join(used) or 'none'}] ")
    if not (typed := answer()):
        return used
    return _chosen(project, [typed], asking=False)


def _write(project: Project, found: Installation) -> list[str]:
    from llmgenie_mcp.edits import ledger

    if not os.access(project.root, os.W_OK):
        raise ProjectError(f"{project.root} cannot be written.", "Check owner and permissions.")
    return ledger.apply(project.store, found.changes)


def _facts(project: Project, found: Installation) -> dict[str, Any]:
    files = [
        {
            "path": change.path,
            "what": "problem" if change.problem else "create" if change.before is None else "change",
            "lines": list(change.lines),
            "problem": change.problem,
        }
        for change in found.changes
    ]
    return {
        "root": str(project.root),
        "store": str(project.store),
        "agents": found.agents,
        "files": files,
        "notes": found.notes,
        "written": [],
        "next": _next(found),
    }


def _lines(project: Project, found: Installation) -> list[str]:
    agents = ", ".join(found.agents) or "no agent (name one: --agent cursor,claude-code,…)"
    lines = [text.strong(f"{project.root}: {agents}")]
    for change in found.wanted:
        verb = "create" if change.before is None else "change"
        lines.append(f"  {verb} {text.line(change.path, 200)}: {text.line('; '.join(_grouped(change.lines)), 300)}")
    lines += [f"  {text.mark('warn')} {text.line(problem, 400)}" for problem in found.problems]
    return [*lines, *(f"  note: {text.line(note, 500)}" for note in found.notes)]


def _cut(diff: list[str]) -> list[str]:
    return (
        diff if len(diff) <= LONGEST else [*diff[:LONGEST], text.dim(f"… {counted(len(diff) - LONGEST, 'more line')}")]
    )


def _grouped(lines: Sequence[str]) -> list[str]:
    """Lines that say the same about different entries, as one: `adds to hooks.stop, hooks.preToolUse`."""
    verbs: dict[str, list[str]] = {}
    for line in lines:
        verb, _, entry = line.rpartition(" ")
        verbs.setdefault(verb, []).append(entry)
    return [f"{verb} {', '.join(entries)}" for verb, entries in verbs.items()]


def _ending(found: Installation, data: dict[str, Any]) -> list[str]:
    count = len(data["written"])
    if not count:
        said = (
            "Nothing else had to be written." if found.problems else "Everything is there already; nothing was written."
        )
        return [said]
    lines = [
        f"{text.mark('ok')} {count} file{'s' * (count != 1)} written. Next:",
        *(f"  - {step}" for step in data["next"]),
    ]
    return [*lines, "`llmgenie uninstall` gives everything back."]


def _next(found: Installation) -> list[str]:
    from llmgenie_mcp import agents

    steps = []
    if found.agents:
        titles = ", ".join(agents.find(name).title for name in found.agents)
        steps.append(f"Restart {titles}: servers and hooks are read at the start.")
    if {"gemini", "copilot"} & set(found.agents):
        steps.append(
            "Gemini CLI and Copilot CLI run hooks only in a folder that they were told to trust, and say nothing else."
        )
    if "codex" in found.agents:
        steps.append(
            "Codex runs hooks only after you trusted them: /hooks in Codex; again whenever their command changes."
        )
    shared = [change.path for change in found.wanted if not change.path.startswith(".git/")]
    if shared and not any("no git checkout" in note for note in found.notes):
        steps.append(
            "Commit what `git status` shows of it, on a branch: it is for the team; what names this machine is left out."
        )
    return [
        *steps,
        "llmgenie doctor: sends every hook a push to main, which it has to refuse.",
        "Protect the branches on the server too: an agent that does not run its hooks is stopped only there.",
    ]


def _taken_lines(taken: Sequence[Taken]) -> list[str]:
    said = {
        "restored": "as it was",
        "taken_out": "ours taken out",
        "unchanged": "nothing to do",
        "failed": text.mark("failed"),
    }
    return [
        f"  {said.get(one.what, one.what)}: {one.path}{f' ({one.message})' if one.message else ''}" for one in taken
    ]


def _after_uninstall(project: Project) -> list[str]:
    if not project.store.is_dir():
        return ["Restart the agents."]
    return [f"Restart the agents. Tasks and log stay in {project.store}: delete that folder to be rid of them."]


COMMANDS = (init, uninstall)

__all__ = ["COMMANDS", "Installation", "site_of", "survey"]
