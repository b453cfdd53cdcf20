"""Facts about the world that guards and policies may ask for; `llmgenie_mcp.plugins` finds the modules here."""
