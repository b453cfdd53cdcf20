"""Files of declared actions: what may be written in them, and what is said of what may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from scene import configure, define

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.declared import Missing, fill
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.loader import yamltext

Open = Callable[..., Engine]
HEAD = "name: ship\ndescription: Ship it.\n"
TWO = "steps: [{id: a, action: log_entry, params: {text: x}}, {id: b, action: log_entry, params: {text: '%s'}}]"

MISTAKES = [
    ("{}", "Nothing says what it does", "exactly one of `command`"),
    ("command: {argv: [x]}\naction: {action: log_entry}", "does one thing, not command and action", "exactly one"),
    ("steps: []", "Nothing says what it does", "exactly one"),
    ("steps: [{id: a}]", "3:9: steps.0: Nothing says what it does", "exactly one"),
    (
        "steps: [{id: a, action: log_entry, call: {url: 'https://x.org'}}]",
        "3:17: steps.0.action: A step does one thing",
        "one of",
    ),
    ("steps: [{id: A, action: log_entry}]", "3:14: steps.0.id: 'A' is not accepted here", "lower-case"),
    ("steps: [{id: a, action: log_entri}]", "3:25: steps.0.action: No action is called 'log_entri'", "log_entry"),
    (
        "action: {action: create_task, params: {titel: x}}",
        "3:40: action.params.titel: create_task has no parameter 'titel'",
        "Did you mean title?",
    ),
    ("steps: [{id: a, action: 'log_*'}]", "3:25: steps.0.action: 'log_*' is not accepted here", ""),
    ("action: {action: log_entri}", "3:18: action.action: No action is called 'log_entri'", "log_entry"),
    (TWO % "{steps.c.result.x}", "steps.1.params.text: There is no fact 'steps.c.result.x'", "steps.a.result"),
    (TWO % "{steps.b.status}", "steps.1.params.text: There is no fact 'steps.b.status'", "steps.a.status"),
    (TWO % "{params.v}", "3:100: steps.1.params.text: There is no fact 'params.v'", ""),
    (TWO % "{git.branch}", "There is no fact 'git.branch'", ""),
    (TWO % "a {x", "steps.1.params.text: '{' has no partner", "{{"),
    (
        f"{TWO % 'x'}".replace("{id: b,", "{id: b, when: git.claen,"),
        "steps.1.when: There is no fact 'git.claen'",
        "git.clean",
    ),
    (f"{TWO % 'x'}".replace("{id: b,", "{id: b, when: session.open,"), "There is no fact 'session.open'", ""),
    (f"{TWO % 'x'}".replace("{id: b,", "{id: b, when: a = b,"), "steps.1.when: The character '=' is not allowed", "=="),
    (f"{TWO % 'x'}".replace("id: b", "id: a"), "Two steps have the id 'a'", "own"),
    (
        "steps: [{id: a, action: log_entry, retry: {attempts: 100}}]",
        "retry.attempts: Must be less than or equal to 10",
        "",
    ),
    ("steps: [{id: a, action: log_entry, on_failure: ignore}]", "Expected stop or continue, got the text 'ignore'", ""),
    (
        "params: {properties: {v: {type: strin}}}\ncommand: {argv: [x]}",
        "3:33: params.properties.v.type: This is no JSON",
        "",
    ),
    (
        "params: {properties: {v: 1}}\ncommand: {argv: [x]}",
        "3:26: params.properties.v: The parameter 'v' is not described",
        "v: {type: string}",
    ),
    (
        "params: {properties: [v]}\ncommand: {argv: [x]}",
        "3:22: params.properties: `properties` holds each",
        "properties",
    ),
    (
        "params: {required: [v]}\ncommand: {argv: [x]}",
        "3:21: params.required.0: `required` names 'v', which is not among",
        "",
    ),
    ("params: {properties: {v: {}}, required: [[v]]}\ncommand: {argv: [x]}", "params.required.0: `required` names", ""),
    (
        "params: {properties: {resume: {}}}\ncommand: {argv: [x]}",
        "The parameter 'resume' is the engine's own",
        "another",
    ),
    ("params: {v: {type: string}}\ncommand: {argv: [x]}", "3:10: params.v: Unknown key 'v'", "properties: {v: …}"),
    (
        "command: {argv: [x], params: {properties: {}} }\nmodes: [code]",
        "3:22: command.params: A command here",
        "beside",
    ),
    (
        "params: {properties: {folder: {}}}\ncommand: {argv: [ls, '{foldr}']}",
        "4:24: command.argv.1: {foldr} stands for",
        "folder",
    ),
    (
        "params: {properties: {v: {}}}\nsteps: [{id: a, command: {argv: [x, 'v{v}']}}]",
        "steps.0.command.argv.1: {v} stands for",
        "beside",
    ),
    ("call: {url: 'https://x.org/{id}'}", "call.url: {id} stands for nothing", "Declare it"),
    ("call: {url: 'https://{host}/x'}", "3:22: call.url: No parameter chooses the host", "Write the host out"),
    ("call: {url: 'https://a.{host}/x'}", "No parameter chooses the host", "Write the host out"),
    ("modes: [cod]\ncommand: {argv: [x]}", "3:9: modes.0: There is no mode 'cod'", "code"),
    ("comand: {argv: [x]}", "Unknown key 'comand'", "command"),
    ("timeout: 0\ncommand: {argv: [x]}", "timeout: Must be greater than 0", ""),
]


def complaint(repo: Path, text: str, name: str = "ship") -> str:
    """What is said of a declared action."""
    define(repo, "actions", name, text)
    with Engine.open(repo) as engine, pytest.raises(DefinitionError) as caught:
        assert engine.definitions
    return str(caught.value)


@pytest.mark.parametrize(("body", "message", "hint"), MISTAKES)
def test_a_mistake_is_told_with_its_place_and_what_is_allowed(repo: Path, body: str, message: str, hint: str) -> None:
    body = "timeout: 60" if body == "{}" else body
    said = complaint(repo, HEAD + body)
    assert message in said
    assert hint in said
    assert ".llmgenie/actions/ship.yaml:" in said


@pytest.mark.parametrize(
    "name", ["merge", "log_entry", "submit", "approve", "start_review", "start_release", "shell", "opaque"]
)
def test_a_name_that_something_else_has_is_an_error(repo: Path, name: str) -> None:
    said = complaint(repo, f"name: {name}\ndescription: x\ncommand: {{argv: [x]}}", name)
    assert f"actions/{name}.yaml:1:7: name: The name '{name}' is taken" in said
    assert f"my_{name}" in said


def test_a_file_is_called_as_its_action(repo: Path) -> None:
    assert "The file other.yaml holds 'ship'" in complaint(repo, f"{HEAD}command: {{argv: [x]}}", "other")


def test_a_circle_is_an_error_at_the_step_that_closes_it(repo: Path) -> None:
    for name, other in (("one", "two"), ("two", "three")):
        define(repo, "actions", name, f"name: {name}\ndescription: x\naction: {{action: {other}}}")
    said = complaint(
        repo, "name: three\ndescription: x\nsteps: [{id: a, action: log_entry}, {id: b, action: one}]", "three"
    )
    assert "actions/three.yaml:3:53: steps.1.action: This goes in a circle: one → two → three → one" in said
    assert said.count("circle") == 1


def test_an_action_that_runs_itself_is_an_error(repo: Path) -> None:
    said = complaint(repo, f"{HEAD}action: {{action: ship}}")
    assert "ship.yaml:3:18: action.action: This goes in a circle: ship → ship" in said


def test_two_actions_that_share_a_third_are_no_circle(repo: Path, open_engine: Open) -> None:
    for name in ("left", "right"):
        define(repo, "actions", name, f"name: {name}\ndescription: x\naction: {{action: base}}")
    define(repo, "actions", "base", "name: base\ndescription: x\ncommand: {argv: [x]}")
    define(repo, "actions", "top", "name: top\ndescription: x\nsteps: [{id: a, action: left}, {id: b, action: right}]")
    assert {"left", "right", "base", "top"} <= open_engine(repo).definitions.actions.keys()


def test_ten_thousand_steps_are_refused_quickly(repo: Path) -> None:
    for count, said in ((51, "at most 50 items"), (10_000, "More than 20,000 values")):
        steps = "\n".join(f"  - {{id: s{n}, action: log_entry}}" for n in range(count))
        assert said in complaint(repo, f"{HEAD}steps:\n{steps}")


def test_a_file_nested_beyond_reason_is_refused(repo: Path) -> None:
    assert "ship.yaml" in complaint(repo, f"{HEAD}params: {'{a: ' * 2000}1{'}' * 2000}\ncommand: {{argv: [x]}}")


def test_parameters_nested_beyond_reason_fail_as_a_step(repo: Path, open_engine: Open) -> None:
    define(
        repo,
        "actions",
        "ship",
        f"{HEAD}action: {{action: log_entry, params: {{text: {'[' * 40}{']' * 40}}}}}",
    )
    trust.trust(repo / ".llmgenie")
    outcome = open_engine(repo).run_action("ship")
    assert outcome.status == "failed"
    assert "nested deeper than 32" in str(outcome.error)


def test_every_file_that_is_wrong_is_told_at_once(repo: Path) -> None:
    define(repo, "actions", "one", "name: one\n")
    define(repo, "workflows", "two", "name: two\n")
    said = complaint(repo, f"{HEAD}modes: [cod]\ncommand: {{argv: [x]}}")
    assert all(place in said for place in ("actions/one.yaml", "actions/ship.yaml", "workflows/two.yaml"))


def test_a_tool_of_an_upstream_that_was_not_asked_yet_may_be_a_step(repo: Path, open_engine: Open) -> None:
    configure(repo, upstreams={"shop": {"command": ["true"]}})
    define(repo, "actions", "ship", f"{HEAD}action: {{action: shop.buy, params: {{what: tea}}}}")
    assert "ship" in open_engine(repo).definitions.actions
    assert "No action is called 'shp.buy'" in complaint(repo, f"{HEAD}action: {{action: shp.buy}}")


def test_a_changed_file_is_in_force_without_a_restart(repo: Path, open_engine: Open) -> None:
    engine = open_engine(repo)
    assert "ship" not in engine.definitions.actions
    path = define(repo, "actions", "ship", f"{HEAD}command: {{argv: [x]}}")
    assert engine.definitions.actions["ship"].description == "Ship it."
    path.unlink()
    assert "ship" not in engine.definitions.actions


def test_policies_workflows_and_triggers_may_name_a_declared_action(repo: Path, open_engine: Open) -> None:
    define(repo, "actions", "ship", f"{HEAD}command: {{argv: [x]}}")
    define(repo, "policies", "mine", "name: mine\nlevel: situational\napplies_to: {actions: [ship]}\n"
           "rules: [{id: no, effect: deny, when: 'resource.id == \"ship\"', reason: no}]")  # fmt: skip
    define(repo, "triggers", "t", "name: t\non: a.b\nrun: [{action: ship}]")
    assert open_engine(repo).definitions.catalog.declared["ship"].command is not None


def test_words_in_braces_that_are_no_parameters_stay_as_they_are(repo: Path, open_engine: Open) -> None:
    define(
        repo,
        "actions",
        "ship",
        f"{HEAD}params: {{properties: {{v: {{}}}}}}\ncommand: {{argv: [echo, '{{print}}', '{{v}}']}}",
    )
    configure(repo)
    engine = open_engine(repo)
    session = engine.run_action("start_session", {"mode": "code"}).result["session"]["id"]
    assert engine.run_action("ship", {"v": "1"}, session=session).result["command"] == ["echo", "{print}", "1"]


# -- templates ---------------------------------------------------------------------------------------------------------

FACTS = {
    "params": {"n": 3, "list": [1, 2], "none": None, "long": "x" * 5000},
    "steps": {"a": {"result": {"text": "hi"}}},
}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{params.n}", 3),
        ("{ params.list }", [1, 2]),
        ("{params.none}", None),
        ("{params.long}", "x" * 5000),
        ("n={params.n}", "n=3"),
        ("{steps.a.result.text} {params.list}", "hi [1, 2]"),
        ("a {params.long}", "a " + "x" * 5000),
        ("{{params.n}}", "{params.n}"),
        ({"a": "{params.gone}", "b": ["{params.gone}", "{params.n}"]}, {"b": [3]}),
        (True, True),
    ],
)
def test_templates_are_filled_without_shortening(template: object, filled: object) -> None:
    assert fill(template, FACTS) == filled


def test_half_a_text_is_not_made() -> None:
    with pytest.raises(Missing, match=r"There is no steps\.a\.result\.gone to fill in"):
        fill("rm -r {steps.a.result.gone}/x", FACTS)


def test_what_was_filled_in_is_not_filled_again() -> None:
    assert fill("{params.x} {params.y}", {"params": {"x": "{params.y}", "y": "2"}}) == "{params.y} 2"


def test_the_schema_of_such_files_fits_what_the_loader_takes() -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads((Path(__file__).parent.parent / "schemas/action.schema.json").read_text(encoding="utf-8"))
    content = yamltext.parse(HEAD + TWO % "x").root.data()
    Draft202012Validator(schema).validate(content)
    assert not Draft202012Validator(schema).is_valid({**content, "stepz": []})
