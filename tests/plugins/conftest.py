"""A folder to install plug-ins into, and a registry that has not looked for any yet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_scene import LIMIT, forget

from llmgenie_mcp import plugins, registry
from llmgenie_mcp.registry import Registry


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path where tests install; afterwards nothing is imported from there any more."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    forget()
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def fresh(site: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry with llmgenie's own extensions, before it has looked for others."""
    plugins.load()
    known = plugins._registry
    made = Registry(**{family: dict(known.table(family)) for family in registry.FAMILIES})
    monkeypatch.setattr(plugins, "_registry", made)
    monkeypatch.setattr(registry, "IMPORT_SECONDS", LIMIT)
    forget()
    return made
