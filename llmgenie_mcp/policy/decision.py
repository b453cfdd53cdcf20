"""What a policy decision is asked with, and what it says: a request, the rules that matched, the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from llmgenie_mcp.expressions import UNKNOWN, Clause, Explanation, fill_fix, format_message
from llmgenie_mcp.frozen import dataclass

if TYPE_CHECKING:
    from llmgenie_mcp.rules import Effect, Policy, Rule

Code: TypeAlias = Literal["rule_matched", "fact_unknown", "rule_erred"]


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """Who wants to do what, to what, where. The words are those of AuthZEN's access evaluation request.

    Attributes:
        subject: {kind: agent | human | system, id, role}.
        action: name of the action or agent operation.
        params: its parameters; None while they are not known yet.
        resource: what it is about: {type, id, branch, path, …}.
        context: where: {mode, …}.
        facts: further facts by root (git, tests, session, approval …). Those below `subject`, `action`, `resource` and
            `context` add to the request and never replace what it says itself.
    """

    subject: Mapping[str, Any]
    action: str
    params: Mapping[str, Any] | None = None
    resource: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def environment(self) -> dict[str, Any]:
        """What rules read, but for the policy's own `params`."""
        action = {"name": self.action} if self.params is None else {"name": self.action, "params": self.params}
        found = dict(self.facts)
        for root, own in (
            ("subject", self.subject),
            ("action", action),
            ("resource", self.resource),
            ("context", self.context),
        ):
            more = found.get(root)
            found[root] = {**more, **own} if more and isinstance(more, Mapping) else own
        return found


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that matched.

    Attributes:
        policy, rule: where it stands.
        effect: what it does; deny for a rule that erred.
        code: rule_matched; fact_unknown, when it matched because facts are missing; rule_erred.
        message: the rule's reason, filled in.
        fix: {action, params} and perhaps message, filled in; None where the rule offers none.
        unknown: the facts that were missing and made it match.
        evidence: the clauses of its condition; `clauses` and `values` are read from it.
    """

    policy: str
    rule: str
    effect: Effect
    code: Code
    message: str
    fix: Mapping[str, Any] | None = None
    unknown: tuple[str, ...] = ()
    evidence: tuple[Clause, ...] = ()

    @property
    def clauses(self) -> tuple[str, ...]:
        """One line per clause of its condition, such as `approval.granted → false (approval.granted = false)`."""
        return tuple(map(str, self.evidence))

    @property
    def values(self) -> dict[str, Any]:
        """The known facts it was decided on, as JSON, shortened."""
        pairs = (pair for clause in self.evidence for pair in clause.values.items())
        return {name: value for name, value in pairs if value is not UNKNOWN}

    def to_dict(self, trace: bool = False) -> dict[str, Any]:
        """Compact JSON; with `trace` also the clauses and values."""
        full = {
            "policy": self.policy,
            "rule": self.rule,
            "effect": self.effect,
            "code": self.code,
            "message": self.message,
            "fix": self.fix,
            "unknown": list(self.unknown),
            "clauses": list(self.clauses) if trace else None,
            "values": self.values if trace else None,
        }
        return {key: value for key, value in full.items() if value not in (None, [], {})}


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policies say about a request.

    Attributes:
        effect: deny, ask (a person must agree) or allow.
        reasons: the rules that stand against it: all that deny, then all that ask; by policy name, then in order.
        permits: the allow rules that matched; they only carry obligations.
        obligations: what must be done along with it, each once: those of the deny rules when denied, of the ask and
            allow rules when asked, of the allow rules when allowed.
        policies: names of the policies that cover the action.
        audit: what policies of level audit would have said against it.
        applicable: whether any policy, or the one asked for, covers the action in this mode.
    """

    effect: Effect
    reasons: tuple[Reason, ...] = ()
    permits: tuple[Reason, ...] = ()
    obligations: tuple[str | dict[str, Any], ...] = ()
    policies: tuple[str, ...] = ()
    audit: tuple[Reason, ...] = ()
    applicable: bool = True
    _request: PolicyRequest | None = field(default=None, repr=False, compare=False)
    _consulted: tuple[Policy, ...] = field(default=(), repr=False, compare=False)

    @property
    def allowed(self) -> bool:
        """Whether it may be done now, without asking anybody."""
        return self.effect == "allow"

    def to_dict(self, trace: bool = False, *, every_rule: bool = True) -> dict[str, Any]:
        """Compact JSON for a model or a log; with `trace` also the clauses of the rules that matched, and of every other."""
        more = {
            "reasons": [reason.to_dict(trace) for reason in self.reasons],
            "permits": [reason.to_dict(trace) for reason in self.permits] if trace else [],
            "obligations": list(self.obligations),
            "policies": list(self.policies),
            "audit": [reason.to_dict(trace) for reason in self.audit],
            "trace": self.trace() if trace and every_rule else [],
        }
        return {
            "effect": self.effect,
            "allowed": self.allowed,
            "applicable": self.applicable,
            **{key: value for key, value in more.items() if value},
        }

    def trace(self) -> list[dict[str, Any]]:
        """Every rule of every policy that covers the action, matched or not, clause by clause.

        Computed when asked for, from the request as it is then: a request is not to be changed after the decision.
        """
        if self._request is None:
            return []
        environment = self._request.environment()
        lines: list[dict[str, Any]] = []
        for policy in self._consulted:
            environment["params"] = policy.params
            for rule in policy.rules:
                found = rule.condition.explain(environment)
                line = {
                    "policy": policy.name,
                    "rule": rule.id,
                    "effect": rule.effect,
                    "outcome": outcome_of(rule, found),
                }
                lines.append({**line, "clauses": [str(clause) for clause in found.clauses]})
                if policy.level == "audit":
                    lines[-1]["level"] = "audit"
        return lines


def reason_of(policy: Policy, rule: Rule, environment: Mapping[str, Any]) -> Reason:
    """Why a rule that matched did, in words for people; `environment` is what it was decided on."""
    found = rule.condition.explain(environment)
    code: Code = "rule_erred" if found.error else "fact_unknown" if found.value is UNKNOWN else "rule_matched"
    message = format_message(rule.reason, environment, in_words)
    if found.error:
        message = f"Rule {rule.id} of policy {policy.name} cannot be decided, so it denies: {found.error}"
    elif found.unknown:
        names = [in_words(name) for name in found.unknown]
        said = f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not known here, so the rule counts."
        message = f"{message} {said[:1].upper() if said.startswith('the ') else said[:1]}{said[1:]}".lstrip()
    return Reason(
        policy=policy.name,
        rule=rule.id,
        effect="deny" if found.error else rule.effect,
        code=code,
        message=message,
        fix=None if found.error or rule.fix is None else fill_fix(rule.fix, environment),
        unknown=found.unknown,
        evidence=found.clauses,
    )


NOUNS = frozenset({"branch", "command", "host", "path", "remote", "size", "subject", "tag", "url", "version"})
"""What of a resource is called by a noun."""


def in_words(name: str) -> str:
    """A fact as people call it: `the branch` for resource.branch; others by their names."""
    root, _, rest = name.partition(".")
    return f"the {rest}" if root == "resource" and rest in NOUNS else name


def outcome_of(rule: Rule, found: Explanation) -> Code | Literal["not_matched"]:
    """What became of a rule's condition, matched or not."""
    if found.error:
        return "rule_erred"
    if found.value is UNKNOWN:
        return "not_matched" if rule.effect == "allow" else "fact_unknown"
    return "rule_matched" if found.value else "not_matched"
