"""Where the outbox delivers: one kind of destination a file."""
