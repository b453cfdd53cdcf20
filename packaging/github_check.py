"""What action.yml runs: `llmgenie check` with the range and the branch that the event of the workflow is about.

Reads the inputs from RANGE, BRANCH, STRICT, CODE_OWNERS and TASKS, and the event from the file that GITHUB_EVENT_PATH names
(docs.github.com: "Webhook events and payloads", pull_request, push, merge_group). Of the standard library alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NONE = "0" * 40
"""The hash that stands for no commit: a branch that begins or ends."""
JUDGED = ("pull_request", "pull_request_target", "push", "merge_group")


class NotJudged(Exception):
    """There is nothing to judge, or nobody says what; the text tells which, `code` how to end."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def of_event(name: str, event: Mapping[str, Any], folder: Path) -> tuple[str, str]:
    """Range and branch of an event.

    Args:
        name: as GITHUB_EVENT_NAME says it.
        event: its payload.
        folder: the checkout, asked where a new branch began.

    Raises:
        NotJudged: a branch was deleted, or it is an event about no commits.
    """
    if name in {"pull_request", "pull_request_target"}:
        request = event["pull_request"]
        head, base = request["head"], request["base"]
        theirs = (head.get("repo") or {}).get("full_name") != base["repo"]["full_name"]  # None: the fork was deleted
        return f"{base['sha']}..{head['sha']}", ("fork/" if theirs else "") + head["ref"]
    if name == "merge_group":
        group = event["merge_group"]
        return f"{group['base_sha']}..{group['head_sha']}", short(group["head_ref"])
    if name == "push":
        if event["after"] == NONE:
            raise NotJudged("The branch was deleted: no commits to judge.", 0)
        return f"{began(event, folder)}..{event['after']}", short(event["ref"])
    known = ", ".join(JUDGED)
    raise NotJudged(f"The event {name} names no commits. Give the input `range`, or run on {known}.", 2)


def began(event: Mapping[str, Any], folder: Path) -> str:
    """The commit before those that were pushed: of a new branch the one where it left the default branch."""
    if event["before"] != NONE:
        return str(event["before"])
    default = f"origin/{event['repository']['default_branch']}"
    line = ["git", "merge-base", default, event["after"]]
    found = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    if found.returncode:
        raise NotJudged(f"Where the new branch left {default} is not known here: check out with fetch-depth: 0.", 2)
    return found.stdout.strip()


def short(ref: str) -> str:
    """A branch's name without refs/heads/."""
    return ref.removeprefix("refs/heads/")


def options(environment: Mapping[str, str]) -> list[str]:
    """The switches of `llmgenie check` that the inputs turn on."""
    given = (("STRICT", "true", "--strict"), ("CODE_OWNERS", "true", "--code-owners"), ("TASKS", "false", "--no-tasks"))
    return [option for name, value, option in given if environment.get(name, "").strip().lower() == value]


def main() -> int:
    """The exit code of `llmgenie check`; 0 for a deleted branch, 2 when it is not said what to judge."""
    environment, folder = os.environ, Path.cwd()
    revisions, branch = environment.get("RANGE", "").strip(), environment.get("BRANCH", "").strip()
    try:
        if not (revisions and branch):
            event = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
            try:
                found = of_event(environment.get("GITHUB_EVENT_NAME", ""), event, folder)
            except NotJudged:
                if not revisions:
                    raise
                found = (revisions, short(environment.get("GITHUB_REF", "")))
            revisions, branch = revisions or found[0], branch or found[1]
    except NotJudged as reason:
        sys.stderr.write(f"llmgenie: {reason}\n")
        return reason.code
    program = Path(sys.executable).with_name("llmgenie")
    line = [str(program), "check", "--range", revisions, "--branch", branch, *options(environment)]
    return subprocess.run(line, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
