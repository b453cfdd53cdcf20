"""What a project must be after a sequence of requests: a few dictionaries and the rules in words of Python, nothing else.

It knows the part of the packaged definitions that the machine uses, and of each document what a caller relies on.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

FEATURE = "feature/x"
SUMMARY = "Wrote it and ran the tests; nothing is left."
TASK_MOVES = {
    "todo": {"block": "blocked", "cancel": "cancelled"},
    "in_progress": {"release": "todo", "block": "blocked", "cancel": "cancelled"},
    "blocked": {"unblock": "todo", "cancel": "cancelled"},
    "done": {"reopen": "todo"},
    "cancelled": {"reopen": "todo"},
}
REVIEW_MOVES = {
    "draft": {"submit": "in_review", "abandon": "abandoned"},
    "in_review": {"approve": "approved", "reject": "draft", "abandon": "abandoned"},
    "approved": {"reopen": "draft"},
}
TRIGGERS = {trigger for moves in REVIEW_MOVES.values() for trigger in moves}
EVERYWHERE = {
    *("start_session", "pause_session", "resume_session", "finish_session"),
    *("switch_mode", "log_entry", "request_approval"),
}
TASKS = {"create_task", "update_task", "claim_task", "complete_task", "move_task"}
KEPT = {"record_note", "record_lesson"}
ROADMAP = {"roadmap_add", "roadmap_update"}
CODE = TASKS | KEPT | ROADMAP | {"run_tests", "start_review", "submit", "abandon"}
MODES = {
    "discuss": {"create_task", "update_task"} | KEPT | ROADMAP,
    "code": CODE,
    "docs": CODE,
    "review": TASKS | KEPT | {"run_tests", "start_review"} | TRIGGERS,
}
IN_REVIEW = {"create_task", "update_task", "run_tests"} | KEPT | ROADMAP
LIFTS = {"start_session", "resume_session", "finish_session"}
WORK = {"claim_task", "complete_task", "move_task", "start_review", "submit"}
RANK = {"critical": 0, "high": 1, "medium": 2, "low": 3}


class Denied(Exception):
    """The request is refused."""


class Wrong(Exception):
    """The request itself is wrong: an error, and nothing is written."""


@dataclass(frozen=True)
class Request:
    """One call.

    Attributes:
        action: its name; `decide` is a person's answer, `event` something that happened.
        params: its parameters.
        session, key: as for `run_action`.
    """

    action: str
    params: dict[str, Any] = field(default_factory=dict)
    session: str | None = None
    key: str | None = None


@dataclass
class Model:
    """A project.

    Attributes:
        configured: the project has a trusted `test` command.
        tests_pass: what that command would say now.
        lines: how many lines the log has.
        mode: that of work outside any session.
        tested: whether the last run that ended has passed; None before.
    """

    configured: bool = True
    tests_pass: bool = True
    lines: int = 0
    mode: str = "discuss"
    tested: bool | None = None
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, tuple[Any, int]] = field(default_factory=dict)
    reviews: dict[str, str] = field(default_factory=dict)
    approvals: dict[str, dict[str, Any]] = field(default_factory=dict)
    roadmap: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    lessons: int = 0
    keys: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    receipts: set[str] = field(default_factory=set)

    def after(self, request: Request) -> tuple[str, list[Model]]:
        """What the request comes to, and the project after each of its transactions (none: nothing is written).

        Returns:
            `ok`, `denied`, `failed`, `replayed`, `wrong` or `duplicate`; and the models.
        """
        asked = json.dumps([request.action, request.params], sort_keys=True)
        if request.action == "decide":
            return self._decided(request)
        if request.action == "event":
            if request.params["mark"] in self.receipts:
                return "duplicate", []
            return "ok", [self._changed(lambda new: new.receipts.add(request.params["mark"]))]
        if any(one not in (None, *self.sessions) for one in (request.session, request.params.get("session"))):
            return "wrong", []
        if request.key is not None and (known := self.keys.get(request.key)) is not None:
            return ("replayed" if known == (asked, request.session) else "wrong"), []
        keep = (lambda new: new.keys.__setitem__(request.key, (asked, request.session))) if request.key else None
        if request.action == "run_tests":
            return self._tested(request, keep)
        try:
            new = self._changed(lambda new: new._do(request), keep)
        except Wrong:
            return "wrong", []
        except Denied:
            return "denied", [self._changed()]
        return "ok", [new]

    def _changed(self, *changes: Callable[[Model], object] | None) -> Model:
        new = copy.deepcopy(self)
        new.lines += 1
        for change in changes:
            if change is not None:
                change(new)
        return new

    # May it be done

    def _allow(self, request: Request) -> None:
        name, session = request.action, self.sessions.get(request.session or "")
        mode = session["mode"] if session else self.mode
        refused = name not in EVERYWHERE and name not in MODES[mode]
        if session:
            review = self.reviews.get(session["review"] or "")
            if review in ("in_review", "approved"):
                refused |= name not in EVERYWHERE | IN_REVIEW | TRIGGERS
            refused |= session["status"] == "paused" and name not in LIFTS
            refused |= session["status"] == "finished" and name != "start_session"
        else:
            refused |= name in WORK
        if refused:
            raise Denied

    def _open_review(self) -> str | None:
        return next((key for key, state in self.reviews.items() if state in REVIEW_MOVES), None)

    def _waits(self, task: dict[str, Any]) -> bool:
        return any(self.tasks[other]["status"] not in ("done", "cancelled") for other in task["deps"])

    # What it does

    def _do(self, request: Request) -> None:
        if request.action in TRIGGERS:
            self._trigger(request)
        else:
            getattr(self, f"_{request.action}")(request, self.sessions.get(request.session or ""), **request.params)

    def _create_task(self, request: Request, _session: Any, title: str, dependencies: list[str], priority: str) -> None:
        self._allow(request)
        if any(other not in self.tasks for other in dependencies):
            raise Wrong
        self.tasks[f"TSK-{len(self.tasks) + 1}"] = {
            "title": title,
            "status": "todo",
            "priority": priority,
            "deps": dependencies,
            "session": None,
            "version": 1,
        }

    def _update_task(
        self,
        request: Request,
        _session: Any,
        id: str,  # noqa: A002
        title: str,
        dependencies: list[str] | None = None,
        expected_version: int | None = None,
    ) -> None:
        self._allow(request)
        task = self.tasks.get(id)
        if task is None or any(self._leads(other, id) for other in dependencies or ()):
            raise Wrong
        if any(other not in self.tasks for other in dependencies or ()):
            raise Wrong
        self._write(task, expected_version)
        task["title"] = title
        if dependencies is not None:
            task["deps"] = dependencies

    def _leads(self, start: str, goal: str) -> bool:
        return start == goal or any(self._leads(other, goal) for other in self.tasks.get(start, {"deps": []})["deps"])

    @staticmethod
    def _write(document: dict[str, Any], expected: int | None) -> None:
        if expected is not None and expected != document["version"]:
            raise Wrong
        document["version"] += 1

    def _claim_task(self, request: Request, session: Any, id: str | None = None) -> None:  # noqa: A002
        if id is not None and id not in self.tasks:
            raise Wrong
        self._allow(request)
        ready = [key for key, task in self.tasks.items() if task["status"] == "todo" and not self._waits(task)]
        if id is None and ready:
            id = min(ready, key=lambda key: (RANK[self.tasks[key]["priority"]], int(key[4:])))  # noqa: A001
        if id not in ready:
            raise Denied
        task = self.tasks[id]
        task |= {"status": "in_progress", "session": request.session, "version": task["version"] + 2}
        session["task"] = id

    def _complete_task(self, request: Request, session: Any, summary: str, id: str | None = None) -> None:  # noqa: A002
        id = id or (session or {}).get("task")  # noqa: A001
        if id not in self.tasks:
            raise Wrong
        self._allow(request)
        task = self.tasks[id]
        if len(summary) < 10 or task["status"] not in ("todo", "in_progress") or self._waits(task):
            raise Denied
        task |= {"status": "done", "version": task["version"] + 2}

    def _move_task(self, request: Request, _session: Any, id: str, trigger: str) -> None:  # noqa: A002
        if id not in self.tasks:
            raise Wrong
        self._allow(request)
        task = self.tasks[id]
        target = TASK_MOVES[task["status"]].get(trigger)
        if target is None:
            raise Denied
        task |= {"status": target, "version": task["version"] + 1}
        if target == "todo":
            task |= {"session": None, "version": task["version"] + 1}

    def _record_note(
        self, request: Request, _session: Any, key: str, value: Any, expected_version: int | None = None
    ) -> None:
        self._allow(request)
        version = self.notes[key][1] if key in self.notes else 0
        if expected_version not in (None, version):
            raise Wrong
        if value is None:
            self.notes.pop(key, None)
        else:
            self.notes[key] = (value, version + 1)

    def _record_lesson(self, request: Request, _session: Any, title: str) -> None:
        self._allow(request)
        self.lessons += 1

    def _roadmap_add(self, request: Request, _session: Any, title: str) -> None:
        self._allow(request)
        self.roadmap[f"RMI-{len(self.roadmap) + 1}"] = {"title": title, "version": 1}

    def _roadmap_update(
        self,
        request: Request,
        _session: Any,
        id: str,  # noqa: A002
        title: str,
        expected_version: int | None = None,
    ) -> None:
        self._allow(request)
        if id not in self.roadmap:
            raise Wrong
        self._write(self.roadmap[id], expected_version)
        self.roadmap[id]["title"] = title

    def _log_entry(self, request: Request, _session: Any, text: str) -> None:
        self._allow(request)

    def _start_session(self, request: Request, _session: Any, mode: str) -> None:
        self._allow(request)
        self.sessions[f"SES-{len(self.sessions) + 1}"] = {
            "status": "active",
            "mode": mode,
            "task": None,
            "review": None,
        }

    def _turn(self, request: Request, session: str | None, turns: dict[str, str]) -> None:
        self._allow(request)
        found = self.sessions.get(session or request.session or "")
        if found is None or found["status"] not in turns:
            raise Wrong
        found["status"] = turns[found["status"]]

    def _pause_session(self, request: Request, _own: Any, session: str | None = None) -> None:
        self._turn(request, session, {"active": "paused"})

    def _resume_session(self, request: Request, _own: Any, session: str | None = None) -> None:
        self._turn(request, session, {"paused": "active"})

    def _finish_session(self, request: Request, _own: Any, summary: str, session: str | None = None) -> None:
        if len(summary) < 10:
            raise Denied
        self._turn(request, session, {"active": "finished", "paused": "finished"})

    def _switch_mode(self, request: Request, session: Any, mode: str) -> None:
        self._allow(request)
        if session:
            session["mode"] = mode
        else:
            self.mode = mode

    # Reviews

    def _start_review(self, request: Request, session: Any) -> None:
        self._allow(request)
        if self._open_review() is not None:
            raise Denied
        key = f"REV-{len(self.reviews) + 1}"
        self.reviews[key] = "draft"
        session["review"] = key

    def _trigger(self, request: Request) -> None:
        self._allow(request)
        session = self.sessions.get(request.session or "")
        self._move((session or {}).get("review") or self._open_review(), request.action)

    def _move(self, key: str | None, trigger: str) -> None:
        target = REVIEW_MOVES.get(self.reviews.get(key or "", ""), {}).get(trigger)
        if key is None or target is None or (trigger in ("submit", "approve") and not self.tested):
            raise Denied
        answers = [a for a in self.approvals.values() if a["review"] == key and a["status"] == "granted"]
        if trigger == "approve" and not answers:
            raise Denied
        self.reviews[key] = target
        if target == "in_review":
            for answer in answers:
                answer["status"] = "used"
        if target not in REVIEW_MOVES:
            for session in self.sessions.values():
                session["review"] = None if session["review"] == key else session["review"]

    def _request_approval(self, request: Request, session: Any) -> None:
        self._allow(request)
        key = (session or {}).get("review") or self._open_review()
        if key is None or self.reviews[key] != "in_review" or not self.tested:
            raise Denied
        if not any(a["review"] == key and a["status"] == "pending" for a in self.approvals.values()):
            asked_in = request.session
            self.approvals[f"APR-{len(self.approvals) + 1}"] = {"review": key, "status": "pending", "session": asked_in}

    def _decided(self, request: Request) -> tuple[str, list[Model]]:
        approval, granted = self.approvals.get(request.params["id"]), request.params["granted"]
        if approval is None or approval["status"] != "pending":
            return "wrong", []
        status = "granted" if granted else "declined"
        first = self._changed(lambda new: new.approvals[request.params["id"]].update(status=status))
        if not granted:
            return "ok", [first]
        try:
            return "ok", [first, first._changed(lambda new: new._move(approval["review"], "approve"))]
        except Denied:
            return "denied", [first, first._changed()]

    # Slow

    def _tested(self, request: Request, keep: Callable[[Model], object] | None) -> tuple[str, list[Model]]:
        try:
            self._allow(request)
        except Denied:
            return "denied", [self._changed()]
        if not self.configured:
            return "denied", [self._changed()]
        key, verdict = f"RUN-{len(self.runs) + 1}", "passed" if self.tests_pass else "failed"
        first = self._changed(lambda new: new.runs.__setitem__(key, "running"), keep)

        def end(new: Model) -> None:
            new.runs[key], new.tested = verdict, self.tests_pass

        return "ok" if self.tests_pass else "failed", [first, first._changed(end)]

    def view(self) -> dict[str, Any]:
        """What is compared with the store."""
        return {
            "lines": self.lines,
            "mode": self.mode,
            "tasks": self.tasks,
            "sessions": self.sessions,
            "notes": self.notes,
            "reviews": self.reviews,
            "roadmap": self.roadmap,
            "runs": self.runs,
            "approvals": {key: approval["status"] for key, approval in self.approvals.items()},
            "lessons": self.lessons,
            "keys": sorted(self.keys),
            "receipts": len(self.receipts),
        }
