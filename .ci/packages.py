"""Builds what is published and runs it: sdist, the wheel made from the sdist, and the MCPB bundle.

Each is installed where nothing else is, then a real client connects and calls a tool. The wheel also runs the demo. The sdist
is unpacked and installed by the GitHub Action that is in it, whose last step then judges a commit. The bundle is unpacked
and started as its manifest says, which is what a desktop client does.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import CallToolResult
from readme import ROOT, copy_tracked
from ruamel.yaml import YAML

NOT_IN_SDIST = {".gitignore"}
IN_WHEEL = ("llmgenie_mcp/py.typed", "llmgenie_mcp/workflows/review.yaml", "llmgenie_mcp/schemas/workflow.schema.json")
TOOLS = 8
PATIENCE = 120.0


def main() -> int:
    """Exit code 0 when all of it runs."""
    with tempfile.TemporaryDirectory(prefix="llmgenie-packages-") as folder:
        here = Path(folder)
        place = Place(here)
        with timed("build"):
            copy_tracked(here / "checkout")
            place.uv("build", "-q", "--out-dir", str(here / "dist"), cwd=here / "checkout")
        (sdist,) = (here / "dist").glob("*.tar.gz")
        (wheel,) = (here / "dist").glob("*.whl")
        look_into(sdist, wheel)
        with timed("wheel"):
            programs = place.installed("wheel", wheel)
            place.run(programs / "llmgenie", "--help")
            place.talk(programs / "llmgenie-mcp", "--project", str(place.project()))
            place.run(programs / "llmgenie", "demo", "--yes")
        with timed("sdist and action"):
            with tarfile.open(sdist) as archive:
                archive.extractall(here / "source", filter="data")
            (source,) = (here / "source").iterdir()
            programs = place.acted(source)
            place.talk(programs / "llmgenie-mcp", "--project", str(place.project()))
        with timed("bundle"):
            place.run(sys.executable, ROOT / "packaging" / "mcpb.py", "--wheel", wheel, "--out", here / "dist")
            (bundle,) = (here / "dist").glob("*.mcpb")
            place.talk(*started(bundle, here / "unpacked", place.project()))
    return 0


class Place:
    """A folder with its own home, and a PATH that has no llmgenie."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = shutil.which("uv")
        if found is None:
            raise SystemExit("uv is not on PATH: pip install uv")
        self._uv = found
        tools, home = folder / "tools", folder / "home"
        tools.mkdir()
        home.mkdir()
        (tools / "uv").symlink_to(found)
        kept = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")}
        path = [str(tools), *(p for p in kept["PATH"].split(os.pathsep) if not (Path(p) / "llmgenie").exists())]
        cache = subprocess.run([found, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
        caches = {
            "UV_CACHE_DIR": cache,
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
        }
        self.environment = {**kept, **caches, "PATH": os.pathsep.join(path), "HOME": str(home)}

    def uv(self, *words: str, cwd: Path | None = None) -> None:
        """Run uv."""
        self.run(self._uv, *words, cwd=cwd)

    def run(self, *words: str | Path, cwd: Path | None = None, **variables: str) -> None:
        """Run a program that must succeed; what it says is shown only when it does not."""
        done = subprocess.run(
            [str(word) for word in words],
            cwd=cwd or self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
            check=False,
        )
        if done.returncode:
            print(done.stdout.decode("utf-8", "replace")[-4000:], file=sys.stderr)
            raise SystemExit(f"{' '.join(map(str, words))} ended with {done.returncode}")

    def installed(self, name: str, package: Path) -> Path:
        """An environment that has `package` and its dependencies alone; returns its folder of programs."""
        environment = self.folder / name
        self.uv("venv", "-q", "--python", sys.executable, str(environment))
        python = str(environment / "bin" / "python")
        self.uv("pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), "--python", python, str(package))
        return environment / "bin"

    def acted(self, source: Path) -> Path:
        """Run the steps of action.yml in a checkout with one commit to judge; returns the programs that it installed."""
        temporary, event = self.folder / "runner", self.folder / "event.json"
        temporary.mkdir()
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=self.project(), capture_output=True, text=True, check=True
        )
        push = {"ref": "refs/heads/feature/x", "before": "HEAD~1", "after": head.stdout.strip(), "repository": {}}
        event.write_text(json.dumps(push), encoding="utf-8")
        given = {
            "PYTHON": sys.executable,
            "RUNNER_TEMP": str(temporary),
            "GITHUB_ACTION_PATH": str(source),
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_EVENT_PATH": str(event),
        }
        steps = YAML(typ="safe", pure=True).load(source / "action.yml")["runs"]["steps"]
        for script in (step["run"] for step in steps if "run" in step):
            self.run("bash", "-eo", "pipefail", "-c", script, cwd=self.project(), **given)
        return temporary / "llmgenie" / "bin"

    def project(self) -> Path:
        """A git repository to serve, with two commits."""
        folder = self.folder / "project"
        if not folder.exists():
            self.run("git", "init", "-q", str(folder))
            for message in ("first", "TSK-1 second"):
                who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
                self.run("git", *who, "commit", "-q", "--allow-empty", "-m", message, cwd=folder)
        return folder

    def talk(self, command: str | Path, *arguments: str) -> None:
        """Connect with the SDK's client, list the tools, call one."""

        async def conversation() -> tuple[int, CallToolResult]:
            parameters = StdioServerParameters(
                command=str(command), args=list(arguments), env=self.environment, cwd=self.folder
            )
            async with Client(stdio_client(parameters), mode="legacy") as client:
                tools = (await client.list_tools()).tools
                return len(tools), await client.call_tool("get_workflow_state", {})

        count, state = asyncio.run(asyncio.wait_for(conversation(), PATIENCE))
        if count != TOOLS or state.is_error:
            raise SystemExit(f"{command}: {count} tools; {state.content}")
        served = (state.structured_content or {})["project"]
        print(f"  {client_name(command)}: {count} tools, serves {served['root']} ({served['found_by']})")


def client_name(command: str | Path) -> str:
    """The program and the folder it was installed in."""
    path = Path(command)
    return "/".join(path.parts[-3:]) if path.is_absolute() else str(command)


def look_into(sdist: Path, wheel: Path) -> None:
    """The sdist has every tracked file, the wheel what runs and nothing of the tests."""
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    tracked = {name for name in listed.decode("utf-8").split("\0") if name}
    if missing := sorted(tracked - packed - NOT_IN_SDIST):
        raise SystemExit(f"{sdist.name} lacks {', '.join(missing[:20])}: see tool.hatch.build.targets.sdist")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    if absent := [name for name in IN_WHEEL if name not in inside]:
        raise SystemExit(f"{wheel.name} lacks {', '.join(absent)}")
    if foreign := [name for name in inside if not name.startswith("llmgenie_mcp")]:
        raise SystemExit(f"{wheel.name} has {', '.join(foreign[:20])}")
    print(f"  {sdist.name} {sdist.stat().st_size:,} bytes, {wheel.name} {wheel.stat().st_size:,} bytes")


def started(bundle: Path, folder: Path, project: Path) -> Sequence[str]:
    """Unpack a bundle; the command that its manifest names, filled in as a host does."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    server = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["server"]["mcp_config"]
    filled = {"${__dirname}": str(folder), "${user_config.project}": str(project)}
    words = [server["command"], *server["args"]]
    for name, value in filled.items():
        words = [word.replace(name, value) for word in words]
    return words


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Says what is done and how long it took."""
    began = time.monotonic()
    print(name, flush=True)
    yield
    print(f"  {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
