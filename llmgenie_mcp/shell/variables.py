"""Variables whose value is run by whoever is given them: programs, scripts, code (the manuals of bash, zsh, git and others)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llmgenie_mcp.shell import opaque

if TYPE_CHECKING:
    from llmgenie_mcp.shell.call import Call

_PROGRAMS = frozenset({
    "GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "EDITOR", "VISUAL", "PAGER", "GIT_PAGER", "GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF",
    "GIT_SSH", "GIT_ASKPASS", "SSH_ASKPASS", "SUDO_ASKPASS", "GIT_PROXY_COMMAND", "MANPAGER", "LESSOPEN", "LESSCLOSE", "BROWSER",
    "SUDO_EDITOR", "SYSTEMD_EDITOR", "KUBE_EDITOR", "FCEDIT", "RSYNC_RSH", "RSYNC_CONNECT_PROG", "GH_PAGER", "GH_EDITOR",
    "GH_BROWSER", "GLAB_PAGER", "SYSTEMD_PAGER", "BAT_PAGER", "DELTA_PAGER",
})  # fmt: skip
"""Variables whose value git and others run as a shell's text."""
_PROMPTS = frozenset({"PS0", "PS1", "PS2", "PS4"})
_CODE = frozenset({"PERL5OPT", "PERL5DB", "RUBYOPT", "NODE_OPTIONS"})
"""Options of interpreters, which may hold code."""
_ZSH = (".zshenv", ".zshrc")


def run(call: Call, name: str, value: str) -> None:
    """Read what will run by that variable."""
    if (name in _PROGRAMS and (" " in value or "/" in value)) or name == "PROMPT_COMMAND":
        call.read_apart(value.lstrip("|-"), [])
    elif name in _PROMPTS and ("$(" in value or "`" in value):
        call.read_apart(f': "{value}"' if '"' not in value else f": {value}", [])
    elif name.startswith("BASH_FUNC_"):  # a function for every bash from now on
        call.read_apart(f"exported{value}; exported", [])
    elif name.startswith("GIT_TRACE") and "/" in value:
        call.files("file.write", [value])
    elif name in _CODE and (about := opaque.touches_of_code(value)):
        call.opaque(f"code in {name}", about, text=value)
    elif name in _STARTS and value:
        _STARTS[name](call, value)


def _script(call: Call, value: str) -> None:
    call.script_file(value, [])


def _environment(call: Call, value: str) -> None:
    """ENV is a script for a shell, and to many others the name of a place such as `production`."""
    if "/" in value:
        call.script_file(value, [])


def _folder(call: Call, value: str) -> None:
    for file in _ZSH:
        if (text := call.script_text(f"{value.rstrip('/')}/{file}")) is not None:
            call.read_apart(text, [])


def _flags(call: Call, value: str) -> None:
    if "--eval" in value:
        call.opaque("code for make", opaque.touches_of_code(value))


def _makefiles(call: Call, value: str) -> None:
    texts = [call.script_text(file) or "" for file in value.split()[:_MOST]]
    if about := opaque.touches_of_code("\n".join(texts)):
        call.opaque("code for make", about, text=value)


_MOST = 8
_STARTS: dict[str, Callable[[Call, str], None]] = {
    "BASH_ENV": _script, "ENV": _environment, "ZDOTDIR": _folder, "MAKEFLAGS": _flags, "MAKEFILES": _makefiles,
}  # fmt: skip
