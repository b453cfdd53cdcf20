"""What would lift the agent's restraints: ways around the hooks. llmgenie's own commands are in `own`."""

from __future__ import annotations

import re
from collections.abc import Callable

from llmgenie_mcp.shell import own, wrappers
from llmgenie_mcp.shell.arguments import Arguments, known, parse, unknown
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.opaque import touches
from llmgenie_mcp.shell.pattern import lazily


def _kill(call: Call) -> str | None:
    named = any("llmgenie" in word for word in call.words)
    if named or (unknown(call.words) and "llmgenie" in call.text):
        call.emit("restraint.lift", what="llmgenie")
    return None


def _terminal(call: Call) -> str | None:
    """Programs that give another one a terminal of its own: what an approval by a person rests on."""
    arguments = parse(call.words, "-c -I -O -E -T --command -f", first=call.name != "script")
    code = arguments.value("-c", "--command")
    written = " ".join([*call.words, call.stdin])
    if "llmgenie" in written:
        call.emit("restraint.lift", what=f"{call.name} llmgenie")
    if call.name == "expect":
        about = touches(written)
        call.opaque("expect drives a terminal", about if code or call.stdin else [*about, "anything"])
    elif call.name == "unbuffer":
        return call.delegate(arguments.operands)
    elif code is not None:
        return call.read_apart(code, [])
    elif len(arguments.operands) > 1:  # BSD: script FILE COMMAND …
        return call.delegate(arguments.operands[1:])
    return None


def _login_shell(call: Call) -> str | None:
    if call.name == "chsh" or parse(call.words, "-s --shell").has("-s", "--shell"):
        call.emit("restraint.lift", what="login shell")
    return None


def _hooks(call: Call) -> str | None:
    """Runners of git hooks take them out again when told."""
    if parse(call.words).operands[:1] == ["uninstall"]:
        call.emit("restraint.lift", what="git hooks")
    return None


_UNINSTALLS = frozenset({"uninstall", "remove", "rm", "disable", "delete", "unlink"})


def _installer(call: Call) -> str | None:
    """What takes the package away takes its hooks away; what else these programs do is in `wrappers`."""
    takes = "--directory --project --python --cache-dir --config-file --color"
    arguments = parse(call.words, takes, first=True)
    if arguments.operands[:1] not in (["run"], ["exec"]) and _takes_away(arguments.operands):
        call.emit("restraint.lift", what="llmgenie")
        return None
    if call.name == "uv" and arguments.operands[:2] == ["tool", "run"]:
        return call.delegate(["uvx", *arguments.operands[2:]])
    handler = wrappers.HANDLERS.get(call.name)
    return handler(call) if handler is not None else None


def _takes_away(words: list[str]) -> bool:
    return bool(_UNINSTALLS & set(words[:3])) and any("llmgenie" in word.lower() for word in words)


# agent → options by which it asks nobody, or leaves out hooks and settings (their manuals)
_UNBOUND: dict[str, str] = {
    "claude": "--dangerously-skip-permissions --allow-dangerously-skip-permissions --setting-sources --bare",
    "codex": """--dangerously-bypass-approvals-and-sandbox --dangerously-bypass-hook-trust --yolo --ignore-user-config
        --ignore-rules""",
    "gemini": "--yolo -y", "qwen": "--yolo -y", "copilot": "--yolo --allow-all", "amp": "--dangerously-allow-all",
    "cursor-agent": "-f --force --yolo", "opencode": "", "gemini-cli": "--yolo -y",
    "claude-code": "--dangerously-skip-permissions --allow-dangerously-skip-permissions --setting-sources --bare",
}  # fmt: skip
_AGENT_TAKES = "--prompt --settings --setting-sources --permission-mode --approval-mode --disable --model"
_AGENT_PARTS = frozenset({"mcp", "plugin", "plugins", "extension", "extensions", "hooks"})
_AGENT_HOMES = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME", "GEMINI_CLI_HOME")
_LOOSE = lazily(r"disableAllHooks|\bhooks\b|bypassPermissions", re.IGNORECASE)


def _agent(call: Call) -> str | None:
    """An agent started by the agent is bound as it is itself: by the same hooks, settings and server."""
    takes = "-m" if call.name.startswith("claude") else "-m -p -c --config" if call.name == "codex" else "-m -p"
    arguments = parse(call.words, f"{_AGENT_TAKES} {takes}")
    homes = [name for name in _AGENT_HOMES if call.variable(name)]
    if arguments.operands and arguments.operands[0] in _AGENT_PARTS and _takes_away(arguments.operands):
        call.emit("restraint.lift", what="llmgenie")
    elif arguments.operands[:1] == ["config"] and _LOOSE.search(" ".join(arguments.operands)):
        call.emit("restraint.lift", what=f"the hooks of {call.name}")
    elif homes or arguments.has(*_UNBOUND[call.name].split()) or _loosened(call, arguments):
        call.emit("restraint.lift", what=homes[0] if homes else f"the hooks of {call.name}")
    return None


def _loosened(call: Call, arguments: Arguments) -> bool:
    """Whether settings given for this run alone leave out hooks, or cannot be known."""
    for value in arguments.values("--settings"):
        text = value if value.lstrip().startswith("{") else call.script_text(value)
        if text is None or known(text) is None or _LOOSE.search(text):
            return True
    given = [*arguments.values("-c", "--config"), *arguments.values("--disable")]
    modes = arguments.values("--permission-mode", "--approval-mode")
    return any(_LOOSE.search(value) for value in given) or "bypassPermissions" in modes or "yolo" in modes


def _python_module(call: Call) -> str | None:
    """Modules of Python that run another module or file: `python -m cProfile -m NAME`, `coverage run -m NAME`."""
    words = call.words
    if call.name == "coverage":
        if words[:1] != ["run"]:
            return None
        words = words[1:]
    takes = "-o -s -m -c --module --source --omit --include --rcfile --data-file --concurrency --context -C -f"
    arguments = parse(words, takes, first=True)
    module = arguments.value("-m", "--module")
    if call.name == "runpy":
        return call.delegate(["python", "-m", *words])
    if module is not None:
        return call.delegate(["python", "-m", module, *arguments.operands])
    return call.delegate(["python", *arguments.operands]) if arguments.operands else None


def _window(call: Call) -> str | None:
    """Terminals in a window run a command as if a person had typed it."""
    if "llmgenie" in " ".join(call.words):
        call.emit("restraint.lift", what=f"{call.name} llmgenie")
    for option in ("-e", "-x", "--"):
        if option in call.words:
            rest = call.words[call.words.index(option) + 1 :]
            return call.read_apart(rest[0], []) if len(rest) == 1 else call.delegate(rest)
    return None


_MODULES = ("cProfile", "profile", "runpy", "trace", "pdb", "coverage")

HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(
        ("pip", "pip3", "uv", "pipx", "pipenv", "poetry", "pdm", "rye", "conda", "mamba", "brew"), _installer
    ),
    **dict.fromkeys(_UNBOUND, _agent),
    **dict.fromkeys((*_MODULES, "cprofile"), _python_module),
    **dict.fromkeys(("xterm", "gnome-terminal", "konsole", "xfce4-terminal", "alacritty", "kitty", "urxvt"), _window),
    **own.HANDLERS,
    **dict.fromkeys(("kill", "pkill", "killall"), _kill),
    **dict.fromkeys(("chsh", "usermod"), _login_shell),
    **dict.fromkeys(("script", "expect", "unbuffer"), _terminal),
    **dict.fromkeys(("pre-commit", "prek", "lefthook", "husky"), _hooks),
}
