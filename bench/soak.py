"""Hours of work in one project, and whether anything grows: `python -m bench soak --minutes 20`.

An HTTP server and a stdio server for one project; an agent on each, hooks of an agent's host, clients of MCP over HTTP that
come and go, a reader of events, a scraper of metrics, webhooks to a receiver here, another MCP server behind, started and
stopped again. The tasks and notes stay the same ones, so that little of what grows is documents: a run of the tests, or of
another server's tool, is kept as one. Needs Linux (/proc).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import machine
from bench.filling import place, repository
from bench.soak_load import Bystander, HookCaller, RestAgent, StdioAgent, Web, prepared
from bench.trend import Trend

MB = float(1 << 20)
WARM = 0.25
"""Share of the run that is left out of the trends: caches fill, modules load, the allocator finds its size."""
LATE = 2 / 3
"""From here to its end the run is looked at once more: what grows until it has found its size does not grow there."""
LONG = {"event stream"}
"""What takes as long as there is something to read: its time says nothing."""
MATTERS = {
    "rss": (0.05, 2.0),
    "files": (0.02, 1.0),
    "threads": (0.02, 1.0),
    "children": (0.02, 1.0),
    "log per act": (0.05, 10.0),
    "p50": (0.30, 2.0),
    "p99": (0.50, 20.0),
}
"""By what was looked at: growth per hour that matters, as a share and in its own unit. Not PSS: it grows when another program
that shares pages with the servers ends."""


@dataclass
class Told:
    """What the load tells while it runs: how long each call took, and what went wrong."""

    taken: list[float] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, kind: str, ask: Callable[[], Any]) -> Any:
        """Ask, and keep how long it took; what fails is kept too, and the load goes on."""
        began = time.perf_counter()
        try:
            return ask()
        except Exception as error:  # noqa: BLE001 - one failed call must not end hours of measuring
            with self.lock:
                self.wrong.append(f"{kind}: {type(error).__name__}: {error}"[:500])
            return None
        finally:
            with self.lock:
                self.calls[kind] += 1
                if kind not in LONG:
                    self.taken.append(time.perf_counter() - began)

    def since(self) -> list[float]:
        """Seconds of every call since it was asked last, the quickest first."""
        with self.lock:
            taken, self.taken = sorted(self.taken), []
        return taken


def main(words: Sequence[str]) -> int:
    """Run the load, print and write what was seen; 1 when something grows, a call failed, or the store is not sound."""
    given = _arguments(words)
    print(f"soak: {given.minutes:g} minutes, a sample every {given.every:g} s, pid {os.getpid()}", flush=True)
    told = Told()
    with place() as folder:
        project = repository(folder / "project")
        samples, stopped = _run(project, told, given.minutes * 60, given.every)
        sound = _sound(project)
    found = _found(samples, told, sound, stopped)
    text = "\n".join(_lines(found))
    print(text, flush=True)
    if given.json:
        data = {"machine": machine.facts(), **found, "samples": samples}
        given.json.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if found["verdict"] == "steady" else 1


def _run(project: Path, told: Told, seconds: float, every: float) -> tuple[list[dict[str, float]], list[str]]:
    """Have the load run for so long; the samples, and what did not end when it should."""
    stop = threading.Event()
    samples: list[dict[str, float]] = []
    with ExitStack() as ending:
        web = ending.enter_context(Web())
        prepared(project, web.address)
        stdio = ending.enter_context(StdioAgent(project, told.call))
        rest = ending.enter_context(RestAgent(project, told.call))
        hooks, others = HookCaller(project, told.call), Bystander(rest.port, told.call)
        loops = [*stdio.loops, *rest.loops, *hooks.loops, *others.loops]
        threads = [threading.Thread(target=loop, args=(stop,), daemon=True) for loop in loops]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds and not stop.wait(min(every, seconds - now)):
            sample = _sample(project, {"stdio": stdio.pid, "http": rest.pid}, told)
            sample |= {"seconds": time.monotonic() - began, "webhooks": float(web.received)}
            samples.append(sample)
            print(_short(sample), flush=True)
        stop.set()
        for thread in threads:
            thread.join(60)
        stopped = [f"{thread.name} did not end" for thread in threads if thread.is_alive()]
    return samples, stopped


def _sample(project: Path, servers: dict[str, int], told: Told) -> dict[str, float]:
    store = project / ".llmgenie"
    taken = told.since() or [0.0]
    found = {
        "acts": float(told.calls.total()),
        "db.json": _size(store / "db.json") / 1024,
        "log": sum(map(_size, (store / "meta-log").glob("*.jsonl"))) / 1024,
        "p50": taken[len(taken) // 2] * 1e3,
        "p99": taken[int(len(taken) * 0.99)] * 1e3,
        "wrong": float(len(told.wrong)),
    }
    found["log per act"] = found["log"] * 1024 / max(found["acts"], 1)
    for name, pid in servers.items():
        found |= {f"{name} {what}": value for what, value in _process(pid)}
    return found


def _process(pid: int) -> Iterator[tuple[str, float]]:
    here = Path("/proc") / str(pid)
    for line in (here / "smaps_rollup").read_text(encoding="utf-8").splitlines():
        if line.startswith(("Rss:", "Pss:")):
            yield line[:3].lower(), float(line.split()[1]) / 1024
    yield "files", float(len(list((here / "fd").iterdir())))
    status = (here / "status").read_text(encoding="utf-8")
    yield "threads", float(status.partition("Threads:")[2].split()[0])
    children = (here / "task").glob("*/children")
    yield "children", float(sum(len(path.read_text(encoding="utf-8").split()) for path in children))
    fields = (here / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    yield "cpu", (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _sound(project: Path) -> list[str]:
    """What is wrong with the store afterwards."""
    from llmgenie_mcp import Engine

    with Engine.open(project) as engine:
        found = engine.storage.verify()
        left = engine.storage.query("outbox", {}).items
        wrong = [] if found.ok else [f"the log does not verify: {found}"]
        return wrong + [f"{len(left)} deliveries were left"] * (len(left) > 100)


def _found(samples: list[dict[str, float]], told: Told, sound: list[str], stopped: list[str]) -> dict[str, Any]:
    steady, last = samples[int(len(samples) * WARM) :], samples[-max(3, len(samples) - int(len(samples) * LATE)) :]
    trends = {}
    for name in sorted(samples[0]):
        limits = MATTERS.get(name.split(" ", 1)[-1] if name.startswith(("stdio ", "http ")) else name)
        if limits and len(steady) >= 3:
            trend, late = (Trend.of([s["seconds"] for s in part], [s[name] for s in part]) for part in (steady, last))
            trends[name] = {**trend.__dict__, "verdict": trend.verdict(*limits), "late": late.slope}
    grows = [name for name, trend in trends.items() if trend["verdict"] == "grows"]
    bad = [*(f"{name} grows" for name in grows), *told.wrong[:20], *sound, *stopped]
    return {
        "minutes": samples[-1]["seconds"] / 60,
        "calls": dict(told.calls),
        "webhooks": int(samples[-1]["webhooks"]),
        "wrong": len(told.wrong),
        "trends": trends,
        "store": "sound" if not sound else "; ".join(sound),
        "verdict": "steady" if not bad else "; ".join(bad),
    }


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"\n{found['minutes']:.1f} minutes, {sum(found['calls'].values()):,} calls, {found['webhooks']:,} webhooks"
    yield ", ".join(f"{kind} {count:,}" for kind, count in sorted(found["calls"].items()))
    yield f"\n{'':<16} {'median':>10} {'per hour':>10} {'± ':>8} {'last third':>10}"
    for name, trend in found["trends"].items():
        slopes = f"{trend['slope']:>+10.2f} {trend['error']:>8.2f} {trend['late']:>+10.2f}"
        yield f"{name:<16} {trend['median']:>10.2f} {slopes} {trend['verdict']}"
    yield f"\n{found['wrong']} calls failed; the store is {found['store']}"
    yield f"verdict: {found['verdict']}"


def _short(sample: dict[str, float]) -> str:
    names = ("acts", "p50", "p99", "log", "db.json", "webhooks", "wrong")
    rest = [f"{name} {sample[name]:.0f}" if name[0] != "p" else f"{name} {sample[name]:.1f}" for name in names]
    for name in ("stdio", "http"):
        parts = [f"{sample[f'{name} {what}']:.1f}" for what in ("rss", "pss", "files", "threads", "children", "cpu")]
        rest.append(f"{name} {'/'.join(parts)}")
    return f"{sample['seconds']:7.0f} s  {'  '.join(rest)}"


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=20, help="how long")
    parser.add_argument("--every", type=float, default=10, metavar="SECONDS", help="how often it is looked at")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the samples and what they say to this file")
    return parser.parse_args(words)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
