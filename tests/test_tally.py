"""The tally of the enforcement points: nothing is lost, nothing is counted twice, and nothing depends on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmgenie_mcp.engine import tally

WRITERS, LINES = 8, 1000
WRITER = f"""
import sys
from pathlib import Path
from llmgenie_mcp.engine import tally
tally.FOLD_BYTES = 16 * 1024  # so that it is summed up all the time
print(flush=True)
sys.stdin.readline()
for number in range({LINES}):
    tally.note(Path(sys.argv[1]), f"host-{{sys.argv[2]}}", "before", ("allow", "deny")[number % 2], ("a/b",) * (number % 2))
    if number % 100 == 0:
        found = tally.summary(Path(sys.argv[1]))[f"host-{{sys.argv[2]}}"]
        assert found["allow"] + found.get("deny", 0) == number + 1, (found, number)
"""


def lines_of(store: Path) -> Path:
    return store / "run" / tally.FILE


def test_effects_events_and_rules_are_counted_by_point_with_the_time_of_the_last(tmp_path: Path) -> None:
    before = tally.now()
    for effect, rules in (
        ("allow", ()),
        ("deny", ("a/b", "a/c")),
        ("deny", ("a/b",)),
        ("ask", ("a/c",)),
        ("fault", ()),
    ):
        tally.note(tmp_path, "cursor", "beforeShellExecution", effect, rules)
    tally.note(tmp_path, "cursor", "sessionStart", "seen")
    tally.note(tmp_path, "git", "pre-push", "deny", ("a/b",))
    found = tally.summary(tmp_path)
    assert set(found) == {"cursor", "git"}
    cursor = found["cursor"]
    assert {effect: cursor[effect] for effect in tally.EFFECTS} == {
        "allow": 1,
        "ask": 1,
        "deny": 2,
        "fault": 1,
        "seen": 1,
    }
    assert cursor["rules"] == {"a/b": 2, "a/c": 2}
    assert before <= cursor["events"]["beforeShellExecution"] <= cursor["events"]["sessionStart"] == cursor["last"]
    assert found["git"]["last"] >= cursor["last"]


def test_nothing_noted_is_nothing_found(tmp_path: Path) -> None:
    assert tally.summary(tmp_path) == {}


def test_a_file_that_grew_is_summed_up_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "FOLD_BYTES", 1000)
    expected: dict[str, Any] = {}
    for number in range(100):
        tally.note(tmp_path, f"host{number % 3}", f"event{number % 5}", "deny", (f"policy/rule{number % 7}",))
        found = tally.summary(tmp_path)
        assert sum(entry["deny"] for entry in found.values()) == number + 1
        assert lines_of(tmp_path).stat().st_size <= 1000
        expected = found
    lines_of(tmp_path).unlink()
    kept = tally.summary(tmp_path)
    assert set(kept) == set(expected)
    assert sum(entry["deny"] for entry in kept.values()) > 80


def test_eight_processes_that_write_and_sum_up_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number in range(WRITERS)
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors.decode()
    found = tally.summary(tmp_path)
    half = LINES // 2
    assert {name: (entry["allow"], entry["deny"], entry["rules"]) for name, entry in found.items()} == {
        f"host-{number}": (half, half, {"a/b": half}) for number in range(WRITERS)
    }
    assert (tmp_path / "run" / tally.OLDER).exists()
    assert lines_of(tmp_path).stat().st_size < WRITERS * LINES * 20, "it was summed up although others wrote"


def test_the_shipped_size_is_a_quarter_of_a_megabyte_and_is_kept(tmp_path: Path) -> None:
    assert tally.FOLD_BYTES == 256 * 1024
    tally.note(tmp_path, "git", "pre-commit", "allow")
    line = lines_of(tmp_path).read_bytes()
    lines_of(tmp_path).write_bytes(line * (tally.FOLD_BYTES // len(line)))
    count = tally.FOLD_BYTES // len(line)
    for more in (1, 2):
        tally.note(tmp_path, "git", "pre-commit", "allow")
        assert tally.summary(tmp_path)["git"]["allow"] == count + more
    assert lines_of(tmp_path).stat().st_size == len(line)


DAMAGED = [
    b"",
    b"\n\n",
    b"no tabs\n",
    b"2026\tgit\tpre-push\n",
    b"2026\tgit\tpre-push\tdeny\ta/b\tmore\n",
    b"2026\tgit\tpre-push\tevents\ta/b\n",
    b"2026\tgit\tpre-push\tlast\ta/b\n",
    b"\xff\xfe\x00\n",
    b"2026-01-01T00:00:00.000Z\tgit\tpre-pu",
]


@pytest.mark.parametrize("damage", DAMAGED)
def test_lines_that_are_damaged_are_left_out_and_the_others_count(tmp_path: Path, damage: bytes) -> None:
    tally.note(tmp_path, "git", "pre-push", "deny", ("a/b",))
    with lines_of(tmp_path).open("ab") as file:
        file.write(damage if not damage or damage.endswith(b"\n") else damage + b"\n")
    tally.note(tmp_path, "git", "pre-push", "allow")
    found = tally.summary(tmp_path)["git"]
    assert (found["deny"], found["allow"], found["rules"]) == (1, 1, {"a/b": 1})


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", '"x"', '{"git": 3}', '{"git": {"deny": 1}}', '{"git": {"last": 1}}']
)
def test_a_damaged_sum_is_left_out(tmp_path: Path, damage: str) -> None:
    tally.note(tmp_path, "git", "pre-push", "deny")
    (tmp_path / "run" / tally.OLDER).write_text(damage, encoding="utf-8")
    assert tally.summary(tmp_path)["git"]["deny"] == 1


@pytest.mark.parametrize(
    "name", ["a\tb", "a\nb", "a\r\nb", "a\x0bb", "a\x0cb", "a\x1cb", "a\u2028b", "a\x85b", "\ud800", "é" * 9000]
)
def test_whatever_a_host_calls_its_event_is_one_line(tmp_path: Path, name: str) -> None:
    tally.note(tmp_path, name, name, "deny", (name,))
    assert lines_of(tmp_path).read_bytes().count(b"\n") == 1
    assert lines_of(tmp_path).stat().st_size < 2000
    (entry,) = tally.summary(tmp_path).values()
    assert (entry["deny"], len(entry["events"])) == (1, 1)


@pytest.mark.parametrize("obstacle", ["file for the folder", "folder for the file", "nowhere"])
def test_what_cannot_be_written_costs_the_count_and_nothing_else(tmp_path: Path, obstacle: str) -> None:
    store = tmp_path / "store"
    if obstacle == "file for the folder":
        store.mkdir()
        (store / "run").write_text("x", encoding="utf-8")
    elif obstacle == "folder for the file":
        lines_of(store).mkdir(parents=True)
    else:
        store = Path("/proc/nowhere")
    tally.note(store, "git", "pre-push", "deny")
    assert tally.summary(store) == {}


def test_a_sum_that_cannot_be_written_keeps_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "FOLD_BYTES", 100)
    (tmp_path / "run" / tally.OLDER).mkdir(parents=True)
    for _ in range(10):
        tally.note(tmp_path, "git", "pre-push", "deny")
    assert tally.summary(tmp_path)["git"]["deny"] == 10
    (tmp_path / "run" / tally.OLDER).rmdir()
    tally.note(tmp_path, "git", "pre-push", "deny")
    assert tally.summary(tmp_path)["git"]["deny"] == 11
    assert lines_of(tmp_path).stat().st_size == 0
    assert json.loads((tmp_path / "run" / tally.OLDER).read_text(encoding="utf-8"))["git"]["deny"] == 11


def test_others_cannot_read_it(tmp_path: Path) -> None:
    tally.note(tmp_path / "store", "git", "pre-push", "deny")
    assert lines_of(tmp_path / "store").stat().st_mode & 0o077 == 0
    assert lines_of(tmp_path / "store").parent.stat().st_mode & 0o077 == 0
