"""The eight tools: their parameters, descriptions and what each asks of the Engine."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from functools import cached_property, partial
from typing import Annotated, Any, ClassVar, Self

from mcp_types import CallToolResult, InputRequiredResult, ToolAnnotations
from mcp_types import Tool as ListedTool
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from llmgenie_mcp.errors import BadParams, shorten
from llmgenie_mcp.faces import mcp_answers as answers
from llmgenie_mcp.faces import mcp_approval as approval
from llmgenie_mcp.faces import mcp_question as questions
from llmgenie_mcp.faces.mcp_call import Call
from llmgenie_mcp.frozen import dataclass

READ = ToolAnnotations(read_only_hint=True, open_world_hint=False)


def _object(value: object) -> object:
    """Some clients write objects as JSON text; null is the same as leaving out."""
    if value is None:
        return {}
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


JsonObject = Annotated[dict[str, Any], BeforeValidator(_object)]
Session = Annotated[str | None, Field(description="Your session id, from start_session.")]


class Args(BaseModel):
    """Parameters of a tool: nothing unknown is let through, and every complaint says what would be right."""

    model_config = ConfigDict(extra="forbid")
    hint: ClassVar[str] = ""

    @classmethod
    def read(cls, tool: str, arguments: dict[str, Any]) -> Self:
        """Check a caller's arguments.

        Raises:
            BadParams: naming what is wrong and what the tool takes.
        """
        try:
            return cls.model_validate(arguments)
        except ValidationError as error:
            problems = [_problem(dict(problem)) for problem in error.errors(include_url=False)[:5]]
        takes = ", ".join(f"{n} (required)" if i.is_required() else n for n, i in cls.model_fields.items())
        lines = [f"It takes: {takes}.", cls.hint]
        message = f"{tool}: {'; '.join(said for _, said in problems)}."
        told = [{"where": where, "message": said} for where, said in problems]
        raise BadParams(message, "\n".join(line for line in lines if line), problems=told, takes=list(cls.model_fields))


def _problem(problem: dict[str, Any]) -> tuple[str, str]:
    where = ".".join(str(part) for part in problem["loc"]) or "arguments"
    if problem["type"] == "extra_forbidden":
        return shorten(where, 40), f"there is no parameter {shorten(where, 40)!r}"
    if problem["type"] == "missing":
        return where, f"{where} is missing"
    said = problem["msg"][0].lower() + problem["msg"][1:]
    return where, f"{where}: {said}, not {shorten(problem['input'], 60)!r}"


class AvailableActionsArgs(Args):
    context: str | None = Field(
        None, description="A mode, workflow, workflow/state or instance id. Default: where you are now."
    )
    query: str | None = Field(None, description="Words to search for; best first, with their schema.")
    session: Session = None
    include_blocked: bool = Field(False, description="Also what may not be done, and why.")


class WorkflowStateArgs(Args):
    session: Session = None


class PolicyArgs(Args):
    policy_name: str = Field(description="A policy's name, such as branch_protection.")


class ContextDataArgs(Args):
    key: str = Field(
        description="tasks, roadmap, sessions, instances, approvals, runs, notes, lessons, opinions, outbox or meta-log; "
        "one document is tasks/TSK-1."
    )
    query: str | None = Field(None, description="Words that must occur, or field:value.")
    limit: int | None = Field(None, ge=1, le=500, description="Items, default 50; answers over 10 KB only with it.")
    cursor: str | None = Field(None, description="From the answer before, for what follows.")


class RunActionArgs(Args):
    action: str = Field(description="Name of the action.")
    params: JsonObject = Field({}, description="The action's own parameters.")
    session: Session = None
    idempotency_key: str | None = Field(
        None, max_length=200, description="A repeated call with the same key is not run twice."
    )
    hint: ClassVar[str] = 'What the action itself needs goes into params: {"action": "create_task", "params": {…}}.'


class UpdateContextArgs(Args):
    key: str = Field(description="notes/NAME, tasks/ID or roadmap/ID.")
    value: Any = Field(description="JSON: the note, or an object with the fields to change.")
    expected_version: int | None = Field(
        None, ge=0, description="The version you read; refused when somebody wrote since. 0: must be new."
    )


class TriggerEventArgs(Args):
    event: str = Field(description="Dotted name, such as ci.finished.")
    params: JsonObject = Field({}, description="The event's data; instance or branch narrow what is moved.")


class EnforcePolicyArgs(Args):
    policy: str | None = Field(description='A policy\'s name, or "all".')
    action: str = Field(description="An action, or an operation such as git.push.")
    params: JsonObject = Field(
        {}, description='Its parameters and your session: {"branch": "main", "session": "SES-1"}.'
    )


Run = Callable[[Call, Any], Awaitable[CallToolResult | InputRequiredResult]]


@dataclass(frozen=True)
class Tool:
    """One tool as clients see it, and what it does."""

    name: str
    description: str
    args: type[Args]
    answer: dict[str, Any]
    hints: ToolAnnotations
    run: Run
    example: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def listed(self) -> ListedTool:
        """Its entry in tools/list."""
        return ListedTool(
            name=self.name,
            description=self.description,
            input_schema={
                **terse(self.args.model_json_schema()),
                **({"examples": [dict(self.example)]} if self.example else {}),
            },
            output_schema=self.answer,
            annotations=self.hints,
        )


def terse(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema without what a model does not need: titles, `or null`, defaults that are null."""
    kept = {}
    for name, info in schema.get("properties", {}).items():
        options = [option for option in info.pop("anyOf", []) if option != {"type": "null"}]
        full = {**(options[0] if len(options) == 1 else {}), **info}
        drop = {"title"} | ({"default"} if full.get("default", ...) in (None, {}) else set())
        drop |= {"additionalProperties"} if full.get("additionalProperties") is True else set()
        kept[name] = {key: value for key, value in full.items() if key not in drop}
    required = {"required": schema["required"]} if schema.get("required") else {}
    return {"type": "object", "properties": kept, **required, "additionalProperties": False}


def in_thread(ask: Callable[[Call, Any], CallToolResult]) -> Run:
    """A tool that answers at once."""

    async def run(call: Call, args: Any) -> CallToolResult:
        return await call.background.answer(partial(ask, call, args))

    return run


def _available_actions(call: Call, args: AvailableActionsArgs) -> CallToolResult:
    data = call.engine.available_actions(args.context, args.session, args.include_blocked, args.query)
    return answers.result(answers.actions_text(data), data)


def _workflow_state(call: Call, args: WorkflowStateArgs) -> CallToolResult:
    data = call.engine.workflow_state(args.session)
    return answers.result(answers.state_text(data), data)


def _policy(call: Call, args: PolicyArgs) -> CallToolResult:
    data = call.engine.policy(args.policy_name)
    return answers.result(answers.policy_text(data), data)


def _context_data(call: Call, args: ContextDataArgs) -> CallToolResult:
    return answers.context_data(call.read, args.key, args.query, args.limit, args.cursor)


async def _run_action(call: Call, args: RunActionArgs) -> CallToolResult | InputRequiredResult:
    if (answered := approval.answered(call)) is not None:
        return await approval.settle(call, *answered)

    def run(slow: Any, ask: Any) -> Any:
        return call.engine.run_action(
            args.action,
            args.params,
            session=args.session,
            actor=call.actor,
            idempotency_key=args.idempotency_key,
            progress=slow.progress,
            cancel=slow.cancel,
            ask=ask,
        )

    outcome = await questions.resumed(call) or await questions.run(call, run)
    if isinstance(outcome, InputRequiredResult):
        return outcome
    if (question := approval.asked(outcome)) is not None and not outcome.replayed:
        return await approval.ask(call, question, outcome)
    return answers.outcome(outcome)


def _update_context(call: Call, args: UpdateContextArgs) -> CallToolResult:
    outcome = call.engine.update_context(args.key, args.value, expected_version=args.expected_version, actor=call.actor)
    return answers.outcome(outcome, answers.looks_like_json(args.value))


def _trigger_event(call: Call, args: TriggerEventArgs) -> CallToolResult:
    data = call.engine.trigger_event(args.event, args.params, actor=call.actor)
    return answers.result(answers.event_text(data), data)


def _enforce_policy(call: Call, args: EnforcePolicyArgs) -> CallToolResult:
    policy = None if args.policy in (None, "all", "*") else args.policy
    session, params = _session_among(call, args.action, args.params)
    decision = call.engine.enforce(policy, args.action, params, session=session, actor=call.actor)
    data = decision.to_dict(trace=True, every_rule=False)  # that of every rule is for `llmgenie enforce --trace`
    if not decision.allowed:
        data["actions"] = list(call.engine.open_actions(session))
    return answers.result(answers.decision_text(args.action, data), data)


def _session_among(call: Call, action: str, params: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """The caller's session and the other parameters. The tool has none of its own, and policies ask for it."""
    offer = call.engine.definitions.actions.get(action)
    session = params.get("session")
    if not isinstance(session, str) or (offer is not None and "session" in offer.params.model_fields):
        return None, params
    return session, {name: value for name, value in params.items() if name != "session"}


TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            "get_available_actions",
            "What you may do now: actions with parameters and conditions. Call it before acting and after a refusal.",
            AvailableActionsArgs,
            answers.ACTIONS_SCHEMA,
            READ,
            in_thread(_available_actions),
            {"query": "claim task"},
        ),
        Tool(
            "get_workflow_state",
            "Where things stand: project, mode, your session, open reviews and releases with their next steps, "
            "what waits for a person.",
            WorkflowStateArgs,
            answers.STATE_SCHEMA,
            READ,
            in_thread(_workflow_state),
        ),
        Tool(
            "get_policy",
            "One policy: its rules, when it applies, why it exists.",
            PolicyArgs,
            answers.POLICY_SCHEMA,
            READ,
            in_thread(_policy),
            {"policy_name": "branch_protection"},
        ),
        Tool(
            "get_context_data",
            "Read the team's memory: tasks, roadmap, notes, the log. Lists are short and paged; "
            "name one document for all of it.",
            ContextDataArgs,
            answers.CONTEXT_SCHEMA,
            READ,
            in_thread(_context_data),
            {"key": "tasks", "query": "status:todo"},
        ),
        Tool(
            "run_action",
            "Do something: any action from get_available_actions, by name. A refusal says why, what would help (fix) "
            "and what is open instead.",
            RunActionArgs,
            answers.OUTCOME_SCHEMA,
            ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False),
            _run_action,
            {"action": "switch_mode", "params": {"mode": "code"}},
        ),
        Tool(
            "update_context",
            "Write a note, or change fields of a task or roadmap item.",
            UpdateContextArgs,
            answers.OUTCOME_SCHEMA,
            ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False),
            in_thread(_update_context),
            {"key": "notes/design/parser", "value": "Two tokens of lookahead.", "expected_version": 1},
        ),
        Tool(
            "trigger_event",
            "Report that something happened outside, such as ci.finished; what waits for it moves on.",
            TriggerEventArgs,
            answers.EVENT_SCHEMA,
            ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False),
            in_thread(_trigger_event),
            {"event": "deploy.done", "params": {"branch": "feature/parser"}},
        ),
        Tool(
            "enforce_policy",
            "Ask whether the policies would allow an action or operation, without doing it. "
            "Ask before git and shell work.",
            EnforcePolicyArgs,
            answers.DECISION_SCHEMA,
            READ,
            in_thread(_enforce_policy),
            {"policy": "all", "action": "git.push", "params": {"branch": "main"}},
        ),
    )
}
"""In the order in which clients list them."""
