"""The way out of a refusal: the action that helps, or in words who can and what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import redact
from llmgenie_mcp.operations import ABOUT

if TYPE_CHECKING:
    from llmgenie_mcp.policy import Decision, Reason

LONGEST = 2_000
"""Characters of JSON that the parameters of an offered question may have; longer ones are the caller's to repeat."""
ERRED = "A person mends the rule: llmgenie policy check."
NO_YES = "No approval opens it, for its rule looks at none: tell the user; a person does it, or changes the rule."
NEVER = "No approval lifts it: do as it says, or tell the user."


def with_a_way(reason: Reason, name: str, about: Mapping[str, Any]) -> Reason:
    """A reason to ask a person that names no way out, with asking as the way, where a person's yes would open it.

    Args:
        reason: why it is refused.
        name: of the operation or action.
        about: its resource, for an operation; the parameters, for an action.
    """
    if reason.effect != "ask" or reason.fix is not None or "approval.granted" not in reason.values:
        return reason
    given: dict[str, Any] = {
        key: about[key] for key in ABOUT.get(name, about) if about.get(key) not in (None, "", False)
    }
    if name in ABOUT and not given:
        return reason  # what it is about is not known, so no answer would be about it
    given = redact.redact(given)
    fits = len(json.dumps(given, default=str)) <= LONGEST
    words = {} if fits else {"message": "Give the same parameters as `params`."}
    params = {"action": name, "params": given if fits else {}}
    return replace(reason, fix={"action": "request_approval", "params": params, **words})


def with_ways(decision: Decision, name: str, about: Mapping[str, Any]) -> Decision:
    """A decision whose reasons have a way out wherever `with_a_way` knows one; the arguments are the same."""
    return replace(decision, reasons=tuple(with_a_way(reason, name, about) for reason in decision.reasons))


def in_words(reason: Reason) -> str:
    """Who can, and what to do, for a reason that no action of an agent's lifts; "" where one does."""
    if reason.fix is not None:
        return ""
    if reason.code == "rule_erred":
        return ERRED
    return NO_YES if reason.effect == "ask" else NEVER
