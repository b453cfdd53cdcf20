"""What a shell knows at a point of its text: its folder, variables, functions, and what was done so far."""

from __future__ import annotations

import posixpath
from dataclasses import field, replace

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.shell.arguments import PATHS, UNKNOWN
from llmgenie_mcp.shell.syntax import Compound

EDITED = UNKNOWN + "\ue012"
"""The text of a file of which a part was changed."""
_LONGEST = 1024
_LINKS = 8
"""Links that are followed behind each other."""


@dataclass(slots=True)
class Scope:
    """One shell; a subshell has a copy.

    Attributes:
        folder: relative to where the text starts or absolute; "" is there, None is not known.
        folders: those that `cd -` and `popd` go back to.
        variables: what was assigned in the text; a value may hold `UNKNOWN`, an array is a list.
        arguments: `$1` and on; None: not known.
        zero: `$0`.
        texts: path → what the text itself wrote there, as far as it is known; `EDITED` where it changed a part.
        made: what was not there before the text made it: its own scratch.
        elsewhere: folders in which it still is if a `cd` failed.
        strict: whether a command that fails ends the shell.
        links: path → name of the program that was copied or linked there.
        copies: path → the file that was copied or moved there, whose text is not known.
        leads: path → where the symbolic link leads that the text made there.
        branches: folder → the branch that the text switched to there.
        tags: (folder, name) of the tags that the text made.
        upstreams: (folder, branch) → the remote and the branch there that the text told it to pull.
    """

    folder: str | None = ""
    folders: list[str | None] = field(default_factory=list)
    variables: dict[str, str | list[str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    functions: dict[str, Compound] = field(default_factory=dict)
    arguments: list[str] | None = None
    zero: str = UNKNOWN
    texts: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    leads: dict[str, str] = field(default_factory=dict)
    branches: dict[str | None, str | None] = field(default_factory=dict)
    tags: set[tuple[str | None, str]] = field(default_factory=set)
    upstreams: dict[tuple[str | None, str], tuple[str, str]] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    elsewhere: list[str | None] = field(default_factory=list)
    strict: bool = False

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
            copies=self.copies,
            leads=self.leads,
            made=self.made,
            elsewhere=list(self.elsewhere),
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
        found = self.texts.get(posixpath.normpath(path)) if path is not None and self.texts else None
        return UNKNOWN if found == EDITED else found

    def edited(self, path: str | None) -> bool:
        """Whether the text changed a part of a file whose text is not known."""
        return path is not None and bool(self.texts) and self.texts.get(posixpath.normpath(path)) == EDITED

    def own(self, path: str | None) -> bool:
        """Whether the text itself made that file, or a folder that it is in."""
        if path is None or not self.made or len(path) > _LONGEST:
            return False
        normal = posixpath.normpath(path)
        while normal not in self.made:
            above = posixpath.dirname(normal)
            if above in ("", normal):
                return False
            normal = above
        return True

    def led(self, path: str | None) -> str | None:
        """Where a path leads by the links that the text made; None where by none."""
        if path is None or not self.leads or len(path) > _LONGEST:
            return None
        before = found = posixpath.normpath(path)
        for _ in range(_LINKS):
            parts = found.split("/")
            made = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
            link = next((place for place in made if place in self.leads), None)
            if link is None:
                break
            found = posixpath.normpath(self.leads[link] + found[len(link) :])
        return found if found != before else None

    def write(self, path: str, content: str | None) -> None:
        """Remember what was written to a file; None forgets it."""
        if content is None:
            if self.texts:
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
