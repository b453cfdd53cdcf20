"""Where the demo plays: a git repository of its own, or one that a person named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from llmgenie_mcp.faces.demo_show import DemoError
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.project import STORE

Files = dict[str, str]

# `git rev-parse --local-env-vars`: set inside a git hook, they would turn every command to that repository.
LOCAL_TO_ONE = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS", "GIT_DIR",
    "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
)  # fmt: skip

# Whatever the user's own configuration says: no signing, no hooks, nothing left running in the background.
CONFIGURATION = {
    "user.name": "llmgenie demo",
    "user.email": "demo@example.invalid",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "core.hooksPath": ".git/no-hooks",
    "core.autocrlf": "false",
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}

CODE = 'def greet(name):\n    return f"Hello, {name}!"\n'
WRONG = "def greet(*names):\n    return f\"Hello, {', '.join(names)}!\"\n"
RIGHT = "def greet(*names):\n    return f\"Hello, {' and '.join(names)}!\"\n"
TEST = """import unittest

from greeting import greet


class Greeting(unittest.TestCase):
    def test_one_person(self):
        self.assertEqual(greet("Ada"), "Hello, Ada!")
"""
MORE_TESTS = f"""{TEST}
    def test_two_people(self):
        self.assertEqual(greet("Ada", "Grace"), "Hello, Ada and Grace!")
"""
CHANGELOG = "# Changelog\n\n## 0.1.0\n- greet one person\n"


@dataclass(frozen=True)
class Place:
    """A repository, and what the demo does in it.

    Attributes:
        root: its folder.
        own: whether the demo made it.
        base: the branch that changes are merged into.
        branch: the demo's own branch.
        version: the version that it releases.
        task: title of the task.
        change: the files of the first commit on the branch, with their content.
        mend: the files of a second commit, when the tests fail on the first on purpose; empty otherwise.
        start: the branch that was checked out before.
    """

    root: Path
    own: bool
    base: str
    branch: str
    version: str
    task: str
    change: Files
    mend: Files
    start: str

    def write(self, files: Files) -> None:
        """Write files into the repository."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")

    def git(self, *arguments: str) -> str:
        """What git prints. Raises DemoError when it fails."""
        return git(self.root, *arguments)

    def leave(self) -> None:
        """Check out again what was checked out before."""
        if not self.own and git(self.root, "rev-parse", "--abbrev-ref", "HEAD") != self.start:
            git(self.root, "checkout", "-q", self.start, "--")


def clean_environment() -> dict[str, str]:
    """The environment without what points git at another repository."""
    return {name: value for name, value in os.environ.items() if name not in LOCAL_TO_ONE}


def git(root: Path, *arguments: str) -> str:
    """What `git ARGUMENTS` prints in `root`. Raises DemoError when it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**clean_environment(), "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"},
            timeout=TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        raise DemoError("git was not found.", "Install git; the demo works in a real repository.") from None
    except subprocess.TimeoutExpired:
        raise DemoError(f"git {arguments[0]} took longer than {TIMEOUT:g} s.") from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise DemoError(f"git {' '.join(arguments[:3])} failed: {said[:500]}", "")
    return done.stdout.decode("utf-8", "replace").rstrip("\n")


TIMEOUT = 60.0


def is_free(folder: Path) -> bool:
    """Whether a repository may be made there: nothing is there yet."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def make(root: Path) -> Place:
    """Make the demo's own repository: a small package with a test, a changelog, and the settings that name the test."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q")
    git(root, "symbolic-ref", "HEAD", "refs/heads/main")  # whatever init.defaultBranch says, and for any git
    for name, value in CONFIGURATION.items():
        git(root, "config", name, value)
    argv = [sys.executable, "-m", "unittest", "-q"]
    settings = "commands:\n  test:\n    argv: [{}]\n".format(", ".join(_quoted(part) for part in argv))
    change = {
        "greeting/__init__.py": WRONG,
        "tests/test_greeting.py": MORE_TESTS,
        "CHANGELOG.md": CHANGELOG.replace("## 0.1.0", "## 0.2.0\n- greet several people at once\n\n## 0.1.0"),
    }
    place = Place(
        root, True, "main", "feature/greet-several", "0.2.0", "Greet several people at once",
        change, {"greeting/__init__.py": RIGHT}, "main",
    )  # fmt: skip
    place.write(
        {
            "greeting/__init__.py": CODE,
            "tests/__init__.py": "",
            "tests/test_greeting.py": TEST,
            "CHANGELOG.md": CHANGELOG,
            ".gitignore": "__pycache__/\n",
            f"{STORE}/llmgenie.yaml": settings,
        }
    )
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "A package that greets")
    return place


def _quoted(value: str) -> str:
    """A YAML text in double quotes, which are JSON's."""
    import json

    return json.dumps(value, ensure_ascii=False)


def use(root: Path) -> Place:
    """A repository that is there, if it is fit for the demo.

    Raises:
        DemoError: why it is not, and what to do.
    """
    if not (root / ".git").is_dir():
        raise DemoError(
            f"{root} is neither empty nor a git repository.",
            "Name the top of a repository's main checkout, or an empty folder.",
        )
    if _refused(lambda: git(root, "rev-parse", "--verify", "-q", "HEAD^{commit}")):
        raise DemoError(f"{root} has no commit yet.", "Commit something first, or name an empty folder.")
    branches = git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()
    base = next((name for name in ("main", "master") if name in branches), None)
    if base is None:
        raise DemoError(f"{root} has neither a branch main nor master.", "The demo merges into one of these.")
    if git(root, "status", "--porcelain", "--untracked-files=normal", "--", ".", f":(exclude){STORE}"):
        raise DemoError(
            f"{root} has changes that are not committed.", "Commit or stash them first: the demo switches branches."
        )
    if _refused(lambda: git(root, "var", "GIT_COMMITTER_IDENT")):
        raise DemoError(f"git does not know who you are in {root}.", "git config user.name … and user.email … first.")
    start = git(root, "rev-parse", "--abbrev-ref", "HEAD")
    if start == "HEAD":
        raise DemoError(f"No branch is checked out in {root}.", f"git switch {base} first.")
    if git(root, "diff", "--name-only", base, start, "--", STORE):
        raise DemoError(
            f"{STORE} is not the same on {base} and {start}.", f"git switch {base} first: the demo branches off there."
        )
    tags = git(root, "tag").splitlines()
    number = next(
        n for n in range(1, 10_000) if f"demo/llmgenie-{n}" not in branches and f"v0.0.0-demo.{n}" not in tags
    )
    version = f"0.0.0-demo.{number}"
    changelog, content = _changelog(root, base)
    change = {
        f"llmgenie-demo-{number}.md": "Written by `llmgenie demo`; it may be removed.\n",
        changelog: f"{content}\n## {version}\n- A demonstration of llmgenie; nothing was changed.\n",
    }
    return Place(
        root, False, base, f"demo/llmgenie-{number}", version, f"Demonstrate llmgenie ({number})", change, {}, start
    )


def _changelog(root: Path, base: str) -> tuple[str, str]:
    """The changelog's name and content on `base`."""
    from llmgenie_mcp.signals.release import CHANGELOGS

    there = git(root, "ls-tree", "-r", "--name-only", base, "--", *CHANGELOGS).splitlines()
    name = next((name for name in CHANGELOGS if name in there), None)
    return (name, git(root, "show", f"{base}:{name}") + "\n") if name else ("CHANGELOG.md", "# Changelog\n")


def _refused(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except DemoError:
        return True
    return False
