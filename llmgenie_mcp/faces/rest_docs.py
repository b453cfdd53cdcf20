"""/docs: the OpenAPI document as one page of plain HTML. It loads nothing, runs nothing, and so works without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222; background: #fff }
code, pre { font: 13px/1.45 ui-monospace, monospace; background: #f4f4f2; border-radius: 3px; padding: .1em .3em }
pre { padding: .7em; overflow: auto } section { border-top: 1px solid #ddd; margin-top: 1.5rem }
table { border-collapse: collapse } td, th { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0 }
summary { cursor: pointer } .verb { color: #06c; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1b1b1b } code, pre { background: #2a2a2a } section { border-color: #444 }
}
"""

router = APIRouter(include_in_schema=False)


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """The page."""
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    return HTMLResponse(page(request.app.openapi()), headers={"Content-Security-Policy": policy})


def page(document: Mapping[str, Any]) -> str:
    """An OpenAPI 3.1 document as HTML."""
    info = document["info"]
    operations = [
        (verb.upper(), path, operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    ]
    links = "".join(
        f'<li><a href="#{_anchor(verb, path)}"><code>{verb} {escape(path)}</code></a> {escape(told.get("summary", ""))}</li>'
        for verb, path, told in operations
    )
    parts = "".join(_operation(document, verb, path, told) for verb, path, told in operations)
    about = escape(info.get("description", "")).replace("\n\n", "</p><p>")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title><style>{STYLE}</style>'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{about}</p>"
        f'<p>For programs: <a href="openapi.json">openapi.json</a>. MCP is at <code>/mcp</code>.</p>'
        f"<ul>{links}</ul>{parts}</html>"
    )


def _operation(document: Mapping[str, Any], verb: str, path: str, told: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(given['name'])}</code></td><td>{given['in']}{', required' if given.get('required') else ''}</td>"
        f"<td>{escape(given.get('description') or '')}</td></tr>"
        for given in told.get("parameters", ())
    )
    answers = "".join(
        f"<tr><td><code>{status}</code></td><td>{escape(answer.get('description', ''))}</td></tr>"
        for status, answer in sorted(told.get("responses", {}).items())
    )
    body = "".join(
        f"<p>Body, <code>{escape(kind)}</code>:</p><pre>{escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre>"
        for kind, schema in _bodies(document, told)
    )
    return (
        f'<section id="{_anchor(verb, path)}"><h2><span class="verb">{verb}</span> <code>{escape(path)}</code></h2>'
        f"<p>{escape(told.get('description') or told.get('summary', ''))}</p><table>{rows}</table>{body}"
        f"<details><summary>Answers</summary><table>{answers}</table></details></section>"
    )


def _bodies(document: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for kind, content in told.get("requestBody", {}).get("content", {}).items():
        schema = content.get("schema", {})
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        yield kind, document.get("components", {}).get("schemas", {}).get(name, schema)


def _anchor(verb: str, path: str) -> str:
    return escape(f"{verb}-{path.strip('/').replace('/', '-')}".lower(), quote=True)
