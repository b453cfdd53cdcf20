"""Webhooks that come in: one kind of sender a file."""
