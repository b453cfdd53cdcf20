"""What the repository says about the version that a release is about."""

from __future__ import annotations

import re
from typing import Any

from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.plugins import signal
from llmgenie_mcp.signals.git import git

CHANGELOGS = (
    "CHANGELOG.md",
    "CHANGES.md",
    "CHANGELOG.rst",
    "CHANGES.rst",
    "HISTORY.md",
    "NEWS.md",
    "docs/CHANGELOG.md",
)


def tag_of(version: str) -> str:
    """The tag of a version: `v1.2.0`."""
    return version if version.startswith("v") else f"v{version}"


@signal(
    "release",
    {
        "in_changelog": "Whether a heading of the changelog names the version.",
        "tag": "The tag of the version, such as v1.2.0.",
        "tag_exists": "Whether that tag exists.",
        "tag_commit": "The commit that the tag points to; null when there is no tag.",
    },
)
def read(field: str, situation: Situation) -> Any:
    """One fact about the version of the instance concerned; unknown when it is about no version."""
    instance, flow = situation.instance, situation.workflow
    if instance is None or flow is None or flow.subject != "version":
        return UNKNOWN
    version = str(instance["subject"])
    if field == "tag":
        return tag_of(version)
    if field == "in_changelog":
        return _in_changelog(situation, version)
    commit = git(situation.folder, "rev-parse", "--verify", "-q", f"refs/tags/{tag_of(version)}^{{commit}}")
    return commit is not None if field == "tag_exists" else commit


def _in_changelog(situation: Situation, version: str) -> bool:
    bare = re.escape(version.removeprefix("v"))
    heading = re.compile(rf"^(?:#+\s*)?\[?v?{bare}(?![-+\w]|\.\w)", re.MULTILINE)
    for name in CHANGELOGS:
        path = situation.folder / name
        if path.is_file():
            return heading.search(path.read_text(encoding="utf-8", errors="replace")) is not None
    return False
