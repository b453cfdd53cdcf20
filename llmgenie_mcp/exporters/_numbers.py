"""Numbers for things that have other ids: their own where that is free, else the next."""

from __future__ import annotations

from typing import Any


class Numbers:
    """Gives each thing a number of its own, the same for the same things in the same order."""

    def __init__(self) -> None:
        self._asked: list[tuple[str, list[int]]] = []

    def ask(self, id_: str, *wanted: Any) -> None:
        """Have a number given to `id_`: the first of `wanted` that is one from 1 to 999,999,999 and still free."""
        numbers = [
            int(one) for one in wanted if isinstance(one, int | str) and not isinstance(one, bool) and _good(str(one))
        ]
        self._asked.append((id_, numbers))

    def given(self) -> dict[str, int]:
        """The number of each."""
        found: dict[str, int] = {}
        taken: set[int] = set()
        for id_, wanted in self._asked:
            free = next((number for number in wanted if number not in taken), None)
            if free is not None:
                found[id_] = free
                taken.add(free)
        last = max(taken, default=0)
        for id_, _ in self._asked:
            if id_ not in found:
                last += 1
                found[id_] = last
        return found


def _good(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < len(text) < 10 and int(text) > 0
