"""Patterns that are compiled when they are first looked for: a command is read by few of them, and a hook reads one command."""

from __future__ import annotations

import re
from typing import Any, cast

_METHODS = ("match", "fullmatch", "search", "sub", "split", "findall", "finditer", "pattern")


class _Uncompiled:
    """Stands for the pattern, and has its methods from the first use on."""

    def __init__(self, text: str, flags: int) -> None:
        self._given = (text, flags)

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(*self._given)
        vars(self).update((each, getattr(compiled, each)) for each in _METHODS)
        return getattr(compiled, name)


def lazily(text: str, flags: int = 0) -> re.Pattern[str]:
    """The pattern that `re.compile` makes of them, which is told of a wrong one when it is first used.

    Args:
        text: the regular expression.
        flags: of `re`.
    """
    return cast("re.Pattern[str]", _Uncompiled(text, flags))
