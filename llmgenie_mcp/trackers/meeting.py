"""One task and its issue, brought together.

It does not matter how often this is done, nor where it broke off: what is compared is how things are, never what happened.
What was agreed on last is in the link, and each part of it is written in the transaction of the change that it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from llmgenie_mcp.errors import Conflict, LlmgenieError, shorten
from llmgenie_mcp.outbox import LINKS
from llmgenie_mcp.outcome import Document, Outcome, now
from llmgenie_mcp.storage import Transaction
from llmgenie_mcp.trackers.fields import (
    FIELDS,
    Values,
    carries,
    here_of,
    is_ours,
    marked,
    marker,
    markers,
    sent,
    there_of,
)
from llmgenie_mcp.trackers.issue import Issue, Unanswered
from llmgenie_mcp.trackers.merge import Lost, Merged, merge
from llmgenie_mcp.trackers.place import Place, about, new_link
from llmgenie_mcp.trackers.talk import keep_lost, send

STEPS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("open", "done"): ("complete",),
    ("open", "cancelled"): ("cancel",),
    ("done", "open"): ("reopen",),
    ("cancelled", "open"): ("reopen",),
    ("done", "cancelled"): ("reopen", "cancel"),
    ("cancelled", "done"): ("reopen", "complete"),
}
"""Triggers of the workflow `task` that lead from one state to another."""
MARGIN = timedelta(days=1)
"""By so much may the tracker's clock be behind ours where an issue is looked for that we may have made."""
AGAIN = 3
"""So often a task is read anew that somebody changed meanwhile."""


class Meeting:
    """A task that is linked to an issue, or is to be.

    Args:
        place: where.
        task: its id.
    """

    def __init__(self, place: Place, task: str) -> None:
        self.place, self.id = place, task

    def tell(self) -> None:
        """Make both sides equal, if anything changed here; a task without an issue gets one.

        One that is over already gets none, and one that was imported from this tracker has one.

        Raises:
            Unanswered, ActionError: the tracker did not do it. StorageError.
        """
        task, link = self.place.storage.get("tasks", self.id), self.place.link(self.id)
        if task is None or (link or {}).get("gone"):
            return
        if link is None or link["issue"] is None:
            if link is None and (number := self.place.imported(task)) is not None:
                self._join_if_ours(number)
            elif self.place.settings.create and (link is not None or here_of(task)["state"] == "open"):
                self._create(task, link)
            return
        if not self._differs(task, link):
            return
        try:
            self.meet(self.place.tracker.issue(link["issue"]))
        except Unanswered as error:
            if error.gone:
                self._gone(link, error)
            raise

    def meet(self, issue: Issue) -> None:
        """Make the task and its issue equal. Raises as `tell` does."""
        for _ in range(AGAIN):
            try:
                self._meet(issue)
                break
            except Conflict:  # somebody changed the task just now
                continue
        else:
            text = f"{self.id} changes all the time; it is brought together with its issue the next time"
            self.place.say("problem", text, task=self.id, issue=issue.number)
        send(self.place, self.id)

    def adopt(self, issue: Issue, link: Document) -> None:
        """Take an issue for the one that was made of the task by an attempt of which nothing else is known."""
        here = {**link["sent"], "assignee": None, "state": "open"}
        there = {**here, "title": sent(here, "title"), "description": sent(here, "description")}
        there["labels"] = sent(here, "labels")
        self._settle(about(link, issue), {"here": here, "there": there}, "created", issue)
        self.meet(issue)

    def join(self, issue: Issue) -> None:
        """Link the task to an issue of which it is known that they are the same; what differs is a conflict."""
        if self.place.dry_run:
            text = f"{self.id} would be linked to {self.place.label(issue.number)}"
            self.place.say("linked", text, task=self.id, issue=issue.number)
            return
        nothing: Values = {name: [] if name == "labels" else None for name in FIELDS}
        self._settle(about(new_link(), issue), {"here": nothing, "there": nothing}, "linked", issue)
        text = f"{self.id} is {self.place.label(issue.number)}"
        self.place.say("linked", text, task=self.id, issue=issue.number)
        self.meet(issue)

    def _join_if_ours(self, number: int) -> None:
        """Link the task to the issue that it was imported from, says a file: to none that is another's or not the project's."""
        if any(link["issue"] == number for link in self.place.links()):
            return
        issue = self.place.tracker.issue(number)
        if is_ours(issue, self.place.settings.labels):
            self.join(issue)

    def _differs(self, task: Document, link: Document) -> bool:
        here, agreed = here_of(task), link["agreed"]["here"]
        return any(here[name] != agreed[name] for name in FIELDS) or bool(link.get("refused")) or self._unsaid(link)

    def _unsaid(self, link: Document) -> bool:
        told = set(link["comments"].values())
        said = self.place.comments(self.id)
        return any(one["id"] not in told and not one.get("private") for one in said)

    # -- a task without an issue -------------------------------------------------------------------------------------

    def _create(self, task: Document, link: Document | None) -> None:
        place, here = self.place, here_of(task)
        if place.dry_run:
            place.say("created", f"{self.id} would become an issue: {task['title']}", task=self.id)
            return
        if link is not None and (found := self._found(link)) is not None:
            self.adopt(found, link)
            return
        intended = {**(link or new_link()), "sent": here, "at": (link or {}).get("at") or now()}
        place.keep("creating", self.id, intended)
        labels = dict.fromkeys([*place.settings.labels, *sent(here, "labels")])
        body = marked(sent(here, "description"), marker(self.id, intended["nonce"]))
        made = place.tracker.create({"title": sent(here, "title"), "body": body, "labels": list(labels)})
        here = {**here, "assignee": None, "state": "open"}
        agreed = {"here": here, "there": there_of(made, place.settings.labels)}
        self._settle(about(intended, made), agreed, "created", made)
        place.say(
            "created", f"{place.label(made.number)} from {self.id}: {made.title}", task=self.id, issue=made.number
        )
        self.meet(made)

    def _found(self, link: Document) -> Issue | None:
        """The issue that an attempt made of which the end is not known; None: it made none."""
        at = datetime.fromisoformat(link["at"]) - MARGIN
        listing = self.place.tracker.issues(at.strftime("%Y-%m-%dT%H:%M:%SZ"), "")
        found = [issue for issue in listing.items if carries(issue.body, link["nonce"], self.id)]
        return min(found, key=lambda issue: issue.number, default=None)  # a copy of the marker comes after the marker

    def _gone(self, link: Document, error: Unanswered) -> None:
        self.place.keep("gone", self.id, {**link, "gone": error.status}, issue=link["issue"])

    # -- both sides --------------------------------------------------------------------------------------------------

    def _meet(self, issue: Issue) -> None:
        place = self.place
        task, link = place.storage.get("tasks", self.id), place.link(self.id)
        if task is None or link is None:
            return
        here, there = here_of(task), there_of(issue, place.settings.labels)
        merged = merge(link["agreed"], here, there, place.settings.conflicts, issue.number)
        if place.dry_run:
            self._would(merged, issue)
            return
        self._lose(merged, task, issue)
        refused = self._take(merged, task, there, issue)
        now_there = {**there, **self._send(merged, task, issue)}
        now_here = {**here, **{name: value for name, value in merged.here.items() if name not in refused}}
        apart = {**merged.apart, **refused}
        agreed = {
            side: {name: link["agreed"][side][name] if name in apart else values[name] for name in FIELDS}
            for side, values in (("here", now_here), ("there", now_there))
        }
        current = place.link(self.id) or link
        told, taken = sorted(merged.there), sorted(set(merged.here) - set(refused))
        if (
            told
            or taken
            or agreed != current["agreed"]
            or refused != (link.get("refused") or {})
            or _other(link, issue)
        ):
            lasting = {**current, "refused": refused}
            self._settle(about(lasting, issue), agreed, "agreed", issue, told=told, taken=taken)
        for name, why in merged.apart.items():
            text = f"{place.label(issue.number)} and {self.id} keep their own {name}: {why}."
            place.say("conflict", text, task=self.id, issue=issue.number)

    def _settle(self, link: Document, agreed: Mapping[str, Values], kind: str, issue: Issue, **told: Any) -> None:
        lasting = {name: value for name, value in link.items() if name != "sent"}
        lasting["agreed"] = {side: dict(values) for side, values in agreed.items()}
        self.place.keep(kind, self.id, lasting, issue=issue.number, **told)

    def _lose(self, merged: Merged, task: Document, issue: Issue) -> None:
        """Keep the values that give way, before they do."""
        place = self.place
        for lost in merged.lost:
            whose = f"{self.id} here" if lost.side == "here" else place.label(issue.number)
            text = (
                f"{lost.field.capitalize()} was changed on both sides. What {whose} had gave way to the other side's:\n\n"
                f"{_shown(lost.value)}"
            )
            kept = keep_lost(place, self.id, text, lost.field, _told(lost))
            short = f"{lost.field} of {self.id} and {place.label(issue.number)}: {_side(lost)} holds; {kept} keeps the other"
            place.say("conflict", f"{short}.", task=task["id"], issue=issue.number)

    def _take(self, merged: Merged, task: Document, there: Values, issue: Issue) -> dict[str, str]:
        """Change the task as the issue says; returns the fields that were refused, with the reason."""
        refused: dict[str, str] = {}
        if "state" in merged.here:
            why = self._moved(here_of(task)["state"], merged.here["state"], there, issue)
            refused |= {"state": why} if why else {}
        plain = {name: value for name, value in merged.here.items() if name != "state"}
        task, restored = self._unchanged(task, plain)
        if plain or restored:
            params = {"id": self.id, "expected_version": task["version"], **restored, **plain}
            # What also goes out is agreed on when it has arrived there, not before.
            reached = {name: value for name, value in plain.items() if name not in merged.there}
            why = self._acted("update_task", params, reached, {name: there[name] for name in reached})
            refused |= dict.fromkeys(plain, why) if why else {}
        place, names = self.place, [name for name in merged.here if name not in refused]
        if names:
            text = f"{self.id} from {place.label(issue.number)}: {', '.join(names)}"
            place.say("taken", text, task=self.id, issue=issue.number)
        for name, why in refused.items():
            text = f"{self.id} keeps its {name}, though {place.label(issue.number)} has another: {why}"
            place.say("refused", text, task=self.id, issue=issue.number)
        return refused

    def _unchanged(self, before: Document, plain: Values) -> tuple[Document, Values]:
        """The task as it is by now, and what its moving has taken from it. Raises Conflict: somebody changed it meanwhile."""
        now_ = self.place.storage.get("tasks", self.id) or before
        was, is_ = here_of(before), here_of(now_)
        for name in ("title", "description", "labels"):
            if was[name] != is_[name]:
                raise Conflict(f"{self.id} was changed meanwhile.", "Read it again.")
        # Whoever has it keeps it: reopening a task takes it from them, reopening an issue does not.
        kept = was["assignee"] != is_["assignee"] is None and "assignee" not in plain
        return now_, {"assignee": was["assignee"]} if kept else {}

    def _moved(self, before: str, after: str, there: Values, issue: Issue) -> str:
        """Move the task; returns why not, empty when it was done."""
        where = f"{self.place.label(issue.number)} is {'open again' if after == 'open' else 'closed'}."
        for number, trigger in enumerate(steps := STEPS[before, after]):
            last = number + 1 == len(steps)
            reached, matched = {"state": after if last else "open"}, {"state": there["state"]} if last else {}
            if trigger == "complete":
                why = self._acted("complete_task", {"id": self.id, "summary": where}, reached, matched)
            else:
                params = {"id": self.id, "trigger": trigger, "comment": where}
                why = self._acted("move_task", params, reached, matched)
            if why:
                return why
        return ""

    def _acted(self, action: str, params: Document, reached: Values, matched: Values) -> str:
        """Run an action; returns why not, empty when it was done.

        Args:
            action, params: what to run.
            reached: values here that are agreed on with it, in the same transaction.
            matched: those there.
        """
        place = self.place

        def agree(tx: Transaction, _outcome: Outcome) -> None:
            link = tx.get(LINKS, f"{place.name}/{self.id}")
            if link is not None:
                agreed = link["agreed"]
                both = {"here": {**agreed["here"], **reached}, "there": {**agreed["there"], **matched}}
                place.put_link(tx, self.id, {**link, "agreed": both})

        try:
            outcome = place.act(action, params, agree)
        except Conflict:
            raise
        except LlmgenieError as error:
            return f"{error.message} {error.hint}".strip()
        return "" if outcome.ok else reasons(outcome)

    def _send(self, merged: Merged, task: Document, issue: Issue) -> Values:
        """Change the issue as the task says; returns what it has now of what was sent."""
        place, values = self.place, dict(merged.there)
        if (login := values.get("assignee")) is not None and not place.tracker.assignable(login):
            del values["assignee"]
            text = f"{login} has {self.id}, and is nobody that {place.label(issue.number)} can be assigned to."
            place.say("skipped", text, task=self.id, issue=issue.number)
        if not values:
            return {}
        fields: Document = {name: values[name] for name in ("title", "state") if name in values}
        if "description" in values:
            fields["body"] = marked(values["description"], *markers(issue.body))
        if "labels" in values:
            chosen = {name.casefold() for name in place.settings.labels}
            fields["labels"] = [*(name for name in issue.labels if name.casefold() in chosen), *values["labels"]]
        if "assignee" in values:
            others = [one for one in issue.people[1:] if one != values["assignee"]]
            fields["people"] = [*([values["assignee"]] if values["assignee"] else []), *others]
        after = there_of(place.tracker.change(issue.number, fields), place.settings.labels)
        text = f"{place.label(issue.number)} from {task['id']}: {', '.join(values)}"
        place.say("told", text, task=self.id, issue=issue.number)
        return {name: after[name] for name in values}

    def _would(self, merged: Merged, issue: Issue) -> None:
        there = self.place.label(issue.number)
        told = [("taken", f"{self.id} would take from {there}: {', '.join(merged.here)}")] if merged.here else []
        told += [("told", f"{there} would get from {self.id}: {', '.join(merged.there)}")] if merged.there else []
        told += [("conflict", f"{lost.field} of {self.id}: {_side(lost)} would hold") for lost in merged.lost]
        told += [("conflict", f"{name} of {self.id} would stay apart: {why}") for name, why in merged.apart.items()]
        for what, text in told:
            self.place.say(what, text, task=self.id, issue=issue.number)


def reasons(outcome: Outcome) -> str:
    """Why an action was not done, and what would make it possible."""
    told = []
    for reason in outcome.reasons:
        fix = f" Next: run_action {reason.fix['action']}." if reason.fix and reason.fix.get("action") else ""
        told.append(f"{reason.message}{fix}")
    error = outcome.error or {}
    return " ".join(told) or f"{error.get('message', outcome.status)} {error.get('hint', '')}".strip()


def _other(link: Document, issue: Issue) -> bool:
    return bool(link.get("other") != dict(issue.other) or link.get("url") != issue.url)


def _side(lost: Lost) -> str:
    return "the tracker's" if lost.side == "here" else "llmgenie's"


def _told(lost: Lost) -> Document:
    return {"field": lost.field, "side": lost.side, "value": lost.value, "winner": lost.winner}


def _shown(value: Any) -> str:
    return shorten(value, 18_000) if isinstance(value, str) else str(value if value is not None else "nobody")
