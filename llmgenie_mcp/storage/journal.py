"""The files of the meta-log: appending a line durably, reading forwards, backwards, and from any seq.

Segments `000001.jsonl`, `000002.jsonl` … are only ever appended to, by whoever holds the store's lock, and never
removed. A line counts when its line feed is there. What follows the last line feed is the torn end of a write that was
never acknowledged: readers pass over it, the next writer sets it aside.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from llmgenie_mcp.storage.disk import (
    flush,
    let_go,
    make_folder,
    read_up_to,
    refusals,
    set_aside,
    sync_folder,
    write_all,
)
from llmgenie_mcp.storage.lines import Head

SEGMENT_BYTES = 8 * 1024 * 1024
RECENT = 256
"""So many lines are found without a search."""
_BLOCK = 64 * 1024
_PROBE = 4 * 1024
_SEGMENT = re.compile(r"\d{6,}\.jsonl")
_SEQ = re.compile(rb'\{"seq":(\d+),')


class Journal:
    """The segments in one folder. Lines may be read by any thread; all else is for one thread at a time.

    Args:
        folder: where the segments are; created at the first append (its parent must exist).
        durable: wait for the disk at every append.
        segment_bytes: a segment that has reached this size is followed by a new one.
    """

    def __init__(self, folder: Path, *, durable: bool = True, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self._durable = durable
        self._segment_bytes = segment_bytes
        self._paths: dict[int, Path] = {}
        self._names: dict[int, str] = {}  # as text: asked for at every call, and Path objects take twice the time
        self._writing: tuple[int, int] | None = None  # segment, descriptor
        # Kept open, so that its inode number is not given to another file while we compare with it.
        self._watched: tuple[int, int] | None = None  # segment, descriptor
        self._identity = (0, 0)
        self._recent: dict[int, tuple[int, int]] = {}
        self._named = False  # the name of the folder that the log's is in is on the disk

    def path(self, segment: int) -> Path:
        """The file of a segment."""
        path = self._paths.get(segment)
        if path is None:
            path = self._paths[segment] = self.folder / f"{segment:06d}.jsonl"
        return path

    def segments(self) -> list[int]:
        """The numbers of the segments there are, ascending."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(int(name[:-6]) for name in names if _SEGMENT.fullmatch(name))

    def size(self, segment: int) -> int:
        """Bytes of a segment; 0 when it is not there."""
        try:
            return self.path(segment).stat().st_size
        except FileNotFoundError:
            return 0

    def line_number(self, segment: int, offset: int) -> int:
        """The number of the line that begins at `offset`, counted from 1."""
        with self.path(segment).open("rb") as file:
            return file.read(offset).count(b"\n") + 1

    def ends_line(self, segment: int, offset: int) -> bool:
        """Whether a line begins at `offset`, to tell a place in this log from one in another."""
        if not offset:
            return True
        with self.path(segment).open("rb") as file:
            file.seek(offset - 1)
            return file.read(1) == b"\n"

    def distance(self, start: Head, end: Head) -> int:
        """Bytes of log between two places; negative when `end` comes first."""
        between = sum(self.size(segment) for segment in range(start.segment, end.segment))
        return between + end.offset - start.offset

    # Watching

    def watch(self, segment: int) -> None:
        """Remember which file `segment` is, so that `status` notices when it is replaced."""
        if self._watched is not None and self._watched[0] == segment:
            return
        if self._watched is not None:
            fd, self._watched = self._watched[1], None
            let_go(fd)
        with suppress(FileNotFoundError):
            fd = os.open(self.path(segment), os.O_RDONLY | os.O_CLOEXEC)
            try:
                mine = os.fstat(fd)
            except BaseException:
                let_go(fd)
                raise
            self._watched = segment, fd
            self._identity = mine.st_dev, mine.st_ino

    def status(self, head: Head) -> Literal["same", "grown", "replaced"]:
        """What happened to the log since it was read up to `head`; two system calls when nothing did."""
        self.watch(head.segment)
        try:
            there = os.stat(self._name(head.segment))  # noqa: PTH116
        except FileNotFoundError:
            return "replaced" if head.offset else "same"
        if self._watched is None:
            return "grown"
        if (there.st_dev, there.st_ino) != self._identity or there.st_size < head.offset:
            return "replaced"
        if there.st_size > head.offset or self._is_there(head.segment + 1):
            return "grown"
        return "same"

    def _is_there(self, segment: int) -> bool:
        # Mostly it is not, and an exception costs more than the question.
        return os.access(self._name(segment), os.F_OK)

    def _name(self, segment: int) -> str:
        name = self._names.get(segment)
        if name is None:
            name = self._names[segment] = os.fspath(self.path(segment))
        return name

    # Reading

    def lines_of(
        self, segment: int, offset: int = 0, stop: int | None = None, block: int = _BLOCK
    ) -> Iterator[tuple[int, bytes]]:
        """Offset and bytes of each whole line of a segment, from `offset` up to `stop` (None: its end)."""
        fd = os.open(self.path(segment), os.O_RDONLY | os.O_CLOEXEC)
        try:
            rest = b""
            position = offset  # of the end of what has been read
            while stop is None or position < stop:
                data = os.pread(fd, block if stop is None else min(block, stop - position), position)
                if not data:
                    return
                position += len(data)
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    yield offset, line + b"\n"
                    offset += len(line) + 1
                block = min(block * 2, SEGMENT_BYTES)
        finally:
            let_go(fd)

    def forward(
        self, segment: int, offset: int, end: tuple[int, int] | None = None
    ) -> Iterator[tuple[int, int, bytes]]:
        """Segment, offset and bytes of each whole line from a place on, up to `end` or as far as there are segments."""
        within = end is not None and end[0] == segment and self._is_there(segment)
        for number in (segment,) if within else self.segments():
            if number < segment or (end is not None and number > end[0]):
                continue
            stop = end[1] if end is not None and number == end[0] else None
            for place, raw in self.lines_of(number, offset if number == segment else 0, stop):
                yield number, place, raw

    def backward(self, start: tuple[int, int], end: tuple[int, int]) -> Iterator[bytes]:
        """The lines before the place `start`, newest first, down to the one that begins at `end`, block by block."""
        for segment in reversed(self.segments()):
            if not end[0] <= segment <= start[0]:
                continue
            floor = end[1] if segment == end[0] else 0
            position = start[1] if segment == start[0] else self.size(segment)
            fd = os.open(self.path(segment), os.O_RDONLY | os.O_CLOEXEC)
            try:
                rest, block = b"", _BLOCK
                position -= 1  # the line feed of the last line
                while position > floor:
                    start_of_block = max(floor, position - block)
                    rest = read_up_to(fd, position - start_of_block, start_of_block) + rest
                    position = start_of_block
                    rest, *whole = rest.split(b"\n")
                    for line in reversed(whole):
                        yield line + b"\n"
                    block = min(block * 2, SEGMENT_BYTES)
                if rest:
                    yield rest + b"\n"
            finally:
                let_go(fd)

    def find(self, seq: int, head: Head) -> tuple[int, int]:
        """The place of the first line whose seq is `seq` or more, found by halving; the end when there is none."""
        if seq > head.seq:
            return head.segment, head.offset
        if (place := self._recent.get(seq)) is not None:
            return place
        segments = self.segments()
        if seq <= 1 and segments:
            return segments[0], 0  # whatever the log begins with, without a look into every segment
        segment, stop = head.segment, head.offset
        for segment in reversed(segments):
            if segment > head.segment:
                continue
            stop = head.offset if segment == head.segment else self.size(segment)
            first = self._seq_after(segment, 0, stop)
            if first is not None and first[1] <= seq:
                break
        low, high = 0, stop  # every line that begins before low has a smaller seq; high is no further than the answer
        while high - low > _BLOCK:
            middle = (low + high) // 2
            found = self._seq_after(segment, middle, high)
            if found is None or found[1] >= seq:
                high = middle
            else:
                low = found[0]
        for offset, raw in self.lines_of(segment, low, stop):
            match = _SEQ.match(raw)
            if match and int(match[1]) >= seq:
                return segment, offset
        return segment, stop

    def _seq_after(self, segment: int, position: int, stop: int) -> tuple[int, int] | None:
        # Offset and seq of the first whole line that begins at or after `position`. A damaged line has none: go on.
        begin = max(0, position - 1)
        for number, (offset, raw) in enumerate(self.lines_of(segment, begin, stop, _PROBE)):
            if number == 0 and position > 0:
                continue  # the rest of the line in which `position` lies, or of the one that ends just before it
            match = _SEQ.match(raw)
            if match:
                return offset, int(match[1])
        return None

    # Writing

    def append(self, head: Head, raw: bytes) -> tuple[int, int]:
        """Write the line that follows `head`; returns segment and offset after it.

        Raises:
            StorageFull, StorageReadOnly, StorageError: nothing of it is left. Only when the disk refuses both to write
                and to shorten the file does the error say that the line may be there.
        """
        segment, offset = head.segment, head.offset
        with refusals(self.path(segment), "write"):
            if offset >= self._segment_bytes:
                self.flush(segment)
                segment, offset = segment + 1, 0
            fd = self.open_for_writing(segment)
            try:
                write_all(fd, raw)
                if self._durable:
                    flush(fd)
            except BaseException as problem:
                self._take_back(fd, offset, problem)
                raise
        self.note(head.seq + 1, segment, offset)
        return segment, offset + len(raw)

    def note(self, seq: int, segment: int, offset: int) -> None:
        """Remember where a line begins: who listens to the log asks for the newest lines again and again."""
        self._recent[seq] = segment, offset
        if len(self._recent) > RECENT:
            self._recent.pop(next(iter(self._recent)), None)

    def _take_back(self, fd: int, offset: int, problem: BaseException) -> None:
        # After a failed flush the kernel may call the pages clean although the disk has not got them, so the line must
        # not stay, nor be flushed again in the hope that it works now.
        try:
            os.ftruncate(fd, offset)
            if self._durable:
                flush(fd)
        except OSError as refused:
            problem.add_note(f"The file could not be shortened again for certain ({refused}): it may be in the log.")

    def is_writing(self, segment: int) -> bool:
        """Whether the segment is open for appending."""
        return self._writing is not None and self._writing[0] == segment

    def open_for_writing(self, segment: int) -> int:
        """The descriptor that appends to a segment; the file and its folder are created when missing."""
        if self._writing is not None:
            number, fd = self._writing
            if number == segment:
                return fd
            self._writing = None
            os.close(fd)
        make_folder(self.folder)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self.path(segment), flags, 0o666)
        try:
            if self._durable:
                self._secure_names()
        except BaseException:
            os.close(fd)
            raise
        self._writing = segment, fd
        self.watch(segment)
        return fd

    def _secure_names(self) -> None:
        # Also when the files were there: whoever made them may have been killed before their names were on the disk.
        sync_folder(self.folder)
        if not self._named:
            with suppress(PermissionError):  # a folder above may be closed to us, and is then not ours to flush
                sync_folder(self.folder.parent.parent)
            self._named = True

    def flush(self, segment: int) -> None:
        """Wait until a segment and its name are on the disk, whoever wrote it."""
        fd = os.open(self.path(segment), os.O_RDONLY | os.O_CLOEXEC)
        try:
            flush(fd)
        finally:
            os.close(fd)
        sync_folder(self.folder)

    def is_torn(self, segment: int, offset: int, raw: bytes) -> bool:
        """Whether an unreadable whole line is the torn end of the log: the last, with blocks the disk never got.

        Those read as zero bytes. Without any, the line was written whole and damaged later, and may be acknowledged.
        """
        last = offset + len(raw) == self.size(segment) and not self.size(segment + 1)
        return last and b"\0" in raw

    def set_aside_after(self, segment: int, offset: int) -> tuple[Path, int] | None:
        """Cut off what follows `offset`, keeping a copy; returns the copy and its size, or None if nothing follows.

        Raises:
            StorageFull, StorageReadOnly, StorageError: nothing was changed.
        """
        size = self.size(segment)
        if size <= offset:
            return None
        with refusals(self.path(segment), "write"):
            fd = os.open(self.path(segment), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                torn = read_up_to(fd, size - offset, offset)
                copy = set_aside(self.folder.parent, f"{self.path(segment).name}.at-{offset}", torn)
                os.ftruncate(fd, offset)
                flush(fd)
            finally:
                os.close(fd)
        return copy, len(torn)

    def close(self) -> None:
        """Close the files."""
        for opened in (self._writing, self._watched):
            if opened is not None:
                with suppress(OSError):
                    os.close(opened[1])
        self._writing = self._watched = None
        self._recent = {}

    __del__ = close
