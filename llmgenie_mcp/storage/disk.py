"""The few things asked of the file system, and what its refusals are called."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from llmgenie_mcp.errors import StorageError, StorageFull, StorageReadOnly

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_OURS = frozenset({"db.json", "db.json.tmp", "lock", "meta-log", "run", "set-aside"})
"""What lies in the folder of a store beside the definitions."""
_FULL_FLUSH: int | None = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone leaves data in the drive's cache


def flush(fd: int) -> None:
    """Wait until the file's data, and its length, are on the disk.

    Raises:
        OSError: they may or may not be; asking again would not tell, since the kernel forgets what it failed to write.
    """
    if _FULL_FLUSH is not None:
        fcntl.fcntl(fd, _FULL_FLUSH)
    else:
        os.fdatasync(fd)


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as problem:
        if problem.errno != errno.EINVAL:  # said by file systems that have nothing to flush for a folder
            raise
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write `data` in one call; the kernel may take less only near a full disk or a limit, and then says why."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, data[written:])


def read_up_to(fd: int, size: int, offset: int) -> bytes:
    """`size` bytes from `offset`, less only at the end of the file."""
    data = os.pread(fd, size, offset)
    while len(data) < size:
        more = os.pread(fd, size - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def let_go(fd: int) -> None:
    """Close a file that was only read: what the system says to that is of no consequence."""
    with suppress(OSError):
        os.close(fd)


def make_folder(folder: Path) -> None:
    """Create a folder in an existing one, durably. It may be there already, and its name not yet on the disk."""
    with suppress(FileExistsError):
        folder.mkdir()
    sync_folder(folder.parent)


def refuse_links(store: Path) -> None:
    """Refuse a store whose own files are links: a repository that was cloned would have us write where they lead.

    Raises:
        StorageError: names the link.
    """
    for folder, ours in ((store, _OURS), (store / "meta-log", None)):
        try:
            with os.scandir(folder) as listing:
                found = sorted(
                    item.path for item in listing if item.is_symlink() and (ours is None or item.name in ours)
                )
        except (FileNotFoundError, NotADirectoryError):
            continue
        if found:
            hint = "Remove the link. A store that is to lie elsewhere is moved as a whole, with the project."
            raise StorageError(f"{found[0]} is a link, and files of the store are none: it may lead anywhere.", hint)


def replace_file(path: Path, data: bytes, *, temporary: Path | None = None, mode: int | None = None) -> None:
    """Put a whole new file in place of `path`: after a crash there is either the old one or the new one.

    The caller keeps other writers out: the temporary file has a fixed name, so that a crash leaves one at most.

    Args:
        path: what is replaced.
        data: all of it.
        temporary: where it is written first; `path` with `.tmp` behind it when left out.
        mode: its permissions; what the umask leaves when left out.
    """
    temporary = temporary or path.with_name(f"{path.name}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        try:
            write_all(fd, data)
            if mode is not None:
                os.fchmod(fd, mode)
            flush(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)  # noqa: PTH105 - one system call, named as such
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def set_aside(folder: Path, name: str, data: bytes) -> Path:
    """Keep a durable copy of `data` in `folder`/set-aside and return its path; the same copy is not kept twice."""
    make_folder(folder / "set-aside")
    path = folder / "set-aside" / f"{name}.{hashlib.sha256(data).hexdigest()[:12]}"
    if not path.exists() or path.read_bytes() != data:
        replace_file(path, data)
    return path


class refusals:  # noqa: N801 - used as `with refusals(…):`
    """Turn OSError inside the block into the store's own errors.

    Args:
        path: what is worked on, unless the error names another file.
        doing: "write" or "read".

    Raises:
        StorageFull, StorageReadOnly, StorageError: after the error number.
    """

    # A class, since it is entered several times in every commit: a generator would cost five times as much.
    __slots__ = ("doing", "path")

    def __init__(self, path: Path, doing: str) -> None:
        self.path = path
        self.doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, OSError):
            raise refusal(problem, self.path, self.doing) from problem


def refusal(problem: OSError, path: Path, doing: str) -> StorageError:
    """The store's own error for an OSError (see `refusals`). Notes of the OSError say what may have been written."""
    name = problem.filename if isinstance(problem.filename, str) else str(path)
    said = problem.strerror or str(problem)
    written = " ".join(getattr(problem, "__notes__", [])) or "Nothing was written."
    if problem.errno in _FULL:
        return StorageFull(f"No room to write {name}: {said}.", f"{written} Free some space and try again.")
    if doing == "write" and problem.errno in _FORBIDDEN:
        return StorageReadOnly(f"{name} cannot be written: {said}.", f"{written} Check owner and permissions.")
    hint = "Check that the folder is there and that its disk is well."
    return StorageError(f"Cannot {doing} {name}: {said}.", f"{written} {hint}" if doing == "write" else hint)
