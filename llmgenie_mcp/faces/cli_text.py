"""The Engine's answers as lines for people. What comes from the store never reaches a terminal as control characters."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from llmgenie_mcp.errors import escaped, visible

# Characters of the private use area stand for styles until the text is printed: so no escape needs to be let through.
# The key behind them is another in every process, so that nothing that is stored passes for one of them.
_KEY = "".join(chr(0xE100 + byte) for byte in os.urandom(6))
_END = f"\ue000{_KEY}"
_STYLES: dict[str, dict[str, Any]] = {
    "\ue001": {"fg": "green", "bold": True},
    "\ue002": {"fg": "yellow", "bold": True},
    "\ue003": {"fg": "red", "bold": True},
    "\ue004": {"bold": True},
    "\ue005": {"dim": True},
}
_STYLED = re.compile(f"([\ue001-\ue005]){_KEY}([^\ue000]*){_END}")
_FORGED = f"[\ue000-\ue005](?!{_KEY})"
_MARKS = {
    "ok": "\ue001",
    "warn": "\ue002",
    "fail": "\ue003",
    "denied": "\ue003",
    "failed": "\ue003",
    "✓": "\ue001",
    "✗": "\ue003",
}
_JSON = "[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e01ef]"


def plain(value: object) -> str:
    """`value` as text that a terminal shows and does not obey; line ends and tabs stay."""
    written = visible(value if isinstance(value, str) else compact(value))
    return written if written.isascii() else re.sub(_FORGED, lambda found: escaped(found[0]), written)


def line(value: object, limit: int = 160) -> str:
    """`value` in one line of at most `limit` characters."""
    short = " ".join(plain(value).split())
    return short if len(short) <= limit else f"{short[: limit - 1]}…"


def compact(value: object) -> str:
    """JSON in one line."""
    return json_text(value)


def json_text(value: object, indent: int | None = None) -> str:
    """JSON in which what people do not see stands as an escape: it may well be read on a terminal."""
    between = (", ", ": ") if indent is None else (",", ": ")
    written = json.dumps(value, ensure_ascii=False, indent=indent, separators=between, default=str)
    return written if written.isascii() else re.sub(_JSON, lambda found: json.dumps(found[0])[1:-1], written)


def say(lines: Sequence[str] | str, *, error: bool = False) -> None:
    """Print lines, the empty ones left out; with colours on a terminal."""
    for one in [lines] if isinstance(lines, str) else lines:
        if one:
            click.echo(_STYLED.sub(_rendered, plain(one)), err=error, color=_colours())


def _colours() -> bool | None:
    """Whether there are colours; None: on a terminal.

    NO_COLOR is by https://no-color.org, FORCE_COLOR by https://force-color.org; who sets both has none.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def mark(word: str) -> str:
    """A word of judgement, in its colour."""
    return f"{_MARKS[word]}{_KEY}{word}{_END}" if word in _MARKS else word


def strong(words: str) -> str:
    """A heading."""
    return f"\ue004{_KEY}{words}{_END}"


def dim(words: str) -> str:
    """What matters less."""
    return f"\ue005{_KEY}{words}{_END}"


def no_styles(words: str) -> str:
    """Words without the marks of `mark`, `strong` and `dim`."""
    return _STYLED.sub(lambda found: found[2], words)


def _rendered(found: re.Match[str]) -> str:
    return click.style(found[2], **_STYLES[found[1]])


def table(rows: Iterable[Mapping[str, Any]], *columns: str, empty: str = "Nothing.") -> list[str]:
    """Rows in columns that fit the terminal, there with their names above; columns that are empty everywhere are left out."""
    from llmgenie_mcp.faces import cli_table

    names, found = cli_table.cells(rows, columns, lambda value: line(_cell(value), cli_table.LONGEST))
    if not found:
        return [empty]
    room = cli_table.room()
    if room is None:
        return cli_table.layout(found, None)
    head, *lines = cli_table.layout([[name.replace("_", " ").rstrip() for name in names], *found], room)
    return [dim(head), *lines]


def _cell(value: object) -> object:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def fields(document: Mapping[str, Any], leave_out: Iterable[str] = ()) -> list[str]:
    """A document, a line each for what it holds."""
    hidden = set(leave_out)
    return [f"{k}: {plain(v)}" for k, v in document.items() if k not in hidden and v not in (None, "", [], {})]


def fix(offered: Mapping[str, Any] | None) -> str:
    """What would help, as a command to type."""
    if not offered:
        return ""
    params = "".join(
        f" -p {k}={v if isinstance(v, str) else compact(v)}" for k, v in (offered.get("params") or {}).items()
    )
    said = f"{offered['message']} " if offered.get("message") else ""
    return f"  → {said}llmgenie run {offered['action']}{params}"


def outcome_lines(data: Mapping[str, Any]) -> list[str]:
    """What came of an action: `Outcome.to_dict()`."""
    name = data["action"]
    match data["status"]:
        case "denied":
            head = f"{name}: {mark('denied')}; nothing was changed."
        case "failed":
            error = data.get("error") or {}
            head = f"{name}: {mark('failed')}: {error.get('message', '')}\n{error.get('hint', '')}".rstrip()
        case "running":
            head = f"{name}: running; ask again with the same idempotency key."
        case _:
            head = f"{name}: {mark('ok')}{' (answered before, not run again)' if data.get('replayed') else ''}"
    lines = [head]
    for reason in data.get("reasons") or ():
        lines += reason_lines(reason)
    if state := data.get("state"):
        lines.append(f"{state['instance']}: {state['from']} → {state['to']}")
    lines += fields(data.get("result") or {})
    return lines


def reason_lines(reason: Mapping[str, Any]) -> list[str]:
    """One reason of a refusal."""
    rule = f"{reason['policy']}/{reason['rule']}" if "policy" in reason else reason["rule"]
    lines = [f"- {rule} ({reason.get('code', '')}): {reason['message']}"]
    if reason.get("values"):
        lines.append(line(f"because {', '.join(f'{k} = {compact(v)}' for k, v in reason['values'].items())}", 200))
        lines[-1] = f"  {lines[-1]}"
    return [*lines, fix(reason.get("fix")), f"  → {reason['next']}" if reason.get("next") else ""]


def decision_lines(asked: str, data: Mapping[str, Any], *, every: bool = True) -> list[str]:
    """What the policies say to `asked`.

    Args:
        asked: in words.
        data: `Decision.to_dict(trace=True)`.
        every: also the rules that do not apply, clause by clause; else only those that decided, or may have.
    """
    lines = [f"{asked}: {verdict(data['effect'])}" + ("" if data.get("applicable", True) else "; no policy covers it")]
    for reason in data.get("reasons") or ():
        lines += reason_lines({k: v for k, v in reason.items() if k != "values"})
        lines += [f"    {clause}" for clause in reason.get("clauses") or ()]
        if reason.get("unknown"):
            lines.append(f"    not known: {', '.join(reason['unknown'])}")
    lines += [f"  {one}" for one in audit_lines(data.get("audit") or ())]
    matched = {(reason["policy"], reason["rule"]) for reason in data.get("reasons") or ()}
    others = [rule for rule in data.get("trace") or () if (rule["policy"], rule["rule"]) not in matched]
    shown = [rule for rule in others if not _about_others(rule)] if every else list(filter(applies, others))
    for rule in shown:
        level = f" ({rule['level']})" if "level" in rule else ""
        lines.append(f"  {rule['policy']}/{rule['rule']}{level}: {rule['outcome']}")
        lines += [f"    {clause}" for clause in rule["clauses"]]
    names = [f"{rule['policy']}/{rule['rule']}" for rule in others if every and _about_others(rule)]
    return [*lines, f"  about other actions: {', '.join(names)}" if names else ""]


def applies(rule: Mapping[str, Any]) -> bool:
    """Whether a rule of a decision's trace matched, or what it needs is not known."""
    return bool(rule["outcome"] != "not_matched")


def _about_others(rule: Mapping[str, Any]) -> bool:
    """Whether a rule did not match because it names other actions; its other clauses then say nothing."""
    named = [clause for clause in rule["clauses"] if clause.startswith("action.name == ")]
    return rule["outcome"] == "not_matched" and bool(named) and all(" → false" in clause for clause in named)


def verdict(effect: str) -> str:
    """What a decision comes to: ok, a person decides, or denied."""
    return {"allow": mark("ok"), "ask": f"{mark('warn')}: a person decides", "deny": mark("denied")}[effect]


def audit_lines(reasons: Iterable[Mapping[str, Any]]) -> list[str]:
    """What policies of level audit would have said: `Decision.audit` as JSON."""
    would = {"deny": "would have been denied", "ask": "a person would have been asked"}
    return [f"{would[r['effect']]} by {r['policy']}/{r['rule']}: {r['message']}" for r in reasons]


def call(name: str, params: Mapping[str, Any] | None) -> str:
    """An operation or action with its parameters, the empty ones left out: `git.push(branch="main")`."""
    given = ((key, value) for key, value in (params or {}).items() if value not in ("", False, [], {}))
    return line(f"{name}({', '.join(f'{key}={compact(value)}' for key, value in given)})", 200)


def _moment(stamp: str) -> str:
    """The time of an RFC 3339 stamp in UTC, with its date where that is another than today's."""
    day, time_of_day = stamp[:10], stamp[11:19]
    return time_of_day if day == time.strftime("%Y-%m-%d", time.gmtime()) else f"{day} {time_of_day}".strip()


def log_line(entry: Mapping[str, Any]) -> str:
    """A line of the meta-log in one line; times are in UTC."""
    actor = entry.get("actor") or {}
    who = f"{actor.get('kind', '?')}:{actor.get('id', '?')}"
    what = str(entry.get("type", ""))
    parts = [f"#{entry['seq']}", _moment(str(entry.get("ts", ""))), who, str(entry.get("session") or "-")]
    state = entry.get("state") or {}
    moved = [state] if state else entry.get("moved") or []
    about = [
        str(entry.get("action") or entry.get("approval") or entry.get("item") or ""),
        *(f"{step['instance']}: {step['from']} → {step['to']}" for step in moved),
        *(f"{r['rule']}: {r['message']}" for r in entry.get("reasons") or ()),
        *(str(note) for note in entry.get("notes") or ()),
        str((entry.get("error") or {}).get("message", "")),
        *(str(entry.get(name) or "") for name in ("destination", "why")),
        *(str(stop.get("message")) for stop in entry.get("stopped") or ()),
        f"→ {', '.join(entry['deliveries'])}" if entry.get("deliveries") else "",
    ]
    if what == "action.completed" and not state and (id_ := (entry.get("result") or {}).get("id")):
        about.insert(1, str(id_))
    return f"{line(' '.join(parts), 200)} {line(what)} {line('; '.join(part for part in about if part), 200)}".rstrip()
