"""What guides and documentation name exists: actions, tools, commands, rules, facts, settings, files, links."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import click
import pytest

from llmgenie_mcp import plugins
from llmgenie_mcp.expressions import Vocabulary
from llmgenie_mcp.faces.cli import cli
from llmgenie_mcp.faces.mcp_prompts import GUIDES, PROMPTS
from llmgenie_mcp.faces.mcp_tools import TOOLS
from llmgenie_mcp.loader.catalog import load_catalog
from llmgenie_mcp.operations import OPERATIONS

ROOT = Path(__file__).parent.parent
GUIDE_FILES = sorted((ROOT / "llmgenie_mcp" / "guides").glob("*.md"))
DOCS = [ROOT / "README.md", ROOT / "docs" / "llms.txt", *sorted((ROOT / "docs").rglob("*.md"))]
NAMED = re.compile(r"run_action ([a-z][a-z0-9_]*)")
QUOTED = re.compile(r"`([^`\n]+)`")
SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
RULE = re.compile(r"\b([a-z_]+)/([a-z]+(?:-[a-z]+)+)\b")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)?(#[^)\s]+)?\)")
BLOCK = re.compile(r"^(```+)[^\n]*\n.*?^\1\s*$", re.MULTILINE | re.DOTALL)
ELSEWHERE = {
    "creat_task",
    "create_issue",
    "credentials_file",
    "execute_task",
    "proxy_buffering",
    "split_tasks",
    "test_hello",
    "test_image",
    "verify_task",
}
"""Names that are wrong on purpose, of an example's own project, or of another program; whatever else is unknown is dead."""


@cache
def _known() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The actions, the rules (`policy/rule`), and every word of the source with an underscore in it."""
    catalog = load_catalog(
        None, actions=frozenset(plugins.actions()), operations=OPERATIONS, vocabulary=Vocabulary(("*",)), trusted=True
    )
    flows = [entry.value for entry in catalog.workflows.values()]
    actions = {
        *plugins.actions(),
        *(f"start_{flow.name}" for flow in flows),
        *(t for flow in flows for t in flow.triggers),
    }
    rules = {f"{name}/{rule.id}" for name, entry in catalog.policies.items() for rule in entry.value.rules}
    places = [*(ROOT / "llmgenie_mcp").rglob("*.py"), *(ROOT / "workflows").rglob("*.yaml"), ROOT / "pyproject.toml"]
    words = {word for path in places for word in SNAKE.findall(path.read_text(encoding="utf-8"))}
    for path in (ROOT / "tests").rglob("*.py"):
        words |= {path.stem, *re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)}
    return frozenset(actions), frozenset(rules), frozenset(words)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*GUIDE_FILES, *DOCS], ids=_name)
def test_every_action_rule_and_name_in_a_text_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    actions, rules, words = _known()
    made = {name for block in BLOCK.finditer(text) for name in SNAKE.findall(block[0])}
    for name in NAMED.findall(text):
        assert name in actions or name in made | ELSEWHERE or not SNAKE.fullmatch(name), name
    for policy, rule in RULE.findall(text):
        if policy in {known.partition("/")[0] for known in rules}:
            assert f"{policy}/{rule}" in rules
    plain = BLOCK.sub("", text)
    quoted = {word for said in QUOTED.findall(plain) for word in SNAKE.findall(said)}
    unknown = quoted - words - made - ELSEWHERE
    assert unknown == set()


def _commands(group: click.Command, *before: str) -> set[tuple[str, ...]]:
    if not isinstance(group, click.Group):
        return {before}
    context = click.Context(group)
    found = {before}
    for name in group.list_commands(context):
        if (command := group.get_command(context, name)) is not None:
            found |= _commands(command, *before, name)
    return found


@pytest.mark.parametrize("path", [*GUIDE_FILES, *DOCS], ids=_name)
def test_every_command_in_a_text_exists(path: Path) -> None:
    known = _commands(cli)
    first = {words[:1] for words in known if words}
    for said in re.findall(r"(?:`|\$ )llmgenie ([a-z][a-z -]*[a-z])", path.read_text(encoding="utf-8")):
        words = tuple(word for word in said.split(" --")[0].split())
        assert words[:1] in first, said
        group = {k[1:2] for k in known if k[:1] == words[:1] and len(k) > 1}
        if group and len(words) > 1:
            assert words[1:2] in group or words[:1] == ("check",), said


def _anchors(path: Path) -> set[str]:
    """As GitHub makes them: lower case, spaces to hyphens, other signs left out."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {f"#{re.sub(r'[^a-z0-9 _-]', '', head.lower()).replace(' ', '-')}" for head in heads}


@pytest.mark.parametrize("path", DOCS, ids=_name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target, anchor in LINK.findall(QUOTED.sub("", BLOCK.sub("", path.read_text(encoding="utf-8")))):
        found = path.parent / target if target else path
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            assert anchor in _anchors(found), f"{target}{anchor}"


def test_llms_txt_is_as_the_convention_says_and_links_every_page() -> None:
    """https://llmstxt.org: a title, a summary as a quotation, then lists of links with a line each."""
    text = (ROOT / "docs" / "llms.txt").read_text(encoding="utf-8")
    assert re.match(r"# llmgenie\n\n> .+", text)
    links = dict(re.findall(r"^- \[[^\]]+\]\(([^)]+)\): (.+)$", text, re.MULTILINE))
    assert len(re.findall(r"^- ", text, re.MULTILINE)) == len(links)
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages - {"reference/README.md"} - links.keys() == set()
    assert len(text) < 5_000


def test_the_index_of_the_documentation_links_every_page() -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    linked = {target for target, _ in LINK.findall((ROOT / "docs" / "README.md").read_text(encoding="utf-8"))}
    single = {page for page in pages if not page.startswith("reference/")} - {"README.md"}
    assert single - linked == set()


def test_guides_are_for_tools_prompts_and_operations_that_exist() -> None:
    said = "\n".join(path.read_text(encoding="utf-8") for path in GUIDE_FILES)
    for name in re.findall(r"llmgenie://guides/([a-z]+)", said):
        assert name in GUIDES
    assert set(re.findall(r"`((?:git|file|mcp|package)\.[a-z_]+)`", said)) <= OPERATIONS.keys()
    assert {*PROMPTS, *GUIDES, "instructions", "rules", "opinion"} == {path.stem for path in GUIDE_FILES}
    assert set(re.findall(r"\b(get_[a-z_]+|[a-z]+_(?:policy|context|event))\b", said)) <= TOOLS.keys()
