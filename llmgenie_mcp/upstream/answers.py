"""What a tool of another server answered, as the result of an action: bounded, without secrets, and no pictures inside."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import redact
from llmgenie_mcp.errors import shorten
from llmgenie_mcp.upstream.text import clean

if TYPE_CHECKING:
    from mcp_types import CallToolResult

Document = dict[str, Any]
MARGIN = 9_000
"""Characters read beyond what is shown, so that no secret is cut in two and passes for harmless."""
ATTACHMENTS = 20
SECRET = "[secret removed]"  # noqa: S105 - what stands where a secret was


def result_of(found: CallToolResult, most: int, secrets: Iterable[str]) -> Document:
    """The answer as {text, data, attachments, cut}, each only where there is any.

    Args:
        found: as the SDK read it.
        most: bytes of text and data, about.
        secrets: what the server was given and may repeat.
    """
    texts: list[str] = []
    attachments: list[str] = []
    room = most + MARGIN
    for block in found.content:
        text, attachment = _block(block)
        if text and room > 0:
            texts.append(text[:room])
            room -= len(text)
        if attachment:
            attachments.append(attachment)
    whole = sum(len(text) for block in found.content if (text := _block(block)[0]))
    answer: Document = {}
    data = found.structured_content
    if isinstance(_only(data), str) and _says(texts, data):
        data = None  # a text, wrapped because structured content had to be an object
    elif data is not None and _says(texts, data):
        texts, whole = [], 0
    if data is not None:
        answer |= _data(data, most, secrets)
    left = max(200, most - len(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")))
    text = _without(redact.redact("\n".join(texts)), secrets)
    shown = text.encode("utf-8", "replace")[:left].decode("utf-8", "ignore")
    if shown:
        answer["text"] = shown
    if whole > len(shown) + MARGIN or len(text) > len(shown):
        answer["cut"] = f"{max(whole, len(text)) - len(shown):,} characters are left out: ask for less"
    if attachments:
        more = [f"… {len(attachments) - ATTACHMENTS} more"] if len(attachments) > ATTACHMENTS else []
        answer["attachments"] = [clean(one, 300) for one in attachments[:ATTACHMENTS]] + more
    return answer


def reason(answer: Document) -> str:
    """Why a tool failed, in its own words: the first line of its text."""
    text = answer.get("text") or json.dumps(answer.get("data", ""), ensure_ascii=False)
    return clean(str(text).strip().partition("\n")[0], 300)


def _block(block: Any) -> tuple[str, str]:
    """The text of a content block, or a short description of what is no text."""
    kind = block.type
    if kind == "text":
        return str(block.text), ""
    if kind in ("image", "audio"):
        return "", f"{kind} {block.mime_type}, {_size(block.data)}; not passed on"
    if kind == "resource_link":
        return "", f"resource {block.uri} {block.name}"
    if kind == "resource":
        held = block.resource
        text = getattr(held, "text", None)
        if text is not None:
            return f"{held.uri}:\n{text}", ""
        return "", f"resource {held.uri} {held.mime_type or ''}, {_size(getattr(held, 'blob', ''))}; not passed on"
    return "", f"{kind}; not passed on"


def _size(base64: str) -> str:
    return f"{len(base64) * 3 // 4:,} bytes"


def _says(texts: list[str], data: Any) -> bool:
    """Whether the text is nothing but the data once more, as servers send it for clients that do not read data."""
    if len(texts) != 1:
        return False
    wrapped = _only(data)
    if texts[0] == wrapped or (isinstance(wrapped, str) and wrapped.startswith(texts[0]) and len(texts[0]) > MARGIN):
        return True
    try:
        return json.loads(texts[0]) in (data, wrapped)
    except (ValueError, RecursionError):
        return False


def _only(data: Any) -> Any:
    """What an object holds that was put around one value, because structured content had to be an object."""
    return next(iter(data.values())) if isinstance(data, dict) and len(data) == 1 else data


def _data(data: Any, most: int, secrets: Iterable[str]) -> Document:
    raw = json.dumps(data, ensure_ascii=False)
    if len(raw) <= most:
        return {"data": json.loads(_without(json.dumps(redact.redact(data), ensure_ascii=False), secrets))}
    text = _without(redact.redact(raw[: most + MARGIN]), secrets)
    return {"data_excerpt": shorten(text, most), "cut": "the data is too long to be passed on whole: ask for less"}


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, SECRET)
    return text.encode("utf-8", "replace").decode("utf-8")
