"""Runs what the README promises, as written, in a clean copy of the tracked files: the main job and the uvx server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Exit code 0 when both commands did what the README says."""
    command = main_command((ROOT / "README.md").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="llmgenie-readme-") as folder:
        copy = Path(folder) / "checkout"
        copy_tracked(copy)
        print(f"$ {command}", flush=True)
        environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
        environment["PATH"] = os.pathsep.join(p for p in environment["PATH"].split(os.pathsep) if ".venv-ci" not in p)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=copy,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        text = done.stdout.decode("utf-8", "replace")
        print("\n".join(text.splitlines()[-25:]))
        if done.returncode:
            print(done.stderr.decode("utf-8", "replace")[-3000:], file=sys.stderr)
            return 1
        return uvx(copy)


def main_command(readme: str) -> str:
    """The first console block of the README: the command that runs the main job."""
    found = re.search(r"```console\n\$ ([^\n]+ demo)\n", readme)
    if found is None:
        raise SystemExit("README.md has no console block with the demo command")
    return found.group(1)


def copy_tracked(target: Path) -> None:
    """Copy what git tracks (and what is new and not ignored), as a clone would have it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode("utf-8").split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def uvx(checkout: Path) -> int:
    """`uvx --from . llmgenie-mcp` answers an initialize request with the eight tools' server."""
    command = ["uvx", "--from", ".", "llmgenie-mcp", "--project", str(checkout)]
    print("$ " + " ".join(command[:4]), flush=True)
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "readme", "version": "1"},
        },
    }
    done = subprocess.run(
        command,
        cwd=checkout,
        input=(json.dumps(request) + "\n").encode(),
        capture_output=True,
        timeout=600,
        check=False,
    )
    try:
        answer = json.loads(done.stdout.splitlines()[0])
    except (IndexError, ValueError):
        print(done.stderr.decode("utf-8", "replace")[-3000:], file=sys.stderr)
        return 1
    print(answer["result"]["serverInfo"], answer["result"]["protocolVersion"])
    return 0 if answer["result"]["serverInfo"]["name"] == "llmgenie" else 1


if __name__ == "__main__":
    raise SystemExit(main())
