"""What a shell knows at a point of its text: its folder, variables, functions, and what was done so far."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace

from llmgenie_mcp.shell.arguments import PATHS, UNKNOWN
from llmgenie_mcp.shell.syntax import Compound


@dataclass(slots=True)
class Scope:
    """One shell; a subshell has a copy.

    Attributes:
        folder: relative to where the text starts or absolute; "" is there, None is not known.
        folders: those that `cd -` and `popd` go back to.
        variables: what was assigned in the text; a value may hold `UNKNOWN`, an array is a list.
        arguments: `$1` and on; None: not known.
        texts: path → what the text itself wrote there, as far as it is known.
        links: path → name of the program that was copied or linked there.
        branches: folder → the branch that the text switched to there.
    """

    folder: str | None = ""
    folders: list[str | None] = field(default_factory=list)
    variables: dict[str, str | list[str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    functions: dict[str, Compound] = field(default_factory=dict)
    arguments: list[str] | None = None
    texts: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    branches: dict[str | None, str | None] = field(default_factory=dict)

    def copy(self) -> Scope:
        """For a subshell; files written there are written all the same."""
        return replace(
            self,
            folders=list(self.folders),
            variables=dict(self.variables),
            aliases=dict(self.aliases),
            functions=dict(self.functions),
            branches=self.branches,
            texts=self.texts,
            links=self.links,
        )

    def merge(self, other: Scope) -> None:
        """Take in another way that things may have gone: what differs is not known."""
        for name in {*self.variables, *other.variables}:
            if self.variables.get(name) != other.variables.get(name):
                self.variables[name] = UNKNOWN
        if self.folder != other.folder:
            self.folder = None
        for folder in {*self.branches, *other.branches}:
            if self.branches.get(folder, "") != other.branches.get(folder, ""):
                self.branches[folder] = None

    def written(self, path: str | None) -> str | None:
        """What the text itself wrote to a file, as far as it is known; None where it wrote nothing."""
        return None if path is None else self.texts.get(posixpath.normpath(path))

    def write(self, path: str, content: str | None) -> None:
        """Remember what was written to a file; None forgets it."""
        if content is None:
            self.texts.pop(posixpath.normpath(path), None)
        else:
            self.texts[posixpath.normpath(path)] = content


def join(folder: str | None, path: str) -> str | None:
    """`path` as seen from where `folder` is seen from; None when that cannot be known."""
    path = path.removeprefix(PATHS)
    if UNKNOWN in path:
        return None
    if path.startswith(("/", "~")):
        return path
    if folder is None:
        return None
    return posixpath.join(folder, path) if folder else path


def inside(folder: str | None, path: str) -> str | None:
    """Where `cd path` leads from `folder`: `..` is taken back as shells do it, by the words."""
    found = None if UNKNOWN in path else join(folder, path)
    if not found:
        return found
    normal = posixpath.normpath(found)
    return "" if normal == "." else normal
