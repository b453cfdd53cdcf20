"""Text of strangers that a model is going to read: nothing in it that people do not see, and not more than is of use."""

from __future__ import annotations

import re
import unicodedata

_KEPT = "\n\t"
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")
"""Characters that are no format characters to Unicode and are shown as nothing all the same."""
_SPACES = re.compile(r"[ \t]+")
_LINES = re.compile(r"\n\s*\n\s*")


def is_hidden(character: str) -> bool:
    """Whether people do not see it: control and format characters, private use, tags and variation selectors.

    Zero-width characters, bidirectional overrides and tags (U+E0000) carry text past the person who accepts a tool;
    see Unicode Technical Report 36, and the categories Cc, Cf, Co, Cs of the Unicode Character Database.
    """
    if character in _KEPT:
        return False
    code = ord(character)
    if 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or character in _BLANKS:
        return True
    return unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp")


def hidden_in(text: str) -> int:
    """How many characters of `text` people do not see."""
    if text.isascii() and text.isprintable():
        return 0
    return sum(1 for character in text.replace("\r\n", "\n") if is_hidden(character))


def clean(text: str, limit: int) -> str:
    """`text` without what people do not see, with plain spacing, at most `limit` characters."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(c for c in text[: limit * 20].replace("\r\n", "\n") if not is_hidden(c))
    text = _LINES.sub("\n\n", _SPACES.sub(" ", text)).strip()
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def first_line(text: str, limit: int) -> str:
    """What a text says first, on one line."""
    return clean(" ".join(text.strip().partition("\n\n")[0].split()), limit)
