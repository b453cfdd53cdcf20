"""What `init` puts into the project's `.llmgenie/`: settings to fill in, schemas for editors, and what stays out of git."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from llmgenie_mcp.config import FILE_NAME, Command, Settings
from llmgenie_mcp.edits import Block, Edit, WholeFile
from llmgenie_mcp.loader.packaged import packaged
from llmgenie_mcp.project import STORE

SCHEMAS = "schemas"
MODELINE = f"# yaml-language-server: $schema={SCHEMAS}/settings.schema.json"
"""For editors with a YAML language server."""

EXAMPLE = Command(argv=["pytest", "-q"], description="All tests.", env={"CI": "1"})

DEFINED = (FILE_NAME, "workflows", "policies", "scenarios", "actions", "triggers")
"""What a team writes here and keeps in git."""

OWN = ("db.json", "meta-log/", "lock", "run/", "set-aside/", "installed.json", "installed/", f"{SCHEMAS}/")
"""What llmgenie keeps here for itself; parts of it are of this machine."""
GIT_SECONDS = 20.0

GITIGNORE = "\n".join([
    "# Written by `llmgenie init`: what a team writes goes into git; what llmgenie keeps here for itself does not.",
    "/*",
    "!/.gitignore",
    *(f"!/{name}" for name in DEFINED),
    "",
])  # fmt: skip


def edits(store: Path | None = None) -> list[Edit]:
    """The files, relative to the project's folder. Those that people edit are left alone once they are there.

    Args:
        store: the project's; where its `.gitignore` is one of an earlier version, that gets the lines it lacks.
    """
    found: list[Edit] = [WholeFile(f"{STORE}/{FILE_NAME}", settings_text(), keep=True)]
    if store is not None and (store / ".gitignore").is_file() and seen_by_git(store):
        found.append(Block(f"{STORE}/.gitignore", GITIGNORE, ("# ", ""), first=True))
    else:
        found.append(WholeFile(f"{STORE}/.gitignore", GITIGNORE, keep=True))
    schemas = sorted(packaged(SCHEMAS).iterdir(), key=lambda path: path.name)
    found += [
        WholeFile(f"{STORE}/{SCHEMAS}/{schema.name}", schema.read_text(encoding="utf-8"))
        for schema in schemas
        if schema.name.endswith(".schema.json")
    ]
    return found


def seen_by_git(store: Path) -> list[str]:
    """Names in `store` that are llmgenie's own and that git does not leave out; none where nobody knows."""
    import subprocess

    from llmgenie_mcp.process import run_git

    if not store.is_dir():
        return []
    try:
        done = run_git(store, ["check-ignore", "--no-index", "--", *OWN], timeout=GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    if done.returncode not in (0, 1):  # as gitcheckignore(1) has it: some are left out, none is; else there is no git
        return []
    left_out = done.stdout.decode("utf-8", "replace").split("\n")
    return [name for name in OWN if name not in left_out]


def settings_text() -> str:
    """Every setting with its meaning and default, commented out: lines with one # are settings, those with two are about them.

    With the `# ` of the settings removed it is valid as well, and says what holds without it, but for an example of a command.
    """
    lines = [
        MODELINE,
        "## Settings of llmgenie for this project. Remove the # before what you change; what is shown is the default.",
        "## A person accepts changes here with `llmgenie trust`: commands run only after that.",
    ]
    defaults = Settings()
    for name, field in Settings.model_fields.items():
        lines += ["", f"## {field.description}"]
        if name == "commands":
            lines += ["# commands:", "#   test:", *(f"#     {line}" for line in _fields(EXAMPLE))]
        elif isinstance(value := getattr(defaults, name), BaseModel):
            lines += [f"# {name}:", *(f"#   {line}" for line in _fields(value))]
        else:
            lines.append(f"# {name}: {_yaml(value)}{_choices(field.annotation)}")
    return "\n".join(lines) + "\n"


def _fields(model: BaseModel) -> Iterator[str]:
    for name, field in type(model).model_fields.items():
        yield f"{name}: {_yaml(getattr(model, name))}  # {field.description}"


def _choices(annotation: Any) -> str:
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    return f"  # or {', '.join(str(choice) for choice in choices[1:])}" if choices else ""


def _yaml(value: Any) -> str:
    """In YAML's flow style; JSON is YAML 1.2."""
    return value if isinstance(value, str) and value.isalpha() else json.dumps(value, ensure_ascii=False)


__all__ = ["GITIGNORE", "MODELINE", "edits", "seen_by_git", "settings_text"]
