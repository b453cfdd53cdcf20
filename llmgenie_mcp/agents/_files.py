"""What `init` writes into hosts' files, and what is wrong in them as they are. Never imported by a hook that is run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from llmgenie_mcp.agents import Site
from llmgenie_mcp.edits import AddItem, Block, SetMember
from llmgenie_mcp.frozen import dataclass

LEAST_SECONDS = 5
"""A host must wait longer than the hook itself does (2 s), else it goes on without having heard the answer."""

_OURS = ("llmgenie_mcp/faces/hook.py", "llmgenie")


def command(site: Site, *words: str) -> str:
    """The hook's command line, as a shell takes it."""
    return shlex.join([*site.hook, *words])


CLOSED = (
    '"$@" || { status=$?; [ "$status" = 2 ] || '
    'echo "llmgenie: the hook ended with $status and gave no answer, so this is refused. A person mends it: llmgenie doctor '
    '--fix; where llmgenie was removed, by taking what names it out of the settings of this agent" >&2; exit 2; }'
)
"""A hook that crashes, is killed or is gone: refused, where the host itself would let the tool run."""


def closed(site: Site, *words: str) -> str:
    """As `command`, for an event that can be stopped on a host that takes a failing hook for consent.

    Its own refusal passes through unchanged. Seen to hold with the real Codex CLI 0.169.0 and Gemini CLI 0.61.0, which
    let a tool run after exit code 1; they do when a hook takes too long, and nothing here changes that.
    """
    return shlex.join(["sh", "-c", CLOSED, "llmgenie", *site.hook, *words])


def mark(site: Site) -> str:
    """What is in every hook of ours and stays the same when the package moves to another environment."""
    path = next((PurePath(word).as_posix() for word in site.hook if word.endswith("hook.py")), "")
    return next((text for text in _OURS if text in path), PurePath(path).name or _OURS[-1])


def hook(path: str, event: str, item: Mapping[str, Any], site: Site) -> AddItem:
    """One hook of ours in the array of an event."""
    return AddItem(path, ("hooks", event), dict(item), mark(site))


def server(path: str, site: Site, *words: str, key: str = "mcpServers", stdio: bool = True) -> SetMember:
    """The entry of the MCP server, with `words` after its command."""
    kind = {"type": "stdio"} if stdio else {}
    entry = {**kind, "command": site.server[0], "args": [*site.server[1:], *words]}
    return SetMember(path, (key, "llmgenie"), entry)


def rules() -> str:
    """The few standards that a model must have before it as long as it works; the tools say the rest."""
    from importlib.resources import files

    return files("llmgenie_mcp").joinpath("guides", "rules.md").read_text(encoding="utf-8").strip()


def rules_block(path: str) -> Block:
    """The rules as a marked block of a Markdown file that people write in."""
    return Block(path, rules())


@dataclass(frozen=True, slots=True)
class HookFile:
    """How a host wants its file of hooks.

    Attributes:
        path: relative to the project's root.
        events: all names of events that it knows.
        deniable: those that can be stopped.
        grouped: Claude Code's form: an event has groups with a `hooks` array each; else it has the hooks themselves.
        timeouts: fields that hold the time to wait for.
        per_second: how many of the timeout's unit are a second.
        closed: the field, and its value, that makes a hook which fails stop what it was asked about.
        versioned: whether `version: 1` has to be there.
        unknown: what an event of another name does to the file.
    """

    path: str
    events: Collection[str]
    deniable: Collection[str]
    grouped: bool = False
    timeouts: tuple[str, ...] = ("timeout",)
    per_second: int = 1
    closed: tuple[str, Any] | None = None
    versioned: bool = False
    unknown: str = "it never runs"


def load(root: Path, path: str) -> tuple[Any, list[str]]:
    """The JSON value of a file, comments allowed, and what is wrong with it; None when it is not there or not readable."""
    from llmgenie_mcp.edits.jsonc import JsoncError, parse

    try:
        return parse((root / path).read_text(encoding="utf-8-sig")), []
    except FileNotFoundError:
        return None, []
    except JsoncError as error:
        return None, [f"{path}:{error.line}:{error.column}: {error.message} The host ignores the whole file."]
    except UnicodeDecodeError as error:
        return None, [f"{path}: byte {error.start} is not UTF-8."]
    except OSError as error:
        return None, [f"{path} cannot be read: {error.strerror}."]


def complaints(root: Path, form: HookFile) -> list[str]:
    """What is wrong in a file of hooks, a sentence each; none when there is no such file."""
    value, found = load(root, form.path)
    if value is None:
        return found
    if not isinstance(value, dict):
        return [f"{form.path}: the file must be an object."]
    if form.versioned and value.get("version") != 1:
        found.append(f"{form.path}: `version` must be 1; the host may leave out a file without it.")
    if value.get("disableAllHooks") is True:
        found.append(f"{form.path}: `disableAllHooks` is true: no hook of it runs. Remove the line.")
    hooks = value.get("hooks", {})
    if not isinstance(hooks, dict):
        return [*found, f"{form.path}: `hooks` must be an object with an array for every event."]
    for event, items in hooks.items():
        if event not in form.events:
            found.append(
                f"{form.path}: {event!r} is no event of this host, {form.unknown}.{_nearest(event, form.events)}"
            )
        found.extend(f"{form.path}, {event}: {problem}" for problem in _about(event, items, form))
    return found


def _about(event: str, items: Any, form: HookFile) -> Iterator[str]:
    if not isinstance(items, list):
        yield "an array of hooks was expected."
        return
    for item in items:
        inner = item.get("hooks") if form.grouped and isinstance(item, dict) else [item]
        if not isinstance(inner, list) or not all(isinstance(handler, dict) for handler in inner):
            yield "an entry is not in the form of this host" + (
                " (a group with a `hooks` array)." if form.grouped else "."
            )
            continue
        for handler in inner:
            if any(field in handler for field in ("bash", "powershell", "command")) and "exec" in handler:
                yield "`exec` cannot stand beside `bash`, `powershell` or `command`."
            if "llmgenie" in json.dumps(handler, ensure_ascii=False):
                yield from _about_ours(event, handler, form)


def _about_ours(event: str, handler: Mapping[str, Any], form: HookFile) -> Iterator[str]:
    for field in ("command", "bash"):
        if isinstance(line := handler.get(field), str) and (added := _operator(line)):
            yield f"our command stands beside `{added}`, which can swallow its refusal. Leave the command alone."
    for field in form.timeouts:
        wait = handler.get(field)
        if isinstance(wait, (int, float)) and wait < LEAST_SECONDS * form.per_second:
            unit = "milliseconds" if form.per_second > 1 else "seconds"
            yield f"the host waits {wait:g} {unit} for our hook; less than {LEAST_SECONDS * form.per_second} {unit} is too short."
    if event not in form.deniable:
        return
    if form.closed and handler.get(form.closed[0]) != form.closed[1]:
        needed = json.dumps({form.closed[0]: form.closed[1]})[1:-1]
        yield f"our hook lacks {needed}: when it fails, what it should have judged goes through."
    if handler.get("type") == "http":
        yield "our hook is of type http: what it should have judged goes through when it cannot be reached."


def _operator(line: str) -> str:
    """The first control operator or redirection of a shell command outside of quotes; "" when it is one plain command."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    try:
        return next((word for word in words if word and set(word) <= set("();<>|&")), "")
    except ValueError:
        return "a quote that is not closed"


def _nearest(name: str, names: Collection[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, list(names), 1, 0.6)
    return f" Is {close[0]!r} meant?" if close else ""


__all__ = [
    "LEAST_SECONDS",
    "HookFile",
    "closed",
    "command",
    "complaints",
    "hook",
    "load",
    "mark",
    "rules",
    "rules_block",
    "server",
]
