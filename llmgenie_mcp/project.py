"""Which folder is the project, and where its store is.

Order: an explicit folder, else `LLMGENIE_PROJECT`, else (said by a face) the client's roots, else the git top level of the
current folder. Linked git worktrees share the store of the main checkout. Only files are read here, no process is started.
"""

from __future__ import annotations

import os
from pathlib import Path

from llmgenie_mcp.errors import ProjectError, shorten
from llmgenie_mcp.frozen import dataclass

STORE = ".llmgenie"
ENVIRONMENT = "LLMGENIE_PROJECT"


@dataclass(frozen=True, slots=True)
class Project:
    """A project as resolved.

    Attributes:
        root: the folder the caller works in (a checkout or worktree).
        store: the `.llmgenie` folder, in the main checkout; may not exist yet.
        source: how it was found, for people.
    """

    root: Path
    store: Path
    source: str

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.store.parent.name


def resolve(project: str | Path | None = None, *, source: str = "the project argument") -> Project:
    """Find the project.

    Args:
        project: an explicit folder; None to look at the environment and the current folder.
        source: said in `Project.source` when `project` is given.

    Raises:
        ProjectError: the folder does not exist, is a file, cannot be read, is a bare repository, or lies inside another
            project.
    """
    if project is None and (named := os.environ.get(ENVIRONMENT)):
        project, source = named, f"the environment variable {ENVIRONMENT}"
    if project is not None:
        root = _existing_folder(project, source)
        _refuse_bare(root, source)
        _refuse_nested(root, source)
        return Project(root, store_of(root), source)
    try:
        here = Path.cwd()
    except OSError:
        raise ProjectError(
            "The current folder is gone.", f"Name a project: --project DIR, or set {ENVIRONMENT}."
        ) from None
    _refuse_bare(here, "the current folder")
    root = git_top(here) or here
    if root == here and root in (Path(root.anchor), Path.home()):
        raise ProjectError(
            f"{root} is no project.",
            f"Name one: --project DIR, or set {ENVIRONMENT}, or start inside a git repository.",
        )
    _refuse_nested(root, "the current folder")
    return Project(root, store_of(root), "the current folder")


def git_top(folder: Path) -> Path | None:
    """The nearest folder at or above `folder` that holds a `.git`; None outside git."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


def main_checkout(root: Path) -> Path:
    """The main checkout of a linked worktree (gitrepository-layout(5): `.git` file → `commondir`); else `root` itself."""
    pointer = root / ".git"
    try:
        if not pointer.is_file():
            return root
        text = pointer.read_text(encoding="utf-8").strip()
        git_dir = root / text.removeprefix("gitdir:").strip()
        # Unlike `resolve`, which raises for links in a ring until Python 3.12, and as the hook does it.
        common = Path(os.path.realpath(git_dir / (git_dir / "commondir").read_text(encoding="utf-8").strip()))
    except (OSError, ValueError):  # also a NUL, what is no UTF-8
        return root
    return common.parent if common.name == ".git" else root


def store_of(root: Path) -> Path:
    """The store folder that serves `root`."""
    return main_checkout(root) / STORE


def _existing_folder(project: str | Path, source: str) -> Path:
    text = str(project)
    if not text.strip() or "\0" in text or "${" in text:
        raise ProjectError(
            f"{shorten(text)!r} (from {source}) is no folder name.",
            "A placeholder such as ${workspaceFolder} must be filled in by the client; write the path out.",
        )
    try:
        path = Path(text).expanduser().resolve()
        if path.is_file():
            raise ProjectError(f"{path} (from {source}) is a file.", "Name the project's folder.")
        if not path.is_dir() and not path.is_symlink():  # links in a ring, which Python 3.13 resolves in silence
            raise ProjectError(
                f"{shorten(str(path), 300)} (from {source}) does not exist.", "Make the folder first, or name another."
            )
        os.scandir(path).close()
    except (OSError, RuntimeError, ValueError) as error:  # also links in a ring, no such user, a lone surrogate
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ProjectError(
            f"{shorten(text)} (from {source}) cannot be read: {shorten(reason, 200)}.",
            "Name a folder that you may read.",
        ) from error
    return path


def _refuse_bare(folder: Path, source: str) -> None:
    """A repository without a working tree has nothing to work in; a store in it would lie among git's own files."""
    if ".git" in folder.parts:
        return  # inside the git folder of a checkout, which is the project
    for place in (folder, *folder.parents):
        if (place / ".git").exists() or (place / STORE).exists():
            return
        if (place / "HEAD").is_file() and (place / "objects").is_dir() and (place / "refs").is_dir():
            raise ProjectError(
                f"{place} (from {source}) is a bare git repository: it has no files to work on.",
                f"Name a checkout of it: --project DIR. One is made by: git -C {place} worktree add DIR BRANCH.",
            )


def _refuse_nested(root: Path, source: str) -> None:
    """Two stores for one piece of work would split its memory: the outer project has to be named, or an own store made."""
    if store_of(root).exists() or git_top(root) == root:
        return
    for outer in root.parents:
        if (outer / STORE).is_dir() and outer != Path.home():
            raise ProjectError(
                f"{root} (from {source}) is inside the project {outer}.",
                f"Use --project {outer}, or make {root / STORE} to have a project of its own there.",
            )
