"""What is kept of a text: no secrets, which are found before anything is written, and no more than a log needs.

The patterns are the published token formats of the vendors named beside them; a key=value pattern covers the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

_PATTERNS: dict[str, str] = {
    "aws_access_key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "github_token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b",
    "gitlab_token": r"\bglpat-[A-Za-z0-9_\-]{20,}",
    "slack_token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "openai_key": r"\bsk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9_\-]{20,}",
    "stripe_key": r"\b[rs]k_live_[A-Za-z0-9]{16,}",
    "google_key": r"\bAIza[0-9A-Za-z_\-]{35}\b",
    "webhook_secret": r"\bwhsec_[A-Za-z0-9+/=]{24,}",
    "llmgenie_token": r"\blgt_[a-z][a-z0-9-]{0,39}_[A-Za-z0-9_\-]{43,}",
    "jwt": r"\beyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}",
    "private_key": (
        r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
        r"(?:(?:(?!-----BEGIN)[\s\S]){0,8000}?-----END (?:[A-Z]+ )*PRIVATE KEY-----)?"
    ),
    "url_password": r"(?:(?<=://)|(?<=:/)(?!/))[^\s/:@]{1,100}:[^\s/@]{3,200}(?=@)",
    "authorization": r"(?i:(?<=authorization: )(?:bearer|basic) [A-Za-z0-9._~+/=\-]{8,})",
    "assignment": (
        r"(?i:(?:password|passwd|secret|api[_-]?key|access[_-]?(?:token|key)|auth[_-]?token)(?:[_-][a-z_-]{1,40})?"
        r"[\"']?\s*[=:]\s*[\"']?(?![$<{%*\[]|os\.environ|process\.env|env\.)[^\s\"',;]{8,})"
    ),
}


@cache
def _all() -> re.Pattern[str]:
    """All patterns as one; made when a text is looked at that may hold a secret: it takes 2 ms, and most commands see none."""
    return re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items()))


_HINTS = (
    *("akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "sk-", "k_live_", "aiza"),
    *(
        "whsec_",
        "lgt_",
        "eyj",
        "private key",
        ":/",
        "passw",
        "secret",
        "apikey",
        "api_key",
        "api-key",
        "access",
        "auth",
    ),
)
"""Every secret holds one of these, in lower case: looking for them first spares most texts the patterns."""
_SHORTEST = 8
"""Characters of the shortest text in which a pattern finds anything: a password in `:/a:bcd@`."""


def find(value: Any) -> list[str]:
    """Kinds of secrets in a JSON value, sorted, each once; empty when there are none."""
    texts = (text for text in _texts(value) if len(text) >= _SHORTEST and _hinted(text))
    return sorted({str(match.lastgroup) for text in texts for match in _all().finditer(text)})


def redact(value: Any) -> Any:
    """A copy of a JSON value with each secret replaced by `[kind removed]`."""
    if isinstance(value, str):
        if len(value) < _SHORTEST or not _hinted(value):
            return value
        return _all().sub(lambda match: f"[{match.lastgroup} removed]", value)
    if isinstance(value, Mapping):
        return {redact(key): _redact_field(key, part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(part) for part in value]
    return value


def _redact_field(key: object, part: Any) -> Any:
    """A field's name may tell that its value is a secret, as in {"password": "…"}."""
    clean = redact(part)
    if not isinstance(part, str) or clean != part or not _hinted(str(key)):
        return clean
    found = _all().search(f"{key}: {part}")
    return f"[{found.lastgroup} removed]" if found else part


def _hinted(text: str) -> bool:
    low = text.lower()
    for hint in _HINTS:  # noqa: SIM110 - asked for every text of every line: `any` takes twice the time
        if hint in low:
            return True
    return False


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield str(key)
            yield from [f"{key}: {part}"] if isinstance(part, str) else _texts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _texts(part)


TEXT, WHOLE = 600, 2400
"""So many characters of one text, and about so many bytes of a whole value, does `cut` leave."""


_json = json.JSONEncoder(ensure_ascii=False).encode


def is_plain(value: Any) -> bool:
    """Whether a JSON value is so short, and so far from any secret, that `redact` and `cut` would leave it as it is.

    One look at its JSON instead of one at every text in it; False when it takes a closer look to tell. A hint has no character
    that JSON escapes, and no text or whole that is cut is as short as this in JSON.
    """
    try:
        text = _json(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return len(text) < TEXT and not _hinted(text)


def cut(value: Any, *, whole: int = WHOLE) -> Any:
    """A copy of a JSON value with every text and the whole cut to what the log keeps; what was left out is counted."""
    return _cut(value, [whole])


def _cut(value: Any, left: list[int]) -> Any:
    if isinstance(value, str):
        short = value if len(value) <= TEXT else f"{value[:TEXT]}… ({len(value)} characters)"
        left[0] -= len(short.encode("utf-8", "replace")) + 3
        return short
    left[0] -= 4
    if isinstance(value, Mapping):
        fields: dict[str, Any] = {}
        for number, (key, part) in enumerate(value.items()):
            if left[0] <= 0:
                fields["…"] = f"{len(value) - number} more"
                break
            fields[_cut(key, left)] = _cut(part, left)
        return fields
    if isinstance(value, (list, tuple)):
        items: list[Any] = []
        for number, part in enumerate(value):
            if left[0] <= 0:
                items.append(f"… {len(value) - number} more")
                break
            items.append(_cut(part, left))
        return items
    return value
