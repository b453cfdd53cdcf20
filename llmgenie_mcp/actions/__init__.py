"""What an agent may run, one family a file; `llmgenie_mcp.plugins` finds the modules here."""
