"""What the adapters share: how an event is read field by field, and the order in which an answer is made.

A host's module adds its tables of events and the forms of its answers. Two habits hold for all of them. Allowing is
silence: an explicit `allow` skips the host's own dialogue (speakeasy-api/gram#3813). Standard output carries one JSON
value in ASCII or nothing, because a host on Windows reads it as cp1252 and drops what it cannot read (Trellis#311).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from llmgenie_mcp.agents._tools import decoded, read_calls, working_folder
from llmgenie_mcp.hosts import HookEvent, Kind, PayloadError, Reply, ToolCall, Verdict

EVENT: Final = "__event__"
"""Key under which the hook passes on the event that its command line names, for hosts that do not send it."""

REASON, SUMMARY, CONTEXT = 2_000, 300, 8_000
"""So many characters of each are sent at most; Claude Code cuts at 10 000, Copilot CLI at 10 KB."""

Form: TypeAlias = Literal["context", "go on", "ask", "deny"]

_EVENT = ("hook_event_name", "hookEventName", EVENT)
_SESSION = ("session_id", "sessionId", "conversation_id")
_TOOL = ("tool_name", "toolName")
_INPUT = ("tool_input", "toolArgs")
_RESULT = ("tool_response", "tool_result", "toolResult", "tool_output", "error", "error_message")
_SILENT_ON_EXIT_2 = ("claude-code", "codex")


class BaseAgent:
    """An adapter but for its host's own words.

    Attributes:
        kinds: the host's events and what each is; an event that is not here is `other`.
        deniable: its events that can be stopped. Prompts are never among them: what a person writes is theirs.
        asking: its events at which the person is asked when a hook says so.
        program: what tells the host's version, where something depends on it.
        signs: files and folders of a project that this host has.
        home_signs: those of a person's home.
    """

    name = ""
    title = ""
    checked = ""
    kinds: Mapping[str, Kind] = {}
    deniable: frozenset[str] = frozenset()
    asking: frozenset[str] = frozenset()
    program: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    home_signs: tuple[str, ...] = ()

    def read(self, payload: Mapping[str, Any]) -> HookEvent:
        """Translate what the host wrote. Raises PayloadError: it is not a payload of this host."""
        given = whole(payload, self.title)
        name = event_name(given, self.title)
        kind = self.kinds.get(name, "other")
        calls: tuple[ToolCall, ...] = ()
        if kind == "before":
            calls = self.calls(given, name)
        elif kind == "after":
            calls = self.known_calls(given, name)
        return HookEvent(
            host=self.name,
            name=name,
            kind=kind,
            folder=self.folder(given, calls),
            conversation=text(given, *_SESSION),
            calls=calls,
            result=first(given, *_RESULT) if kind == "after" else None,
            prompt=text(given, "prompt") or "" if kind == "prompt" else "",
            can_deny=name in self.deniable,
            can_ask=name in self.asking,
            repeated=_repeated(given) if kind == "stop" else 0,
        )

    def reply(self, event: HookEvent, verdict: Verdict) -> Reply:
        """What the host that sent `event` has to get; an event of another host is answered as that one wants it."""
        if event.host != self.name:
            from llmgenie_mcp.agents import find

            return find(event.host).reply(event, verdict)
        refused = verdict.effect != "allow"
        reason = (shorten(verdict.reason) or "llmgenie refuses this, and gave no reason.") if refused else ""
        if event.kind == "stop":
            left = shorten(verdict.context) or reason
            return self.answer("go on", event, Verdict(reason=left)) if left else Reply()
        if not refused:
            context = shorten(verdict.context, CONTEXT)
            return self.answer("context", event, Verdict(context=context)) if context else Reply()
        if not event.can_deny:
            told = self.answer("context", event, Verdict(context=reason))
            return Reply(told.stdout, f"{reason}\n", told.code)
        asked = verdict.effect == "ask" and event.can_ask
        summary = shorten(verdict.summary or reason.split("\n", 1)[0], SUMMARY)
        return self.answer("ask" if asked else "deny", event, Verdict(reason=reason, summary=summary))

    def answer(self, form: Form, event: HookEvent, words: Verdict) -> Reply:
        """How this host writes it; an empty reply where it has no place for it.

        Args:
            form: context: tell the agent `words.context` although nothing is denied. go on: keep it from stopping, with
                `words.reason` as what is left to do. ask and deny: with `words.reason` and, for the person, its summary.
            event: what is answered.
            words: the words, cut to what is sent and never empty.
        """
        raise NotImplementedError

    def used_in(self, root: Path, home: Path) -> bool:
        """Whether people seem to use this agent here: it left something in the project or in the person's home."""
        places = [root / sign for sign in self.signs] + [home / sign for sign in self.home_signs]
        return any(place.exists() for place in places)

    def outdated(self, version: str) -> str:  # noqa: ARG002 - for hosts of which something depends on it
        """What does not hold for the host of that version; nothing depends on it here."""
        return ""

    def calls(self, payload: Mapping[str, Any], event: str) -> tuple[ToolCall, ...]:
        """The uses of tools that an event is about. Raises PayloadError."""
        name = text(payload, *_TOOL)
        if name is None:
            raise PayloadError(f"{self.title} {event}: it does not name its tool ({' or '.join(_TOOL)}).")
        return read_calls(name, first(payload, *_INPUT), self.name, event)

    def known_calls(self, payload: Mapping[str, Any], event: str) -> tuple[ToolCall, ...]:
        """The same for what already happened: nothing can be stopped any more, so what cannot be read is left out."""
        try:
            return self.calls(payload, event)
        except PayloadError:
            return ()

    def folder(self, payload: Mapping[str, Any], calls: tuple[ToolCall, ...]) -> str | None:
        """Where the agent works: the session's folder, or the one that a shell tool was told to run in."""
        here = text(payload, "cwd")
        if calls and calls[0].kind == "shell" and (told := working_folder(decoded_object(payload))):
            here = told if is_absolute(told) or here is None else f"{here.rstrip('/')}/{told}"
        return here if here is not None and is_absolute(here) else None


def fault(event: HookEvent | None, message: str, *, host: str = "", name: str = "") -> Reply:
    """The answer when no verdict can be had: what can be stopped is, with `message`.

    Permission dialogues of Claude Code and Codex do not honour exit code 2 and get their own form.

    Args:
        event: None is one that is not known.
        message: why.
        host, name: of an event that is not known: who sent it, and what it calls itself, as far as that could be read.
    """
    told = shorten(message) or "llmgenie could not decide on this."
    if event is not None:
        host, name = event.host, event.name
        if not event.can_deny:
            return Reply(stderr=f"{told}\n")
    if name == "PermissionRequest" and host in _SILENT_ON_EXIT_2:
        return Reply(dumped(permission_denied(told)), f"{told}\n")
    return Reply(stderr=f"{told}\n", code=2)


def permission_denied(reason: str) -> dict[str, Any]:
    """How Claude Code and Codex are told to deny in place of the person whom they are about to ask."""
    return nested("PermissionRequest", decision={"behavior": "deny", "message": reason})


def nested(event: str, **fields: Any) -> dict[str, Any]:
    """The form that Claude Code began and others took over; without the wrapper it is ignored (claude-code#4669)."""
    return {"hookSpecificOutput": {"hookEventName": event, **fields}}


def dumped(value: Any) -> str:
    """One line of ASCII JSON."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"


def answered(reply: Reply) -> dict[str, Any] | None:
    """The one JSON object that is all of a reply's stdout; None when it is anything else."""
    value = decoded(reply.stdout)
    return value if isinstance(value, dict) else None


def at(value: Any, *keys: str) -> Any:
    """The member of an object that `keys` lead to; None where the way ends before."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def shorten(message: str, most: int = REASON) -> str:
    """At most `most` characters, without what cannot be encoded as UTF-8."""
    clean = message.strip().encode("utf-8", "replace").decode()
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def whole(payload: Any, title: str) -> Mapping[str, Any]:
    """The payload, if it is an object. Raises PayloadError."""
    if not isinstance(payload, Mapping):
        raise PayloadError(f"{title}: the payload is not a JSON object.")
    return payload


def event_name(payload: Mapping[str, Any], title: str) -> str:
    """The host's name of the event. Raises PayloadError: nothing names it, so it could be one that must be stopped."""
    name = text(payload, *_EVENT)
    if name is None:
        raise PayloadError(f"{title}: the payload does not name its event ({' or '.join(_EVENT[:2])}).")
    return name


def first(payload: Mapping[str, Any], *names: str) -> Any:
    """The first of these members that is there and not null."""
    return next((payload[name] for name in names if payload.get(name) is not None), None)


def text(payload: Mapping[str, Any], *names: str) -> str | None:
    """The first of these members that is a text and not empty; one of another type counts as missing."""
    return next((value for name in names if isinstance(value := payload.get(name), str) and value.strip()), None)


def is_absolute(path: str) -> bool:
    """Whether a path is absolute on the system that the host runs on, which need not be this one."""
    return path.startswith(("/", "\\\\")) or path[1:3] in (":\\", ":/")


def decoded_object(payload: Mapping[str, Any]) -> Any:
    """The tool's arguments, also where they come as JSON text."""
    given = first(payload, *_INPUT)
    return decoded(given) if isinstance(given, str) else given


def _repeated(payload: Mapping[str, Any]) -> int:
    count = payload.get("loop_count")
    if isinstance(count, int):
        return max(int(count), 0)
    return 1 if payload.get("stop_hook_active") is True else 0


__all__ = [
    "EVENT",
    "BaseAgent",
    "Form",
    "answered",
    "at",
    "dumped",
    "fault",
    "first",
    "is_absolute",
    "nested",
    "permission_denied",
    "text",
    "whole",
]
