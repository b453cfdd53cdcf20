"""What brings actions that a project names itself: one kind a file."""
