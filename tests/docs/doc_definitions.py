"""YAML and JSON of a page: settings, workflows, policies, trigger rules, actions and scenarios are checked as files are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from doc_pages import Block, is_made

from llmgenie_mcp import plugins
from llmgenie_mcp.faces import cli_check
from llmgenie_mcp.faces.mcp_tools import TOOLS
from llmgenie_mcp.loader import load_bytes, yamltext
from llmgenie_mcp.scenarios import ScenarioFile

NAMED = re.compile(r"\A# \.llmgenie/(\S+\.yaml)")
ENTRY = {"type", "command", "args", "env", "url", "headers"}
"""What an entry of a client's file may have."""


def problems(blocks: Sequence[Block], folder: Path) -> Iterator[str]:
    """What is wrong with the definitions of a page, a line each.

    Args:
        blocks: its YAML blocks that are not only shown.
        folder: where they are written, beside each other as in a project.
    """
    settings: list[Path] = []
    others: list[Path] = []
    for number, block in enumerate(blocks):
        content = yamltext.parse(block.text).root.data()
        if is_made(block.page):
            continue  # values of a table; what made the page read them from the definitions
        if "scenarios" in content:
            load_bytes(block.text.encode(), ScenarioFile, block.place)
            continue
        place = _place(block, content, number)
        file = folder / str(number) / "llmgenie.yaml" if place is None else folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")
        (settings if place is None else others).append(file)
    for one in [[*settings[:1], *others], *([file] for file in settings[1:])]:
        for problem in cli_check.of_files([str(file) for file in one]) if one else ():
            yield f"{problem['file']}:{problem['line']}: {problem['message']}"


def _place(block: Block, content: dict[str, Any], number: int) -> str | None:
    """Where the file belongs below `.llmgenie`; None for settings."""
    if found := NAMED.match(block.text):
        return None if found[1] == "llmgenie.yaml" else found[1]
    keys = set(content)
    if "states" in keys:
        return f"workflows/{content['name']}.yaml"
    if keys & cli_check.POLICY_KEYS:
        return f"policies/{content['name']}.yaml"
    if "name" in keys and keys & cli_check.ACTION_KEYS:
        return f"actions/{content['name']}.yaml"
    if keys & cli_check.TRIGGER_KEYS:
        return f"triggers/rule-{number}.yaml"
    return None


def check_json(block: Block) -> None:
    """A JSON block is a call that fits its action or tool, an event, or an entry of a client's file."""
    data = json.loads(block.text)
    if block.page.name == "tools.md" and is_made(block.page):
        TOOLS[block.heading].args.model_validate(data)
    elif "action" in data:
        if (found := plugins.actions().get(data["action"])) is not None:
            found.params.model_validate(data["params"])
        assert not is_made(block.page) or data["action"] == block.heading, block.place
    elif "specversion" in data:
        assert data["type"] == block.heading, block.place
        assert {"source", "id", "time", "data"} <= data.keys()
    elif "mcpServers" in data:
        for entry in data["mcpServers"].values():
            assert entry.keys() & {"command", "url"}, block.place
            assert entry.keys() <= ENTRY, block.place
    else:
        raise AssertionError(f"{block.place}: nobody knows what this JSON is; say so in {__name__}")
