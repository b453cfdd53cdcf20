"""What tests of plug-ins set up: distributions as an installer leaves them, and a registry that sees them."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import llmgenie_mcp
from llmgenie_mcp import distributions, exporters, importers
from llmgenie_mcp.faces.cli import cli

SOURCE = Path(llmgenie_mcp.__file__).parent.parent

ACTION = """
    from llmgenie_mcp.plugins import action

    @action("{name}", everywhere=True)
    def act(ctx, params):
        "Do something."
        return {{"by": __name__}}
"""
LIMIT = 0.3
"""Seconds that an import may take here."""
_numbers = itertools.count()


def install(
    site: Path, name: str, files: Mapping[str, str], points: Mapping[str, Mapping[str, str]], version: str = "1.0.0"
) -> None:
    """Lay a distribution out in `site` as pip does.

    Args:
        site: a folder called site-packages.
        name: of the distribution.
        files: the text of each file by its path.
        points: entry points: value by name, by group.
        version: of the distribution.
    """
    for path, text in files.items():
        file = site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items()) for group, named in points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


def plugin(site: Path, name: str, **modules: str) -> None:
    """Install `llmgenie-NAME` with modules `NAME_MODULE`, each an entry point; one called `wrong` has a number too.

    A module whose import hangs holds the lock of its name as long as the process lives.
    """
    named = {part: f"{name}_{part}{next(_numbers) if part == 'wrong' else ''}" for part in modules}
    files = {f"{named[part]}.py": text for part, text in modules.items()}
    install(site, f"llmgenie-{name}", files, {distributions.EXTENSIONS: named})


def forget() -> None:
    """What was found before is looked for again."""
    distributions.scan.cache_clear()
    importers.outside.cache_clear()
    exporters.outside.cache_clear()


def shown(*words: str, project: Path) -> tuple[int, str, Any]:
    """Exit code, output and data of a command line."""
    lines = CliRunner().invoke(cli, ["--project", str(project), *words], catch_exceptions=False)
    found = CliRunner().invoke(cli, ["--project", str(project), *words, "--json"], catch_exceptions=False)
    assert lines.exit_code == found.exit_code
    return found.exit_code, lines.stdout, json.loads(found.stdout)["data"]
