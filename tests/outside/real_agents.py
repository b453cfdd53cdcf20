"""Whether the hooks that `llmgenie init` installs really stop a coding agent: the real program, a model that is a script.

    python tests/outside/real_agents.py claude-code [--program PATH] [--keep FOLDER] [--json]

The host gets a home of its own, a fresh repository with a bare remote and, for a model, a server on 127.0.0.1
(`scripted_model.py`). Nothing needs a login. Git's own hooks are left out, so that only the host's hook can stop a push.
Exit code: 0 when every check is as `docs/enforcement.md` says, else 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from real_hosts import HOSTS, Host
from scripted_model import Json, ScriptedModel, Turn

GOLDEN = Path(__file__).parent.parent / "agents" / "golden"
LLMGENIE = Path(sys.executable).with_name("llmgenie")
PATIENCE = 60
"""Seconds for one run of a host."""
SLOW = 5
"""Seconds that a hook sleeps that is to take too long; the host is told to wait for 1."""
PYTHON = re.compile(r"\S+(?= -I -S )")
"""The interpreter in the command that `init` writes."""
RECORDER = Path(__file__).with_name("recorder.py")


@dataclass
class Scene:
    """A repository that one run of the host works in.

    Attributes:
        host: what is run.
        program: its executable.
        base: everything of the scene is in it.
        requests: what the host sent to the model.
        output: what it printed.
        code: its exit code.
    """

    host: Host
    program: str
    base: Path
    requests: list[Json] = field(default_factory=list)
    output: str = ""
    code: int | None = None

    def __post_init__(self) -> None:
        self.home, self.root, self.remote = self.base / "home", self.base / "repo", self.base / "remote.git"
        self.home.mkdir(parents=True)
        git = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        names = {f"GIT_{who}_{what}": "ada" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
        self.environment = {**kept, **git, **names, "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home)}
        self.run("git", "init", "-q", "--bare", str(self.remote), folder=self.base)
        self.run("git", "init", "-q", "-b", "main", str(self.root), folder=self.base)
        (self.root / "README.md").write_text("A shop.\n", encoding="utf-8")
        (self.root / ".env").write_text("TOKEN=hunter2\n", encoding="utf-8")
        self.run("git", "add", "README.md")
        self.run("git", "commit", "-qm", "Begin")
        self.run("git", "remote", "add", "origin", str(self.remote))
        self.run("git", "push", "-q", "origin", "main")
        self.run(str(LLMGENIE), "init", "--yes", "--no-git-hooks", "--agent", self.host.name)
        self.run("git", "commit", "-q", "--allow-empty", "-m", "More")

    def run(self, *command: str, folder: Path | None = None) -> str:
        """What a command printed. Raises CalledProcessError."""
        where = folder or self.root
        done = subprocess.run(
            command, cwd=where, env=self.environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def change_hooks(self, change: Any) -> None:
        """Let `change(handler, key, event)` have its way with every hook in the host's file."""
        path = self.root / self.host.hooks
        settings = json.loads(path.read_text(encoding="utf-8"))
        for event, groups in settings["hooks"].items():
            for group in groups:
                for handler in group.get("hooks", [group]):
                    change(handler, "bash" if "bash" in handler else "command", event)
        path.write_text(json.dumps(settings, indent=2), encoding="utf-8")

    def record(self) -> None:
        """Put the recorder before every hook; the hook itself stays what it was."""

        def wrapped(handler: Json, key: str, _: str) -> None:
            handler[key] = f"{sys.executable} -I -S {RECORDER} {self.base / 'payloads'} {handler[key]}"

        self.change_hooks(wrapped)

    @property
    def payloads(self) -> list[Json]:
        """What the hooks got and answered, in the order in which they were asked."""
        files = sorted((self.base / "payloads").glob("*.json"))
        return [json.loads(path.read_text(encoding="utf-8")) for path in files]

    def play(self, *turns: Turn, trusted: bool = True) -> None:
        """Run the host once, with a model that takes these turns; not `trusted`: as if no person ever trusted the project."""
        with ScriptedModel(turns) as model:
            self.host.prepare(self.home, self.root, model.url)
            environment = {**self.environment, **self.host.environment(model.url)}
            command = [self.program, *self.host.arguments]
            if not trusted:
                environment = {name: value for name, value in environment.items() if name not in self.host.trust}
                command = [word for word in command if word not in self.host.trust]
            out = self.base / "output.txt"
            with out.open("wb") as sink:
                running = subprocess.Popen(
                    command,
                    cwd=self.root,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                    start_new_session=True,
                )
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.code = running.wait(PATIENCE)
                with contextlib.suppress(ProcessLookupError):  # also what the host left behind
                    os.killpg(running.pid, signal.SIGKILL)
                running.wait()
        self.requests, self.output = model.requests, out.read_text(encoding="utf-8", errors="replace")
        (self.base / "requests.json").write_text(json.dumps(model.requests, indent=1), encoding="utf-8")

    def pushed(self) -> bool:
        """Whether the remote has what only the repository had."""
        return "More" in self.run("git", "log", "--format=%s", "main", folder=self.remote)

    def told(self, number: int) -> str:
        """What the host sent back for the turn of that number, counted from 0: what its request has that the one before lacks."""
        if number + 1 >= len(self.requests):
            return ""
        parts = self.host.said(self.requests[number + 1])[len(self.host.said(self.requests[number])) :]
        return "\n".join(_texts([self.host.answer_of(part) for part in parts]))


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `good` is None where there is nothing that it has to be."""

    check: str
    good: bool | None
    seen: str


def checks(host: Host, program: str, base: Path) -> Iterator[Finding]:
    """Run the host again and again and tell what was seen."""
    installed = Scene(host, program, base / "installed")
    yield from _installed(installed)
    recorded = Scene(host, program, base / "recorded")
    yield from _in_a_session(recorded)
    yield from _differences(host, recorded.payloads)
    if host.trust:
        scene = Scene(host, program, base / "not-trusted")
        scene.play(host.shell("git push origin main"), trusted=False)
        yield Finding(f"without trust ({', '.join(host.trust)})", None, _what_happened(scene))
    for number, (name, change) in enumerate(_broken_hooks(host).items()):
        scene = Scene(host, program, base / f"broken-{number}")
        scene.change_hooks(change)
        scene.play(host.shell("git push origin main"))
        yield Finding(f"a hook that {name}", None, _what_happened(scene))


def _installed(scene: Scene) -> Iterator[Finding]:
    """What the hooks do as `init` wrote them."""
    host, root = scene.host, scene.root
    turns = [host.shell("git push origin main"), host.shell("git status --short"), host.write(root / ".llmgenie" / "x")]
    read = [turn] if (turn := host.read(root / ".env")) else []
    scene.play(*turns, *read, host.shell("cat .env"))
    first = "\n".join(_texts(scene.requests[:1]))
    context = "llmgenie keeps this project (repo)" in first
    yield Finding("session start: the context is in the first request", context, _short(first) if not context else "")
    told = scene.told(0)
    stopped = not scene.pushed() and "no-direct-push" in told
    yield Finding("git push origin main is stopped", stopped, told or scene.output[-600:])
    yield Finding("the model reads reason and next step", "Next: run_action start_review" in told, "")
    yield Finding("git status runs", "AGENTS" in scene.told(1) or ".md" in scene.told(1), _short(scene.told(1)))
    written = (root / ".llmgenie" / "x").exists()
    yield Finding("a file in .llmgenie is not written", not written and _refused(scene.told(2)), _short(scene.told(2)))
    if read:
        by_host = "not in workspace" in scene.told(3)  # Gemini CLI refuses it before it asks a hook
        good = "hunter2" not in scene.told(3) and (by_host or _refused(scene.told(3)))
        yield Finding(".env is not read with the host's tool", good, _short(scene.told(3)))
    last = scene.told(3 + len(read))
    yield Finding(".env is not read in a shell", "hunter2" not in last and _refused(last), _short(last))


def _in_a_session(scene: Scene) -> Iterator[Finding]:
    """A task is open, the agent starts a session for it through the server, and wants to stop."""
    host = scene.host
    scene.run(str(LLMGENIE), "task", "add", "Sell tea")
    scene.record()
    start = host.own("run_action", {"action": "start_session", "params": {"role": "developer", "task": "TSK-1"}})
    files = [host.write(scene.root / "new.txt"), host.read(scene.root / "README.md")]
    scene.play(
        *host.before_own,
        start,
        host.shell("git status --short"),
        *(turn for turn in files if turn),
        "I stop.",
        "I really stop.",
    )
    (scene.base / "payloads.json").write_text(json.dumps(scene.payloads, indent=1), encoding="utf-8")
    begun = len(host.before_own)
    told = scene.told(begun)
    yield Finding("start_session through the host's MCP client", "SES-1" in told, _short(told))
    number = begun + 2 + len([turn for turn in files if turn])
    reminder = scene.told(number)
    yield Finding("stopping with an open task: reminded", "TSK-1 (Sell tea) is still" in reminder, reminder)
    ended = scene.code == 0 and len(scene.requests) == number + 2
    yield Finding("and then it ends", ended, f"{len(scene.requests)} requests, exit code {scene.code}")


def _broken_hooks(host: Host) -> dict[str, Any]:
    """Changes to a hook by what it then does."""

    def replaced(line: str, *, seconds: int | None = None, drop: str = "") -> Any:
        def change(handler: Json, key: str, event: str) -> None:
            if event != host.before:
                return
            handler[key] = line
            if seconds:
                handler[host.timeout[0]] = seconds * host.timeout[1]
            handler.pop(drop, None)

        return change

    def inside(python: str) -> Any:
        def change(handler: Json, key: str, event: str) -> None:
            if event == host.before:
                handler[key] = PYTHON.sub(python, handler[key])
                handler.pop(host.closed, None)

        return change

    lines = {"crashes": "exit 1", "is missing": "/nowhere/hook", "dies of a signal": "kill -9 $$"}
    found = {name: replaced(line) for name, line in lines.items()}
    for name, python in {"crashes": "/bin/false", "is gone": "/nowhere/python3"}.items():
        found[f"{name}, in the command that init writes"] = inside(python)
    found["takes too long"] = replaced(f"sleep {SLOW}", seconds=1)
    if host.closed:
        without = {f"{name}, without {host.closed}": replaced(line, drop=host.closed) for name, line in lines.items()}
        found |= without
        found[f"takes too long, without {host.closed}"] = replaced(f"sleep {SLOW}", seconds=1, drop=host.closed)
    return found


def _differences(host: Host, payloads: Sequence[Json]) -> Iterator[Finding]:
    """Members that payloads have and their golden files have not, and the other way round."""
    goldens: dict[str, set[str]] = {}
    own = (path for path in sorted((GOLDEN / host.name).glob("*.json")) if not path.stem.startswith("of_"))
    for path in own:
        payload = json.loads(path.read_text(encoding="utf-8"))["payload"]
        goldens.setdefault(host.label(payload, path.stem), set()).update(_members(payload))
    for one in payloads:
        label = host.label(one["payload"], one["event"])
        seen = _members(one["payload"])
        known = goldens.get(label)
        if known is None:
            yield Finding(f"payload {label}", None, f"no golden file of it: {', '.join(sorted(seen))}")
            continue
        more, less = sorted(seen - known), sorted(known - seen)
        words = [f"new: {', '.join(more)}"] * bool(more) + [f"only golden: {', '.join(less)}"] * bool(less)
        yield Finding(f"payload {label}", None, "; ".join(words) or "as its golden file")


def _members(value: Any, before: str = "") -> set[str]:
    """Names of members with the types of their values: `tool_input.command:str`."""
    if not isinstance(value, dict) or not value:
        return {f"{before}:{type(value).__name__}"}
    if before.endswith(("tool_response", "toolResult", "tool_result", "arguments", "params")):
        return {f"{before}:dict"}
    return {name for key, part in value.items() for name in _members(part, f"{before}.{key}".lstrip("."))}


def _what_happened(scene: Scene) -> str:
    return "the push WENT THROUGH" if scene.pushed() else f"the push was stopped: {_short(scene.told(0), 200)}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _refused(told: str) -> bool:
    return "llmgenie: denied by" in told or "llmgenie: needs a person" in told


def _short(text: str, most: int = 400) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def main() -> int:
    """Run the checks of one host and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", choices=sorted(HOSTS))
    parser.add_argument("--program", help="the host's executable; else it is looked up")
    parser.add_argument("--keep", type=Path, help="a new folder for what was sent and answered")
    parser.add_argument("--json", action="store_true", help="one document")
    given = parser.parse_args()
    host = HOSTS[given.host]
    program = given.program or shutil.which(host.program)
    if program is None:
        parser.error(f"{host.program} is not installed: npm install {host.package}, then --program PATH.")
    base = given.keep.resolve() if given.keep else Path(tempfile.mkdtemp(prefix="real-agents-"))
    version = subprocess.run(
        [program, "--version"], env={**os.environ, "HOME": str(base)}, capture_output=True, text=True, check=False
    ).stdout.strip()
    found = list(checks(host, str(Path(program).resolve()), base))
    if given.json:
        print(json.dumps({"host": host.name, "version": version, "checks": [[f.check, f.good, f.seen] for f in found]}))
    else:
        print(f"{host.name}: {version}")
        for finding in found:
            mark = {True: "ok  ", False: "BAD ", None: "    "}[finding.good]
            print(
                f"{mark}{finding.check}"
                + (f"\n        {finding.seen}".replace("\n", "\n        ") * bool(finding.seen))
            )
    if given.keep is None:
        shutil.rmtree(base, ignore_errors=True)
    return int(any(finding.good is False for finding in found))


if __name__ == "__main__":
    sys.exit(main())
