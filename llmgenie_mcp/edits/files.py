"""Files as they are, and the one way in which they are written: whole, durably, in one step."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.storage.disk import replace_file, sync_folder

SUFFIX = ".llmgenie-new"
"""Of the files that content is written to before it takes its place; a crash may leave them."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a name in a folder stands for.

    Attributes:
        data: the bytes of the file; of a symbolic link its target.
        mode: permission bits; None for a link, and where the usual ones are wanted.
        link: whether it is a symbolic link.
    """

    data: bytes
    mode: int | None = None
    link: bool = False

    @property
    def sha256(self) -> str:
        """Of the bytes and of which of the two it is."""
        return hashlib.sha256(b"link:" * self.link + self.data).hexdigest()


def look(path: Path) -> Held | None:
    """What is at `path`, without following a link; None where there is nothing.

    Raises:
        OSError: it cannot be read, or is neither a file nor a link.
    """
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(found.st_mode):
        return Held(os.fsencode(path.readlink()), None, link=True)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL, "It is no file", str(path))
    return Held(path.read_bytes(), stat.S_IMODE(found.st_mode))


def temporary(path: Path) -> Path:
    """Where the new content of `path` is written first; always the same name, so that a crash leaves one at most."""
    return path.with_name(f".{path.name[:200]}{SUFFIX}")


def write(path: Path, held: Held) -> None:
    """Put `held` in place of whatever `path` is: after a crash there is either the old or the new one. Raises OSError."""
    fresh = temporary(path)
    if not held.link:
        replace_file(path, held.data, temporary=fresh, mode=held.mode)
        return
    try:
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.fsdecode(held.data))
        os.replace(fresh, path)  # noqa: PTH105 - one system call, named as such
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file or link; it may be gone. Raises OSError."""
    path.unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        sync_folder(path.parent)


def missing_folders(path: Path) -> list[Path]:
    """The folders above `path` that have to be made, the outermost first."""
    return [folder for folder in reversed(path.parents) if not folder.is_dir()]


def executable(mode: int) -> int:
    """`mode` with the right to run it wherever there is the right to read it."""
    return mode | (mode & 0o444) >> 2


def usual_executable_mode() -> int:
    """The permission bits that a new program gets under the process's umask."""
    mask = os.umask(0o077)  # there is no other way to ask for it
    os.umask(mask)
    return 0o777 & ~mask
