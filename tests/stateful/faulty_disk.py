"""A folder whose system calls fail when they are told to, and which knows what a power cut would leave of it.

The files are real. What the store asks of `os`, `io` and `fcntl` about them goes through here, by those modules' own names,
so that nothing in the product knows of it. Beside the files is kept what the system has promised to be on the disk: the data
of a file as of its last successful flush, the names in a folder as of its last fsync (fsync(2)). After a power cut a file is
as it was then, or as after any later write, or has a part of that write, with zero bytes where blocks were not written; the
names in a folder are those of then, or as after any later change. A flush that failed leaves bytes that the kernel calls
written although they are not: they read well until the power cut, and as zero bytes after it.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

REAL = {
    name: getattr(os, name)
    for name in (
        *("open", "close", "write", "pread", "fdatasync", "fsync", "ftruncate", "replace", "mkdir", "unlink"),
        *("stat", "fstat", "listdir"),
    )
    if hasattr(os, name)
}
REAL_FLOCK, REAL_READ = fcntl.flock, io.open
BY_DESCRIPTOR = ("close", "write", "pread", "fdatasync", "fsync", "ftruncate", "fstat")

NOT_THE_STORES = (["llmgenie.yaml"], ["workflows"], ["policies"], ["triggers"], ["actions"], ["run"])
"""What else is in its folder: definitions and settings, which it neither reads nor writes."""

Pick = Callable[[int], int]
"""Chooses one of n: returns 0 ≤ i < n."""


class Crash(BaseException):
    """The process is gone at this point: nothing it would do afterwards happens."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to go wrong.

    Attributes:
        call: name of the system call, or `any`; `read` is opening a file by `io.open`.
        nth: which call of that name, counted from 0.
        how: an error number (for `any` the place of one in ERRORS); `short` (a write takes half); `interrupt` and
            `interrupt after` (Ctrl-C before or after it); `kill`, `kill within` (a write, half done) and `kill after`;
            `power` and `power after` (a power cut).
        times: so many calls in a row fail.
    """

    call: str
    nth: int
    how: int | str
    times: int = 1


@dataclass(slots=True)
class File:
    """One file.

    Attributes:
        reading: a descriptor of the harness's own; it also keeps the number of the file from being used again.
        versions: contents that may be on the disk; the first is there for certain, the last is the present one.
        lost: bytes, as (start, end), that a failed flush has not written.
    """

    reading: int
    versions: list[bytes]
    lost: list[tuple[int, int]] = field(default_factory=list)

    def note(self) -> None:
        """Take in what a call has changed."""
        data = REAL["pread"](self.reading, REAL["fstat"](self.reading).st_size, 0)
        self.lost = [(start, min(end, len(data))) for start, end in self.lost if start < len(data)]
        if data != self.versions[-1]:
            self.versions.append(data)

    def flushed(self) -> None:
        """All of it is on the disk, but for what a former flush has lost."""
        self.versions = [self._with_holes(self.versions[-1]), self.versions[-1]] if self.lost else self.versions[-1:]

    def not_flushed(self) -> None:
        """The kernel tried and failed."""
        first, last = self.versions[0], self.versions[-1]
        if len(last) > len(first):
            self.lost.append((len(first), len(last)))

    def survivor(self, pick: Pick) -> bytes:
        """What a power cut leaves."""
        number = pick(len(self.versions))
        found = self.versions[number]
        if number and found.startswith(self.versions[number - 1]):
            before = len(self.versions[number - 1])
            start = before + pick(len(found) - before + 1)
            kind = pick(4)
            if kind == 1:
                found = found[:start]
            elif kind == 2:
                found = found[:start] + bytes(len(found) - start)
            elif kind == 3:
                found = found[:before] + bytes(start - before) + found[start:]
        return self._with_holes(found)

    def _with_holes(self, data: bytes) -> bytes:
        for start, end in self.lost:
            data = data[:start] + bytes(max(0, min(end, len(data)) - start)) + data[end:]
        return data


class Disk:
    """Everything under one folder.

    Attributes:
        fault: what is to go wrong now, or None.
        fired: the calls that went wrong since it was armed, as (name, path, how).
        dead: the process is gone: whatever it still tries raises Crash.
        calls: how many calls of each name were made while one of that name was to go wrong.
    """

    def __init__(self, root: Path) -> None:
        self.root = os.fspath(root)
        self.fault: Fault | None = None
        self.fired: list[tuple[str, str, int | str]] = []
        self.dead = False
        self.calls: dict[str, int] = {}
        self._files: dict[int, File] = {}
        self._names: dict[str, list[dict[str, int]]] = {}
        self._paths: dict[int, str] = {}
        self._adopt(self.root)

    def arm(self, fault: Fault | None) -> None:
        """Let `fault` happen from now on; None: nothing goes wrong any more."""
        self.fault, self.fired, self.calls = fault, [], {}

    def close(self) -> None:
        """Give back the harness's own descriptors."""
        for file in self._files.values():
            REAL["close"](file.reading)
        self._files.clear()

    def cut(self, pick: Pick) -> None:
        """Cut the power: what is in the folder afterwards is what may have been on the disk."""
        left = self._survivors(self.root, pick)
        self._clear(self.root)
        self.close()
        for path, data in left:
            if data is None:
                REAL["mkdir"](path)
            else:
                times = data[1]
                with REAL_READ(path, "wb") as file:
                    file.write(data[0])
                os.utime(path, ns=(times, times))
        self._names.clear()
        self._paths.clear()
        self._adopt(self.root)

    # Following

    def follow(self, patch: pytest.MonkeyPatch) -> None:
        """Have the calls of this process go through here."""
        for name, real in REAL.items():
            patch.setattr(os, name, self._through(name, real))
        patch.setattr(fcntl, "flock", self._through("flock", REAL_FLOCK))
        patch.setattr(io, "open", self._through("read", REAL_READ))

    def _through(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        by_descriptor = name in BY_DESCRIPTOR or name == "flock"

        def call(*args: Any, **options: Any) -> Any:
            target = args[0] if args else options.get("path")
            path = self._paths.get(target) if by_descriptor else self._ours(target)
            if path is None:
                return real(*args, **options)
            if name == "close":
                self._paths.pop(args[0], None)
                if self.dead:
                    return real(*args)
            return self._call(name, path, real, args, options)

        return call

    def _ours(self, target: object) -> str | None:
        if isinstance(target, int) or target is None:
            return None
        path = os.fspath(target)  # type: ignore[call-overload]
        if not isinstance(path, str) or not path.startswith(self.root):
            return None
        return None if path[len(self.root) :].split("/")[2:3] in NOT_THE_STORES else path

    def _call(self, name: str, path: str, real: Callable[..., Any], args: Any, options: Any) -> Any:
        if self.dead:
            raise Crash
        fault = self.fault
        how = None if fault is None else self._due(fault, name)
        if how is None:
            return self._done(name, path, args, real(*args, **options))
        if how == errno.EACCES and path == self.root:
            how = errno.EIO  # a folder above the store that is closed to us stays so; the store does without its flush
        if isinstance(how, str) and how.endswith("after"):
            # It may fail by itself, and then nothing else goes wrong.
            made = self._done(name, path, args, real(*args, **options))
            if name == "read":
                made.close()  # nobody else will: whoever opened it is gone, or does not get it
        self.fired.append((name, path, how))
        if isinstance(how, int):
            return self._fail(name, path, how, real, args)
        if how in ("short", "kill within") and name == "write":
            written = self._done(name, path, args, real(args[0], args[1][: len(args[1]) // 2]))
            if how == "short":
                return written
        if how.startswith("interrupt"):
            raise KeyboardInterrupt
        self.dead = True
        raise Crash

    def _due(self, fault: Fault, name: str) -> int | str | None:
        """What this call is to do; None when it is not its turn."""
        if fault.call not in (name, "any") or (name == "close" and isinstance(fault.how, str)):
            return None  # what ends at a close would end as well at the call before it
        number = self.calls.get(fault.call, 0)
        self.calls[fault.call] = number + 1
        if not fault.nth <= number < fault.nth + fault.times:
            return None
        if fault.call == "any" and isinstance(fault.how, int):
            return ERRORS[name][fault.how % len(ERRORS[name])]
        return fault.how

    def _fail(self, name: str, path: str, number: int, real: Callable[..., Any], args: Any) -> Any:
        if name == "close":
            real(*args)  # close(2): the descriptor is gone whatever it says
        if name == "fdatasync":
            self._file(path, args[0]).not_flushed()
        raise OSError(number, os.strerror(number), *([] if isinstance(args[0], int) else [path]))

    def _done(self, name: str, path: str, args: Any, result: Any) -> Any:
        """What a call that went well has changed."""
        if name == "open":
            self._paths[result] = path
            if not stat.S_ISDIR(REAL["fstat"](result).st_mode):
                self._file(path, result).note()
            self._note_names(_folder_of(path))
        elif name in ("write", "ftruncate"):
            self._file(path, args[0]).note()
        elif name in ("fdatasync", "fsync"):
            if stat.S_ISDIR(REAL["fstat"](args[0]).st_mode):
                self._names[path] = [self._listing(path)]
            else:
                self._file(path, args[0]).flushed()
        elif name == "mkdir":
            self._names[path] = [{}]
            self._note_names(_folder_of(path))
        elif name == "unlink":
            self._note_names(_folder_of(path))
        elif name == "replace":
            self._note_names(_folder_of(os.fspath(args[1])))
        return result

    # What is there, and what will be left

    def _file(self, path: str, descriptor: int) -> File:
        number = REAL["fstat"](descriptor).st_ino
        file = self._files.get(number)
        if file is None:
            file = self._files[number] = File(REAL["open"](f"/proc/self/fd/{descriptor}", os.O_RDONLY), [b""])
        return file

    def _adopt(self, folder: str) -> None:
        """Take everything that is there as being on the disk."""
        self._names[folder] = [self._listing(folder)]
        for name in self._names[folder][0]:
            path = f"{folder}/{name}"
            if _is_folder(path):
                self._adopt(path)
            else:
                reading = REAL["open"](path, os.O_RDONLY)
                known = REAL["fstat"](reading)
                self._files[known.st_ino] = File(reading, [REAL["pread"](reading, known.st_size, 0)])

    @staticmethod
    def _listing(folder: str) -> dict[str, int]:
        return {
            name: REAL["stat"](f"{folder}/{name}", follow_symlinks=False).st_ino for name in REAL["listdir"](folder)
        }

    def _note_names(self, folder: str) -> None:
        known = self._names.setdefault(folder, [{}])
        now = self._listing(folder)
        if now != known[-1]:
            known.append(now)

    def _survivors(self, folder: str, pick: Pick) -> list[tuple[str, tuple[bytes, int] | None]]:
        listings = self._names.get(folder, [{}])
        left: list[tuple[str, tuple[bytes, int] | None]] = []
        for name, number in listings[pick(len(listings))].items():
            path = f"{folder}/{name}"
            if path in self._names:
                left += [(path, None), *self._survivors(path, pick)]
            elif number in self._files:
                file = self._files[number]
                left.append((path, (file.survivor(pick), REAL["fstat"](file.reading).st_mtime_ns)))
        return left

    def _clear(self, folder: str) -> None:
        for name in REAL["listdir"](folder):
            path = f"{folder}/{name}"
            if _is_folder(path):
                self._clear(path)
                Path(path).rmdir()
            else:
                REAL["unlink"](path)


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _is_folder(path: str) -> bool:
    return stat.S_ISDIR(REAL["stat"](path, follow_symlinks=False).st_mode)


ERRORS: dict[str, tuple[int | str, ...]] = {
    "write": (errno.ENOSPC, errno.EIO, errno.EINTR, "short", "kill within"),
    "fdatasync": (errno.EIO, errno.ENOSPC),
    "fsync": (errno.EIO, errno.ENOSPC),
    "replace": (errno.EIO, errno.ENOSPC, errno.EACCES),
    "open": (errno.EMFILE, errno.ENOSPC, errno.EACCES, errno.EIO, errno.EINTR),
    "read": (errno.EIO, errno.EMFILE),
    "flock": (errno.EWOULDBLOCK, errno.EINTR, errno.ENOLCK),
    "ftruncate": (errno.EIO,),
    "mkdir": (errno.ENOSPC, errno.EACCES),
    "unlink": (errno.EIO,),
    "stat": (errno.EIO, errno.EACCES),
    "fstat": (errno.EIO,),
    "pread": (errno.EIO,),
    "listdir": (errno.EIO, errno.EMFILE),
    "close": (errno.EIO,),
}
"""The calls that may go wrong, with what each of them may say."""
ENDS = ("interrupt", "interrupt after", "kill", "kill after", "power", "power after")
