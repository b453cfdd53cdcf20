"""Where the lists of tools and what was accepted of them lie, and whether they have changed. Light: asked at every call."""

from __future__ import annotations

from llmgenie_mcp.marks import listings as mark_of
from llmgenie_mcp.marks import listings_folder as folder

__all__ = ["folder", "mark_of"]
