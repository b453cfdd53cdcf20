"""What commands of git do beside the repository: programs that they are told to run, files that they read and write.

The options are those of the manual pages of git 2.52, of the commands that `_PROGRAMS`, `_OUTPUTS` and `_READS` name.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from llmgenie_mcp.shell.arguments import UNKNOWN, Arguments, parse
from llmgenie_mcp.shell.git import OWN, Git, elsewhere

# subcommand → options whose value is run by a shell
_PROGRAMS: dict[str, str] = {
    **dict.fromkeys(("fetch", "pull", "fetch-pack", "ls-remote"), "--upload-pack --exec"),
    **dict.fromkeys(("push", "send-pack"), "--receive-pack --exec"),
    "clone": "-u --upload-pack", "archive": "--exec", "difftool": "-x --extcmd", "instaweb": "-d --httpd",
    "daemon": "--access-hook",
    "send-email": "--sendmail-cmd --smtp-server --to-cmd --cc-cmd --header-cmd",
    "filter-branch": """--setup --env-filter --tree-filter --index-filter --parent-filter --msg-filter --commit-filter
        --tag-name-filter --subdirectory-filter""",
}  # fmt: skip
_DIFFS = "diff log show whatchanged diff-tree diff-index diff-files range-diff format-patch stash shortlog reflog"
# subcommand → options that name a file which is written
_OUTPUTS: dict[str, str] = {
    **dict.fromkeys(_DIFFS.split(), "--output"),
    "archive": "-o --output", "format-patch": "-o --output-directory --output",
    "fast-export": "--export-marks", "fast-import": "--export-marks --export-pack-edges",
    "index-pack": "-o",
}  # fmt: skip
# subcommand → options that name a file whose text is shown or kept
_READS: dict[str, str] = {
    **dict.fromkeys(("blame", "annotate"), "--contents"),
    **dict.fromkeys(("tag", "notes", "merge"), "-F --file"),
    "commit": "-t --template", "archive": "--add-file", "format-patch": "--signature-file --description-file",
    "credential-store": "--file", "grep": "-f",
}  # fmt: skip
_TRANSPORT = "ext::"
"""A remote that is a command (git-remote-ext(1))."""


def beside(git: Git) -> None:
    """Report what the options and operands of any command of git do beside the repository."""
    found = {kind: table.get(git.verb, "") for kind, table in _TABLES.items()}
    takes = _TAKES.get(git.verb, "")
    arguments = parse(git.words, " ".join([takes, *found.values()]))
    for value in arguments.values(*found["run"].split()) if found["run"] else ():
        git.call.read_apart(value, [])
    for word in [*git.words, *git.settings.values()]:
        address = word.partition("=")[2] if word.startswith("--") else word
        if address.startswith(_TRANSPORT):
            git.call.read_apart(address.removeprefix(_TRANSPORT), [])
    for kind, operation in (("write", "file.write"), ("read", "file.read")):
        names = found[kind].split()
        git.files(operation, arguments.values(*names) if names else [])
    if (rule := _RULES.get(git.verb)) is not None:
        rule(git, arguments)


def _outside(git: Git, arguments: Arguments) -> None:
    """`--no-index` looks at any files, `--no-exclude-standard` at those that git ignores."""
    if arguments.has("--no-index", "--no-exclude-standard"):
        pattern = git.verb == "grep" and not arguments.has("-e", "-f")
        git.files("file.read", _trees(arguments.operands[1 if pattern else 0 :]))
    if git.verb == "grep":
        _pager(git)


def _pager(git: Git) -> None:
    """`grep -O[PAGER]`, whose value stands in the same word."""
    for word in git.words[: git.words.index("--")] if "--" in git.words else git.words:
        match = re.match(r"(?:-[A-Za-z]*?O|--open-f[a-z-]*=)(.+)", word)
        if match:
            git.call.read_apart(match.group(1), [])


def _objects(git: Git, arguments: Arguments) -> None:
    """What is taken into the repository although git ignores it can be shown from there."""
    if git.verb == "hash-object":
        git.files("file.read", arguments.operands)
    elif arguments.has("-f", "--force", "--add"):
        git.files("file.read", _trees(arguments.operands))


def _trees(words: list[str]) -> list[str]:
    """The paths, folders that can be told from files as patterns of all that is in them; none stand for everything."""
    return [f"{word.rstrip('/')}/**" if word == "." or word.endswith("/") else word for word in words or ["."]]


def _trailers(git: Git, arguments: Arguments) -> None:
    git.files("file.read", arguments.operands)
    if arguments.has("--in-place"):
        git.files("file.write", arguments.operands)


def _merged_file(git: Git, arguments: Arguments) -> None:
    git.files("file.read", arguments.operands)
    if not arguments.has("-p", "--stdout"):
        git.files("file.write", arguments.operands[:1])


def _bundle(git: Git, arguments: Arguments) -> None:
    if arguments.operands[:1] == ["create"]:
        git.files("file.write", arguments.operands[1:2])


def _init(git: Git, arguments: Arguments) -> None:
    """In a repository that is there already, init takes hooks from a template, and moves `.git` away."""
    place = (arguments.operands or ["."])[0].rstrip("/")
    template = arguments.value("--template") or git.call.variable("GIT_TEMPLATE_DIR")
    if template and (place == "." or UNKNOWN in place):
        git.emit("restraint.lift", what="git hooks")
    if arguments.has("--separate-git-dir"):
        git.files("file.write", [".git" if place == "." else f"{place}/.git"])


def _sparse(git: Git, arguments: Arguments) -> None:
    """The files that are left out are taken away, rules and settings among them."""
    if arguments.operands[:1] in (["set"], ["init"], ["reapply"]):
        git.files("file.delete", ["."])


def _read_tree(git: Git, arguments: Arguments) -> None:
    if arguments.has("--reset") and arguments.has("-u") and not arguments.surely("-n", "--dry-run"):
        git.discards(["."])


def _index(git: Git, arguments: Arguments) -> None:
    if arguments.has("-f", "--force") and arguments.has("-a", "--all"):
        git.discards(["."])


def _restored(git: Git, arguments: Arguments) -> None:
    here = arguments.has("-W", "--worktree") or not arguments.surely("-S", "--staged")
    if here and not arguments.surely("-p", "--patch"):
        git.discards(arguments.operands)


def _mail(git: Git, arguments: Arguments) -> None:
    git.files("file.write", arguments.operands[:2])


def _merged_index(git: Git, arguments: Arguments) -> None:
    """The first operand is the program that merges each file."""
    git.call.delegate(arguments.operands[:1])


def _each(git: Git, arguments: Arguments) -> None:
    """`for-each-repo` runs git in the folders that a setting lists."""
    scope = git.call.scope.copy()
    scope.folder = None
    git.call.with_scope(scope).delegate(["git", *arguments.operands])


def _remote(git: Git, arguments: Arguments) -> None:
    """Where the project's own remote is decides what is pushed where, and what a pull counts as its own."""
    verb, *names = arguments.operands or [""]
    own = any(name in OWN or UNKNOWN in name for name in names)
    if (
        (verb == "add" and arguments.has("--mirror"))
        or (verb == "set-url" and not arguments.has("--help"))
        or (verb in ("rename", "remove", "rm") and own)
    ):
        git.files("file.write", [".git/config"])
    if verb in ("update", "prune"):
        elsewhere(git)


_INIT = "--template --separate-git-dir -b --initial-branch --object-format"
_TAKES: dict[str, str] = {
    "grep": "-e -A -B -C -m --max-depth --threads", "hash-object": "-t --path", "merge-file": "-L --marker-size",
    "interpret-trailers": "--where --if-exists --if-missing --trailer", **dict.fromkeys(("init", "init-db"), _INIT),
    "diff": "-U -S -G -O", "difftool": "-t --tool", "restore": "-s --source --conflict --pathspec-from-file",
    "commit": "-m -F -C -c --message --file --author --date --trailer --cleanup --fixup --squash --pathspec-from-file",
    "tag": "-m -u --message --local-user", "notes": "-m -C -c --ref", "merge": "-m -s -X",
    "add": "--chmod --pathspec-from-file", "clone": "-o -b -c -j --branch --origin --config --depth --reference --template",
    "push": "-o --push-option --repo", "log": "-n --format --grep --author --since --until -S -G -L", "for-each-repo": "--config",
    "read-tree": "--prefix --index-output", "blame": "-L -S --since", "archive": "--format --prefix --remote",
    "remote": "-t -m", "update-index": "--cacheinfo --chmod",
    "format-patch": "-o --output-directory --signature --subject-prefix --base", "send-email": "--to --cc --from --subject",
}  # fmt: skip
_TABLES = {"run": _PROGRAMS, "write": _OUTPUTS, "read": _READS}
_RULES: dict[str, Callable[[Git, Arguments], None]] = {
    **dict.fromkeys(("diff", "difftool", "grep"), _outside), **dict.fromkeys(("hash-object", "add", "update-index"), _objects),
    "interpret-trailers": _trailers, "merge-file": _merged_file, "bundle": _bundle, "init": _init, "init-db": _init,
    "sparse-checkout": _sparse, "read-tree": _read_tree, "checkout-index": _index, "restore": _restored,
    "mailinfo": _mail, "merge-index": _merged_index, "for-each-repo": _each, "remote": _remote,
}  # fmt: skip
