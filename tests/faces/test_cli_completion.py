"""Completion as shells ask for it: real bash, zsh and fish, with the script that `llmgenie completion` prints."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_fixtures import PATIENCE, SOURCE, Terminal, data, environment, run
from scene import define

from llmgenie_mcp import Engine


def shell(name: str) -> str:
    """The shell's program; the test is skipped where there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} here")
    return found


@pytest.fixture
def place(repo: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a shell that has `llmgenie` on its path, in a project with two tasks."""
    data("task", "add", "First", project=repo)
    data("task", "add", "Second", project=repo)
    program = tmp_path / "bin" / "llmgenie"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m llmgenie_mcp "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return environment(PATH=f"{program.parent}{os.pathsep}{os.environ['PATH']}", LLMGENIE_PROJECT=str(repo))


OFFERED = {
    "llmgenie sta": ["state"],
    "llmgenie task list --rea": ["--ready"],
    "llmgenie task add x --priority h": ["high"],
    "llmgenie task show TSK-": ["TSK-2", "TSK-1"],
    "llmgenie context tasks/": ["tasks/TSK-1", "tasks/TSK-2"],
    "llmgenie policy show sec": ["security"],
    "llmgenie run claim": ["claim_task"],
}
COMPLETE = """
eval "$(llmgenie completion bash)"
complete -p llmgenie >&2
while read -r line; do
    read -ra COMP_WORDS <<< "$line"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
    _llmgenie_completion llmgenie
    echo "${COMPREPLY[@]}"
done
"""


def test_bash_completes_commands_options_choices_ids_and_names(place: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [shell("bash"), "--norc", "-c", COMPLETE],
        input="".join(f"{line}\n" for line in OFFERED),
        cwd=tmp_path,
        env=place,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stderr == "complete -o nosort -F _llmgenie_completion llmgenie\n"
    assert dict(zip(OFFERED, map(str.split, done.stdout.splitlines()), strict=True)) == OFFERED


def test_zsh_lists_ids_with_titles_from_the_script_where_it_says_to_put_it(
    place: dict[str, str], tmp_path: Path
) -> None:
    program = shell("zsh")
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "_llmgenie").write_text(run("completion", "zsh").stdout, encoding="utf-8")
    screen, theirs = pty.openpty()
    env = {**place, "TERM": "vt100", "PS1": "ready> ", "ZDOTDIR": str(tmp_path)}
    zsh = subprocess.Popen([program, "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=tmp_path)
    os.close(theirs)
    terminal = Terminal(zsh, screen)
    try:
        terminal.wait_for("ready> ")
        terminal.type(
            f"fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -d {tmp_path}/dump; print do''ne"
        )
        terminal.wait_for("done")
        terminal.wait_for("ready> ")
        os.write(screen, b"llmgenie task show TSK-\t\t")
        terminal.wait_for(r"TSK-1 +-- First")
    finally:
        zsh.kill()
        zsh.wait(PATIENCE)
        os.close(screen)


def test_fish_offers_ids_with_titles(place: dict[str, str], tmp_path: Path) -> None:
    script = 'llmgenie completion fish | source; complete -C "llmgenie task show TSK-"'
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(
        [shell("fish"), "-c", script], env={**place, **home}, capture_output=True, text=True, timeout=PATIENCE
    )
    assert sorted(done.stdout.splitlines()) == ["TSK-1\tFirst", "TSK-2\tSecond"], done.stderr


# The rest needs no shell: what a shell runs at every Tab.


def asked(*words: str, project: Path) -> subprocess.CompletedProcess[str]:
    """What the script of bash runs."""
    line = " ".join(("llmgenie", *words))
    env = environment(_LLMGENIE_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words)))
    program = [sys.executable, "-m", "llmgenie_mcp"]
    return subprocess.run(program, env=env, cwd=project, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize("broken", ["no project", "nothing written yet", "damaged store", "damaged settings"])
def test_where_nothing_is_known_nothing_is_offered_said_or_written(broken: str, repo: Path, tmp_path: Path) -> None:
    project = repo
    if broken == "no project":
        project = tmp_path / "gone"
        project.mkdir()
        (project / ".git").write_text("not git's\n", encoding="utf-8")
    elif broken == "damaged store":
        data("task", "add", "First", project=repo)
        (repo / ".llmgenie" / "db.json").write_bytes(b"\xff{")
        for file in (repo / ".llmgenie" / "meta-log").iterdir():
            file.write_bytes(b"\xff\n\xff\n")
    elif broken == "damaged settings":
        (repo / ".llmgenie").mkdir()
        (repo / ".llmgenie" / "llmgenie.yaml").write_text("commands: [", encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*") if ".git/" not in str(path)}
    for words in (("task", "show", "TSK"), ("upstream" if broken == "damaged settings" else "run", "accept", "x")):
        done = asked(*words, project=project)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", ""), words
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*") if ".git/" not in str(path)} == before


def test_names_of_own_definitions_are_offered_before_and_after_something_kept_them(repo: Path) -> None:
    define(
        repo,
        "policies",
        "own_policy",
        "name: own_policy\nlevel: audit\nrules: [{id: one, effect: deny, reason: No.}]\n",
    )
    for _ in range(2):
        assert asked("policy", "show", "own", project=repo).stdout.strip() == "plain,own_policy"
        assert asked("workflow", "show", "rev", project=repo).stdout.strip() == "plain,review"
        assert asked("session", "start", "--mode", "deb", project=repo).stdout.strip() == "plain,debug"
        data("policy", "list", project=repo)


def test_a_folder_is_completed_by_the_shell_and_another_project_is_looked_into(repo: Path, tmp_path: Path) -> None:
    with Engine.open(repo) as engine:
        engine.run_action("create_task", {"title": "There"})
    assert asked("--project", "de", project=tmp_path).stdout.strip() == "dir,de"
    assert asked("--project", str(repo), "task", "show", "T", project=SOURCE).stdout.strip() == "plain,TSK-1"
