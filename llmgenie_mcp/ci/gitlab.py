"""GitLab CI/CD: https://docs.gitlab.com/api/pipelines/, API version 4."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from llmgenie_mcp.ci.run import Run, Unanswered
from llmgenie_mcp.ci.vendor import Vendor
from llmgenie_mcp.config import Ci

ENDS = {"success": "passed", "failed": "failed", "canceled": "cancelled", "skipped": "skipped"}
"""Statuses of a pipeline that has ended, in our words; with any other it goes on, `manual` (waits for a person) included."""

VENDOR = Vendor(
    name="GitLab",
    base="https://gitlab.com/api/v4",
    token="private-token",  # noqa: S106 - the name of a header
    prefix="",
    needs="the scope api, and the role Developer in that project",
    place="`project`",
)


def start(ci: Ci, ref: str, inputs: Mapping[str, str], cancel: threading.Event) -> Run:
    """Create a new pipeline."""
    asked: dict[str, Any] = {"ref": ref}
    if inputs:
        asked["variables"] = [{"key": name, "value": value} for name, value in inputs.items()]
    reply = VENDOR.ask(ci, "POST", f"{_project(ci)}/pipeline", cancel, asked)
    return _read(VENDOR.done(ci, reply, f"start a pipeline on {ref} of {ci.project}"), Run("", branch=ref))


def look(ci: Ci, run: Run, cancel: threading.Event) -> Run:
    """Get a single pipeline."""
    reply = VENDOR.ask(ci, "GET", f"{_project(ci)}/pipelines/{quote(run.id, safe='')}", cancel)
    return _read(VENDOR.done(ci, reply, f"show pipeline {run.id} of {ci.project}"), run)


def _read(told: Mapping[str, Any], run: Run) -> Run:
    id_, word = told.get("id"), str(told.get("status") or "")
    if not isinstance(id_, int):
        message = "GitLab's answer names no pipeline."
        raise Unanswered(message, "Correct `api` in the settings: such as https://gitlab.example.org/api/v4.")
    user = told.get("user")
    return Run(
        str(id_),
        ENDS.get(word),
        word,
        str(told.get("sha") or ""),
        "" if told.get("tag") is True else str(told.get("ref") or run.branch),
        str(told.get("web_url") or run.url),
        str(told.get("name") or "pipeline"),
        str(user.get("username") or "") if isinstance(user, Mapping) else "",
        str(told.get("source") or ""),
    )


def _project(ci: Ci) -> str:
    return f"/projects/{quote(ci.project, safe='')}"
