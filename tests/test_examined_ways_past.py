"""Ways past the rules that an examiner found: by an import, a link, a merge, a folder of llmgenie's own, an address."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scene import commit, configure, define, git, lines

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.commits import in_range, staged
from llmgenie_mcp.engine import outline
from llmgenie_mcp.engine.definitions import load
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.outcome import Actor
from llmgenie_mcp.providers import upstream

ADA = Actor("human", "ada")


def export_file(repo: Path, **task: Any) -> str:
    """A file that looks like llmgenie's own export of one task."""
    (repo / "made.json").write_text(json.dumps({"llmgenie": {"export": 1}, "tasks": [{"id": "TSK-1", **task}]}))
    return "made.json"


def test_an_import_by_an_agent_moves_no_task_and_a_persons_does(engine: Engine, repo: Path) -> None:
    engine.run_action("create_task", {"title": "Real"})

    def bring(actor: Actor, **task: Any) -> tuple[str, str]:
        outcome = engine.run_action("import_tasks", {"path": export_file(repo, **task)}, actor=actor)
        assert outcome.ok
        return engine.context_data("tasks/TSK-1")["value"]["status"], str(outcome.result.get("told"))

    assert bring(Actor(), title="Other", status="todo")[0] == "todo"
    for _ in range(2):
        status, told = bring(Actor(), title="Other", status="done")
        assert (status, "complete_task" in told) == ("todo", True)
    assert bring(ADA, title="Other", status="done")[0] == "done"
    assert bring(Actor(), title="Other", status="todo")[0] == "done"


def test_new_tasks_that_are_not_at_their_beginning_are_counted_in_the_log(engine: Engine, repo: Path) -> None:
    tasks = [{"id": f"TSK-{n}", "title": "x", "status": status} for n, status in enumerate(("done", "done", "todo"), 1)]
    (repo / "made.json").write_text(json.dumps({"llmgenie": {"export": 1}, "tasks": tasks}))
    outcome = engine.run_action("import_tasks", {"path": "made.json"})
    assert outcome.result["created_as"] == {"done": 2}
    (line,) = [line for line in lines(engine) if line.get("action") == "import_tasks"]
    assert line["result"]["created_as"] == {"done": 2}


def test_an_import_follows_no_link_to_what_policies_keep_from_agents(engine: Engine, repo: Path) -> None:
    (repo / ".env").write_text("WORDS=correct horse battery staple\n")
    for folder in ("tasks", "docs"):
        (repo / "backlog" / folder).mkdir(parents=True)
    (repo / "backlog" / "config.yml").write_text("project_name: x\n")
    (repo / "backlog" / "tasks" / "task-1 - A.md").write_text("---\nid: task-1\ntitle: A\nstatus: To Do\n---\n")
    (repo / "backlog" / "docs" / "doc-1 - B.md").symlink_to("../../.env")
    outcome = engine.run_action("import_tasks", {"path": ".", "format": "backlog"})
    assert outcome.ok
    assert outcome.result["created"] == 2
    assert "battery" not in json.dumps([one.items for one in map(engine.storage.query, ("tasks", "notes"))])


def test_a_merge_hides_no_deletion_behind_a_copy_that_the_other_side_has(repo: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(40))
    commit(repo, "kept.txt", text)
    git(repo, "checkout", "-q", "-b", "other")
    commit(repo, "copy.txt", text)
    git(repo, "checkout", "-q", "-")
    git(repo, "checkout", "-q", "-b", "work")
    commit(repo, "more.txt")
    git(repo, "merge", "-q", "--no-commit", "--no-ff", "other")
    git(repo, "rm", "-q", "kept.txt")
    gone = Operation("file.delete", {"path": "kept.txt", "kind": "committed"})
    assert gone in staged(repo)
    git(repo, "commit", "-q", "-m", "merge")
    assert gone in in_range(repo, "other..work")[-1].operations()


def test_a_secret_that_was_let_pass_as_made_up_is_found_where_it_is_moved_to(repo: Path) -> None:
    commit(repo, "samples.txt", "line\n" * 40 + "token = ghp_" + "a1B2c3D4e5" * 4 + "\n")
    git(repo, "mv", "samples.txt", "settings.txt")
    (made, *_) = staged(repo)
    assert made.params["secret_paths"] == ["settings.txt"]
    git(repo, "commit", "-q", "-m", "moved")
    (judged,) = in_range(repo, "HEAD~1..HEAD")
    assert [(secret["path"], secret["line"]) for secret in judged.secrets] == [("settings.txt", 41)]
    assert judged.changes[0].old == "samples.txt"


def test_a_file_committed_where_it_can_be_deleted_unasked_counts_as_deleted(repo: Path) -> None:
    commit(repo, "kept.txt", "line\n" * 40)
    (repo / "build").mkdir()
    git(repo, "mv", "kept.txt", "build/kept.txt")
    gone = Operation("file.delete", {"path": "kept.txt", "kind": "committed"})
    assert gone in staged(repo)
    git(repo, "commit", "-q", "-m", "moved")
    assert gone in in_range(repo, "HEAD~1..HEAD")[0].operations()
    git(repo, "mv", "build/kept.txt", "other.txt")
    assert not [one for one in staged(repo) if one.name == "file.delete"]


@pytest.mark.parametrize("folder", ["~/.local/state/llmgenie", "own"])
def test_no_agent_reads_a_login_or_writes_into_the_state_folder(
    engine: Engine, folder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if folder == "own":
        folder = str(tmp_path / "state of ours")
        monkeypatch.setenv(trust.STATE_ENVIRONMENT, folder)
    guard = engine.guard()

    def said(name: str, path: str) -> str:
        return guard.judge([Operation(name, {"path": f"{folder}/{path}"})], actor=Actor("agent", "a")).effect

    assert said("file.read", "logins/0123abcd/github.key") == "deny"
    for place in ("logins/0123abcd/github.key", "trusted/0123", "compiled/0123.json", "compiled/0123.outline.json"):
        assert said("file.write", place) == "deny"
    assert said("file.delete", "logins/0123abcd") == "deny"


def test_what_is_kept_of_definitions_counts_no_longer_than_the_trust_in_them(
    repo: Path, open_engine: Callable[..., Engine]
) -> None:
    path = configure(repo, commands={"test": {"argv": ["true"]}})
    other = define(repo, "policies", "extra", "name: extra\nlevel: audit\nrules: [{id: a, effect: deny, reason: N.}]\n")
    engine = open_engine(repo)
    store = engine.project.store
    trust.trust(store)

    def kept() -> bool:
        before = outline.mark_of(store)
        outline.of(store, load(engine.project), before)
        return outline.read(store) is not None

    def nested() -> None:
        (other.parent / "deeper").mkdir()
        (other.parent / "deeper" / "note.txt").write_text("x")

    def edited() -> None:
        was = path.stat()
        path.write_bytes(path.read_bytes().replace(b"true", b"TRUE"))
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))

    for change in (nested, lambda: (other.parent / "deeper" / "note.txt").write_text("y"), edited):
        assert kept()
        change()
        assert (trust.is_trusted(store), outline.read(store)) == (False, None)
        trust.trust(store)


@pytest.mark.parametrize(
    "uri", ["file:///p/.env", "FILE:/p/%2Eenv", " file:///p/.env", "file://.env", "file://localhost/p/.env?x=1"]
)
def test_a_resource_with_the_address_of_a_file_is_judged_as_that_file(engine: Engine, uri: str) -> None:
    operation = upstream._reading("docs", "resource:read", uri)
    assert operation.name == "file.read"
    assert engine.guard().judge([operation], actor=Actor("agent", "a")).effect == "deny"
