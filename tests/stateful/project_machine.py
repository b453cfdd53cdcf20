"""A project that agents and a person work on from several processes, on a disk that fails and a clock that jumps.

Every request is also put to `project_model.Model`. After each, what the store says, what its files say (read here, without
the product), and what the model says must be one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from faulty_disk import Crash, Disk, Fault
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from jumping_clock import Clock
from project_availability import compare
from project_model import Model, Request
from project_requests import CHANGING, REVIEWS, SOMETIMES, SPANS, WORDS, WORK, requests
from project_seen import seen
from scene import configure

from llmgenie_mcp import Engine, outcome
from llmgenie_mcp.errors import Conflict, StorageError, UsageError
from llmgenie_mcp.policy import PolicySet
from llmgenie_mcp.project import Project
from llmgenie_mcp.storage import lines, open_storage
from llmgenie_mcp.storage.tinydb import TinyDBStorage

SIZES = [{}, {"segment_bytes": 2500, "checkpoint_bytes": 1500}]
WHO = st.integers(0, 1)
LOCK_TIMEOUT = 0.05
MUST_WARN = {*CHANGING} - {"flock"}  # the end of a process or of its file ends a lock as well


class ProjectMachine(RuleBasedStateMachine):
    """Over the store in memory, which ends with its process and does not fail."""

    repository: ClassVar[Path]
    handles: ClassVar[int] = 1

    @initialize(configured=st.booleans(), size=st.sampled_from(SIZES), mode=st.sampled_from(["code", "review"]))
    def start(self, configured: bool, size: dict[str, int], mode: str) -> None:
        self.patch = pytest.MonkeyPatch()
        self.place = Path(tempfile.mkdtemp())
        self.flag, folder = self.place / "fails", self.place / "project"
        folder.mkdir()
        if configured:
            configure(folder, commands={"test": {"argv": ["test", "!", "-e", str(self.flag)]}})
        self.project, self.size = Project(self.repository, folder / ".llmgenie", "the test"), size
        self.model, self.definitions = Model(configured=configured), None
        self.acknowledged: list[Model] = [self.model]  # what may be left after a power cut
        self.tables: dict[str, dict[str, Any]] = {}
        self.step, self.sound = 0, False
        self.decided: list[str] = []
        self.asked: list[Request] = []
        decide = PolicySet.decide
        self.patch.setattr(
            PolicySet, "decide", lambda it, asked, **o: self.decided.append(asked.action) or decide(it, asked, **o)
        )
        self.clock = Clock()
        self.patch.setattr(lines, "datetime", self.clock)
        self.patch.setattr(outcome, "datetime", self.clock)
        self.disk = Disk(folder)
        self.disk.follow(self.patch)
        self.engines = [self.opened() for _ in range(self.handles)]
        self.request(Request("start_session", {"mode": mode}), 0, None)
        self.request(Request("create_task", {"title": "x", "dependencies": [], "priority": "low"}), 0, None)
        self.asked.clear()

    def opened(self) -> Engine:
        """One more process."""
        engine = Engine(self.project, self.store())
        engine._definitions = self.definitions
        self.definitions = engine.definitions
        return engine

    def store(self) -> Any:
        return open_storage("memory:")

    def teardown(self) -> None:
        if not hasattr(self, "disk"):
            return
        try:
            if self.sound:
                self.everything_is_well()
        finally:
            for engine in self.engines:
                engine.close()
            self.disk.close()
            self.patch.undo()
            shutil.rmtree(self.place)

    def everything_is_well(self) -> None:
        """At the end: every process can work, nothing is damaged, a new one finds the same."""
        for who in range(len(self.engines)):
            self.request(Request("log_entry", {"text": "still here"}), who, None)
        for engine in self.engines:
            self.agrees(engine)
            assert engine.storage.verify().problems == []

    # What is done

    @rule(request=requests(WORK))
    def work(self, request: Request) -> None:
        self.request(request, 0, None)

    @rule(request=requests(WORDS))
    def note_down(self, request: Request) -> None:
        self.request(request, 0, None)

    @rule(request=requests(SPANS))
    def begin_or_end(self, request: Request) -> None:
        self.request(request, 0, None)

    @rule(request=requests(REVIEWS))
    def review(self, request: Request) -> None:
        self.request(request, 0, None)

    @precondition(lambda self: self.asked)
    @rule(before=st.integers(0, 3))
    def ask_again(self, before: int) -> None:
        self.request(self.asked[-1 - before % len(self.asked)], 0, None)

    @rule(passing=st.booleans(), seconds=st.sampled_from([-86_400.0, -1.0, 0.0, 3600.0]))
    def the_world_changes(self, passing: bool, seconds: float) -> None:
        """The tests would pass now, or fail; and the clock jumps."""
        self.flag.unlink(missing_ok=True)
        if not passing:
            self.flag.touch()
        for model in (self.model, *self.acknowledged):
            model.tests_pass = passing
        self.clock.wrong += seconds

    @rule(session=st.sampled_from(["SES-1", "SES-1", "SES-2", None]))
    def what_is_listed_is_what_is_allowed(self, session: str | None) -> None:
        if session is None or session in self.model.sessions:
            compare(self.engines[self.step % len(self.engines)], session, self.step, sorted(self.model.tasks))

    def request(self, request: Request, who: int, fault: Fault | None, pick: Any = None) -> None:
        self.sound = False
        self.asked.append(request)
        verdict, ahead = self.model.after(request)
        self.judge(request, verdict, ahead, who, fault, pick)
        self.sound = True

    def judge(
        self, request: Request, verdict: str, ahead: list[Model], who: int, fault: Fault | None, pick: Any
    ) -> None:
        said, seq = self.attempt(who, fault, lambda engine: self.call(engine, request))
        if said == "power":
            self.power_is_back(pick, ahead)
            return
        if said in ("crash", "interrupt", "error"):
            self.settle(ahead, who, said, seq)
            return
        assert said == verdict, (request, said, verdict)
        if any(name in MUST_WARN and how != "short" for name, _, how in self.disk.fired):
            warned = [line for line in self.engines[who].storage.warnings if "could not be written" in line]
            assert warned, self.disk.fired  # only the checkpoint may go wrong without an error, and it says so
        self.model = ahead[-1] if ahead else self.model
        if said not in ("wrong",):
            self.acknowledged = [self.model]
        if ahead:
            assert seq is None or seq == self.model.lines
        self.has_lines(request, said, len(ahead))

    def call(self, engine: Engine, request: Request) -> tuple[str, int | None]:
        """What the engine says, and the number of the line that says so."""
        if request.action == "event":
            told = engine.trigger_event("custom.thing", {}, receipt=(request.params["mark"],))
            return "duplicate" if told.get("duplicate") else "ok", told.get("seq")
        if request.action == "decide":
            made = engine.decide_approval(
                request.params["id"], request.params["granted"], person="ada", channel="terminal"
            )
            return made.status, made.seq
        made = engine.run_action(request.action, request.params, session=request.session, idempotency_key=request.key)
        return ("replayed", None) if made.replayed else (made.status, made.seq)

    def attempt(self, who: int, fault: Fault | None, act: Callable[[Engine], Any]) -> tuple[str, Any]:
        """Do something in one process while `fault` happens; returns what came of it."""
        self.step += 1
        self.decided.clear()
        self.disk.arm(fault)
        try:
            return act(self.engines[who])
        except Crash:
            assert fault is not None
            self.die(who)
            return ("power" if str(fault.how).startswith("power") else "crash"), None
        except KeyboardInterrupt:
            return "interrupt", None
        except (UsageError, Conflict):
            return "wrong", None
        except StorageError as error:
            if not self.disk.fired:
                raise
            return "error", error
        finally:
            self.disk.fault = None
            if self.disk.fired:
                note(f"    went wrong: {self.disk.fired}")

    def die(self, who: int) -> None:
        """What ends with a process: its files, and so its locks."""
        storage = self.engines[who].storage
        storage._lock.close()
        storage._journal.close()
        self.disk.dead = False

    # What came of it

    def settle(self, ahead: list[Model], who: int, said: str, error: Any) -> None:
        """Nobody acknowledged it: it is there wholly or not at all."""
        if said == "crash":
            self.engines[who] = self.opened()
        fresh = self.store()
        found = seen(fresh)
        fresh.close()
        possible = [self.model, *ahead]
        number = next((number for number, model in enumerate(possible) if model.view() == found), None)
        assert number is not None, (found, [model.view() for model in possible])
        if said == "error" and number:
            assert "Nothing was written" not in str(error) or len(ahead) > number, error
        if number:
            self.model = possible[number]
            self.acknowledged += possible[1 : number + 1]

    def power_is_back(self, pick: Any, ahead: list[Model]) -> None:
        """All processes are gone; what was acknowledged is there."""
        for who in range(len(self.engines)):
            self.die(who)
        self.disk.cut(lambda n: pick.draw(st.integers(0, n - 1)) if n > 1 else 0)
        self.engines = [self.opened() for _ in range(self.handles)]
        found = seen(self.engines[0].storage)
        for model in [*self.acknowledged, *ahead]:
            if model.view() == found:
                self.model = model
                self.acknowledged = [model]
                return
        raise AssertionError((found, [model.view() for model in self.acknowledged]))

    def has_lines(self, request: Request, said: str, count: int) -> None:
        """Each transaction is a line that says who did what; a refusal changed nothing; nothing ran unjudged."""
        if not count:
            return
        engine = self.engines[0]
        engine.storage.refresh()
        written = engine.storage.log(after=self.model.lines - count, changes=True).items
        assert len(written) == count
        last = written[-1]
        if said == "denied":
            assert (last["type"], last["changes"]) == ("action.denied", []), last
        for line in written:
            assert line.get("actor"), line
            if line["type"].startswith("action."):
                assert line["action"] in self.decided, line
                assert line["action"] == request.action or request.action == "decide"

    @invariant()
    def all_say_the_same(self) -> None:
        if hasattr(self, "disk"):
            self.agrees(self.engines[self.step % len(self.engines)])

    def agrees(self, engine: Engine) -> None:
        storage = engine.storage
        storage.refresh()
        assert seen(storage) == self.model.view()
        self.files_say(storage)

    def files_say(self, storage: Any) -> None:
        tables: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(storage.log(limit=1000, changes=True).items, start=1):
            assert line["seq"] == number
            for table, key, document in line["changes"]:
                tables.setdefault(table, {}).pop(key, None) if document is None else tables.setdefault(
                    table, {}
                ).__setitem__(key, document)
        assert tables == {name: dict(self.rows(storage, name)) for name in storage._tables.names()}

    @staticmethod
    def rows(storage: Any, name: str) -> Iterator[tuple[str, Any]]:
        return ((row["id"], row) for _, row in storage._tables[name].rows())


class DiskMachine(ProjectMachine):
    """Over the store in a folder: several processes, and everything that can go wrong with a disk."""

    handles = 2

    def store(self) -> Any:
        return TinyDBStorage(self.project.store, lock_timeout=LOCK_TIMEOUT, **self.size)

    @rule(request=requests(WORK), who=WHO, fault=SOMETIMES, pick=st.data())
    def work(self, request: Request, who: int, fault: Fault | None, pick: Any) -> None:
        self.request(request, who, fault, pick)

    @rule(request=requests(WORDS), who=WHO, fault=SOMETIMES, pick=st.data())
    def note_down(self, request: Request, who: int, fault: Fault | None, pick: Any) -> None:
        self.request(request, who, fault, pick)

    @rule(request=requests(SPANS), who=WHO, fault=SOMETIMES, pick=st.data())
    def begin_or_end(self, request: Request, who: int, fault: Fault | None, pick: Any) -> None:
        self.request(request, who, fault, pick)

    @rule(request=requests(REVIEWS), who=WHO, fault=SOMETIMES, pick=st.data())
    def review(self, request: Request, who: int, fault: Fault | None, pick: Any) -> None:
        self.request(request, who, fault, pick)

    @precondition(lambda self: self.asked)
    @rule(before=st.integers(0, 3), who=WHO, fault=SOMETIMES, pick=st.data())
    def ask_again(self, before: int, who: int, fault: Fault | None, pick: Any) -> None:
        self.request(self.asked[-1 - before % len(self.asked)], who, fault, pick)

    def files_say(self, storage: Any) -> None:
        """The log, read without the product: numbered without gaps, chained, never back in time; and db.json."""
        tables: dict[str, dict[str, Any]] = {}
        checkpoint = self.project.store / "db.json"
        saved = json.loads(checkpoint.read_bytes()) if checkpoint.exists() else {}
        place = saved.pop("_meta", {"1": {"seq": 0}})["1"]
        before, ts, seq = "0" * 64, "", 0
        for raw in self.raw_lines():
            line = json.loads(raw)
            seq += 1
            assert (line["seq"], line["prev"]) == (seq, before)
            assert line["ts"] >= ts
            before, ts = hashlib.sha256(raw).hexdigest(), line["ts"]
            for table, key, document in line["changes"]:
                rows = tables.setdefault(table, {})
                if document is None:
                    rows.pop(key, None)
                else:
                    rows[key] = document
            if seq == place["seq"]:
                assert {name: list(rows.values()) for name, rows in saved.items()} == {
                    name: list(rows.values()) for name, rows in tables.items()
                }
        assert seq == self.model.lines >= place["seq"]
        assert tables == {name: dict(self.rows(storage, name)) for name in storage._tables.names()}
        self.tables = tables

    def raw_lines(self) -> Iterator[bytes]:
        """Whole lines; what a crash left of one at the very end does not count."""
        data = b"".join(path.read_bytes() for path in sorted((self.project.store / "meta-log").glob("*.jsonl")))
        for raw in data.splitlines(keepends=True):
            if raw.endswith(b"\n") and b"\0" not in raw:
                yield raw

    @rule(what=st.sampled_from(["checkpoint", "again", "read"]), who=WHO, fault=SOMETIMES, pick=st.data())
    def keep_house(self, what: str, who: int, fault: Fault | None, pick: Any) -> None:
        """What changes nothing that a caller can see, whatever happens meanwhile."""
        self.sound = False
        deeds = {
            "checkpoint": lambda engine: engine.storage.checkpoint(),
            "again": self.opened_again,
            "read": self.read,
        }
        said, _ = self.attempt(who, fault, lambda engine: (deeds[what](engine) or "ok", None))
        assert said != "wrong"
        if said == "power":
            self.power_is_back(pick, [])
        elif said == "crash":
            self.settle([], who, said, None)
        elif self.engines[who].storage._closed:
            self.engines[who] = self.opened()
        self.sound = True

    def opened_again(self, engine: Engine) -> None:
        engine.close()
        self.engines[self.engines.index(engine)] = self.opened()

    def read(self, engine: Engine) -> None:
        state = engine.workflow_state()
        assert state.get("sessions_open", []) == [
            key
            for status in ("active", "paused")
            for key, session in self.model.sessions.items()
            if session["status"] == status
        ]
        assert engine.context_data("meta-log", limit=3)["items"][0]["seq"] == self.model.lines
        assert engine.storage.verify().problems == []

    @rule(pick=st.data())
    def the_power_fails(self, pick: Any) -> None:
        self.power_is_back(pick, [])
