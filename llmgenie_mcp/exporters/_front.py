"""Front matter, written so that it is YAML 1.2 and that git merges it line by line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PLAIN = re.compile(r"[^\W\d_][\w ./()%+-]*(?<! )")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_HIDDEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")


def front(fields: Mapping[str, Any]) -> str:
    """`---`, a line for each field, `---`; a list of texts has a line for each of them."""
    lines = ["---"]
    for name, value in fields.items():
        key = scalar(name)
        if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            lines += [f"{key}:", *(f"  - {scalar(part)}" for part in value)]
        else:
            lines.append(f"{key}: {scalar(value)}")
    return "\n".join([*lines, "---", ""])


def scalar(value: Any) -> str:
    """A value in one line: plain where it cannot be misread, else as JSON, which YAML 1.2 contains."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS and len(value) < 500:
        return value
    written = json.dumps(value, ensure_ascii=False)
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", written)
