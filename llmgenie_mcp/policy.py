"""The policy decision point, pure: PolicyRequest → Decision. It reads nothing and changes nothing.

Rules combine as in XACML 3.0's deny-overrides (appendix C), with `ask` between: deny goes over ask, ask over allow, and
where nothing matches the answer is allow. Two things differ on the safe side: an unknown fact makes deny and ask rules
match and allow rules not, and a rule that errs denies and says so (Cedar skips it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from llmgenie_mcp.errors import DefinitionError, UnknownName
from llmgenie_mcp.expressions import UNKNOWN, Clause, EvaluationError, Explanation, Truth, fill_params, format_message
from llmgenie_mcp.expressions.patterns import name_pattern

if TYPE_CHECKING:
    from llmgenie_mcp.rules import Effect, Policy, Rule

Code: TypeAlias = Literal["rule_matched", "fact_unknown", "rule_erred"]
Test: TypeAlias = Callable[[Mapping[str, Any]], Truth]

REMEMBERED = 1024
LONGEST_REMEMBERED = 200
STANDING = (
    ("subject", "kind"),
    ("session", "status"),
    ("session", "open"),
    ("action", "changes"),
    ("action", "destructive"),
    ("action", "secrets"),
)
"""Facts of few values that many rules begin with: which rules they close is remembered with the plan."""
Standing: TypeAlias = tuple[Any, ...]
SHORT = 20
_RANK: dict[str, int] = {"deny": 0, "ask": 1, "allow": 2}


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
                line = {"policy": policy.name, "rule": rule.id, "effect": rule.effect, "outcome": _outcome(rule, found)}
                lines.append({**line, "clauses": [str(clause) for clause in found.clauses]})
                if policy.level == "audit":
                    lines[-1]["level"] = "audit"
        return lines


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be evaluated for one action in one mode."""

    policies: tuple[Policy, ...]
    enforced: tuple[tuple[Policy, tuple[tuple[Rule, Test], ...]], ...]
    audited: tuple[tuple[Policy, tuple[tuple[Rule, Test], ...]], ...]
    names: frozenset[str]


class PolicySet:
    """Policies in force, indexed by action: a decision costs what its applicable policies cost, however many there are.

    Args:
        policies: valid policies; their order does not matter.

    Raises:
        DefinitionError: two policies of one name.
    """

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        found = sorted(policies, key=lambda policy: policy.name)
        self._policies = {policy.name: policy for policy in found}
        if len(self._policies) != len(found):
            twice = next(a.name for a, b in pairwise(found) if a.name == b.name)
            raise DefinitionError(f"There are two policies {twice!r}.", "Rename one of them.")
        self._tests = {policy.name: tuple((rule, rule.condition.test) for rule in policy.rules) for policy in found}
        self._by_name: dict[str, list[str]] = {}
        self._by_pattern: dict[str, list[str]] = {}
        for policy in found:
            for action in policy.applies_to.actions:
                index = self._by_pattern if any(char in action for char in "*?[") else self._by_name
                index.setdefault(action, []).append(policy.name)
        # Bounded, because an agent may send any name.
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._make_plan)

    def __iter__(self) -> Iterator[Policy]:
        return iter(self._policies.values())

    def __len__(self) -> int:
        return len(self._policies)

    def applicable(self, action: str, mode: str | None) -> tuple[Policy, ...]:
        """The policies that cover `action` in `mode`, by name; audit ones included."""
        return self._plan(action, mode, None).policies

    def names(self, action: str, mode: str | None) -> frozenset[str]:
        """The dotted names that their conditions and messages read: the facts to gather before deciding."""
        return self._plan(action, mode, None).names

    def decide(self, request: PolicyRequest, only: str | None = None) -> Decision:
        """Decide a request.

        Args:
            request: who wants to do what; not to be changed afterwards.
            only: name of one policy to ask instead of all; `applies_to` holds for it too.

        Raises:
            UnknownName: there is no policy of that name.
        """
        if only is not None and only not in self._policies:
            raise UnknownName("policy", only, self._policies)
        mode = request.context.get("mode")
        plan = self._plan(request.action, mode if isinstance(mode, str) else None, only, _standing(request))
        matched: list[tuple[Reason, Rule]] = []
        audited: list[tuple[Reason, Rule]] = []
        if plan.enforced or plan.audited:
            environment = request.environment()
            matched, audited = (_matches(part, environment) for part in (plan.enforced, plan.audited))
        if not matched and not audited:  # most requests: nothing to sort, and nothing to say
            named = tuple(policy.name for policy in plan.policies)
            return Decision("allow", policies=named, applicable=bool(named), _request=request, _consulted=plan.policies)
        against = sorted((found for found in matched if found[0].effect != "allow"), key=_rank)
        permits = [found for found in matched if found[0].effect == "allow"]
        effect: Effect = against[0][0].effect if against else "allow"
        bound = [found for found in matched if found[0].effect == "deny" or effect != "deny"]
        obligations: list[str | dict[str, Any]] = []
        for _, rule in bound:
            obligations += [duty for duty in rule.obligations if duty not in obligations]
        return Decision(
            effect=effect,
            reasons=tuple(reason for reason, _ in against),
            permits=tuple(reason for reason, _ in permits),
            obligations=tuple(obligations),
            policies=tuple(policy.name for policy in plan.policies),
            audit=tuple(reason for reason, _ in sorted(audited, key=_rank) if reason.effect != "allow"),
            applicable=bool(plan.policies),
            _request=request,
            _consulted=plan.policies,
        )

    def is_silent(self, action: str, mode: str, standing: Standing) -> bool:
        """Whether no rule can match, whatever more is asked about; `standing` has the values of STANDING."""
        plan = self._plan(action, mode, None, standing)
        return not plan.enforced and not plan.audited

    def _plan(self, action: str, mode: str | None, only: str | None, standing: Standing = ()) -> _Plan:
        if len(action) > LONGEST_REMEMBERED or len(mode or "") > LONGEST_REMEMBERED:
            return self._make_plan(action, mode, only, standing)
        return self._remembered(action, mode, only, standing)

    def _make_plan(self, action: str, mode: str | None, only: str | None, standing: Standing) -> _Plan:
        names = set(self._by_name.get(action, ()))
        for pattern, found in self._by_pattern.items():
            if name_pattern(pattern)(action):
                names.update(found)
        policies = [self._policies[name] for name in sorted(names) if only in (None, name)]
        covering = tuple(policy for policy in policies if policy.applies_to.covers(action, mode))
        known: dict[str, Any] = {"action": {"name": action}}
        if mode is not None:
            known["context"] = {"mode": mode}
        for (root, name), value in zip(STANDING, standing, strict=False):
            if value is not UNKNOWN:
                known.setdefault(root, {})[name] = [] if value == () else value
        opened = ((p, _open_tests(self._tests[p.name], {**known, "params": p.params})) for p in covering)
        entries = [(policy, tests) for policy, tests in opened if tests]
        return _Plan(
            policies=covering,
            enforced=tuple(entry for entry in entries if entry[0].level != "audit"),
            audited=tuple(entry for entry in entries if entry[0].level == "audit"),
            names=frozenset().union(*(rule.names() for _, tests in entries for rule, _ in tests)),
        )


def _open_tests(tests: tuple[tuple[Rule, Test], ...], known: Mapping[str, Any]) -> tuple[tuple[Rule, Test], ...]:
    """The rules that may still match when only `known` is given.

    Strong Kleene logic is monotonic: what is false while the rest is unknown stays false whatever the rest turns out to be.
    """

    def is_open(test: Test) -> bool:
        try:
            return test(known) is not False
        except EvaluationError:
            return True

    return tuple(entry for entry in tests if is_open(entry[1]))


def _standing(request: PolicyRequest) -> Standing:
    """What a request says of `STANDING`; UNKNOWN for what it does not say, or not in few words."""
    found: list[Any] = []
    for root, name in STANDING:
        told = request.subject if root == "subject" else request.facts.get(root)
        value = told.get(name, UNKNOWN) if isinstance(told, dict) else UNKNOWN
        if value == []:
            value = ()
        elif value is not None and type(value) is not bool and (type(value) is not str or len(value) > SHORT):
            value = UNKNOWN
        found.append(value)
    return tuple(found)


def _matches(
    entries: tuple[tuple[Policy, tuple[tuple[Rule, Test], ...]], ...], environment: dict[str, Any]
) -> list[tuple[Reason, Rule]]:
    matched: list[tuple[Reason, Rule]] = []
    for policy, tests in entries:
        environment["params"] = policy.params
        for rule, test in tests:
            try:
                value = test(environment)
            except EvaluationError:
                value = True
            if value is True or (value is UNKNOWN and rule.effect != "allow"):
                matched.append((_reason(policy, rule, environment), rule))
    return matched


def _rank(found: tuple[Reason, Rule]) -> int:
    return _RANK[found[0].effect]


def _outcome(rule: Rule, found: Explanation) -> Code | Literal["not_matched"]:
    if found.error:
        return "rule_erred"
    if found.value is UNKNOWN:
        return "not_matched" if rule.effect == "allow" else "fact_unknown"
    return "rule_matched" if found.value else "not_matched"


def _reason(policy: Policy, rule: Rule, environment: Mapping[str, Any]) -> Reason:
    found = rule.condition.explain(environment)
    message = format_message(rule.reason, environment)
    code: Code = "rule_erred" if found.error else "fact_unknown" if found.value is UNKNOWN else "rule_matched"
    if found.error:
        message = f"Rule {rule.id} of policy {policy.name} cannot be decided, so it denies: {found.error}"
    elif found.unknown:
        message = f"{message} (not known: {', '.join(found.unknown)})"
    fix: dict[str, Any] | None = None
    if rule.fix is not None and not found.error:
        fix = {"action": rule.fix.action, "params": fill_params(rule.fix.params, environment)}
        if rule.fix.message:
            fix["message"] = format_message(rule.fix.message, environment)
    return Reason(
        policy=policy.name,
        rule=rule.id,
        effect="deny" if found.error else rule.effect,
        code=code,
        message=message,
        fix=fix,
        unknown=found.unknown,
        evidence=found.clauses,
    )
