"""Values that a shell completes: ids and names of the project one is in. Quick, and silent when there is no project.

Nothing of the project is written. Names of definitions come from what was kept of them (`engine.outline`); where nothing
is kept, from the names of the files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from llmgenie_mcp.engine.outline import Outline
    from llmgenie_mcp.faces.cli_base import Cli

TABLES = {"TSK-ID": "tasks", "SES-ID": "sessions", "RMI-ID": "roadmap", "APR-ID": "approvals", "OUT-ID": "outbox"}
"""The table that has the ids of a metavar."""
TOLD = ("title", "question", "destination", "status")
SHOWN = 200
"""So many values are offered; who has more types another letter."""
Found = Iterator[tuple[str, str]]


class Known(click.types.StringParamType):
    """A text that is completed with what the project knows.

    Args:
        kinds: names of `KINDS`, or tables of documents.
    """

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """What begins with `incomplete`; nothing when it cannot be found out."""
        from click.shell_completion import CompletionItem

        from llmgenie_mcp.faces.cli_base import Cli

        if self.kinds == ("folder",):
            return [CompletionItem(incomplete, type="dir")]
        cli = ctx.ensure_object(Cli)
        taken = ctx.params.get(param.name or "") or ()
        found: dict[str, str] = {}
        for kind in self.kinds:
            look = KINDS.get(kind)
            for value, told in look(cli, incomplete) if look else _documents(cli, kind):
                if value.startswith(incomplete) and value not in taken:
                    found.setdefault(value, told)
        return [CompletionItem(value, help=_line(told)) for value, told in [*found.items()][:SHOWN]]


def kind_of(metavar: str | None) -> Known | None:
    """What completes a parameter shown as `metavar`, such as TSK-ID or [OUT-ID]…; None: nothing of the project's."""
    name = (metavar or "").strip("[]…")
    return Known(TABLES[name]) if name in TABLES else Known("folder") if name == "DIR" else None


def _line(told: str) -> str | None:
    from llmgenie_mcp.faces.cli_text import line

    return line(told, 60) or None


def _documents(cli: Cli, table: str) -> Found:
    with cli.storage() as storage:
        items = storage.query(table).items
    for document in reversed(items):
        yield document["id"], next((str(document[name]) for name in TOLD if document.get(name)), "")


def _keys(cli: Cli, incomplete: str) -> Found:
    from llmgenie_mcp import contextdata

    with cli.storage() as storage:
        yield from ((key, "") for key in contextdata.complete(storage, incomplete))


def _outline(cli: Cli) -> Outline | None:
    from llmgenie_mcp.engine import outline

    return outline.read(cli.project.store)


def _workflows(cli: Cli, _: str) -> Found:
    if known := _outline(cli):
        yield from ((name, flow.description) for name, flow in known.workflows.items())
    else:
        yield from _files(cli, "workflows", "workflows")


def _states(workflow: str) -> Callable[[Cli, str], Found]:
    def look(cli: Cli, _: str) -> Found:
        if known := _outline(cli):
            yield from ((name, stage.description) for name, stage in known.workflows[workflow].states.items())
        else:
            states = _packaged()[f"workflows/{workflow}.yaml"]["states"]
            yield from ((name, state["description"]) for name, state in states.items())

    return look


def _policies(cli: Cli, _: str) -> Found:
    if known := _outline(cli):
        yield from ((policy["name"], policy["description"]) for policy in known.policies)
    else:
        yield from _files(cli, "workflows/policies", "policies")


def _actions(cli: Cli, _: str) -> Found:
    from llmgenie_mcp.faces.cli_read import outlined

    yield from outlined(cli).actions.items()


def _operations(_cli: Cli, _: str) -> Found:
    from llmgenie_mcp.operations import OPERATIONS

    yield from ((name, "") for name in OPERATIONS)


def _hosts(_cli: Cli, _: str) -> Found:
    from llmgenie_mcp import agents

    yield from ((name, "") for name in agents.names())


def _settings(part: str) -> Callable[[Cli, str], Found]:
    def look(cli: Cli, _: str) -> Found:
        from llmgenie_mcp.loader.settings import load_settings

        yield from ((name, "") for name in getattr(load_settings(cli.project.store), part))

    return look


def _packaged() -> dict[str, Any]:
    """The packaged definitions as they were parsed ahead, by file."""
    from importlib.resources import files

    found = json.loads(files("llmgenie_mcp.loader").joinpath("parsed.json").read_bytes())
    return {name: entry["data"] for name, entry in found.items()}


def _files(cli: Cli, packaged: str, own: str) -> Found:
    for name, definition in _packaged().items():
        if name.rpartition("/")[0] == packaged:
            yield definition["name"], definition["description"]
    folder: Path = cli.project.store / own
    if folder.is_dir():
        yield from ((path.stem, "") for path in sorted(folder.iterdir()) if path.suffix in (".yaml", ".yml", ".json"))


KINDS: dict[str, Callable[[Cli, str], Found]] = {
    "keys": _keys,
    "modes": _states("modes"),
    "workflows": _workflows,
    "statuses": _states("task"),
    "policies": _policies,
    "actions": _actions,
    "operations": _operations,
    "hosts": _hosts,
    "upstreams": _settings("upstreams"),
}
