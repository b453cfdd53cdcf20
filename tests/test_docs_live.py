"""What docs/live.md shows is true: its routes exist, and an app that mounts it answers."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")


def test_routes_on_the_page_are_those_of_the_app() -> None:
    from llmgenie_mcp.faces.rest import create_app

    told = set(re.findall(r"`(?:GET|POST) (/[a-z/{}_]*)", PAGE))
    real = {re.sub(r":path", "", path) for path in create_app(ROOT).openapi()["paths"]}
    assert told <= real | {"/mcp"}


def test_an_app_that_mounts_it_as_on_the_page_answers(tmp_path: Path) -> None:
    from scene import make_repository
    from starlette.testclient import TestClient

    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(code.replace("path/to/project", str(make_repository(tmp_path / "demo"))), names)
    with TestClient(names["app"], base_url="http://127.0.0.1", client=("127.0.0.1", 50000)) as client:  # type: ignore[arg-type]
        assert client.get("/llmgenie/workflow/state").json()["mode"] == "discuss"
