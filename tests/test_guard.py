"""The guard: operations judged together, in the place they would happen, and logged when they leave a mark."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scene import commit, define, git, lines, started

from llmgenie_mcp import Engine, compiled, trust
from llmgenie_mcp.engine import spreading
from llmgenie_mcp.engine.guard import Guard, Ruling
from llmgenie_mcp.engine.open_guard import open_guard
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.outcome import Actor

AGENT, HUMAN = Actor("agent", "cursor"), Actor("human", "ada")
LOUD = """
name: loud
level: {level}
applies_to: {{actions: [network], modes: ["*"]}}
rules:
  - {{id: no-network, effect: deny, when: "true", reason: "No network here."}}
"""


def judge(engine: Engine, *operations: tuple[str, dict[str, Any]], **options: Any) -> Ruling:
    given = [Operation(name, params, folder=options.get("inside", "")) for name, params in operations]
    options.pop("inside", None)
    return engine.guard().judge(given, **{"actor": AGENT, **options})


def rules(ruling: Ruling) -> list[str]:
    return [f"{reason.policy}/{reason.rule}" for reason in ruling.reasons]


def test_nothing_to_do_is_allowed(engine: Engine) -> None:
    assert judge(engine).effect == "allow"


def test_the_strictest_of_several_operations_counts_and_stands_first(engine: Engine) -> None:
    ruling = judge(
        engine, ("file.read", {"path": "a"}), ("file.delete", {"path": "b"}), ("git.push", {"branch": "main"})
    )
    assert ruling.effect == "deny"
    assert rules(ruling) == ["branch_protection/no-direct-push", "security/deleting-needs-a-person"]


def test_a_commit_is_judged_on_the_branch_of_the_folder_that_git_acts_in(engine: Engine, repo: Path) -> None:
    other = repo / "vendored"
    other.mkdir()
    git(other, "init", "-q", "-b", "topic", "--template=")
    git(other, "config", "user.name", "Ada")
    git(other, "config", "user.email", "ada@example.org")
    commit(other)
    session = started(engine, mode="code")
    here = ("git.commit", {"branch": ""})
    assert rules(judge(engine, here, session=session)) == ["branch_protection/no-direct-commit"]
    assert judge(engine, here, session=session, inside="vendored").effect == "allow"
    assert judge(engine, here, session=session, inside=None).effect == "deny"


def test_the_first_commit_of_a_repository_may_go_to_a_protected_branch(
    tmp_path: Path, open_engine: Callable[..., Engine]
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", "--template=")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.org")
    engine = open_engine(folder)
    session = started(engine, mode="code")
    assert judge(engine, ("git.commit", {"branch": ""}), session=session).effect == "allow"
    commit(folder)
    assert judge(engine, ("git.commit", {"branch": ""}), session=session).effect == "deny"


def test_paths_are_those_of_the_folder_the_agent_is_in(engine: Engine, repo: Path) -> None:
    (repo / "sub").mkdir()
    ruling = judge(engine, ("file.write", {"path": "../.llmgenie/x"}), folder=repo / "sub")
    assert rules(ruling) == ["security/definitions-need-a-person"]
    assert ruling.findings[0].resource["path"] == ".llmgenie/x"


@pytest.mark.parametrize("pattern", [".ll*/x", ".[l]lmgenie/x", "*/x", ".env*", "./.en?"])
def test_a_pattern_stands_for_the_files_it_would_hit(engine: Engine, repo: Path, pattern: str) -> None:
    (repo / ".llmgenie").mkdir(exist_ok=True)
    (repo / ".llmgenie" / "x").write_text("x", encoding="utf-8")
    (repo / "sub").mkdir()
    (repo / "sub" / "x").write_text("x", encoding="utf-8")
    (repo / ".env").write_text("x", encoding="utf-8")
    effect = judge(engine, ("file.write", {"path": pattern})).effect
    assert effect == ("allow" if pattern == "*/x" else "deny")


@pytest.mark.parametrize(
    ("name", "pattern", "effect"),
    [
        ("file.write", "./**", "deny"),
        ("file.write", "**", "deny"),
        ("file.write", "src/**", "allow"),
        ("file.write", "**/*.py", "allow"),
        ("file.write", "**/*.json", "deny"),
        ("file.read", "**/.e*", "deny"),
        ("file.read", "src/**/*.py", "allow"),
        ("file.read", "**/.env", "deny"),
        ("file.write", "../**/hooks.json", "deny"),
        ("file.write", "./.cursor/h**.json", "deny"),
    ],
)
def test_a_pattern_over_a_tree_stands_for_hidden_files_too(
    engine: Engine, repo: Path, name: str, pattern: str, effect: str
) -> None:
    for file in ("src/a.py", ".cursor/hooks.json", "sub/.env"):
        (repo / file).parent.mkdir(exist_ok=True)
        (repo / file).write_text("x", encoding="utf-8")
    assert judge(engine, (name, {"path": pattern})).effect == effect


def test_a_tree_that_takes_too_long_is_asked_about(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "LOOK_SECONDS", -1)
    assert rules(judge(engine, ("file.write", {"path": "src/**"}))) == []
    assert rules(judge(engine, ("file.write", {"path": "**/*.py"}))) == ["security/commands-can-be-read"]
    assert judge(engine, ("file.read", {"path": "**/*.py"})).effect == "allow"


def test_llmgenie_itself_is_not_taken_away(engine: Engine) -> None:
    package = Path(compiled.__file__).parent
    for path in (package, package / "faces" / "hook.py", Path(sys.prefix)):
        for name in ("file.delete", "file.write"):
            assert "security/definitions-need-a-person" in rules(judge(engine, (name, {"path": str(path)}))), path
    above = {"path": str(package.parent)}
    assert "security/definitions-need-a-person" in rules(judge(engine, ("file.delete", above)))
    assert "security/definitions-need-a-person" not in rules(judge(engine, ("file.write", above)))
    assert judge(engine, ("file.read", {"path": str(package / "policy.py")})).effect == "allow"


def test_what_was_committed_is_named_and_no_pattern(engine: Engine, repo: Path) -> None:
    (repo / ".env").write_text("x", encoding="utf-8")
    assert judge(engine, ("file.write", {"path": ".en*"})).effect == "deny"
    assert judge(engine, ("file.write", {"path": ".en*", "kind": "committed"})).effect == "allow"


def test_more_than_can_be_looked_through_does_not_pass_in_silence(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "MOST", 100)
    reads = [("file.read", {"path": f"f{number}"}) for number in range(101)]
    assert judge(engine, *reads[:100]).effect == "allow"
    assert rules(judge(engine, *reads)) == ["security/commands-can-be-read"]


def test_a_home_is_written_as_a_shell_would_write_it(engine: Engine, isolated: Path) -> None:
    ruling = judge(engine, ("file.read", {"path": "~/.ssh/id_rsa"}))
    assert rules(ruling) == ["security/no-secret-files"]
    assert ruling.findings[0].resource["path"] == str(isolated / ".ssh" / "id_rsa")


def test_a_person_is_bound_by_what_binds_everybody_and_by_nothing_else(engine: Engine) -> None:
    assert judge(engine, ("file.delete", {"path": "a"}), actor=HUMAN).effect == "allow"
    assert judge(engine, ("file.write", {"path": ".llmgenie/x"}), actor=HUMAN).effect == "allow"
    assert judge(engine, ("git.push", {"branch": "main"}), actor=HUMAN).effect == "deny"


def test_judging_writes_nothing_and_recording_writes_one_line_without_secrets(engine: Engine) -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 4
    before = engine.storage.last_seq()
    ruling = judge(engine, ("shell", {"command": f"curl -H 'token: {secret}'"}))
    assert engine.storage.last_seq() == before
    assert engine.guard().record(ruling, "deny", host="cursor", event="x", command=f"curl {secret}") == ""
    (line,) = lines(engine)[before:]
    assert line["type"] == "operation.denied"
    assert line["actor"] == {"kind": "agent", "id": "cursor"}
    assert line["reasons"][0]["rule"] == "security/no-secrets-in-parameters"
    assert secret not in str(line)


@pytest.mark.parametrize(
    ("name", "params", "logged"), [("file.read", {"path": "a"}, 0), ("git.commit", {"branch": "x"}, 1)]
)
def test_what_is_allowed_is_logged_when_it_leaves_a_mark(
    engine: Engine, name: str, params: dict[str, Any], logged: int
) -> None:
    session = started(engine, mode="code")
    before = engine.storage.last_seq()
    ruling = judge(engine, (name, params), session=session)
    assert ruling.effect == "allow"
    engine.guard().record(ruling, "allow", host="cursor", event="x")
    found = [line["type"] for line in lines(engine)[before:]]
    assert found == ["operation.allowed"] * logged


def test_an_audit_policy_refuses_nothing_and_is_logged(engine: Engine, repo: Path) -> None:
    define(repo, "policies", "loud", LOUD.format(level="audit"))
    trust.trust(engine.project.store)
    ruling = judge(engine, ("network", {"url": "https://example.org"}))
    assert ruling.effect == "allow"
    engine.guard().record(ruling, "allow", host="cursor", event="x")
    assert [reason["rule"] for reason in lines(engine)[-1]["audit"]] == ["loud/no-network"]


@pytest.mark.parametrize(("level", "closed"), [("always_on", True), ("situational", False), ("audit", False)])
def test_broken_definitions_close_the_door_only_when_they_may_hold_a_critical_policy(
    engine: Engine, repo: Path, level: str, closed: bool
) -> None:
    define(repo, "policies", "loud", LOUD.format(level=level).replace("effect: deny", "effect: dney"))
    with open_guard(engine.project) as alone:
        for guard in (engine.guard(), alone):
            _is_closed(guard, closed)


def _is_closed(guard: Guard, closed: bool) -> None:
    assert guard.closed is closed
    assert "loud.yaml" in guard.broken
    written = guard.judge([Operation("file.write", {"path": "a"})], actor=AGENT)
    assert written.effect == ("deny" if closed else "allow")
    assert rules(written) == ["definitions/cannot-be-read"] * closed
    assert guard.judge([Operation("file.read", {"path": "a"})], actor=AGENT).effect == "allow"
    assert guard.judge([Operation("git.push", {"branch": "main"})], actor=AGENT).effect == "deny"


def test_the_guard_without_an_engine_decides_as_the_engine_does(engine: Engine, repo: Path) -> None:
    session = started(engine, mode="code")
    define(repo, "policies", "loud", LOUD.format(level="always_on"))
    asked = [
        Operation(name, params)
        for name, params in [
            ("git.push", {"branch": "main"}),
            ("git.push", {"branch": "topic"}),
            ("git.commit", {"branch": ""}),
            ("file.delete", {"path": "a"}),
            ("file.read", {"path": ".env"}),
            ("network", {"url": "https://example.org"}),
            ("opaque", {"command": "$x", "why": "w", "touches": ["git"]}),
        ]
    ]
    for _ in ("compiled now", "as kept"):
        with open_guard(engine.project) as alone:
            for operation in asked:
                theirs = engine.guard().judge([operation], actor=AGENT, session=session)
                mine = alone.judge([operation], actor=AGENT, session=session)
                assert mine.findings[0].decision.to_dict(trace=True) == theirs.findings[0].decision.to_dict(trace=True)


@pytest.mark.parametrize("change", ["policy", "trust"])
def test_what_was_kept_of_the_policies_counts_only_while_nothing_changed(
    engine: Engine, repo: Path, change: str
) -> None:
    network = [Operation("network", {"url": "https://example.org"})]
    if change == "trust":
        text = LOUD.format(level="always_on").replace("name: loud", "name: security")
        define(repo, "policies", "security", text)
        secret = [Operation("file.read", {"path": ".env"})]
        assert _judged(engine, secret) == "deny"
        trust.trust(engine.project.store)
        assert _judged(engine, secret) == "allow"
    else:
        assert _judged(engine, network) == "allow"
        define(repo, "policies", "loud", LOUD.format(level="always_on"))
        assert _judged(engine, network) == "deny"


def _judged(engine: Engine, operations: list[Operation]) -> str:
    with open_guard(engine.project) as guard:
        return guard.judge(operations, actor=AGENT).effect


def test_a_person_s_yes_holds_for_the_operation_it_was_given_for(engine: Engine, repo: Path) -> None:
    fix = judge(engine, ("file.delete", {"path": "docs/old.md"})).reasons[0].fix
    assert fix is not None
    asked = engine.run_action(fix["action"], fix["params"]).result["approval"]["id"]
    engine.decide_approval(asked, True, person="ada", channel="terminal")
    assert judge(engine, ("file.delete", {"path": "docs/old.md"})).effect == "allow"
    assert judge(engine, ("file.delete", {"path": "docs/new.md"})).effect == "ask"
    assert judge(engine, ("file.delete", {"path": "docs/old.md"}), folder=repo / "docs").effect == "ask"


def test_a_yes_to_nothing_in_particular_covers_nothing(engine: Engine) -> None:
    asked = engine.run_action("request_approval", {"action": "file.delete", "params": {}}).result["approval"]["id"]
    engine.decide_approval(asked, True, person="ada", channel="terminal")
    assert judge(engine, ("file.delete", {"path": "a"})).effect == "ask"
    assert judge(engine, ("file.delete", {"path": None})).effect != "allow"


def test_a_rule_that_asks_and_names_no_way_out_is_told_with_the_way_to_ask(engine: Engine, repo: Path) -> None:
    """Not where a yes would open nothing, because the rule does not look at approvals."""
    text = """
name: {0}
level: always_on
applies_to: {{actions: [file.write]}}
rules:
  - {{id: asks, effect: ask, when: 'glob(resource.path, "{0}/**"){1}', reason: "A person looks at {{resource.path}}."}}
"""
    define(repo, "policies", "docs", text.format("docs", " and not approval.granted"))
    define(repo, "policies", "other", text.format("other", ""))
    assert judge(engine, ("file.write", {"path": "other/a.md"})).reasons[0].fix is None
    (reason,) = judge(engine, ("file.write", {"path": "docs/a.md"})).reasons
    assert reason.fix == {
        "action": "request_approval",
        "params": {"action": "file.write", "params": {"path": "docs/a.md"}},
    }
    asked = engine.run_action(reason.fix["action"], reason.fix["params"]).result["approval"]["id"]
    engine.decide_approval(asked, True, person="ada", channel="terminal")
    assert judge(engine, ("file.write", {"path": "docs/a.md"})).effect == "allow"
