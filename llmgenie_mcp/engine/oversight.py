"""What a host's hook is answered: operations judged, context given, reminders made."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from llmgenie_mcp import redact
from llmgenie_mcp.engine import conversations, tally
from llmgenie_mcp.engine.guard import Guard, Ruling
from llmgenie_mcp.engine.tooluse import operations_of
from llmgenie_mcp.errors import StorageError, counted
from llmgenie_mcp.hosts import PROBE, HookEvent, ToolCall, Verdict
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.outcome import Actor, Document
from llmgenie_mcp.policy import Decision, Reason
from llmgenie_mcp.project import git_top

GUIDE = Path(__file__).resolve().parent.parent / "guides" / "rules.md"
CONTEXT_BYTES = 2048
"""So much does a session start with; the rest is asked for."""
REASONS = 3
"""So many reasons are told; the others mostly repeat them."""
REMINDERS = 3
"""So often is a conversation reminded of what is left before it stops."""


def answer(guard: Guard, event: HookEvent) -> Verdict:
    """Answer a hook event, and count and log it.

    Raises:
        LlmgenieError: it cannot be decided; the hook then refuses what it can refuse.
    """
    guard.storage.refresh()
    verdict, rules = _ANSWERS.get(event.kind, _seen)(guard, event)
    if event.conversation == PROBE:
        return verdict
    effect = verdict.effect if event.kind == "before" else "seen"
    tally.note(guard.project.store, event.host, event.name, effect, rules)
    return verdict


def decision_on(guard: Guard, command: str, *, actor: Actor, session: str | None, only: str | None) -> Decision:
    """What the policies say to a shell command: the strictest decision on anything in it. Nothing is logged.

    Raises:
        UnknownName: no such session or policy. StorageError.
    """
    operations = [
        _with_task(guard, one) for one in operations_of(ToolCall("shell", "shell", command), guard.project.root)
    ]
    return guard.judge(operations, actor=actor, session=session, only=only).findings[0].decision


def explained(ruling: Ruling, effect: str) -> str:
    """Why, and what to do instead: the text that the agent reads.

    Args:
        ruling: what was decided.
        effect: what came of it here: deny also stands for an `ask` where nobody can be asked.
    """
    lines = []
    for reason in ruling.reasons[:REASONS]:
        word = "denied" if reason.effect == "deny" else "needs a person"
        lines.append(f"llmgenie: {word} by {reason.policy}/{reason.rule}: {redact.redact(reason.message)}")
        if reason.fix:
            lines.append(f"  Next: {_fix(reason)}")
    if len(ruling.reasons) > REASONS:
        lines.append(f"  … and {counted(len(ruling.reasons) - REASONS, 'more reason')}.")
    if effect == "deny" and ruling.situation.actor.kind == "human":
        lines.append("Nothing was done. As a person you may decide otherwise: --no-verify skips this check.")
    elif effect == "deny":
        asked = all(reason.effect == "ask" and _asks(reason) for reason in ruling.reasons)
        lines.append(
            "When a person has agreed (they type `llmgenie approve`), do it again unchanged; until then do other work."
            if asked
            else "Nothing was done. Do not try another way to the same end: take the next step above, or tell the user."
        )
    return "\n".join(lines)


def _before(guard: Guard, event: HookEvent) -> tuple[Verdict, tuple[str, ...]]:
    folder = Path(event.folder) if event.folder else guard.project.root
    _bind(guard, event)
    session = _session(guard, event, folder)
    operations = [_with_task(guard, one) for call in event.calls for one in operations_of(call, folder)]
    ruling = guard.judge(operations, actor=Actor("agent", event.host), folder=folder, session=session)
    effect = "deny" if ruling.effect == "ask" and not event.can_ask else ruling.effect
    rules = tuple(f"{reason.policy}/{reason.rule}" for reason in ruling.reasons)
    command = "\n".join(call.command for call in event.calls if call.command)
    unlogged = ""
    if event.conversation != PROBE:
        unlogged = guard.record(ruling, effect, host=event.host, event=event.name, command=command)
    if effect == "allow":
        if unlogged:
            why = (
                f"llmgenie: this would leave no trace: the log cannot be written ({unlogged}). A person must mend that."
            )
            return Verdict("deny", why, why), ("logging/cannot-be-written",)
        return Verdict(), rules
    first = ruling.reasons[0]
    summary = f"llmgenie: {first.policy}/{first.rule}: {redact.redact(first.message)}"
    if effect == "ask":
        return Verdict("ask", explained(ruling, "ask"), summary), rules
    return Verdict("deny", explained(ruling, "deny"), summary), rules


def _after(guard: Guard, event: HookEvent) -> tuple[Verdict, tuple[str, ...]]:
    _bind(guard, event)
    return Verdict(), ()


def _session_start(guard: Guard, event: HookEvent) -> tuple[Verdict, tuple[str, ...]]:
    folder = Path(event.folder) if event.folder else guard.project.root
    session = _session(guard, event, folder)
    rules = ""
    with contextlib.suppress(OSError):
        rules = f"\n\n{GUIDE.read_text(encoding='utf-8').strip()}"
    standing = "\n".join(_standing(guard, session)).encode("utf-8", "replace")
    left = CONTEXT_BYTES - len(rules.encode())
    return Verdict(context=standing[: max(left, 0)].decode("utf-8", "ignore") + rules), ()


def _stop(guard: Guard, event: HookEvent) -> tuple[Verdict, tuple[str, ...]]:
    """Remind of what is left, at most once between two acts and three times in all, so that it ends."""
    folder = Path(event.folder) if event.folder else guard.project.root
    own = conversations.key(event)
    left = " ".join(_left(guard, _session(guard, event, folder)))
    if not left or own is None or event.repeated:
        return Verdict(), ()
    known = guard.storage.get(conversations.TABLE, own) or {}
    if known.get("reminded", 0) >= REMINDERS or known.get("reminded_of") == left:
        return Verdict(), ()
    conversations.bind(guard.storage, event, reminded=known.get("reminded", 0) + 1, reminded_of=left)
    return Verdict(context=f"llmgenie: {left} If the user wants to stop here, say what is open and stop."), ()


def _seen(_: Guard, __: HookEvent) -> tuple[Verdict, tuple[str, ...]]:
    return Verdict(), ()


_ANSWERS = {"before": _before, "after": _after, "session_start": _session_start, "stop": _stop}


def _bind(guard: Guard, event: HookEvent) -> None:
    named = conversations.named_session(event)
    if named is not None and guard.storage.get("sessions", named) is not None:
        with contextlib.suppress(StorageError):  # a store that cannot be written is told where it matters
            conversations.bind(guard.storage, event, session=named)


def _session(guard: Guard, event: HookEvent, folder: Path) -> str | None:
    return conversations.session_of(guard.storage, event, git_top(folder) or folder)


def _with_task(guard: Guard, operation: Operation) -> Operation:
    """A commit whose message is known, with whether it names a task; else git's own hook will see the message."""
    text = operation.params.get("message")
    if operation.name != "git.commit" or not isinstance(text, str):
        return operation
    from llmgenie_mcp.commits import tasks_named

    missing = not tasks_named(text, lambda id_: guard.storage.get("tasks", id_) is not None)
    return replace(operation, params={**operation.params, "task_missing": missing})


def _asks(reason: Reason) -> bool:
    """Whether a person's yes is the way out; of a publication it is a release, which ends with one."""
    return (reason.fix or {}).get("action") == "request_approval"


def _fix(reason: Reason) -> str:
    fix = redact.redact(reason.fix or {})
    params = f" {json.dumps(fix['params'], ensure_ascii=False)}" if fix.get("params") else ""
    words = f" ({fix['message']})" if fix.get("message") else ""
    return f"run_action {fix.get('action')}{params}{words}"


def _standing(guard: Guard, session: str | None) -> Iterator[str]:
    """Where things stand, in a few lines."""
    storage = guard.storage
    document: Document = (storage.get("sessions", session) if session else None) or {}
    yield f"llmgenie keeps this project ({guard.project.name}) to its workflow."
    if document:
        about = f", task {document['task']}" if document.get("task") else ""
        yield f"Session {document['id']} is {document['status']}: mode {document['mode']}{about}. Pass it on as `session`."
    else:
        yield "No session is open here: run_action start_session first, with the task you work on."
    todo = [
        f"{task['id']} {task['title']}"[:90]
        for status in ("in_progress", "todo")
        for task in storage.query("tasks", {"status": status}, limit=3).items
    ]
    if todo:
        yield f"Open tasks: {'; '.join(todo[:3])}."
    pending = [approval["id"] for approval in storage.query("approvals", {"status": "pending"}, limit=5).items]
    if pending:
        yield f"Waiting for a person: {', '.join(pending)}."
    if guard.broken:
        yield f"The project's own definitions cannot be read ({redact.redact(guard.broken)[:200]}); tell the user."


def _left(guard: Guard, session: str | None) -> Iterator[str]:
    """What a session leaves open."""
    document = guard.storage.get("sessions", session) if session else None
    if document is None or document["status"] != "active":
        return
    task = guard.storage.get("tasks", document["task"]) if document.get("task") else None
    if task is not None and task["status"] not in ("done", "cancelled"):
        yield (
            f"{task['id']} ({task['title'][:80]}) is still {task['status']} in {session}: complete_task with a summary when it "
            "is done, or finish_session with what is left."
        )
    where = {"action": "run_tests", "session": session}
    runs = guard.storage.query("runs", where, limit=1, newest_first=True).items
    if runs and runs[0]["status"] in ("failed", "timeout"):
        yield f"The last run_tests ({runs[0]['id']}) is {runs[0]['status']}: mend it, or say that it fails."
