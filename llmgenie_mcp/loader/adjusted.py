"""Policies with the params that a project's settings give them, so that nobody copies rules to change a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from llmgenie_mcp.expressions import Problem
from llmgenie_mcp.expressions.mistake import KEY
from llmgenie_mcp.loader import Loaded
from llmgenie_mcp.loader.schema import nearest
from llmgenie_mcp.rules import Adjustment, Policy

Policies: TypeAlias = Mapping[str, Loaded[Policy]]
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "a text"),
    ((list, tuple), "a list"),
    (dict, "a mapping"),
)


def adjust(policies: Policies, changes: Mapping[str, Adjustment], beside: str = "") -> dict[str, Loaded[Policy]]:
    """The policies as `changes` leave them; what is wrong with the changes is left to `check_adjustments`.

    Args:
        policies: what is in force, by name.
        changes: by the policy's name.
        beside: ends the name under which a changed policy applies along with the unchanged one, for changes that nobody
            accepted; "" puts it in its place. A name that is taken is left alone.
    """
    found = dict(policies)
    for name, change in changes.items():
        loaded = policies.get(name)
        if loaded is None or (beside and name + beside in policies):
            continue
        params = _params(loaded.value.params, change)
        if params != loaded.value.params:
            value = loaded.value.model_copy(update={"name": name + beside, "params": params})
            found[name + beside] = replace(loaded, value=value)
    return found


def check_adjustments(policies: Policies, changes: Mapping[str, Adjustment]) -> Iterator[Problem]:
    """Names that no policy and no param has, and values of another kind than the policy's own.

    Args:
        policies: what is in force before the changes, by name.
        changes: the settings' `policies`.
    """
    for name, change in changes.items():
        if name not in policies:
            yield Problem(("policies", name, KEY), f"There is no policy {name!r}", nearest(name, policies))
            continue
        params = policies[name].value.params
        for part, values in (("params", change.params), ("add", change.add)):
            for key, value in values.items():
                loc = ("policies", name, part, key)
                if key not in params:
                    hint = nearest(key, params, say="It has") or "It has none."
                    yield Problem((*loc, KEY), f"The policy {name} has no param {key!r}", hint)
                elif _kind(value) != _kind(params[key]):
                    message = f"{key} is {_kind(params[key])} in the policy {name}, and this is {_kind(value)}"
                    yield Problem(loc, message, _way_out(part, params[key]))
        for key in change.params.keys() & change.add.keys():
            yield Problem(("policies", name, "add", key, KEY), f"{key} stands under params too", "Keep one of the two.")


def adjustment_notes(
    before: Policies, after: Policies, changes: Mapping[str, Adjustment], beside: str = ""
) -> Iterator[str]:
    """What people should know of the changes, one sentence each.

    Args:
        before, after: the policies that `adjust` was given, and what it made of them.
        changes, beside: as they were given to it.
    """
    for name, loaded in after.items():
        plain = name.removesuffix(beside)
        if (change := changes.get(plain)) is None or before.get(name) is loaded:
            continue
        keys = ", ".join(sorted({*change.params, *change.add}))
        yield f"The settings change {keys} of the policy {plain}" + (
            f", which applies so as {name} beside the packaged one, until a person accepts it with `llmgenie trust`."
            if beside
            else "."
        )


def _params(params: Mapping[str, Any], change: Adjustment) -> dict[str, Any]:
    more = {
        key: [*params[key], *(value for value in values if value not in params[key])]
        for key, values in change.add.items()
        if isinstance(params.get(key), list | tuple)
    }
    return {**params, **{key: value for key, value in change.params.items() if key in params}, **more}


def _kind(value: Any) -> str:
    return next((words for kinds, words in _KINDS if isinstance(value, kinds)), "null")


def _way_out(part: str, value: Any) -> str:
    if part == "add":
        return "Only lists can be added to; write the whole value under params."
    return (
        "Write it in brackets: [main, develop]." if isinstance(value, list | tuple) else "Write a value of that kind."
    )
