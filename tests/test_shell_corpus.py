"""Every command of the corpus is read exactly as it says, those that were held out while the reader was written too."""

from __future__ import annotations

import pytest
from shell_corpus import Entry, entries, false_alarm, missed, noted, touching

from llmgenie_mcp.operations import OPERATIONS, Operation
from llmgenie_mcp.shell import read_command

ENTRIES = entries()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.group}: {entry.command}"[:100])
def test_a_command_is_read_as_the_corpus_says(entry: Entry) -> None:
    assert [noted(operation) for operation in read_command(entry.command)] == list(entry.operations)


def test_the_corpus_is_as_large_and_as_mixed_as_it_has_to_be() -> None:
    commands = [entry.command for entry in ENTRIES]
    held_out = [entry for entry in ENTRIES if entry.part == "held_out"]
    harmless = [entry for entry in ENTRIES if not entry.operations]
    assert len(commands) == len(set(commands)) >= 350
    assert len(held_out) >= len(ENTRIES) // 4
    assert len(harmless) >= 120
    names = {note.split(" ")[0] for entry in ENTRIES for note in entry.operations}
    assert names == set(OPERATIONS) - {"shell", "mcp.call"}


def test_operations_have_the_parameters_that_are_written_down_and_the_text_that_does_it() -> None:
    for entry in ENTRIES:
        for operation in read_command(entry.command):
            allowed = f"{OPERATIONS[operation.name]}, unresolved, refspec"
            assert all(name in allowed for name in operation.params), operation
            assert operation.text.strip(), operation
            assert False not in operation.params.values(), "a flag that is not given is left out"


def test_misses_and_false_alarms_are_told_from_exact_answers() -> None:
    push = Entry("", "git push", ("git.push branch=main",), "tuning")
    calm = Entry("", "cat a", ("file.read path=a",), "tuning")
    assert missed(push, [])
    assert missed(push, ["git.push branch=x"])
    assert missed(push, ["opaque"])
    assert not missed(push, ["git.push branch=main"])
    assert not missed(push, ["opaque git"])
    assert false_alarm(calm, ["git.push branch=main"])
    assert false_alarm(calm, ["opaque anything"])
    assert not false_alarm(calm, ["file.read path=b", "opaque"])
    assert not false_alarm(push, ["file.write path=x"])
    assert (
        noted(Operation("git.push", {"branch": None, "force": True, "remote": ""}))
        == 'git.push branch=? force remote=""'
    )
    assert touching("opaque git")
    assert not touching("opaque")
    assert not touching("network method=GET url=x")
