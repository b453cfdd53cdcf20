"""Command lines of hosts of repositories: which of their subcommands change a branch there (their manuals)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from llmgenie_mcp.shell.arguments import UNKNOWN, Arguments, known, parse, unknown
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.network import changes_repository
from llmgenie_mcp.shell.pattern import lazily

# program → the first words of a subcommand → what it does
_CHANGES: dict[str, dict[str, str]] = {
    "gh": {
        "pr merge": "merge", "release create": "release", "release upload": "release", "release edit": "release",
        "release delete": "release", "release delete-asset": "release", "repo delete": "push", "repo sync": "push",
        "repo rename": "push", "repo archive": "push", "ruleset delete": "push", "workflow disable": "checks",
    },
    "glab": {
        "mr merge": "merge", "mr accept": "merge", "release create": "release", "release upload": "release",
        "release delete": "release", "repo delete": "push", "repo transfer": "push", "project delete": "push",
    },
    "hub": {"merge": "merge", "push": "git", "release create": "release", "delete": "push"},
    "tea": {
        "pr merge": "merge", "pulls merge": "merge", "pull merge": "merge", "release create": "release",
        "releases create": "release", "release delete": "release", "releases delete": "release",
    },
    "bb": {"pr merge": "merge"}, "berg": {"pull merge": "merge"}, "gt": {"merge": "merge"},
    "ghstack": {"land": "merge"},
}  # fmt: skip
_REVIEWS = ("pr review", "mr approve", "pr approve", "pulls approve")
"""What says yes in the name of the person whose account it is."""
_EDITS = {"--default-branch": "push", "--visibility": "release"}
"""Options of `gh repo edit`: another branch takes the protected one's place, or everybody sees what was private."""
_RUNS = frozenset({"workflow run", "ci run", "ci trigger", "pipeline run", "pipeline ci"})
_PUBLISHES = lazily(r"(?<![a-z])(release|publish|deploy)", re.IGNORECASE)
"""Names of workflows that, by custom, send something out."""
_NONE = 99
# subcommand → operands before the files that it sends, options that name such a file, options that take another value
_SENDS: dict[str, tuple[int, str, str]] = {
    "gist create": (2, "", "-d -f --desc --filename"), "gist edit": (_NONE, "-a --add", "-d -f"),
    "snippet create": (2, "", "-t -d"),
    "release upload": (3, "", "-R --repo"), "release create": (3, "-F --notes-file", "-R -t -n --repo --title --notes --target"),
    "secret set": (_NONE, "-f --env-file", ""), "variable set": (_NONE, "-f --env-file", ""),
    "ssh-key add": (2, "", "-t --title --type"), "gpg-key add": (2, "", "-t --title"),
    **dict.fromkeys(("pr create", "pr edit", "pr comment", "pr review"), (_NONE, "-F --body-file", "-t -b --title --body")),
    **dict.fromkeys(("issue create", "issue edit", "issue comment"), (_NONE, "-F --body-file", "-t -b --title --body")),
}  # fmt: skip
_KEPT = {"gh": "~/.config/gh/hosts.yml", "glab": "~/.config/glab-cli/config.yml"}
"""Where the program keeps its token, unless it is in a keyring."""
_PAGERS = frozenset({"pager", "editor", "browser"})
_API = """-X -f -F -H -q -t -p -R --method --field --raw-field --header --jq --template --input --preview --hostname --cache
    --repo"""


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether the words ask what a command does, so that it does nothing; behind an option they may be its value."""
    return any(
        word in ("--help", "-h") and (at == 0 or words[at - 1][:1] != "-" or "=" in words[at - 1])
        for at, word in enumerate(words)
    )


def _host(call: Call) -> str | None:
    arguments = parse(call.words, "-R --repo -t --title -b --body -F --body-file --notes-file --hostname --host")
    operands = arguments.operands
    verb = " ".join(operands[:2])
    if asks_for_help(call.words):
        return None
    if call.words[:1] == ["api"]:
        return _api(call)
    if call.name in _KEPT:
        _sends(call, verb, arguments)
        _told(call, verb, operands)
    kind = _CHANGES[call.name].get(verb) or _CHANGES[call.name].get(verb.split(" ")[0], "")
    if verb == "repo edit":
        kind = next((does for name, does in _EDITS.items() if any(w.startswith(name) for w in call.words)), kind)
    if unknown(operands[:2]):
        call.opaque(f"what {call.name} is told cannot be known", ["git", "publish"])
    if verb in _REVIEWS and (
        verb != "pr review" or parse(call.words, "-b -F --body --body-file").has("-a", "--approve")
    ):
        call.emit("restraint.lift", what="the review of a person")
    if verb in _RUNS and _PUBLISHES.search(" ".join(call.words)):
        kind = "release"
    return _does(call, kind, known(operands[2]) if verb.startswith("release") and len(operands) > 2 else None)


def _does(call: Call, kind: str, third: str | None) -> str | None:
    if kind == "git":
        return call.delegate(["git", *call.words])
    if kind == "merge":
        call.emit("git.merge", branch=None)
    elif kind == "push":
        call.emit("git.push", branch=None)
    elif kind == "release":
        call.emit("package.publish", version=third)
    elif kind == "checks":
        call.emit("restraint.lift", what="the checks of CI")
    return None


def _sends(call: Call, verb: str, arguments: Arguments) -> None:
    """Files whose text goes to the host, and the token that is shown."""
    if verb == "auth token":  # most often for another program's standard input, or its environment
        call.emit("network", url="github.com" if call.name == "gh" else "gitlab.com", method="TOKEN")
    elif verb == "auth status" and ("-t" in call.words or arguments.has("--show-token")):
        call.files("file.read", [_KEPT[call.name]])
    if verb in _SENDS:
        before, names, takes = _SENDS[verb]
        given = parse(call.words, f"{names} {takes}")
        named = [value for name, value in given.options if name in names.split()]
        call.files("file.read", [*given.operands[before:], *named])


def _told(call: Call, verb: str, operands: Sequence[str]) -> None:
    """Commands that it is told to run from now on, and a repository that it pushes to at once."""
    if verb == "alias set" and len(operands) > 3:
        text = " ".join(operands[3:])
        call.read_apart(text[1:] if text.startswith("!") else f"{call.name} {text}", None)
    if verb == "config set" and len(operands) > 3 and operands[2] in _PAGERS:
        call.read_apart(operands[3], [])
    if verb == "repo create" and "--push" in call.words:
        call.emit("git.push", branch=call.scope.branches.get(call.scope.folder, ""), remote="", unresolved="default")


def _api(call: Call) -> str | None:
    arguments = parse(call.words[1:], _API)
    fields = [*arguments.values("-f", "-F", "--field", "--raw-field")]
    method = arguments.value("-X", "--method") or ("POST" if fields or arguments.has("--input") else "GET")
    url = arguments.operands[0] if arguments.operands else ""
    body = " ".join([*fields, call.stdin])
    for source in [*arguments.values("--input"), *(f.split("=@", 1)[1] for f in fields if "=@" in f)]:
        call.files("file.read", [source])
        body += (call.script_text(source) or UNKNOWN) if source != "-" else ""
    call.emit("network", url=known(url), method=method.upper())
    changes_repository(call, "/" + url.lstrip("/"), method, body)
    return None


def _azure(call: Call) -> str | None:
    words = " ".join(call.words)
    if asks_for_help(call.words):
        return None
    if words.startswith("repos pr update") and ("completed" in words or "--auto-complete" in words):
        call.emit("git.merge", branch=None)
    elif words.startswith(("repos ref", "repos policy")) and any(
        verb in words for verb in (" create", " delete", " update", " unlock")
    ):
        call.emit("git.push", branch=None)
    return None


HANDLERS: dict[str, Callable[[Call], str | None]] = {**dict.fromkeys(_CHANGES, _host), "az": _azure}
