"""What a decision costs: `python -m bench.decisions`.

The mix: four policies in the manner of the shipped ones apply to the action asked for, all others to other actions, as
in a project with many policies. A number is the median of many repetitions, each the mean of a short loop.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from llmgenie_mcp.policy import PolicyRequest, PolicySet
from llmgenie_mcp.rules import Policy

BUDGET = 50.0
GROWTH = 1.5

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


def rows(repeat: int = 300) -> list[dict[str, Any]]:
    """The measurements: name, value in μs, and where there are any baseline, ratio, budget and whether it is kept."""
    fifty, thousand = _policy_set(50), _policy_set(1000)
    all_apply = PolicySet([_policy(_PROTECTION | {"name": f"copy_{number}"}) for number in range(50)])
    # A name never asked for before each time, so that nothing is remembered.
    names = (f"git.push{number}" for number in range(10**9))
    base, many = _medians([lambda: fifty.decide(_REQUEST), lambda: thousand.decide(_REQUEST)], repeat)
    return [
        _row("allowed, 50 policies", base, budget=BUDGET),
        _row("allowed, 1,000 policies", many, baseline=base, budget=GROWTH),
        _row("denied, 50 policies", _median(lambda: fifty.decide(_DENIED), repeat), budget=BUDGET),
        _row("allowed, 50 policies that all apply", _median(lambda: all_apply.decide(_REQUEST), repeat)),
        _row("denied by 50 policies that all apply", _median(lambda: all_apply.decide(_DENIED), repeat // 10)),
        _row("trace of 50 policies", _median(lambda: fifty.decide(_REQUEST).trace(), repeat // 3)),
        _row("action seen first, 50 policies", _median(lambda: fifty.applicable(next(names), "code"), repeat // 10)),
        _row("action seen first, 1,000", _median(lambda: thousand.applicable(next(names), "code"), repeat // 10)),
    ]


def _row(name: str, value: float, baseline: float | None = None, budget: float | None = None) -> dict[str, Any]:
    ratio = value / baseline if baseline else None
    measured = value if ratio is None else ratio
    return {
        "name": name,
        "value": round(value, 1),
        "unit": "μs",
        "baseline": baseline and round(baseline, 1),
        "ratio": ratio and round(ratio, 2),
        "budget": budget,
        "ok": budget is None or measured <= budget,
    }


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


def _median(run: Callable[[], object], repeat: int) -> float:
    return _medians([run], repeat)[0]


def _medians(runs: list[Callable[[], object]], repeat: int, loop: int = 20) -> list[float]:
    """Of several in turn, so that a busy moment of the machine hits all of them."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(max(repeat, 5)):
        for run, found in zip(runs, times, strict=True):
            start = time.perf_counter()
            for _ in range(loop):
                run()
            found.append((time.perf_counter() - start) / loop * 1e6)
    return [statistics.median(found) for found in times]


if __name__ == "__main__":
    for row in rows():
        ratio = f"{row['ratio']:.2f} of {row['baseline']:.1f}" if row["ratio"] else ""
        budget = f"budget {row['budget']:g}{'' if row['ok'] else ' EXCEEDED'}" if row["budget"] else ""
        print(f"{row['name']:40} {row['value']:9.1f} {row['unit']}  {ratio:16} {budget}")
