"""/docs is a page that stands alone and names every address."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from scene import make_repository
from starlette.testclient import TestClient

from llmgenie_mcp.faces.rest import create_app
from llmgenie_mcp.faces.rest_docs import page


class Tags(HTMLParser):
    """What a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def test_the_page_names_every_address_and_loads_nothing(tmp_path: Path) -> None:
    app = create_app(make_repository(tmp_path / "demo"))
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000)) as client:
        answer = client.get("/docs")
        assert client.get("/openapi.json").status_code == 200
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    tags = Tags()
    tags.feed(answer.text)
    assert not {"script", "link", "img", "iframe"} & set(tags.names)
    assert all(link.startswith("#") or link == "openapi.json" for link in tags.links)
    for path in app.openapi()["paths"]:
        assert f"<code>{path}</code>" in answer.text
    anchors = re.findall(r'<section id="([^"]+)"', answer.text)
    assert sorted(f"#{anchor}" for anchor in anchors) == sorted(link for link in tags.links if link != "openapi.json")


def test_words_of_a_document_are_never_markup() -> None:
    told = {"summary": "<b>", "parameters": [{"name": "<i>", "in": "query", "description": "</table>"}]}
    shown = page({"info": {"title": "<t>", "version": "1"}, "paths": {"/<a>": {"get": told}}})
    assert not {"b", "i", "t", "a>"} & set(re.findall(r"<(\w+>?)", shown.replace("<a href", "")))
