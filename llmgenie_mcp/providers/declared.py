"""The actions that a project declares without code, `.llmgenie/actions/*.yaml`; nothing is run for knowing them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from llmgenie_mcp.config import Settings
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.plugins import Action, provider
from llmgenie_mcp.records import Document, Refusal

if TYPE_CHECKING:
    from llmgenie_mcp.declared import ActionFile
    from llmgenie_mcp.engine.situation import ActionContext, Situation
    from llmgenie_mcp.upstream.schema import ToolParams

UNFINISHED = ("interrupted", "failed", "cancelled", "timeout")
"""How a run may have ended that can be gone on with."""


@provider("declared", mark=lambda _store: ())  # its files are among those that every project's mark is made of
def declared_actions(store: Path | None, _settings: Settings, trusted: bool) -> Iterator[Action]:
    """An action for every file."""
    if store is None or not (store / "actions").is_dir():
        return
    from llmgenie_mcp.loader.declared import readable

    for found in readable(store):
        yield _Declared(found, trusted).action()


@dataclass(frozen=True, slots=True)
class _Declared:
    """One file as an action."""

    file: ActionFile
    trusted: bool

    def action(self) -> Action:
        """The action. It holds no lock while it runs, for each of its steps takes its own."""
        file = self.file
        return Action(
            file.name,
            file.description,
            params_of(file, patterns=self.trusted),
            self.run,
            slow=True,
            destructive=file.destructive,
            resource=self.resource,
            ready=self.ready,
            begin=self.begin,
        )

    def resource(self, _situation: Situation, _params: object) -> Document:
        """What policies see."""
        return {"type": "declared", "id": self.file.name, "destructive": self.file.destructive}

    def ready(self, situation: Situation, params: ToolParams | None) -> Refusal | None:
        """Why it may not be run: nobody accepted it, this is no mode for it, or there is nothing to go on with."""
        name = self.file.name
        if not situation.trusted:
            message = "A person has not accepted this project's own definitions yet. In a terminal: llmgenie trust"
            return Refusal("not_trusted", "trust", f"{message} --project {situation.project.root}", {"trusted": False})
        modes = self.file.modes
        if modes and situation.actor.kind == "agent" and situation.mode not in modes:
            fix = {"action": "switch_mode", "params": {"mode": modes[0]}}
            message = f"{name} is not open in mode {situation.mode}; it is in {', '.join(modes)}."
            return Refusal("not_open_here", f"actions.{name}", message, {"context.mode": situation.mode}, fix)
        resumed = resumed_by(params)
        run = situation.reader.get("runs", resumed) if resumed is not None else None
        if resumed is not None and (why := self._unresumable(run)) is not None:
            return Refusal("no_transition", f"actions.{name}.resume", f"{resumed}: {why}")
        return None

    def _unresumable(self, run: Document | None) -> str | None:
        """Why a run cannot be gone on with, for people; None when it can."""
        if run is None or run["action"] != self.file.name:
            return f"there is no such run of {self.file.name}."
        if run["status"] not in UNFINISHED:
            return f"it is {run['status']}; only one that broke off is gone on with."
        if run.get("definition") != self.mark:
            return f"{self.file.name} was changed since it stopped; run it anew."
        if run.get("given") is None:
            return "its parameters held a secret and were not kept; repeat the request with its idempotency key."
        return None

    @property
    def mark(self) -> str:
        """Differs when the definition does."""
        return hashlib.sha256(self.file.model_dump_json().encode()).hexdigest()[:32]

    def begin(self, ctx: ActionContext, params: ToolParams) -> None:
        """What the Run keeps from the start: what was asked for, and the steps done before.

        Raises:
            UsageError: the run cannot be gone on with.
        """
        from llmgenie_mcp import redact
        from llmgenie_mcp.errors import UsageError

        resumed, given = resumed_by(params), params.model_extra or {}
        origin = ctx.cause.origin if ctx.cause else None
        ctx.run_id = ctx.run_id or resumed or self._tried_before(ctx, origin, given)
        before = ctx.write.get("runs", ctx.run_id) if ctx.run_id else None
        if before is not None and before.get("definition") != self.mark:
            message = f"{self.file.name} was changed since {before['id']} stopped, so it is not gone on with."
            raise UsageError(message, "Run it anew, with another idempotency key.")
        if resumed is not None and before is not None:
            given = before["given"]
        kept = before["steps"] if before is not None else []
        secret = bool(redact.find(given))
        ctx.run |= {"steps": kept, "given": None if secret else given, "definition": self.mark, "origin": origin}

    def _tried_before(self, ctx: ActionContext, origin: str | None, given: Document) -> str | None:
        """The run of the same step of the same thing, which broke off: what is tried again goes on with it."""
        for run in ctx.write.query("runs", {"action": self.file.name, "origin": origin}) if origin else ():
            if self._unresumable(run) is None and run["given"] == given:
                return str(run["id"])
        return None

    def run(self, ctx: ActionContext, params: ToolParams) -> Document:
        """Do it."""
        from llmgenie_mcp.providers._sequence import Sequence

        given = ctx.run["given"] if resumed_by(params) is not None else params.model_extra or {}
        return Sequence(self.file, ctx, {**dict(_defaults(self.file)), **given}).run()


def _defaults(file: ActionFile) -> Iterator[tuple[str, Any]]:
    """The parameters that have a default, each with it."""
    for name, about in file.properties.items():
        if isinstance(about, dict) and "default" in about:
            yield name, about["default"]


def resumed_by(params: ToolParams | None) -> str | None:
    """The run that a request goes on with."""
    from llmgenie_mcp.declared import RESUME

    return (params.model_extra or {}).get(RESUME) if params is not None else None


def params_of(file: ActionFile, *, patterns: bool) -> type[ToolParams]:
    """The class of the parameters of a declared action.

    Args:
        file: the declaration.
        patterns: whether regular expressions in the schema are looked at, which may take for ever: not before a person
            accepted them.
    """
    from llmgenie_mcp.declared import RESUME
    from llmgenie_mcp.upstream.schema import ToolParams, checked, usage
    from llmgenie_mcp.upstream.tools import Tool

    closed = {"type": "object", "additionalProperties": False, **file.params}
    told = {"type": "string", "description": "Instead of all others: the run to go on with, such as RUN-3."}
    alone = {"type": "object", "additionalProperties": False, "properties": {RESUME: told}}
    either = {"if": {"type": "object", "required": [RESUME]}, "then": alone, "else": closed}
    shown = {**closed, "properties": {**file.properties, RESUME: told}}
    defaults = dict(_defaults(file))

    class DeclaredParams(ToolParams):
        """Parameters of one declared action."""

        action = file.name
        tool = Tool(
            file.name, file.description, shown, read_only=False, destructive=file.destructive, hidden=0, marks={}
        )

        @classmethod
        def model_validate(cls, obj: Any, **options: Any) -> Self:
            """As they were given, with the defaults of those left out: policies see what the steps will."""
            found = super().model_validate(obj, **options)
            given = found.model_extra or {}
            return found if RESUME in given else super(ToolParams, cls).model_validate({**defaults, **given}, **options)

        @classmethod
        def _validator(cls) -> Any:
            if "validator" not in cls.__dict__:
                import jsonschema

                cls.validator = jsonschema.Draft202012Validator(either if patterns else checked(either))
            return cls.validator

        @classmethod
        def usage_line(cls) -> str:
            """The parameters in one line."""
            return usage(closed)

    return DeclaredParams
