"""The policy decision point, pure: PolicyRequest → Decision. It reads nothing and changes nothing.

Rules combine as in XACML 3.0's deny-overrides (appendix C), with `ask` between: deny goes over ask, ask over allow, and
where nothing matches the answer is allow. Two things differ on the safe side: an unknown fact makes deny and ask rules
match and allow rules not, and a rule that errs denies and says so (Cedar skips it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from llmgenie_mcp.errors import DefinitionError, UnknownName
from llmgenie_mcp.expressions import UNKNOWN, EvaluationError, Truth
from llmgenie_mcp.expressions.patterns import name_pattern
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.policy.decision import Decision, PolicyRequest, Reason, reason_of

if TYPE_CHECKING:
    from llmgenie_mcp.rules import Effect, Policy, Rule

Test: TypeAlias = Callable[[Mapping[str, Any]], Truth]
Tests: TypeAlias = "tuple[tuple[Rule, Test], ...]"
Entries: TypeAlias = "tuple[tuple[Policy, Tests], ...]"
"""Policies, each with its rules that may match and their conditions."""

REMEMBERED = 1024
"""So many plans are kept."""
LONGEST_REMEMBERED = 200
"""Characters of an action or a mode for which a plan is kept."""
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
"""Characters of a fact that is looked at with `STANDING`."""
_RANK: dict[str, int] = {"deny": 0, "ask": 1, "allow": 2}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be evaluated for one action in one mode."""

    policies: tuple[Policy, ...]
    enforced: Entries
    audited: Entries
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
        self._tests: dict[str, Tests] = {}
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
        opened = ((p, _open_tests(self._tests_of(p), {**known, "params": p.params})) for p in covering)
        entries = [(policy, tests) for policy, tests in opened if tests]
        return _Plan(
            policies=covering,
            enforced=tuple(entry for entry in entries if entry[0].level != "audit"),
            audited=tuple(entry for entry in entries if entry[0].level == "audit"),
            names=frozenset().union(*(rule.names() for _, tests in entries for rule, _ in tests)),
        )

    def _tests_of(self, policy: Policy) -> Tests:
        """Its rules with their conditions, which are parsed when the policy is first asked: a command asks few of them."""
        if policy.name not in self._tests:
            self._tests[policy.name] = tuple((rule, rule.condition.test) for rule in policy.rules)
        return self._tests[policy.name]


def _open_tests(tests: Tests, known: Mapping[str, Any]) -> Tests:
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


def _matches(entries: Entries, environment: dict[str, Any]) -> list[tuple[Reason, Rule]]:
    matched: list[tuple[Reason, Rule]] = []
    for policy, tests in entries:
        environment["params"] = policy.params
        for rule, test in tests:
            try:
                value = test(environment)
            except EvaluationError:
                value = True
            if value is True or (value is UNKNOWN and rule.effect != "allow"):
                matched.append((reason_of(policy, rule, environment), rule))
    return matched


def _rank(found: tuple[Reason, Rule]) -> int:
    return _RANK[found[0].effect]


__all__ = ["STANDING", "Decision", "PolicyRequest", "PolicySet", "Reason", "Standing"]
