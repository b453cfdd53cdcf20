"""Items into documents: links resolved, circles undone, and for each field whether the file's value or what is here counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmgenie_mcp.exchange import FOREIGN, IMPORTED, NOTED, Ledger, digest
from llmgenie_mcp.importers._cycles import closing
from llmgenie_mcp.importers._fields import MODELS, fit
from llmgenie_mcp.importers._ids import Ids, Key, made_at
from llmgenie_mcp.importers._items import Format, Item, Place, Reference
from llmgenie_mcp.importers._links import bring_links
from llmgenie_mcp.importers._report import Progress, Report
from llmgenie_mcp.outbox import LINKS
from llmgenie_mcp.outcome import Document, now
from llmgenie_mcp.storage import Transaction
from llmgenie_mcp.workflow import Workflow

ONCE = frozenset({"created_at", "updated_at"})
"""Taken from the file when a document is made, and never again."""
STATUS = "status"
STAYING = frozenset({STATUS, "instance"})
"""Of a session that is here: it goes on, whatever a file says."""
BY_ACTION = "Use claim_task, move_task or complete_task; or a person imports it: llmgenie import PATH."


class Merge:
    """One import into one transaction.

    Args:
        tx: the open transaction.
        form: the format.
        source: what is imported, by name.
        base: the project's folder.
        exported: what was last exported to where this comes from (`exchange.Ledger`).
        report: what is told.
        moves: whether tasks that are here may get another status.
    """

    def __init__(
        self,
        tx: Transaction,
        form: Format,
        source: str,
        base: Path,
        exported: Mapping[str, Any],
        report: Report,
        *,
        moves: bool = True,
    ) -> None:
        self._tx, self._form, self._source, self._report, self._moves = tx, form, source, report, moves
        self._exported = exported
        self._ids = Ids(tx, form, source, base, exported.get("ids") or {})
        self._found: dict[Key, str] = {}
        self._at = now()

    def bring(self, items: Sequence[Item]) -> None:
        """Write what is new and what changed; `items` are as `prepared` left them."""
        links = [item for item in items if item.table == LINKS]
        items = [item for item in items if item.table != LINKS]
        self._found = self._ids.assign(items, self._report)
        for item in items:
            self._link(item)
        self._undo_circles(items)
        for item in items:
            self._write(item)
        bring_links(self._tx, links, self._found, self._report, person=self._moves)

    # -- links -----------------------------------------------------------------------------------------------------------

    def _link(self, item: Item) -> None:
        if item.table == "tasks":
            fields, lost = item.fields, []
            found = [(ref, self._named("tasks", ref, item, "depends on")) for ref in item.waits_for]
            fields["dependencies"] = list(dict.fromkeys(id_ for _, id_ in found if id_))
            lost = [ref.key for ref, id_ in found if not id_]
            links = [(kind, ref, self._named("tasks", ref, item, kind)) for kind, ref in item.links]
            kept = [{"type": kind, "task": id_} for kind, _, id_ in links if id_]
            lost_links = [{"type": kind, "task": ref.key} for kind, ref, id_ in links if not id_]
            if kept or item.links:
                fields["links"] = kept
            if lost:
                item.foreign["unknown_dependencies"] = lost
            if lost_links:
                item.foreign["unknown_links"] = lost_links
            self._named_one(item, "parent", item.parent, "tasks")
            self._named_one(item, "roadmap_item", item.goal, "roadmap")
        if item.table in ("tasks", "lessons"):
            self._named_one(item, "session", item.session, "sessions")
        if item.table in ("sessions", "comments"):
            self._named_one(item, "task", item.parent, "tasks")

    def _named_one(self, item: Item, field: str, ref: Reference | None, table: str) -> None:
        if ref is None:
            return
        if field == "session" and (table, ref.key) not in self._found and ref.key not in self._ids.documents[table]:
            item.foreign["session"] = ref.key  # what is exported without its sessions
            return
        id_ = self._named(table, ref, item, f"names as its {field}")
        if id_ is None:
            item.foreign[f"unknown_{field}"] = ref.key
        else:
            item.fields[field] = id_

    def _named(self, table: str, ref: Reference, item: Item, verb: str) -> str | None:
        """The id of what is mentioned; None, and told, when there is no such thing."""
        id_ = self._found.get((table, ref.key)) or self._ids.known.get((table, ref.key))
        if id_ is None and self._form.own and ref.key in self._ids.documents[table]:
            id_ = ref.key
        if id_ is None:
            self._report.problem(
                ref.place,
                f"{item.key} {verb} {ref.key[:80]}, which is not there.",
                "It is kept with the task; when that comes in too, import again.",
            )
        elif table == item.table and id_ == self._found[item.table, item.key]:
            self._report.problem(ref.place, f"{item.key} {verb} itself.", "That is left out.")
            return None
        return id_

    def _undo_circles(self, items: Sequence[Item]) -> None:
        tasks = {self._found["tasks", item.key]: item for item in items if item.table == "tasks"}
        for field, verb in (("dependencies", "wait for"), ("parent", "be a part of")):
            stored = {id_: _several(task.get(field)) for id_, task in self._ids.documents["tasks"].items()}
            fresh: dict[str, list[str]] = {}
            for id_, item in tasks.items():
                there = self._ids.documents["tasks"].get(id_)
                value, _ = self._decide(item, there, field) if there else (item.fields.get(field), False)
                old = stored.pop(id_, [])
                stored[id_] = [to for to in old if to in _several(value)]
                fresh[id_] = [to for to in _several(value) if to not in old]
            for id_, to, way in closing(stored, fresh):
                item = tasks[id_]
                told = " → ".join([id_, *way])
                self._report.problem(
                    self._place_of(item, field, to),
                    f"{item.key} would {verb} itself: {told}.",
                    f"{to} is left out there.",
                )
                item.foreign.setdefault(f"circular_{field}", []).append(to)
                left = [other for other in _several(item.fields.get(field)) if other != to]
                item.fields[field] = left if field == "dependencies" else None

    def _place_of(self, item: Item, field: str, to: str) -> Place:
        refs = item.waits_for if field == "dependencies" else [item.parent] if item.parent else []
        places = (ref.place for ref in refs if self._found.get(("tasks", ref.key)) == to)
        return next(places, item.place)

    # -- fields ----------------------------------------------------------------------------------------------------------

    def _write(self, item: Item) -> None:
        id_ = self._found[item.table, item.key]
        there = self._ids.documents[item.table].get(id_)
        if there is None:
            self._make(item, id_)
            return
        document, updated, kept, held = dict(there), list[str](), False, False
        for name in self._tracked(item, there):
            value, mine = self._decide(item, there, name)
            if self._stays_put(item, name, value, there):
                self._report.problem(
                    item.place, f"{id_} stays {there['status']}: no agent moves it by an import.", BY_ACTION
                )
                held = True
            elif mine:
                self._report.stayed(item, id_, name)
                kept = True
            elif value != _at(document, name):
                _put(document, name, value)
                updated.append(name)
        said = [name for name in updated if not self._only_noted(item, there, name)]
        origin = self._origin(item)
        if held:  # what the file says of it is still to be taken over
            fields, known = origin["fields"], self._base(item, there)[1]
            origin["fields"] = {**fields, STATUS: known.get(STATUS, digest(there[STATUS]))}
        if said:
            document["updated_at"] = now()
            self._report.changed(item, id_, _title(document), said)
        else:
            self._report.unchanged += 1
        if updated or kept or not _same_origin(origin, self._known_origin(there), own=self._form.own):
            document[IMPORTED] = {**(there.get(IMPORTED) or {}), self._form.origin: origin}
            self._tx.put(item.table, id_, document)
            self._report.touched = True

    def _stays_put(self, item: Item, name: str, value: Any, there: Document) -> bool:
        """Whether a task would be moved past its workflow and the policies, by one whom both bind."""
        return not self._moves and item.table == "tasks" and name == STATUS and value != there[STATUS]

    def _only_noted(self, item: Item, there: Document, name: str) -> bool:
        """Whether nothing changed but how the file words it."""
        if name != f"{FOREIGN}.{self._form.origin}":
            return False
        old = _at(there, name) or {}
        return all(old.get(part) == item.foreign.get(part) for part in {*old, *item.foreign} - NOTED)

    def _make(self, item: Item, id_: str) -> None:
        fields = {name: value for name, value in item.fields.items() if name != FOREIGN}
        if item.table == "sessions":
            fields["status"] = "finished"
            if item.status != "finished":
                item.note(f"Session {item.key} was {item.status}: it comes in as finished.")
        model = MODELS.get(item.table)
        if model is not None:
            fields = model(
                id=id_, **{k: v for k, v in fields.items() if v is not None or k not in model.model_fields}
            ).model_dump()
        else:
            fields = fields if "at" in fields else {"created_at": now(), **fields}
        if FOREIGN in item.fields:
            fields[FOREIGN] = item.fields[FOREIGN]
        if item.foreign:
            fields[FOREIGN] = {**(fields.get(FOREIGN) or {}), self._form.origin: item.foreign}
        fields[IMPORTED] = {**fields.get(IMPORTED, {}), self._form.origin: self._origin(item)}
        self._tx.put(item.table, id_, fields)
        self._report.touched = True
        self._report.made(item, id_, _title(fields))

    def _tracked(self, item: Item, there: Document) -> list[str]:
        """The fields that are compared: those of the file, and those that it had when it was last read."""
        names = [name for name in item.fields if name not in ONCE]
        names += [f"{FOREIGN}.{self._form.origin}"] if item.foreign else []
        _, base = self._base(item, there)
        more = [name for name in base if name not in names and name not in ONCE]
        return [name for name in (*names, *more) if not (item.table == "sessions" and name in STAYING)]

    def _decide(self, item: Item, there: Document, name: str) -> tuple[Any, bool]:
        """The value that a field gets, and whether it is what is here although the file says something new too."""
        theirs, ours = self._theirs(item, name), _at(there, name)
        new, here = digest(theirs), digest(ours)
        if new == here:
            return ours, False
        known, base = self._base(item, there)
        if not known:
            return ours, True  # nothing tells who changed it
        common = base.get(name) or digest(self._default(item, name))
        if new == common:
            return ours, False
        return (theirs, False) if here == common else (ours, True)

    def _theirs(self, item: Item, name: str) -> Any:
        if name == f"{FOREIGN}.{self._form.origin}":
            return item.foreign or None
        return item.fields[name] if name in item.fields else self._default(item, name)

    def _default(self, item: Item, name: str) -> Any:
        model = MODELS.get(item.table)
        info = model.model_fields.get(name) if model else None
        return info.get_default(call_default_factory=True) if info is not None and not info.is_required() else None

    def _known_origin(self, there: Document | None) -> Document:
        origin = ((there or {}).get(IMPORTED) or {}).get(self._form.origin)
        return origin if isinstance(origin, dict) else {}

    def _base(self, item: Item, there: Document) -> tuple[bool, Mapping[str, str]]:
        """The digests of what both sides last had in common: when it was imported, or exported, whichever was later.

        The first tells whether anything is known of that.
        """
        origin = self._known_origin(there)
        exported = (self._exported.get("fields") or {}).get(f"{item.table}/{there['id']}")
        if exported is not None and str(self._exported.get("at", "")) > str(origin.get("at", "")):
            return True, {**(origin.get("fields") or {}), **exported}
        return bool(origin), origin.get("fields") or {}

    def _origin(self, item: Item) -> Document:
        names = [name for name in item.fields if name not in ONCE] + (
            [f"{FOREIGN}.{self._form.origin}"] if item.foreign else []
        )
        return {
            "id": item.key,
            "from": self._source,
            "at": self._at,
            **({"made": made_at(item.fields)} if self._form.own else {}),
            "fields": {name: digest(self._theirs(item, name)) for name in names},
        }


def prepared(
    items: Sequence[Item], form: Format, workflow: Workflow, report: Report, progress: Progress | None = None
) -> list[Item]:
    """The items as they can be stored, each with a key of its own. Needs no transaction, and takes the most time.

    Args:
        items: as they were read.
        form: the format.
        workflow: of tasks.
        report: what is told.
        progress: called as progress(done, total, message).
    """
    items = _apart(items, report)
    for number, item in enumerate(items):
        if progress is not None and number % 250 == 249:
            progress(number + 1, len(items), f"checked {number + 1:,} of {len(items):,}")
        fit(item, report, workflow, own=form.own)
    return items


def _apart(items: Sequence[Item], report: Report) -> list[Item]:
    """Items of one key get keys of their own, so that none is lost."""
    seen: dict[Key, Item] = {}
    numbers: Counter[Key] = Counter()
    for item in items:
        if not item.key:
            report.problem(item.place, "This has no id.", "It came in under a new one.")
            item.key, item.wanted = "(no id)", None
        if (first := seen.get((item.table, item.key))) is not None:
            number = 2 + numbers[item.table, item.key]
            while (item.table, f"{item.key}#{number}") in seen:
                number += 1
            numbers[item.table, item.key] = number - 1
            report.problem(
                item.place,
                f"{item.key} is there twice; the first is at {first.place}.",
                f"This one came in by itself as {item.key}#{number}; what names {item.key} means the first.",
            )
            item.key, item.wanted = f"{item.key}#{number}", None
        seen[item.table, item.key] = item
    return list(seen.values())


def exported_to(store: Path, *paths: Path) -> Mapping[str, Any]:
    """What was last exported to the first of `paths` that an export wrote; an empty mapping when none did."""
    ledger = Ledger(store)
    return next(filter(None, (ledger.covering(path.resolve()) for path in paths)), {})


def _several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _title(document: Mapping[str, Any]) -> str:
    value = document.get("value")
    return str(
        document.get("title")
        or (value.get("title") if isinstance(value, dict) else "")
        or document.get("role")
        or document.get("author")
        or ""
    )


def _at(document: Mapping[str, Any], name: str) -> Any:
    first, _, rest = name.partition(".")
    value = document.get(first)
    return value.get(rest) if rest and isinstance(value, dict) else None if rest else value


def _put(document: Document, name: str, value: Any) -> None:
    first, _, rest = name.partition(".")
    if not rest:
        document[first] = value
        return
    parts = {**(document.get(first) or {})}
    if value is None:
        parts.pop(rest, None)
    else:
        parts[rest] = value
    if parts:
        document[first] = parts
    else:
        document.pop(first, None)


def _same_origin(new: Document, old: Document, *, own: bool) -> bool:
    """Whether nothing is to be noted anew; an import of what was exported here is no origin to note."""
    if own and not old:
        return True
    return {k: v for k, v in new.items() if k != "at"} == {k: v for k, v in old.items() if k != "at"}
