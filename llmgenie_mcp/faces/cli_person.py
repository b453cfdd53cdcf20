"""Whether a person sits at this terminal, and what only a person may answer.

A terminal without an agent's marks counts as a person. What matters most (approvals, trust) also asks for a random word
to be typed, so that no pipe and no prepared input answers. A program that drives a terminal of its own and reads the
word from it is not kept out by this: that needs rights of the operating system.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from llmgenie_mcp.errors import LlmgenieError
from llmgenie_mcp.markers import is_marker

WORDS = (
    "anchor", "apricot", "basalt", "beacon", "bramble", "canyon", "cedar", "cinder", "cobalt", "copper", "coral", "cricket",
    "dahlia", "ember", "falcon", "fennel", "garnet", "ginger", "glacier", "hazel", "heron", "indigo", "jasmine", "juniper",
    "kestrel", "lagoon", "lantern", "lichen", "magnet", "maple", "marble", "meadow", "nutmeg", "obsidian", "olive", "onyx",
    "orchard", "otter", "pepper", "pewter", "pigeon", "plover", "poplar", "quartz", "quince", "raven", "saddle", "saffron",
    "salmon", "sorrel", "sparrow", "spruce", "sumac", "thicket", "thistle", "timber", "topaz", "tulip", "turnip", "velvet",
    "walnut", "willow", "yarrow", "zephyr",
)  # fmt: skip


class NeedsPerson(LlmgenieError):
    """Only a person may do this, and none was seen."""

    code = "needs_person"


def agent_marker() -> str | None:
    """The environment variable that says an agent runs this command; None when there is none."""
    names = (name for name, value in os.environ.items() if value)
    return next((name for name in sorted(names) if is_marker(name)), None)


def terminal() -> bool:
    """Whether stdin, and stdout or stderr, are terminals."""
    return _is_terminal(sys.stdin) and (_is_terminal(sys.stdout) or _is_terminal(sys.stderr))


def user() -> str:
    """The operating system's name for who is logged in."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "user"


def person() -> str | None:
    """The person at this terminal; None for a program."""
    return user() if terminal() and agent_marker() is None else None


def require_person(what: str, command: str) -> str:
    """The person at this terminal.

    Args:
        what: what is asked for, such as "An approval".
        command: what a person types to do it.

    Raises:
        NeedsPerson: none is seen; says where to type what.
    """
    found = person()
    return found if found is not None else refuse(what, command)


def refuse(what: str, command: str) -> NoReturn:
    """Raise NeedsPerson, with what kept this from counting as a person."""
    marker = agent_marker()
    why = f"{marker} is set, so an agent runs this command" if marker else "this is not a terminal"
    raise NeedsPerson(
        f"{what} needs a person, and {why}.",
        f"The person types in a terminal of their own, outside any agent: {command}",
        **({"marker": marker} if marker else {}),
    )


def confirmed(question: str) -> bool:
    """Ask the person to type a word that is shown now for the first time; anything else is no."""
    import secrets

    word = secrets.choice(WORDS)
    ask(f"{question} type {word} (anything else leaves it as it is): ")
    return answer() == word


def ask(text: str) -> None:
    """Write a prompt where the person sees it: stdout may be going to a program."""
    stream = sys.stderr if _is_terminal(sys.stderr) else sys.stdout
    stream.write(text)
    stream.flush()


def answer() -> str:
    """One line from the person, without spaces around; empty at the end of input."""
    return sys.stdin.readline().strip()


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream and stream.isatty())  # type: ignore[attr-defined]
    except ValueError:  # closed
        return False
