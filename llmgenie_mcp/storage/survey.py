"""Reading a whole log that may be damaged: every fault is named, and what can be read is replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, field, replace
from typing import Any

from llmgenie_mcp.errors import StorageDamaged, counted
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.storage.documents import Tables
from llmgenie_mcp.storage.journal import Journal
from llmgenie_mcp.storage.lines import Head, fingerprint, parsed

REPAIRED = "storage.repaired"
"""Type of the log line that a repair writes. Faults listed in such a line are known and stop nobody any more."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is not as it was written.

    Attributes:
        file: name of the segment.
        line: counted from 1.
        sha256: of the line as it is now.
        reason: the rest of a sentence that begins with file and line.
    """

    file: str
    line: int
    sha256: str
    reason: str

    @property
    def key(self) -> tuple[str, int, str]:
        """What makes two faults the same; a line that is changed once more has another."""
        return self.file, self.line, self.sha256


@dataclass(slots=True)
class Survey:
    """What a log holds.

    Attributes:
        tables: the documents after replaying every line that can be read.
        head: the last line; an unreadable one counts for a seq.
        lines: how many lines there are, readable or not.
        faults: every fault, known or not, in order.
        torn: segment and offset where a torn end begins, if there is one.
    """

    tables: Tables = field(default_factory=Tables)
    head: Head = field(default_factory=Head)
    lines: int = 0
    faults: list[Fault] = field(default_factory=list)
    torn: tuple[int, int] | None = None
    _known: set[tuple[object, object, object]] = field(default_factory=set)
    _last: Fault | None = None  # the line before, as the fault it would be
    _suspect: Fault | None = None  # the line after `_suspect` carries another hash than it has
    _blind: bool = False  # the line before could not be read

    @property
    def unknown(self) -> list[Fault]:
        """The faults that no repair has recorded."""
        return [fault for fault in self.faults if fault.key not in self._known]

    def take(self, fault: Fault, raw: bytes, segment: int, end: int) -> None:
        """Take in one whole line. `fault` is what it would be, were something wrong with it; `end` its end's offset."""
        self.lines += 1
        try:
            line = parsed(raw)
        except ValueError as problem:
            self._settle()
            self.faults.append(replace(fault, reason=f"cannot be read: {problem}"))
            self.head = replace(self.head, seq=self.head.seq + 1, hash=fault.sha256, segment=segment, offset=end)
            self._last, self._blind = None, True
            return
        self._check(fault, line)
        self._last, self._blind = fault, False
        self.tables.apply(line["changes"])
        self.head = Head(line["seq"], line["ts"], fault.sha256, self.head.lines + 1, segment, end)
        if line["type"] == REPAIRED and isinstance(line.get("faults"), list):
            self._known |= {
                (f.get("file"), f.get("line"), f.get("sha256")) for f in line["faults"] if isinstance(f, dict)
            }

    def _check(self, fault: Fault, line: dict[str, Any]) -> None:
        gap = line["seq"] - self.head.seq - 1
        if gap > 0 and not (line["type"] == REPAIRED and line["prev"] == self.head.hash):
            self._settle()
            self.faults.append(replace(fault, reason=f"follows a gap: {counted(gap, 'line')} missing before it"))
        elif gap < 0:
            self._settle()
            self.faults.append(replace(fault, reason=f"has seq {line['seq']}, which was there before"))
        elif line["prev"] == self.head.hash:
            self._settle()
        elif self._suspect is not None and self._last is not None:
            # Neither the line before it nor the line after it agrees with the last line: that one was changed.
            self._suspect = self._last
            self._settle()
        elif self._last is not None:
            self._suspect = self._last
        elif not self._blind:
            self.faults.append(replace(fault, reason="is the first line and does not carry 64 zeros as prev"))

    def _settle(self) -> None:
        if self._suspect is not None:
            reason = "was changed after it was written: the hashes around it do not fit"
            self.faults.append(replace(self._suspect, reason=reason))
            self._suspect = None

    def finish(self) -> None:
        """To be called after the last line."""
        self._settle()


def surveyed(
    journal: Journal, end: Head | None = None, reached: Callable[[Tables, Head], None] | None = None
) -> Survey:
    """Read the log from its first line.

    Args:
        end: go no further (others may be writing); None: as far as it goes.
        reached: called after each readable line, with the documents and the place as of it; must not keep them.
    """
    survey = Survey()
    segments = journal.segments()
    for segment in segments:
        if end is not None and segment > end.segment:
            break
        name, offset = journal.path(segment).name, 0
        stop = end.offset if end is not None and segment == end.segment else None
        for number, (start, raw) in enumerate(journal.lines_of(segment, 0, stop), start=1):
            fault = Fault(name, number, fingerprint(raw), "")
            if b"\0" in raw and journal.is_torn(segment, start, raw):
                break
            offset = start + len(raw)
            survey.take(fault, raw, segment, offset)
            if reached is not None:
                reached(survey.tables, survey.head)
        if stop is None and journal.size(segment) > offset:
            if segment == segments[-1]:
                survey.torn = segment, offset
            else:
                rest = journal.path(segment).read_bytes()[offset:]
                fault = Fault(name, journal.line_number(segment, offset), fingerprint(rest), "")
                survey.take(fault, rest, segment, offset + len(rest))
    survey.finish()
    return survey


def damage(journal: Journal, fault: Fault) -> StorageDamaged:
    """The error that names a fault and the way out."""
    return StorageDamaged(
        f"{journal.folder / fault.file}:{fault.line}: this line {fault.reason}.",
        "Run `llmgenie doctor --repair`: it keeps a copy of everything it sets aside.",
        **asdict(fault),
    )
