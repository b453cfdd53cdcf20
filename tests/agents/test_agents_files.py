"""What `init` writes for each host: by the real plan into real files, run by a real shell, and judged by `complaints`."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmgenie_mcp import Engine, agents
from llmgenie_mcp.agents import Site
from llmgenie_mcp.edits.plan import plan

HOSTS = agents.names()
STAND_IN = "import json, sys\nprint(json.dumps([sys.argv[1:], sys.stdin.read()]))\n"
HOOK_FILES = {
    "claude-code": ".claude/settings.local.json",
    "codex": ".codex/hooks.json",
    "copilot": ".github/hooks/llmgenie.json",
    "cursor": ".cursor/hooks.json",
    "gemini": ".gemini/settings.json",
    "vscode": ".github/hooks/llmgenie.json",
    "windsurf": ".windsurf/hooks.json",
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A project and an environment whose names need quoting, with a stand-in for the hook that tells how it was run."""
    root, packages = tmp_path / "Ada's shop", tmp_path / "my env" / "llmgenie_mcp" / "faces"
    root.mkdir()
    packages.mkdir(parents=True)
    (packages / "hook.py").write_text(STAND_IN, encoding="utf-8")
    hook = (sys.executable, "-I", "-S", str(packages / "hook.py"), "--project", str(root))
    return Site(root, hook, (str(tmp_path / "my env" / "llmgenie-mcp"),), timeout=10)


def install(site: Site, *hosts: str) -> None:
    for host in hosts:
        for change in plan(site.root, agents.find(host).edits(site)):
            assert change.problem is None, change
            assert change.after is not None
            change.place.parent.mkdir(parents=True, exist_ok=True)
            change.place.write_bytes(change.after)


def read(site: Site, path: str) -> Any:
    return json.loads((site.root / path).read_text(encoding="utf-8"))


def handlers(site: Site, host: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each event of the host's file, and the hook in it."""
    for event, items in read(site, HOOK_FILES[host])["hooks"].items():
        for item in items:
            for handler in item.get("hooks", [item]):
                yield event, {**{k: v for k, v in item.items() if k != "hooks"}, **handler}


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_written_is_what_the_host_wants_and_is_not_written_twice(host: str, site: Site) -> None:
    install(site, host)
    assert plan(site.root, agents.find(host).edits(site)) == []
    assert list(agents.find(host).complaints(site.root)) == []


def test_all_hosts_in_one_project_do_not_hinder_each_other(site: Site) -> None:
    together = plan(site.root, [edit for host in HOSTS for edit in agents.find(host).edits(site)])
    assert {change.problem for change in together} == {None}
    assert len({change.path for change in together}) == len(together) == 13
    install(site, *HOSTS)
    for host in HOSTS:
        assert [change.path for change in plan(site.root, agents.find(host).edits(site))] == [], host
        assert list(agents.find(host).complaints(site.root)) == [], host


@pytest.mark.parametrize("host", HOSTS)
def test_an_installed_command_starts_the_hook_with_its_arguments_and_the_payload(host: str, site: Site) -> None:
    install(site, host)
    for event, handler in handlers(site, host):
        line = handler.get("bash") or handler["command"]
        done = subprocess.run(
            ["sh", "-c", line], input='{"a": 1}', capture_output=True, text=True, timeout=30, check=True
        )
        arguments, payload = json.loads(done.stdout)
        told = ["copilot", event] if host in {"copilot", "vscode"} else [host]
        assert arguments == ["--project", str(site.root), *told]
        assert payload == '{"a": 1}'


@pytest.mark.parametrize("host", HOSTS)
def test_every_event_that_is_registered_is_handled_with_a_purpose(host: str, site: Site) -> None:
    install(site, host)
    registered = dict(handlers(site, host))
    known = agents.find("copilot" if host == "vscode" else host)
    assert all(known.kinds.get(event, "other") != "other" for event in registered)
    assert registered.keys() & known.deniable


@pytest.mark.parametrize("host", HOSTS)
def test_an_event_that_can_be_stopped_is_closed_where_the_host_can_do_that(host: str, site: Site) -> None:
    install(site, host)
    closed = {"cursor": ("failClosed", True), "claude-code": ("onFailure", "block")}
    for event, handler in handlers(site, host):
        if event in agents.find(host).deniable and host in closed:
            assert handler[closed[host][0]] == closed[host][1], event


@pytest.mark.parametrize(("host", "field", "wait"), [("cursor", "timeout", 10), ("claude-code", "timeout", 10)])
def test_a_host_waits_as_long_as_the_site_says(host: str, field: str, wait: int, site: Site) -> None:
    install(site, host)
    assert {handler[field] for _, handler in handlers(site, host)} == {wait}


def test_gemini_waits_in_milliseconds(site: Site) -> None:
    install(site, "gemini")
    assert {handler["timeout"] for _, handler in handlers(site, "gemini")} == {10_000}


# host, the tool's name, whether the matcher of the event before a tool lets it through to the hook
MATCHED = [
    *(
        ("claude-code", tool, True)
        for tool in ("Bash", "Write", "Edit", "Read", "NotebookEdit", "mcp__github__push_files")
    ),
    *(("claude-code", tool, False) for tool in ("TodoWrite", "WebSearch", "BashOutput")),
    *(("cursor", tool, True) for tool in ("Write", "Delete", "StrReplace", "Grep")),
    *(("cursor", tool, False) for tool in ("Shell", "Read", "MCP:run", "Task")),
    *(("gemini", tool, True) for tool in ("run_shell_command", "write_file", "mcp_github_push_files")),
    ("codex", "anything", True),
    ("copilot", "anything", True),
]


@pytest.mark.parametrize(("host", "tool", "through"), MATCHED)
def test_the_matcher_lets_through_what_can_do_something(host: str, tool: str, through: bool, site: Site) -> None:
    install(site, host)
    matchers = [
        handler.get("matcher", "")
        for event, handler in handlers(site, host)
        if event in {"PreToolUse", "preToolUse", "BeforeTool"}
    ]
    assert any(re.search(matcher, tool) for matcher in matchers) is through


def test_only_the_tools_of_llmgenie_are_reported_after_they_ran(site: Site) -> None:
    install(site, "claude-code", "codex", "gemini", "copilot")
    names = {"claude-code": "mcp__llmgenie__run_action", "codex": "mcp__llmgenie__run_action"}
    names |= {"gemini": "mcp_llmgenie_run_action", "copilot": "llmgenie-run_action"}
    for host, name in names.items():
        after = [h for event, h in handlers(site, host) if agents.find(host).kinds[event] == "after"]
        assert [bool(re.search(h["matcher"], name)) for h in after] == [True], host
        assert not any(re.search(h["matcher"], "mcp__github__run") for h in after), host


@pytest.mark.parametrize("host", ["claude-code", "codex", "cursor", "gemini", "windsurf"])
def test_hooks_of_an_environment_that_moved_are_replaced_and_others_kept(host: str, site: Site) -> None:
    path = site.root / HOOK_FILES[host]
    path.parent.mkdir(parents=True)
    event = next(iter(agents.find(host).deniable & {"PreToolUse", "preToolUse", "BeforeTool", "pre_run_command"}))
    theirs = {"matcher": "x", "hooks": [{"type": "command", "command": "their-own"}]}
    path.write_text(json.dumps({"hooks": {event: [theirs]}}), encoding="utf-8")
    install(site, host)
    before = len(list(handlers(site, host)))
    hook, server = (tuple(word.replace("my env", "other env") for word in words) for words in (site.hook, site.server))
    moved = replace(site, hook=hook, server=server)
    install(moved, host)
    text = path.read_text(encoding="utf-8")
    assert len(list(handlers(site, host))) == before
    assert "my env" not in text
    assert "other env" in text
    assert "their-own" in text


MCP = [
    ("cursor", ".cursor/mcp.json", "mcpServers", ["--project", "${workspaceFolder}"]),
    ("claude-code", ".mcp.json", "mcpServers", []),
    ("copilot", ".mcp.json", "mcpServers", []),
    ("vscode", ".vscode/mcp.json", "servers", ["--project", "${workspaceFolder}"]),
    ("gemini", ".gemini/settings.json", "mcpServers", []),
]


@pytest.mark.parametrize(("host", "path", "key", "arguments"), MCP)
def test_the_server_is_entered_where_the_host_looks(
    host: str, path: str, key: str, arguments: list[str], site: Site
) -> None:
    install(site, host)
    entry = read(site, path)[key]["llmgenie"]
    assert (entry["command"], entry["args"]) == (site.server[0], arguments)


RULES = [("cursor", ".cursor/rules/llmgenie.mdc"), ("claude-code", "CLAUDE.md"), ("gemini", "GEMINI.md")]


@pytest.mark.parametrize(
    ("host", "path"), [*RULES, *((host, "AGENTS.md") for host in ("codex", "copilot", "vscode", "windsurf"))]
)
def test_the_rules_are_where_the_host_reads_them(host: str, path: str, site: Site) -> None:
    install(site, host)
    text = (site.root / path).read_text(encoding="utf-8")
    assert "get_workflow_state" in text
    assert text.startswith("---\n") is path.endswith(".mdc")


def test_the_rules_are_short_and_name_actions_that_there_are(repo: Path, open_engine: Callable[..., Engine]) -> None:
    text = Path(agents.__file__).parent.parent.joinpath("guides", "rules.md").read_text(encoding="utf-8")
    assert len(text.encode()) <= 1_200
    engine = open_engine(repo)
    tools = {"get_workflow_state", "get_available_actions", "get_policy", "run_action", "llmgenie"}
    for name in set(re.findall(r"\b[a-z]+_[a-z_]+\b", text)) - tools:
        assert engine.action_schema(name), name


USED = [
    ("cursor", ".cursor", False),
    ("claude-code", "CLAUDE.md", False),
    ("claude-code", ".claude.json", True),
    ("codex", ".codex", True),
    ("gemini", "GEMINI.md", False),
    ("copilot", ".github/hooks", False),
    ("vscode", ".vscode", False),
    ("windsurf", ".codeium/windsurf", True),
]


@pytest.mark.parametrize(("host", "sign", "at_home"), USED)
def test_an_agent_is_used_where_it_left_a_sign(host: str, sign: str, at_home: bool, tmp_path: Path) -> None:
    root, home = tmp_path / "project", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    assert not any(agents.find(name).used_in(root, home) for name in HOSTS)
    ((home if at_home else root) / sign).mkdir(parents=True)
    assert agents.find(host).used_in(root, home)


@pytest.mark.parametrize("host", HOSTS)
def test_what_people_are_told_of_a_host(host: str) -> None:
    agent = agents.find(host)
    assert agent.name == host
    assert agent.title
    run = host in {"claude-code", "codex", "copilot", "gemini"}
    assert ("with a scripted model, version " in agent.checked) is run
    assert ("not run against the real program" in agent.checked) is not run
    assert shlex.quote(agent.name) == agent.name


HEAVY = [
    "pydantic",
    "mcp",
    "jsonschema",
    "ruamel",
    "click",
    "tomllib",
    "llmgenie_mcp.edits.jsonc",
    "llmgenie_mcp.agents._files",
]


@pytest.mark.parametrize("host", HOSTS)
def test_reading_and_answering_imports_nothing_heavy(host: str) -> None:
    code = f"""
import sys
from pathlib import Path
from llmgenie_mcp import agents
from llmgenie_mcp.hosts import Verdict
agent = agents.find({host!r})
event = agent.read(agent.probe(Path("/tmp")).payload)
agent.reply(event, Verdict("deny", "No."))
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
