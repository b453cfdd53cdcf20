"""From the tree of an expression to closures that evaluate it: `Run(facts, scope)`.

Conditions return True, False or UNKNOWN after Kleene's strong three-valued logic, values return themselves or UNKNOWN.
What cannot be evaluated raises ValueError. All of it is metered: an evaluation stops once it has used up its work, so
that no expression hangs, whatever the facts hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from llmgenie_mcp.expressions.nodes import (
    Call,
    Comparison,
    Constant,
    Junction,
    ListOf,
    Name,
    Node,
    Not,
    Quantifier,
    walk,
)
from llmgenie_mcp.expressions.patterns import compile_glob
from llmgenie_mcp.expressions.values import UNKNOWN, Truth, kind, lookup

# One unit is about the work of one comparison of short values: the limit is reached after about a quarter of a second.
WORK: Final = 1_000_000
NO_ITEM: Final = object()

# scope[0] is the work that is left; scope[n] is the item that any()/all() number n looks at, or NO_ITEM.
Scope: TypeAlias = list[Any]
Run: TypeAlias = Callable[[Mapping[str, Any], Scope], Any]
Operator: TypeAlias = Callable[[Any, Any, Scope], bool]

_LISTS = (list, tuple, set, frozenset)
_NESTED = (*_LISTS, Mapping)


def new_scope(slots: int) -> Scope:
    """What a closure needs besides the facts; each evaluation takes a copy."""
    return [WORK, *[NO_ITEM] * slots]


def compile_condition(node: Node) -> Run:
    """A closure that returns True, False or UNKNOWN."""
    match node:
        case Junction():
            return junction(node.word == "or", tuple(map(compile_condition, node.operands)))
        case Not():
            return negation(compile_condition(node.operand))
        case Comparison():
            return _comparison(node)
        case Quantifier():
            return _quantifier(node)
        case Call() if node.function != "len":
            return _text_test(node)
    value = compile_value(node)

    def run(facts: Mapping[str, Any], scope: Scope) -> Any:
        found = value(facts, scope)
        return found if found is UNKNOWN else bool(found)

    return run


def compile_value(node: Node) -> Run:
    """A closure that returns the value of a name, constant, list or len(), or the truth of a condition."""
    match node:
        case Constant(value=constant):
            return lambda _facts, _scope: constant
        case Name(parts=(word,), slot=0):
            return lambda facts, _scope: facts.get(word, UNKNOWN)
        case Name(parts=(root, word), slot=0):
            return _field(root, word)
        case Name(parts=parts, slot=0):
            return lambda facts, _scope: lookup(facts, parts)
        case Name(parts=(_, *below), slot=slot):
            path = tuple(below)
            return lambda _facts, scope: lookup(scope[slot], path)
        case ListOf():
            return _list(node)
        case Call(function="len"):
            return _length(node)
    return compile_condition(node)


def _field(root: str, word: str) -> Run:
    """`lookup` of two parts, most names, in a quarter of the time."""

    def run(facts: Mapping[str, Any], _scope: Scope) -> Any:
        below = facts.get(root)
        return below.get(word, UNKNOWN) if type(below) is dict else lookup(facts, (root, word))

    return run


def junction(end: bool, runs: tuple[Run, ...]) -> Run:
    """`or` for end=True, `and` for end=False: `end` as soon as a part is, else UNKNOWN if one was, else the other."""

    def run(facts: Mapping[str, Any], scope: Scope) -> Any:
        result: Truth = not end
        for part in runs:
            value = part(facts, scope)
            if value is end:
                return end
            if value is UNKNOWN:
                result = UNKNOWN
        return result

    return run


def negation(part: Run) -> Run:
    """`not`, which leaves UNKNOWN as it is."""

    def run(facts: Mapping[str, Any], scope: Scope) -> Any:
        value = part(facts, scope)
        return value if value is UNKNOWN else not value

    return run


def _list(node: ListOf) -> Run:
    runs = tuple(map(compile_value, node.items))
    if all(isinstance(item, Constant) for item in node.items):
        constant = [run({}, []) for run in runs]
        return lambda _facts, _scope: constant

    def run(facts: Mapping[str, Any], scope: Scope) -> Any:
        values = [item(facts, scope) for item in runs]
        return UNKNOWN if any(value is UNKNOWN for value in values) else values

    return run


def _length(node: Call) -> Run:
    value = compile_value(node.arguments[0])

    def run(facts: Mapping[str, Any], scope: Scope) -> Any:
        found = value(facts, scope)
        if found is UNKNOWN:
            return UNKNOWN
        if not isinstance(found, (str, *_NESTED)):
            raise ValueError(f"{kind(found)} has no length")
        return len(found)

    return run


def _comparison(node: Comparison) -> Run:
    left = compile_value(node.first)
    if len(node.rest) > 1:
        return _chain(left, tuple((_OPERATORS[symbol], compile_value(operand)) for symbol, operand in node.rest))
    [(symbol, operand)] = node.rest
    if "in" in symbol and isinstance(operand, ListOf) and not all(isinstance(item, Constant) for item in operand.items):
        found = _membership(left, tuple(map(compile_value, operand.items)))
        return found if symbol == "in" else negation(found)
    compare = _OPERATORS[symbol]
    right = compile_value(operand)

    def run(facts: Mapping[str, Any], scope: Scope) -> Any:
        first = left(facts, scope)
        if first is UNKNOWN:
            return UNKNOWN
        second = right(facts, scope)
        return UNKNOWN if second is UNKNOWN else compare(first, second, scope)

    return run


def _chain(left: Run, rest: tuple[tuple[Operator, Run], ...]) -> Run:
    """`a < b < c` is `a < b and b < c`, with b evaluated once."""

    def run(facts: Mapping[str, Any], scope: Scope) -> Any:
        result: Truth = True
        first = left(facts, scope)
        for compare, right in rest:
            second = right(facts, scope)
            if first is UNKNOWN or second is UNKNOWN:
                result = UNKNOWN
            elif not compare(first, second, scope):
                return False
            first = second
        return result

    return run


def _membership(left: Run, items: tuple[Run, ...]) -> Run:
    """`x in [a, b]` is `x == a or x == b`, so that one known equal item decides."""

    def run(facts: Mapping[str, Any], scope: Scope) -> Any:
        first = left(facts, scope)
        if first is UNKNOWN:
            return UNKNOWN
        result: Truth = False
        for item in items:
            second = item(facts, scope)
            if second is UNKNOWN:
                result = UNKNOWN
            elif _equal(first, second, scope):
                return True
        return result

    return run


def _quantifier(node: Quantifier) -> Run:
    """any() is `or` over the items, all() is `and`; the scope keeps the item that decided, for explanations."""
    word, slot, end = node.word, node.slot, node.word == "any"
    items, body = compile_value(node.items), compile_condition(node.body)
    cost = sum(1 for _ in walk(node.body))

    def run(facts: Mapping[str, Any], scope: Scope) -> Any:
        scope[slot] = NO_ITEM
        found = items(facts, scope)
        if found is UNKNOWN:
            return UNKNOWN
        if not isinstance(found, _LISTS):
            raise ValueError(f"{word}() goes through a list, not {kind(found)}")
        _charge(scope, cost * len(found))
        undecided: Any = NO_ITEM
        for item in found:
            scope[slot] = item
            value = body(facts, scope)
            if value is end:
                return end
            if value is UNKNOWN and undecided is NO_ITEM:
                undecided = item
        scope[slot] = undecided
        if undecided is NO_ITEM:
            return not end
        # Once more, so that the items of any()/all() inside belong to this one.
        return body(facts, scope)

    return run


def _text_test(node: Call) -> Run:
    function = node.function
    value, wanted = map(compile_value, node.arguments)
    test = _TEXT_TESTS[function]

    def run(facts: Mapping[str, Any], scope: Scope) -> Any:
        text, patterns = value(facts, scope), wanted(facts, scope)
        if text is UNKNOWN or patterns is UNKNOWN:
            return UNKNOWN
        if isinstance(patterns, str):
            patterns = (patterns,)
        elif not isinstance(patterns, _LISTS):
            raise ValueError(f"{function}() compares with a text or a list of texts, not with {kind(patterns)}")
        if text is None:
            return False
        if not isinstance(text, str):
            hint = f"; write any({function}(x, …) for x in …)" if isinstance(text, _LISTS) else ""
            raise ValueError(f"{function}() takes a text, not {kind(text)}{hint}")
        for pattern in patterns:
            if not isinstance(pattern, str):
                raise ValueError(f"{function}() compares with a text or a list of texts, not with {kind(pattern)}")
            if test(text, pattern, scope):
                return True
        return False

    return run


def _glob(text: str, pattern: str, scope: Scope) -> bool:
    # Patterns with ? and [ go character by character.
    ease = 3 if "?" in pattern or "[" in pattern else 7
    _charge(scope, 4 + (len(text) * len(pattern) >> ease))
    return compile_glob(pattern)(text)


def _startswith(text: str, prefix: str, scope: Scope) -> bool:
    _charge(scope, 1)
    return text.startswith(prefix)


def _endswith(text: str, suffix: str, scope: Scope) -> bool:
    _charge(scope, 1)
    return text.endswith(suffix)


def _charge(scope: Scope, work: int) -> None:
    scope[0] -= work
    if scope[0] < 0:
        raise ValueError("it takes too much work; give it shorter lists or texts")


def _weigh(value: Any) -> int:
    """About the work of comparing a value with an equal one."""
    total, rest = 0, [value]
    while rest and total <= WORK:
        item = rest.pop()
        total += 1
        if isinstance(item, str):
            total += len(item) >> 8
        elif isinstance(item, Mapping):
            rest.extend(item.values())
        elif isinstance(item, _LISTS):
            rest.extend(item)
    return total


def _equal(first: Any, second: Any, scope: Scope) -> bool:
    if isinstance(second, str):
        if len(second) > 1000:
            _charge(scope, len(second) >> 8)
    elif isinstance(second, _NESTED) and isinstance(first, _NESTED):
        _charge(scope, _weigh(second))
    return bool(first == second)


def _unequal(first: Any, second: Any, scope: Scope) -> bool:
    return not _equal(first, second, scope)


def _contains(first: Any, second: Any, scope: Scope) -> bool:
    if isinstance(second, str):
        if not isinstance(first, str):
            raise ValueError(f"{kind(first)} cannot be in a text")
        _charge(scope, len(second) >> 6)
    elif isinstance(second, _LISTS):
        if len(second) > 10 or isinstance(first, _NESTED):
            _charge(scope, len(second) * _weigh(first))
    elif not isinstance(second, Mapping):
        raise ValueError(f"nothing can be in {kind(second)}")
    return first in second


def _contains_not(first: Any, second: Any, scope: Scope) -> bool:
    return not _contains(first, second, scope)


def _check_order(first: Any, second: Any) -> None:
    for types in ((int, float), str):
        if isinstance(first, types) and isinstance(second, types):
            if isinstance(first, bool) or isinstance(second, bool):
                break
            return
    raise ValueError(f"{kind(first)} and {kind(second)} have no order")


def _less(first: Any, second: Any, _scope: Scope) -> bool:
    _check_order(first, second)
    return bool(first < second)


def _less_or_equal(first: Any, second: Any, _scope: Scope) -> bool:
    _check_order(first, second)
    return bool(first <= second)


_TEXT_TESTS: dict[str, Operator] = {"glob": _glob, "startswith": _startswith, "endswith": _endswith}
_OPERATORS: dict[str, Operator] = {
    "==": _equal,
    "!=": _unequal,
    "<": _less,
    "<=": _less_or_equal,
    ">": lambda first, second, scope: _less(second, first, scope),
    ">=": lambda first, second, scope: _less_or_equal(second, first, scope),
    "in": _contains,
    "not in": _contains_not,
}
