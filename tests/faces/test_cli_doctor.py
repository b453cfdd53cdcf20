"""`doctor` finds what is broken, says how it is mended, and mends the store."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from cli_fixtures import answer, data, run, settings
from scene import git

from llmgenie_mcp import Engine, plugins, trust
from llmgenie_mcp.faces import cli_doctor_store


def checks(project: Path, *words: str) -> dict[str, list[dict[str, Any]]]:
    """The checks by name."""
    _, document = answer("doctor", *words, project=project)
    found: dict[str, list[dict[str, Any]]] = {}
    for check in document["data"]["checks"]:
        found.setdefault(check["name"], []).append(check)
    return found


def test_a_project_in_order_is_healthy_and_every_warning_says_what_to_do(repo: Path) -> None:
    settings(repo)
    trust.trust(repo / ".llmgenie")
    data("init", "--yes", "--agent", "claude-code,cursor", project=repo)
    found = data("doctor", project=repo)
    assert found["healthy"]
    assert {check["status"] for check in found["checks"]} == {"ok"}


def test_what_is_missing_warns_and_is_no_failure(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    code, document = answer("doctor", project=folder)
    assert code == 0
    warned = {check["name"] for check in document["data"]["checks"] if check["status"] == "warn"}
    assert {"project", "commands"} <= warned
    assert all(check["fix"] for check in document["data"]["checks"] if check["status"] != "ok")


def test_looking_writes_nothing(repo: Path) -> None:
    before = sorted(repo.rglob("*"))
    data("doctor", project=repo)
    assert sorted(repo.rglob("*")) == before


def test_definitions_nobody_accepted_and_programs_that_are_not_there_warn(repo: Path) -> None:
    settings(repo, "no-such-program-anywhere")
    found = checks(repo)
    assert "llmgenie trust" in found["trust"][0]["fix"]
    assert any("no-such-program-anywhere" in check["message"] for check in found["commands"])


def test_a_wrong_definition_fails_with_file_line_and_column(repo: Path) -> None:
    (repo / ".llmgenie" / "policies").mkdir(parents=True)
    (repo / ".llmgenie" / "policies" / "mine.yaml").write_text("name: mine\nlevel: sometimes\n", encoding="utf-8")
    assert run("doctor", project=repo).exit_code == 1
    assert any("mine.yaml:2:" in check["message"] for check in checks(repo)["definitions"])


def test_a_project_that_cannot_be_used_fails(tmp_path: Path) -> None:
    code, document = answer("doctor", project=tmp_path / "nowhere")
    assert code == 1
    assert document["data"]["checks"][-1]["name"] == "project"


def test_a_damaged_log_fails_and_repair_mends_it(repo: Path) -> None:
    for title in ("First", "Second", "Third"):
        data("task", "add", title, project=repo)
    log = repo / ".llmgenie" / "meta-log" / "000001.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text(lines[0] + lines[1].replace("Second", "Fecond") + lines[2], encoding="utf-8")
    broken = run("doctor", project=repo)
    assert broken.exit_code == 1
    assert "llmgenie doctor --repair" in broken.stdout
    mended = data("doctor", "--repair", project=repo)
    assert mended["repaired"]
    assert mended["healthy"]
    assert data("task", "list", project=repo)["total"] == 3


def test_a_run_whose_process_is_gone_is_told_and_closed(repo: Path) -> None:
    import platform

    with Engine.open(repo) as engine, engine.storage.begin() as tx:
        gone = {"id": "RUN-1", "action": "run_tests", "status": "running", "pid": 2**22 + 1, "host": platform.node()}
        tx.put("runs", "RUN-1", gone)
        tx.commit({"type": "test"})
    assert any("RUN-1" in check["message"] for check in checks(repo)["runs"])
    assert any("RUN-1" in sentence for sentence in data("doctor", "--repair", project=repo)["repaired"])
    assert data("context", "runs", project=repo)["items"][0]["status"] == "interrupted"


def test_an_extension_that_cannot_be_loaded_fails(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "failures", lambda: [plugins.Failure("their_plugin", "ImportError: no module x")])
    assert checks(repo)["plugins"][0]["message"] == "their_plugin: ImportError: no module x"
    assert run("doctor", project=repo).exit_code == 1


def test_a_key_that_others_can_read_fails(repo: Path) -> None:
    key = Path(os.environ["LLMGENIE_STATE_DIR"]) / "approval.key"
    key.parent.mkdir(parents=True, exist_ok=True)
    key.write_bytes(b"k" * 32)
    key.chmod(0o644)
    assert checks(repo)["state folder"][0]["fix"] == f"chmod 600 {key}"
    key.chmod(0o600)
    assert checks(repo)["state folder"][0]["status"] == "ok"


@pytest.mark.parametrize("written", [True, False])
def test_a_store_that_cannot_be_locked_fails_with_what_that_means(
    repo: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    if written:
        data("task", "add", "First", project=repo)
    else:
        settings(repo)
    before = sorted((repo / ".llmgenie").rglob("*"))

    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", refused)
        [check] = [check for check in checks(repo)["store"] if check["status"] == "fail"]
        assert "cannot be locked: No locks available" in check["message"]
        assert "no `flock`" in check["fix"]
        assert sorted((repo / ".llmgenie").rglob("*")) == before
        code, document = answer("task", "add", "Second", project=repo)
        assert (code, document["error"]["message"].split(" ", 1)[1]) == (1, "cannot be locked: No locks available.")
    assert checks(repo)["store"][0]["status"] == "ok"


def test_a_lock_that_another_process_holds_is_a_warning_and_stays_its_own(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data("task", "add", "First", project=repo)
    monkeypatch.setattr(cli_doctor_store, "LOCK_SECONDS", 0.01)
    with Engine.open(repo) as engine, engine.storage.begin() as tx:
        [check] = [check for check in checks(repo)["store"] if check["status"] == "warn"]
        assert "Another process held" in check["message"]
        tx.put("tasks", "TSK-9", {"id": "TSK-9", "title": "x", "status": "todo"})
        tx.commit({"type": "test"})
    assert [check["status"] for check in checks(repo)["store"]] == ["ok"]


OLD_GITIGNORE = "/.gitignore\n/.gitignore.tmp\n/db.json\n/db.json.tmp\n/meta-log/\n/lock\n/run/\n/set-aside/\n"
"""As the first version wrote it; nothing else was kept in the store then."""


@pytest.mark.parametrize("ran", [("init", "--yes", "--agent", "none", "--no-git-hooks"), ("doctor", "--fix")])
def test_a_gitignore_of_an_earlier_version_is_told_and_completed_around_the_lines_of_people(
    repo: Path, ran: tuple[str, ...]
) -> None:
    (repo / ".gitignore").unlink()
    git(repo, "commit", "-qam", "nothing is left out")
    theirs = f"{OLD_GITIGNORE}!/installed.json\n/scratch/\n"
    place = repo / ".llmgenie" / ".gitignore"
    place.parent.mkdir()
    place.write_text(theirs, encoding="utf-8")
    if ran[0] == "doctor":  # mends what init wrote, and nothing else
        data("init", "--yes", "--agent", "claude-code", "--no-git-hooks", project=repo)
        place.write_text(theirs, encoding="utf-8")
    data("task", "add", "First", project=repo)
    [told] = [check for check in checks(repo)["store"] if check["status"] == "warn"]
    assert told["message"].startswith(str(place))
    assert told["message"].endswith("this machine's: installed.json, installed/, schemas/.")
    data(*ran, project=repo)
    text = place.read_text(encoding="utf-8")
    assert text.endswith(theirs)
    shown = git(repo, "ls-files", "--others", "--exclude-standard", ".llmgenie").splitlines()
    assert shown == [".llmgenie/installed.json", ".llmgenie/llmgenie.yaml"]  # what people said still holds
    place.write_text(text.replace("!/installed.json\n", ""), encoding="utf-8")
    assert [check["status"] for check in checks(repo)["store"]] == ["ok"]
    data(*ran, project=repo)
    assert place.read_text(encoding="utf-8") == text.replace("!/installed.json\n", "")
