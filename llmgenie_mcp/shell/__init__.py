"""A shell command as the operations in it: `read_command("cd a && git push -f origin main")` is one `git.push`.

The text is parsed and walked through as a shell would run it, with what it says about folders, variables, functions and
texts that it passes on; nothing is run and no file is read but through `Surroundings`. What a part does is in the tables of
the modules beside this one. What the walk cannot resolve never passes in silence: it is the operation `opaque`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from llmgenie_mcp.operations import Operation
from llmgenie_mcp.shell.call import Everything
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.reader import LIMIT, Reader
from llmgenie_mcp.shell.scope import Scope


class Surroundings(Protocol):
    """What the reader may ask about the place where a command would run."""

    def alias(self, folder: str | None, name: str) -> str | None:
        """The git alias `name` as configured in `folder`, which is as in `Operation.folder`; None: there is none."""

    def script(self, path: str) -> str | None:
        """The text of a script file that would be run, at most 64 KB; None: it cannot be read."""

    def patch(self, path: str) -> str | None:
        """The text of the patches that a word names, which may be a pattern; None: not all of it can be read."""

    def members(self, path: str) -> Sequence[str] | None:
        """The files in the archives that a word names, by the names that stand in them; None: they cannot be known."""

    def variable(self, name: str) -> str | None:
        """An environment variable that is known, such as HOME, PWD, USER, TMPDIR; None: it is not."""

    def branch(self, folder: str | None) -> str | None:
        """The branch that is checked out in `folder`; None: there is none, or it is not known."""

    def upstream(self, folder: str | None, branch: str) -> tuple[str, str] | None:
        """The remote, and the branch there, that `git pull` merges into `branch`; None: it is not known."""

    def has_branch(self, folder: str | None, name: str) -> bool:
        """Whether a branch `name`, of the repository around `folder` or of a remote of it, is known."""

    def exists(self, path: str) -> bool:
        """Whether anything is at `path`, a link that leads nowhere too; True where that is not known."""

    def folder_exists(self, path: str) -> bool:
        """Whether `path` is a folder that can be changed to; True where that is not known."""


class Nowhere:
    """Surroundings that know nothing."""

    def alias(self, folder: str | None, name: str) -> str | None:  # noqa: ARG002 - the protocol's names
        """Nothing is known."""
        return None

    def script(self, path: str) -> str | None:  # noqa: ARG002
        """Nothing is known."""
        return None

    def patch(self, path: str) -> str | None:
        """What is known of a script is known of a patch."""
        return self.script(path)

    def members(self, path: str) -> Sequence[str] | None:  # noqa: ARG002
        """Nothing is known."""
        return None

    def variable(self, name: str) -> str | None:  # noqa: ARG002
        """Nothing is known."""
        return None

    def branch(self, folder: str | None) -> str | None:  # noqa: ARG002
        """Nothing is known."""
        return None

    def upstream(self, folder: str | None, branch: str) -> tuple[str, str] | None:  # noqa: ARG002
        """Nothing is known."""
        return None

    def has_branch(self, folder: str | None, name: str) -> bool:  # noqa: ARG002
        """Nothing is known."""
        return False

    def exists(self, path: str) -> bool:  # noqa: ARG002
        """Nothing is known, so something may be there."""
        return True

    def folder_exists(self, path: str) -> bool:  # noqa: ARG002
        """Nothing is known, so it may be one."""
        return True


FAULT = "llmgenie failed to read it"
"""Begins the reason of an opaque part that is due to a mistake in this package."""
_UNREADABLE = lazily("[\0\ud800-\udfff]")


def read_command(command: str, surroundings: Surroundings | None = None) -> list[Operation]:
    """The operations in a shell command, each once, in the order in which they would happen.

    The names and parameters are those of `llmgenie_mcp.operations.OPERATIONS`; a flag that is not given is left out, and a
    parameter that cannot be known is None. `[]` is a command that does nothing that policies speak of. Never raises.

    Args:
        command: the text, as it would be given to `sh -c`. Longer than `LIMIT` characters, it is opaque.
        surroundings: what may be asked about the place; nothing by default.
    """
    reader = Reader(surroundings if surroundings is not None else Nowhere())
    if _UNREADABLE.search(command):
        reader.add_opaque(_UNREADABLE.sub("\ufffd", command), "not text")
        command = _UNREADABLE.sub("", command)
    try:
        reader.read(command.replace("\r\n", "\n"), Scope(arguments=[]))
        reader.finish()
    except Everything as error:
        reader.add_opaque(command, str(error), ["anything"])
    except RecursionError:
        reader.add_opaque(command, "nested too deeply", ["anything"])
    except Exception as error:  # noqa: BLE001 - a mistake in here must neither break a hook nor let a command pass
        reader.add_opaque(command, f"{FAULT}: {type(error).__name__}: {error}", ["anything"])
    return list(reader.found.values())


__all__ = ["FAULT", "LIMIT", "Nowhere", "Surroundings", "read_command"]
