"""Idempotency keys: a repeated request gets the first answer and acts once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene import PYTHON, SUMMARY, commands, documents, lines, started

from llmgenie_mcp import Engine, Outcome
from llmgenie_mcp.engine.replay import KEPT, digest, outcome_of
from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.records import Refusal

Open = Callable[..., Engine]


def test_the_same_request_again_gets_the_same_answer_and_acts_once(engine: Engine) -> None:
    first = engine.run_action("create_task", {"title": "x"}, idempotency_key="k")
    again = engine.run_action("create_task", {"title": "x"}, idempotency_key="k")
    assert again == replace(first, replayed=True)
    assert first.seq == 1
    assert len(documents(engine)["tasks"]) == len(lines(engine)) == 1


def test_the_answer_outlives_the_process(engine: Engine, repo: Path, open_engine: Open) -> None:
    first = engine.run_action("create_task", {"title": "x"}, idempotency_key="k")
    engine.close()
    assert open_engine(repo).run_action("create_task", {"title": "x"}, idempotency_key="k").result == first.result


@pytest.mark.parametrize(
    ("action", "params"),
    [("create_task", {"title": "y"}), ("log_entry", {"text": "x"}), ("create_task", {"title": "x", "labels": []})],
)
def test_a_key_that_was_used_for_something_else_is_told(engine: Engine, action: str, params: dict[str, object]) -> None:
    engine.run_action("create_task", {"title": "x"}, idempotency_key="k")
    with pytest.raises(BadParams) as error:
        engine.run_action(action, params, idempotency_key="k")
    other = "with other parameters" if action == "create_task" else f"and not for {action}"
    assert error.value.message.endswith(f"used for create_task {other}.")
    assert len(lines(engine)) == 1


def test_a_key_of_one_session_is_not_answered_in_another(engine: Engine) -> None:
    one, two = started(engine, mode="code"), started(engine, mode="code")
    for _ in range(2):
        engine.run_action("create_task", {"title": "x"})
    first = engine.run_action("claim_task", session=one, idempotency_key="1")
    assert engine.run_action("claim_task", session=one, idempotency_key="1").result == first.result
    with pytest.raises(BadParams) as error:
        engine.run_action("claim_task", session=two, idempotency_key="1")
    assert "another session" in error.value.message
    assert documents(engine)["tasks"]["TSK-2"]["status"] == "todo"


def test_the_order_of_the_parameters_does_not_matter(engine: Engine) -> None:
    engine.run_action("create_task", {"title": "x", "priority": "low"}, idempotency_key="k")
    assert engine.run_action("create_task", {"priority": "low", "title": "x"}, idempotency_key="k").replayed


def test_a_refusal_is_judged_again_because_it_changed_nothing(engine: Engine) -> None:
    session = started(engine, mode="code")
    assert engine.run_action("claim_task", session=session, idempotency_key="k").status == "denied"
    engine.run_action("create_task", {"title": "x"})
    assert engine.run_action("claim_task", session=session, idempotency_key="k").ok


def test_a_failure_is_the_answer_for_its_key(engine: Engine, repo: Path) -> None:
    commands(repo, test=["sh", "-c", "echo ran >> runs.txt; false"])
    session = started(engine, mode="code")
    first = engine.run_action("run_tests", session=session, idempotency_key="k")
    again = engine.run_action("run_tests", session=session, idempotency_key="k")
    assert (first.status, again) == ("failed", replace(first, replayed=True))
    assert (repo / "runs.txt").read_text(encoding="utf-8") == "ran\n"


def test_an_answer_is_given_again_although_the_state_has_moved_on(engine: Engine) -> None:
    session = started(engine)
    params = {"summary": SUMMARY}
    first = engine.run_action("finish_session", params, session=session, idempotency_key="k")
    assert engine.run_action("finish_session", params, session=session, idempotency_key="k") == replace(
        first, replayed=True
    )


def test_reading_needs_no_key_and_remembers_none(engine: Engine) -> None:
    engine.run_action("list_tasks", idempotency_key="k")
    engine.run_action("create_task", {"title": "x"}, idempotency_key="k")
    assert engine.run_action("list_tasks", idempotency_key="other").result["total"] == 1


def test_the_last_thousand_keys_are_remembered(repo: Path, open_engine: Open) -> None:
    engine = open_engine(repo, store="memory:")
    for number in range(KEPT + 2):
        engine.run_action("log_entry", {"text": "x"}, idempotency_key=f"k{number}")
    kept = engine.storage.query("idempotency").items
    assert [kept[0]["id"], kept[-1]["id"], len(kept)] == ["k2", f"k{KEPT + 1}", KEPT]
    assert not engine.run_action("log_entry", {"text": "x"}, idempotency_key="k0").replayed
    assert engine.run_action("log_entry", {"text": "x"}, idempotency_key=f"k{KEPT}").replayed
    assert len(engine.storage.query("idempotency").items) == KEPT


def test_threads_that_send_the_same_request_act_once(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: engine.run_action("create_task", {"title": "x"}, idempotency_key="k"), range(16))
        )
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 15
    assert {answer.result["id"] for answer in answers} == {"TSK-1"}


ASKER = """
import sys
from llmgenie_mcp import Engine
with Engine.open(sys.argv[1]) as engine:
    for number in range(20):
        outcome = engine.run_action("create_task", {"title": "x"}, idempotency_key=f"k{number}")
        print(number, outcome.result["id"], outcome.replayed)
"""


def test_processes_that_send_the_same_requests_act_once_each(engine: Engine, repo: Path) -> None:
    askers = [
        subprocess.Popen([PYTHON, "-c", ASKER, str(repo)], stdout=subprocess.PIPE, text=True, encoding="utf-8")
        for _ in range(3)
    ]
    answers = [line.split() for asker in askers for line in asker.communicate(timeout=60)[0].splitlines()]
    engine.storage.refresh()
    assert len(answers) == 60
    assert len(documents(engine)["tasks"]) == 20
    assert len({(number, task) for number, task, _ in answers}) == 20
    assert sum(replayed == "False" for *_, replayed in answers) == 20


TEXT = st.text(max_size=8)
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(["ok", "denied", "failed", "running"]),
    TEXT,
    st.dictionaries(TEXT, st.integers() | TEXT, max_size=3),
    st.lists(st.builds(Refusal, TEXT, TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=2)), max_size=2).map(tuple),
    st.none() | st.fixed_dictionaries({"code": TEXT, "message": TEXT}),
    st.none() | st.fixed_dictionaries({"instance": TEXT}),
    st.lists(TEXT, max_size=2).map(tuple),
    st.none() | st.integers(min_value=1),
    st.none() | TEXT.filter(bool),
)


@given(OUTCOMES)
def test_an_answer_comes_back_as_it_was_kept(outcome: Outcome) -> None:
    assert outcome_of(outcome.to_dict()) == outcome


def test_requests_that_differ_have_different_digests() -> None:
    one = digest("a", {"x": 1})
    assert one == digest("a", {"x": 1})
    assert len({one, digest("b", {"x": 1}), digest("a", {"x": "1"}), digest("a", {"x": [1]}), digest("a", {})}) == 5
