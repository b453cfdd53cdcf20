"""`doctor` on other servers: were they asked for their tools, did a person accept these, can their programs be found?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmgenie_mcp.errors import DefinitionError, LlmgenieError, counted
from llmgenie_mcp.faces.cli_checks import Check

if TYPE_CHECKING:
    from llmgenie_mcp.config import Upstream
    from llmgenie_mcp.project import Project

NAMED = 5
"""So many tools that wait, and problems, are named."""


def examine_upstreams(project: Project) -> Iterator[Check]:
    """Whether the servers of the settings can be used. None is started for that."""
    from llmgenie_mcp.loader.settings import load_settings

    try:
        found = load_settings(project.store).upstreams
    except DefinitionError:
        return  # told by the check of the definitions
    for name, upstream in found.items():
        yield from _examine(project, name, upstream)


def _examine(project: Project, name: str, upstream: Upstream) -> Iterator[Check]:
    from llmgenie_mcp.upstream import listing

    what, known = f"upstream {name}", listing.load(project.store, name, upstream)
    if (problem := _unstartable(project, name, upstream)) is not None:
        yield Check(what, "warn", problem.message, problem.hint)
    if not known.listed_at:
        yield Check(what, "warn", "It was never asked for its tools.", f"llmgenie upstream refresh {name}")
        return
    waiting = [tool.name for tool in known.waiting()]
    if waiting:
        more = f" and {len(waiting) - NAMED} more" if len(waiting) > NAMED else ""
        message = (
            f"{len(waiting)} of {counted(len(known.tools), 'tool')} waiting for you: {', '.join(waiting[:NAMED])}{more}"
        )
        yield Check(what, "warn", message, f"llmgenie upstream accept {name}")
    for left_out in known.problems[:NAMED]:
        yield Check(what, "warn", left_out, "It is the server's to mend; the tool is left out.")
    if not waiting:
        yield Check(what, "ok", f"{counted(len(known.tools), 'tool')}, accepted; listed {known.listed_at}")


def _unstartable(project: Project, name: str, upstream: Upstream) -> LlmgenieError | None:
    """Why a program cannot be started, or what it is given not be read."""
    from llmgenie_mcp.upstream.pool import Place, start_of

    try:
        start_of(Place(project.store, project.root), name, upstream)
    except LlmgenieError as error:
        return error
    return None
