"""What is wrong with a YAML text, in words for the author of a definition."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]


class Fault(Exception):
    """Something wrong with the text itself.

    Attributes:
        index: where, in characters from 0.
        message: what is wrong.
        hint: what to write instead; may be empty.
        path: the keys that lead there.
    """

    def __init__(self, index: int, message: str, hint: str = "", path: KeyPath = ()) -> None:
        super().__init__(message)
        self.index, self.message, self.hint, self.path = index, message, hint, path


_INDENT = "Keys of one mapping and entries of one list start in the same column."
_QUOTES = "Quotes must enclose the whole value; text that starts with a quote, [ or { must be in quotes."

# ruamel's wording → ours, and what to do.
_REWORDED: tuple[tuple[str, str, str], ...] = (
    (r"found character '\\t'", "A tab cannot stand here", "Use spaces for indentation."),
    (r"found character '(.)'", "Text cannot start with {0} unless it is in quotes", "Put it in quotes."),
    (r"expected ':'", "A key without a colon", "Write `key: value`, with a space after the colon."),
    (
        r"mapping values are not allowed",
        "A colon is not expected here",
        "Text that contains a colon must be in quotes; otherwise the indentation is wrong.",
    ),
    (
        r"(sequence entries|mapping keys) are not allowed",
        "A list or mapping cannot start here",
        "Check the indentation; text that starts with - or ? must be in quotes.",
    ),
    (r"unexpected (end of stream|document separator)", "The quote that starts here is never closed", "Close it."),
    (
        r"expected '?<(block end|document start)>'?, but found \(?'(?:<scalar>|,)'",
        "Text goes on after its end",
        _QUOTES,
    ),
    (r"expected '?<(block end|document start)>'?", "The indentation does not fit", _INDENT),
    (r"expected ',' or '([]}])'", "A comma or the closing {0} is missing", "Check what stands before."),
    (
        r"unknown escape character '(.+)'",
        "The escape \\{0} is unknown",
        "Use 'single quotes' for text with backslashes.",
    ),
    (
        r"expected alphabetic or numeric character",
        "The name after * or & is missing",
        "Text that starts with * or & must be in quotes.",
    ),
    (r"expected the node content, but found '?(.+?)'?$", "A value is missing before {0}", "Check what stands before."),
    (r"undefined tag handle '?(.+?)'?$", "The tag {0} is not accepted", "Text that starts with ! must be in quotes."),
    (r"(chomping|a comment or a line break)", "The text of | or > starts on the next line", "Break the line here."),
)
_TOKENS = {"<stream end>": "the end of the file", "<document end>": "the end", "<document start>": "the ---"}
_POINTS_BACK = re.compile("unexpected (end of stream|document separator)|expected (':'|alphabetic)")


def reworded(text: str, error: Any) -> Fault:
    """A syntax error of ruamel.yaml in words for the author of a definition."""
    problem = (error.problem or error.context or "").strip()
    mark = error.problem_mark or error.context_mark
    if error.context_mark is not None and _POINTS_BACK.search(problem):
        mark = error.context_mark
    message, hint = f"This is not YAML: {problem}", ""
    for pattern, words, advice in _REWORDED:
        if match := re.search(pattern, problem):
            message, hint = words.format(*(_TOKENS.get(group, group) for group in match.groups())), advice
            break
    return Fault(mark.index if mark else len(text), message, hint)
