"""A store as the model sees one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def seen(storage: Any) -> dict[str, Any]:
    """What `Model.view` says, of a store."""

    def rows(table: str) -> Iterator[dict[str, Any]]:
        return iter(storage.query(table).items)

    instances = {row["id"]: row["state"] for row in rows("instances")}
    return {
        "lines": storage.last_seq(),
        "mode": instances.pop("modes", "discuss"),
        "tasks": {
            row["id"]: {
                **{name: row[name] for name in ("title", "status", "priority", "session", "version")},
                "deps": row["dependencies"],
            }
            for row in rows("tasks")
        },
        "sessions": {
            row["id"]: {**{name: row[name] for name in ("status", "mode", "task")}, "review": row["instance"]}
            for row in rows("sessions")
        },
        "notes": {row["id"]: (row["value"], row["version"]) for row in rows("notes")},
        "reviews": instances,
        "roadmap": {row["id"]: {name: row[name] for name in ("title", "version")} for row in rows("roadmap")},
        "runs": {row["id"]: row["status"] for row in rows("runs")},
        "approvals": {row["id"]: row["status"] for row in rows("approvals")},
        "lessons": storage.query("lessons").total,
        "keys": sorted(row["id"] for row in rows("idempotency")),
        "receipts": storage.query("receipts").total,
    }
