"""Checks of the parameters that a rule or a step gives to an action, as far as they are known before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmgenie_mcp import plugins
from llmgenie_mcp.expressions import Problem
from llmgenie_mcp.loader.schema import nearest


def check_given(action: str, params: Mapping[str, Any], loc: tuple[str | int, ...]) -> Iterator[Problem]:
    """Parameters that a registered action does not have; of triggers and of tools of other servers nothing is known here.

    Args:
        action: its name.
        params: as the definition has them; values may be templates, so only the names are looked at.
        loc: where they stand.
    """
    found = plugins.actions().get(action)
    if found is None or found.params.model_config.get("extra") != "forbid":
        return
    known = {field.alias or name for name, field in found.params.model_fields.items()}
    for name in params:
        if name not in known:
            message = f"{action} has no parameter {name!r}"
            yield Problem(
                (*loc, name, "[key]"), message, nearest(name, known, say=f"{action} takes") or "It takes none."
            )
