"""llmgenie's own export as JSON: everything in one document, a line for each document in it."""

from __future__ import annotations

import json
from typing import Any

from llmgenie_mcp.exchange import MARK
from llmgenie_mcp.exporters._content import TABLES, Content, Exported, Format

VERSION = 1


def _write(content: Content) -> Exported:
    parts = [f'"{MARK}":{_line({"export": VERSION, "project": content.project})}']
    made = Exported()
    for table in TABLES:
        documents = content.tables[table]
        listed = ",\n".join(map(_line, documents))
        parts.append(f'"{table}":[\n{listed}\n]' if documents else f'"{table}":[]')
        made.fields.update({f"{table}/{document['id']}": document for document in documents})
    made.files["llmgenie.json"] = ("{" + ",\n".join(parts) + "}\n").encode()
    return made


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


FORMAT = Format("json", "Everything in one document", _write)
