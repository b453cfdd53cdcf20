"""git: its global options, configuration and aliases; what its subcommands do is in the modules beside this one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from llmgenie_mcp.shell.arguments import UNKNOWN, known, parse, unknown
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.git_unknown import doubt
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.scope import inside
from llmgenie_mcp.shell.streams import Stream

_GLOBAL = "-C -c --git-dir --work-tree --namespace --super-prefix --config-env --attr-source --exec-path-with-value"
_CODE_KEYS = lazily(
    r"core\.(editor|pager|sshcommand|askpass|fsmonitor|gitproxy|alternaterefscommand)|sequence\.editor|pager\.\w+"
    r"|diff\.external|(diff|merge|gui)tool\..*\.(cmd|path)|merge\..*\.driver|tar\..*\.command|(man|browser|trailer)\..*\.cmd"
    r"|(diff|filter|trailer|hook)\..*\.(command|textconv|clean|smudge|process)|credential\.(.*\.)?helper|gpg\.(.*\.)?program"
    r"|gpg\.ssh\.defaultkeycommand|remote\..*\.(uploadpack|receivepack)|interactive\.difffilter|submodule\..*\.update"
    r"|uploadpack\.packobjectshook|sendemail\.(.*\.)?(sendmailcmd|tocmd|cccmd|headercmd|smtpserver)|instaweb\.httpd|imap\.tunnel"
)
"""Settings whose value git runs (git-config(1))."""
_TARGET_KEYS = lazily(
    r"remote\..*\.(push|fetch|mirror|url|pushurl)|push\.default|branch\..*\.(merge|remote|pushremote)|remote\.pushdefault|url\..*\.(pushinsteadof|insteadof)"
)
"""Settings that decide where a push goes, and where what it is compared with comes from."""
OWN = ("origin", "upstream")
"""Remotes of these names are by custom the project's own; any other may be a clone in which anything was committed."""
_PLACE_KEYS = lazily(r"remote\..*\.url|url\..*\.insteadof")
_MOST_GIVEN = 32
_HOOK_KEYS = lazily(r"core\.hookspath|include\.path|includeif\..*\.path|init\.templatedir")
"""Settings by which hooks are left out, or that bring in others that could."""


class Git:
    """One git command: its subcommand, where it acts, and what is set for it."""

    __slots__ = ("call", "folder", "settings", "unsure", "verb", "words")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.settings: dict[str, str] = {}
        arguments = parse(call.words, _GLOBAL, first=True)
        folder = call.scope.folder
        self.unsure = any(UNKNOWN in name for name, _ in arguments.options)
        for name, value in arguments.options:
            if name == "-C":
                folder = inside(folder, value) if len(folder or "") < 4096 else None
            elif name == "-c":
                key, _, text = value.partition("=")
                self.settings[key.lower() if not key.lower().startswith("alias.") else key] = text
            elif name == "--config-env":
                self.settings[value.partition("=")[0].lower()] = UNKNOWN
        self.settings.update(_given(call))
        tree = arguments.value("--work-tree") or call.variable("GIT_WORK_TREE")
        place = arguments.value("--git-dir") or call.variable("GIT_DIR")
        if place is not None:
            folder = inside(folder, re.sub(r"(^|/)\.git/?$", r"\1", place) or ".")
        elif tree is not None:
            folder = inside(folder, tree)
        self.folder = folder
        self.verb = arguments.operands[0] if arguments.operands else ""
        self.words = arguments.operands[1:]

    @property
    def unchecked(self) -> bool:
        """Whether a variable tells the runners of hooks to leave out all of them, or llmgenie's."""
        call = self.call
        return (
            call.hooks_off
            or "llmgenie" in (call.variable("SKIP") or "")
            or any(call.variable(name) not in (None, "", "0") for name in _SWITCHES)
        )

    @property
    def branch(self) -> str | None:
        """The branch it is on: what the text switched to, else "" for the current one."""
        return self.call.scope.branches.get(self.folder, "")

    def upstream(self, branch: str | None) -> tuple[str, str] | None:
        """The remote and its branch that a pull merges into `branch` when it is told none; None: not known."""
        if branch is None:
            return None
        told = self.call.scope.upstreams.get((self.folder, branch))
        return told or self.call.reader.surroundings.upstream(self.folder, branch)

    def switched(self, branch: str | None) -> None:
        """Remember that the text switched to `branch`."""
        self.call.scope.branches[self.folder] = branch

    def emit(self, name: str, **params: object) -> None:
        """Report an operation in the folder where this command acts."""
        self.call.emit(name, folder=self.folder, **params)

    def files(self, operation: str, words: Sequence[str]) -> None:
        """Report files, which are named from the folder where this command acts."""
        scope = self.call.scope.copy()
        scope.folder = self.folder
        self.call.with_scope(scope).files(operation, words)

    def discards(self, paths: Sequence[str]) -> None:
        """Report that what was changed and not committed is overwritten, where the paths are the whole tree."""
        if any(_TREE.fullmatch(path.rstrip("/")) for path in paths):
            self.emit("git.discard", what="what is not committed")


_TREE = lazily(r"|\.|\*|\./\*|:(\(top\)|/)?(\.|\*)?|(\.\./)*\.\.")
_SWITCHES = ("OVERCOMMIT_DISABLE", "SKIP_SIMPLE_GIT_HOOKS")
"""Variables by which runners of git hooks run none (their documentation)."""
_PARAMETER = lazily(r"'([^'=]+)'?='?([^']*)'")


def _given(call: Call) -> dict[str, str]:
    """Settings in the environment: GIT_CONFIG_KEY_0 and on, and GIT_CONFIG_PARAMETERS (git-config(1))."""
    found = dict(_PARAMETER.findall(call.variable("GIT_CONFIG_PARAMETERS") or ""))
    if count := call.variable("GIT_CONFIG_COUNT"):
        if not count.isdigit() or int(count[:9]) > _MOST_GIVEN:
            call.opaque("git is given more settings than can be looked at", ["git"])
        for number in range(_MOST_GIVEN):
            if (key := call.variable(f"GIT_CONFIG_KEY_{number}")) is not None:
                found[key] = call.variable(f"GIT_CONFIG_VALUE_{number}") or ""
    return {key if key.lower().startswith("alias.") else key.lower(): value for key, value in found.items()}


def branch_name(ref: str) -> str | None:
    """The branch that a full or short reference names; None when it cannot be known."""
    return known(re.sub(r"^(refs/)?heads/", "", ref))


def _git(call: Call) -> str | None:
    git = Git(call)
    _settings(git)
    if call.environment or call.scope.variables:
        _variables(git)
    _programs(git)
    if UNKNOWN in git.verb or git.unsure:
        call.opaque("the git command cannot be known", ["git"])
        return None
    from llmgenie_mcp.shell.git_beside import beside
    from llmgenie_mcp.shell.git_commands import HARMLESS, PROGRAMS, VERBS

    handler = VERBS.get(git.verb)
    if handler is not None or git.verb in HARMLESS:
        if git.words[:1] == ["--help"] or git.words == ["-h"]:
            return None
        beside(git)
        if (why := doubt(git.verb, git.words)) is not None:
            call.opaque(why, ["git"])
    if handler is not None:  # no alias hides a command of git's own
        found = handler(git)
        return Stream(of_git=True) if found is None and _tells_of_itself(git) else found
    if git.verb in HARMLESS or not git.verb:
        return Stream(of_git=True) if _tells_of_itself(git) else None
    own = git.settings.get(f"alias.{git.verb}")
    if own is not None:
        return _alias(git, own)
    if git.verb in PROGRAMS:
        return None
    configured = call.reader.surroundings.alias(git.folder, git.verb)
    if configured is not None:
        return _alias(git, configured)
    call.opaque(f"git {git.verb} is not a command of git", ["git"])
    return None


_PLAIN = lazily(
    r"-[pRuMCw0-9a]|-U\d+|--(cached|staged|binary|full-index|no-color|color=never|stdout|patch|text|no-ext-diff|no-renames|first-parent"
    r"|merge-base|minimal|patience|histogram|unified=\d+|diff-filter=\w+|ignore-[\w-]+|no-stat|no-signature|zero-commit|format=)"
)
"""Options by which a patch that git makes holds nothing but changes that it knows."""
_TELLS = frozenset({"diff", "show", "format-patch", "stash", "archive", "diff-tree", "diff-index", "diff-files"})


def _tells_of_itself(git: Git) -> bool:
    """Whether what git prints is made of commits and changes of this repository, and of nothing else."""
    if git.verb not in _TELLS or git.settings or (git.verb == "stash" and git.words[:1] != ["show"]):
        return False
    if git.verb == "archive":
        return not any(word.startswith(("--remote", "--prefix", "--add")) for word in git.words)
    blobs = re.compile(r".+:" if git.verb == "diff" else ".*:")  # `REVISION:file` is any text; behind `:` is a pattern
    return all(
        _PLAIN.fullmatch(word) if word[:1] == "-" and word != "--" else not blobs.match(word) for word in git.words
    )


def _settings(git: Git) -> None:
    for key, value in git.settings.items():
        low = key.lower()
        if low == "core.hookspath" or _HOOK_KEYS.fullmatch(low):
            git.call.emit("restraint.lift", what="core.hooksPath" if low == "core.hookspath" else low)
        elif _CODE_KEYS.fullmatch(low) and value:
            git.call.read_apart(value.removeprefix("!"), [])
        elif low.startswith("url.ext::"):
            git.call.read_apart(key[len("url.ext::") :].rpartition(".")[0], [])
    if UNKNOWN in " ".join(git.settings):
        git.call.emit("restraint.lift", what=None)


_FILES = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")
_HOMES = {"HOME": ".gitconfig", "XDG_CONFIG_HOME": "git/config"}
_RUN = ("GIT_SSH", "GIT_ASKPASS", "SSH_ASKPASS", "GIT_PROXY_COMMAND")
_LIBRARIES = ("LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES")
_SYSTEM = lazily(r"(/usr|/lib\w*|/opt|/nix/store|/snap)/[^:\s]*")
"""Where no agent writes."""
_TRACES = ("", "2", "2_EVENT", "2_PERF", "_PACKET", "_PACKFILE", "_PERFORMANCE", "_SETUP", "_CURL", "_REFS", "_SHALLOW")


def _variables(git: Git) -> None:
    """Variables of git's own (git(1)): other files of settings, programs that it runs, files that it writes."""
    call = git.call
    for name in _FILES:
        if call.variable(name) not in (None, "", "/dev/null"):
            git.emit("restraint.lift", what="core.hooksPath")
    for name, file in _HOMES.items():
        folder = call.variable(name)
        if folder and call.script_text(f"{folder.rstrip('/')}/{file}") is not None:
            git.emit("restraint.lift", what="core.hooksPath")
    for name in _RUN:
        if program := call.variable(name):
            call.read_apart(program, [])
    for name in _TRACES:
        path = call.variable(f"GIT_TRACE{name}")
        if path and path.startswith("/"):
            call.files("file.write", [path])


def _programs(git: Git) -> None:
    """Variables and options by which git is another program than it is taken for, or acts on another repository."""
    call = git.call
    before = call.words[: len(call.words) - len(git.words)]
    if len(before) < 2 and not call.environment and not call.scope.variables:
        return
    places = [call.variable("GIT_EXEC_PATH") or "", *(word[12:] for word in before if word.startswith("--exec-path="))]
    if _brought(places):
        call.opaque("git is told where its own programs are", ["git"])
    if call.variable("GIT_COMMON_DIR"):
        call.opaque("git is given the branches, settings and hooks of another repository", ["git"])
    for name in _LIBRARIES:
        # A name without a folder is looked for where the libraries of the system lie.
        if _brought(
            [path for path in re.split(r"[:\s]+", call.variable(name) or "") if "/" in path or UNKNOWN in path]
        ):
            call.opaque(f"git runs what {name} brings in", ["git"])


def _brought(paths: Sequence[str]) -> bool:
    """Whether any of the paths is none of the system's."""
    return any(".." in path or UNKNOWN in path or not _SYSTEM.fullmatch(path) for path in paths if path)


def _alias(git: Git, text: str) -> str | None:
    call = git.call
    if text.startswith("!"):
        scope = call.scope.copy()
        scope.folder = git.folder
        rest = " ".join("'" + word.replace("'", "'\\''") + "'" for word in git.words)
        return call.with_scope(scope).read_apart(f"{text[1:]} {rest}", git.words)
    if call.reader.depth > 8:
        call.opaque("aliases of git that go on and on", ["git"])
        return None
    before = call.words[: len(call.words) - len(git.words) - 1]
    import shlex

    try:
        words = shlex.split(text)
    except ValueError:
        words = [UNKNOWN]
    shown = [word for word in before if not word.startswith(f"alias.{git.verb}=")]
    shown = [
        word
        for i, word in enumerate(shown)
        if not (word == "-c" and (i + 1 == len(shown) or shown[i + 1].startswith("-")))
    ]
    return call.delegate(["git", *shown, *words, *git.words])


def config(git: Git) -> str | None:
    """`git config`: only settings that decide about hooks, programs and destinations matter."""
    takes = "-f --file --blob --type --default --value --comment -t"
    arguments = parse(git.words, takes)
    words = list(arguments.operands)
    place = _config_file(arguments.has("--global"), arguments.has("--system"), arguments.value("-f", "--file"))
    if arguments.has("-e", "--edit") or words[:1] == ["edit"]:
        git.files("file.write", [place])
        return None
    removing = arguments.has("--unset", "--unset-all", "--remove-section", "--rename-section") or words[:1] in (
        ["unset"],
        ["remove-section"],
        ["rename-section"],
    )
    reading = arguments.has("--get", "--get-all", "--get-regexp", "-l", "--list", "--get-urlmatch")
    if words[:1] in (["set"], ["unset"], ["get"], ["list"], ["remove-section"], ["rename-section"]):
        reading = words.pop(0) in ("get", "list") or reading
    if reading or not words or (len(words) < 2 and not removing):
        git.files("file.read", arguments.values("-f", "--file"))
        return None
    # A word that vanishes makes the next one the setting: `git config --file $x .git/config core.hooksPath …`.
    key, *others = [word.lower() for word in words[: None if unknown(git.words) else 1]]
    if "core.hookspath" in (key, *others) or (removing and key == "core"):
        git.emit("restraint.lift", what="core.hooksPath")
    elif UNKNOWN in key:
        git.emit("restraint.lift", what=None)
    elif any(map(_decides, (key, *others))) or (removing and key.startswith(("remote.", "url."))):
        git.files("file.write", [place])
    return None


def _decides(key: str) -> bool:
    """Whether a setting decides about hooks, programs and destinations."""
    named = key.startswith("alias.") or key == "push.followtags"
    return named or any(keys.fullmatch(key) for keys in (_CODE_KEYS, _TARGET_KEYS, _HOOK_KEYS))


def _config_file(everywhere: bool, system: bool, named: str | None) -> str:
    return named or ("~/.gitconfig" if everywhere else "/etc/gitconfig" if system else ".git/config")


def elsewhere(git: Git) -> None:
    """Report that a fetch is told by a setting of this one command where to: what it brings would count as the project's own."""
    if any(_PLACE_KEYS.fullmatch(key) for key in git.settings):
        git.call.opaque("where git fetches from is told by a setting of this one command", ["git"])


def redirected(git: Git) -> bool:
    """Whether settings given with `-c` decide where a push goes."""
    return any(_TARGET_KEYS.fullmatch(key.lower()) for key in git.settings) or unknown(git.settings)


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    "git": _git,
    "jj": lambda call: call.opaque("jj is not read") if call.words[:1] == ["git"] else None,
}
