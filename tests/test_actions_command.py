"""Programs of the settings, run for real: the tests and other commands."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scene import PYTHON, codes, commands, commit, configure, documents, git, lines, started

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.config import Command
from llmgenie_mcp.engine import runs
from llmgenie_mcp.errors import BadParams, UnknownName

Open = Callable[..., Engine]


def program(code: str, **more: Any) -> dict[str, Any]:
    """A command that runs Python code."""
    return {"argv": [PYTHON, "-c", code], **more}


def test_passing_tests_count_for_the_commit_they_ran_on(engine: Engine, session: str, repo: Path) -> None:
    commands(repo, test=program("print('3 passed')"))
    outcome = engine.run_action("run_tests", session=session)
    head = git(repo, "rev-parse", "HEAD")
    assert outcome.ok
    assert (outcome.result["output"], outcome.result["commit"], outcome.result["passed"]) == ("3 passed\n", head, True)
    run = engine.context_data("runs/RUN-1")["value"]
    wanted = {"action": "run_tests", "command": "test", "status": "passed", "exit_code": 0, "commit": head}
    assert {**wanted, "output": "3 passed\n", "session": session}.items() <= run.items()


def test_failing_tests_fail_with_the_end_of_their_output(engine: Engine, session: str, repo: Path) -> None:
    commands(repo, test=program("import sys\nfor n in range(2000): print('line', n)\nsys.exit(1)"))
    outcome = engine.run_action("run_tests", session=session)
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert outcome.error["message"] == "test failed with exit code 1."
    assert outcome.result["output"].endswith("line 1999\n")
    assert len(outcome.result["output"]) == 3000
    assert "left out" in outcome.result["cut"]
    assert outcome.result["run"] == "RUN-1"
    assert documents(engine)["runs"]["RUN-1"]["status"] == "failed"


def test_a_slow_action_has_a_line_for_its_start_and_one_for_its_end(engine: Engine, session: str, repo: Path) -> None:
    commands(repo, test=["true"], fail=["false"])
    passed = engine.run_action("run_tests", session=session)
    failed = engine.run_action("run_command", {"name": "fail"}, session=session)
    seen = [(line["type"], line["run"]) for line in lines(engine)[1:]]
    assert seen[:2] == [("action.started", "RUN-1"), ("action.completed", "RUN-1")]
    assert seen[2:] == [("action.started", "RUN-2"), ("action.failed", "RUN-2")]
    assert (passed.seq, failed.seq) == (3, 5)


@pytest.mark.parametrize("change", ["before", "during", "commit"])
def test_tests_that_ran_on_uncommitted_files_count_for_no_commit(
    engine: Engine, session: str, repo: Path, change: str
) -> None:
    code = {
        "before": "",
        "during": "open('made.txt', 'w').close()",
        "commit": "import subprocess; subprocess.run(['git', 'commit', '-q', '--allow-empty', '-m', 'x'], check=True)",
    }[change]
    commands(repo, test=program(code))
    if change == "before":
        (repo / "dirt.txt").write_text("dirt", encoding="utf-8")
    outcome = engine.run_action("run_tests", session=session)
    assert outcome.ok, outcome
    assert outcome.result.get("commit") is None
    assert documents(engine)["runs"]["RUN-1"]["commit"] is None


def test_a_timeout_ends_the_tests(engine: Engine, session: str, repo: Path) -> None:
    commands(repo, test=program("import time; print('began', flush=True); time.sleep(600)", timeout=0.5))
    outcome = engine.run_action("run_tests", session=session)
    assert outcome.status == "failed"
    assert "0.5 s" in str(outcome.error)
    assert outcome.result["output"] == "began\n"
    assert documents(engine)["runs"]["RUN-1"]["status"] == "timeout"


def test_progress_arrives_and_a_cancel_ends_the_tests(engine: Engine, session: str, repo: Path) -> None:
    commands(repo, test=program("import time; print('began', flush=True); time.sleep(600)"))
    cancel, told = threading.Event(), []

    def progress(done: float, total: float | None, message: str) -> None:
        told.append((done, total, message))
        cancel.set()

    outcome = engine.run_action("run_tests", session=session, progress=progress, cancel=cancel)
    assert outcome.status == "failed"
    assert documents(engine)["runs"]["RUN-1"]["status"] == "cancelled"
    assert told[0][1:] == (None, "began")


def test_a_listener_that_fails_does_not_fail_the_tests(engine: Engine, session: str, repo: Path) -> None:
    commands(repo, test=program("import time\nfor n in range(5): print(n, flush=True); time.sleep(0.12)"))
    told: list[str] = []

    def progress(_done: float, _total: float | None, message: str) -> None:
        told.append(message)
        raise ConnectionResetError

    assert engine.run_action("run_tests", session=session, progress=progress).ok
    assert len(told) == 1, "who does not listen is not told again"


def test_others_write_while_the_tests_run(engine: Engine, session: str, repo: Path, open_engine: Open) -> None:
    fifo = repo / ".llmgenie" / "gate"
    commands(repo, test=program(f"print('began', flush=True); open({str(fifo)!r}).read()"))
    os.mkfifo(fifo)
    other, seen = open_engine(repo), []

    def progress(*_: object) -> None:
        if not seen:
            seen.append(other.run_action("create_task", {"title": "meanwhile"}))
            seen.append(engine.run_action("log_entry", {"text": "same engine"}))
            fifo.write_text("go", encoding="utf-8")

    assert engine.run_action("run_tests", session=session, progress=progress).ok
    assert [outcome.ok for outcome in seen] == [True, True]
    kinds = [line["type"] for line in lines(engine)[1:]]
    assert kinds == ["action.started", "action.completed", "action.completed", "action.completed"]


def test_a_project_that_nobody_trusted_runs_nothing(engine: Engine, session: str, repo: Path) -> None:
    mark = repo / "ran"
    path = commands(repo, trusted=False, test=["touch", str(mark)], other=["touch", str(mark)])
    for action, params in [("run_tests", {}), ("run_command", {"name": "other"})]:
        (reason,) = engine.run_action(action, params, session=session).reasons
        assert reason.code == "not_trusted"
        assert f"llmgenie trust --project {repo}" in reason.message
        blocked = engine.available_actions(session=session, include_blocked=True)["blocked"]
        assert action in [line["name"] for line in blocked]
    assert not mark.exists()
    trust.trust(path.parent)
    assert engine.run_action("run_tests", session=session).ok
    assert mark.exists()
    mark.unlink()
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert codes(engine.run_action("run_tests", session=session)) == ["not_trusted"]
    assert not mark.exists()


@pytest.mark.parametrize("part", ["workflows/extra.yaml", "policies/extra.yaml"])
def test_a_definition_that_comes_along_ends_the_trust(engine: Engine, session: str, repo: Path, part: str) -> None:
    path = commands(repo, test=["true"])
    assert engine.run_action("run_tests", session=session).ok
    extra = path.parent / part
    extra.parent.mkdir()
    text = "name: extra\ninitial: a\nstates: {a: {on: {extra_go: b}}, b: {final: true}}\n"
    if "policies" in part:
        text = 'name: extra\nlevel: always_on\nrules: [{id: r, effect: deny, when: action.name == "x", reason: no}]\n'
    extra.write_text(text, encoding="utf-8")
    assert codes(engine.run_action("run_tests", session=session)) == ["not_trusted"]


def test_without_a_command_the_settings_to_write_are_told(engine: Engine, session: str, repo: Path) -> None:
    for action, params in [("run_tests", {}), ("run_command", {"name": "lint"})]:
        (reason,) = engine.run_action(action, params, session=session).reasons
        assert reason.code == "not_configured"
        assert str(repo / ".llmgenie" / "llmgenie.yaml") in reason.message
        assert "argv" in reason.message
    commands(repo, lint=["true"])
    with pytest.raises(UnknownName) as error:
        engine.run_action("run_command", {"name": "lnt"}, session=session)
    assert error.value.hint == "Did you mean lint?"


def test_what_a_release_runs_is_not_run_by_its_name(engine: Engine, session: str, repo: Path) -> None:
    commands(repo, publish=["touch", str(repo / "published")])
    (reason,) = engine.run_action("run_command", {"name": "publish"}, session=session).reasons
    assert reason.fix == {"action": "publish", "params": {}}
    assert not (repo / "published").exists()


SHOW = [PYTHON, "-c", "import sys; print(ascii(sys.argv[1:]))", "--script={script}", "{script}", "{more}", "{other}"]
SHOW_PARAMS = {
    "properties": {"script": {"type": "string", "maxLength": 50}, "more": {"type": "string"}},
    "required": ["script"],
}


@pytest.mark.parametrize(
    "text", ["; rm -rf /", "$(touch x)", "`touch x`", "a\nb", "a b", "'\"", "{more}", "--help", "*", "..", "", "é🦀"]
)
def test_a_parameter_stays_one_argument_and_meets_no_shell(engine: Engine, session: str, repo: Path, text: str) -> None:
    commands(repo, show={"argv": SHOW, "params": SHOW_PARAMS})
    params = {"name": "show", "params": {"script": text, "more": "M"}}
    outcome = engine.run_action("run_command", params, session=session)
    assert outcome.result["output"].strip() == ascii([f"--script={text}", text, "M", "{other}"])
    assert sorted(path.name for path in repo.iterdir()) == [".git", ".gitignore", ".llmgenie", "README.md"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "script: is missing"),
        ({"script": 5}, "script: 5 is not of type 'string'"),
        ({"script": "x" * 100_000}, "is too long"),
        ({"script": "a", "x": 1}, "x: is no parameter"),
    ],
)
def test_parameters_that_do_not_fit_the_schema_start_nothing(
    engine: Engine, session: str, repo: Path, params: dict[str, Any], words: str
) -> None:
    commands(repo, show={"argv": ["touch", "ran", "{script}"], "params": SHOW_PARAMS})
    outcome = engine.run_action("run_command", {"name": "show", "params": params}, session=session)
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert outcome.error["hint"] == "The command takes: script, more."
    assert len(outcome.error["message"]) < 500
    assert words in outcome.error["message"] or len(str(params)) > 1000
    assert not (repo / "ran").exists()


@pytest.mark.parametrize(
    ("argv", "params", "wanted"),
    [
        (["a", "{x}"], {"x": "1"}, ["a", "1"]),
        (["a", "{x}"], {}, ["a"]),
        (["a", "-k={x}"], {}, ["a", "-k="]),
        (["a", "{x}{y}"], {"x": "{y}", "y": "{x}"}, ["a", "{y}{x}"]),
        (["a", "{undeclared}", "{}", "{x"], {"x": "1"}, ["a", "{undeclared}", "{}", "{x"]),
        (["a", "{x}"], {"x": 7}, ["a", "7"]),
    ],
)
def test_placeholders_are_filled_once(argv: list[str], params: dict[str, Any], wanted: list[str]) -> None:
    from llmgenie_mcp.actions.command import fill

    assert fill(Command(argv=argv, params={"properties": {"x": {}, "y": {}}}), params) == wanted


def test_a_command_without_a_schema_takes_no_parameters() -> None:
    from llmgenie_mcp.actions.command import fill

    with pytest.raises(BadParams):
        fill(Command(argv=["a"]), {"x": 1})


FOLDERS = {"up": "..", "link": "out", "src": "src", "ring": "ring"}


def test_a_folder_outside_the_project_is_refused_also_behind_a_link(
    engine: Engine, session: str, repo: Path, tmp_path: Path
) -> None:
    (repo / "out").symlink_to(tmp_path)
    (repo / "ring").symlink_to("ring")
    (repo / "src").mkdir()
    where = "import os; print(os.getcwd())"
    commands(repo, **{name: program(where, cwd=cwd) for name, cwd in FOLDERS.items()})
    for name in ("up", "link"):
        outcome = engine.run_action("run_command", {"name": name}, session=session)
        assert "outside the project" in str(outcome.error)
    outcome = engine.run_action("run_command", {"name": "ring"}, session=session)
    assert "Too many levels of symbolic links" in str(outcome.error)
    assert "Correct the command in the settings." in str(outcome.error)
    outcome = engine.run_action("run_command", {"name": "src"}, session=session)
    assert outcome.result["output"].strip() == str(repo / "src")


def test_a_program_that_is_missing_is_told(engine: Engine, session: str, repo: Path) -> None:
    commands(repo, test=["no-such-test-runner"])
    outcome = engine.run_action("run_tests", session=session)
    assert outcome.error is not None
    assert outcome.error["message"] == "no-such-test-runner was not found."
    assert documents(engine)["runs"]["RUN-1"]["status"] == "failed"


def test_secrets_in_the_output_are_taken_out_everywhere(engine: Engine, session: str, repo: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 4
    wait = "import time; time.sleep(0.3)"
    commands(repo, test=program(f"print('token ' + {secret[:10]!r} + {secret[10:]!r}, flush=True); {wait}"))
    told: list[str] = []
    outcome = engine.run_action("run_tests", session=session, progress=lambda *args: told.append(str(args)))
    assert outcome.result["output"] == "token [github_token removed]\n"
    engine.storage.checkpoint()
    kept = b"".join(p.read_bytes() for p in (repo / ".llmgenie").rglob("*") if p.is_file() and p.suffix != ".yaml")
    assert secret.encode() not in kept
    assert told
    assert secret[4:] not in str(told)


def test_a_secret_that_lies_across_the_cut_is_taken_out_too(engine: Engine, session: str, repo: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 4
    code = f"print('x' * 5000 + ' ' + {secret[:10]!r} + {secret[10:]!r} + ' ' + 'y' * 2979)"
    configure(repo, commands={"test": program(code)}, log_output=3000)
    outcome = engine.run_action("run_tests", session=session)
    assert outcome.result["output"].endswith(" " + "y" * 2979 + "\n")
    assert len(outcome.result["output"]) == len(documents(engine)["runs"]["RUN-1"]["output"]) == 3000
    assert "e5" not in outcome.result["output"] + documents(engine)["runs"]["RUN-1"]["output"]


def test_the_store_keeps_as_much_output_as_the_settings_say(engine: Engine, session: str, repo: Path) -> None:
    for kept in (0, 10, 5000):
        configure(repo, commands={"test": program("print('x' * 9000)")}, log_output=kept)
        run = engine.run_action("run_tests", session=session).result["run"]
        assert len(documents(engine)["runs"][run]["output"]) == kept


def test_where_there_is_no_git_tests_run_and_count_for_no_commit(tmp_path: Path, open_engine: Open) -> None:
    for name, kind in [("plain", None), ("unborn", "init")]:
        folder = tmp_path / name
        folder.mkdir()
        if kind:
            git(folder, "init", "-q", "-b", "main")
        commands(folder, test=["true"])
        engine = open_engine(folder)
        outcome = engine.run_action("run_tests", session=started(engine, mode="code"))
        assert outcome.ok, (name, outcome)
        assert outcome.result.get("commit") is None
        json.dumps(outcome.to_dict())


def test_a_run_elsewhere_does_not_hide_the_one_of_this_commit(engine: Engine, session: str, repo: Path) -> None:
    commands(repo, test=["test", "!", "-e", "broken"])
    git(repo, "switch", "-q", "-c", "good")
    commit(repo, "good.txt")
    assert engine.run_action("run_tests", session=session).ok
    git(repo, "switch", "-q", "-c", "bad")
    commit(repo, "broken")
    assert engine.run_action("run_tests", session=session).status == "failed"
    git(repo, "switch", "-q", "good")
    engine.run_action("start_review", session=session)
    assert engine.run_action("submit", session=session).ok


KILLED = """
import sys
from llmgenie_mcp import Engine
engine = Engine.open(sys.argv[1])
def progress(*_):
    print("running", flush=True)
    sys.stdin.read()
engine.run_action("run_tests", session="SES-1", idempotency_key="once", progress=progress)
"""


@pytest.mark.crash
@pytest.mark.parametrize("how", ["opened anew", "open all the time"])
def test_a_run_whose_process_was_killed_is_marked_and_its_key_says_so(
    engine: Engine, session: str, repo: Path, open_engine: Open, how: str
) -> None:
    orphan = "import os, time\nparent = os.getppid(); print('began', flush=True)\nwhile os.getppid() == parent: time.sleep(0.05)"
    commands(repo, test=program(orphan))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([PYTHON, "-c", KILLED, str(repo)], **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        meanwhile = engine.run_action("run_tests", session=session, idempotency_key="once")
        assert (meanwhile.status, meanwhile.replayed) == ("running", True)
        assert runs.settle_orphans(engine.storage) == [], "it runs"
        process.send_signal(signal.SIGKILL)
    fresh = open_engine(repo) if how == "opened anew" else engine
    if how == "opened anew":
        assert documents(fresh)["runs"]["RUN-1"]["status"] == "interrupted"
        assert lines(fresh)[-1]["type"] == "action.interrupted"
    answer = fresh.run_action("run_tests", session=session, idempotency_key="once")
    assert (answer.status, answer.replayed) == ("failed", True)
    assert answer.error is not None
    assert answer.error["code"] == "interrupted"
    assert open_engine(repo).storage.last_seq() == fresh.storage.last_seq(), "it is marked once"


def test_a_run_of_another_machine_or_a_living_process_is_nobodys_orphan(engine: Engine) -> None:
    own = {"status": "running", "pid": os.getpid(), "host": platform.node()}
    own["process_started"] = runs.process_start(os.getpid())
    assert not runs.is_orphan(own)
    assert runs.is_orphan({**own, "process_started": 1.0}), "the number was given to another process"
    assert runs.is_orphan({**own, "pid": 2**22 + 1})
    assert not runs.is_orphan({**own, "pid": 2**22 + 1, "host": "elsewhere"})
    assert not runs.is_orphan({**own, "pid": 2**22 + 1, "status": "passed"})
