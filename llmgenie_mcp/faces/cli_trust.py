"""Trust: a person accepts a project's own definitions, with what they would be able to run in front of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.errors import LlmgenieError, ProjectError, counted
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command, quick_imports
from llmgenie_mcp.faces.cli_person import confirmed, require_person
from llmgenie_mcp.faces.cli_read import pass_cli

if TYPE_CHECKING:
    from llmgenie_mcp.config import Call, Ci, Model, Rest, Secret, Settings, Webhook
    from llmgenie_mcp.declared import Step
    from llmgenie_mcp.engine.definitions import Definitions
    from llmgenie_mcp.tracking import Tracker

SEEN = "trusted-files.json"
"""Beside the record of trust: the hash of each file as it was accepted, to tell later what has changed."""

CHANGED = "The files changed while they were read; nothing was accepted."


@click.command(cls=Command)
@click.option("--revoke", is_flag=True, help="Take it back.")
@click.option("--show", is_flag=True, help="Only say what there is and whether it is accepted.")
@pass_cli
def trust(cli: Cli, revoke: bool, show: bool) -> None:
    """Accept this project's own definitions.

    Its commands may then run, and its policies replace packaged ones of the same name.
    It holds for the files as they are now. Works for a person at a terminal only; nothing skips the question.
    """
    from llmgenie_mcp import trust as record

    project = cli.project
    if not show:
        require_person("Trust", f"llmgenie trust{' --revoke' if revoke else ''} --project {project.root}")
    if revoke:
        record.distrust(project.store)
        cli.show({"store": str(project.store), "trusted": False}, f"{project.store} is no longer trusted.")
        return
    data = _facts(cli, project.store)
    if show or not data["files"] or data["trusted"]:
        cli.show(data, _lines(data))
        return
    text.say(_lines(data), error=cli.json)
    if not confirmed("To accept these files as they are,"):
        cli.show({**data, "trusted": False}, "Nothing was accepted.", ok=False)
    if record.trust(project.store) != data["fingerprint"]:
        record.distrust(project.store)
        raise ProjectError(CHANGED, "Read them again: llmgenie trust")
    _remember(project.store, {file["path"]: file["sha256"] for file in data["files"]})
    files = counted(len(data["files"]), "file")
    cli.show({**data, "trusted": True}, f"{text.mark('ok')} accepted: {files} of {project.store}.")


def _facts(cli: Cli, store: Path) -> dict[str, Any]:
    """The files with what became of them since they were accepted, and what they would be able to run."""
    from llmgenie_mcp import trust as record

    fingerprint = record.fingerprint(store)
    accepted = _seen().get(str(store.resolve()), {})
    files = []
    for path in record.definition_files(store):
        name, data = path.relative_to(store).as_posix(), path.read_bytes()
        mark = hashlib.sha256(data).hexdigest()
        status = "new" if name not in accepted else "unchanged" if accepted[name] == mark else "changed"
        files.append({"path": name, "status": status, "bytes": len(data), "sha256": mark})
    effects = _effects(cli) if files else {"commands": [], "replaces": [], "live": []}
    if record.fingerprint(store) != fingerprint:
        raise ProjectError(CHANGED, "Read them again: llmgenie trust")
    present = {file["path"] for file in files}
    return {
        "store": str(store),
        "trusted": bool(files) and record.is_trusted(store),
        "fingerprint": fingerprint,
        "files": files,
        "removed": sorted(set(accepted) - present),
        "waiting": _waiting(cli) if files else 0,
        **effects,
    }


def _waiting(cli: Cli) -> int:
    """Deliveries and steps of rules that are in the outbox already: what a clone brought along would go out, too."""
    from llmgenie_mcp.outbox import TABLE

    with (
        contextlib.suppress(LlmgenieError),
        cli.storage() as storage,
    ):  # what is wrong with a store is for others to tell
        return storage.query(TABLE, {"status": "pending"}, limit=1).total
    return 0


def _effects(cli: Cli) -> dict[str, Any]:
    """Raises DefinitionError: nothing that cannot be read can be accepted."""
    with quick_imports():
        from llmgenie_mcp.engine.definitions import load
    found = load(cli.project)
    packaged = [
        f"{kind} {entry.file}"
        for kind, entries in (("workflow", found.catalog.workflows), ("policy", found.catalog.policies))
        for entry in entries.values()
        if entry.origin == "project"
    ]
    commands = [
        {"name": name, "argv": command.argv, "cwd": command.cwd, "env": command.env, "timeout": command.timeout}
        for name, command in found.settings.commands.items()
    ]
    return {"commands": commands, "replaces": [*packaged, *found.catalog.notes], "live": list(_live(found))}


def _live(found: Definitions) -> Iterator[str]:
    """What would run by itself, and what would be told to whom."""
    settings = found.settings
    for name, rule in found.catalog.triggers.items():
        on = rule.schedule or ", ".join(rule.patterns or rule.files or ())
        yield f"trigger {name}: on {on} runs {', '.join(step.action for step in rule.run)}"
    for name, declared in found.catalog.declared.items():
        for step in declared.plan:  # a line each, so that no step is cut off a long one
            yield f"action {name}{f', {step.id}' if declared.steps else ''}: agents may have it {_step(step)}"
    for name, webhook in settings.webhooks.items():
        yield f"webhook {name}{_inside(webhook)}: to {webhook.url} go {', '.join(webhook.events)}"
    for name in settings.plugins.disabled:
        yield f"plug-in {name}: switched off, its policies too"
    for name, told in settings.notifications.items():
        yield f"notification {name}: {', '.join(told.events) or 'what agents send'}"
    for name, receiver in settings.receivers.items():
        yield f"receiver {name}: events signed by {receiver.kind} with {_place(receiver.secret)} are believed"
    yield from _door(settings.rest)
    for name, ci in settings.ci.items():
        at = f"given {_place(ci.token)}, {ci.kind}{f' at {ci.api}' if ci.api else ''}{_inside(ci)}"
        yield f"ci {name} ({at}): agents may start {ci.workflow or 'a pipeline'} of {ci.project}"
    yield from _trackers(settings)
    for name, call in settings.calls.items():
        secrets = ", ".join(map(_place, call.secret_headers.values()))
        yield f"call {name}{f', given {secrets}' if secrets else ''}{_inside(call)}: agents may {call.method} {call.url}"
    for name, model in settings.models.items():
        at = f"{f', given {_place(model.key)}' if model.key else ''}{_inside(model)}"
        yield f"model {name}{at}: to {model.url} agents may send prompts, and diffs of this project ({model.model})"
    yield from _upstreams(settings)


def _upstreams(settings: Settings) -> Iterator[str]:
    """What is started or asked of other servers, and what they are given."""
    for name, upstream in settings.upstreams.items():
        given = [*upstream.env, *upstream.headers, *upstream.secret_headers]
        also = f", and it is given {', '.join(given)}" if given else ""
        if login := upstream.login:
            shown = f", given {_place(login.client_secret)}" if login.client_secret else ""
            also += f", and logged in to as {login.client_id}{f' at {login.issuer}' if login.issuer else ''}{shown}"
        starts = upstream.url or f"starts {text.compact(list(upstream.command))} in {upstream.cwd}"
        yield f"upstream {name}: {starts}{also}; of its tools those that a person accepts are open"


def _step(step: Step) -> str:
    """What a step of a declared action would do."""
    if step.command is not None:
        more = {k: v for k, v in (("cwd", step.command.cwd), ("env", step.command.env)) if v not in (".", {})}
        return f"run {text.compact(step.command.argv)}{f' with {text.compact(more)}' if more else ''}"
    if step.call is not None:
        secrets = ", ".join(map(_place, step.call.secret_headers.values()))
        return f"{step.call.method} {step.call.url}{f', given {secrets}' if secrets else ''}{_inside(step.call)}"
    return f"do {step.action}{f' {text.compact(step.params)}' if step.params else ''}"


def _door(rest: Rest) -> Iterator[str]:
    """Whom the HTTP server would let in beside this machine's own programs."""
    host = () if rest.host == type(rest)().host else (f"listens at {rest.host}",)
    names = (f"answers to {', '.join(rest.hosts)}",) if rest.hosts else ()
    pages = (f"lets web pages of {', '.join(rest.origins)} call it",) if rest.origins else ()
    if said := (*host, *names, *pages):
        yield f"serve --http: {', '.join(said)}"


def _place(secret: Secret) -> str:
    """Where a secret lies: whoever accepts the settings sees what of theirs is sent away."""
    if secret.keyring is not None:
        return secret.place
    return f"${secret.env}" if secret.env else f"the content of {secret.file}"


def _trackers(settings: Settings) -> Iterator[str]:
    for name, tracker in settings.trackers.items():
        at = f"given {_place(tracker.token)}, {tracker.kind}{f' at {tracker.url}' if tracker.url else ''}{_inside(tracker)}"
        made = ", and tasks made here go there" if tracker.create else ""
        yield f"tracker {name} ({at}): tasks and the issues of {tracker.repository} are kept equal{made}"


def _inside(remote: Webhook | Call | Ci | Model | Tracker) -> str:
    return ", private addresses too" if remote.allow_private else ""


def _lines(data: dict[str, Any]) -> list[str]:
    if not data["files"]:
        return [f"{data['store']} has no definitions of its own; there is nothing to accept."]
    lines = [text.strong(f"{data['store']}: {'accepted as it is' if data['trusted'] else 'not accepted'}")]
    lines += [f"  {file['status']:<10} {text.line(file['path'])} ({file['bytes']} bytes)" for file in data["files"]]
    lines += [f"  removed    {text.line(name)}" for name in data["removed"]]
    if data["commands"]:
        lines.append("Agents may run, by name:")
    for command in data["commands"]:
        lines.append(f"  {text.line(command['name'])}: {text.plain(text.compact(command['argv']))}")
        more = {k: v for k, v in (("cwd", command["cwd"]), ("env", command["env"])) if v not in (".", {})}
        lines.append(f"      with {text.plain(text.compact(more))}" if more else "")
    if data["live"]:
        lines += ["By itself, or to others:", *(f"  {text.line(one, 300)}" for one in data["live"])]
    if data["waiting"] and not data["trusted"]:
        lines.append(
            f"At once: {data['waiting']} deliveries wait in the outbox, and go out then. See them first: llmgenie outbox"
        )
    if data["replaces"]:
        lines += ["Own definitions:", *(f"  {text.line(one, 300)}" for one in data["replaces"])]
    return lines


def _seen() -> dict[str, dict[str, str]]:
    from llmgenie_mcp.trust import state_folder

    try:
        content = json.loads((state_folder() / SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _remember(store: Path, files: dict[str, str]) -> None:
    from llmgenie_mcp.trust import state_folder

    path = state_folder() / SEEN
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({**_seen(), str(store.resolve()): files}, indent=1), encoding="utf-8")
    fresh.replace(path)


COMMANDS = (trust,)
