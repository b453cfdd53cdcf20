"""The pages of `docs/reference`, made from the program: nothing in them is written by hand but their first sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from llmgenie_mcp.faces import reference_meaning as meaning
from llmgenie_mcp.faces import reference_runs as runs
from llmgenie_mcp.faces.reference_scene import Scene, scene
from llmgenie_mcp.faces.reference_text import page, table

PAGES: Mapping[str, tuple[str, str, Callable[[Scene], str]]] = {
    "tools": ("Tools", "The eight MCP tools: parameters, a call, its answer.", runs.tools),
    "actions": ("Actions", "What `run_action` runs: parameters, where each is open, a call, its answer.", runs.actions),
    "policies": ("Policies", "The packaged policies with their rules.", meaning.policies),
    "workflows": ("Workflows", "The packaged workflows: diagrams, states, triggers, guards.", meaning.workflows),
    "settings": ("Settings", "Every field of `.llmgenie/llmgenie.yaml`.", meaning.settings),
    "rest": ("REST", "Every route of `llmgenie serve --http`.", meaning.rest),
    "events": ("Events", "What happens, by name, with its data.", runs.events),
    "facts": ("Facts and expressions", "What guards, rules and triggers may ask, and in which words.", meaning.facts),
    "errors": ("Errors and refusals", "Every error code, and how a refusal is read.", runs.errors),
}
"""By file name: the title, one line about it, and what makes the rest."""


def made() -> dict[str, str]:
    """Every page by file name; examples are run in a scratch project for it."""
    with scene() as found:
        pages = {f"{name}.md": page(title, about, [make(found)]) for name, (title, about, make) in PAGES.items()}
    links = table(("page", ""), ((f"[{title}]({name}.md)", about) for name, (title, about, _) in PAGES.items()))
    about = "Made from the program; every example is a real run. The command line is in [../cli.md](../cli.md)."
    return {"README.md": page("Reference", about, [links]), **pages}


def write(folder: Path, pages: Mapping[str, str]) -> list[Path]:
    """Write the pages; returns those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in pages.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def stale(folder: Path, wanted: Mapping[str, str]) -> list[Path]:
    """What lies in `folder`, or is missing there, and is not as the pages `wanted`."""
    here = {path.name for path in folder.glob("*.md")}
    paths = [folder / name for name in sorted({*wanted, *here})]
    return [p for p in paths if not p.is_file() or p.read_text(encoding="utf-8") != wanted.get(p.name)]
