"""What a decision costs: `python -m bench decisions`.

The mix: four policies in the manner of the shipped ones apply to the action asked for, all others to other actions, as
in a project with many policies. A number is the median of many repetitions, each the mean of a short loop.
"""

from __future__ import annotations

from typing import Any

from bench.measure import Effort, Found, against, alone, interleaved, timed
from llmgenie_mcp.policy import PolicyRequest, PolicySet
from llmgenie_mcp.rules import Policy

BUDGET = 50.0
GROWTH = 1.5
LOOP = 20

_PROTECTION: dict[str, Any] = {
    "name": "branch_protection",
    "level": "always_on",
    "applies_to": {"actions": ["merge", "git.*"]},
    "params": {"protected": ["main", "develop", "release/*"]},
    "rules": [
        {
            "id": "no-direct-push",
            "effect": "deny",
            "when": "glob(resource.branch, params.protected) and not approval.granted",
            "reason": "{resource.branch} is protected: push a branch and open a review.",
            "fix": {"action": "start_review", "params": {"branch": "{git.branch}"}},
        },
        {
            "id": "no-force",
            "effect": "deny",
            "when": "action.params.force and resource.branch in params.protected",
            "reason": "Never force-push {resource.branch}.",
        },
        {
            "id": "ask-for-tags",
            "effect": "ask",
            "when": "resource.type == 'tag'",
            "reason": "A person decides about tags.",
        },
    ],
}
_SECURITY: dict[str, Any] = {
    "name": "security",
    "level": "always_on",
    "params": {"secret": ["**/.env", "**/*.pem", "secrets/**"]},
    "rules": [
        {
            "id": "no-secrets",
            "effect": "deny",
            "when": "any(glob(path, params.secret) for path in action.changes)",
            "reason": "Secrets stay out of the repository.",
        },
        {
            "id": "no-secret-file",
            "effect": "deny",
            "when": "glob(resource.path, params.secret)",
            "reason": "{resource.path} holds secrets.",
        },
    ],
}
_SESSIONS: dict[str, Any] = {
    "name": "session_management",
    "level": "always_on",
    "rules": [
        {
            "id": "needs-session",
            "effect": "deny",
            "when": "subject.kind == 'agent' and not session.open",
            "reason": "Start a session first.",
        }
    ],
}
_LOGGING: dict[str, Any] = {
    "name": "logging",
    "level": "audit",
    "rules": [
        {
            "id": "needs-task",
            "effect": "ask",
            "when": "session.task == null and context.mode in ['code', 'debug']",
            "reason": "Name a task.",
        }
    ],
}
_REQUEST = PolicyRequest(
    subject={"kind": "agent", "id": "cursor", "role": "developer"},
    action="git.push",
    params={"force": False},
    resource={"type": "branch", "branch": "feature/parser", "path": None},
    context={"mode": "code"},
    facts={
        "action": {"changes": ["src/parser.py", "tests/test_parser.py", "docs/parser.md"]},
        "approval": {"granted": False},
        "session": {"open": True, "task": "TSK-12"},
        "git": {"branch": "feature/parser", "clean": True},
    },
)
_DENIED = PolicyRequest(
    subject=_REQUEST.subject,
    action=_REQUEST.action,
    params=_REQUEST.params,
    resource={"type": "branch", "branch": "main", "path": None},
    context=_REQUEST.context,
    facts=_REQUEST.facts,
)


def measure(effort: Effort) -> Found:
    """Decisions with 50 and with 1,000 policies loaded, allowed and denied, and what is asked for the first time."""
    fifty, thousand = _policy_set(50), _policy_set(1000)
    all_apply = PolicySet([_policy(_PROTECTION | {"name": f"copy_{number}"}) for number in range(50)])
    # A name never asked for before each time, so that nothing is remembered.
    names = (f"git.push{number}" for number in range(10**9))
    taken = interleaved(
        {
            "allowed": timed(lambda: fifty.decide(_REQUEST), LOOP),
            "of 1,000": timed(lambda: thousand.decide(_REQUEST), LOOP),
            "denied": timed(lambda: fifty.decide(_DENIED), LOOP),
            "all apply": timed(lambda: all_apply.decide(_REQUEST), LOOP),
            "all deny": timed(lambda: all_apply.decide(_DENIED)),
            "trace": timed(lambda: fifty.decide(_REQUEST).trace()),
            "first": timed(lambda: fifty.applicable(next(names), "code")),
            "first of 1,000": timed(lambda: thousand.applicable(next(names), "code")),
        },
        effort.of(300, 5),
    )
    return [
        alone("decision, 50 policies loaded: allowed", taken["allowed"], "μs", budget=BUDGET, short=True),
        alone("decision, 50 policies loaded: denied", taken["denied"], "μs", budget=BUDGET, short=True),
        against(
            "decision, 1,000 policies loaded: allowed",
            taken["of 1,000"],
            "50 loaded",
            taken["allowed"],
            "μs",
            budget=GROWTH,
            short=True,
        ),
        alone("decision, 50 policies that all apply: allowed", taken["all apply"], "μs"),
        alone("decision, 50 policies that all deny", taken["all deny"], "μs"),
        alone("trace of 50 policies", taken["trace"], "μs"),
        alone("action asked for first, 50 policies", taken["first"], "μs"),
        alone("action asked for first, 1,000 policies", taken["first of 1,000"], "μs"),
    ]


def _policy_set(count: int) -> PolicySet:
    common = [_policy(data) for data in (_PROTECTION, _SECURITY, _SESSIONS, _LOGGING)]
    others = [
        _policy(
            _PROTECTION
            | {
                "name": f"other_{number}",
                "level": "situational",
                "applies_to": {"actions": [f"tool_{number}.*" if number % 5 == 0 else f"tool_{number}"]},
            }
        )
        for number in range(count - len(common))
    ]
    return PolicySet([*common, *others])


def _policy(data: dict[str, Any]) -> Policy:
    return Policy.model_validate(data)
