"""The page about other servers tells what is so: its settings are there, and its policy does what it says."""

from __future__ import annotations

import re
from pathlib import Path

from scene import define
from upstream_scene import behind, raw, tool

from llmgenie_mcp.config import Settings, Upstream
from llmgenie_mcp.loader import load_bytes

PAGE = (Path(__file__).parents[2] / "docs" / "upstream.md").read_text(encoding="utf-8")
SETTINGS, _, POLICY = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_settings_on_the_page_load() -> None:
    found = load_bytes(SETTINGS.encode(), Settings, "docs/upstream.md").value.upstreams
    assert list(found) == ["files", "github"]
    for word in ("idle", "max_answer", "allow_private", "tools", "timeout", "env", "url", "secret_headers"):
        assert word in Upstream.model_fields
        assert word in PAGE


def test_the_policy_on_the_page_asks_and_an_approval_opens(repo: Path, tmp_path: Path) -> None:
    define(repo, "policies", "other_servers", POLICY)
    files = raw(tmp_path, tool("burn"), tool("look", readOnlyHint=True))
    with behind(repo, files=files, github={**files, "tools": ["look"]}) as engine:
        assert engine.run_action("files.look").ok
        refused = engine.run_action("files.burn", {"what": "bridges"})
        fix = refused.reasons[0].fix
        assert fix is not None
        asked = engine.run_action(fix["action"], {**fix["params"], "params": {"what": "bridges"}})
        engine.decide_approval(asked.result["approval"]["id"], True, person="ada", channel="terminal")
        assert engine.run_action("files.burn", {"what": "bridges"}).ok
