"""`verify` and `repair` of a store in a folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.storage import VerifyReport, checkpoint
from llmgenie_mcp.storage.disk import set_aside
from llmgenie_mcp.storage.documents import Tables
from llmgenie_mcp.storage.journal import Journal
from llmgenie_mcp.storage.lines import Head, fingerprint, parsed, seal
from llmgenie_mcp.storage.survey import REPAIRED, Fault, Survey, surveyed

_SHOWN = 5  # lines of db.json that differ; one bit in a place may make all of them differ


@dataclass(frozen=True, slots=True)
class Place:
    """What is to be verified or repaired.

    Attributes:
        folder: the store's folder.
        checkpoint: its db.json.
        journal: its log.
        snapshot: gives the documents in memory and the line they are as of, or None when they cannot be used.
    """

    folder: Path
    checkpoint: Path
    journal: Journal
    snapshot: Callable[[], tuple[Tables, Head] | None]


class _Checkpoint:
    """db.json as it is on the disk, to be compared with what the log says it should be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data: bytes | None = None
        self.content: tuple[Tables, Head] | None = None
        self.right = False
        self.problems: list[str] = []
        self._unreadable = ""
        self._compared = False
        with suppress(FileNotFoundError):
            self.data = path.read_bytes()
            try:
                tables, head, self.right = checkpoint.decoded(self.data)
                self.content = tables, head
            except ValueError as problem:
                self._unreadable = f"{path}:{_line_of(self.data, problem)}: cannot be read: {problem}."
        self._place = self.content[1] if self.content else checkpoint.peeked(path)

    @property
    def seq(self) -> int:
        return self.content[1].seq if self.content else 0

    def compare(self, tables: Tables, head: Head) -> None:
        """Take note of the lines that are not as the log has them, once the log has been read up to the checkpoint."""
        if self.data is None or self._place is None or head.seq != self._place.seq:
            return
        self._compared = True
        there, wanted = self.data.split(b"\n"), checkpoint.encoded(tables, head).split(b"\n")
        longest = max(len(there), len(wanted))
        differing = [line for line in range(1, longest + 1) if there[line - 1 : line] != wanted[line - 1 : line]]
        self.problems += [f"{self.path}:{line}: this line is not what the log says." for line in differing[:_SHOWN]]
        if len(differing) > _SHOWN:
            self.problems.append(f"{self.path}: {len(differing) - _SHOWN} more lines are not what the log says.")

    def conclude(self, survey: Survey) -> None:
        """After the whole log was read."""
        if self.data is None or (self._compared and not survey.unknown):
            return
        if self._unreadable:
            self.problems = [self._unreadable]
        elif survey.unknown:
            # A damaged log says nothing about the documents; the checksum still does.
            self.problems = []
            if not self.right:
                self.problems.append(f"{self.path}: the checksum does not fit: it was changed after it was written.")
        else:
            ends = f"but the log ends with line {survey.head.seq}"
            self.problems.append(f"{self.path}:3: is as of line {self.seq}, {ends}.")


def verified(place: Place) -> VerifyReport:
    """Read everything and compare: the log with itself, db.json and the documents in memory with the log."""
    there = _Checkpoint(place.checkpoint)  # read before the end of the log is asked for, so that the log covers it
    snapshot = place.snapshot()
    survey = surveyed(place.journal, snapshot[1] if snapshot else None, there.compare)
    there.conclude(survey)
    problems = [_sentence(place, fault) for fault in survey.unknown] + there.problems
    if snapshot is not None and not survey.unknown and survey.tables.differences(snapshot[0]):
        problems.append("The documents in memory are not those of the log: close the store and open it again.")
    return VerifyReport(survey.lines, not problems, problems)


def repaired(place: Place) -> list[str]:
    """Mend everything that `verified` names; the caller holds the store's lock. Returns what was done."""
    there = _Checkpoint(place.checkpoint)
    survey = surveyed(place.journal, None, there.compare)
    there.conclude(survey)
    done: list[str] = []
    if survey.torn is not None:
        torn = place.journal.set_aside_after(*survey.torn)
        if torn is not None:
            known = f"{place.checkpoint.name} is as of line {there.seq}, so it was acknowledged"
            said = known if there.seq > survey.head.seq else "never acknowledged"
            done.append(f"The torn end of the log ({torn[1]} bytes; {said}) was set aside in {torn[0]}.")
    if not survey.unknown and not there.problems:
        return done
    if there.data is not None and there.problems:
        copy = set_aside(place.folder, place.checkpoint.name, there.data)
        done.append(f"{place.checkpoint} did not fit the log; it was set aside in {copy}.")
    for fault in survey.unknown:
        copy = set_aside(place.folder, f"{fault.file}.line-{fault.line}", _line(place.journal, fault))
        done.append(f"{_sentence(place, fault)} It stays, marked as known; a copy is in {copy}.")
    kept, saying = _kept(place.journal, survey, there)
    changes = survey.tables.differences(kept)
    head = survey.head
    if survey.unknown or changes or there.seq > head.seq:
        done.append(saying)
        entry = {
            "type": REPAIRED,
            "faults": [asdict(fault) for fault in survey.unknown],
            "lost_lines": max(0, there.seq - head.seq),
            "done": done,
        }
        raw, ts = seal(entry, changes, replace(head, seq=max(head.seq, there.seq)))
        segment, offset = place.journal.append(head, raw)
        survey.tables.apply(changes)
        seq = max(head.seq, there.seq) + 1
        head = Head(seq, ts, fingerprint(raw), head.lines + 1, segment, offset)
    checkpoint.write(place.checkpoint, survey.tables, head)
    return [*done, f"{place.checkpoint} was written anew."]


def _kept(journal: Journal, survey: Survey, there: _Checkpoint) -> tuple[Tables, str]:
    """Which documents to go on with, and why, as a sentence."""
    if there.content is None or not (there.right or there.seq > survey.head.seq):
        return survey.tables, "The documents are those of the readable lines of the log."
    tables, head = there.content
    if head.seq > survey.head.seq:
        return tables, f"The log ended before db.json did: the documents are those of db.json, as of line {head.seq}."
    if not survey.unknown:
        return survey.tables, "The documents are those of the log."
    for _, _, raw in journal.forward(1, 0):
        with suppress(ValueError):
            line = parsed(raw)
            if line["seq"] > head.seq:
                tables.apply(line["changes"])
    return tables, f"The documents are those of db.json, as of line {head.seq}, and of the readable lines after it."


def _sentence(place: Place, fault: Fault) -> str:
    return f"{place.journal.folder / fault.file}:{fault.line}: this line {fault.reason}."


def _line(journal: Journal, fault: Fault) -> bytes:
    with (journal.folder / fault.file).open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if number == fault.line:
                return raw
    return b""


def _line_of(data: bytes, problem: ValueError) -> int:
    # JSONDecodeError knows the line, UnicodeDecodeError the byte; else it is about `_meta`, which is in line 3.
    if isinstance(problem, UnicodeDecodeError):
        return data.count(b"\n", 0, problem.start) + 1
    return int(getattr(problem, "lineno", 3))
