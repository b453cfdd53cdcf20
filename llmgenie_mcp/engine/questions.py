"""What may be asked of an Engine: definitions, what is, what may be done. Nothing here changes anything."""

from __future__ import annotations

import threading
from functools import partial

from llmgenie_mcp import contextdata
from llmgenie_mcp.engine import answers, elsewhere, overview
from llmgenie_mcp.engine.definitions import Definitions, load, mark_of
from llmgenie_mcp.engine.situation import Situation, StoreReader, World
from llmgenie_mcp.engine.telemetry import Observed, observed
from llmgenie_mcp.loader.catalog import Catalog
from llmgenie_mcp.project import Project
from llmgenie_mcp.records import Actor, Document, Outcome
from llmgenie_mcp.storage import Storage

AGENT = Actor()


class Questions(Observed):
    """The reading half of the Engine.

    Attributes:
        project: the project as resolved.
        storage: its store.
    """

    def __init__(self, project: Project, storage: Storage) -> None:
        super().__init__()
        self.project = project
        self.storage = storage
        self._definitions: Definitions | None = None
        self._lock = threading.Lock()

    @property
    def definitions(self) -> Definitions:
        """What is in force now; loaded again when a file behind it changed."""
        with self._lock:
            known = self._definitions
            if known is None or known.mark != mark_of(self.project.store):
                self._definitions = known = load(self.project)
            return known

    @property
    def catalog(self) -> Catalog:
        """Workflows and policies with their origin."""
        return self.definitions.catalog

    @observed
    def policy(self, name: str) -> Document:
        """A policy with its rules and origin. Raises UnknownName."""
        return overview.policy(self.definitions, name)

    def policies(self) -> list[Document]:
        """Name, level, origin and description of every policy."""
        return overview.policies(self.definitions)

    def enforcement_status(self) -> Document:
        """Which policies are in force, and what keeps enforcement from being complete."""
        definitions = self.definitions
        known = (*definitions.catalog.notes, *self._warnings())
        return answers.enforcement(answers.enforced(definitions), known, definitions.trusted, self.project)

    def action_schema(self, name: str) -> Document:
        """JSON Schema of an action's parameters. Raises UnknownName."""
        return self.definitions.action(name).params.model_json_schema()

    @observed
    def available_actions(
        self,
        context: str | None = None,
        session: str | None = None,
        include_blocked: bool = False,
        query: str | None = None,
        limit: int = 50,
    ) -> Document:
        """What may be done.

        Args:
            context: a mode, a workflow, `workflow/state` or an instance id; None for where the caller is now.
            session: the caller's session id.
            include_blocked: also list what may not be done, with the reasons.
            query: words to search names and descriptions for; the best come first, with their schema.
            limit: at most this many.

        Raises:
            UnknownName: no such context or session.
        """
        definitions = self.definitions
        situation = self._now(session, definitions=definitions)
        label = overview.place(situation, context)
        return overview.available(definitions, situation, label, include_blocked, query, limit)

    @observed
    def workflow_state(self, session: str | None = None) -> Document:
        """Where things stand: project, mode, session, open instances with their next triggers, pending approvals.

        Raises:
            UnknownName: no such session.
        """
        definitions = self.definitions
        return overview.state(definitions, self._now(session, definitions=definitions), self._warnings())

    @observed
    def context_data(
        self,
        key: str,
        query: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        *,
        actor: Actor = AGENT,
    ) -> Document:
        """Documents by key; see `contextdata.read`. What is under `upstream` is another server's: see `elsewhere.read`.

        `actor` is who has another server asked.
        """
        if elsewhere.is_meant(key):
            return elsewhere.read(self.definitions, partial(self._run, actor=actor), key, query, limit, cursor)
        self.storage.refresh()
        return contextdata.read(self.storage, key, query, limit, cursor)

    def _run(self, action: str, params: Document, *, actor: Actor) -> Outcome:
        """Run an action in no session; the Engine can."""
        raise NotImplementedError

    def complete_key(self, prefix: str) -> list[str]:
        """Context keys that start with `prefix`, at most 100."""
        self.storage.refresh()
        return contextdata.complete(self.storage, prefix)

    def open_actions(self, session: str | None = None) -> tuple[str, ...]:
        """Names of the actions that the present states open; guards and policies are looked at when one is run."""
        definitions = self.definitions
        return definitions.open_actions(self._now(session, definitions=definitions))

    def situation(self, session: str | None = None, *, actor: Actor = AGENT) -> Situation:
        """Everything known now, for whoever asks; see `engine.situation`. Raises UnknownName: no such session."""
        return self._now(session, actor)

    def _now(self, session: str | None, actor: Actor = AGENT, *, definitions: Definitions | None = None) -> Situation:
        """The situation as of what was committed last, by `definitions` or those in force."""
        self.storage.refresh()
        return (definitions or self.definitions).situation(
            self.project, StoreReader(self.storage), session, actor, World()
        )

    def _warnings(self) -> list[str]:
        return [*getattr(self.storage, "warnings", [])]
