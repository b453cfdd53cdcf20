"""`python -m llmgenie_mcp` is `llmgenie`."""

from __future__ import annotations

from llmgenie_mcp.faces.cli import main

if __name__ == "__main__":
    main()
