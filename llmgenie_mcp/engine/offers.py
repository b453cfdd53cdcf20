"""The actions that workflows bring along: `start_review`, and every trigger by its own name (`submit`, `approve` …)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, create_model

from llmgenie_mcp.engine.moves import Triggered
from llmgenie_mcp.engine.situation import ENGINE_WORKFLOWS, ActionContext, Situation
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.plugins import Action, Params, given
from llmgenie_mcp.records import Document, Instance, Refusal
from llmgenie_mcp.workflow import Workflow

EXAMPLES = {"branch": "feature/parser", "version": "1.2.0", "task": "TSK-1", "session": "SES-1"}
"""What an instance is about, by kind, in the example of the action that starts one."""


class TriggerParams(Params):
    """Parameters of a trigger."""

    instance: str | None = Field(
        default=None, max_length=100, description="Id such as REV-1; the session's own when left out."
    )
    subject: str | None = Field(
        default=None, max_length=250, description="Instead of an id: what it is about, such as the branch."
    )
    comment: str = Field(default="", max_length=4000, description="Why; kept in the meta-log.")


def workflow_actions(workflows: Mapping[str, Workflow], taken: Mapping[str, Action]) -> dict[str, Action]:
    """Actions for every workflow that named actions do not move already.

    Args:
        workflows: the definitions in force.
        taken: registered actions; one that has a trigger's name (`merge`) stands for that trigger.
    """
    offers: dict[str, Action] = {}
    flows = [flow for name, flow in sorted(workflows.items()) if name not in ENGINE_WORKFLOWS]
    for flow in flows:
        if (name := f"start_{flow.name}") not in taken:
            offers[name] = _Start(flow).action()
    for trigger in sorted({trigger for flow in flows for trigger in flow.triggers}):
        if trigger not in taken and trigger not in offers:
            offers[trigger] = _trigger(trigger, [flow for flow in flows if trigger in flow.triggers])
    return offers


def _trigger(trigger: str, flows: list[Workflow]) -> Action:
    transitions = [t for flow in flows for _, name, t in flow.edges() if name == trigger]
    text = next(
        (t.description for t in transitions if t.description), f"Move a {' or '.join(f.name for f in flows)} on."
    )
    if any(t.approval for t in transitions):
        text += " Needs a person: ask with request_approval."

    def run(ctx: ActionContext, params: TriggerParams) -> Document:
        if params.comment:
            ctx.notes.append(params.comment)
        return {}

    example = {"instance": f"{flows[0].prefix}-1"}
    move = Triggered(trigger, flows[0].name)
    return Action(trigger, text, TriggerParams, run, move=move, resource=_instance_resource, example=example)


def _instance_resource(situation: Situation, _params: object) -> Document:
    instance, flow = situation.instance, situation.workflow
    if instance is None or flow is None:
        return {}
    return {"type": flow.name, "id": instance["id"], flow.subject: instance["subject"]}


@dataclass(frozen=True, slots=True)
class _Start:
    """The action that starts an instance of one workflow."""

    flow: Workflow

    @property
    def kind(self) -> str:
        """Name of the parameter that says what the instance is about."""
        return "subject" if self.flow.subject == "text" else self.flow.subject

    def action(self) -> Action:
        """The action."""
        hints = {"branch": "The branch; the current one when left out.", "version": "The version, such as 1.2.0."}
        text = hints.get(self.kind, f"The {self.kind} it is about.")
        found_here = self.flow.subject in ("branch", "project", "session")
        info = Field(default=None if found_here else ..., min_length=1, max_length=200, description=text)
        fields: dict[str, Any] = {self.kind: (str | None if found_here else str, info)}
        name = f"start_{self.flow.name}"
        params = create_model(name.title().replace("_", ""), __base__=Params, **fields)
        description = f"Start a {self.flow.name}: {self.flow.description}"
        example = {self.kind: EXAMPLES.get(self.kind, self.flow.name)}
        return Action(name, description, params, self.run, ready=self.ready, resource=self.resource, example=example)

    def subject(self, situation: Situation, given: Any) -> str | None:
        """What the instance is about: as given, else what can be found here."""
        value = getattr(given, self.kind)
        if value is not None:
            return str(value)
        if self.flow.subject == "branch":
            branch = situation.fact("git.branch")
            return branch if isinstance(branch, str) else None
        if self.flow.subject == "project":
            return situation.project.name
        return (situation.session or {}).get("id")

    @given
    def ready(self, situation: Situation, params: Any) -> Refusal | None:
        """Why it may not start: the subject is not there, or an instance about it is open."""
        subject = self.subject(situation, params)
        rule = f"{self.flow.name}.start"
        if subject is None:
            return Refusal("not_configured", rule, f"Which {self.kind}? There is none to take from here.")
        if self.flow.subject == "branch":
            branches = situation.fact("git.branches")
            if branches is not UNKNOWN and subject not in branches:
                return Refusal(
                    "not_configured",
                    rule,
                    f"There is no branch {subject!r} with a commit; make it: git switch -c {subject}, and commit.",
                )
        if self.flow.subject == "task" and situation.reader.get("tasks", subject) is None:
            return Refusal("not_configured", rule, f"There is no task {subject!r}.")
        for other in situation.reader.all("instances", {"workflow": self.flow.name, "subject": subject}):
            if not _ended(self.flow, other):
                return self._already(other, rule)
        return None

    def _already(self, other: Document, rule: str) -> Refusal:
        following = list(self.flow.transitions(other["state"])) if other["state"] in self.flow.states else []
        fix = {"action": following[0], "params": {"instance": other["id"]}} if following else None
        message = f"{other['id']} about {other['subject']} is open already: it is {other['state']}."
        return Refusal("already_open", rule, message, {"instance.id": other["id"]}, fix)

    def resource(self, situation: Situation, given: Any) -> Document:
        """What policies see."""
        return {"type": self.flow.name, self.kind: self.subject(situation, given)}

    def run(self, ctx: ActionContext, given: Any) -> Document:
        """Write the instance, and make it the session's own."""
        situation, flow = ctx.situation, self.flow
        instance = Instance(
            id=ctx.write.next_id(flow.prefix),
            workflow=flow.name,
            workflow_version=flow.version,
            state=flow.initial,
            subject=self.subject(situation, given) or "",
            session=(situation.session or {}).get("id"),
            created_by=situation.actor.id,
        )
        document = ctx.write.put("instances", instance.id, instance.model_dump())
        if situation.session:
            session = {**situation.session, "instance": instance.id}
            situation.session = ctx.write.put("sessions", session["id"], session)
        shown = {name: document[name] for name in ("id", "workflow", "state", "subject")}
        return {"instance": shown, "next": list(flow.transitions(flow.initial))}


def _ended(flow: Workflow, instance: Document) -> bool:
    state = flow.states.get(instance["state"])
    return state is not None and state.final
