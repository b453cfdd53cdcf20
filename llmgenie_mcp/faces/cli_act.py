"""Acting: run an action, write context data, report an event."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command, deliver
from llmgenie_mcp.faces.cli_known import Known
from llmgenie_mcp.faces.cli_progress import Working
from llmgenie_mcp.faces.cli_read import pass_cli

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine

F = TypeVar("F", bound=Callable[..., Any])


def params_options(function: F) -> F:
    """The two ways to give parameters: `-p key=value` and `--params JSON`."""
    pair = click.option(
        "-p",
        "--param",
        "pairs",
        metavar="KEY=VALUE",
        multiple=True,
        help="A parameter: JSON when VALUE reads as JSON, else text (a text 1.0 is written '\"1.0\"').",
    )
    return click.option("--params", "document", metavar="JSON", help="All parameters as one JSON object.")(
        pair(function)
    )


def parameters(pairs: tuple[str, ...], document: str | None) -> dict[str, Any] | None:
    """Parameters as given; None when none were.

    Raises:
        BadParams: not KEY=VALUE, not a JSON object.
    """
    if not pairs and document is None:
        return None
    params: dict[str, Any] = {}
    if document is not None:
        found = as_json(document, None)
        if not isinstance(found, dict):
            raise BadParams("--params is no JSON object.", 'Write --params \'{"title": "…"}\'.')
        params |= found
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise BadParams(f"{text.line(pair, 60)!r} is no parameter.", "Write -p KEY=VALUE.")
        params[name] = as_json(value, value)
    return params


def as_json(written: str, otherwise: Any) -> Any:
    """`written` read as JSON; `otherwise` when it is none."""
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return otherwise


@click.command(cls=Command)
@click.argument("action", type=Known("actions"))
@click.option("--session", metavar="SES-ID", help="The session it belongs to.")
@click.option("--idempotency-key", metavar="KEY", help="A repeated call with the same key is not run twice.")
@params_options
@pass_cli
def run(
    cli: Cli,
    action: str,
    session: str | None,
    idempotency_key: str | None,
    pairs: tuple[str, ...],
    document: str | None,
) -> None:
    """Run ACTION, if workflow and policies allow it.

    Names and parameters: llmgenie actions. Exits with 1 when it is refused or fails.
    """
    params = parameters(pairs, document)
    perform(cli, action, params, session=session, idempotency_key=idempotency_key, pairs=pairs)


def perform(
    cli: Cli,
    action: str,
    params: Mapping[str, Any] | None,
    *,
    session: str | None = None,
    idempotency_key: str | None = None,
    lines: Callable[[dict[str, Any]], list[str]] | None = None,
    pairs: tuple[str, ...] = (),
) -> None:
    """Run an action and print what came of it; Ctrl-C ends a slow one and waits until its end is recorded.

    Args:
        cli, action, params, session, idempotency_key: as for `Engine.run_action`.
        lines: the result as people read it, when it is ok.
        pairs: what of `params` was typed as KEY=VALUE.
    """
    with cli.engine() as engine, _interruptible() as cancel, Working(action, quiet=cli.json) as working:
        outcome = engine.run_action(
            action,
            _as_wanted(engine, action, params, pairs),
            session=session,
            actor=cli.actor,
            idempotency_key=idempotency_key,
            progress=lambda _done, _total, message: working.say(message),
            cancel=cancel,
        )
    cli.outcome(outcome, lines(outcome.result) if lines and outcome.ok else None)


def _as_wanted(
    engine: Engine, action: str, params: Mapping[str, Any] | None, pairs: tuple[str, ...]
) -> Mapping[str, Any] | None:
    """The parameters with `version=1.4` as the text "1.4" where the action takes texts alone."""
    typed = {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
    odd = [name for name in typed if params is not None and not isinstance(params[name], str)]
    if params is None or not odd:
        return params
    schema = engine.action_schema(action).get("properties", {})
    found = dict(params)
    for name in odd:
        kinds = {option.get("type") for option in schema.get(name, {}).get("anyOf", [schema.get(name, {})])}
        if "string" in kinds and kinds <= {"string", "null"} and (params[name] is not None or "null" not in kinds):
            found[name] = typed[name]
    return found


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, once; the second Ctrl-C interrupts as usual."""
    cancel = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return

    def stop(*_: object) -> None:
        cancel.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)


@click.command(cls=Command)
@click.argument("key", type=Known("keys"))
@click.argument("value")
@click.option("--expected-version", type=click.IntRange(0), help="Refuse when it has another version; 0: must be new.")
@click.option("--session", metavar="SES-ID", help="The session it belongs to.")
@pass_cli
def update(cli: Cli, key: str, value: str, expected_version: int | None, session: str | None) -> None:
    """Write context data by key.

    KEY is notes/NAME (anything), tasks/ID or roadmap/ID (an object with the fields to change).
    VALUE is JSON when it reads as JSON, else text.
    """
    with cli.engine() as engine:
        outcome = engine.update_context(
            key, as_json(value, value), expected_version=expected_version, session=session, actor=cli.actor
        )
    cli.outcome(outcome)


@click.command(cls=Command)
@click.argument("name")
@click.option("--session", metavar="SES-ID", help="The session it belongs to.")
@params_options
@pass_cli
def event(cli: Cli, name: str, session: str | None, pairs: tuple[str, ...], document: str | None) -> None:
    """Report that something happened.

    NAME is dotted, such as ci.finished; what waits for it moves on.
    """
    with cli.engine() as engine:
        data = engine.trigger_event(name, parameters(pairs, document), session=session, actor=cli.actor)
        _deliver(engine, data)
    lines = [f"{data['event']['type']} is recorded as {data['event']['id']} (line {data['seq']})."]
    lines += [f"{step['instance']}: {step['from']} → {step['to']}" for step in data["moved"]]
    for refused in data["refused"]:
        lines.append(f"{refused['instance']} stays:")
        lines += [one for reason in refused["reasons"] for one in text.reason_lines(reason)]
    lines += [f"{stop['rule']} does not run: {stop['message']}" for stop in data.get("stopped", ())]
    lines += [f"{item['id']} {item['destination']}: {item['status']}" for item in data.get("delivered", ())]
    cli.show(data, lines if len(lines) > 1 else [*lines, "Nothing waits for it."])


def _deliver(engine: Engine, data: dict[str, Any]) -> None:
    """Deliver what an event leads to, if no server does; `data["delivered"]` then says what came of each."""
    if not data.get("deliveries"):
        return
    items = {id_: engine.storage.get("outbox", id_) for id_ in data["deliveries"]}
    deliver(engine)
    engine.storage.refresh()
    data["delivered"] = []
    for id_, item in items.items():
        left = engine.storage.get("outbox", id_)
        status = "done" if left is None else "given up" if left["status"] == "dead" else "waits"
        told = {"id": id_, "destination": (item or left or {}).get("destination", ""), "status": status}
        data["delivered"].append({**told, **({"why": left["error"]} if left and left["error"] else {})})


COMMANDS = (run, update, event)
