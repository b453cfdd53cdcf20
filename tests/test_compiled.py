"""What is kept of the policies for hooks that run without a server."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from scene import define

from llmgenie_mcp import Engine, compiled, trust
from llmgenie_mcp.engine.open_guard import open_guard
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.outcome import Actor
from llmgenie_mcp.policy import PolicyRequest

PUSH = [Operation("git.push", {"branch": "main"})]


def decided(engine: Engine) -> str:
    with open_guard(engine.project) as guard:
        return guard.judge(PUSH, actor=Actor()).effect


def test_it_is_kept_outside_the_project_for_its_user_alone_and_read_again(engine: Engine) -> None:
    assert compiled.read(engine.project.store) is None
    assert decided(engine) == "deny"
    place = compiled.place(engine.project.store)
    assert trust.state_folder() in place.parents
    assert place.stat().st_mode & 0o777 == 0o600
    known = compiled.read(engine.project.store)
    assert known is not None
    assert [policy["name"] for policy in known.policies] == [policy["name"] for policy in engine.policies()]
    assert list(place.parent.iterdir()) == [place], "nothing half-written is left"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"mark": 1}', b'{"mark": []}', b"\xff", b"[" * 100_000], ids=range(8)
)
def test_what_is_damaged_is_made_anew(engine: Engine, content: bytes) -> None:
    decided(engine)
    compiled.place(engine.project.store).write_bytes(content)
    assert compiled.read(engine.project.store) is None
    assert decided(engine) == "deny"
    assert compiled.read(engine.project.store) is not None


def test_a_file_of_another_shape_under_the_right_mark_is_not_believed(engine: Engine) -> None:
    decided(engine)
    place = compiled.place(engine.project.store)
    kept = json.loads(place.read_bytes())
    for wrong in ({"policies": 5}, {"unknown": 1}):
        place.write_text(json.dumps({**kept, **wrong}), encoding="utf-8")
        assert compiled.read(engine.project.store) is None
    del kept["initial_mode"]
    place.write_text(json.dumps(kept), encoding="utf-8")
    assert compiled.read(engine.project.store) is None


def test_a_state_folder_that_cannot_be_written_costs_time_and_nothing_else(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("LLMGENIE_STATE_DIR", str(tmp_path / "file"))
    assert decided(engine) == "deny"
    assert compiled.read(engine.project.store) is None


def test_a_change_that_leaves_the_size_as_it_was_is_noticed_by_its_time(engine: Engine, repo: Path) -> None:
    path = define(repo, "policies", "more", MORE)
    decided(engine)
    assert compiled.read(engine.project.store) is not None
    before = path.stat()
    path.write_text(MORE.replace("Not here", "Not hare"), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert compiled.read(engine.project.store) is None


def test_every_packaged_policy_decides_as_its_model_does(engine: Engine) -> None:
    definitions = engine.definitions
    kept = compiled.Compiled(compiled.compile_policies(definitions.policies), "discuss", True).policy_set
    for action in ("git.push", "git.commit", "file.delete", "file.read", "opaque", "merge", "create_task", "shell"):
        assert kept.names(action, "code") == definitions.policies.names(action, "code")
        request = PolicyRequest({"kind": "agent"}, action, {}, {"path": ".env", "branch": "main"}, {"mode": "code"})
        assert kept.decide(request).to_dict(trace=True) == definitions.policies.decide(request).to_dict(trace=True)


MORE = """
name: more
level: always_on
applies_to: {actions: [network], modes: ["*"]}
rules:
  - {id: no-network, effect: deny, when: "true", reason: "Not here."}
"""
