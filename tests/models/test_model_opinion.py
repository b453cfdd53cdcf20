"""A second model's opinion: what is kept of what it says, what guards make of it, and what nobody can forge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hostile import Hostile, hang
from model_scene import PATHS, failed, model, saying, saying_json
from opinion_scene import FINDING, GUARDED, NO, SECRET, YES, opinions, review, shown
from scene import codes, commit, configure, define, git, lines, started

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import BadParams, NotWritable, UnknownName
from llmgenie_mcp.records import Actor, Outcome

# -- what is asked, and kept ---------------------------------------------------------------------------------------------


def test_an_opinion_is_asked_for_and_kept(engine: Engine, feature: Path, server: Hostile) -> None:
    server.on(PATHS["openai"], saying_json("openai", NO))
    outcome = review(engine)
    assert outcome.ok, outcome
    head = git(feature, "rev-parse", "HEAD")
    result = outcome.result
    assert (result["verdict"], result["findings"], result["summary"]) == ("request_changes", [FINDING], "Adds x.")
    assert (result["commit"], result["branch"], result["base"], result["counts"]) == (head, "feature/x", "main", True)
    assert (result["kept"], result["tokens"]) == (["opinions/OPN-1"], {"in": 11, "out": 7})
    (kept,) = opinions(engine)
    assert kept["id"] == "OPN-1"
    assert (kept["verdict"], kept["commit"], kept["model"]) == ("request_changes", head, "local")
    assert (kept["answered_by"], kept["start"]) == ("gpt-real", git(feature, "rev-parse", "main"))
    assert engine.context_data("opinions/OPN-1")["value"]["findings"] == [FINDING]
    listed = engine.context_data("opinions", "verdict:request_changes")["items"]
    assert [each["id"] for each in listed] == ["OPN-1"]
    asked = server.asked[0].json
    assert "A person decides in any case." in asked["messages"][0]["content"]
    assert "+print(1 / 0)" in shown(server)
    assert asked["response_format"]["json_schema"]["strict"] is True


def test_the_diff_is_what_the_branch_adds_whatever_the_base_got_since(
    engine: Engine, feature: Path, server: Hostile
) -> None:
    git(feature, "switch", "-q", "main")
    commit(feature, "later.txt", "of main alone\n")
    git(feature, "switch", "-q", "feature/x")
    (feature / "uncommitted.txt").write_text("not yet", encoding="utf-8")
    server.on(PATHS["openai"], saying_json("openai", YES))
    assert review(engine).ok
    assert "x.py" in shown(server)
    assert "later.txt" not in shown(server)
    assert "uncommitted" not in shown(server)


def test_a_review_or_a_branch_is_named_and_need_not_be_checked_out(
    engine: Engine, feature: Path, server: Hostile
) -> None:
    server.on(PATHS["openai"], saying_json("openai", YES))
    head = git(feature, "rev-parse", "HEAD")
    session = started(engine, mode="review")
    assert engine.run_action("start_review", {"branch": "feature/x"}, session=session).ok
    git(feature, "switch", "-q", "main")
    for params in ({"instance": "REV-1"}, {"branch": "feature/x"}):
        assert review(engine, **params).result["commit"] == head
    assert engine.run_action("review_diff", {}, session=session).result["commit"] == head
    assert len(server.asked) == 1


# -- what is no evidence -------------------------------------------------------------------------------------------------


def test_an_opinion_on_a_part_that_the_asker_chose_does_not_count(
    engine: Engine, feature: Path, server: Hostile
) -> None:
    git(feature, "branch", "so-far")
    commit(feature, "harmless.txt")
    define(feature, "workflows", "review", GUARDED)
    configure(feature, models={"local": model(server, "openai")})
    server.on(PATHS["openai"], saying_json("openai", YES))
    outcome = review(engine, base="so-far")
    assert outcome.ok, outcome
    assert outcome.result["counts"] is False
    assert "1 / 0" not in shown(server)
    session = started(engine, mode="review")
    assert engine.run_action("start_review", {}, session=session).ok
    assert engine.run_action("submit", {}, session=session).status == "denied"
    assert review(engine, base="main").result["counts"] is True
    assert engine.run_action("submit", {}, session=session).ok


def test_the_projects_own_model_is_the_one_that_counts(engine: Engine, feature: Path, server: Hostile) -> None:
    both = {"local": model(server, "openai"), "weak": model(server, "ollama")}
    configure(feature, models=both)
    with pytest.raises(BadParams, match="Several models"):
        review(engine)
    configure(feature, models=both, opinions={"model": "local"})
    server.on(PATHS["openai"], saying_json("openai", NO))
    server.on(PATHS["ollama"], saying_json("ollama", YES))
    assert review(engine, name="weak").result["counts"] is False
    assert review(engine).result["model"] == "local"
    assert [each["counts"] for each in opinions(engine)] == [False, True]


def test_an_agent_that_asks_again_is_given_the_opinion_there_is_and_a_person_a_new_one(
    engine: Engine, feature: Path, server: Hostile
) -> None:
    server.on(PATHS["openai"], saying_json("openai", NO), saying_json("openai", YES))
    assert review(engine).result["verdict"] == "request_changes"
    again = review(engine).result
    assert (again["verdict"], "kept" in again) == ("request_changes", False)
    assert "Nothing changed since OPN-1" in again["note"]
    git(feature, "commit", "-q", "--amend", "-m", "the same in other words")
    amended = review(engine).result
    assert (amended["verdict"], amended["kept"]) == ("request_changes", ["opinions/OPN-2"])
    assert amended["commit"] == git(feature, "rev-parse", "HEAD")
    assert "tokens" not in amended
    assert len(server.asked) == 1
    assert review(engine, actor=Actor("human", "ada")).result["verdict"] == "approve"
    assert len(server.asked) == 2


def test_nobody_writes_an_opinion(engine: Engine, feature: Path) -> None:
    for key in ("opinions", "opinions/OPN-1"):
        with pytest.raises(NotWritable) as error:
            engine.update_context(key, YES)
        assert "review_diff" in error.value.hint


# -- evidence ------------------------------------------------------------------------------------------------------------


def test_a_guard_waits_for_an_opinion_on_this_very_commit(engine: Engine, feature: Path, server: Hostile) -> None:
    define(feature, "workflows", "review", GUARDED)
    configure(feature, models={"local": model(server, "openai")})
    session = started(engine, mode="review")
    assert engine.run_action("start_review", {}, session=session).ok

    def submit() -> Outcome:
        return engine.run_action("submit", {}, session=session)

    assert codes(submit())[0] == "guard_failed"
    server.on(PATHS["openai"], saying_json("openai", NO), saying_json("openai", YES))
    assert engine.run_action("review_diff", {}, session=session).ok
    denied = submit()
    assert [reason.message for reason in denied.reasons] == [
        "Run review_diff on this commit; it said request_changes.",
        "Mend what it found first.",
    ]
    commit(feature, "x.py", "print(1)\n")
    assert submit().status == "denied"
    assert engine.run_action("review_diff", {}, session=session).ok
    commit(feature, "y.py", "sneaked = in_afterwards\n")
    assert submit().status == "denied"
    git(feature, "reset", "-q", "--hard", "HEAD~1")
    assert submit().ok


def test_an_approving_opinion_approves_nothing(engine: Engine, feature: Path, server: Hostile) -> None:
    server.on(PATHS["openai"], saying_json("openai", YES))
    configure(feature, models={"local": model(server, "openai")}, commands={"test": {"argv": ["true"]}})
    session = started(engine, mode="review")
    for name in ("start_review", "review_diff", "run_tests", "submit"):
        assert engine.run_action(name, {}, session=session).ok, name
    assert engine.run_action("merge", {"branch": "main"}, session=session).status == "denied"
    assert engine.run_action("approve", {}, session=session).status == "denied"


def test_of_several_models_one_that_does_not_approve_goes_before_the_others(
    engine: Engine, feature: Path, server: Hostile
) -> None:
    define(feature, "workflows", "review", GUARDED)
    configure(feature, models={"local": model(server, "openai"), "other": model(server, "ollama")})
    server.on(PATHS["openai"], saying_json("openai", NO))
    server.on(PATHS["ollama"], saying_json("ollama", YES))
    assert review(engine, name="local").ok
    assert review(engine, name="other").result["counts"] is True
    session = started(engine, mode="review")
    assert engine.run_action("start_review", {}, session=session).ok
    assert "it said request_changes" in engine.run_action("submit", {}, session=session).reasons[0].message


def test_a_later_opinion_on_another_branch_hides_none(engine: Engine, feature: Path, server: Hostile) -> None:
    define(feature, "workflows", "review", GUARDED)
    configure(feature, models={"local": model(server, "openai")})
    server.on(PATHS["openai"], saying_json("openai", YES), saying_json("openai", NO))
    session = started(engine, mode="review")
    assert engine.run_action("start_review", {}, session=session).ok
    assert engine.run_action("review_diff", {}, session=session).ok
    git(feature, "branch", "other", "main")
    git(feature, "switch", "-q", "other")
    commit(feature, "other.py", "other = 1\n")
    assert review(engine, branch="other").result["verdict"] == "request_changes"
    git(feature, "switch", "-q", "feature/x")
    assert engine.run_action("submit", {}, session=session).ok


# -- bad answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["openai", "ollama"])
@pytest.mark.parametrize(
    "garbage",
    ["LGTM!", json.dumps({**YES, "verdict": "merge it"}), json.dumps({**YES, "findings": ["bad"]}), "{}", "[]", ""],
)
def test_garbage_is_no_opinion(engine: Engine, feature: Path, server: Hostile, kind: str, garbage: str) -> None:
    configure(feature, models={"local": model(server, kind)})
    server.on(PATHS[kind], saying(kind, garbage))
    message, _, _ = failed(review(engine))
    assert "does not fit the schema" in message
    assert len(server.asked) == 2
    assert opinions(engine) == []


def test_a_flood_of_findings_is_cut_in_the_answer_and_bounded_in_the_store(
    engine: Engine, feature: Path, server: Hostile
) -> None:
    many = [{**FINDING, "message": f"{number} " + "blah " * 60} for number in range(150)]
    configure(feature, models={"local": model(server, "openai", max_tokens=20_000)})
    server.on(PATHS["openai"], saying_json("openai", {**NO, "findings": many}))
    outcome = review(engine)
    assert len(json.dumps(outcome.result)) < 9_000
    assert outcome.result["more_findings"].startswith("85:")
    assert len(opinions(engine)[0]["findings"]) == 100


def test_what_the_model_repeats_of_a_secret_is_not_kept(engine: Engine, feature: Path, server: Hostile) -> None:
    server.on(PATHS["openai"], saying_json("openai", {**NO, "summary": f"It uses {SECRET}."}))
    assert review(engine).result["summary"] == "It uses [github_token removed]."
    assert SECRET not in json.dumps(lines(engine))


def test_a_hang_ends_in_time_and_leaves_no_opinion(engine: Engine, feature: Path, server: Hostile) -> None:
    server.on(PATHS["openai"], hang())
    configure(feature, models={"local": model(server, "openai", timeout=0.3)})
    failed(review(engine))
    assert opinions(engine) == []


def test_unknown_things_teach(engine: Engine, feature: Path, server: Hostile) -> None:
    for params in ({"name": "locl"}, {"instance": "REV-9"}):
        with pytest.raises(UnknownName):
            review(engine, **params)
    message, hint, _ = failed(review(engine, base="nowhere"))
    assert "'nowhere'" in message
    assert "`base`" in hint
    assert "with a commit" in failed(review(engine, branch="nowhere"))[0]
    configure(feature, models={"local": model(server, "openai", context=4096)})
    message, hint, _ = failed(review(engine))
    assert "no room for a diff: 4,096 tokens" in message
    assert "`context`" in hint
    configure(feature, models={"local": model(server, "openai")}, opinions={"model": "locl"})
    assert codes(review(engine)) == ["not_configured"]
    assert engine.available_actions(query="review_diff")
    configure(feature, trusted=False, models={"local": model(server, "openai")}, durability="full")
    assert codes(review(engine)) == ["not_trusted"]
    assert server.asked == []
