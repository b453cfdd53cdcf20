"""Any history of calls gives what a plain dict would give, on every backend, however often it is opened again."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from backends import BACKENDS, make_backend
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from llmgenie_mcp.errors import Conflict

KEYS = st.sampled_from(["T-1", "T-2", "T-3", "Ü\n-9"])
TABLES = st.sampled_from(["tasks", "notes"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    SCALARS | TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(["a", "b", "status", "version"]), VALUES | st.sampled_from(["x", "y"]), max_size=3
)


class Model(RuleBasedStateMachine):
    kind = "memory"

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.backend = make_backend(self.kind, self.folder / "store")
        self.store: Any = self.backend.open()
        self.span: Any = None
        self.tables: dict[str, dict[str, Any]] = {"tasks": {}, "notes": {}}
        self.log: list[Any] = []
        self.given: set[str] = set()

    def teardown(self) -> None:
        if self.span is not None:
            self.span.__exit__(None, None, None)
        assert self.store.verify().ok
        self.backend.close()
        shutil.rmtree(self.folder)

    @precondition(lambda self: self.span is None)
    @rule()
    def begin(self) -> None:
        self.span = self.store.begin()
        self.transaction = self.span.__enter__()
        self.draft = {table: dict(rows) for table, rows in self.tables.items()}
        self.drawn: set[str] = set()

    @precondition(lambda self: self.span is not None)
    @rule(table=TABLES, key=KEYS, document=DOCUMENTS, expected=st.none() | st.integers(0, 3))
    def put(self, table: str, key: str, document: dict[str, Any], expected: int | None) -> None:
        rows = self.draft[table]
        version = rows[key]["version"] if key in rows else 0
        if expected is not None and expected != version:
            with pytest.raises(Conflict):
                self.transaction.put(table, key, document, expected_version=expected)
            return
        stored = self.transaction.put(table, key, document, expected_version=expected)
        rows[key] = {**document, "id": key, "version": version + 1}
        assert stored == rows[key]

    @precondition(lambda self: self.span is not None)
    @rule(table=TABLES, key=KEYS)
    def delete(self, table: str, key: str) -> None:
        assert self.transaction.delete(table, key) is (self.draft[table].pop(key, None) is not None)

    @precondition(lambda self: self.span is not None)
    @rule(table=TABLES, key=KEYS, status=st.sampled_from(["x", "y"]))
    def read_inside(self, table: str, key: str, status: str) -> None:
        assert self.transaction.get(table, key) == self.draft[table].get(key)
        assert self.transaction.query(table) == list(self.draft[table].values())
        wanted = [row for row in self.draft[table].values() if row.get("status") == status]
        assert self.transaction.query(table, {"status": status}) == wanted

    @precondition(lambda self: self.span is not None)
    @rule()
    def next_id(self) -> None:
        key = self.transaction.next_id("T")
        taken = {key for rows in (*self.draft.values(), *self.tables.values()) for key in rows}
        assert key not in self.given | self.drawn | taken
        self.drawn.add(key)

    @precondition(lambda self: self.span is not None)
    @rule(entry=st.dictionaries(st.sampled_from(["actor", "why"]), VALUES))
    def commit(self, entry: dict[str, Any]) -> None:
        seq = self.transaction.commit({"type": "test", **entry})
        self.log.append((seq, entry))
        assert seq == len(self.log)
        self.tables = self.draft
        self.given |= self.drawn
        self.leave()

    @precondition(lambda self: self.span is not None)
    @rule()
    def leave(self) -> None:
        self.span.__exit__(None, None, None)
        self.span = None

    @precondition(lambda self: self.span is None and self.backend.durable)
    @rule(checkpoint=st.booleans())
    def open_again(self, checkpoint: bool) -> None:
        if checkpoint:
            self.store.close()
        self.store = self.backend.open()

    @precondition(lambda self: self.span is None)
    @rule()
    def write_the_checkpoint(self) -> None:
        self.store.checkpoint()

    @precondition(lambda self: self.span is None and self.backend.durable)
    @rule()
    def lose_the_checkpoint(self) -> None:
        (self.folder / "store/db.json").unlink(missing_ok=True)

    @invariant()
    def reads_are_those_of_the_model(self) -> None:
        for table, rows in self.tables.items():
            assert self.store.query(table).items == list(rows.values())
            for key in ("T-1", "Ü\n-9"):
                assert self.store.get(table, key) == rows.get(key)
            page = self.store.query(table, {"status": "x"}, limit=1)
            wanted = [row for row in rows.values() if row.get("status") == "x"]
            assert (page.items, page.total) == (wanted[:1], len(wanted))

    @invariant()
    def the_log_is_that_of_the_model(self) -> None:
        last = self.store.log(limit=3, newest_first=True)
        assert [line["seq"] for line in last.items] == [seq for seq, _ in self.log[:-4:-1]]
        assert last.total == self.store.last_seq() == len(self.log)
        for line, (_, entry) in zip(last.items, self.log[:-4:-1], strict=True):
            assert {name: line[name] for name in entry} == entry


@pytest.mark.parametrize("kind", list(BACKENDS))
def test_a_store_is_what_a_plain_dict_would_be(kind: str) -> None:
    machine = type("Machine", (Model,), {"kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
