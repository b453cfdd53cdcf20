"""Trigger rules as they may be written: mistakes with their place, in the settings and in files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from outbox_scene import rules, waiting
from scene import configure, define

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.triggers import TriggerRule, event_type

RUN = "run: [{action: log_entry}]"


MISTAKES = [
    (
        "{on: ci.finished, run: [{action: log_entri}]}",
        "2:42: run.0.action: No action is called 'log_entri'",
        "log_entry",
    ),
    (
        "{on: a.b, run: [{action: log_entry, params: {text: x, tusk: TSK-1}}]}",
        "2:63: run.0.params.tusk: log_entry has no parameter 'tusk'",
        "Did you mean task?",
    ),
    (
        f"{{on: a.b, when: event.data.x == 1 and git.claen, {RUN}}}",
        "2:47: when: There is no fact 'git.claen'",
        "git.clean",
    ),
    (f"{{on: a.b, when: event.data.x = 1, {RUN}}}", "2:38: when: The character '=' is not allowed here", "=="),
    (f"{{on: a.b, schedule: '* * * * *', {RUN}}}", "2:19: schedule: on and schedule are given together", "exactly one"),
    (f"{{on: a.b, files: [x], {RUN}}}", "2:19: files: on and files are given together", "exactly one"),
    (f"{{{RUN}}}", "2:9: Nothing says when it runs", "exactly one"),
    (f"{{on: CI.finished, {RUN}}}", "2:14: on: 'CI.finished' is not accepted here", ""),
    (f"{{on: [a.b, CI], {RUN}}}", "2:20: on.1: 'CI' is not accepted here", ""),
    (f"{{on: [], {RUN}}}", "2:14: on: Must have at least one item", ""),
    ("{on: a.b}", "2:9: run: Field required", ""),
    ("{on: a.b, run: []}", "2:24: run: Must have at least one item", ""),
    (f"{{on: a.b, rum: [], {RUN}}}", "2:19: rum: Unknown key 'rum'", "run"),
    (
        "{on: a.b, run: [{action: log_entry, params: {text: 'x {a'}}]}",
        "2:63: run.0.params.text: '{' has no partner",
        "{{",
    ),
    (
        "{on: a.b, run: [{action: log_entry, params: {a: {b: [x, '{git.brnch}']}}}]}",
        "2:67: run.0.params.a.b.1: There is no fact 'git.brnch'",
        "git.branch",
    ),
    (f"{{on: a.b, session: '{{evnt.data.s}}', {RUN}}}", "2:30: session: There is no fact 'evnt.data.s'", "event.data"),
    (
        f"{{schedule: '0 3 * *', {RUN}}}",
        "2:21: schedule: A schedule has five fields, and '0 3 * *' has 4",
        "0 3 * * 1-5",
    ),
    (f"{{schedule: '@daily', {RUN}}}", "2:21: schedule: A schedule has five fields", "@daily is 0 0 * * *"),
    (f"{{schedule: '0 25 * * *', {RUN}}}", "2:23: schedule: '25' is no hour of a schedule", "0 3 * * 1-5"),
    (f"{{schedule: '0 3 * * moon', {RUN}}}", "2:29: schedule: 'moon' is no day-of-week of a schedule", "0 3 * * 1-5"),
    (f"{{schedule: '@midnight', {RUN}}}", "2:21: schedule: A schedule has five fields", "0 3 * * 1-5"),
    (f"{{schedule: '0 0 3 * * 1', {RUN}}}", "2:21: schedule: A schedule has five fields", "0 3 * * 1-5"),
    (f"{{schedule: '0 0 30 2 *', {RUN}}}", "2:25: schedule: No month of the schedule '0 0 30 2 *' has a day 30", ""),
    (f"{{schedule: '0 0 29 2 mon#5', {RUN}}}", None, ""),
    (
        f"{{schedule: '0 3 * * *', timezone: Europe/Berln, {RUN}}}",
        "2:43: timezone: There is no time zone 'Europe/Berln'",
        "Europe/Berlin",
    ),
    (
        f"{{schedule: '0 3 * * *', timezone: Europe, {RUN}}}",
        "2:43: timezone: There is no time zone 'Europe'",
        "Europe/",
    ),
    (
        f"{{files: ['docs/**.md'], {RUN}}}",
        "2:18: files.0: in the pattern 'docs/**.md' `**` must stand alone",
        "docs/**",
    ),
    (f"{{files: [docs/**, ../x], {RUN}}}", "2:27: files.1: The pattern '../x' fits no file", "docs/**"),
    (f"{{files: [/etc/**], {RUN}}}", "2:18: files.0: The pattern '/etc/**' fits no file", "docs/**"),
    (f"{{files: [], {RUN}}}", "2:17: files: Must have at least one item", ""),
    (f"{{on: a.b, max_depth: 0, {RUN}}}", "2:30: max_depth: Must be greater than or equal to 1, not 0", ""),
    (f"{{on: a.b, enabled: yes, {RUN}}}", "2:28: enabled: Expected true or false", "true and false"),
    (f"{{true: a.b, {RUN}}}", "2:10: The key `true` is not text", "Write on: again"),
]


def problems(engine: Engine) -> str:
    """What is said about the definitions: `line:column: where: what`, without file and rule, and the hints."""
    try:
        engine.definitions  # noqa: B018 - loads them
    except DefinitionError as error:
        found: Any = error.details["problems"]
        return "\n".join(
            f"{p['line']}:{p['column']}: {p['where'].removeprefix('triggers.mine').removeprefix('.')}: {p['message']} "
            f"{p['hint']}".replace(": : ", ": ")
            for p in found
        )
    return ""


@pytest.mark.parametrize(("text", "said", "hint"), MISTAKES)
def test_a_mistake_in_a_rule_of_the_settings_is_told_with_its_place(
    engine: Engine, repo: Path, text: str, said: str | None, hint: str
) -> None:
    configure(repo).write_text(f"triggers:\n  mine: {text}\n", encoding="utf-8")
    found = problems(engine)
    if said is None:
        assert found == ""
        return
    assert said in found
    assert hint in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: mine\non: a.b\nrun:\n  - action: nope\n", "4:13: run.0.action: No action is called 'nope'"),
        ("name: mine\nschedule: 0 99 * * *\nrun: [{action: log_entry}]\n", "2:13: schedule: '99' is no hour"),
        ("name: other\non: a.b\nrun: [{action: log_entry}]\n", "1:7: name: The file mine.yaml holds 'other'"),
        ("name: Mine\non: a.b\nrun: [{action: log_entry}]\n", "1:7: name: 'Mine' is not accepted here"),
        ("on: a.b\nrun: [{action: log_entry}]\n", "1:1: name: Field required"),
    ],
)
def test_a_mistake_in_a_file_of_its_own_is_told_with_its_place(
    engine: Engine, repo: Path, text: str, said: str
) -> None:
    define(repo, "triggers", "mine", text)
    assert said in problems(engine)


def test_a_name_that_stands_twice_is_told(engine: Engine, repo: Path) -> None:
    rules(repo, mine={"on": "a.b"})
    define(repo, "triggers", "mine", f"name: mine\non: a.b\n{RUN}\n")
    assert "'mine' has a file in triggers/ already" in problems(engine)


def test_all_mistakes_are_told_at_once(engine: Engine, repo: Path) -> None:
    configure(repo).write_text(
        f"triggers:\n  a: {{on: a.b, run: [{{action: x_x}}]}}\n  b: {{schedule: 0 25 * * *, {RUN}}}\n", encoding="utf-8"
    )
    define(repo, "triggers", "c", f"name: c\non: a.b\nwhen: git.claen\n{RUN}\n")
    found = problems(engine)
    assert [part in found for part in ("x_x", "'25' is no hour", "git.claen")] == [True, True, True]


def test_a_rule_may_stand_in_the_settings_or_in_a_file_and_name_what_workflows_bring(
    engine: Engine, repo: Path
) -> None:
    rules(repo, one={"on": "thing.*"})
    define(
        repo,
        "triggers",
        "two",
        "name: two\ndescription: Begins a review.\non: [thing.happened]\nrun: [{action: start_review, params: {branch: x}}]\n",
    )
    trust.trust(repo / ".llmgenie")
    assert sorted(engine.definitions.catalog.triggers) == ["one", "two"]
    answer = engine.trigger_event("thing.happened")
    assert [item["destination"] for item in waiting(engine)] == ["trigger:one", "trigger:two"]
    assert answer["deliveries"] == ["OUT-1", "OUT-2"]


def test_a_rule_has_the_event_of_its_own_source() -> None:
    step = {"run": [{"action": "log_entry"}]}
    assert event_type("every-night", TriggerRule.model_validate({"schedule": "0 3 * * *", **step})) == (
        "schedule.every_night"
    )
    assert event_type("docs", TriggerRule.model_validate({"files": ["docs/**"], **step})) == "files.docs"
    assert event_type("x", TriggerRule.model_validate({"on": "a.b", **step})) is None
