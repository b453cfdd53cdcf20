"""Builds dist/llmgenie-VERSION.mcpb: the server as one file that a desktop client installs.

    python packaging/mcpb.py [--wheel dist/llmgenie_mcp-VERSION-py3-none-any.whl] [--out dist]

A bundle is a zip with a manifest (github.com/modelcontextprotocol/mcpb, MANIFEST.md, version 0.4). Its server is of type
`uv`: the host installs what `pyproject.toml` names, and no Python has to be there beforehand. Here that is our wheel, which
lies beside it, with its dependencies held to the versions of constraints.txt; so the bundle does not need llmgenie to be on
an index. Without --wheel one is built with uv.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SERVER = '''"""Starts the MCP server of the wheel that lies beside this file."""

from llmgenie_mcp.faces.cli import mcp_main

if __name__ == "__main__":
    mcp_main()
'''
IGNORED = ".venv/\n__pycache__/\nuv.lock\n"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""A zip's first moment: the same files give the same bytes whenever they are packed."""


def project() -> Mapping[str, Any]:
    """The table `project` of pyproject.toml."""
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def manifest() -> dict[str, Any]:
    """The manifest; tools and prompts are those that the server lists."""
    from llmgenie_mcp.faces.mcp_tools import TOOLS

    about = project()
    return {
        "manifest_version": "0.4",
        "name": "llmgenie",
        "display_name": "llmgenie",
        "version": about["version"],
        "description": about["description"],
        "author": {"name": "The llmgenie authors"},
        "license": about["license"],
        "keywords": list(about["keywords"]),
        "server": {
            "type": "uv",
            "entry_point": "server.py",
            "mcp_config": {
                "command": "uv",
                "args": [
                    "run",
                    "--project",
                    "${__dirname}",
                    "${__dirname}/server.py",
                    "--project",
                    "${user_config.project}",
                ],
            },
        },
        "user_config": {
            "project": {
                "type": "directory",
                "title": "Project",
                "description": "The folder of the project whose workflow agents are to keep to: a git checkout.",
                "required": True,
            }
        },
        "tools": [{"name": name, "description": first_sentence(tool.description)} for name, tool in TOOLS.items()],
        "prompts_generated": True,
        "compatibility": {
            "platforms": ["darwin", "linux"],
            "runtimes": {"python": about["requires-python"]},
        },
    }


def first_sentence(text: str) -> str:
    """A description for people: up to the first full stop."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]


def pyproject(wheel: str) -> str:
    """What uv installs before it starts the server: the wheel, its dependencies as tested."""
    about = project()
    pins = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split() if "==" in line]
    return "\n".join(
        [
            "[project]",
            'name = "llmgenie-bundle"',
            f'version = "{about["version"]}"',
            f'requires-python = "{about["requires-python"]}"',
            f'dependencies = ["{about["name"]}"]',
            "",
            "[tool.uv]",
            "package = false",
            f"constraint-dependencies = {json.dumps(pins)}",
            "",
            "[tool.uv.sources]",
            f'{about["name"]} = {{ path = "{wheel}" }}',
            "",
        ]
    )


def build(wheel: Path, folder: Path) -> Path:
    """Write the bundle into `folder`; returns its path."""
    files = {
        "manifest.json": json.dumps(manifest(), indent=2) + "\n",
        "pyproject.toml": pyproject(wheel.name),
        "server.py": SERVER,
        ".mcpbignore": IGNORED,
        "LICENSE": (ROOT / "LICENSE").read_text(encoding="utf-8"),
    }
    bundle = folder / f"llmgenie-{project()['version']}.mcpb"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text, zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo(wheel.name, EPOCH), wheel.read_bytes(), zipfile.ZIP_STORED)
    return bundle


def main() -> int:
    """Exit code 0 when the bundle was written; prints where."""
    parser = argparse.ArgumentParser(description="Build the MCPB bundle.")
    parser.add_argument("--wheel", type=Path, help="the wheel to put in; built when left out")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder to write to")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmgenie-wheel-") as scratch:
        wheel = given.wheel
        if wheel is None:
            subprocess.run(["uv", "build", "-q", "--wheel", "--out-dir", scratch, str(ROOT)], check=True)
            (wheel,) = Path(scratch).glob("*.whl")
        if not wheel.is_file():
            sys.stderr.write(f"There is no wheel {wheel}. Build one: uv build --wheel\n")
            return 1
        sys.stdout.write(f"{build(wheel, given.out)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
