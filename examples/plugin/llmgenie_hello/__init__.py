"""An example plug-in of llmgenie."""
