"""Runs clients that are not ours against this server: one line each, and exit code 1 when one finds a fault.

    python clients.py FOLDER [--only WORD]

FOLDER has node_modules with the packages that README.md beside this file names. Every client gets a project of its own and
is done in some seconds. `.ci/outside.sh` makes such a folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from scene import commands, git, make_repository  # noqa: E402

from llmgenie_mcp import tokens  # noqa: E402

TEST = """
import pathlib, time
print("running", flush=True)
while not pathlib.Path("go").exists():
    time.sleep(0.02)
"""
"""A test command that prints a line and runs until it is let go."""
REVISIONS = ("2025-11-25", "2026-07-28")
PATIENCE = 300.0
SCRIPTS = ("steps.mjs", "typescript_client.mjs", "typescript_client2.mjs")


def main() -> int:
    """Exit code 0 when every client is content."""
    parser = argparse.ArgumentParser(description="Run outside clients.")
    parser.add_argument("folder", type=Path, help="where npm installed the packages")
    parser.add_argument("--only", default="", help="run those whose name has this word")
    given = parser.parse_args()
    failed = 0
    for name, run in clients(given.folder.resolve()):
        if given.only in name:
            with tempfile.TemporaryDirectory(prefix="llmgenie-outside-") as scratch:
                os.environ["LLMGENIE_STATE_DIR"] = str(Path(scratch) / "state")
                project = prepared(Path(scratch) / "project")
                code, told = run(project)
            failed += bool(code)
            sys.stdout.write(f"{'ok  ' if not code else 'FAIL'} {name}: {told}\n")
            sys.stdout.flush()
    return 1 if failed else 0


def prepared(folder: Path) -> Path:
    """A checkout on a branch, with a trusted test command."""
    make_repository(folder)
    (folder / ".gitignore").write_text(".llmgenie/\ngo\n", encoding="utf-8")
    git(folder, "commit", "-qam", "ignore")
    git(folder, "switch", "-q", "-c", "feature/x")
    commands(folder, test=[sys.executable, "-c", TEST])
    return folder


Run = Callable[[Path], tuple[int, str]]


def clients(folder: Path) -> Iterator[tuple[str, Run]]:
    """Every client by name, and how it is run in a project; it answers an exit code and its last line."""
    for script in SCRIPTS:
        shutil.copy2(HERE / script, folder)

    for script in (
        ("typescript_client.mjs",),
        ("typescript_client2.mjs", "legacy"),
        ("typescript_client2.mjs", "auto"),
    ):
        name = " ".join(script).replace(".mjs", "")
        yield f"{name}, stdio", typescript(folder, *script)
        yield f"{name}, HTTP, a person's token", typescript(folder, *script, role="human")
    yield f"{name}, HTTP, an agent's token", typescript(folder, *script, role="agent")
    for method, words in INSPECTED.items():
        yield f"inspector {method}", inspector(folder, method, *words)
    for revision in REVISIONS:
        yield f"conformance {revision}", conformance(folder, revision)


def typescript(folder: Path, *script: str, role: str | None = None) -> Run:
    """A client in TypeScript; over HTTP when it has a token of a role."""

    def run(project: Path) -> tuple[int, str]:
        if role is None:
            return ran(["node", *script, str(project), *stdio(project)], folder)
        _, token = tokens.create(project / ".llmgenie", "outside", role)
        with served(project) as url:
            return ran(["node", *script, str(project), url], folder, TOKEN=token, ROLE=role)

    return run


INSPECTED = {
    "tools/list": (),
    "tools/call": ("--tool-name", "get_policy", "--tool-arg", "policy_name=branch_protection"),
    "resources/read": ("--uri", "llmgenie://policies/branch_protection"),
    "prompts/get": ("--prompt-name", "review", "--prompt-args", "branch=feature/y"),
}
"""Methods of the Inspector's CLI with their words; each answer names what this has in SEEN."""
SEEN = {"tools/list": "run_action", "prompts/get": "feature/y"}


def inspector(folder: Path, method: str, *words: str) -> Run:
    """The Inspector's command line, over stdio."""

    def run(project: Path) -> tuple[int, str]:
        program = str(folder / "node_modules" / ".bin" / "mcp-inspector")
        code, told = ran([program, "--cli", *stdio(project), "--method", method, *words], folder, last=False)
        seen = SEEN.get(method, "no-direct-push")
        return (code, f"{len(told)} characters") if code or seen in told else (1, f"{seen} is not in: {told[-300:]}")

    return run


def conformance(folder: Path, revision: str) -> Run:
    """The conformance suite's scenarios for a revision, but those that conformance.yml explains."""

    def run(project: Path) -> tuple[int, str]:
        program = str(folder / "node_modules" / ".bin" / "conformance")
        known = ("--expected-failures", str(HERE / "conformance.yml"))
        with served(project) as url, tempfile.TemporaryDirectory() as results:
            line = [program, "server", "--url", url, "--requirements", revision, *known, "-o", results]
            code, told = ran(line, folder, last=False)
        summary = told.partition("=== SUMMARY ===")[2].partition("Total:")[0].splitlines()
        marks = [one[:1] for one in summary if not one.endswith(": 0 passed, 0 failed")]
        return code, f"{marks.count('✓')} pass, {marks.count('✗')} as explained" if not code else told[-1500:]

    return run


def stdio(project: Path) -> list[str]:
    """The command that serves a project on stdin and stdout."""
    return [sys.executable, "-m", "llmgenie_mcp", "serve", "--project", str(project)]


@contextlib.contextmanager
def served(project: Path) -> Iterator[str]:
    """The address of MCP over HTTP, while it is served."""
    line = [*stdio(project), "--http", "--port", "0", "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield str(json.loads(process.stdout.readline())["data"]["mcp"])
        finally:
            process.terminate()


def ran(line: list[str], folder: Path, *, last: bool = True, **variables: str) -> tuple[int, str]:
    """Exit code and output, or the last line of it; when it fails, what it wrote to stderr too."""
    environment = {**os.environ, **variables}
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=PATIENCE)
    if done.returncode:
        return done.returncode, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return 0, (done.stdout.strip().splitlines() or [""])[-1] if last else done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
