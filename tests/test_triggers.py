"""Trigger rules: what may be written, and what the engine does when an event meets one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outbox_scene import Heard, delivering, drain, note, noted, rules, told, waiting
from scene import PYTHON, commands, commit, configure, define, documents, git, started

from llmgenie_mcp import Actor, Engine, trust
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.faces import hook
from llmgenie_mcp.triggers import TriggerRule, event_type

Open = Callable[..., Engine]
RUN = "run: [{action: log_entry}]"

# -- definitions -------------------------------------------------------------------------------------------------------

MISTAKES = [
    (
        "{on: ci.finished, run: [{action: log_entri}]}",
        "2:42: run.0.action: No action is called 'log_entri'",
        "log_entry",
    ),
    (
        f"{{on: a.b, when: event.data.x == 1 and git.claen, {RUN}}}",
        "2:47: when: There is no fact 'git.claen'",
        "git.clean",
    ),
    (f"{{on: a.b, when: event.data.x = 1, {RUN}}}", "2:38: when: The character '=' is not allowed here", "=="),
    (f"{{on: a.b, schedule: '* * * * *', {RUN}}}", "2:9: on and schedule are given together", "exactly one"),
    (f"{{on: a.b, files: [x], {RUN}}}", "2:9: on and files are given together", "exactly one"),
    (f"{{{RUN}}}", "2:9: Nothing says when it runs", "exactly one"),
    (f"{{on: CI.finished, {RUN}}}", "2:14: on: 'CI.finished' is not accepted here", ""),
    (f"{{on: [a.b, CI], {RUN}}}", "2:20: on.1: 'CI' is not accepted here", ""),
    (f"{{on: [], {RUN}}}", "2:14: on: Must have at least one item", ""),
    ("{on: a.b}", "2:9: run: Field required", ""),
    ("{on: a.b, run: []}", "2:24: run: Must have at least one item", ""),
    (f"{{on: a.b, rum: [], {RUN}}}", "2:19: rum: Unknown key 'rum'", "run"),
    (
        "{on: a.b, run: [{action: log_entry, params: {text: 'x {a'}}]}",
        "2:25: run.0: params.text: '{' has no partner",
        "{{",
    ),
    (
        "{on: a.b, run: [{action: log_entry, params: {a: {b: [x, '{git.brnch}']}}}]}",
        "2:67: run.0.params.a.b.1: There is no fact 'git.brnch'",
        "git.branch",
    ),
    (f"{{on: a.b, session: '{{evnt.data.s}}', {RUN}}}", "2:30: session: There is no fact 'evnt.data.s'", "event.data"),
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


SECRECY = """
name: secrecy
level: always_on
applies_to: {actions: [list_tasks]}
rules:
  - {id: no-lists, effect: deny, when: "true", reason: Tasks are nobody's business.}
"""


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


# -- what is run -------------------------------------------------------------------------------------------------------


def test_an_event_runs_the_rules_that_wait_for_it_with_its_data(engine: Engine, repo: Path) -> None:
    rules(
        repo,
        green={"on": "ci.*", "when": 'event.data.status == "passed"', "run": note("green: {event.data.branch}")},
        red={"on": "ci.*", "when": 'event.data.status == "failed"', "run": note("red")},
        off={"on": "ci.*", "enabled": False, "run": note("off")},
        other={"on": "deploy.*", "run": note("other")},
    )
    engine.trigger_event("ci.finished", {"status": "passed", "branch": "main"})
    drain(engine)
    assert noted(engine) == ["green: main"]
    event = told(engine, "event.received")[0]["events"][0]
    line = told(engine, "action.completed")[0]
    assert line["actor"] == {"kind": "system", "id": "trigger:green"}
    assert line["cause"] == {"chain": ["trigger:green"], "event": event["id"]}
    assert waiting(engine) == []
    assert told(engine, "delivery.") == [], "the action's own line is what the log says of it"


def test_what_a_condition_does_not_know_is_no_and_the_log_says_why(engine: Engine, repo: Path) -> None:
    rules(
        repo,
        at_once={"on": "ci.*", "when": "event.data.missing == 1"},
        later={"on": "ci.*", "when": "event.data.n == 1 and release.tag == event.data.missing"},
    )
    answer = engine.trigger_event("ci.finished", {"n": 1})
    assert len(answer["deliveries"]) == 1, "what the event alone can tell is told at once"
    drain(engine)
    assert noted(engine) == []
    (line,) = told(engine, "delivery.")
    assert (line["type"], line["destination"]) == ("delivery.completed", "trigger:later")
    assert line["detail"]["skipped"] == "when: event.data.n == 1 and release.tag == event.data.missing"
    assert "event.data.n == 1 → true (event.data.n = 1)" in line["detail"]["trace"]


def test_a_condition_may_ask_for_facts_beyond_the_event_as_they_are_when_it_runs(engine: Engine, repo: Path) -> None:
    rules(
        repo, clean={"on": "ci.*", "when": "git.clean and git.branch == event.data.branch", "run": note("{git.branch}")}
    )
    (repo / "new.txt").touch()
    engine.trigger_event("ci.finished", {"branch": "main"})
    (repo / "new.txt").unlink()
    drain(engine)
    engine.trigger_event("ci.finished", {"branch": "other"})
    (repo / "new.txt").touch()
    engine.trigger_event("ci.finished", {"branch": "main"})
    drain(engine)
    assert noted(engine) == ["main"]
    assert [("skipped" in line["detail"]) for line in told(engine, "delivery.completed")] == [True, True]


def test_a_condition_that_errs_gives_the_rule_up_aloud(engine: Engine, repo: Path) -> None:
    rules(repo, bad={"on": "ci.*", "when": "event.data.n < 1"}, good={"on": "ci.*"})
    engine.trigger_event("ci.finished", {"n": "text"})
    drain(engine)
    assert noted(engine) == ["heard ci.finished"]
    (item,) = waiting(engine)
    assert item["status"] == "dead"
    assert "event.data.n < 1" in item["error"]
    assert told(engine, "delivery.given_up")[0]["why"] == item["error"]


def test_templates_fill_in_what_is_known_keep_a_value_alone_as_it_is_and_say_what_is_not_known(
    engine: Engine, repo: Path
) -> None:
    value = {
        "number": "{event.data.n}",
        "truth": "{event.data.yes}",
        "text": "{event.data.s} and {event.data.n}",
        "nothing": "{event.data.missing}",
        "deep": [{"x": "{event.data.deep.x}"}],
        "braces": "{{not a name}}",
        "plain": 7,
    }
    rules(
        repo,
        keep={"on": "ci.*", "run": [{"action": "record_note", "params": {"key": "{event.data.s}", "value": value}}]},
    )
    engine.trigger_event("ci.finished", {"n": 3, "yes": True, "s": "abc", "deep": {"x": None}})
    drain(engine)
    assert documents(engine)["notes"]["abc"]["value"] == {
        "number": 3,
        "truth": True,
        "text": "abc and 3",
        "nothing": "?",
        "deep": [{"x": None}],
        "braces": "{not a name}",
        "plain": 7,
    }


def test_a_rule_runs_in_the_session_that_the_event_names(engine: Engine, repo: Path) -> None:
    rules(repo, mine={"on": "ci.*", "session": "{event.data.session}"})
    session = started(engine)
    engine.trigger_event("ci.finished", {"session": session})
    drain(engine)
    assert told(engine, "action.completed")[-1]["session"] == session
    engine.trigger_event("ci.finished", {"session": "SES-99"})
    engine.trigger_event("ci.finished")
    drain(engine)
    assert [item["status"] for item in waiting(engine)] == ["dead", "dead"]
    assert "SES-99" in waiting(engine)[0]["error"]


def test_steps_go_in_order_each_seeing_what_the_one_before_did(engine: Engine, repo: Path) -> None:
    steps = [
        {"action": "create_task", "params": {"title": "{event.data.title}"}},
        {"action": "list_tasks"},
        *note("{context.mode}"),
    ]
    rules(repo, three={"on": "ci.*", "run": steps})
    engine.trigger_event("ci.finished", {"title": "mend it"})
    drain(engine)
    assert [task["title"] for task in documents(engine)["tasks"].values()] == ["mend it"]
    assert noted(engine)[-1] == "discuss"
    assert waiting(engine) == []


def test_a_step_that_is_refused_ends_the_rule_and_the_log_says_why(engine: Engine, repo: Path) -> None:
    steps = [*note("first"), {"action": "merge", "params": {"branch": "main"}}, *note("never")]
    rules(repo, eager={"on": "ci.*", "run": steps})
    engine.trigger_event("ci.finished")
    drain(engine)
    assert noted(engine) == ["first"]
    (line,) = told(engine, "action.denied")
    assert (line["action"], line["cause"]["chain"]) == ("merge", ["trigger:eager"])
    assert line["reasons"]
    assert waiting(engine) == []


def test_a_step_that_only_reads_and_is_refused_ends_the_rule_and_the_log_says_why(engine: Engine, repo: Path) -> None:
    rules(repo, curious={"on": "ci.*", "run": [*note("first"), {"action": "list_tasks"}, *note("never")]})
    define(repo, "policies", "secrecy", SECRECY)
    trust.trust(repo / ".llmgenie")
    engine.trigger_event("ci.finished")
    drain(engine)
    assert noted(engine) == ["first"]
    (line,) = told(engine, "delivery.completed")
    assert line["detail"] == {"action": "list_tasks", "status": "denied", "reasons": ["Tasks are nobody's business."]}
    assert waiting(engine) == []


def test_a_step_that_fails_ends_the_rule_and_the_log_says_why(engine: Engine, repo: Path) -> None:
    steps = [{"action": "run_command", "params": {"name": "no"}}, *note("never")]
    rules(repo, settings={"commands": {"no": {"argv": ["false"]}}}, eager={"on": "ci.*", "run": steps})
    engine.trigger_event("ci.finished")
    drain(engine)
    assert noted(engine) == []
    (line,) = told(engine, "action.failed")
    assert line["error"]["message"]
    assert waiting(engine) == []


def test_a_step_with_parameters_that_do_not_fit_is_given_up_and_goes_on_there_when_it_is_replayed(
    engine: Engine, repo: Path
) -> None:
    rules(repo, bad={"on": "ci.*", "run": [*note("first"), {"action": "create_task", "params": {"titel": "x"}}]})
    engine.trigger_event("ci.finished")
    drain(engine)
    (item,) = waiting(engine)
    assert (item["status"], item["step"], item["attempts"]) == ("dead", 1, 1)
    assert "titel" in item["error"]
    rules(repo, bad={"on": "ci.*", "run": [*note("first"), {"action": "create_task", "params": {"title": "x"}}]})
    engine.replay_deliveries()
    drain(engine)
    assert noted(engine) == ["first"]
    assert len(documents(engine)["tasks"]) == 1


def test_policies_bind_rules_as_they_bind_agents(engine: Engine, repo: Path) -> None:
    commands(repo, test=["true"])
    git(repo, "switch", "-q", "-c", "feature/x")
    commit(repo, "x.txt")
    before = git(repo, "rev-parse", "main")
    rules(
        repo,
        settings={"commands": {"test": {"argv": ["true"]}}},
        merge={
            "on": "ci.*",
            "session": "{event.data.session}",
            "run": [{"action": "merge", "params": {"branch": "main"}}],
        },
    )
    session = started(engine, mode="review")
    for action in ("start_review", "run_tests", "submit"):
        assert engine.run_action(action, session=session).ok
    engine.trigger_event("ci.finished", {"session": session})
    drain(engine)
    (line,) = told(engine, "action.denied")
    assert line["actor"]["id"] == "trigger:merge"
    assert git(repo, "rev-parse", "main") == before
    assert engine.run_action("request_approval", session=session).ok
    engine.decide_approval("APR-1", True, person="ada", channel="terminal")
    engine.trigger_event("ci.finished", {"session": session})
    drain(engine)
    assert git(repo, "rev-parse", "main") != before
    assert documents(engine)["instances"]["REV-1"]["state"] == "merged"


# -- what leads to what ------------------------------------------------------------------------------------------------


def test_rules_that_lead_to_each_other_end_at_their_depth_with_one_line_that_says_how(
    engine: Engine, repo: Path
) -> None:
    ping = {"on": "action.completed", "when": 'event.data.params.text == "pong" or event.data.params.text == "start"'}
    pong = {"on": "action.completed", "when": 'event.data.params.text == "ping"'}
    rules(repo, ping={**ping, "run": note("ping"), "max_depth": 3}, pong={**pong, "run": note("pong")})
    engine.run_action("log_entry", {"text": "start"})
    drain(engine)
    assert noted(engine) == ["start", "ping", "pong", "ping", "pong"]
    stops = [stop for line in told(engine) for stop in line.get("stopped", ())]
    assert [(stop["rule"], stop["bound"]) for stop in stops] == [("trigger:ping", "max_depth")]
    assert "trigger:ping → trigger:pong → trigger:ping → trigger:pong → trigger:ping" in stops[0]["message"]
    assert [line.get("cause", {}).get("chain", []) for line in told(engine, "action.completed")][3] == [
        "trigger:ping",
        "trigger:pong",
        "trigger:ping",
    ]
    assert waiting(engine) == []


def test_a_rule_that_leads_to_itself_ends_at_its_rate_with_one_line_that_says_so(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmgenie_mcp.outbox.now", lambda: "2026-03-10T12:00:30.000Z")  # no minute ends in this test
    rules(repo, again={"on": "action.completed", "run": note("again"), "max_depth": 20, "per_minute": 4})
    engine.run_action("log_entry", {"text": "start"})
    drain(engine)
    for _ in range(5):
        engine.run_action("log_entry", {"text": "more"})
    drain(engine)
    assert noted(engine).count("again") == 4
    stops = [stop for line in told(engine) for stop in line.get("stopped", ())]
    assert [(stop["rule"], stop["bound"]) for stop in stops] == [("trigger:again", "per_minute")]
    answer = engine.trigger_event("unrelated.thing")
    assert "deliveries" not in answer


def test_a_stopped_rule_is_told_to_who_raised_the_event(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmgenie_mcp.outbox.now", lambda: "2026-03-10T12:00:30.000Z")
    rules(repo, few={"on": "ci.*", "per_minute": 1})
    assert "stopped" not in engine.trigger_event("ci.finished")
    (stop,) = engine.trigger_event("ci.finished")["stopped"]
    assert stop["rule"] == "trigger:few"


def test_a_rule_may_wait_for_a_refusal(engine: Engine, repo: Path) -> None:
    rules(
        repo,
        tell={"on": "action.denied", "run": note("{event.subject} was denied to {event.data.actor.kind}")},
    )
    assert engine.run_action("merge", {"branch": "main"}).status == "denied"
    drain(engine)
    assert noted(engine) == ["merge was denied to agent"]


def test_a_rule_may_wait_for_a_persons_answer(engine: Engine, repo: Path) -> None:
    rules(
        repo,
        settings={"commands": {"test": {"argv": ["true"]}}},
        yes={"on": "approval.granted", "run": note("yes by {event.actor}")},
        no={"on": "approval.denied", "run": note("no")},
    )
    git(repo, "switch", "-q", "-c", "feature/x")
    commit(repo, "x.txt")
    session = started(engine, mode="review")
    for action in ("start_review", "run_tests", "submit", "request_approval"):
        assert engine.run_action(action, session=session).ok
    engine.decide_approval("APR-1", True, person="ada", channel="terminal")
    drain(engine)
    assert noted(engine)[-1] == "yes by human:ada"
    assert "no" not in noted(engine)


def test_a_rule_may_wait_for_what_a_hook_refuses_also_when_no_server_runs(
    engine: Engine, repo: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = tmp_path_factory.mktemp("r")
    sockets.chmod(0o700)
    monkeypatch.setenv("LLMGENIE_RUNTIME_DIR", str(sockets))
    rules(
        repo,
        tell={"on": "operation.denied", "run": note("an agent tried {event.subject} of {event.data.params.branch}")},
    )
    payload = {
        "session_id": "abc",
        "cwd": str(repo),
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": "git push origin HEAD:main"},
    }
    command = [PYTHON, "-I", "-S", str(Path(hook.__file__)), "--project", str(repo), "claude-code"]
    done = subprocess.run(command, input=json.dumps(payload).encode(), capture_output=True, cwd=repo, timeout=60)
    assert b"denied by branch_protection" in done.stdout + done.stderr
    (item,) = waiting(engine)
    assert (item["destination"], item["event"]["type"]) == ("trigger:tell", "operation.denied")
    drain(engine)
    assert noted(engine) == ["an agent tried git.push of main"]


def test_what_a_person_raises_may_be_told_from_what_an_agent_says(engine: Engine, repo: Path) -> None:
    rules(repo, mine={"on": "ci.*", "when": 'not startswith(event.actor, "agent:")', "run": note("{event.actor}")})
    engine.trigger_event("ci.finished")
    engine.trigger_event("ci.finished", actor=Actor("human", "ada"))
    drain(engine)
    assert noted(engine) == ["human:ada"]


# -- rules that come and go ----------------------------------------------------------------------------------------------


def test_a_rule_that_nobody_accepted_never_runs(engine: Engine, repo: Path) -> None:
    rules(repo, trusted=False, mine={"on": "*"})
    define(repo, "triggers", "file", f"name: file\non: '*'\n{RUN}\n")
    assert "deliveries" not in engine.trigger_event("ci.finished")
    drain(engine)
    assert [line["type"] for line in told(engine)] == ["event.received"]
    trust.trust(repo / ".llmgenie")
    drain(engine)
    assert noted(engine) == [], "nor does it run for what was before it was accepted"
    assert engine.trigger_event("ci.finished")["deliveries"] == ["OUT-1", "OUT-2"]


def test_a_rule_that_is_no_longer_accepted_when_its_turn_comes_waits_until_it_is(engine: Engine, repo: Path) -> None:
    rules(repo, mine={"on": "ci.*"})
    engine.trigger_event("ci.finished")
    rules(repo, trusted=False, mine={"on": "ci.*", "run": note("changed by somebody")})
    drain(engine)
    assert (noted(engine), len(waiting(engine, status="pending"))) == ([], 1)
    trust.trust(repo / ".llmgenie")
    drain(engine)
    assert noted(engine) == ["changed by somebody"]


@pytest.mark.parametrize(
    ("after", "notes", "status"),
    [
        ({"mine": {"on": "ci.*", "run": note("changed")}}, ["changed"], None),
        ({"mine": {"on": "ci.*", "when": "git.branch == 'none'"}}, [], None),
        ({"mine": {"on": "ci.*", "enabled": False}}, [], "dead"),
        ({}, [], "dead"),
    ],
    ids=["changed", "narrowed", "switched off", "removed"],
)
def test_the_rule_as_it_is_when_its_turn_comes_counts(
    engine: Engine, repo: Path, after: dict[str, Any], notes: list[str], status: str | None
) -> None:
    rules(repo, mine={"on": "ci.*"})
    engine.trigger_event("ci.finished")
    rules(repo, **after)
    drain(engine)
    assert noted(engine) == notes
    assert [item["status"] for item in waiting(engine)] == ([status] if status else [])
    if status:
        assert "There is no trigger rule mine in force any more" in waiting(engine)[0]["error"]


def test_a_rule_that_is_added_while_a_server_runs_is_in_force_at_once(engine: Engine, repo: Path) -> None:
    configure(repo)
    heard = Heard(engine)
    with delivering(engine):
        engine.trigger_event("ci.finished")
        rules(repo, mine={"on": "ci.*"})
        engine.trigger_event("ci.finished")
        heard.until_told("action.completed")
    assert len(noted(engine)) == 1


def test_two_rules_at_once_and_one_rule_in_the_order_of_its_events(engine: Engine, repo: Path) -> None:
    rules(repo, a={"on": "ci.*", "run": note("a{event.data.n}")}, b={"on": "ci.*", "run": note("b{event.data.n}")})
    for number in range(10):
        engine.trigger_event("ci.finished", {"n": number})
    drain(engine)
    for name in "ab":
        assert [text for text in noted(engine) if text[0] == name] == [f"{name}{number}" for number in range(10)]
