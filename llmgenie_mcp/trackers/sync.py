"""Everything that changed at a tracker since the last time, and everything that waits here.

How far a tracker was read is kept in the table `trackers`. It is written at the end, so that what broke off is read again;
what was taken over already is equal then, and nothing is done about it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llmgenie_mcp.errors import ActionError, LlmgenieError, StorageError
from llmgenie_mcp.outcome import Document, Outcome, now
from llmgenie_mcp.storage import Transaction
from llmgenie_mcp.trackers.fields import LABELS, carries, fitted, here_of, markers, there_of
from llmgenie_mcp.trackers.issue import Comment, Issue, Listing, Unanswered
from llmgenie_mcp.trackers.meeting import Meeting, reasons
from llmgenie_mcp.trackers.place import Place, about, new_link
from llmgenie_mcp.trackers.talk import hear

STATES = "trackers"
"""Table of how far each tracker was read."""
MOST_AGAIN = 500
"""Issues that could not be taken over and are looked at again at the next time, at most."""


class Sync:
    """One round over a tracker.

    Args:
        place: where.
        progress: called as progress(done, total, message).
    """

    def __init__(self, place: Place, progress: Any) -> None:
        self.place, self.progress = place, progress
        self.state: Document = place.storage.get(STATES, place.name) or {}
        if self.state.get("source") != self._source:
            self.state = {}  # the settings name another place: it was never read
        self.again: list[int] = []
        self.imported: dict[int, str] = {}
        """Tasks by the issue that they were imported from, and are not linked to."""
        self.met: set[str] = set()
        """Tasks that were brought together with their issue in this round."""

    @property
    def _source(self) -> str:
        settings = self.place.settings
        return f"{settings.kind} {settings.url or ''} {settings.repository} {','.join(settings.labels)}"

    def run(self) -> None:
        """Take over what changed there, tell what changed here.

        Raises:
            Unanswered: the tracker does not answer any more; what was done until then is done. ActionError: no token.
        """
        place, state = self.place, self.state
        listing = place.tracker.issues(state.get("since", ""), state.get("etag", ""))
        self._take(listing)
        talk = self._talk(listing.newest)
        self._tell()
        if place.dry_run:
            return
        fresh = {
            "source": self._source,
            "since": listing.newest or state.get("since", ""),
            "etag": listing.etag,
            "talk": talk,
            "again": self.again[:MOST_AGAIN],
        }
        # An ETag is of one address; with another `since` in it, it is of no use.
        if fresh["since"] != state.get("since", ""):
            fresh["etag"] = ""
        if any(fresh[name] != state.get(name) for name in fresh):
            counts = {did: sum(told["did"] == did for told in place.report) for did in {t["did"] for t in place.report}}

            def write(tx: Transaction) -> None:
                tx.put(STATES, place.name, {**fresh, "id": place.name, "updated_at": now()})

            place.commit("synced", write, counts=counts)

    # -- in ----------------------------------------------------------------------------------------------------------

    def _take(self, listing: Listing) -> None:
        place = self.place
        by_issue = {link["issue"]: link for link in place.links() if link["issue"] is not None}
        found: dict[int, Issue] = {issue.number: issue for issue in listing.items}
        refused = [number for number, link in by_issue.items() if link.get("refused") and not link.get("gone")]
        for number in sorted({*self.state.get("again", ()), *refused} - found.keys()):
            if (issue := self._read(number)) is not None:
                found[number] = issue
        known = {link["task"] for link in by_issue.values()}
        for task in place.storage.query("tasks").items:
            if task["id"] not in known and (origin := place.imported(task)) is not None:
                self.imported.setdefault(origin, task["id"])
        making = [link for link in place.links() if link["issue"] is None]
        unknown = 0
        for done, number in enumerate(sorted(found)):
            if place.cancel.is_set():
                raise ActionError("It was cancelled.", "What was done is done; run it again to go on.")
            self.progress(done, len(found), place.label(number))
            with self._noted(number):
                if not self._one(found[number], by_issue, making):
                    unknown += 1
        if unknown and "since" not in self.state:
            place.say("skipped", f"{unknown} closed issues of {place.settings.repository} are not taken over")

    def _read(self, number: int) -> Issue | None:
        try:
            return self.place.tracker.issue(number)
        except Unanswered as error:
            if not error.gone and error.status != 404:
                raise
            return None

    @contextlib.contextmanager
    def _noted(self, number: int | None, task: str = "") -> Iterator[None]:
        """What is about one issue or task alone is reported, looked at again the next time, and stops nothing else."""
        try:
            yield
        except (Unanswered, LlmgenieError) as error:
            if isinstance(error, ActionError | StorageError) or (isinstance(error, Unanswered) and not error.refused):
                raise
            if number is not None:
                self.again.append(number)
            text = f"{self.place.label(number) if number else task}: {error.message} {error.hint}"
            self.place.say("problem", text.strip(), task=task, issue=number)

    def _one(self, issue: Issue, by_issue: Mapping[int, Document], making: Sequence[Document]) -> bool:
        """Take over one issue; False for one that is closed and was never known."""
        place, first = self.place, "talk" not in self.state
        made = next((link for link in making if carries(issue.body, link["nonce"], link["task"])), None)
        made = made and place.link(made["task"])  # by now another issue may be its: the first that has the marker
        twins: list[Document] = [*by_issue.values()]
        if made is not None and made["issue"] is not None:
            twins, made = [made], None
        if (link := by_issue.get(issue.number)) is not None:
            self.met.add(link["task"])
            Meeting(place, link["task"]).meet(issue)
            if first and issue.talk:
                hear(place, link["task"], place.tracker.comments_of(issue.number))
        elif made is not None:
            if not place.dry_run:
                self.met.add(made["task"])
                Meeting(place, made["task"]).adopt(issue, made)
        elif (task := self.imported.get(issue.number)) is not None:
            self.met.add(task)
            Meeting(place, task).join(issue)
            if not place.dry_run:
                hear(place, task, place.tracker.comments_of(issue.number) if issue.talk else ())
        elif issue.state == "open" and (twin := _twin(issue, twins)) is not None:
            text = (
                f"{place.label(issue.number)} has the marker of {twin['task']}, which is {place.label(twin['issue'])}: close "
                "it as a duplicate; or, if it is a copy that is to be a task of its own, take the marker out of its body"
            )
            place.say("problem", text, task=twin["task"], issue=issue.number)
        elif issue.state == "open":
            self._new(issue)
        else:
            return False
        return True

    def _new(self, issue: Issue) -> None:
        place = self.place
        there = there_of(issue, place.settings.labels)
        fits = fitted(there, issue.number)
        if place.dry_run:
            place.say("taken", f"{place.label(issue.number)} would become a task: {fits['title']}", issue=issue.number)
            return
        params = {name: fits[name] for name in ("title", "description")} | {"labels": fits["labels"][:LABELS]}

        def link(tx: Transaction, outcome: Outcome) -> None:
            id_ = outcome.result["id"]
            task = tx.get("tasks", id_) or {}
            if fits["assignee"]:
                task = tx.put("tasks", id_, {**task, "assignee": fits["assignee"]})
            agreed = {"here": here_of(task), "there": there}
            place.put_link(tx, id_, about({**new_link(), "agreed": agreed}, issue))

        outcome = place.act("create_task", params, link)
        if not outcome.ok:
            self.again.append(issue.number)
            text = f"{place.label(issue.number)} does not become a task: {reasons(outcome)}"
            place.say("refused", text, issue=issue.number)
            return
        id_ = outcome.result["id"]
        self.met.add(id_)
        place.say("created", f"{id_} from {place.label(issue.number)}: {fits['title']}", task=id_, issue=issue.number)
        if issue.talk:
            hear(place, id_, place.tracker.comments_of(issue.number))

    def _talk(self, newest: str) -> Document:
        """Take over comments since the last time; returns how far they were read."""
        place, before = self.place, self.state.get("talk")
        if before is None:  # those of each issue were read with it
            return {"since": newest, "etag": ""}
        by_issue = {link["issue"]: link["task"] for link in place.links() if link["issue"] is not None}
        listing = place.tracker.comments(before.get("since", ""), before.get("etag", ""))
        said: dict[int, list[Comment]] = {}
        for comment in listing.items:
            if comment.issue in by_issue:
                said.setdefault(comment.issue, []).append(comment)
        for number, comments in sorted(said.items()):
            hear(place, by_issue[number], comments)
        since = listing.newest or before.get("since", "")
        return {"since": since, "etag": listing.etag if since == before.get("since", "") else ""}

    # -- out ---------------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        place = self.place
        for task in place.storage.query("tasks").items:
            if task["id"] in self.met:
                continue
            with self._noted(None, task["id"]):
                Meeting(place, task["id"]).tell()


def _twin(issue: Issue, links: Iterable[Document]) -> Document | None:
    """The link of the task of which an issue has the marker, though the task has another issue."""
    if not markers(issue.body):
        return None
    return next((link for link in links if carries(issue.body, link["nonce"], link["task"])), None)
