"""What the engine does when an event meets a trigger rule: conditions, templates, steps, refusals."""

from __future__ import annotations

from pathlib import Path

from outbox_scene import drain, note, noted, rules, told, waiting
from scene import commands, commit, define, documents, git, started

from llmgenie_mcp import Engine, trust

SECRECY = """
name: secrecy
level: always_on
applies_to: {actions: [list_tasks]}
rules:
  - {id: no-lists, effect: deny, when: "true", reason: Tasks are nobody's business.}
"""


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
    rules(repo, bad={"on": "ci.*", "run": [*note("first"), {"action": "create_task", "params": {"title": ""}}]})
    engine.trigger_event("ci.finished")
    drain(engine)
    (item,) = waiting(engine)
    assert (item["status"], item["step"], item["attempts"]) == ("dead", 1, 1)
    assert "title: string should have at least 1 character" in item["error"]
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
