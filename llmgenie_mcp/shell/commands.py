"""The table of all commands that are more than ordinary programs: name → handler."""

from __future__ import annotations

from collections.abc import Callable

from llmgenie_mcp.shell import (
    builtins,
    containers,
    finding,
    foreign,
    git,
    hosting,
    interpreters,
    network,
    packing,
    publish,
    reading,
    restraint,
    wrappers,
    writing,
)  # fmt: skip
from llmgenie_mcp.shell.call import Call

Handler = Callable[[Call], "str | None"]
"""Reports what the call does; returns what is known of its output, None for nothing."""


def _after(first: Handler, handler: Handler) -> Handler:
    def both(call: Call) -> str | None:
        first(call)
        return handler(call)

    return both


HANDLERS: dict[str, Handler] = {
    **reading.HANDLERS,
    **writing.HANDLERS,
    **packing.HANDLERS,
    **finding.HANDLERS,
    **network.HANDLERS,
    **hosting.HANDLERS,
    **publish.HANDLERS,
    **foreign.HANDLERS,
    **interpreters.HANDLERS,
    **wrappers.HANDLERS,
    **builtins.HANDLERS,
    **restraint.HANDLERS,
    **git.HANDLERS,
}
"""Where two modules know a name, the later one takes it: npm runs commands before it publishes."""

for _beside in (reading.BESIDE, containers.BESIDE):
    HANDLERS.update({name: _after(first, HANDLERS[name]) for name, first in _beside.items()})
