"""The guard: decides what agents do outside llmgenie's own actions, at every point where they can be stopped.

Server, hook and git hook ask the same guard, so that one set of policies holds everywhere. It is light to import; the
policies come from the Engine's definitions, or from what `compiled` kept of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import redact
from llmgenie_mcp.engine.lines import commit, entry
from llmgenie_mcp.engine.made import MAKERS, was_made
from llmgenie_mcp.engine.resources import resource_of
from llmgenie_mcp.engine.situation import ActionContext, Situation, StoreReader, World, request_of, situation_in
from llmgenie_mcp.engine.spreading import spread
from llmgenie_mcp.engine.ways import with_ways
from llmgenie_mcp.errors import StorageError
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.operations import READING, Operation
from llmgenie_mcp.outbox import Routes
from llmgenie_mcp.outcome import Actor, Document
from llmgenie_mcp.policy import Decision, Reason
from llmgenie_mcp.project import Project, git_top
from llmgenie_mcp.repository import HEADS, refs_in, repository_folders
from llmgenie_mcp.storage import Storage

if TYPE_CHECKING:
    from llmgenie_mcp.config import Settings
    from llmgenie_mcp.policy import PolicySet
    from llmgenie_mcp.rules import Effect
    from llmgenie_mcp.workflow import Workflow

HARMLESS = frozenset({"shell", "network", "mcp.call", *READING})
"""What goes on while the project's own definitions cannot be read."""
TRACED = frozenset(
    {"git.push", "git.push_tag", "git.commit", "git.merge", "git.reset", "git.rebase", "git.branch_delete", "git.tag"}
    | {"git.discard", "file.delete", "package.publish"}
)
"""What stands in the meta-log although it was allowed."""
DETACHED = "HEAD"
"""Stands for the branch where HEAD is detached: git lets no branch have that name, and what is done there moves none."""
HIDDEN = "It holds a secret, so more is not said."
_RANK: dict[str, int] = {"deny": 0, "ask": 1, "allow": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One operation and what the policies say to it."""

    operation: Operation
    resource: Document
    decision: Decision


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the policies say to everything that one event would do.

    Attributes:
        effect: that of the strictest finding.
        findings: one for each operation, the strictest first.
        situation: as of the strictest finding.
    """

    effect: Effect
    findings: tuple[Finding, ...]
    situation: Situation

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What stands against it, each rule and message once, the strictest first."""
        found: dict[tuple[str, str, str], Reason] = {}
        for finding in self.findings:
            for reason in finding.decision.reasons:
                found.setdefault((reason.policy, reason.rule, reason.message), reason)
        return tuple(sorted(found.values(), key=lambda reason: _RANK[reason.effect]))

    @property
    def audit(self) -> tuple[Reason, ...]:
        """What policies of level audit would have said against it."""
        return tuple(reason for finding in self.findings for reason in finding.decision.audit)


def _nothing() -> None:
    return None


@dataclass(slots=True)
class Guard:
    """Decides operations in one project.

    Attributes:
        project, storage: where, and its memory.
        policies: in force.
        initial_mode: the mode of a project that no session has set one for.
        trusted: whether a person accepted the project's own definitions.
        workflows, settings: the project's, where they are loaded anyway.
        broken: why the project's own definitions cannot be read; then the packaged policies are in force.
        closed: whether what is broken may hold a critical policy: nothing that changes anything passes then.
        committed: called after every line written to the meta-log.
        routes: who waits for which events.
    """

    project: Project
    storage: Storage
    policies: PolicySet
    initial_mode: str
    trusted: bool
    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    settings: Settings | None = None
    broken: str = ""
    closed: bool = False
    committed: Callable[[], None] = _nothing
    routes: Routes = ()

    def judge(
        self,
        operations: Iterable[Operation],
        *,
        actor: Actor,
        folder: Path | None = None,
        session: str | None = None,
        only: str | None = None,
    ) -> Ruling:
        """What the policies say to `operations`, all of them together. Writes nothing.

        Args:
            operations: what is about to be done; an empty list is allowed.
            actor: who.
            folder: where the actor is; the project's folder when left out.
            session: the session it belongs to; None: outside any.
            only: one policy's name; None for all that apply.

        Raises:
            UnknownName: no such session or policy. StorageError.
        """
        self.storage.refresh()
        folder, world = folder or self.project.root, World()
        base = self._situation(session, actor, world)
        findings: list[tuple[Finding, Situation]] = []
        seen: set[tuple[str, str]] = set()
        places: dict[str | None, Path] = {}
        for operation in spread(operations, folder):
            if operation.folder not in places:
                places[operation.folder] = _place(folder, operation, self.project.root)
            situation = replace(base, place=places[operation.folder])
            finding = self._decide(situation, operation, folder, only)
            mark = (operation.name, repr(finding.resource))
            if mark not in seen:
                seen.add(mark)
                findings.append((finding, situation))
        findings.sort(key=lambda pair: _RANK[pair[0].decision.effect])
        if not findings:
            return Ruling("allow", (), base)
        effect = findings[0][0].decision.effect
        return Ruling(effect, tuple(finding for finding, _ in findings), findings[0][1])

    def record(self, ruling: Ruling, effect: str, *, host: str, event: str, command: str = "") -> str:
        """Write a ruling to the meta-log when it is worth a line there; returns why that could not be done, or "".

        Args:
            ruling: what was decided.
            effect: what came of it at this point: an `ask` that nobody can be asked there is denied.
            host, event: the point.
            command: the whole of what was asked for; secrets are taken out.
        """
        kind = {"deny": "operation.denied", "ask": "operation.asked"}.get(effect, "operation.allowed")
        told = [finding for finding in ruling.findings if finding.decision.reasons or finding.operation.name in TRACED]
        if effect == "allow" and not told and not ruling.audit:
            return ""
        told = told or list(ruling.findings[:1])
        first = told[0]
        try:
            with self.storage.begin() as tx:
                ctx = ActionContext(ruling.situation, tx, routes=self.routes)
                line = entry(
                    kind,
                    first.operation.name,
                    ctx,
                    first.resource,
                    host=host,
                    event=event,
                    command=command or None,
                    operations=[{"name": f.operation.name, **_brief(f.resource)} for f in told[1:20]],
                    reasons=[_line_of(reason) for reason in ruling.reasons],
                    audit=[_line_of(reason) for reason in ruling.audit],
                )
                commit(ctx, line, self.storage.last_seq() + 1)
        except StorageError as error:
            return error.message
        self.committed()
        return ""

    def _situation(self, session: str | None, actor: Actor, world: World) -> Situation:
        return situation_in(
            self.project,
            StoreReader(self.storage),
            session,
            actor,
            world,
            settings=self.settings,
            workflows=self.workflows,
            trusted=self.trusted,
            initial_mode=self.initial_mode,
        )

    def _decide(self, situation: Situation, operation: Operation, folder: Path, only: str | None) -> Finding:
        name = operation.name
        situation.action, situation.params, situation.changes = name, dict(operation.params), name not in READING
        resource = resource_of(situation, name, operation.params, base=folder)
        if operation.folder is None and not operation.params.get("branch"):
            resource.pop("branch", None)  # git acts in a folder that is not known, so its branch is not either
        elif operation.params.get("branch") == "" and situation.fact("git.branch") is None:
            resource["branch"] = DETACHED
        if name == "git.commit":
            resource["first"] = _is_first(situation.folder)
        if name in MAKERS:
            resource["reviewed"] = was_made(self.storage, situation.folder, name, resource)
        situation.resource = resource
        decision = self.policies.decide(request_of(self.policies, situation), only=only)
        if situation.fact("action.secrets"):
            resource = resource_of(situation, name, redact.redact(situation.params), base=folder)
            decision = self._without_secrets(replace(situation, resource=resource), decision, only)
        if decision.effect != "allow":
            decision = with_ways(decision, name, resource)
        if self.closed and name not in HARMLESS and decision.effect != "deny":
            decision = replace(decision, effect="deny", reasons=(_closed(self.broken), *decision.reasons))
        return Finding(operation, resource, decision)

    def _without_secrets(self, shown: Situation, decision: Decision, only: str | None) -> Decision:
        """The same decision in words that repeat no secret; they are cut to size, so a part of one would not be known as one.

        Args:
            shown: with the resource without its secrets.
            decision: made on the whole.
            only: as it was made.
        """
        again = self.policies.decide(request_of(self.policies, shown), only=only)
        said = {(reason.policy, reason.rule): reason for reason in (*again.reasons, *again.audit)}

        def told(reason: Reason) -> Reason:
            clean = said.get((reason.policy, reason.rule))
            return replace(reason, message=clean.message if clean else HIDDEN, fix=clean.fix if clean else None)

        reasons, audit = (tuple(map(told, found)) for found in (decision.reasons, decision.audit))
        return replace(decision, reasons=reasons, audit=audit)


def _is_first(folder: Path) -> bool:
    """Whether a repository has no branch yet: its first commit has to go somewhere."""
    place = repository_folders(folder)
    refs = refs_in(place[1]) if place else None
    return refs is not None and not any(ref.startswith(HEADS) for ref in refs)


def _closed(broken: str) -> Reason:
    return Reason(
        policy="definitions",
        rule="cannot-be-read",
        effect="deny",
        code="rule_erred",
        message=f"The project's own definitions cannot be read, so nothing is changed until a person mends them: {broken}",
    )


def _line_of(reason: Reason) -> Document:
    """A reason as the meta-log keeps it."""
    return {"code": reason.code, "rule": f"{reason.policy}/{reason.rule}", "message": reason.message}


def _brief(resource: Mapping[str, Any]) -> Document:
    return {name: value for name, value in resource.items() if value not in (None, False, "", []) and name != "type"}


def _place(folder: Path, operation: Operation, root: Path) -> Path:
    """The checkout that an operation is about: that of the folder git acts in, else the one the actor is in."""
    where = Path(os.path.normpath(folder / operation.folder)) if operation.folder else folder
    return git_top(where) or git_top(folder) or (root if root in (folder, *folder.parents) else folder)


__all__ = ["HARMLESS", "TRACED", "Finding", "Guard", "Ruling"]
