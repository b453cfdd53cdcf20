"""The grammar of the expression language: text → a small typed tree, or an ExpressionError saying where and why.

    condition  := condition "and" condition | condition "or" condition | "not" condition | comparison | test | name
    comparison := value (("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in") value)+
    test       := "glob(value, pattern)" | "startswith(value, prefix)" | "endswith(value, suffix)"
                | "any(condition for word in value)" | "all(condition for word in value)"
    value      := name | constant | list | "len(value)" | "(condition)"
    name       := word ("." word)*
    constant   := text | number | true | false | null

Python's own parser does the work; what it accepts beyond this grammar is refused by name. Its tokens are checked first,
because it warns through process-wide state (`"\\d"`, `1and x`), drops comments and joins neighbouring texts.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Iterator
from typing import NoReturn

from llmgenie_mcp.errors import ExpressionError, shorten
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
from llmgenie_mcp.frozen import dataclass

MAX_SOURCE = 2048
MAX_DEPTH = 30
MAX_ITEMS = 100
MAX_TEXT = 500
MAX_INTEGER = 2**53

ALLOWED = (
    "Allowed: and, or, not, == != < <= > >= in, dotted names, texts, numbers, true, false, null, lists, "
    "glob(), startswith(), endswith(), len(), any(… for x in …), all(… for x in …)."
)
_KEYWORDS = {"and", "or", "not", "in", "for", "True", "False", "None"}
WORDS = {"true": True, "false": False, "null": None}
EXAMPLES = {
    "glob": "glob(resource.path, 'src/**')",
    "startswith": "startswith(resource.branch, 'release/')",
    "endswith": "endswith(resource.path, '.py')",
    "len": "len(action.changes)",
    "any": "any(item.passed for item in tests.results)",
    "all": "all(item.passed for item in tests.results)",
}
_SYMBOLS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    | (?P<word>[^\W\d]\w*)
    | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<text>'(?:[^'\\\x00-\x1f\x7f\ud800-\udfff]|\\['"\\nt])*'|"(?:[^"\\\x00-\x1f\x7f\ud800-\udfff]|\\['"\\nt])*")
    | (?P<sign>==|!=|<=|>=|[<>()\[\],.-])""",
    re.VERBOSE,
)
_TEXT_START = re.compile(r"""(['"])(?:(?!\1)[^\\\x00-\x1f\x7f\ud800-\udfff]|\\['"\\nt])*""")
_STRAY = {
    "=": "Compare with ==.",
    "&": "Write `and`.",
    "|": "Write `or`.",
    "!": "Write `not`, or != to compare.",
    "#": "An expression holds no comments.",
    "{": "Write a list as [a, b]; braces are for messages, not for expressions.",
    ":": "There are no lambdas, slices or assignments.",
    "is": "Compare with == or !=.",
    "if": "Write it with and/or, or as two rules.",
    "`": "Write a text in single or double quotes.",
    **dict.fromkeys("+*/%@^~", "There is no arithmetic; ask for a fact that holds the result."),
}
_REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.BinOp: ("Arithmetic is not allowed", "Ask for a fact that holds the result."),
    ast.Subscript: ("Indexing with [] is not allowed", "Use a dotted name, or any(… for x in …)."),
    ast.GeneratorExp: ("`for` stands only inside any() and all()", "For example any(x.passed for x in tests.results)."),
    ast.ListComp: ("`for` stands only inside any() and all()", "Leave out the square brackets: any(… for x in …)."),
}


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed expression: its root, its tokens joined by single spaces, and how many words any()/all() bind."""

    root: Node
    normal: str
    slots: int


def parse(source: str) -> Tree:
    """Read an expression. Raises ExpressionError with the character offset of the first thing that is not allowed."""
    if len(source) > MAX_SOURCE:
        raise ExpressionError(
            f"The expression has {len(source)} characters.", f"At most {MAX_SOURCE} are allowed.", offset=MAX_SOURCE
        )
    normal = " ".join(_tokens(source))
    if not normal:
        raise ExpressionError("The expression is empty.", ALLOWED, offset=0)
    # Line breaks become spaces one for one, which keeps every offset.
    line = re.sub(r"[\t\r\n]", " ", source)
    text = line.lstrip()
    lead = len(line) - len(text)
    try:
        body = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        offset = min(max(lead + (error.offset or 1) - 1, 0), len(source))
        raise ExpressionError(f"The expression does not parse: {error.msg}.", ALLOWED, offset=offset) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(
            f"The expression does not parse ({type(error).__name__}).", "Nest less deeply.", offset=0
        ) from None
    reader = _Reader(text, lead)
    root = reader.condition(body, 1, {})
    return Tree(root, normal, reader.slots)


def _tokens(source: str) -> Iterator[str]:
    position = 0
    before = "space"
    while position < len(source):
        found = _TOKEN.match(source, position)
        if found is None:
            _refuse_character(source, position)
        group = str(found.lastgroup)
        if group == "text" and before == "text":
            raise ExpressionError("Two texts follow each other.", "A comma is missing.", offset=position)
        if group == "word" and keyword.iskeyword(found[0]) and found[0] not in _KEYWORDS:
            hint = _STRAY.get(found[0], ALLOWED)
            raise ExpressionError(f"The word `{found[0]}` is reserved and has no use here.", hint, offset=position)
        if before == "word" and group == "text" and source[position - 1] not in " \t\r\n":
            raise ExpressionError("A text has no prefix.", "Remove the letters before the quote.", offset=position)
        if before == "number" and (group == "word" or found[0] == ".") and source[position - 1] not in " \t\r\n":
            raise ExpressionError("The number is malformed.", "Write it as 12, 0.5 or 1e3.", offset=position)
        if group != "space":
            yield found[0]
            before = group
        position = found.end()


def _refuse_character(source: str, position: int) -> NoReturn:
    char = source[position]
    if char not in "'\"":
        hint = _STRAY.get(char, ALLOWED)
        raise ExpressionError(f"The character {char!r} is not allowed here.", hint, offset=position)
    start = _TEXT_START.match(source, position)
    end = start.end() if start else position
    if end == len(source):
        raise ExpressionError("The text that starts here is never closed.", f"End it with {char}.", offset=position)
    if source[end] == "\\":
        hint = "Allowed are \\\\ \\' \\\" \\n and \\t."
        raise ExpressionError(f"{source[end : end + 2]!r} is not an escape.", hint, offset=end)
    raise ExpressionError(f"The character {source[end]!r} is not allowed in a text.", "Write \\n or \\t.", offset=end)


class _Reader:
    """Turns Python's tree into ours, refusing what the grammar does not have."""

    def __init__(self, text: str, lead: int) -> None:
        self.text = text
        self.lead = lead
        # Python counts the columns of nodes in bytes of UTF-8.
        self.encoded = None if text.isascii() else text.encode()
        self.slots = 0

    def span(self, node: ast.expr) -> tuple[int, int]:
        return self.offset(node.col_offset), self.offset(node.end_col_offset or node.col_offset)

    def offset(self, column: int) -> int:
        return self.lead + (column if self.encoded is None else len(self.encoded[:column].decode(errors="ignore")))

    def written(self, node: ast.expr) -> str:
        start, end = self.span(node)
        return shorten(self.text[start - self.lead : end - self.lead], 40)

    def error(self, node: ast.expr, message: str, hint: str) -> ExpressionError:
        return ExpressionError(message, hint, offset=self.offset(node.col_offset))

    def condition(self, node: ast.expr, depth: int, bound: dict[str, int]) -> Node:
        """Read what stands where truth is asked for: a text or a list there is a slip, such as `x == 'a' or 'b'`."""
        found = self.value(node, depth, bound)
        if isinstance(found, ListOf) or (isinstance(found, Constant) and not isinstance(found.value, bool)):
            hint = "Compare it with something; for one of several write `x in ['a', 'b']`."
            raise self.error(node, f"{self.written(node)} alone is not a condition.", hint)
        return found

    def value(self, node: ast.expr, depth: int, bound: dict[str, int]) -> Node:
        if depth > MAX_DEPTH:
            raise self.error(node, "The expression is nested too deeply.", f"At most {MAX_DEPTH} levels are allowed.")
        match node:
            case ast.Name() | ast.Attribute():
                return self.name(node, bound)
            case ast.Constant():
                return self.constant(node)
            case ast.List() | ast.Tuple():
                if len(node.elts) > MAX_ITEMS:
                    raise self.error(node, f"The list has {len(node.elts)} items.", f"At most {MAX_ITEMS} are allowed.")
                return ListOf(*self.span(node), tuple(self.value(item, depth + 1, bound) for item in node.elts))
            case ast.BoolOp():
                operands = tuple(self.condition(item, depth + 1, bound) for item in node.values)
                return Junction(*self.span(node), "and" if isinstance(node.op, ast.And) else "or", operands)
            case ast.UnaryOp(op=ast.Not()):
                return Not(*self.span(node), self.condition(node.operand, depth + 1, bound))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                self.constant(node.operand)
                return Constant(*self.span(node), -number)
            case ast.Compare():
                return self.comparison(node, depth, bound)
            case ast.Call():
                return self.call(node, depth, bound)
        what, hint = _REFUSED.get(type(node), ("This is not allowed", ALLOWED))
        raise self.error(node, f"{what}: {self.written(node)}", hint)

    def name(self, node: ast.Name | ast.Attribute, bound: dict[str, int]) -> Node:
        words: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            words.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            raise self.error(node, "Only a name may stand before a dot.", "For example resource.branch.")
        if inner.id in WORDS and not words:
            return Constant(*self.span(node), WORDS[inner.id])
        words.append(inner.id)
        return Name(*self.span(node), tuple(reversed(words)), bound.get(inner.id, 0))

    def constant(self, node: ast.expr) -> Constant:
        value = node.value if isinstance(node, ast.Constant) else ...
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise self.error(node, f"The text has {len(value)} characters.", f"At most {MAX_TEXT} are allowed.")
        if (isinstance(value, int) and abs(value) > MAX_INTEGER) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            raise self.error(node, "The number is too large.", "Integers go up to 2 to the power of 53.")
        if value is not None and not isinstance(value, (str, int, float)):
            raise self.error(node, "This constant is not allowed.", ALLOWED)
        return Constant(*self.span(node), value)

    def comparison(self, node: ast.Compare, depth: int, bound: dict[str, int]) -> Node:
        first = self.value(node.left, depth + 1, bound)
        rest: list[tuple[str, Node]] = []
        for operator, operand in zip(node.ops, node.comparators, strict=True):
            symbol = _SYMBOLS[type(operator)]
            right = self.value(operand, depth + 1, bound)
            if "in" in symbol and isinstance(right, Constant):
                hint = "A list of one is written ['main']; for parts of a text use startswith(), endswith() or glob()."
                raise self.error(operand, f"After `in` stands a list or a name, not {self.written(operand)}.", hint)
            rest.append((symbol, right))
        return Comparison(*self.span(node), first, tuple(rest))

    def call(self, node: ast.Call, depth: int, bound: dict[str, int]) -> Node:
        function = node.func.id if isinstance(node.func, ast.Name) else ""
        if function not in EXAMPLES:
            raise self.error(node, f"There is no function {self.written(node.func)!r}.", ALLOWED)
        wanted = f"For example {EXAMPLES[function]}."
        if function in ("any", "all"):
            if len(node.args) != 1 or node.keywords or not isinstance(node.args[0], ast.GeneratorExp):
                raise self.error(node, f"{function}() takes a condition and a `for`.", wanted)
            return self.quantifier(node, function, node.args[0], depth, bound)
        count = 1 if function == "len" else 2
        if len(node.args) != count or node.keywords:
            raise self.error(node, f"{function}() takes {count} argument{'s'[: count - 1]}.", wanted)
        arguments = tuple(self.value(argument, depth + 1, bound) for argument in node.args)
        if function == "glob":
            self.check_patterns(arguments[1])
        return Call(*self.span(node), function, arguments)

    def check_patterns(self, pattern: Node) -> None:
        for item in walk(pattern):
            if isinstance(item, Constant) and isinstance(item.value, str):
                try:
                    compile_glob(item.value)
                except ValueError as error:
                    raise ExpressionError(f"{str(error).capitalize()}.", "", offset=item.start) from None

    def quantifier(self, node: ast.Call, word: str, loop: ast.GeneratorExp, depth: int, bound: dict[str, int]) -> Node:
        [*others, part] = loop.generators
        target = part.target
        if others or part.ifs or part.is_async:
            raise self.error(node, f"{word}() takes one `for` and no `if`.", f"For example {EXAMPLES[word]}.")
        if not isinstance(target, ast.Name) or target.id in WORDS:
            raise self.error(target, "After `for` stands one word.", f"For example {EXAMPLES[word]}.")
        items = self.value(part.iter, depth + 1, bound)
        if not isinstance(items, (Name, ListOf)):
            raise self.error(part.iter, f"After `in` stands a list or a name, not {self.written(part.iter)}.", "")
        self.slots += 1
        slot = self.slots
        body = self.condition(loop.elt, depth + 1, {**bound, target.id: slot})
        return Quantifier(*self.span(node), word, slot, items, body)
