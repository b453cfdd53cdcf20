"""Where tasks and issues meet: one tracker of one project, its links in the store, and what is reported of the work."""

from __future__ import annotations

import contextlib
import fcntl
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from llmgenie_mcp.engine import deliveries
from llmgenie_mcp.engine.definitions import Definitions
from llmgenie_mcp.engine.part import Part
from llmgenie_mcp.exchange import IMPORTED
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outbox import LINKS, Routes
from llmgenie_mcp.outcome import Document, Outcome, now
from llmgenie_mcp.project import Project
from llmgenie_mcp.storage import Storage, Transaction
from llmgenie_mcp.trackers.issue import Issue, Tracker
from llmgenie_mcp.tracking import Tracker as Settings

COMMENTS = "comments"
"""Table of what was said about tasks."""
_held: dict[tuple[str, str], threading.Lock] = {}


@dataclass(frozen=True, slots=True)
class Taken(Part):
    """An action that is run because of what a tracker says: no list of a mode opens or closes it, all else is judged.

    Attributes:
        action: its name.
    """

    action: str = ""

    def within(self, definitions: Definitions) -> Definitions:
        """The definitions for it."""
        offer = replace(definitions.actions[self.action], everywhere=True)
        return replace(definitions, actions={**definitions.actions, self.action: offer}, opened={})


@dataclass(slots=True)
class Place:
    """One tracker of one project.

    Attributes:
        name: as the settings call it.
        settings: its own.
        tracker: whom to ask.
        storage: the project's store.
        project: the project.
        routes: who waits for which events.
        run: runs an action in the caller's name, as `run(action, params, part=…, part_of=…)`.
        cancel: set it to break off.
        dry_run: say what would be done, and do nothing.
        report: what was done, an entry each: {did, text, task?, issue?}.
    """

    name: str
    settings: Settings
    tracker: Tracker
    storage: Storage
    project: Project
    routes: Routes
    run: Callable[..., Outcome]
    cancel: threading.Event
    dry_run: bool = False
    report: list[Document] = field(default_factory=list)

    def label(self, number: int) -> str:
        """An issue as people write it."""
        return f"{self.settings.repository}#{number}"

    def say(self, did: str, text: str, *, task: str = "", issue: int | None = None) -> None:
        """Report something.

        Args:
            did: created, linked, told, taken, conflict, refused, commented, problem or skipped.
            text: for people.
            task, issue: what it is about.
        """
        told = {"did": did, "text": text, "task": task, "issue": issue}
        self.report.append({name: value for name, value in told.items() if value not in ("", None)})

    def link(self, task: str) -> Document | None:
        """What a task has at this tracker."""
        return self.storage.get(LINKS, f"{self.name}/{task}")

    def links(self) -> list[Document]:
        """All of them."""
        return self.storage.query(LINKS, {"tracker": self.name}).items

    def imported(self, task: Mapping[str, Any]) -> int | None:
        """The number of the issue here that a task was imported from (`importers/`); None: from none."""
        known = task.get(IMPORTED)
        origin = known.get(self.settings.kind) if isinstance(known, Mapping) else None
        key = str(origin.get("id")) if isinstance(origin, Mapping) else ""
        number = key.removeprefix(f"{self.settings.repository} #")
        return int(number) if number != key and number.isascii() and number.isdecimal() else None

    def comments(self, task: str) -> list[Document]:
        """What was said about a task, the oldest first."""
        return self.storage.query(COMMENTS, {"task": task}).items

    def act(self, action: str, params: Document, kept: Callable[[Transaction, Outcome], None]) -> Outcome:
        """Run an action; `kept` writes what goes with it into the same transaction, if it did its work."""

        def keep(tx: Transaction, outcome: Outcome) -> None:
            if outcome.ok:
                kept(tx, outcome)

        return self.run(action, params, part=Taken(keep, action=action))

    def commit(self, kind: str, change: Callable[[Transaction], object], **told: Any) -> None:
        """Change documents, with a line in the log that says why.

        Args:
            kind: of the line, `tracker.KIND`.
            change: called with the transaction.
            told: fields of the line.
        """
        with self.storage.begin() as tx:
            change(tx)
            line: Document = {
                "type": f"tracker.{kind}",
                "actor": {"kind": "system", "id": f"tracker:{self.name}"},
                "tracker": self.name,
                **{name: value for name, value in told.items() if value not in (None, "", [], {})},
            }
            deliveries.commit(tx, line, self.routes, self.project, self.storage.last_seq() + 1)

    def keep(self, kind: str, task: str, link: Mapping[str, Any], **told: Any) -> None:
        """Write a link alone; see `commit`."""
        self.commit(kind, lambda tx: self.put_link(tx, task, link), task=task, **told)

    def put_link(self, tx: Transaction, task: str, link: Mapping[str, Any]) -> Document:
        """Write a link."""
        id_ = f"{self.name}/{task}"
        return tx.put(LINKS, id_, {**link, "id": id_, "tracker": self.name, "task": task, "updated_at": now()})

    @contextlib.contextmanager
    def turn(self) -> Iterator[bool]:
        """Whether nobody else, in whatever process, is at this tracker of the project now; nobody else is until the end."""
        with contextlib.ExitStack() as ending:
            if self.storage.location == "memory:":
                lock = _held.setdefault((str(self.project.store), self.name), threading.Lock())
                free = lock.acquire(blocking=False)
                if free:
                    ending.callback(lock.release)
                yield free
                return
            path = self.project.store / "run" / f"tracker-{self.name}.lock"
            path.parent.mkdir(parents=True, exist_ok=True)
            file = ending.enter_context(path.open("a", encoding="utf-8"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self.storage.refresh()  # what the others wrote who were here before
            yield True


def new_link(nonce: str = "") -> Document:
    """A link that nothing is agreed in yet."""
    return {"issue": None, "nonce": nonce or uuid.uuid4().hex, "comments": {}, "at": now()}


def about(link: Mapping[str, Any], issue: Issue) -> Document:
    """A link with what else is known of its issue."""
    return {**link, "issue": issue.number, "url": issue.url, "other": dict(issue.other)}
