"""What a tool answers: the facts as structured content, and the same in few lines for a model.

Clients show a model one of the two or both, so each stands alone, and both together stay under 10 KB.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pydantic_core
from mcp_types import CallToolResult, TextContent

from llmgenie_mcp.errors import LlmgenieError, shorten
from llmgenie_mcp.faces.mcp_stdio import without_surrogates

if TYPE_CHECKING:
    from llmgenie_mcp.records import Document, Outcome

BUDGET = 9_500
"""Bytes of text and structured content together; with the envelope an answer stays under 10 KB."""
TEXT_BUDGET = 3_800
OPEN = "Open by mode and state: "
"""Begins the line of what may be asked for next; guards, policies and settings are asked when it is."""


def _schema(required: str, **properties: str) -> dict[str, Any]:
    """`name="array"` is a property of that JSON type; "" allows any."""
    return {
        "type": "object",
        "properties": {name: {"type": kind} if kind else {} for name, kind in properties.items()},
        "required": required.split(),
    }


ACTIONS_SCHEMA = _schema("context actions", context="string", mode="string", actions="array", blocked="array")
STATE_SCHEMA = _schema("project mode", project="object", mode="string", session="object", instances="array")
POLICY_SCHEMA = _schema("name level", name="string", level="string", rules="array", params="object")
CONTEXT_SCHEMA = _schema("key", key="string", value="", items="array", total="integer", cursor="string")
OUTCOME_SCHEMA = _schema(
    "status action",
    status="string",
    action="string",
    result="object",
    reasons="array",
    error="object",
    state="object",
    actions="array",
)
EVENT_SCHEMA = _schema("event moved refused", event="object", moved="array", refused="array", seq="integer")
DECISION_SCHEMA = _schema("effect allowed", effect="string", allowed="boolean", reasons="array", actions="array")


def result(text: str, data: Document, *, whole: bool = False, failed: bool = False) -> CallToolResult:
    """The answer of a tool.

    Args:
        text: for a model.
        data: the same as data.
        whole: the caller asked for everything: nothing is cut.
        failed: marks it as an error.
    """
    data = {key: value for key, value in data.items() if value is not None}
    try:
        size = len(pydantic_core.to_json(data))
        text.encode()
    except ValueError:  # a lone surrogate, which has no place in an answer
        data, text = without_surrogates(data), without_surrogates(text)
        size = len(pydantic_core.to_json(data))
    if not whole:
        text = shorten_text(text, max(TEXT_BUDGET, BUDGET - size))
        if size + len(text.encode()) > BUDGET:
            data = {**shrink(data, BUDGET - len(text.encode()) - 30), "shortened": True}
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=data, is_error=failed)


def shorten_text(text: str, limit: int) -> str:
    """`text` cut at the end of a line, saying how much was left out."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    kept = raw[: limit - 60].decode("utf-8", "ignore")
    kept = kept[: kept.rfind("\n")] if "\n" in kept else kept
    return f"{kept}\n… {len(raw) - len(kept.encode())} more bytes; narrow the question."


def shrink(data: Any, limit: int) -> Any:
    """`data` with its longest texts and lists shortened until its JSON fits `limit` bytes."""
    for text, items in ((1000, 60), (400, 40), (200, 25), (150, 20), (120, 16), (100, 12), (60, 6), (30, 2)):
        data = _cut(data, text, items)
        if len(pydantic_core.to_json(data)) <= limit:
            break
    return data


def _cut(data: Any, text: int, items: int) -> Any:
    if isinstance(data, str):
        return data if len(data) <= text else f"{data[: text - 1]}…"
    if isinstance(data, Mapping):
        return {key: _cut(value, text, items) for key, value in list(data.items())[: items * 2]}
    if isinstance(data, list | tuple):
        return [_cut(value, text, items) for value in data[:items]]
    return data


def error_text(error: LlmgenieError) -> str:
    """An error as a model reads it: what was wrong, what is right, and its code."""
    return "\n".join(part for part in (error.message, error.hint, f"(code: {error.code})") if part)


def error(what: LlmgenieError, action: str) -> CallToolResult:
    """A call that was wrong itself: the text of every other tool's error, and the same as data with what is right."""
    return result(error_text(what), {"status": "error", "action": action, "error": what.to_dict()}, failed=True)


def actions_text(data: Document) -> str:
    """The answer of get_available_actions."""
    head = f"In {data['context']}, mode {data.get('mode')}" + (
        f", session {data['session']}" if data.get("session") else ""
    )
    lines = [f"{head}, you may now:"]
    lines += [f"- {_action(action)}" for action in data["actions"]]
    if not data["actions"]:
        lines = [f"{head}: no action is open."]
    if data.get("more"):
        lines.append(f"… and {data['more']} more; use query.")
    if data.get("groups"):
        found = ", ".join(f"{name}.* ({count})" for name, count in data["groups"].items())
        lines.append(f"Tools of other servers, to be found with query: {found}.")
    if data.get("blocked"):
        lines.append("Blocked:")
        lines += [f"- {blocked['name']}: {_reasons(blocked['reasons'])}" for blocked in data["blocked"]]
    return "\n".join(lines)


def _action(action: Document) -> str:
    text = f"{action['name']}({action.get('params', '')}): {action.get('description', '')}"
    if action.get("leads_to"):
        text += f" [{action['leads_to']}]"
    if action.get("if"):
        text += f" Only if: {'; '.join(str(condition) for condition in action['if'])}."
    if action.get("example"):
        text += f" Example: {_json(action['example'])}"
    return text


def _reasons(reasons: list[Document]) -> str:
    return " / ".join(f"{reason['message']}{_fix(reason.get('fix'), reason.get('next', ''))}" for reason in reasons)


def _fix(fix: Mapping[str, Any] | None, words: str = "") -> str:
    if not fix:
        return f" → {words}" if words else ""
    said = f" {fix['message']}" if fix.get("message") else ""
    return f"{said} → run_action {fix['action']} {_json(fix.get('params') or {})}"


_json = json.JSONEncoder(ensure_ascii=False, default=str).encode


def state_text(data: Document) -> str:
    """The answer of get_workflow_state."""
    project = data["project"]
    lines = [f"Project {project['name']} ({project['root']}, found by {project.get('found_by', '?')})"]
    about = data.get("mode_description")
    lines.append(f"Mode {data['mode']}" + (f": {about}" if about else ""))
    if session := data.get("session"):
        named = {"branch": "begun on branch"}  # the checkout may have another by now
        fields = ("role", "mode", "task", "branch", "instance")
        facts = ", ".join(f"{named.get(k, k)} {session[k]}" for k in fields if session.get(k))
        lines.append(f"Session {session['id']} ({session['status']}): {facts}")
    elif data.get("sessions_open"):
        lines.append(f"Open sessions: {', '.join(data['sessions_open'])}; give yours as session.")
    else:
        lines.append("No session: start one with run_action start_session.")
    for instance in data.get("instances") or ():
        ways = ", ".join(f"{trigger} → {target}" for trigger, target in (instance.get("next") or {}).items())
        lines.append(
            f"{instance['id']}: {instance['workflow']} of {instance.get('subject', '?')} is {instance['state']}; {ways}"
        )
    lines += [
        f"Waits for a person: {approval['id']} {approval.get('question') or approval.get('action')}"
        for approval in data.get("approvals_pending") or ()
    ]
    if data.get("tasks"):
        lines.append("Tasks: " + ", ".join(f"{count} {status}" for status, count in data["tasks"].items()))
    if data.get("policies"):
        lines.append(f"Policies in force: {', '.join(data['policies'])}")
    lines += [f"Warning: {warning}" for warning in data.get("warnings") or ()]
    return "\n".join(lines)


def policy_text(data: Document) -> str:
    """The answer of get_policy."""
    lines = [f"{data['name']} ({data['level']}, {data.get('origin', '?')}): {data.get('description', '')}"]
    if data.get("applies_to"):
        lines.append(f"Applies to {_json(data['applies_to'])}")
    if data.get("params"):
        lines.append(f"With {_json(data['params'])}")
    lines += [
        f"- {rule['id']} {rule.get('effect', 'deny')} when {rule.get('when', 'always')}: {rule.get('reason', '')}"
        for rule in data.get("rules") or ()
    ]
    return "\n".join(lines)


def context_data(
    ask: Callable[[str, str | None, int, str | None], Document],
    key: str,
    query: str | None,
    limit: int | None,
    cursor: str | None,
) -> CallToolResult:
    """The answer of get_context_data: a list that fits, or one document.

    A document too long for an answer comes as an `excerpt`, never as a `value` with parts missing: that would be
    written back. With an explicit `limit` everything is given.
    """
    data = ask(key, query, limit or 50, cursor)
    if "items" not in data:
        return _document(data, whole=limit is not None)
    text = _list_text(data)
    while limit is None and len(data["items"]) > 1 and len(pydantic_core.to_json(data)) + len(text.encode()) > BUDGET:
        data = ask(key, query, max(1, len(data["items"]) * 2 // 3), cursor)
        text = _list_text(data)
    return result(text, data, whole=limit is not None)


def _document(data: Document, *, whole: bool) -> CallToolResult:
    value = data["value"]
    text = f"{data['key']}:\n{_plain(value)}"
    size = len(pydantic_core.to_json(value))
    if whole or size + len(text.encode()) <= BUDGET:
        return result(text, data, whole=True)
    if size <= BUDGET - 300:
        note = f"{data['key']} is in the structured content ({size} bytes); as text: repeat with limit=1."
        return result(note, data, whole=True)
    excerpt = _json(value).encode()[:3000].decode("utf-8", "ignore")
    note = f"{data['key']} has {size} bytes; this is how it begins. For all of it repeat with limit=1."
    return result(f"{note}\n{excerpt}…", {"key": data["key"], "bytes": size, "excerpt": f"{excerpt}…"}, whole=True)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        shown = ((k, v) for k, v in value.items() if v not in (None, "", [], {}))
        return "\n".join(f"{k}: {v if isinstance(v, str) else _json(v)}" for k, v in shown)
    return value if isinstance(value, str) else _json(value)


def _list_text(data: Document) -> str:
    items = data["items"]
    lines = [f"{data['key']}: {len(items)} of {data.get('total', len(items))}"]
    lines += [f"- {_item(item)}" for item in items]
    if data.get("cursor"):
        lines.append(f"More with cursor {data['cursor']!r}.")
    return "\n".join(lines)


def _item(item: Mapping[str, Any]) -> str:
    """One line: the id, then the title, then the rest as `name value`."""
    name = item.get("id") or item.get("seq") or ""
    rest = (
        f"{key} {value if isinstance(value, str | int) else _json(value)}"
        for key, value in item.items()
        if key not in ("id", "seq", "title", "prev", "ts", "created_at", "updated_at")
    )
    title = f" {item['title']}" if item.get("title") else ""
    line = f"{name}{title} ({', '.join(rest)})"
    return line if len(line) <= 240 else f"{line[:239]}…"


def outcome(done: Outcome, note: str = "") -> CallToolResult:
    """The answer of run_action and update_context, after a word on how it came about.

    What another server answered is as long as its settings allow (`max_answer`), and is not cut once more.
    """
    text = outcome_text(done)
    failed, whole = done.status == "failed", "upstream" in done.result
    return result(f"{note}\n{text}" if note else text, done.to_dict(), whole=whole, failed=failed)


def outcome_text(done: Outcome) -> str:
    """What came of an action: for a refusal the rule, why, what would help and what is open instead."""
    data = done.to_dict()
    lines = {
        "ok": [f"{done.action}: done{' (answered before, not run again)' if done.replayed else ''}."],
        "running": [f"{done.action}: the same idempotency key is being worked on; ask again later."],
        "failed": [
            f"{done.action} failed: {(done.error or {}).get('message', '')}",
            (done.error or {}).get("hint") or "",
        ],
        "denied": [f"{done.action} was refused; nothing was changed."],
    }[done.status]
    for reason in done.reasons:
        lines.append(f"- {reason.rule} ({reason.code}): {reason.message}{_fix(reason.fix, reason.next)}")
        if reason.values:
            known = ", ".join(f"{name} = {shorten(_json(value), 60)}" for name, value in reason.values.items())
            lines.append(f"  because {known}")
    if state := data.get("state"):
        lines.append(f"{state['instance']}: {state['from']} → {state['to']}")
    if done.result:
        lines.append(_plain(done.result))
    if done.actions:
        lines.append(f"{OPEN}{', '.join(done.actions)}")
    return "\n".join(line for line in lines if line)


def looks_like_json(value: object) -> str:
    """A word to a caller who sent an object as text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        return "The value is stored as text although it looks like JSON; send the object itself if you meant one."
    return ""


def event_text(data: Document) -> str:
    """The answer of trigger_event."""
    lines = [f"{data['event']['type']} is recorded as {data['event']['id']}."]
    lines += [f"{step['instance']}: {step['from']} → {step['to']}" for step in data["moved"]]
    for refused in data["refused"]:
        lines.append(f"{refused['instance']} stays: {_reasons(refused['reasons'])}")
    lines += led_to(data)
    if len(lines) == 1:
        lines.append("Nothing waits for it.")
    return "\n".join(lines)


def led_to(data: Document) -> list[str]:
    """What rules, webhooks and notifications an event leads to; they are run and delivered after it."""
    lines = [f"{stop['rule']} does not run: {stop['message']}" for stop in data.get("stopped", ())]
    if data.get("deliveries"):
        lines.append(f"It leads to {', '.join(data['deliveries'])}; what came of them: get_context_data meta-log.")
    return lines


def decision_text(action: str, data: Document) -> str:
    """The answer of enforce_policy."""
    verdict = {"allow": "allowed", "ask": "needs a person (run_action request_approval)", "deny": "denied"}[
        data["effect"]
    ]
    lines = [f"{action}: {verdict}" + ("." if data.get("applicable", True) else "; the policy does not cover it.")]
    for reason in data.get("reasons") or ():
        lines.append(
            f"- {reason['policy']}/{reason['rule']} {reason['effect']}: {reason['message']}{_fix(reason.get('fix'))}"
        )
        lines += [f"  {clause}" for clause in reason.get("clauses") or ()]
        if reason.get("unknown"):
            lines.append(f"  not known: {', '.join(reason['unknown'])}")
    if data.get("obligations"):
        lines.append(f"Also do: {', '.join(o if isinstance(o, str) else _json(o) for o in data['obligations'])}")
    if data.get("actions"):
        lines.append(f"{OPEN}{', '.join(data['actions'])}")
    return "\n".join(lines)
