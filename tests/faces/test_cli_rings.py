"""A symbolic link that leads to itself, where llmgenie has its files: told with what to do, in every Python.

`Path.resolve` raised RuntimeError for such links until Python 3.12, and is silent about them from 3.13 on.
"""

from __future__ import annotations

from pathlib import Path

from cli_fixtures import run


def ring(path: Path) -> None:
    """Put a link to itself in the place of `path`."""
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def test_a_store_that_is_a_ring_of_links_is_told(repo: Path) -> None:
    ring(repo / ".llmgenie")
    for command in ("state", "doctor", "init --yes --agent claude-code"):
        done = run(*command.split(), project=repo)
        assert "Too many levels of symbolic links" in done.output, command


def test_a_file_of_an_agent_that_became_a_ring_of_links_is_told(repo: Path) -> None:
    run("init", "--yes", "--agent", "claude-code", project=repo)
    ring(repo / ".mcp.json")
    assert run("doctor", project=repo).exit_code == 0  # what stops agents is all there
    done = run("init", "--yes", "--agent", "claude-code", project=repo)
    assert done.exit_code == 1
    assert ".mcp.json" in done.output
