"""The command line as programs and people without a terminal use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from cli_fixtures import PATIENCE, SOURCE, answer, data, environment, process, run, settings, waiting_review

from llmgenie_mcp import Engine, __version__, trust
from llmgenie_mcp.faces.cli import MODULES, cli

GOLDEN = Path(__file__).parent.parent / "golden" / "cli_help.txt"


def commands(group: click.Group = cli, *before: str) -> list[tuple[str, ...]]:
    """Every command, as the words to type."""
    found: list[tuple[str, ...]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += [(*before, name)]
        found += commands(command, *before, name) if isinstance(command, click.Group) else []
    return found


def help_page() -> str:
    """The help of `llmgenie`, and of every command its first line of usage."""
    first = run("--help", terminal_width=100).stdout
    usages = (run(*words, "--help", terminal_width=100).stdout.split("\n\n")[0].strip() for words in commands())
    return "\n".join([first, *usages, ""])


if "UPDATE_GOLDEN" in os.environ:
    GOLDEN.write_text(help_page(), encoding="utf-8")


def test_help_lists_every_command_as_before() -> None:
    assert help_page() == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_json_and_project(words: tuple[str, ...]) -> None:
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout
    assert "--project DIR" in result.stdout
    about = result.stdout.split("\n\n")[1].strip()
    assert about.split("\n")[0].strip()[-1] in ".…:" or about.endswith(".")


def test_a_module_has_the_commands_that_are_looked_for_in_it() -> None:
    for module, names in MODULES.items():
        found = import_module(f"llmgenie_mcp.faces.{module}").COMMANDS
        assert tuple(command.name for command in found) == names


def test_every_command_answers_a_wrong_option_with_the_envelope() -> None:
    for words in commands():
        code, document = answer(*words, "--no-such-option")
        assert (code, document["error"]["code"]) == (2, "usage"), words


def test_version_is_the_package_s() -> None:
    assert run("--version").stdout == f"llmgenie, version {__version__}\n"


def test_the_stdio_server_is_a_script_of_its_own(repo: Path) -> None:
    script = [sys.executable, "-c", "from llmgenie_mcp.faces.cli import mcp_main; mcp_main()"]
    options: dict[str, Any] = {
        "env": environment(),
        "capture_output": True,
        "text": True,
        "encoding": "utf-8",
        "timeout": PATIENCE,
    }
    assert subprocess.run([*script, "--version"], **options).stdout == f"llmgenie-mcp, version {__version__}\n"
    assert subprocess.run([*script, "--projct", "x"], **options).returncode == 2
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    hello = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    done = subprocess.run([*script, "--project", str(repo)], input=f"{hello}\n", **options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"] == "llmgenie"


# Every reading command answers with the envelope, on a project that has something of everything.

READS = [
    ("actions",),
    ("actions", "review", "--blocked", "--query", "merge"),
    ("state",),
    ("state", "--session", "SES-1"),
    ("context", "tasks"),
    ("context", "tasks/TSK-1"),
    ("context", "meta-log", "--limit", "3"),
    ("task", "list"),
    ("task", "show", "TSK-1"),
    ("roadmap", "list"),
    ("session", "list", "--all"),
    ("log",),
    ("log", "--session", "SES-1", "--query", "submit"),
    ("log", "verify"),
    ("policy", "list"),
    ("policy", "show", "security"),
    ("policy", "check"),
    ("policy", "test"),
    ("workflow", "list"),
    ("workflow", "show", "review"),
    ("workflow", "diagram", "review", "--instance", "REV-1", "--mermaid"),
    ("workflow", "check"),
    ("enforce", "git.push", "-p", "branch=feature/x"),
    ("approvals",),
    ("hook", "status"),
    ("hook", "command", "cursor"),
    ("trust", "--show"),
    ("doctor",),
    ("plugins",),
    ("task", "list", "--ready"),
    ("completion", "bash"),
    ("reference", "cli"),
    ("schema", "--check", str(SOURCE / "schemas")),
]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with tasks, a goal, a session and a review that waits for a person; for reading only."""
    from scene import make_repository

    place = tmp_path_factory.mktemp("busy")
    state = place / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMGENIE_STATE_DIR", str(state))
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        folder = make_repository(place / "demo")
        waiting_review(folder)
        with Engine.open(folder) as engine:
            goal = engine.run_action("roadmap_add", {"title": "Goal"}).result["id"]
            engine.run_action("create_task", {"title": "First", "roadmap_item": goal})
    return folder


@pytest.mark.parametrize("words", READS, ids=" ".join)
def test_reading_commands_answer_with_the_envelope_and_with_lines(
    words: tuple[str, ...], busy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMGENIE_STATE_DIR", str(busy.parent / "state"))
    code, document = answer(*words, project=busy)
    assert code == 0
    assert set(document) == {"ok", "data"}
    shown = run(*words, project=busy)
    assert shown.exit_code == 0
    assert shown.stderr == ""
    assert shown.stdout.strip()
    assert "\x1b" not in shown.stdout


def test_all_reading_commands_are_tried() -> None:
    acting = {"run", "update", "event", "approve", "serve", "demo", "task", "roadmap", "session", "policy", "workflow"}
    acting |= {
        "init",
        "uninstall",
        "check",
        "hook",
        "token",
        "outbox",
        "upstream",
        "import",
        "export",
        "reference",
        "sync",
    }
    tried = {words[:2] for words in READS} | {words[:1] for words in READS}
    written = {("task", w) for w in ("add", "claim", "complete")} | {("roadmap", "add")}
    written |= {("hook", "http"), ("policy", "explain")} | {
        ("session", w) for w in ("start", "pause", "resume", "finish")
    }
    written |= {("token", w) for w in ("create", "list", "revoke")}  # the last three have test files of their own
    written |= {("outbox", w) for w in ("replay", "retry", "skip", "drop", "deliver")}
    written |= {("upstream", w) for w in ("list", "add", "login", "refresh", "accept", "logout", "remove")}
    written |= {("reference", "pages")}
    assert set(commands()) - tried - written - {(name,) for name in acting} == set()


def test_acting_commands_answer_with_the_outcome(repo: Path) -> None:
    made = data("task", "add", "First", "--priority", "high", "--label", "a", "--label", "b", project=repo)
    assert made["result"]["id"] == "TSK-1"
    assert data("task", "add", "Second", "--after", "TSK-1", project=repo)["result"]["task"]["dependencies"] == [
        "TSK-1"
    ]
    session = data("session", "start", "--task", "TSK-1", "--mode", "code", project=repo)["result"]["session"]["id"]
    assert data("task", "claim", "--session", session, project=repo)["result"]["id"] == "TSK-1"
    done = ("task", "complete", "--summary", "Done and tested.", "--session", session)
    assert data(*done, project=repo)["result"]["now_ready"] == ["TSK-2"]
    assert data("roadmap", "add", "Goal", "--target", "2.0", project=repo)["result"]["item"]["target"] == "2.0"
    for verb, status in (("pause", "paused"), ("resume", "active")):
        assert data("session", verb, session, project=repo)["result"]["session"]["status"] == status
    ended = data("session", "finish", session, "--summary", "All of it is done.", project=repo)
    assert ended["result"]["session"]["status"] == "finished"
    assert data("update", "notes/x", '{"a": [1]}', project=repo)["result"]["version"] == 1
    assert data("context", "notes/x", project=repo)["value"]["value"] == {"a": [1]}
    assert data("event", "ci.finished", "-p", "passed=true", project=repo)["moved"] == []


def test_parameters_are_json_where_they_read_as_json(repo: Path) -> None:
    words = ("run", "record_note", "-p", "key=n", "-p", "value=[1, 2]")
    assert data(*words, project=repo)["result"]["key"] == "notes/n"
    assert data("context", "notes/n", project=repo)["value"]["value"] == [1, 2]
    data("run", "record_note", "--params", '{"key": "n", "value": 1}', "-p", "value=a=b", project=repo)
    assert data("context", "notes/n", project=repo)["value"]["value"] == "a=b"


def test_what_reads_as_json_is_a_text_where_the_action_takes_texts_alone(repo: Path) -> None:
    session = data("session", "start", "--mode", "release", project=repo)["result"]["session"]["id"]
    started = data("run", "start_release", "--session", session, "-p", "version=1.4", project=repo)
    assert started["result"]["instance"]["subject"] == "1.4"
    listed = data("run", "list_tasks", "-p", "query=7", "-p", "limit=3", project=repo)
    assert listed["status"] == "ok"


def test_the_same_idempotency_key_does_not_act_twice(repo: Path) -> None:
    words = ("run", "create_task", "-p", "title=Once", "--idempotency-key", "k1")
    first, second = data(*words, project=repo), data(*words, project=repo)
    assert second["replayed"]
    assert second["result"] == first["result"]


# Exit codes, and errors that teach.


def test_a_refusal_exits_with_1_and_says_the_way_out(repo: Path) -> None:
    code, document = answer("run", "merge", "-p", "branch=main", project=repo)
    assert code == 1
    assert document["outcome"]["status"] == "denied"
    shown = run("run", "merge", "-p", "branch=main", project=repo)
    assert shown.exit_code == 1
    assert shown.stdout == ""
    assert "branch_protection/no-unapproved-merge" in shown.stderr
    assert "→" in shown.stderr


def test_a_failed_action_exits_with_1(repo: Path) -> None:
    settings(repo, sys.executable, "-c", "print('broken'); raise SystemExit(3)")
    trust.trust(repo / ".llmgenie")
    session = data("session", "start", "--mode", "code", project=repo)["result"]["session"]["id"]
    code, document = answer("run", "run_tests", "--session", session, project=repo)
    assert code == 1
    assert document["outcome"]["status"] == "failed"
    assert document["outcome"]["result"]["exit_code"] == 3


def test_what_the_policies_deny_exits_with_1(repo: Path) -> None:
    code, document = answer("enforce", "git.push", "-p", "branch=main", project=repo)
    assert code == 1
    assert document["outcome"]["effect"] == "deny"
    shown = run("enforce", "git.push", "-p", "branch=main", "--trace", project=repo).stderr
    assert "action.name" in shown
    assert "not_matched" in shown


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("run", "create_tsk"), "unknown_name", "create_task"),
        (("run", "create_task", "-p", "titel=x"), "bad_params", "title"),
        (("run", "create_task", "-p", "title"), "bad_params", "KEY=VALUE"),
        (("run", "create_task", "--params", "[]"), "bad_params", "--params"),
        (("context", "task"), "unknown_name", "tasks"),
        (("task", "show", "TSK-9"), "unknown_name", ""),
        (("state", "--session", "SES-9"), "unknown_name", ""),
        (("policy", "show", "securty"), "unknown_name", "security"),
        (("workflow", "diagram", "reviw"), "unknown_name", "review"),
        (("update", "meta-log", "x"), "not_writable", "log_entry"),
        (("enforce", "git.psh"), "unknown_name", "git.push"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_wrong_name_or_parameter_exits_with_2_and_a_hint(
    repo: Path, words: tuple[str, ...], code: str, hint: str
) -> None:
    exit_code, document = answer(*words, project=repo)
    assert exit_code == 2
    assert document["error"]["code"] == code
    assert hint in document["error"]["message"] + document["error"]["hint"]
    shown = run(*words, project=repo)
    assert shown.exit_code == 2
    assert shown.stdout == ""
    assert shown.stderr.startswith("Error: ")


@pytest.mark.parametrize("words", [("stat",), ("task", "lst"), ("actions", "--blokced"), ("task",), ()], ids=" ".join)
def test_a_wrong_command_line_exits_with_2(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_a_wrong_command_is_told_with_the_nearest_one() -> None:
    assert "Did you mean state?" in run("stat").stderr
    code, document = answer("task", "lst")
    assert code == 2
    assert document["error"]["message"] == "No such command 'lst'. Did you mean list?"


@pytest.mark.parametrize("folder", ["nowhere", "file.txt", "demo/inside"])
def test_a_folder_that_is_no_project_exits_with_2(tmp_path: Path, repo: Path, folder: str) -> None:
    (tmp_path / "file.txt").touch()
    (repo / ".llmgenie").mkdir()
    (repo / "inside").mkdir()
    code, document = answer("state", project=tmp_path / folder)
    assert code == 2
    assert document["error"]["code"] == "project"


def test_a_damaged_store_exits_with_1_and_names_the_repair(repo: Path) -> None:
    data("task", "add", "First", project=repo)
    data("task", "add", "Second", project=repo)
    (repo / ".llmgenie" / "db.json").unlink()
    log = repo / ".llmgenie" / "meta-log" / "000001.jsonl"
    log.write_text(log.read_text(encoding="utf-8").replace("First", "Fjrst"), encoding="utf-8")
    code, document = answer("log", "verify", project=repo)
    assert code == 1
    assert document["data"]["problems"]


# What is stored never reaches a terminal as commands to it.


def test_stored_control_characters_are_shown_and_not_obeyed(repo: Path) -> None:
    title = "red \x1b[31m \x1b]0;title\x07 \u202etxt \x9b2J"
    data("task", "add", title, project=repo)
    shown = run("task", "list", project=repo, color=True).stdout + run("log", project=repo, color=True).stdout
    assert "red" in shown
    assert [part for part in ("\x1b[31m", "\x1b]", "\x07", "\u202e", "\x9b") if part in shown] == []
    assert data("context", "tasks/TSK-1", project=repo)["value"]["title"] == title


def test_output_in_an_encoding_without_arrows_still_comes(repo: Path) -> None:
    done = process(
        "workflow",
        "show",
        "review",
        "--project",
        str(repo),
        env=environment(PYTHONIOENCODING="latin-1", PYTHONUTF8="0"),
    )
    assert done.returncode == 0, done.stderr
    assert "\\u2192" in done.stdout


# Who acts.


def test_without_a_terminal_an_agent_acts(repo: Path) -> None:
    data("task", "add", "First", project=repo)
    line = data("context", "meta-log", project=repo)["items"][0]
    assert line["actor"] == {"kind": "agent", "id": "cli"}


# Definition files.
