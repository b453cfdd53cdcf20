"""The store in a folder: a log that is appended to, and a checkpoint of the documents that is replaced as a whole.

A commit appends one line to the log and waits for the disk; only then do the tables in memory change. Opening reads the
checkpoint and the lines after it. Other processes' commits are taken in by reading the log further. So the log alone is
the truth: the checkpoint follows from it, and may be removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from llmgenie_mcp.errors import StorageDamaged, StorageError
from llmgenie_mcp.storage import Durability, VerifyReport, checkpoint, mending
from llmgenie_mcp.storage.base import BaseStorage
from llmgenie_mcp.storage.disk import make_folder, refusals, refuse_links, replace_file, set_aside
from llmgenie_mcp.storage.documents import Tables
from llmgenie_mcp.storage.journal import SEGMENT_BYTES, Journal
from llmgenie_mcp.storage.lines import Head, fingerprint, parsed
from llmgenie_mcp.storage.lock import FolderLock
from llmgenie_mcp.storage.survey import REPAIRED, damage, surveyed

CHECKPOINT_BYTES = 1024 * 1024
CHECKPOINT_TIMEOUT = 1.0  # seconds that a commit or a close waits for others on account of a checkpoint
GITIGNORE = "/*\n!/llmgenie.yaml\n!/workflows\n!/policies\n!/scenarios\n!/actions\n!/triggers\n"
"""Only what a team writes goes into git; not this file, so that a first task leaves the working tree clean."""


class _BrokenError(Exception):
    """The log does not go on from where we are."""


class FolderStorage(BaseStorage):
    """A store in `folder`, shared with other processes.

    Opening never fails because of damage: the first use then raises StorageDamaged, and `verify` and `repair` work.
    A folder that does not exist is an empty store; the first `begin` creates it (its parent must exist).

    Args:
        folder: where the files are.
        durability: "full": a commit waits for the disk; "relaxed": it does not, a checkpoint does.
        lock_timeout: seconds to wait for another process before StorageBusy.
        read_only: never write anything; `begin` raises StorageReadOnly.
        segment_bytes: a file of the log that has reached this size is followed by a new one.
        checkpoint_bytes: a checkpoint is written when the log grew by this much, and by half the size of db.json, since
            the last: so that a commit costs the same however many documents there are.

    Raises:
        StorageError: the folder cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durability: Durability = "full",
        lock_timeout: float = 10.0,
        read_only: bool = False,
        segment_bytes: int = SEGMENT_BYTES,
        checkpoint_bytes: int = CHECKPOINT_BYTES,
    ) -> None:
        super().__init__(str(folder), read_only=read_only, lock_timeout=lock_timeout)
        # Absolute, so that a later change of the working directory does not move the store.
        self._folder = folder.absolute()
        self._checkpoint = self._folder / "db.json"
        self._durable = durability == "full"
        self._journal = Journal(self._folder / "meta-log", durable=self._durable, segment_bytes=segment_bytes)
        self._lock = FolderLock(self._folder / "lock")
        self._checkpoint_bytes = checkpoint_bytes
        self._stale = False  # forked: what is in memory may be half of something
        self._due = checkpoint_bytes  # bytes of log after which a checkpoint is due
        self._holding = False  # this process holds the folder's lock: nobody else can have written
        self._committed = False  # since the last checkpoint
        self._tail_bytes = 0  # of the log after the checkpoint
        self._distrusted = False  # db.json is not what the log says
        self._damage_mark: object = None
        with refusals(self._folder, "read"):
            refuse_links(self._folder)
            self._load()

    # Taking in what is on the disk

    def refresh(self) -> int:
        """Take in what other processes committed; returns the last seq. Two system calls when nothing was.

        When the folder was removed or replaced since, the store is what is there now, and `warnings` says so.
        """
        with self._mutex, refusals(self._folder, "read"):
            if not self._holding and not self._closed:
                self._catch_up()
            self._check_usable()
            return self._head.seq

    def secure(self) -> None:
        """Wait until all that was read so far would survive a power loss, as an acknowledged commit does.

        Raises:
            StorageError: the disk refuses.
        """
        with self._mutex, refusals(self._journal.folder, "write"):
            self._check_usable()
            if self._durable and self._head.seq:
                self._journal.flush(self._head.segment)

    def _check_usable(self) -> None:
        if self._stale and not self._closed:
            with refusals(self._folder, "read"):
                self._load()
        super()._check_usable()

    def _catch_up(self) -> bool:
        """Take in what is new; True when nothing was."""
        if self._stale or (self._trouble is not None and self._damage_mark != self._mark()):
            self._load()
        if self._trouble is not None:
            return False
        status = self._journal.status(self._head)
        if status == "grown":
            if not self._follows():
                self._load()
        elif status == "replaced":
            self._load()
            self._warn(f"{self._folder} was removed or replaced while in use; the store is what is there now.")
        return status == "same"

    def _load(self) -> None:
        """Everything anew: db.json and the lines after it, or the whole log where the two do not fit."""
        self._stale = True  # until all is read; should the disk refuse, the next use tries again
        self._journal.close()
        self._trouble = None
        try:
            self._load_checkpoint()
            if self._distrusted or not self._follows():
                self._rebuild()
        except StorageDamaged as found:
            self._tables, self._head = Tables(), Head()
            self._damage_mark = self._mark()
            self._trouble = found
        self._stale = False

    def _follows(self) -> bool:
        try:
            self._follow()
        except _BrokenError:
            return False
        return True

    def _load_checkpoint(self) -> None:
        self._tables, self._head, self._tail_bytes, self._distrusted = Tables(), Head(), 0, False
        self._due = self._checkpoint_bytes
        with suppress(FileNotFoundError):
            data = self._checkpoint.read_bytes()
            self._due = max(self._checkpoint_bytes, len(data) // 2)
            try:
                tables, head, right = checkpoint.decoded(data)
            except ValueError:
                right = False
            if right:
                self._tables, self._head = tables, head
            else:
                self._distrusted = True

    def _follow(self) -> None:
        """Take in the lines after the head, up to a torn end.

        Raises:
            _BrokenError: the next line does not follow. What came before it has been taken in.
        """
        head, journal = self._head, self._journal
        if journal.status(head) == "replaced" or not journal.ends_line(head.segment, head.offset):
            raise _BrokenError
        for segment, offset, raw in journal.forward(head.segment, head.offset):
            try:
                line = parsed(raw)
            except ValueError:
                if journal.is_torn(segment, offset, raw):
                    break
                raise _BrokenError from None
            seq = line["seq"]
            if line["prev"] != head.hash or (seq != head.seq + 1 and (line["type"] != REPAIRED or seq <= head.seq)):
                raise _BrokenError
            self._tables.apply(line["changes"])
            head = Head(seq, line["ts"], fingerprint(raw), head.lines + 1, segment, offset + len(raw))
            self._head = head
            journal.note(seq, segment, offset)
            self._tail_bytes += len(raw)
        journal.watch(head.segment)

    def _rebuild(self) -> None:
        survey = surveyed(self._journal)
        if survey.unknown:
            raise damage(self._journal, survey.unknown[0])
        there = checkpoint.peeked(self._checkpoint)
        if not survey.lines or (there is not None and there.seq > survey.head.seq):
            raise StorageDamaged(
                f"{self._checkpoint}: this file is damaged, or the end of {self._journal.folder} is missing.",
                "Run `llmgenie doctor --repair`: it keeps the documents it can read and a copy of everything else.",
                file=str(self._checkpoint),
            )
        self._tables, self._head, self._distrusted = survey.tables, survey.head, True
        self._tail_bytes = self._due + 1
        self._warn(f"{self._checkpoint} is missing or does not fit the log: the documents were rebuilt from the log.")

    def _mark(self) -> object:
        files = [self._checkpoint, *map(self._journal.path, self._journal.segments())]
        found: list[tuple[str, int, int]] = []
        for path in files:
            with suppress(FileNotFoundError):
                stat = path.stat()
                found.append((path.name, stat.st_size, stat.st_mtime_ns))
        return found

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    # Writing

    def _shut_out(self, timeout: float) -> None:
        with refusals(self._folder, "write"):
            try:
                self._lock.acquire(timeout)
            except FileNotFoundError:
                make_folder(self._folder)
                self._lock.acquire(timeout)
        try:
            with self._mutex, refusals(self._folder, "write"):
                quiet = self._catch_up() and self._journal.is_writing(self._head.segment)
                if self._trouble is None and not quiet:
                    self._make_ready()
                self._holding = True
        except BaseException:
            self._let_in()
            raise

    def _let_in(self) -> None:
        with self._mutex:
            self._holding = False
        with refusals(self._lock.path, "write"):
            self._lock.release()

    def _make_ready(self) -> None:
        if not self._head.seq:
            self._ignore_in_git()
        else:
            self._journal.open_for_writing(self._head.segment)
        if self._journal.status(self._head) == "same":
            return
        head = self._head
        for segment, offset in ((head.segment, head.offset), (head.segment + 1, 0)):
            torn = self._journal.set_aside_after(segment, offset)
            if torn is not None:
                copy, size = torn
                self._warn(
                    f"{self._journal.path(segment)} ended in {size} bytes of a write that was never acknowledged; "
                    f"they were set aside in {copy}."
                )

    def _ignore_in_git(self) -> None:
        path = self._folder / ".gitignore"
        if not path.exists() or not path.stat().st_size:
            replace_file(path, GITIGNORE.encode())

    def _append(self, raw: bytes) -> tuple[int, int]:
        place = self._journal.append(self._head, raw)
        self._committed = True
        self._tail_bytes += len(raw)
        return place

    # The checkpoint

    def checkpoint(self) -> None:
        """Write db.json now, unless it is up to date.

        Raises:
            StorageBusy, StorageFull, StorageReadOnly, StorageDamaged: the old db.json is still there.
        """
        if self.read_only or self.refresh():
            with self._exclusive(self._lock_timeout):
                self._check_usable()
                self._write_checkpoint()

    def _settle(self) -> None:
        if self._tail_bytes <= self._due:
            return
        with self._postponing(), refusals(self._checkpoint, "read"):
            there = checkpoint.peeked(self._checkpoint)
            if there is not None and not self._distrusted and self._journal.distance(there, self._head) <= self._due:
                self._tail_bytes = self._journal.distance(there, self._head)  # another process was faster
                return
            with self._exclusive(CHECKPOINT_TIMEOUT):
                self._check_usable()
                self._write_checkpoint()

    @contextmanager
    def _postponing(self) -> Iterator[None]:
        # The commits before it are good whether it works or not; a failed one is tried again after as many bytes more.
        try:
            yield
        except StorageError as problem:
            self._tail_bytes = 0
            self._warn(f"{self._checkpoint} could not be written (no commit is lost): {problem.message}")

    def _write_checkpoint(self) -> None:
        there = checkpoint.peeked(self._checkpoint)
        if self._distrusted or there is None or there != self._head:
            with refusals(self._checkpoint, "write"):
                if self._distrusted:
                    with suppress(FileNotFoundError):
                        copy = set_aside(self._folder, "db.json", self._checkpoint.read_bytes())
                        self._warn(f"The db.json that did not fit the log was set aside in {copy}.")
                self._journal.flush(self._head.segment)
            size = checkpoint.write(self._checkpoint, self._tables, self._head)
            self._due = max(self._checkpoint_bytes, size // 2)
            self._distrusted = False
        self._tail_bytes = 0
        self._committed = False

    def _before_close(self) -> None:
        if self._committed and not self.read_only:
            with self._postponing(), self._alone():
                self._check_usable()
                self._write_checkpoint()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._shut_out(CHECKPOINT_TIMEOUT)
        try:
            yield
        finally:
            self._let_in()

    def _release(self) -> None:
        self._journal.close()
        self._lock.close()

    # Reading the log, checking, mending

    def _lines(self, head: Head, first: int, last: int, *, newest_first: bool) -> Iterator[bytes]:
        with refusals(self._journal.folder, "read"):
            start, end = self._journal.find(first, head), self._journal.find(last + 1, head)
            if newest_first:
                yield from self._journal.backward(end, start)
            else:
                yield from (raw for _, _, raw in self._journal.forward(*start, end))

    def _unreadable(self, problem: ValueError) -> None:
        unknown = surveyed(self._journal).unknown
        if unknown:
            raise damage(self._journal, unknown[0]) from problem

    def verify(self) -> VerifyReport:
        """Read the whole log, check the hash chain, and replay it against db.json and the documents in memory."""
        self._check_open()
        with refusals(self._folder, "read"):
            return mending.verified(self._place())

    def repair(self) -> list[str]:
        """Mend what `verify` or opening names; returns what was done, a sentence each.

        The bytes of the log stay as they are: what is wrong in it is listed in a new line of type `storage.repaired`,
        which also carries the changes that give the documents back what the damaged lines gave them, as far as db.json
        still has it. Damaged lines, a torn end and a db.json that does not fit are kept in `set-aside/`.

        Raises:
            StorageBusy, StorageFull, StorageReadOnly: nothing was changed that is not said in `set-aside/`.
        """
        with refusals(self._folder, "read"):
            if not self._checkpoint.exists() and not self._journal.segments():
                return []
        before = len(self.warnings)
        with self._exclusive(self._lock_timeout), refusals(self._folder, "write"):
            done = mending.repaired(self._place())
            if done:
                with self._mutex:
                    self._load()
        return self.warnings[before:] + done

    def _place(self) -> mending.Place:
        return mending.Place(self._folder, self._checkpoint, self._journal, self._snapshot)

    def _snapshot(self) -> tuple[Tables, Head] | None:
        with self._mutex:
            if not self._holding and not self._closed:
                self._catch_up()
            return None if self._trouble is not None else (self._tables.snapshot(), self._head)

    # Forking

    def renew_in_child(self) -> None:
        """Share nothing with the parent any more, and read the files afresh at the next use."""
        super().renew_in_child()
        self._holding = self._committed = False
        self._lock.close()
        self._stale = True
