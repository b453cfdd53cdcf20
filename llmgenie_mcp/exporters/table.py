"""Tasks as CSV (RFC 4180), for spreadsheets."""

from __future__ import annotations

import csv
import io
from typing import Any

from llmgenie_mcp.exporters._content import Content, Exported, Format

COLUMNS = (
    *("id", "title", "status", "priority", "assignee", "labels", "dependencies", "parent", "roadmap_item"),
    *("created_at", "updated_at", "description", "summary"),
)


def _write(content: Content) -> Exported:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(task.get(name)) for name in COLUMNS] for task in content.tasks)
    return Exported({"tasks.csv": out.getvalue().encode()})


def _cell(value: Any) -> str:
    """A spreadsheet runs a cell that begins like a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text.replace("\0", "")


FORMAT = Format("csv", "Tasks as a table", _write)
