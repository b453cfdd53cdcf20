"""What would lift the agent's restraints: llmgenie's own commands that are a person's, and ways around the hooks."""

from __future__ import annotations

from collections.abc import Callable

from llmgenie_mcp.shell.arguments import parse, unknown
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.opaque import touches

_PERSONS = frozenset({"approve", "trust", "token", "uninstall", "init", "reject", "deny", "distrust"})


def _llmgenie(call: Call) -> str | None:
    operands = parse(call.words, "--project -C --root").operands
    verb = operands[0] if operands else ""
    mending = any(word.startswith(("--fix", "--repair")) for word in call.words)
    if verb in _PERSONS or (verb == "doctor" and mending):
        call.emit("restraint.lift", what=f"llmgenie {verb}")
    elif unknown(operands[:1]):
        call.emit("restraint.lift", what=None)
    return None


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


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(("llmgenie", "llmgenie-mcp"), _llmgenie),
    **dict.fromkeys(("kill", "pkill", "killall"), _kill),
    **dict.fromkeys(("chsh", "usermod"), _login_shell),
    **dict.fromkeys(("script", "expect", "unbuffer"), _terminal),
    **dict.fromkeys(("pre-commit", "prek", "lefthook", "husky"), _hooks),
}
