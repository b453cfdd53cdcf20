"""Both sides changed: what holds, what is kept of the other, and that after two syncs nothing differs and nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from outbox_scene import drain, told
from tracker_scene import GitHub, act, create, did, sync, task, tasks, tracked

from llmgenie_mcp import Engine
from llmgenie_mcp.outcome import Actor
from llmgenie_mcp.trackers.fields import fitted, here_of, there_of
from llmgenie_mcp.trackers.github import _issue

LONG = "x" * 21_000
STATES = {"open": ("open", None), "done": ("closed", "completed"), "cancelled": ("closed", "not_planned")}


@pytest.mark.parametrize(
    ("conflicts", "here", "there", "kept"),
    [("theirs", "Theirs", "Theirs", "Ours"), ("ours", "Ours", "Ours", "Theirs"), ("keep", "Ours", "Theirs", None)],
)
def test_settings_decide_a_conflict_and_the_value_that_lost_is_kept(
    shop: Engine, github: GitHub, conflicts: str, here: str, there: str, kept: str | None
) -> None:
    tracked(shop.project.root, github, conflicts=conflicts)
    number = github.open("Title", body="Text")
    sync(shop)
    github.edit(number, title="Theirs", body="Text of theirs")
    act(shop, "update_task", id="TSK-1", title="Ours")
    assert did(sync(shop), "conflict")
    drain(shop)
    assert (task(shop)["title"], github.issues[number]["title"]) == (here, there)
    assert task(shop)["description"] == "Text of theirs", "what one side alone changed is taken over all the same"
    said = shop.storage.query("comments").items
    assert [one["text"].rpartition("\n\n")[2] for one in said] == ([kept] if kept else [])
    assert [line["lost"]["value"] for line in told(shop, "tracker.conflict")] == ([kept] if kept else [])
    assert not github.said, "what is kept is not told there"
    counts = sync(shop)["counts"]
    assert counts == ({"conflict": 1} if conflicts == "keep" else {})


def test_the_same_change_on_both_sides_is_no_conflict(shop: Engine, github: GitHub) -> None:
    number = github.open("Title")
    sync(shop)
    github.edit(number, title="New", labels=["a"])
    act(shop, "update_task", id="TSK-1", title="New", labels=["b"])
    assert did(sync(shop), "conflict") == []
    assert {one["name"] for one in github.issues[number]["labels"]} == {"a", "b"}
    assert sorted(task(shop)["labels"]) == ["a", "b"]


def test_what_does_not_fit_here_is_never_cut_there(shop: Engine, github: GitHub) -> None:
    secret = "ghp_" + "a" * 36
    number = github.open("Title", body=f"{LONG} {secret}")
    short = github.open(f"The token {secret} leaked")
    sync(shop)
    assert (len(task(shop)["description"]), secret in str(shop.storage.query("tasks").items)) == (20_000, False)
    act(shop, "update_task", id="TSK-1", description="Short", title="New")
    act(shop, "update_task", id="TSK-2", title="A token leaked")
    drain(shop)
    issue = github.issues[number]
    assert (issue["title"], issue["body"]) == ("New", f"{LONG} {secret}")
    assert github.issues[short]["title"] == f"The token {secret} leaked"
    assert [text.rpartition(": ")[2] for text in did(sync(shop), "conflict")] == [
        "the tracker has more of it than fits here, so it is changed there alone."
    ] * 2


def test_somebody_who_cannot_be_assigned_there_keeps_the_task_here(shop: Engine, github: GitHub) -> None:
    create(shop, "Title")
    drain(shop)
    act(shop, "update_task", id="TSK-1", assignee="agent", title="New")
    drain(shop)
    assert (github.issues[1]["title"], github.issues[1]["assignees"], task(shop)["assignee"]) == ("New", [], "agent")
    github.edit(1, assignees=["grace", "ada"])
    sync(shop)
    assert task(shop)["assignee"] == "grace"
    act(shop, "update_task", id="TSK-1", assignee="ada")
    drain(shop)
    assert [one["login"] for one in github.issues[1]["assignees"]] == ["ada"]


WORDS = st.sampled_from(["Alpha", "Beta", "Gamma ", "Émile <!-- x -->", "a\r\nb", "…"])
EDIT = st.fixed_dictionaries(
    {},
    optional={
        "title": WORDS.map(lambda word: " ".join(word.split())),
        "description": WORDS | st.just(""),
        "labels": st.lists(st.sampled_from(["bug", "Bug", "docs", "ui", "x" * 60]), max_size=3, unique=True),
        "assignee": st.sampled_from([None, "ada", "grace"]),
        "state": st.sampled_from(list(STATES)),
    },
)
FAULT = st.none() | st.tuples(st.integers(0, 4), st.booleans())
"""At which request of a first sync the connection breaks, and whether that request is carried out."""


@pytest.fixture
def pair(tmp_path: Path, github: GitHub) -> dict[str, Path]:
    """A project for each way of deciding conflicts."""
    folders = {name: tmp_path / name for name in ("theirs", "ours")}
    for name, folder in folders.items():
        (folder / ".git").mkdir(parents=True)
        tracked(folder, github, conflicts=name)
    return folders


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    made_here=st.booleans(),
    conflicts=st.sampled_from(["theirs", "ours"]),
    rounds=st.lists(st.tuples(EDIT, EDIT, FAULT), min_size=1, max_size=2),
)
@example(
    made_here=False, conflicts="theirs", rounds=[({"state": "cancelled", "assignee": "ada"}, {"state": "done"}, None)]
)
@example(made_here=False, conflicts="theirs", rounds=[({"labels": ["docs"]}, {"labels": ["ui"]}, (1, False))])
def test_after_two_syncs_both_sides_are_equal_and_nothing_is_lost(
    pair: dict[str, Path], github: GitHub, made_here: bool, conflicts: str, rounds: list[Any]
) -> None:
    github.issues.clear()
    with Engine.open(pair[conflicts], store="memory:") as engine:
        _agree(engine, github, made_here, rounds)


def _agree(engine: Engine, server: GitHub, made_here: bool, rounds: list[Any]) -> None:
    if not made_here:
        server.open("Start")
    else:
        create(engine, "Start")
    sync(engine)
    id_, number = "TSK-1", 1
    for ours, theirs, fault in rounds:
        agreed = here_of(task(engine, id_))
        _edit_here(engine, id_, ours)
        _edit_there(server, number, theirs)
        here, there = here_of(task(engine, id_)), there_of(_issue(server.issues[number]), ())
        if fault is not None:
            server.break_at(*fault)
            engine.run_action("sync_tracker", actor=Actor("human", "ada"))
            server.broken.clear()
        sync(engine)
        sync(engine)
        now_here, now_there = here_of(task(engine, id_)), there_of(_issue(server.issues[number]), ())
        long = [name for name in now_here["labels"] if len(name) > 50]
        assert {**now_here, "labels": []} == {**fitted(now_there, number), "labels": []}
        assert {name.casefold() for name in now_here["labels"]} - set(long) == {
            n.casefold() for n in now_there["labels"]
        }
        kept = "\n".join(one["text"] for one in engine.storage.query("comments", {"task": id_}).items)
        for field in ("title", "description", "assignee", "state"):
            changed = [values[field] for values in (here, there) if values[field] != agreed[field]]
            assert all(value == now_here[field] or str(value or "") in kept for value in changed), (
                field,
                changed,
                kept,
            )
        assert (sync(engine)["counts"], len(server.issues), len(tasks(engine))) == ({}, 1, 1)


def _edit_here(engine: Engine, id_: str, edit: dict[str, Any]) -> None:
    plain = {name: value for name, value in edit.items() if name != "state"}
    if plain:
        act(engine, "update_task", id=id_, **plain)
    wanted, now = edit.get("state"), here_of(task(engine, id_))["state"]
    if wanted in (None, now):
        return
    if now != "open":
        act(engine, "move_task", id=id_, trigger="reopen")
    if wanted == "done":
        act(engine, "complete_task", id=id_, summary="Wrote it and read it again.")
    elif wanted == "cancelled":
        act(engine, "move_task", id=id_, trigger="cancel")


def _edit_there(server: GitHub, number: int, edit: dict[str, Any]) -> None:
    fields = {name: edit[name] for name in ("title",) if name in edit}
    if "labels" in edit:
        fields["labels"] = list({name.casefold(): name for name in edit["labels"] if len(name) <= 50}.values())
    if "description" in edit:
        marks = server.issues[number]["body"] or ""
        fields["body"] = edit["description"] + (
            "\n\n" + marks[marks.index("<!-- llmgenie") :] if "<!-- llmg" in marks else ""
        )
    if "assignee" in edit:
        fields["assignees"] = [edit["assignee"]] if edit["assignee"] else []
    if "state" in edit:
        fields["state"], fields["state_reason"] = STATES[edit["state"]]
    if fields:
        server.edit(number, **fields)
