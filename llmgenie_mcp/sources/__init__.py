"""What raises events by itself: one source a file."""
