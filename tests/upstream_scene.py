"""A project with servers behind it, as tests of the gateway need it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scene import configure

from llmgenie_mcp import Engine
from llmgenie_mcp.upstream import listing, pool

HERE = Path(__file__).parent / "upstream"
RAW = HERE / "raw_server.py"
SHOP = HERE / "shop_server.py"
PATIENCE = 20.0


def tool(name: str, *, description: str = "Does it.", schema: Any = None, **annotations: bool) -> dict[str, Any]:
    """A tool as a server lists it; annotations as `readOnlyHint=True`."""
    about = {"name": name, "description": description, "inputSchema": schema or {"type": "object"}}
    return {**about, **({"annotations": annotations} if annotations else {})}


def raw(folder: Path, *names: str | dict[str, Any], how: tuple[str, ...] = (), **settings: Any) -> dict[str, Any]:
    """Settings of an upstream that is the raw server, with tools of these names; its log is `folder`/raw.log."""
    spec = folder / "raw.json"
    tools = [tool(name) if isinstance(name, str) else name for name in names]
    spec.write_text(json.dumps({"tools": tools, "log": str(folder / "raw.log")}), encoding="utf-8")
    command = [sys.executable, "-I", "-S", str(RAW), str(spec), *how]
    return {"command": command, "timeout": 60, "start_timeout": 60, **settings}


def said(folder: Path) -> list[dict[str, Any]]:
    """What the raw server was asked so far."""
    log = folder / "raw.log"
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def accept(engine: Engine, name: str, *tools: str) -> None:
    """Ask an upstream for its tools and accept them, as a person does; all when none is named."""
    outcome = engine.run_action(f"{name}.list_tools")
    assert outcome.ok, outcome
    upstream = engine.definitions.settings.upstreams[name]
    known = listing.load(engine.project.store, name, upstream)
    chosen = [known.tools[each] for each in tools] if tools else list(known.tools.values())
    listing.accept(engine.project.store, name, upstream, chosen)


@contextmanager
def behind(repo: Path, **upstreams: Any) -> Iterator[Engine]:
    """An engine over a project with these upstreams, all their tools accepted; at the end nothing of them is left."""
    configure(repo, upstreams=upstreams)
    with Engine.open(repo) as engine:
        try:
            for name in upstreams:
                accept(engine, name)
            yield engine
        finally:
            pool.close_all()


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition with a deadline; returns what it answered."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} never came")


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _is_of_another_test(place: Path) -> bool:
    """Whether a process was started by another test, whose fixture keeps it. Servers behind ours do not get the variable."""
    mark = b"PYTEST_CURRENT_TEST="
    try:
        told = [line for line in (place / "environ").read_bytes().split(b"\0") if line.startswith(mark)]
        command = (place / "cmdline").read_bytes()
    except OSError:
        return False
    mine = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0].encode()
    return b"multiprocessing" in command or any(line.removeprefix(mark).rpartition(b" ")[0] != mine for line in told)


def children(pid: int | None = None) -> list[int]:
    """Processes that were started by one, zombies among them, but none of another test's."""
    pid = pid or os.getpid()
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                fields = (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and not _is_of_another_test(place):
                found.append(int(place.name))
    return found
