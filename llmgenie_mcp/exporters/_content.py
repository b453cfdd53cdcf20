"""What is exported: the project's documents without secrets, and what an export is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.exchange import IMPORTED, NOTED
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import Document
from llmgenie_mcp.redact import redact
from llmgenie_mcp.workflow import Workflow

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine

TABLES = ("tasks", "roadmap", "notes", "lessons", "comments", "links", "opinions", "instances", "sessions")


@dataclass(frozen=True)
class Content:
    """A project's documents, by table, in the order in which they were made.

    Attributes:
        project: its name.
        tables: the documents, without what only this store knows.
        workflow: of tasks.
    """

    project: str
    tables: Mapping[str, list[Document]]
    workflow: Workflow

    @classmethod
    def of(cls, engine: Engine) -> Content:
        """Of a project as it is now."""
        tables = {table: list(map(_shown, engine.storage.query(table).items)) for table in TABLES}
        return cls(engine.project.name, tables, engine.definitions.workflows["task"])

    @property
    def tasks(self) -> list[Document]:
        """The tasks."""
        return self.tables["tasks"]


def _shown(document: Document) -> Document:
    shown: Document = redact({name: value for name, value in document.items() if name != IMPORTED})
    return shown


@dataclass
class Exported:
    """An export.

    Attributes:
        files: bytes by name, below the output folder; of a format of one file, under the name that the tool gives it.
        fields: by `table/id`, the fields as the export words them, for telling later what was changed in it.
        ids: by the key that a document has in it, its id.
        lost: what the format cannot say, a sentence each.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    fields: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text of the only file."""
        return next(iter(self.files.values())).decode()


@dataclass(frozen=True, slots=True)
class Format:
    """A format that can be written.

    Attributes:
        name: as `--format` takes it.
        title: what it is.
        write: content → export.
        folder: it is several files.
    """

    name: str
    title: str
    write: Callable[[Content], Exported]
    folder: bool = False


def foreign_of(document: Mapping[str, Any], name: str) -> Document:
    """What a tool itself knows of a task that once came from it."""
    known = (document.get("foreign") or {}).get(name) if isinstance(document.get("foreign"), dict) else None
    return known if isinstance(known, dict) else {}


def worded(task: Mapping[str, Any], *names: str, **otherwise: Any) -> Document:
    """The fields of a task that a format can say, those as given that it says otherwise."""
    return {**{name: task.get(name) for name in names}, **otherwise}


def given_back(foreign: Mapping[str, Any]) -> Document:
    """The tool's own fields."""
    return {k: v for k, v in foreign.items() if k not in NOTED and not k.startswith(("unknown_", "circular_"))}
