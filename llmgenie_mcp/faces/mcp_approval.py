"""Asking a person through the client's own dialogue, and telling the agent how to ask where there is none.

No tool has a parameter for an approval: answers come from the client's dialogue or a terminal, never from the model.
"""

from __future__ import annotations

import getpass
import json
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from llmgenie_mcp.errors import shorten, visible
from llmgenie_mcp.faces import mcp_answers as answers
from llmgenie_mcp.faces.mcp_call import Call

if TYPE_CHECKING:
    from llmgenie_mcp.records import Document, Outcome

YES, NO = "approve", "decline"
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "decision": {"type": "string", "title": "Decision", "enum": [YES, NO]},
        "comment": {"type": "string", "title": "Comment", "description": "Kept with the decision.", "maxLength": 2000},
    },
    "required": ["decision"],
}

logger = logging.getLogger(__name__)


def asked(outcome: Outcome) -> Document | None:
    """The question that `outcome` leaves to a person, if any."""
    approval = outcome.result.get("approval")
    return approval if outcome.ok and isinstance(approval, dict) and approval.get("status") == "pending" else None


def can_ask(call: Call) -> bool:
    """Whether the client shows forms; a bare `elicitation: {}`, from before there were kinds, means that too."""
    if call.context.protocol_version is None:
        return False
    capabilities = call.context.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


async def ask(call: Call, approval: Document, outcome: Outcome) -> CallToolResult | InputRequiredResult:
    """Put the question to the person in front of the client, or say how else it is answered."""
    if not call.engine.definitions.settings.approvals.elicitation:
        return _open_question(outcome, approval, "This project takes answers in a terminal only.")
    if not has_person(call):
        return _open_question(
            outcome, approval, "Over HTTP it is a person's own token that answers, and yours is none."
        )
    if not can_ask(call):
        return _open_question(outcome, approval, "This client has no dialogue for it.")
    form = ElicitRequestFormParams(message=_question(approval), requested_schema=FORM)
    if call.context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        # The SDK seals the state for this very call and lets nothing through that it did not seal.
        state = json.dumps({"approval": approval["id"]})
        return InputRequiredResult(input_requests={"approval": ElicitRequest(params=form)}, request_state=state)
    try:
        answer = await call.context.session.elicit_form(form.message, FORM, call.context.request_id)
    except (MCPError, ValidationError) as error:
        logger.warning("the client could not ask for %s: %s", approval["id"], error)
        return _open_question(outcome, approval, "The client could not show the dialogue.")
    return await settle(call, approval, answer)


def answered(call: Call) -> tuple[Document, ElicitResult | None] | None:
    """The approval and its answer, when this call brings back a dialogue that was asked for (2026-07-28)."""
    if call.context.request_state is None:
        return None
    state = json.loads(call.context.request_state)
    if "approval" not in state:  # what another server asked
        return None
    approval = {"id": state["approval"]}
    answer = (call.context.input_responses or {}).get("approval")
    return approval, answer if isinstance(answer, ElicitResult) else None


async def settle(call: Call, approval: Document, answer: ElicitResult | None) -> CallToolResult:
    """Record a decision; a dialogue that was closed or dismissed is no decision."""
    from llmgenie_mcp.records import Outcome

    if not has_person(call):
        answer = None
    content = (answer.content or {}) if answer is not None and answer.action == "accept" else {}
    decision = content.get("decision")
    if decision not in (YES, NO):
        how = {"decline": "declined", "cancel": "closed"}.get(
            answer.action if answer else "", "left without a decision"
        )
        outcome = Outcome("ok", "request_approval", {"approval": {**approval, "status": "pending"}})
        return _open_question(
            outcome, approval, f"The dialogue was {how}: nobody has decided. Do not ask again at once."
        )
    decide = partial(
        call.engine.decide_approval,
        approval["id"],
        decision == YES,
        person=call.token or _person(),
        channel="elicitation",
        comment=str(content.get("comment") or ""),
    )
    outcome = await anyio.to_thread.run_sync(decide)
    said = f"{approval['id']}: a person {'approved' if decision == YES else 'declined'}."
    if content.get("comment"):
        said += f" Comment: {content['comment']}"
    if outcome.ok and outcome.state is None:  # decided, and nothing was run along with it
        then = f"Run {outcome.action} now; it holds for this commit." if decision == YES else f"Leave {outcome.action}."
        outcome, said = replace(outcome, action="request_approval"), f"{said} {then}"
    return answers.outcome(outcome, said)


def _open_question(outcome: Outcome, approval: Document, why: str) -> CallToolResult:
    note = (
        f"{approval['id']} waits for a person. {why} "
        f"Tell the user to run in a terminal: llmgenie approve {approval['id']}\n"
        f'Go on with other work; the answer appears in get_context_data key="approvals/{approval["id"]}".'
    )
    return answers.outcome(outcome, note)


def _question(approval: Document) -> str:
    question = approval.get("question") or f"Approve {approval.get('action')}?"
    # On a line of its own, and no more than one: what follows could pass for something that we say.
    comment = visible(" ".join(str(approval.get("comment") or "").split()))
    says = f"\nThe agent says: {shorten(comment, 500)}" if comment else ""
    return f"{approval['id']}: {visible(question)}{says}"


def has_person(call: Call) -> bool:
    """Whether a person may be behind the client: over HTTP an agent's own program could answer its own dialogue."""
    return call.role in (None, "human", "admin")


def _person() -> str:
    """The operating system's user: the dialogue itself does not say who answered it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "user"
