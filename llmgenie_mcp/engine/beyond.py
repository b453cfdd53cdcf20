"""What an action would do past llmgenie: policies are asked about each such operation, as a hook asks them.

A tool of another server may write files and push branches. Called by an agent itself its host's hook is asked; called
through llmgenie it must not get further.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from llmgenie_mcp.engine.resources import resource_of
from llmgenie_mcp.engine.situation import Situation, request_of
from llmgenie_mcp.engine.spreading import spread
from llmgenie_mcp.engine.ways import with_a_way
from llmgenie_mcp.operations import READING, Operation
from llmgenie_mcp.policy import PolicySet, Reason
from llmgenie_mcp.project import git_top


def against(policies: PolicySet, situation: Situation, operations: Iterable[Operation]) -> Iterator[Reason]:
    """What stands against `operations`, which would be done in the project's folder.

    Args:
        policies: in force.
        situation: who asks, where; it is not changed.
        operations: what would be done.
    """
    root = situation.project.root
    seen: set[tuple[str, str, str]] = set()
    for operation in spread(operations, root):
        asked = replace(situation, place=_place(root, operation), move=None)
        name, params = operation.name, _with_task(situation, operation)
        asked.action, asked.params, asked.changes = name, params, name not in READING
        asked.resource = resource = resource_of(asked, name, params, base=root)
        if operation.folder is None and not params.get("branch"):
            resource.pop("branch", None)  # git acts in a folder that is not known, so its branch is not either
        for reason in policies.decide(request_of(policies, asked)).reasons:
            mark = (reason.policy, reason.rule, reason.message)
            if mark not in seen:
                seen.add(mark)
                yield with_a_way(reason, name, resource)


def _place(root: Path, operation: Operation) -> Path:
    where = Path(os.path.normpath(root / operation.folder)) if operation.folder else root
    return git_top(where) or root


def _with_task(situation: Situation, operation: Operation) -> dict[str, object]:
    """The parameters; of a commit whose message is known also whether it names a task."""
    params, text = dict(operation.params), operation.params.get("message")
    if operation.name == "git.commit" and isinstance(text, str):
        from llmgenie_mcp.commits import tasks_named

        params["task_missing"] = not tasks_named(text, lambda id_: situation.reader.get("tasks", id_) is not None)
    return params
