"""What tests set up: real git repositories, settings and definitions of a project, and short questions to an engine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgenie_mcp import Engine, trust

PYTHON = sys.executable
SUMMARY = "Wrote it and ran the tests; nothing is left."

DEPLOY = """
name: deploy
description: A version goes to production when the lead says so.
subject: version
initial: waiting
states:
  waiting:
    actions: [record_note]
    on:
      roll_out:
        target: rolling
        roles: [lead]
        guards: [{expression: git.clean, message: Commit your changes first.}]
        effects: [{log: "{instance.subject} goes out from {git.branch} by {subject.id}"}, {emit: deploy.began}]
      forget: forgotten
  rolling: {on: {smoke.passed: live, smoke.failed: waiting}}
  live: {final: true}
  forgotten: {final: true}
"""
"""A workflow of a project's own, with roles, guards, effects and events."""


def git(folder: Path, *arguments: str) -> str:
    """What `git ARGUMENTS` prints; fails the test when git fails."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(folder: Path, name: str = "file.txt", text: str = "text\n", message: str = "change") -> str:
    """Commit a file; returns the hash."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def make_repository(folder: Path) -> Path:
    """A git repository on branch main with one commit, a local identity, and the store ignored."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main", "--template=")
    (folder / ".git" / "hooks").mkdir()
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.org")
    (folder / ".gitignore").write_text(".llmgenie/\n", encoding="utf-8")
    commit(folder, "README.md", "demo\n", "first")
    return folder


def copy_repository(template: Path, folder: Path) -> Path:
    """A copy of a repository: quicker than making one."""
    shutil.copytree(template, folder, symlinks=True)
    return folder


def configure(folder: Path, *, trusted: bool = True, **settings: Any) -> Path:
    """Write `.llmgenie/llmgenie.yaml` (JSON is YAML); returns the file."""
    store = folder / ".llmgenie"
    store.mkdir(exist_ok=True)
    path = store / "llmgenie.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    if trusted:
        trust.trust(store)
    return path


def commands(folder: Path, *, trusted: bool = True, **argv: list[str] | Mapping[str, Any]) -> Path:
    """Give a project commands by name."""
    given = {name: dict(a) if isinstance(a, Mapping) else {"argv": a} for name, a in argv.items()}
    return configure(folder, trusted=trusted, commands=given)


def define(folder: Path, kind: str, name: str, text: str) -> Path:
    """Write a definition of the project's own: `kind` is workflows or policies."""
    path = folder / ".llmgenie" / kind / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def started(engine: Engine, **params: Any) -> str:
    """A new session's id."""
    return str(engine.run_action("start_session", params).result["session"]["id"])


def reviewing(engine: Engine, repo: Path) -> str:
    """A session in mode review on branch feature/x with one commit, in a project whose tests pass; returns its id."""
    commands(repo, test=["true"])
    git(repo, "switch", "-q", "-c", "feature/x")
    commit(repo, "x.txt")
    return started(engine, mode="review")


def lines(engine: Engine) -> list[dict[str, Any]]:
    """The whole meta-log with its changes, oldest first."""
    engine.storage.refresh()
    return engine.storage.log(limit=100_000, changes=True).items


def documents(engine: Engine) -> dict[str, dict[str, Any]]:
    """All documents of the tables that matter, by table and id."""
    tables = ("tasks", "roadmap", "sessions", "instances", "approvals", "runs", "notes", "lessons")
    return {table: {d["id"]: d for d in engine.storage.query(table).items} for table in tables}


def replayed(engine: Engine) -> dict[str, dict[str, Any]]:
    """The documents that follow from the changes in the log alone."""
    tables: dict[str, dict[str, Any]] = {}
    for line in lines(engine):
        for table, key, document in line["changes"]:
            rows = tables.setdefault(table, {})
            rows.pop(key, None)
            if document is not None:
                rows[key] = document
    return {table: tables.get(table, {}) for table in documents(engine)}


def codes(outcome: Any) -> list[str]:
    """The codes of an outcome's reasons."""
    return [reason.code for reason in outcome.reasons]
