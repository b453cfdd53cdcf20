"""Formats and agents that plug-ins bring."""

from __future__ import annotations

from pathlib import Path

import pytest
from plugin_scene import forget, install, shown

from llmgenie_mcp import agents, exporters, importers
from llmgenie_mcp.distributions import AGENTS, EXPORTERS, IMPORTERS
from llmgenie_mcp.errors import UnknownName, UsageError

pytestmark = pytest.mark.usefixtures("fresh")

FORMATS = """
    from llmgenie_mcp import exporters, importers
    from llmgenie_mcp.importers import Item, Place, Sign

    def find(tree):
        if tree.files(".todo"):
            yield Sign("x.todo", "it ends in .todo")

    def read(tree, sign):
        for number, title in enumerate(["One", "Two"], 1):
            yield Item(str(number), Place(sign.path, number), {"title": title})

    IN = importers.Format("todo", "Todo", "a file x.todo", find, read)
    OUT = exporters.Format("titles", "Titles", lambda content: exporters.Exported(
        {"titles.txt": "".join(f"{task['title']}\\n" for task in content.tasks).encode()}))
    TAKEN = exporters.Format("json", "Json", lambda content: exporters.Exported())
    NONE = 1
"""


def test_formats_of_plug_ins_import_and_export_and_wrong_ones_are_told(repo: Path, site: Path) -> None:
    points = {
        IMPORTERS: {"todo": "todo_forms:IN", "none": "todo_forms:NONE", "no": "todo_forms:MISSING"},
        EXPORTERS: {"titles": "todo_forms:OUT", "json": "todo_forms:TAKEN"},
    }
    install(site, "llmgenie-todo", {"todo_forms.py": FORMATS}, points)
    forget()
    assert {"todo", "taskmaster"} <= importers.formats().keys()
    assert exporters.formats()["json"].title != "Json"
    code, _, data = shown("plugins", project=repo)
    (one,) = data["items"]
    assert (code, one["status"]) == (1, "in part")
    assert one["adds"] == {"importers": ["todo"], "exporters": ["titles"]}
    assert sorted(reason.split(":")[1] for reason in one["reasons"]) == ["MISSING", "NONE", "TAKEN"]


def test_an_agent_of_a_plug_in_is_found_and_one_that_cannot_be_loaded_is_told(repo: Path, site: Path) -> None:
    files = {"their_agent.py": "from llmgenie_mcp.agents.cursor import AGENT", "their_odd.py": "raise SystemExit"}
    points = {AGENTS: {"theirs": "their_agent:AGENT", "odd": "their_odd:AGENT", "vague": "their_agent"}}
    install(site, "llmgenie-theirs", files, points)
    forget()
    assert agents.find("theirs") is agents.find("cursor")
    for name, why in (("odd", "SystemExit"), ("vague", "write MODULE:NAME")):
        with pytest.raises(UsageError, match=why):
            agents.find(name)
    with pytest.raises(UnknownName, match="therse"):
        agents.find("therse")
    code, _, data = shown("plugins", project=repo)
    assert (code, data["items"][0]["status"], len(data["items"][0]["reasons"])) == (1, "in part", 2)
