"""A client without a model reaches its goal by what the answers say, over the real server; see `seeker`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from scene import commit, configure, git, make_repository
from seeker import WAY, Call, Json, Seeker, Server, World, act

PASS = {"argv": [sys.executable, "-c", ""]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all goals: a project with work of others in it."""
    place = tmp_path_factory.mktemp("conversation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMGENIE_STATE_DIR", str(place / "state"))
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        folder = make_repository(place / "demo")
        configure(folder, commands={"test": PASS})
        with Server(World(folder)) as running:
            yield running


@dataclass
class Scene:
    """What a goal finds, and how its own facts are made."""

    server: Server
    number: int

    @property
    def folder(self) -> Path:
        """The checkout."""
        return self.server.world.folder

    def run(self, action: str, session: str | None = None, **params: Any) -> Json:
        """An action that must do its work."""
        arguments = act(action, session, **params).arguments
        answer = self.server.request("tools/call", {"name": "run_action", "arguments": arguments})
        data: Json = answer["result"]["structuredContent"]
        assert data["status"] == "ok", data
        return data["result"]

    def session(self, **params: Any) -> str:
        """A new session."""
        return str(self.run("start_session", **params)["session"]["id"])

    def task(self, **params: Any) -> str:
        """A new task."""
        return str(self.run("create_task", self.session(mode="meta"), title="Some work", **params)["id"])

    def branch(self) -> str:
        """A branch of the goal's own, checked out, with one commit."""
        name = f"feature/goal-{self.number}"
        git(self.folder, "switch", "-q", "-c", name)
        commit(self.folder, f"goal-{self.number}.txt")
        return name


_numbers = iter(range(1, 1000))


@pytest.fixture
def scene(server: Server, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """On main, with nothing uncommitted; the person here is the server's."""
    monkeypatch.setenv("LLMGENIE_STATE_DIR", str(server.world.folder.parent / "state"))
    git(server.world.folder, "switch", "-q", "main")
    assert git(server.world.folder, "status", "--porcelain") == ""
    return Scene(server, next(_numbers))


@dataclass
class Goal:
    """A goal's first call, what the caller knows beside it, and after how many calls it must be reached."""

    call: Call
    within: int
    knows: Json = field(default_factory=dict)
    session: str | None = None
    holds: Callable[[Json], bool] = lambda answer: True
    asks: tuple[str, ...] = ()


GOALS: dict[str, Callable[[Scene], Goal]] = {}


def goal(make: Callable[[Scene], Goal]) -> Callable[[Scene], Goal]:
    """Add a goal."""
    GOALS[make.__name__.replace("_", " ")] = make
    return make


@goal
def merge_a_branch_into_main(scene: Scene) -> Goal:
    scene.branch()
    return Goal(act("merge", branch="main"), 22, holds=lambda a: a["state"]["to"] == "merged", asks=("approve",))


@goal
def merge_what_nobody_committed_yet(scene: Scene) -> Goal:
    scene.branch()
    (scene.folder / f"new-{scene.number}.txt").write_text("new\n", encoding="utf-8")
    return Goal(act("merge", branch="main"), 24, holds=lambda a: a["state"]["to"] == "merged", asks=("approve",))


@goal
def merge_from_another_branch_than_the_one_checked_out(scene: Scene) -> Goal:
    name = scene.branch()
    git(scene.folder, "switch", "-q", "main")
    session = scene.session(mode="review")
    instance = scene.run("start_review", session, branch=name)["instance"]["id"]
    call = act("submit", instance=instance)
    return Goal(call, 12, session=session, holds=lambda a: a["state"]["to"] == "in_review")


@goal
def merge_after_the_branch_moved(scene: Scene) -> Goal:
    name, seeker = scene.branch(), Seeker(scene.server)
    seeker.reach(act("submit", subject=name), 20)
    scene.run("request_approval", seeker.session)
    commit(scene.folder, f"late-{scene.number}.txt")
    return Goal(act("merge", branch="main"), 20, session=seeker.session, holds=lambda a: a["state"]["to"] == "merged")


@goal
def release_a_version(scene: Scene) -> Goal:
    version = f"0.{scene.number}.0"
    call = act("tag_release", subject=version)
    return Goal(call, 30, {"version": version}, holds=lambda a: a["result"]["tag"] == f"v{version}", asks=("release",))


@goal
def complete_a_task(scene: Scene) -> Goal:
    return Goal(act("complete_task", id=scene.task()), 8, holds=lambda a: a["state"]["to"] == "done")


@goal
def complete_a_task_that_waits_for_another(scene: Scene) -> Goal:
    task = scene.task(dependencies=[scene.task()])
    return Goal(act("complete_task", id=task, summary="x" * 20), 12, holds=lambda a: a["result"]["id"] == task)


@goal
def complete_a_task_that_is_blocked(scene: Scene) -> Goal:
    task = scene.task()
    scene.run("move_task", scene.session(mode="code"), id=task, trigger="block")
    return Goal(act("complete_task", id=task, summary="x" * 20), 12, holds=lambda a: a["state"]["to"] == "done")


@goal
def claim_a_task_that_is_done(scene: Scene) -> Goal:
    task = scene.task()
    scene.run("complete_task", scene.session(mode="code"), id=task, summary="x" * 20)
    return Goal(act("claim_task", id=task), 12, holds=lambda a: a["state"]["to"] == "in_progress")


@goal
def claim_a_task_by_a_wrong_id(scene: Scene) -> Goal:
    return Goal(act("claim_task", id=f"{scene.task()}O"), 10, holds=lambda a: a["state"]["to"] == "in_progress")


@goal
def switch_to_a_mode_by_a_wrong_name(scene: Scene) -> Goal:
    return Goal(act("switch_mode", mode="coding"), 3, holds=lambda a: a["result"]["mode"] == "code")


@goal
def start_a_session_in_a_mode_by_a_wrong_name(scene: Scene) -> Goal:
    return Goal(act("start_session", mode="reviewing"), 3, holds=lambda a: a["result"]["session"]["mode"] == "review")


@goal
def create_a_task_without_its_title(scene: Scene) -> Goal:
    return Goal(act("create_task"), 6)


@goal
def create_a_task_with_a_misspelt_parameter(scene: Scene) -> Goal:
    return Goal(act("create_task", titel="Mine"), 6, holds=lambda a: a["result"]["task"]["title"] == "Mine")


@goal
def create_a_task_with_a_value_that_is_none(scene: Scene) -> Goal:
    call = act("create_task", title="x", priority="hihg")
    return Goal(call, 6, holds=lambda a: a["result"]["task"]["priority"] == "high")


@goal
def create_a_task_with_a_text_for_a_list(scene: Scene) -> Goal:
    task = scene.task()
    call = act("create_task", title="x", dependencies=task)
    return Goal(call, 6, holds=lambda a: a["result"]["task"]["dependencies"] == [task])


@goal
def create_a_task_with_its_parameters_in_the_wrong_place(scene: Scene) -> Goal:
    return Goal(Call("run_action", {"action": "create_task", "title": "x"}), 6)


@goal
def create_a_task_by_a_wrong_name(scene: Scene) -> Goal:
    return Goal(act("creat_task", title="x"), 6)


@goal
def create_a_task_as_if_it_were_a_tool(scene: Scene) -> Goal:
    return Goal(Call("create_task", {"title": "x"}), 6)


@goal
def write_what_somebody_wrote_since(scene: Scene) -> Goal:
    session = scene.session(mode="code")
    for value in ("one", "two"):
        scene.run("record_note", session, key=f"stale-{scene.number}", value=value)
    call = Call("update_context", {"key": f"notes/stale-{scene.number}", "value": "three", "expected_version": 1})
    return Goal(call, 6)


@goal
def update_a_task_somebody_wrote_since(scene: Scene) -> Goal:
    return Goal(act("update_task", id=scene.task(), title="Mine", expected_version=7), 6)


@goal
def work_in_a_session_that_is_finished(scene: Scene) -> Goal:
    session = scene.session(mode="code")
    scene.run("finish_session", session, summary="x" * 20)
    return Goal(act("claim_task", id=scene.task()), 8, session=session)


@goal
def work_in_a_session_that_is_paused(scene: Scene) -> Goal:
    session = scene.session(mode="code")
    scene.run("pause_session", session)
    return Goal(act("claim_task", id=scene.task()), 8, session=session)


@goal
def work_in_a_session_that_never_was(scene: Scene) -> Goal:
    return Goal(act("claim_task", id=scene.task()), 8, session="Z9")


@goal
def finish_a_session_without_a_word(scene: Scene) -> Goal:
    return Goal(act("finish_session"), 4, session=scene.session())


@goal
def delete_a_file(scene: Scene) -> Goal:
    arguments = {"policy": "all", "action": "file.delete", "params": {"path": f"old-{scene.number}.txt"}}
    return Goal(Call("enforce_policy", arguments), 5, asks=("file.delete",))


@goal
def run_a_command_that_nobody_trusts_yet(scene: Scene) -> Goal:
    configure(scene.folder, trusted=False, commands={"test": PASS, f"lint{scene.number}": PASS})
    return Goal(act("run_command", name=f"lint{scene.number}"), 10, asks=("trust",))


@goal
def run_a_command_by_a_wrong_name(scene: Scene) -> Goal:
    configure(scene.folder, commands={"test": PASS, "lint": PASS})
    return Goal(act("run_command", name="lnit"), 10)


@goal
def write_into_the_log_as_if_it_were_a_note(scene: Scene) -> Goal:
    return Goal(Call("update_context", {"key": "meta-log", "value": "Chose it."}), 5)


@goal
def read_by_a_wrong_key(scene: Scene) -> Goal:
    return Goal(Call("get_context_data", {"key": "task"}), 3, holds=lambda a: a["key"] == "tasks")


@goal
def read_a_policy_by_a_wrong_name(scene: Scene) -> Goal:
    call = Call("get_policy", {"policy_name": "branch protection"})
    return Goal(call, 3, holds=lambda a: a["name"] == "branch_protection")


@goal
def see_what_is_open_in_a_wrong_place(scene: Scene) -> Goal:
    return Goal(Call("get_available_actions", {"context": "reveiw"}), 3)


@goal
def ask_about_an_operation_by_a_wrong_name(scene: Scene) -> Goal:
    arguments = {"policy": "all", "action": "git.psuh", "params": {"branch": "feature/x", "session": scene.session()}}
    return Goal(Call("enforce_policy", arguments), 4)


@pytest.mark.parametrize("name", GOALS)
def test_a_client_without_a_model_reaches_its_goal(scene: Scene, name: str) -> None:
    wanted = GOALS[name](scene)
    scene.server.world.asked.clear()
    seeker = Seeker(scene.server, wanted.session, **wanted.knows)
    answer = seeker.reach(wanted.call, wanted.within)
    assert wanted.holds(answer), f"{json.dumps(answer, indent=1)}\n{seeker.told()}"
    said = "\n".join(scene.server.world.asked)
    assert all(word in said for word in wanted.asks), said
    if not wanted.asks and "approv" not in seeker.told():
        assert said == ""
    for refusal in seeker.refusals:
        assert refusal.get("fix") or refusal.get("hint") or WAY.search(refusal["message"]), refusal
