"""What is told about a place: aliases as git has them, scripts that may be read, a few variables."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from scene import git, make_repository

from llmgenie_mcp.surroundings import KNOWN, LIMIT, Place


def test_an_alias_is_what_git_would_run(repo: Path, isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(isolated / "gitconfig"))
    git(repo, "config", "--global", "alias.st", "status")
    git(repo, "config", "--global", "alias.ci", "commit")
    git(repo, "config", "alias.ci", "commit --no-verify")
    git(repo, "config", "alias.Land", '!f() {\n git push origin "$1:main"\n}; f')
    place = Place(repo)
    assert place.alias("", "st") == "status"
    assert place.alias("", "ci") == "commit --no-verify"
    assert place.alias("", "land") == place.alias("", "LAND") == git(repo, "config", "alias.land")
    assert place.alias("", "push") is None


def test_an_alias_is_the_one_of_the_folder_where_git_runs(repo: Path, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other")
    git(other, "config", "alias.x", "push origin main")
    (repo / "sub").mkdir()
    git(repo, "config", "alias.y", "push")
    place = Place(repo)
    assert place.alias("", "x") is None
    assert place.alias("../other", "x") == place.alias(str(other), "x") == "push origin main"
    assert place.alias("sub", "y") == "push"
    for nowhere in (None, "missing", "a\0b"):
        assert place.alias(nowhere, "y") is None


def test_an_alias_is_asked_once(repo: Path) -> None:
    git(repo, "config", "alias.x", "push")
    place = Place(repo)
    assert place.alias("", "x") == "push"
    git(repo, "config", "alias.x", "fetch")
    assert place.alias("", "x") == "push"
    assert Place(repo).alias("", "x") == "fetch"


@pytest.fixture
def place(repo: Path, tmp_path: Path) -> Place:
    """A sub-folder of a project, with a folder for temporary files and a home of its own."""
    for name in ("tmp", "home", "demo/sub"):
        (tmp_path / name).mkdir()
    environment = {"TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path / "home"), "TOKEN": "secret"}
    return Place(repo / "sub", repo, environment)


def test_scripts_of_the_project_and_of_the_temporary_folder_are_read(place: Place, repo: Path, tmp_path: Path) -> None:
    (repo / "sub" / "a.sh").write_text("git push\n", encoding="utf-8")
    (repo / "b.sh").write_bytes(b"echo caf\xe9\n")
    (tmp_path / "tmp" / "c.sh").write_text("ls\n", encoding="utf-8")
    (repo / "link.sh").symlink_to("sub/a.sh")
    assert place.script("a.sh") == place.script("./a.sh") == place.script("../link.sh") == "git push\n"
    assert place.script("../b.sh") == "echo caf\N{REPLACEMENT CHARACTER}\n"
    assert place.script(str(tmp_path / "tmp" / "c.sh")) == "ls\n"


def test_a_script_is_read_to_the_limit_and_not_beyond(place: Place, repo: Path) -> None:
    for size in (0, LIMIT, LIMIT + 1):
        (repo / "sub" / f"{size}.sh").write_bytes(b"#" * size)
    assert place.script("0.sh") == ""
    assert place.script(f"{LIMIT}.sh") == "#" * LIMIT
    assert place.script(f"{LIMIT + 1}.sh") is None


def test_what_lies_elsewhere_or_is_no_text_file_is_not_read(place: Place, repo: Path, tmp_path: Path) -> None:
    sub = repo / "sub"
    (tmp_path / "home" / "x.sh").write_text("ls\n", encoding="utf-8")
    (sub / "out.sh").symlink_to(tmp_path / "home" / "x.sh")
    (sub / "null").symlink_to(os.devnull)
    (sub / "ring").symlink_to("ring")
    os.mkfifo(sub / "pipe")
    (sub / "binary").write_bytes(b"\x7fELF\0\0")
    for path in ("out.sh", "null", "ring", "pipe", "binary", ".", "missing", "", "a\0b", "\ud800", "x" * 5000):
        assert place.script(path) is None, path
    for path in (str(tmp_path / "home" / "x.sh"), "~/x.sh", os.devnull, "/etc/passwd", "../../home/x.sh"):
        assert place.script(path) is None, path


def test_a_home_inside_the_project_is_where_the_tilde_leads(repo: Path) -> None:
    (repo / "x.sh").write_text("ls\n", encoding="utf-8")
    assert Place(repo, environment={"HOME": str(repo)}).script("~/x.sh") == "ls\n"


def test_only_variables_that_are_no_secret_are_told(place: Place, repo: Path, tmp_path: Path) -> None:
    told = {name: place.variable(name) for name in (*KNOWN, "TOKEN", "PATH")}
    assert told == {
        "PWD": str(repo / "sub"), "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"),
        "USER": None, "TOKEN": None, "PATH": None,
    }  # fmt: skip


def test_the_folder_is_what_a_shell_started_there_says(repo: Path) -> None:
    said = subprocess.run(["sh", "-c", 'printf %s "$PWD"'], cwd=repo, capture_output=True, text=True, encoding="utf-8")
    assert Place(repo).variable("PWD") == said.stdout
