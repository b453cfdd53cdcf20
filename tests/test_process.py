"""Programs run without a shell, for a limited time, with bounded output, and leave nothing running behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from scene import PYTHON

from llmgenie_mcp import process
from llmgenie_mcp.errors import ActionError

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""


def run(*argv: str, cwd: Path = Path("/"), timeout: float = 30, tail: int = 1000, **more: Any) -> process.Finished:
    return process.run(argv, cwd=cwd, timeout=timeout, tail=tail, **more)


def python(code: str, **more: Any) -> process.Finished:
    return run(PYTHON, "-c", code, **more)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(*pids: int) -> bool:
    """Whether the processes end soon."""
    limit = time.monotonic() + 10
    while any(map(is_alive, pids)):
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less time between asking a program to end and ending it."""
    monkeypatch.setattr(process, "GRACE", 0.3)


def test_output_and_exit_code_come_back() -> None:
    done = python("import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)")
    assert (done.exit_code, done.output, done.cut) == (3, "out\nerr\n", 0)
    assert not done.timed_out
    assert not done.cancelled


def test_arguments_reach_the_program_as_they_are(tmp_path: Path) -> None:
    odd = ["; touch /tmp/never", "$(id)", "`id`", "a b", "*", "line\nbreak", "é🦀", "", "--flag", "'\""]
    done = run(PYTHON, "-c", "import sys; print(ascii(sys.argv[1:]))", *odd, cwd=tmp_path)
    assert done.output.strip() == ascii(odd)


def test_it_runs_in_the_folder_with_the_variables_and_without_input(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['EXTRA'], os.environ['HOME'], repr(sys.stdin.read()))"
    done = python(code, cwd=tmp_path, env={"EXTRA": "yes"})
    assert done.output.split() == [str(tmp_path), "yes", os.environ["HOME"], "''"]


def test_a_signal_that_ended_it_is_a_negative_code() -> None:
    assert python("import os; os.kill(os.getpid(), 9)").exit_code == -signal.SIGKILL


@pytest.mark.parametrize("argv", [["/no/such/program"], ["no-such-program-at-all"], ["/"], ["a\0b"], [""]])
def test_a_program_that_cannot_start_is_told(argv: list[str], tmp_path: Path) -> None:
    with pytest.raises(ActionError) as error:
        run(*argv)
    assert "settings" in error.value.hint
    with pytest.raises(ActionError) as error:
        run(PYTHON, "-V", cwd=tmp_path / "gone")
    assert "gone" in error.value.message


def test_fifty_megabytes_leave_a_bounded_tail_and_little_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = python("import sys\nfor n in range(800): sys.stdout.write('x' * 65535 + '\\n')\nprint('the end')", tail=2000)
    assert done.output.endswith("x\nthe end\n")
    assert len(done.output) == 2000
    assert done.cut == 800 * 65536 + 8 - 2000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "kilobytes"


def test_bytes_that_are_no_text_are_replaced_and_letters_are_not_torn() -> None:
    code = "import os, time\nfor b in '🦀'.encode(): os.write(1, bytes([b])); time.sleep(0.02)\nos.write(1, b'\\xff\\x00ok\\xf0')"
    assert python(code).output == "🦀\ufffd\x00ok\ufffd"


def test_a_tail_of_zero_keeps_nothing() -> None:
    assert python("print('x' * 100)", tail=0).output == ""


def test_a_program_that_takes_too_long_is_ended() -> None:
    done = python("import time; print('began', flush=True); time.sleep(600)", timeout=0.5)
    assert (done.timed_out, done.cancelled, done.output) == (True, False, "began\n")
    assert 0.5 <= done.seconds < 10


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_a_program_that_will_not_end_is_ended_with_its_children(short_grace: None, how: str) -> None:
    cancel, told = threading.Event(), threading.Event()

    def line(_: float, text: str) -> None:
        told.set()

    threading.Thread(target=lambda: told.wait(20) and how == "cancel" and cancel.set()).start()
    done = python(STUBBORN, timeout=1.5 if how == "timeout" else 60, cancel=cancel, line=line)
    assert (done.timed_out, done.cancelled) == (how == "timeout", how == "cancel")
    assert done.exit_code == -signal.SIGKILL
    pids = [int(word) for word in done.output.split() if word.isdigit()]
    assert len(pids) == 2
    assert gone(*pids)


def test_a_program_may_clean_up_when_it_is_asked_to_end() -> None:
    cancel = threading.Event()
    code = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("cleaned", flush=True), sys.exit(0)))
print("began", flush=True)
while True: time.sleep(0.05); print(".", flush=True)
"""
    done = python(code, cancel=cancel, line=lambda *_: cancel.set())
    assert done.cancelled
    assert done.exit_code == 0


def test_what_a_program_leaves_running_ends_with_it() -> None:
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    done = python(code)
    assert done.exit_code == 0
    assert done.seconds < 10, "the child held the pipe open"
    assert gone(int(done.output))


def test_a_chatty_child_that_is_left_running_is_not_listened_to_for_ever() -> None:
    chatty = "while True: print('x' * 1000)"
    done = python(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {chatty!r}])")
    assert (done.exit_code, done.timed_out) == (0, False)
    assert done.seconds < 10


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_a_program_that_closed_its_output_is_still_watched(how: str) -> None:
    cancel = threading.Event()
    code = "import os, time; os.write(1, b'began'); os.close(1); os.close(2); time.sleep(600)"
    if how == "cancel":
        threading.Timer(0.5, cancel.set).start()
    done = python(code, timeout=0.7 if how == "timeout" else 60, cancel=cancel)
    assert (done.timed_out, done.cancelled, done.output) == (how == "timeout", how == "cancel", "began")


def test_a_program_that_closed_its_output_may_still_finish() -> None:
    done = python("import os, sys, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(4)")
    assert (done.exit_code, done.timed_out) == (4, False)


def test_a_cancel_from_before_ends_it_at_once() -> None:
    cancel = threading.Event()
    cancel.set()
    assert python("import time; time.sleep(600)", cancel=cancel).cancelled


def test_lines_are_told_while_it_runs() -> None:
    told: list[tuple[float, str]] = []
    code = "import os, time\nfor n in range(6): os.write(1, b'line %d\\n' % n); time.sleep(0.12)"
    python(code, line=lambda seconds, text: told.append((seconds, text)))
    assert len(told) >= 2
    assert all(text.startswith("line ") for _, text in told)
    assert told == sorted(told)


def test_a_silent_program_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PULSE", 0.1)
    told: list[str] = []
    python("import time; time.sleep(1)", line=lambda _, text: told.append(text))
    assert len(told) > 1
    assert set(told) == {""}


def test_a_listener_that_fails_leaves_nothing_running(short_grace: None) -> None:
    heard: list[int] = []

    def line(_: float, text: str) -> None:
        heard.append(int(text.split(maxsplit=1)[0]))
        raise RuntimeError("the listener hung up")

    code = "import os, time\nwhile True: print(os.getpid(), flush=True); time.sleep(0.05)"
    with pytest.raises(RuntimeError):
        python(code, line=line)
    assert gone(heard[0])


def test_no_file_stays_open() -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    python("print(1)")
    before = opened()
    for _ in range(5):
        python("print(1)")
        with pytest.raises(ActionError):
            run("/no/such/program")
    assert opened() == before
    assert subprocess._active == []  # type: ignore[attr-defined]
