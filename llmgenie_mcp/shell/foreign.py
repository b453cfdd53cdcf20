"""Other shells' programs and commands: PowerShell and cmd are named, not read."""

from __future__ import annotations

from collections.abc import Callable

from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.opaque import touches, touches_of_code

_CMD = ("del", "erase", "rd", "copy", "xcopy", "robocopy", "move", "ren", "mklink", "reg", "schtasks", "takeown")
_ALIASES = ("iex", "iwr", "irm", "gci", "ri", "sc", "gc", "ni", "sls", "start-process")


def _powershell(call: Call) -> str | None:
    text = " ".join(call.words)
    script = next((word for word in call.words if word.lower().endswith(".ps1")), None)
    about = touches_of_code(text)
    if script is not None and "anything" not in about and (known := call.script_text(script)) is not None:
        about = touches_of_code(known)
    if call.stdin or text.strip() in ("-", "-Command -"):
        about = [*about, *(touches_of_code(call.stdin) or ["anything"])]
    call.opaque("PowerShell", sorted(set(about)))
    return None


def _cmd(call: Call) -> str | None:
    call.opaque("cmd", touches(call.text))
    return None


def _alias(call: Call) -> str | None:
    call.opaque("PowerShell command", touches_of_code(call.text))
    return None


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    "powershell": _powershell, "pwsh": _powershell, "cmd": _cmd, "command.com": _cmd, "wsl": _cmd,
    **dict.fromkeys(_CMD, _cmd), **dict.fromkeys(_ALIASES, _alias),
}  # fmt: skip
