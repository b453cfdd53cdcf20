"""Command lines of hosts of repositories: which of their subcommands change a branch there (their manuals)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmgenie_mcp.shell.arguments import known, parse, unknown
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.network import changes_repository

# program → the first words of a subcommand → what it does
_CHANGES: dict[str, dict[str, str]] = {
    "gh": {
        "pr merge": "merge", "release create": "release", "release upload": "release", "repo delete": "push",
        "repo sync": "push", "repo rename": "push", "repo archive": "push", "ruleset delete": "push",
    },
    "glab": {
        "mr merge": "merge", "mr accept": "merge", "release create": "release", "release upload": "release",
        "repo delete": "push",
    },
    "hub": {"merge": "merge", "push": "git", "release create": "release", "delete": "push"},
    "tea": {
        "pr merge": "merge", "pulls merge": "merge", "pull merge": "merge", "release create": "release",
        "releases create": "release",
    },
    "bb": {"pr merge": "merge"}, "berg": {"pull merge": "merge"}, "gt": {"merge": "merge"},
    "ghstack": {"land": "merge"},
}  # fmt: skip
_REVIEWS = ("pr review", "mr approve", "pr approve", "pulls approve")
"""What says yes in the name of the person whose account it is."""
_API = """-X -f -F -H -q -t -p -R --method --field --raw-field --header --jq --template --input --preview --hostname --cache
    --repo"""


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether the words ask what a command does, so that it does nothing; behind an option they may be its value."""
    return any(
        word in ("--help", "-h") and (at == 0 or words[at - 1][:1] != "-" or "=" in words[at - 1])
        for at, word in enumerate(words)
    )


def _host(call: Call) -> str | None:
    operands = parse(call.words, "-R --repo -t --title -b --body -F --hostname --host").operands
    verb = " ".join(operands[:2])
    if asks_for_help(call.words):
        return None
    if call.words[:1] == ["api"]:
        return _api(call)
    if call.name == "gh" and verb == "auth token":
        call.emit("network", url="github.com", method="TOKEN")
    if call.name in ("gh", "glab") and call.words[:1] == ["alias"] and len(operands) > 3 and operands[1] == "set":
        text = " ".join(operands[3:])
        call.read_apart(text[1:] if text.startswith("!") else f"{call.name} {text}", None)
    kind = _CHANGES[call.name].get(verb) or _CHANGES[call.name].get(verb.split(" ")[0], "")
    if call.name == "gh" and verb == "repo edit" and any(word.startswith("--default-branch") for word in call.words):
        kind = "push"
    if unknown(operands[:2]):
        call.opaque(f"what {call.name} is told cannot be known", ["git", "publish"])
    if verb in _REVIEWS and (
        verb != "pr review" or parse(call.words, "-b -F --body --body-file").has("-a", "--approve")
    ):
        call.emit("restraint.lift", what="the review of a person")
    if kind == "git":
        return call.delegate(["git", *call.words])
    if kind == "merge":
        call.emit("git.merge", branch=None)
    elif kind == "push":
        call.emit("git.push", branch=None)
    elif kind == "release":
        call.emit("package.publish", version=known(operands[2]) if len(operands) > 2 else None)
    return None


def _api(call: Call) -> str | None:
    arguments = parse(call.words[1:], _API)
    fields = [*arguments.values("-f", "-F", "--field", "--raw-field")]
    method = arguments.value("-X", "--method") or ("POST" if fields or arguments.has("--input") else "GET")
    url = arguments.operands[0] if arguments.operands else ""
    body = " ".join([*fields, call.stdin])
    for source in [*arguments.values("--input"), *(f.split("=@", 1)[1] for f in fields if "=@" in f)]:
        call.files("file.read", [source])
        body += call.reader.content(call.path(source), call.scope) if source != "-" else ""
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
