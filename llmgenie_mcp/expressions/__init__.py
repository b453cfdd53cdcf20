"""The one expression language of guards and rules: small, three-valued, and able to say why.

    >>> expression = Expression.parse("resource.branch in params.protected and not approval.granted")
    >>> facts = {"resource": {"branch": "main"}, "params": {"protected": ["main"]}}
    >>> expression.test(facts)
    UNKNOWN
    >>> print(expression.explain(facts))
    resource.branch in params.protected → true (resource.branch = 'main', params.protected = ['main'])
    approval.granted → unknown (approval.granted = unknown)

Truth follows Kleene's strong three-valued logic (S. C. Kleene, Introduction to Metamathematics, 1952, § 64): what
does not depend on an unknown fact is decided without it. A comparison with an unknown value is unknown, `x == null`
included. Where truth is asked of another value, false, null, 0, the empty text, list and mapping are false and all else
is true, as in Python. == compares as Python does; < and its kin compare numbers with numbers and texts with texts. What
cannot be compared raises EvaluationError. `grammar.py` says what may be written, `patterns.compile_glob` what patterns
mean; glob(), startswith() and endswith() of null are false, and a list of patterns stands for any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any, TypeAlias

from llmgenie_mcp.errors import ExpressionError
from llmgenie_mcp.expressions.evaluation import (
    NO_ITEM,
    Run,
    Scope,
    compile_condition,
    compile_value,
    junction,
    negation,
    new_scope,
)
from llmgenie_mcp.expressions.grammar import parse
from llmgenie_mcp.expressions.nodes import Junction, Name, Node, Not, walk
from llmgenie_mcp.expressions.values import SHOWN, UNKNOWN, Truth, Unknown, brief, show
from llmgenie_mcp.expressions.vocabulary import (
    Problem,
    Vocabulary,
    fill_fix,
    fill_params,
    format_message,
    message_names,
    templates,
)
from llmgenie_mcp.frozen import dataclass

__all__ = [
    "UNKNOWN",
    "Clause",
    "EvaluationError",
    "Explanation",
    "Expression",
    "Problem",
    "Truth",
    "Unknown",
    "Vocabulary",
    "facts_read",
    "fill_fix",
    "fill_params",
    "format_message",
    "message_names",
    "templates",
]

# How clauses are joined: the index of a clause, or "and"/"or"/"not" over branches.
Branch: TypeAlias = "int | tuple[str, tuple[Branch, ...]]"


class EvaluationError(ExpressionError):
    """An expression met values that it cannot handle, as in `1 < 'a'`. The message names the clause and its values."""

    code = "expression_failed"


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison, call or name of an expression, and what became of it.

    Attributes:
        text: as written, on one line.
        value: True, False or UNKNOWN.
        values: what each name stood for, shortened; with any()/all() also the item that decided.
        error: why it could not be evaluated; its value is then UNKNOWN.
    """

    text: str
    value: Truth
    values: Mapping[str, Any]
    error: str = ""

    def __str__(self) -> str:
        # Two more than a shortened text has, for its quotes.
        values = ", ".join(f"{name} = {show(value, SHOWN + 2)}" for name, value in self.values.items())
        return f"{self.text} → {'error' if self.error else show(self.value)}{f' ({values})' if values else ''}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an expression came to, clause by clause.

    Attributes:
        value: what `Expression.test` returns; UNKNOWN where that raises.
        clauses: every clause in the order of the source, also those that could not change the value.
        unknown: the names whose values were missing and leave the value UNKNOWN.
        error: the message of the EvaluationError that `Expression.test` raises, or empty.
    """

    value: Truth
    clauses: tuple[Clause, ...]
    unknown: tuple[str, ...] = ()
    error: str = ""

    def __str__(self) -> str:
        return "\n".join(map(str, self.clauses))


@dataclass(frozen=True, slots=True)
class _Leaf:
    text: str
    offset: int
    run: Run
    names: tuple[tuple[str, int, Run], ...]

    def guarded(self, facts: Mapping[str, Any], scope: Scope) -> Any:
        try:
            return self.run(facts, scope)
        except Exception as error:
            # Facts may come from foreign code; whatever it raises must end as a denial.
            raise self.failure(error, facts, scope) from error

    def failure(self, error: Exception, facts: Mapping[str, Any], scope: Scope) -> EvaluationError:
        cause = str(error) if isinstance(error, ValueError) else type(error).__name__
        values = ", ".join(f"{name} = {show(value, SHOWN + 2)}" for name, value in self.values(facts, scope).items())
        message = f"`{self.text}` cannot be evaluated: {cause}{f' ({values})' if values else ''}."
        return EvaluationError(message, offset=self.offset)

    def values(self, facts: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, slot, run in self.names:
            if slot and scope[slot] is NO_ITEM:
                continue
            try:
                found[name] = brief(run(facts, scope))
            except Exception:  # noqa: BLE001 - this describes what happened; it must not be a second failure
                found[name] = UNKNOWN
        return found

    def clause(self, facts: Mapping[str, Any], scope: Scope) -> Clause:
        try:
            value, error = self.guarded(facts, scope), ""
        except EvaluationError as failure:
            value, error = UNKNOWN, failure.message
        return Clause(self.text, value, self.values(facts, scope), error)


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A condition over facts, parsed once. Equal to every expression of the same source. Build it with `parse`.

    Attributes:
        source: as written.
        normal: its words joined by single spaces; equal for expressions that differ in spacing alone.
        names: the dotted names of the facts it reads.
        name_offsets: each mention of such a name with its character offset, in the order of the source.
    """

    source: str
    normal: str = field(repr=False)
    names: frozenset[str] = field(repr=False)
    name_offsets: tuple[tuple[str, int], ...] = field(repr=False)
    _run: Run = field(repr=False)
    _leaves: tuple[_Leaf, ...] = field(repr=False)
    _branch: Branch = field(repr=False)
    _scope: Scope = field(repr=False)

    @staticmethod
    def parse(source: str) -> Expression:
        """Read an expression; the last 4,096 are remembered.

        Raises:
            ExpressionError: it is not of the language; `offset` counts characters from 0, `hint` says what is allowed.
        """
        return _parse(source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.source == other.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __reduce__(self) -> tuple[Callable[[str], Expression], tuple[str]]:
        return _parse, (self.source,)

    def test(self, facts: Mapping[str, Any]) -> Truth:
        """True, False or UNKNOWN.

        Args:
            facts: JSON values by root name, nested mappings below; UNKNOWN among them counts as missing.

        Raises:
            EvaluationError: values that cannot be compared, or lists and texts that take too much work.
        """
        result: Truth = self._run(facts, self._scope.copy())
        return result

    def explain(self, facts: Mapping[str, Any]) -> Explanation:
        """What `test` comes to, with every clause evaluated. Never raises: a clause that errs carries its error."""
        clauses: dict[int, Clause] = {}

        def settle(branch: Branch) -> tuple[Truth, list[int], str]:
            """The value, the clauses that leave it unknown and the error, visiting the clauses that `test` visits."""
            if isinstance(branch, int):
                clause = clauses[branch] = self._leaves[branch].clause(facts, scope)
                return clause.value, [branch] if clause.value is UNKNOWN else [], clause.error
            word, parts = branch
            if word == "not":
                value, unknown, error = settle(parts[0])
                return value if value is UNKNOWN else not value, unknown, error
            end = word == "or"
            unknown = []
            for part in parts:
                value, more, error = settle(part)
                if error:
                    return UNKNOWN, [], error
                if value is end:
                    return end, [], ""
                unknown += more
            return (UNKNOWN if unknown else not end), unknown, ""

        scope = self._scope.copy()
        value, unsettled, error = settle(self._branch)
        scope = self._scope.copy()
        for index, leaf in enumerate(self._leaves):
            if index not in clauses:
                clauses[index] = leaf.clause(facts, scope)
        names = dict.fromkeys(
            name for index in unsettled for name, fact in clauses[index].values.items() if fact is UNKNOWN
        )
        return Explanation(value, tuple(clauses[index] for index in range(len(clauses))), tuple(names), error)


def facts_read(condition: Expression, texts: Iterable[str]) -> frozenset[str]:
    """The dotted names that a condition and the templates in `texts` read, without a policy's own `params.…`."""
    said = {name for text in texts for name, _ in message_names(text)}
    return frozenset(name for name in said | condition.names if name.partition(".")[0] != "params")


@lru_cache(maxsize=4096)
def _parse(source: str) -> Expression:
    tree = parse(source)
    leaves: list[_Leaf] = []
    run, branch = _join(tree.root, source, leaves)
    offsets = sorted((node.start, node.text) for node in walk(tree.root) if isinstance(node, Name) and not node.slot)
    return Expression(
        source=source,
        normal=tree.normal,
        names=frozenset(name for _, name in offsets),
        name_offsets=tuple((name, offset) for offset, name in offsets),
        _run=run,
        _leaves=tuple(leaves),
        _branch=branch,
        _scope=new_scope(tree.slots),
    )


def _join(node: Node, source: str, leaves: list[_Leaf]) -> tuple[Run, Branch]:
    """A closure for the condition and how it is made of clauses, which are added to `leaves`."""
    if isinstance(node, Junction):
        runs, branches = zip(*(_join(operand, source, leaves) for operand in node.operands), strict=True)
        return junction(node.word == "or", runs), (node.word, branches)
    if isinstance(node, Not):
        run, branch = _join(node.operand, source, leaves)
        return negation(run), ("not", (branch,))
    text = " ".join(source[node.start : node.end].split())
    names = {inner.text: inner for inner in walk(node) if isinstance(inner, Name)}
    values = tuple((name, inner.slot, compile_value(inner)) for name, inner in names.items())
    leaf = _Leaf(text, node.start, compile_condition(node), values)
    leaves.append(leaf)
    return leaf.guarded, len(leaves) - 1
