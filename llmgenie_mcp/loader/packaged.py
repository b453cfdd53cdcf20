"""What ships with the package beside code: workflows, policies, JSON Schemas, and the definitions parsed ahead.

A wheel holds `llmgenie_mcp/workflows` and `llmgenie_mcp/schemas`; in a source checkout they lie at the repository's
root. `parsed.json` spares every start the import of the YAML parser and the parsing (some 90 ms together); an entry
counts only while the SHA-256 of its YAML file matches. Both kinds are generated: `write_schemas`, `write_parsed`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from llmgenie_mcp.loader import Loaded, from_data, load_bytes, read
from llmgenie_mcp.loader.schema import kind_of, schema_for
from llmgenie_mcp.marks import SUFFIXES

T = TypeVar("T", bound=BaseModel)

PARSED = "parsed.json"


def packaged(part: str) -> Traversable:
    """A folder ("workflows", "workflows/policies", "schemas") of the installed package or of the source checkout."""
    inside = files("llmgenie_mcp").joinpath(part)
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / part


def definition_files(folder: Path | Traversable) -> list[Path | Traversable]:
    """The definition files in a folder by name, hidden ones left out; empty when there is no folder."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.name.endswith(SUFFIXES) and not path.name.startswith(".")]
    return sorted(found, key=lambda path: path.name)


def load_packaged(path: Path | Traversable, file: str, model: type[T]) -> Loaded[T]:
    """One packaged definition; `file` is its path below the package. DefinitionError when it is wrong."""
    data = read(path, file)
    ahead = _parsed().get(file)
    if ahead and ahead["sha256"] == hashlib.sha256(data).hexdigest():
        # A model newer than the file refuses it: then reading the file says where.
        with contextlib.suppress(ValidationError):
            return from_data(ahead["data"], data, model, file, path)
    return load_bytes(data, model, file, path)


@cache
def _parsed() -> dict[str, Any]:
    try:
        found = json.loads(files("llmgenie_mcp.loader").joinpath(PARSED).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_schemas(folder: Path) -> list[Path]:
    """Write the schema of every file format to `folder` as `<format>.schema.json`; returns the files that changed."""
    from llmgenie_mcp.config import Settings
    from llmgenie_mcp.declared import ActionFile
    from llmgenie_mcp.rules import Policy
    from llmgenie_mcp.scenarios import ScenarioFile
    from llmgenie_mcp.triggers import Trigger
    from llmgenie_mcp.workflow import Workflow

    models: tuple[type[BaseModel], ...] = (Workflow, Policy, Settings, ScenarioFile, Trigger, ActionFile)
    folder.mkdir(parents=True, exist_ok=True)
    made = {folder / f"{kind_of(model)}.schema.json": schema_for(model) for model in models}
    return [path for path, schema in made.items() if _write(path, json.dumps(schema, indent=2, ensure_ascii=False))]


def write_parsed(path: Path) -> list[Path]:
    """Write the packaged definitions as parsed to `path` (`llmgenie_mcp/loader/parsed.json`); returns it when it changed."""
    from llmgenie_mcp.loader import yamltext

    made = {}
    for part in ("workflows", "workflows/policies"):
        for source in definition_files(packaged(part)):
            data = source.read_bytes()
            content = yamltext.parse(data.decode("utf-8")).root.data()
            made[f"{part}/{source.name}"] = {"sha256": hashlib.sha256(data).hexdigest(), "data": content}
    changed = _write(path, json.dumps(made, indent=1, ensure_ascii=False))
    _parsed.cache_clear()
    return [path] if changed else []


def _write(path: Path, text: str) -> bool:
    content = f"{text}\n".encode()
    if path.is_file() and path.read_bytes() == content:
        return False
    path.write_bytes(content)
    return True
