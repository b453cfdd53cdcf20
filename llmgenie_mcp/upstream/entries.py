"""Servers as editors keep them in an `mcp.json`, and the same as our settings; values that may be secrets are not taken over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgenie_mcp import redact
from llmgenie_mcp.config import RESERVED
from llmgenie_mcp.errors import ProjectError, shorten

KEYS = ("mcpServers", "servers")
"""Cursor, Claude Code and others use the first, VS Code the second."""
_REFERENCE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-[^}]*)?\}")
_INPUT = re.compile(r"\$\{input:([\w-]+)\}")
_FOLDER = re.compile(r"\$\{(?:workspaceFolder|workspaceRoot)\}/?")
_HARMLESS = re.compile(r"true|false|[0-9.]{1,12}|[a-z]{1,12}")
"""Values of variables that are copied; anything else might be a secret."""
_SECRET_NAME = re.compile(r"key|token|secret|pass|auth|credential|private|session", re.IGNORECASE)
_SECRET_OPTION = re.compile(r"--?[\w-]*(?:key|token|secret|password|auth)[\w-]*(=.*)?", re.IGNORECASE | re.DOTALL)


class NotTaken(Exception):
    """An entry that cannot be taken over; the text says why."""


def read(path: Path) -> dict[str, Any]:
    """The servers of an `mcp.json`, comments allowed, by name.

    Raises:
        ProjectError: it cannot be read.
    """
    from llmgenie_mcp.edits import jsonc
    from llmgenie_mcp.edits.jsontext import JsoncError

    try:
        content = jsonc.parse(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} cannot be read: {shorten(str(error))}.", "Name another file with --from.") from None
    except JsoncError as error:
        raise ProjectError(f"{path} is no JSON: {shorten(str(error), 200)}", "Mend it first.") from None
    held = next((content[key] for key in KEYS if isinstance(content, dict) and key in content), None)
    if not isinstance(held, dict):
        raise ProjectError(f"{path} has no {' and no '.join(KEYS)}.", "Name another file with --from.")
    return held


def is_ours(entry: Any) -> bool:
    """Whether an entry starts llmgenie itself, which is not put behind itself."""
    words = [entry.get("command"), *_texts(entry.get("args"))] if isinstance(entry, dict) else []
    return any(Path(str(word)).name.partition("@")[0] in ("llmgenie", "llmgenie-mcp", "llmgenie_mcp") for word in words)


def settings_of(name: str, entry: Any) -> tuple[str, dict[str, Any], list[str]]:
    """An entry as (name, settings, what people should know).

    Raises:
        NotTaken: it cannot be, or holds a secret where our settings have no place for one.
    """
    if not isinstance(entry, dict):
        raise NotTaken("it is no object.")
    fresh = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:40]
    if not re.match(r"[a-z]", fresh):
        fresh = f"server-{fresh}"[:40].rstrip("-")
    if fresh in RESERVED:
        fresh = f"{fresh}-server"
    notes = [f"{name} is called {fresh} here."] if fresh != name else []
    if isinstance(entry.get("url"), str):
        made = _web(fresh, entry, notes)
    elif isinstance(entry.get("command"), str):
        made = _program(fresh, entry, notes)
    else:
        raise NotTaken("it has neither a command nor a url.")
    return fresh, made, notes


def _program(name: str, entry: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    argv = [_plain(word) for word in (entry["command"], *_texts(entry.get("args")))]
    if any(_is_secret_argument(argv, number) for number in range(len(argv))):
        raise NotTaken("its arguments hold what looks like a secret; give it in `env` if the server reads it there.")
    if any("${" in word for word in argv):
        raise NotTaken(f"{shorten(next(word for word in argv if '${' in word))} is known to the editor only.")
    made: dict[str, Any] = {"command": argv}
    env = {key: _value(name, key, value, notes) for key, value in _object(entry.get("env")).items()}
    if env:
        made["env"] = env
    if isinstance(entry.get("cwd"), str):
        made["cwd"] = _plain(entry["cwd"])
    if entry.get("envFile"):
        notes.append(f"{name}: variables from {shorten(entry['envFile'])} are not read; name each in env.")
    return made


def _web(name: str, entry: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    url = entry["url"]
    if entry.get("type") == "sse":
        notes.append(f"{name}: SSE is given up by MCP and not spoken here; the same address may speak Streamable HTTP.")
    if redact.find(url) or "${" in url or "@" in url or _SECRET_NAME.search(url.partition("?")[2]):
        raise NotTaken("its address holds what looks like a secret or is known to the editor only.")
    made: dict[str, Any] = {"url": url}
    secret: dict[str, Any] = {}
    for header, value in _object(entry.get("headers")).items():
        used = _REFERENCE.fullmatch(str(value))
        variable = used[1] if used else _variable(name, header)
        secret[header] = {"env": variable}
        if not used:
            notes.append(f"{name}: set {variable} to the whole value of the header {header}; it is not copied.")
    if secret:
        made["secret_headers"] = secret
    return made


def _value(name: str, key: str, value: Any, notes: list[str]) -> Any:
    """What stands for the value of a variable: itself when it is harmless, else the name of one of our own."""
    said = str(value)
    if _HARMLESS.fullmatch(said) and not _SECRET_NAME.search(key):
        return said
    if used := _REFERENCE.fullmatch(said):
        return {"env": used[1]}
    variable = _variable(name, _INPUT.fullmatch(said)[1]) if _INPUT.fullmatch(said) else key  # type: ignore[index]
    notes.append(f"{name}: the value of {key} is not copied; set {variable} where llmgenie's server is started.")
    return {"env": variable}


def _is_secret_argument(argv: list[str], number: int) -> bool:
    word = argv[number]
    option = _SECRET_OPTION.fullmatch(word)
    follows = number + 1 < len(argv) and not argv[number + 1].startswith("-")
    return bool(redact.find(word) or (option and (option[1] or follows)))


def _plain(word: str) -> str:
    """An argument with the editor's name for the project's folder as ours, which the program is started in."""
    return _FOLDER.sub("", word) or "." if _FOLDER.search(word) else word.replace("${userHome}", str(Path.home()))


def _variable(name: str, part: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", f"{name}_{part}".upper())


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
