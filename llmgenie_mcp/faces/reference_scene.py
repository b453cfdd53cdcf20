"""The scratch project in which the examples of the reference are run: a day of work, the same each time.

Every example is a real run. What differs from run to run (times, hashes, ids of events, folders) is replaced by what looks the
same each time.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import LlmgenieError
from llmgenie_mcp.faces.reference_server import answering
from llmgenie_mcp.outcome import Actor

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.records import Outcome

HOME = "/home/ada/app"
BRANCH, VERSION = "feature/parser", "1.2.0"
PERSON = "ada"
BACKLOG = "---\nid: task-1\ntitle: Name the tokens\nstatus: To Do\n---\n\n## Description\n\nEvery kind has a name.\n"
"""A task as Backlog.md keeps it."""
NEAR = "http://127.0.0.1:11434"
"""What the address of the examples' server is shown as."""
ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_DATE": "2026-01-05T09:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-05T09:00:00Z",
    "CI_TOKEN": "a-token-of-the-examples",
}
SHOWN = 800
"""Characters of an answer's text that an example shows."""

Run = tuple[str, Mapping[str, Any], str]
"""An example: the action, its parameters, and the answer as a model reads it."""


@dataclass
class Scene:
    """The project, open.

    Attributes:
        engine: over the scratch project.
        folder: its checkout.
        server: the address of what it talks to.
        runs: the first run of every action, by name.
        errors: the first error of every code.
    """

    engine: Engine
    folder: Path
    server: str
    runs: dict[str, Run] = field(default_factory=dict)
    errors: dict[str, LlmgenieError] = field(default_factory=dict)
    _hashes: dict[str, str] = field(default_factory=dict)

    def do(self, action: str, session: str | None = None, /, **params: Any) -> Outcome | None:
        """Run an action and keep what came of it, if it is the first run of that action."""
        from llmgenie_mcp.faces.mcp_answers import OPEN, error_text, outcome_text

        try:
            outcome = self.engine.run_action(action, params, session=session)
        except LlmgenieError as error:
            self.errors.setdefault(error.code, error)
            self.runs.setdefault(action, (action, params, self.plain(error_text(error))))
            return None
        lines = [line for line in outcome_text(outcome).splitlines() if not line.startswith(OPEN)]
        self.runs.setdefault(action, (action, params, self.plain("\n".join(lines))))
        return outcome

    def git(self, *words: str) -> None:
        """Run git in the checkout."""
        subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True)

    def commit(self, name: str, text: str) -> None:
        """Commit a file."""
        (self.folder / name).write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"TSK-1: {name}")

    def approve(self) -> None:
        """A person says yes to what waits."""
        for waiting in self.engine.context_data("approvals", "status:pending")["items"]:
            self.engine.decide_approval(waiting["id"], True, person=PERSON, channel="terminal")

    def plain(self, text: str) -> str:
        """`text` with whatever differs from run to run replaced."""
        text = text.replace(str(self.folder), HOME).replace(self.server, NEAR)
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "2026-01-05T09:00:00.000Z", text)
        text = re.sub(r'(seconds"?: )[\d.]+', r"\g<1>0.1", text)
        return re.sub(r"\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{10,40})\b", self._hash, text)

    def _hash(self, found: re.Match[str]) -> str:
        if "-" in found[0]:
            return "6f1c9f0e-0000-4000-8000-000000000001"
        short = found[0][:10]
        known = self._hashes.setdefault(short, f"c{len(self._hashes) + 1:09}")
        return f"{known}{'0' * 30}"[: len(found[0])]


@contextmanager
def scene() -> Iterator[Scene]:
    """The project after the day's work, with its runs; it is gone afterwards."""
    from llmgenie_mcp import trust
    from llmgenie_mcp.engine import Engine

    with TemporaryDirectory(prefix="llmgenie-reference-") as place, _environment(Path(place)), answering() as server:
        folder = Path(place).resolve() / "app"
        folder.mkdir()
        for words in (
            ("init", "-q", "-b", "main"),
            ("config", "user.name", "Ada"),
            ("config", "user.email", "a@example.org"),
        ):
            subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
        store = folder / ".llmgenie"
        store.mkdir()
        (store / "llmgenie.yaml").write_text(json.dumps(_settings(server)), encoding="utf-8")
        trust.trust(store)
        with Engine.open(folder) as engine:
            made = Scene(engine, folder, server)
            made.commit(".gitignore", ".llmgenie/\n")
            made.commit("CHANGELOG.md", f"# Changelog\n\n## {VERSION}\n\n- A parser.\n")
            _work(made)
            _review(made)
            _release(made)
            _end(made)
            yield made


def _settings(server: str) -> dict[str, Any]:
    environment = {"enum": ["staging", "production"]}
    return {
        "commands": {"test": {"argv": ["true"]}, "lint": {"argv": ["true"]}},
        "notifications": {"team": {"to": [{"env": "TEAM_CHAT"}]}},
        "models": {"small": {"kind": "openai", "url": f"{server}/v1", "model": "small", "allow_private": True}},
        "calls": {
            "deploy": {
                "url": f"{server}/deploy/{{environment}}",
                "params": {"properties": {"environment": environment}, "required": ["environment"]},
                "allow_private": True,
            }
        },
        "ci": {
            "tests": {
                "kind": "github",
                "project": "ada/app",
                "workflow": "ci.yml",
                "token": {"env": "CI_TOKEN"},
                "api": server,
                "allow_private": True,
            }
        },
    }


@contextmanager
def _environment(place: Path) -> Iterator[None]:
    wanted = {**ENVIRONMENT, "LLMGENIE_STATE_DIR": str(place / "state"), "HOME": str(place)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _sample(made: Scene, name: str) -> dict[str, Any]:
    return dict(made.engine.definitions.action(name).sample or {})


def _shown(made: Scene, session: str | None, *names: str) -> None:
    """Run actions with the very parameters that callers are shown."""
    for name in names:
        made.do(name, session, **_sample(made, name))


def _work(made: Scene) -> None:
    made.engine.run_action("create_task", {"title": "Agree on the grammar"}, actor=Actor("human", PERSON))
    _shown(made, None, "create_task", "roadmap_add", "record_note", "record_lesson", "log_entry", "switch_mode")
    _shown(made, None, "start_session")
    session = "SES-1"
    _shown(made, session, "update_task", "claim_task", "list_tasks", "move_task", "roadmap_update", "list_roadmap")
    made.do("move_task", session, id="TSK-1", trigger="unblock")
    made.do("switch_mode", session, mode="docs")
    _shown(made, session, "log_mode_switch", "run_tests", "run_command", "pause_session", "resume_session", "notify")
    made.do("create_task", session, titel="Write the parser")
    made.do("creat_task", session, title="Write the parser")


def _review(made: Scene) -> None:
    session = "SES-1"
    made.git("switch", "-q", "-c", BRANCH)
    made.commit("parser.txt", "parser\n")
    _shown(made, session, "start_review")
    made.do("run_tests", session)
    _shown(made, session, "submit", "review_diff")
    made.do("switch_mode", session, mode="review")
    _shown(made, session, "approve", "reject")
    made.do("submit", session, instance="REV-1")
    made.do("request_approval", session, instance="REV-1")
    made.approve()
    _shown(made, session, "reopen")
    made.do("submit", session, instance="REV-1")
    made.do("request_approval", session, instance="REV-1")
    made.approve()
    _shown(made, session, "merge")
    _shown(made, session, "complete_task")
    made.git("switch", "-q", "-C", "feature/idea")
    made.do("start_review", session, branch="feature/idea")
    made.do("abandon", session, instance="REV-2", comment="Not worth it.")
    made.git("switch", "-q", "main")


def _release(made: Scene) -> None:
    session = str((made.do("start_session", mode="release") or _none()).result["session"]["id"])
    _shown(made, session, "start_release", "prepare")
    made.do("run_tests", session)
    _shown(made, session, "verify", "rework")
    made.do("prepare", session, instance="REL-1")
    made.do("verify", session, instance="REL-1")
    _shown(made, session, "approve_release")
    made.do("request_approval", session, instance="REL-1")
    made.approve()
    _shown(made, session, "tag_release", "publish")
    made.do("start_release", session, version="1.3.0")
    made.do("cancel", session, instance="REL-2")


def _end(made: Scene) -> None:
    """What is left: actions that talk to others, or need settings which this project does not have; the end of the session."""
    made.runs.pop("request_approval")
    _shown(made, "SES-1", "request_approval")
    session = str((made.do("start_session", mode="code") or _none()).result["session"]["id"])
    modes = made.engine.definitions.workflows["modes"].states
    foreign = made.folder / "backlog" / "tasks"
    foreign.mkdir(parents=True)
    (foreign / "task-1 - Name the tokens.md").write_text(BACKLOG, encoding="utf-8")
    for name in sorted(made.engine.definitions.actions.keys() - made.runs.keys() - {"finish_session"}):
        opening = [mode for mode, state in modes.items() if state.opens(name)]
        made.do("switch_mode", session, mode=opening[0] if opening else "code")
        _shown(made, session, name)
    _shown(made, "SES-1", "finish_session")


def _none() -> Outcome:
    raise RuntimeError("a session must start")
