"""Common mistakes in every kind of file: where, what, and what to write instead; and nothing in a library's own words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from llmgenie_mcp.config import Settings
from llmgenie_mcp.declared import ActionFile
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.loader import load_bytes
from llmgenie_mcp.loader.schema import IN_WORDS
from llmgenie_mcp.rules import Policy
from llmgenie_mcp.scenarios import ScenarioFile
from llmgenie_mcp.triggers import Trigger
from llmgenie_mcp.workflow import Workflow

RULE = "name: night\nrun: [{action: log_entry}]\n"
POLICY = "name: mine\nlevel: always_on\n"
FLOW = "name: mine\ninitial: a\nstates:\n  a: "
DECLARED = "name: mine\ndescription: Mine.\n"
HOOK = "webhooks: {b: {url: 'https://example.org', events: [a.b], secret: "

MISTAKES: list[tuple[type[BaseModel], str, str, str]] = [
    (Trigger, RULE + "schedule: '0 3 * *'", "3:12: schedule: A schedule has five fields", "such as 0 3 * * 1-5"),
    (Trigger, RULE + "schedule: '@daily'", "A schedule has five fields, and '@daily' has 1", "@daily is 0 0 * * *"),
    (Trigger, RULE, "1:1: Nothing says when it runs", "exactly one of `on`"),
    (Trigger, RULE + "on: a.b\nfiles: [x]", "4:1: files: on and files are given together", "exactly one of `on`"),
    (Trigger, RULE + "files: ['']", "3:9: files.0: Must not be empty", "Example: [docs/**, pyproject.toml]"),
    (Trigger, RULE + "on: {event: a.b}", "3:5: on: Expected text or a list, got a mapping", "Example: ci.finished"),
    (Trigger, "name: x\non: a.b\nrun: log_entry", "3:6: run: Expected a list", "[{action: run_tests}]"),
    (Trigger, "name: x\non: a.b\nrun: [log_entry]", "3:7: run.0: Expected a mapping", "{action: log_entry}"),
    (
        Trigger,
        "name: x\non: a.b\nrun: [{action: x, params: {a: 'b {c'}}]",
        "3:34: run.0.params.a: '{' has no partner",
        "twice: {{",
    ),
    (Settings, "commands: {test: pytest -q}", "1:18: commands.test: Expected a mapping", "{argv: [pytest, -q]}"),
    (Settings, "commands: {test: {argv: pytest -q}}", "commands.test.argv: Expected a list", "[pytest, -q]"),
    (Settings, "commands: {test: {argv: []}}", "1:25: commands.test.argv: Must have at least one item", "[pytest, -q]"),
    (Settings, "upstreams: {a: {command: npx x}}", "upstreams.a.command: Expected a list", "[npx, x]"),
    (Settings, "upstreams:\n  a: {description: x}", "2:6: upstreams.a: Nothing says where the server is", "url: https"),
    (
        Settings,
        "upstreams:\n  a: {command: [x], url: 'https://x.org'}",
        "2:21: upstreams.a.url: `command` and `url` are given together",
        "Give command:",
    ),
    (
        Settings,
        "upstreams:\n  a: {command: [x], headers: {A: b}}",
        "2:21: upstreams.a.headers: `headers` has no meaning beside `command`",
        "Leave it out",
    ),
    (
        Settings,
        "upstreams: {a: {url: 'https://x.org', login: {client_id: a, grant: client_credentials}}}",
        "1:68: upstreams.a.login.grant: A client that logs in by itself",
        "client_secret: {env: NAME}",
    ),
    (Settings, "calls:\n  a: {url: 'https://x.org/{id}'}", "2:27: calls.a.url: {id} is no parameter", "{id: {type:"),
    (
        Settings,
        "calls:\n  a: {url: 'https://{h}.org/'}",
        "2:21: calls.a.url: No parameter chooses the host",
        "host out",
    ),
    (Settings, "calls: {a: {url: 'https://x.org', method: get}}", "calls.a.method: Expected GET", "Did you mean GET?"),
    (
        Settings,
        "ci:\n  a: {kind: github, project: x, workflow: y, token: {env: A}}",
        "2:30: ci.a.project: GitHub's workflows are started by",
        "owner/repository",
    ),
    (Settings, HOOK + "{}}}", "webhooks.b.secret: Nothing says where the secret lies", "Give {env: NAME}"),
    (
        Settings,
        HOOK + "{env: A, file: b}}}",
        "1:76: webhooks.b.secret.file: env and file are given together",
        "Give {env: NAME}",
    ),
    (
        Settings,
        "trackers:\n  a: {kind: github, repository: a/b, token: {env: A}, options: {x: 1}}",
        "2:55: trackers.a.options: A tracker of the kind github takes no options",
        "leave them out",
    ),
    (Policy, POLICY, "1:1: rules: Field required", "Example: [{effect: deny, id: no-direct-push, reason:"),
    (
        Policy,
        POLICY + "rules:\n  - {id: a, effect: deny, reason: ''}",
        "4:35: rules.0.reason: A refusal needs a reason",
        "instead",
    ),
    (
        Policy,
        POLICY + "rules:\n  - {id: a, effect: deny, reason: x}\n  - {id: a, effect: ask, reason: x}",
        "5:10: rules.1.id: There are two rules 'a'",
        "each its own id",
    ),
    (
        Policy,
        "name: mine\nlevel: always\nrules: [{id: a, effect: deny, reason: x}]",
        "2:8: level: Expected always_on",
        "Did you mean always_on?",
    ),
    (
        Policy,
        POLICY + "rules: [{id: a, effect: deny, reason: x, fix: {action: y, params: {b: '{c'}}}]",
        "3:72: rules.0.fix.params.b: '{' has no partner",
        "twice: {{",
    ),
    (
        Workflow,
        FLOW + "{on: {go: {target: a, effects: [{log: x, emit: y.z}]}}}",
        "4:47: states.a.on.go.effects.0.emit: `log` and `emit` are given together",
        "one effect each",
    ),
    (
        Workflow,
        FLOW + "{on: {go: {target: a, effects: [{}]}}}",
        "4:38: states.a.on.go.effects.0: Nothing says what it does",
        "exactly one of `log`",
    ),
    (
        Workflow,
        "name: a\ninitial: a\nstates: [a]",
        "3:9: states: Expected a mapping, got a list",
        "{done: {final: true}",
    ),
    (ActionFile, DECLARED, "1:1: Nothing says what it does", "exactly one of `command`"),
    (
        ActionFile,
        DECLARED + "command: {argv: [x]}\nsteps: [{id: a, action: x}]",
        "4:1: steps: A declared action does one thing, not command and steps",
        "exactly one of `command`",
    ),
    (
        ActionFile,
        DECLARED + "steps: [{id: a, action: x}, {id: a, action: y}]",
        "3:34: steps.1.id: Two steps have the id 'a'",
        "own",
    ),
    (
        ActionFile,
        DECLARED + "params: {additional: false}\naction: {action: x}",
        "3:10: params.additional: Unknown key 'additional'",
        "Did you mean additionalProperties?",
    ),
    (
        ActionFile,
        DECLARED + "params: {properties: {folder: {}}, required: [foldr]}\naction: {action: x}",
        "3:47: params.required.0: `required` names 'foldr'",
        "Did you mean folder?",
    ),
    (
        ActionFile,
        DECLARED + "params: {properties: {a-b: {}}}\naction: {action: x}",
        "3:23: params.properties.a-b: The parameter 'a-b' is no name",
        "such as a_b",
    ),
    (
        ScenarioFile,
        "scenarios:\n  - {name: x, when: {action: a, tool: b/c}, then: {decision: deny}}",
        "2:33: scenarios.0.when.tool: Asks for action and tool at once",
        "exactly one of",
    ),
    (ScenarioFile, "scenarios: []", "1:12: scenarios: Must have at least one item", "when: {action: merge}"),
]


def complaint(model: type[BaseModel], text: str) -> DefinitionError:
    """What is said about a file."""
    with pytest.raises(DefinitionError) as caught:
        load_bytes(text.encode(), model, "f.yaml")
    return caught.value


@pytest.mark.parametrize(("model", "text", "said", "hint"), MISTAKES)
def test_a_common_mistake_is_told_at_its_key_and_with_what_to_write(
    model: type[BaseModel], text: str, said: str, hint: str
) -> None:
    error = complaint(model, text)
    assert said in error.message
    assert hint in f"{error.message}\n{error.hint}"


@pytest.mark.parametrize(
    "text",
    [
        HOOK + "s3cr3t-value}}",
        HOOK + "{env: s3cr3t-value}}}",
        HOOK + "12345678901}}",
        "notifications: {a: {to: 'https://hook/s3cr3t-value'}}",
        "notifications: {a: {to: [s3cr3t-value]}}",
        "calls: {a: {url: 'https://x.org', secret_headers: {Authorization: Bearer s3cr3t-value}}}",
        "receivers: {a: {kind: github, secret: s3cr3t-value}}",
    ],
)
def test_a_secret_written_where_its_place_belongs_is_not_repeated(text: str) -> None:
    error = complaint(Settings, text)
    told = json.dumps(error.to_dict())
    assert "s3cr3t" not in told
    assert "12345678901" not in told
    assert "{env: NAME}" in told or "the name of a variable" in told


def patterns(part: Any) -> Iterator[str]:
    """Every pattern of a schema."""
    if isinstance(part, dict):
        yield from part.get("patternProperties", ())
        yield from (value for key, value in part.items() if key == "pattern" and isinstance(value, str))
        part = list(part.values())
    for inner in part if isinstance(part, list) else ():
        yield from patterns(inner)


def test_every_pattern_that_text_must_match_is_told_in_words() -> None:
    schemas = Path(__file__).parent.parent / "schemas"
    used = {found for file in schemas.glob("*.json") for found in patterns(json.loads(file.read_text("utf-8")))}
    assert used
    assert used - {*IN_WORDS} == set()
