"""`doctor` on what is live: is there what deliveries need, does anything wait or was given up, do rules run in circles?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

from llmgenie_mcp.errors import ActionError, DefinitionError, StorageError
from llmgenie_mcp.faces.cli_base import quick_imports
from llmgenie_mcp.faces.cli_checks import Check

if TYPE_CHECKING:
    from llmgenie_mcp.engine.definitions import Definitions
    from llmgenie_mcp.project import Project
    from llmgenie_mcp.secret import Secret

OLD = 3600
"""Seconds after which a pending delivery is worth a look."""
RECENT = 500
"""So many lines of the log are looked through for rules that a bound stopped."""


def examine_live(project: Project) -> Iterator[Check]:
    """Whether what waits for events, and what is to be delivered, is in order."""
    with quick_imports():
        from llmgenie_mcp.engine.definitions import load
    try:
        found = load(project)
    except DefinitionError:
        return  # told by the check of the definitions
    settings, rules = found.settings, found.catalog.triggers
    scheduled = any(rule.schedule for rule in rules.values())
    watching = any(rule.files for rule in rules.values())
    for needed, library, extra, what in (
        (settings.webhooks or settings.receivers, "standardwebhooks", "webhooks", "webhooks"),
        (settings.notifications, "apprise", "notify", "notifications"),
        (scheduled, "cronsim", "schedule", "trigger rules with a schedule"),
        (watching, "watchfiles", "watch", "trigger rules on files"),
    ):
        if needed and find_spec(library) is None:
            yield Check(
                "live", "fail", f"{library} is not installed: no {what}.", f"pip install 'llmgenie-mcp[{extra}]'"
            )
    yield from _secrets(found)
    if rules:
        yield Check("live", "ok", f"trigger rules: {', '.join(rules)}")
    yield from _outbox(project)


def _secrets(found: Definitions) -> Iterator[Check]:
    """Which secrets are there, and where they were found; never what they are."""
    wanted: dict[str, tuple[Secret, list[str]]] = {}
    for what, secret in _wanted(found):
        wanted.setdefault(secret.place, (secret, []))[1].append(what)
    there = []
    for place, (secret, users) in wanted.items():
        whose = ", ".join(dict.fromkeys(users))
        try:
            secret.read()
            there.append(f"{whose}: from {place}")
        except ActionError as error:
            hint = error.hint
            if secret.env is not None:
                hint = "Set it for this shell and where the server is started (in the MCP entry: env)."
            yield Check("secrets", "warn", f"{whose}: {error.message}", hint)
    if there:
        yield Check("secrets", "ok", "; ".join(there))


def _wanted(found: Definitions) -> Iterator[tuple[str, Secret]]:
    settings = found.settings
    for name, webhook in settings.webhooks.items():
        if webhook.secret is not None:
            yield f"webhook {name}", webhook.secret
    for name, receiver in settings.receivers.items():
        yield f"receiver {name}", receiver.secret
    for name, told in settings.notifications.items():
        yield from ((f"notification {name}", secret) for secret in told.to)
    for name, ci in settings.ci.items():
        yield f"ci {name}", ci.token
    for name, tracker in settings.trackers.items():
        yield f"tracker {name}", tracker.token
    for name, model in settings.models.items():
        if model.key is not None:
            yield f"model {name}", model.key
    for name, call in settings.calls.items():
        yield from ((f"call {name}", secret) for secret in call.secret_headers.values())
    for name, upstream in settings.upstreams.items():
        login = (upstream.login.client_secret,) if upstream.login and upstream.login.client_secret else ()
        given = (*upstream.env.values(), *upstream.secret_headers.values(), *login)
        yield from ((f"upstream {name}", secret) for secret in given if not isinstance(secret, str))
    for name, declared in found.catalog.declared.items():
        calls = (step.call for step in declared.plan if step.call is not None)
        yield from ((f"action {name}", secret) for call in calls for secret in call.secret_headers.values())


def _outbox(project: Project) -> Iterator[Check]:
    from llmgenie_mcp.outbox import TABLE, WAITS
    from llmgenie_mcp.storage import open_storage

    try:
        storage = open_storage(project.store, read_only=True)
        try:
            storage.refresh()
            items = storage.query(TABLE).items
            stopped = [
                stop for line in storage.log(limit=RECENT, newest_first=True).items for stop in line.get("stopped", ())
            ]
        finally:
            storage.close()
    except StorageError:
        return  # told by the check of the store
    dead = [item for item in items if item["status"] == "dead"]
    old = [item for item in items if item["status"] == "pending" and _age(item["created_at"]) > OLD]
    if dead:
        yield Check(
            "outbox", "warn", f"{len(dead)} given up: {dead[-1]['destination']}: {dead[-1]['error']}", "llmgenie outbox"
        )
    if old:
        hint = "Is a server running? llmgenie outbox deliver"
        yield Check(
            "outbox", "warn", f"{len(old)} waiting for over an hour, the first for {old[0]['destination']}", hint
        )
    for rule in sorted({stop["rule"] for stop in stopped}):
        stop = next(stop for stop in stopped if stop["rule"] == rule)
        hint = "llmgenie outbox" if stop["bound"] == WAITS else "Narrow its `on` or `when`."
        yield Check("outbox", "warn", f"{rule} was stopped: {stop['message']}", hint)
    if not dead and not old:
        waiting = sum(item["status"] == "pending" for item in items)
        yield Check("outbox", "ok", f"{waiting} waiting" if waiting else "nothing waits")


def _age(at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
