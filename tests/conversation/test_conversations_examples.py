"""The example of an action that a project declares itself is shown where it helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scene import define

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.errors import BadParams

LINT = """
name: lint
description: Check the style of a folder.
params:
  properties: {folder: {type: string, description: Which folder.}}
  required: [folder]
  examples: [{folder: src}]
command: {argv: ["true", "{folder}"]}
"""


def test_a_declared_action_shows_the_first_example_of_its_schema(
    repo: Path, open_engine: Callable[..., Engine]
) -> None:
    define(repo, "actions", "lint", LINT)
    trust.trust(repo / ".llmgenie")
    engine = open_engine(repo)
    (found,) = [line for line in engine.available_actions("code", query="lint")["actions"] if line["name"] == "lint"]
    assert found["example"] == {"action": "lint", "params": {"folder": "src"}}
    session = engine.run_action("start_session", {"mode": "code"}).result["session"]["id"]
    with pytest.raises(BadParams) as error:
        engine.run_action("lint", {"fold": "src"}, session=session)
    assert "folder" in str(error.value)
    assert engine.run_action("lint", dict(found["example"]["params"]), session=session).ok
