"""Pages of the reference with examples: tools, actions, events, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio

from llmgenie_mcp import errors as tree
from llmgenie_mcp import outbox, plugins
from llmgenie_mcp.engine.situation import ENGINE_WORKFLOWS
from llmgenie_mcp.errors import LlmgenieError, StorageError
from llmgenie_mcp.faces.reference_scene import SHOWN, Scene
from llmgenie_mcp.faces.reference_text import code, compact, fields, table
from llmgenie_mcp.outcome import Event
from llmgenie_mcp.plugins import Action

REFUSED = {"action": "merge", "params": {"branch": "main"}}
"""A second example of run_action: what a refusal looks like."""
SAYS = {
    "get_available_actions": "What comes with a query has its JSON Schema and an example in the structured content too.",
    "run_action": "A refusal is an answer: nothing was changed, and `fix` names what would help.",
}

ABOUT_ACTIONS = """\
The answer is the text that a model reads; its last line, the actions that are open then, is left out. What needs settings that
the example's project does not have says so.
"""
ABOUT_EVENTS = """\
Events have the attributes of CloudEvents 1.0. [The live part](../live.md) says what may wait for them, and where others come
from: webhooks, CI, schedules, files, `trigger_event`.
"""
ABOUT_ERRORS = """\
An error means that the call itself was wrong, or that the store cannot be used. It has `code`, `message`, `hint` (what is
allowed, what to do next) and, where they help: `near` (names meant), `known` (names there are), `problems` (each with `where`,
`message`, `near`, `allowed`, `type`), `example` (parameters that fit) and `fix` (an action to run).
"""


def tools(scene: Scene) -> str:
    """The eight tools."""
    from llmgenie_mcp.faces.mcp_face import Face
    from llmgenie_mcp.faces.mcp_tools import TOOLS

    face, parts = Face(engine=scene.engine), []
    for name, tool in TOOLS.items():
        parts += [f"## {name}\n", f"{tool.description}\n", fields(tool.listed.input_schema)]
        for call in (dict(tool.example), *([REFUSED] if name == "run_action" else [])):
            answer: Any = anyio.run(face.call_tool, name, call)
            text = scene.plain("\n".join(part.text for part in answer.content))
            parts += [code(compact(call), "json"), code(_cut(text, 1200))]
        parts.append(f"{SAYS.get(name, '')}\n")
    return "\n".join(parts)


def actions(scene: Scene) -> str:
    """Every action, registered or brought along by a packaged workflow."""
    known = scene.engine.definitions.actions
    names = sorted(name for name in known if not plugins.origin("actions", name))
    index = ", ".join(f"[{name}](#{name})" for name in names)
    return "\n".join([f"{index}\n", ABOUT_ACTIONS, *("\n".join(_action(scene, known[name])) for name in names)])


def _action(scene: Scene, action: Action) -> Iterator[str]:
    yield f"## {action.name}\n"
    yield f"{action.description}\n"
    yield f"{_where(scene, action)}\n"
    yield fields(action.params.model_json_schema())
    _, params, answer = scene.runs[action.name]
    yield code(compact({"action": action.name, "params": params}), "json")
    yield code(_cut(answer, SHOWN))


def _where(scene: Scene, action: Action) -> str:
    """Where it is open, and what kind of action it is."""
    flows = scene.engine.definitions.workflows
    said = []
    if action.everywhere:
        said.append("Open everywhere.")
    else:
        modes = [name for name, state in flows["modes"].states.items() if state.opens(action.name)]
        said.append(f"Modes: {', '.join(modes) or 'all'}.")
        for name, flow in flows.items():
            if name not in ENGINE_WORKFLOWS and action.name in flow.triggers:
                said.append(f"Moves a {name} that is {' or '.join(flow.states_with(action.name))}.")
    marks = {"only reads": not action.changes, "slow": action.slow, "may destroy": action.destructive}
    if kinds := [word for word, holds in marks.items() if holds]:
        said.append(f"It {', '.join(kinds)}." if kinds[0] != "slow" else "It may take long and reports its progress.")
    return " ".join(said)


def events(scene: Scene) -> str:
    """Every kind of event that the day of work led to, with the first of it."""
    source = "llmgenie/app"
    found: dict[str, Event] = {}
    lines = scene.engine.storage.log(limit=100_000).items
    for line in lines:
        for event in outbox.events_of(line, source, line["seq"]):
            found.setdefault(event.type, event)
    emitted = {name: flow.name for flow in scene.engine.definitions.workflows.values() for name in flow.emitted}
    parts = [
        ABOUT_EVENTS,
        table(
            ("event", "tells of"),
            ((f"[`{name}`](#{name.replace('.', '')})", _tells(name, emitted)) for name in sorted({*found, *emitted})),
        ),
    ]
    for name in sorted(found):
        shown = _short(found[name].to_dict())
        parts += [f"## {name}\n", code(scene.plain(json.dumps(shown, indent=1, ensure_ascii=False)), "json")]
    return "\n".join(parts)


def _tells(name: str, emitted: dict[str, str]) -> str:
    if name in emitted:
        return f"a step of the workflow `{emitted[name]}`"
    first = name.partition(".")[0]
    return {"action": "a call of `run_action`", "approval": "a person's answer"}.get(first, "an event that came in")


def _short(value: Any, depth: int = 0) -> Any:
    """Data with long texts and lists cut, so that its shape shows."""
    if isinstance(value, dict):
        return {key: _short(part, depth + 1) for key, part in value.items() if part not in (None, "", [], {})}
    if isinstance(value, list):
        return [_short(part, depth + 1) for part in value[:2]]
    return f"{value[:100]}…" if isinstance(value, str) and len(value) > 100 else value


def errors(scene: Scene) -> str:
    """The tree of errors with a real one of each where one can be made, and the codes of refusals."""
    from llmgenie_mcp.faces.mcp_prompts import guide

    _make_errors(scene)
    rows = []
    for kind in _classes(LlmgenieError):
        seen = scene.errors.get(kind.code)
        example = scene.plain(f"“{seen.message} {seen.hint}”") if seen else ""
        rows.append((f"`{kind.code}`", f"`{kind.__name__}`", (kind.__doc__ or "").split("\n")[0], example))
    parts = [
        ABOUT_ERRORS,
        table(("code", "class", "when", "for example"), rows),
        guide("refusals").replace("# How to read a refusal", "## How to read a refusal"),
    ]
    return "\n".join(parts)


def _classes(kind: type[LlmgenieError]) -> Iterator[type[LlmgenieError]]:
    """The classes of `errors.py`, in the order of its tree."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == tree.__name__:
            yield from _classes(below)


def _make_errors(scene: Scene) -> None:
    """Do what is wrong, for real."""
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.expressions import Expression
    from llmgenie_mcp.loader import load_bytes
    from llmgenie_mcp.workflow import Workflow

    engine, damaged = scene.engine, scene.folder / "damaged"
    (damaged / ".llmgenie" / "meta-log").mkdir(parents=True)
    (damaged / ".llmgenie" / "meta-log" / "000001.jsonl").write_text("{}\n{}\n", encoding="utf-8")
    wrong = b"name: deploy\ninitial: waiting\nstates: {waiting: {final: true, actoins: []}}\n"
    for attempt in (
        lambda: engine.update_context("meta-log", "x"),
        lambda: engine.update_context("tasks/TSK-1", {"title": "Later"}, expected_version=1),
        lambda: Engine.open(scene.folder / "nowhere"),
        lambda: load_bytes(wrong, Workflow, ".llmgenie/workflows/deploy.yaml"),
        lambda: Expression.parse("git.branch = 'main'"),
        lambda: engine.decide_approval("APR-1", True, person="ada", channel="terminal"),
        lambda: Engine.open(damaged).close(),
    ):
        try:
            attempt()
        except (LlmgenieError, StorageError) as error:
            scene.errors.setdefault(error.code, error)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    kept = text[:limit]
    return f"{kept[: kept.rfind(chr(10))] if chr(10) in kept else kept}\n…"
