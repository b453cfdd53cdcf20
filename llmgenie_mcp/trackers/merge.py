"""Who changed what: a task and its issue against what both agreed on last, field by field. Pure.

Changed on one side: taken over by the other. Changed on both sides to the same: fine. Changed on both sides to different
values: a conflict, which the settings decide; the value that lost is handed out, so that it can be kept. Labels are merged
one by one: what either side added or took away is added or taken away on the other, so they are never in conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.trackers.fields import FIELDS, LABELS, Values, fitted, fitted_labels, sent, whole


@dataclass(frozen=True, slots=True)
class Lost:
    """A value that gave way.

    Attributes:
        field: of which.
        side: whose it was, `here` or `there`.
        value: what it was.
        winner: what holds.
    """

    field: str
    side: str
    value: Any
    winner: Any


@dataclass(slots=True)
class Merged:
    """What is to be done so that both sides are equal.

    Attributes:
        here, there: new values by field.
        lost: values that gave way.
        apart: fields that differ and stay so, with the reason.
    """

    here: Values = field(default_factory=dict)
    there: Values = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    apart: dict[str, str] = field(default_factory=dict)


def merge(agreed: Mapping[str, Values], here: Values, there: Values, conflicts: str, number: int) -> Merged:
    """Compare.

    Args:
        agreed: `here` and `there` as they were when both last were the same; None for what never was.
        here, there: as they are.
        conflicts: theirs, ours or keep.
        number: of the issue.
    """
    found = Merged()
    fits = fitted(there, number)
    for name in FIELDS:
        ours, theirs = here[name] != agreed["here"][name], there[name] != agreed["there"][name]
        if name == "labels":
            _labels(found, agreed, here, there)
        elif theirs and fits[name] != here[name]:
            if not ours or conflicts == "theirs":
                found.here[name] = fits[name]
                if ours:
                    found.lost.append(Lost(name, "here", here[name], fits[name]))
            elif conflicts == "keep":
                found.apart[name] = (
                    "it was changed on both sides; make both equal, or change `conflicts` in the settings"
                )
            elif _sends(found, name, here, there, number):
                found.lost.append(Lost(name, "there", there[name], here[name]))
        elif ours and not theirs and fits[name] != here[name]:
            _sends(found, name, here, there, number)
    return found


def _sends(found: Merged, name: str, here: Values, there: Values, number: int) -> bool:
    """Note that our value goes out, unless theirs is here in part alone and would be lost by that."""
    if not whole(name, there, number):
        found.apart[name] = "the tracker has more of it than fits here, so it is changed there alone"
        return False
    if (value := sent(here, name)) != there[name]:
        found.there[name] = value
    return True


def _labels(found: Merged, agreed: Mapping[str, Values], here: Values, there: Values) -> None:
    before, after = fitted_labels(agreed["there"]["labels"]), fitted_labels(there["labels"])
    now_here = _changed(here["labels"], before, after)[:LABELS]
    now_there = _changed(there["labels"], sent(agreed["here"], "labels"), sent(here, "labels"))
    if _keys(now_here) != _keys(here["labels"]):
        found.here["labels"] = now_here
    if _keys(now_there) != _keys(there["labels"]):
        found.there["labels"] = now_there


def _changed(labels: Sequence[str], before: Sequence[str], after: Sequence[str]) -> list[str]:
    """`labels` with what was added and taken away between `before` and `after`."""
    gone, known = _keys(before) - _keys(after), _keys(labels)
    kept = [name for name in labels if name.casefold() not in gone]
    return [*kept, *(name for name in after if name.casefold() not in _keys(before) | known)]


def _keys(labels: Sequence[str]) -> set[str]:
    return {name.casefold() for name in labels}
