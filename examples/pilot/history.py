"""Replays the last commits of a repository as reviewed changes, and ends with a release: the pilot, on a real history.

    python examples/pilot/history.py . --commits 10 --version 0.1.0 -- python -m pytest -q tests/test_policy.py

Each commit becomes a task, a session, a branch and a review in a clone of its own: tests run on that very commit, a person
(here: a client that says yes) approves it, and it is merged; then the version is prepared, verified, approved, tagged and
published. The agent is an MCP client that acts through the real server over stdio; `git commit` runs with llmgenie's hooks.
What refuses a step is counted and printed: that is what the pilot is for. The repository itself is not changed.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import ElicitRequestParams, ElicitResult

from llmgenie_mcp import trust


class Pilot:
    """One replay.

    Attributes:
        refused: how often which rule or guard refused a step, and its message.
        took: seconds by action, a list each.
    """

    def __init__(self, root: Path, client: Client) -> None:
        self.root, self.client = root, client
        self.session = ""
        self.refused: collections.Counter[str] = collections.Counter()
        self.took: dict[str, list[float]] = collections.defaultdict(list)
        self.merged = 0

    async def run(self, action: str, **params: Any) -> dict[str, Any]:
        """Run an action in the session; what refuses it is counted, not raised."""
        started = time.perf_counter()
        call = {"action": action, "params": params, **({"session": self.session} if self.session else {})}
        answer = await self.client.call_tool("run_action", call, read_timeout_seconds=1800)
        self.took[action].append(time.perf_counter() - started)
        data: dict[str, Any] = answer.structured_content or {}
        if data.get("status") != "ok":
            said = "\n".join(part.text for part in answer.content if part.type == "text")
            reasons = data.get("reasons") or [{"message": said[:300]}]
            for reason in reasons:
                rule = f"{reason['policy']}/{reason['rule']}" if reason.get("policy") else reason.get("guard", "guard")
                self.refused[f"{action}: {rule}: {reason['message']}"] += 1
        return data

    async def replayed(self, number: int, commit: str) -> bool:
        """One commit of the history, as a task that is reviewed and merged."""
        git(self.root, "switch", "-q", "-c", f"feature/{number}", "main")
        git(self.root, "cherry-pick", "--no-commit", commit)
        return await self.change(f"feature/{number}", git(self.root, "log", "-1", "--format=%B", commit))

    async def change(self, branch: str, message: str) -> bool:
        """What is staged on `branch`, as a task that is reviewed and merged."""
        subject = message.partition("\n")[0]
        task = (await self.run("create_task", title=subject[:120]))["result"]["id"]
        started = await self.run("start_session", task=task)
        self.session = started["result"]["session"]["id"]
        await self.run("switch_mode", mode="review")
        done = subprocess.run(
            ["git", "-C", str(self.root), "commit", "-q", "--no-edit", "-m", f"{task} {message}"],
            capture_output=True, text=True, check=False, env={**os.environ, "CLAUDECODE": "1"},
        )  # fmt: skip
        if done.returncode:
            for line in filter(lambda text: text.startswith("llmgenie:"), done.stderr.splitlines()):
                self.refused[f"git commit ({subject[:50]}): {line}"] += 1
            git(self.root, "commit", "-q", "--no-verify", "-m", f"{task} {message}")  # what a person would do
        await self.run("start_review", branch=branch)
        await self.run("run_tests")
        await self.run("submit")
        await self.run("request_approval")
        merged = await self.run("merge", branch="main")
        if merged.get("status") == "ok":
            self.merged += 1
            await self.run("complete_task", id=task, summary=subject)
        await self.run("finish_session", summary=subject)
        self.session = ""
        git(self.root, "switch", "-q", "main")
        if merged.get("status") != "ok":  # a person takes it all the same, so that the next commit has its base
            git(self.root, "merge", "-q", "--no-verify", "--no-edit", branch)
        return merged.get("status") == "ok"

    async def release(self, version: str) -> str:
        """The changelog's entry as a reviewed change, then the version from planned on; the state in which it ends."""
        changelog = self.root / "CHANGELOG.md"
        text = changelog.read_text(encoding="utf-8")
        git(self.root, "switch", "-q", "-c", f"feature/release-{version}", "main")
        changelog.write_text(text.replace("## [Unreleased]", f"## [Unreleased]\n\n## [{version}]", 1), encoding="utf-8")
        git(self.root, "add", "CHANGELOG.md")
        await self.change(f"feature/release-{version}", f"The changelog names {version}")
        task = (await self.run("create_task", title=f"Release {version}"))["result"]["id"]
        self.session = (await self.run("start_session", task=task))["result"]["session"]["id"]
        await self.run("switch_mode", mode="release")
        await self.run("start_release", version=version)
        for action in ("prepare", "run_tests", "verify"):
            await self.run(action)
        await self.run("request_approval")
        await self.run("tag_release")
        published = await self.run("publish")
        return str((published.get("state") or {}).get("to", "not published"))


def git(folder: Path, *arguments: str) -> str:
    """What git prints. Raises CalledProcessError."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


async def yes(_: Any, params: ElicitRequestParams) -> ElicitResult:
    """The person of the pilot, who read the change before it was replayed."""
    assert params.message
    return ElicitResult(action="accept", content={"decision": "approve", "comment": "read before"})


async def replay(source: Path, count: int, version: str, samples: list[str], test: list[str], place: Path) -> int:
    """The whole pilot in `place`; the exit code."""
    root, commits = place / "repository", git(source, "rev-list", "--reverse", f"-{count}", "HEAD").split()
    git(source, "clone", "-q", "--no-local", str(source), str(root))
    git(root, "switch", "-q", "-C", "main", f"{commits[0]}^")
    for name, value in (("user.name", "pilot"), ("user.email", "pilot@example.invalid"), ("commit.gpgSign", "false")):
        git(root, "config", name, value)
    environment = {**os.environ, trust.STATE_ENVIRONMENT: str(place / "state")}
    subprocess.run(
        [sys.executable, "-m", "llmgenie_mcp", "init", "--yes", "--project", str(root)],
        env=environment, check=True, capture_output=True,
    )  # fmt: skip
    settings = {
        "commands": {"test": {"argv": test, "timeout": 1800}},
        "policies": {"security": {"add": {"samples": samples}}},
    }
    (root / ".llmgenie" / "llmgenie.yaml").write_text(json.dumps(settings), encoding="utf-8")
    os.environ[trust.STATE_ENVIRONMENT] = environment[trust.STATE_ENVIRONMENT]
    trust.trust(root / ".llmgenie")
    git(root, "add", "-A")
    git(root, "commit", "-q", "--no-verify", "-m", "llmgenie comes to the project")
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "llmgenie_mcp", "serve", "--project", str(root)], env=environment
    )
    async with Client(stdio_client(server), elicitation_callback=yes) as client:
        pilot = Pilot(root, client)
        for number, commit in enumerate(commits, 1):
            passed = await pilot.replayed(number, commit)
            print(
                f"{number:>3} {'merged ' if passed else 'stopped'} {git(source, 'log', '-1', '--format=%h %s', commit)[:100]}"
            )
        print(f"release {version}: {await pilot.release(version)}")
    print(f"\n{pilot.merged} of {len(commits)} merged; tags: {git(root, 'tag') or 'none'}")
    for reason, times in pilot.refused.most_common():
        print(f"  {times} x {reason}")
    print("\nseconds (median)")
    for action, seconds in pilot.took.items():
        print(f"  {action:<18} {sorted(seconds)[len(seconds) // 2]:8.3f}  x {len(seconds)}")
    return 0 if pilot.merged == len(commits) else 1


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("repository", type=Path)
    parser.add_argument("--commits", type=int, default=10, help="how many of the last commits")
    parser.add_argument("--version", default="0.1.0", help="the version that is released at the end")
    parser.add_argument(
        "--samples", action="append", default=[], metavar="GLOB", help="files whose secrets are made up"
    )
    parser.add_argument("--keep", type=Path, help="replay in this empty folder and keep it")
    parser.add_argument(
        "test", nargs="+", help="after --: the command that runs the tests, with the clone as its folder"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmgenie-pilot-") as folder:
        place = given.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        return asyncio.run(
            replay(given.repository.resolve(), given.commits, given.version, given.samples, given.test, place)
        )


if __name__ == "__main__":
    sys.exit(main())
