"""llmgenie's own commands in an agent's shell: each is for everybody, or for a person alone.

Every command of the command line stands in `COMMANDS`; a test walks through the command line and finds what is missing here.
The table is here, and not beside the commands, because a hook reads it for every command and imports no command line.
"""

from __future__ import annotations

from collections.abc import Callable

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.shell.arguments import UNKNOWN, Arguments, known, may_be, parse
from llmgenie_mcp.shell.call import Call


@dataclass(frozen=True, slots=True)
class Whose:
    """Who may run a command.

    Attributes:
        person: whether a person alone may.
        unless: options with which it is the other way round.
    """

    person: bool
    unless: tuple[str, ...] = ()


_EVERYBODY = Whose(person=False)
_PERSON = Whose(person=True)
_READERS = """actions approvals check completion context demo enforce event export import log plugins run schema
    state sync update hook|command hook|http hook|status log|verify outbox outbox|deliver outbox|retry outbox|replay
    policy|check policy|explain policy|list policy|show policy|test reference|cli reference|pages roadmap|add roadmap|list
    session|finish session|list session|pause session|resume session|start task|add task|claim task|complete task|list
    task|show token|list upstream|list upstream|refresh workflow|check workflow|diagram workflow|list workflow|show"""
COMMANDS: dict[str, Whose] = {
    **{name.replace("|", " "): _EVERYBODY for name in _READERS.split()},
    **dict.fromkeys(("approve", "token create", "token revoke", "outbox skip", "outbox drop"), _PERSON),
    **dict.fromkeys(("upstream accept", "upstream login", "upstream logout"), _PERSON),
    **dict.fromkeys(("upstream add", "upstream remove"), _PERSON),
    **dict.fromkeys(("init", "uninstall"), Whose(person=True, unless=("--dry-run",))),
    "trust": Whose(person=True, unless=("--show",)),
    "doctor": Whose(person=False, unless=("--fix", "--repair")),
    # On stdin and stdout it talks to whoever started it, and believes the answers to what it asks a person.
    "serve": Whose(person=True, unless=("--http",)),
}
"""Command → whose it is. `outbox` and `log` without a word behind them list."""
GROUPS = frozenset(name.partition(" ")[0] for name in COMMANDS if " " in name)
_MIXED = frozenset(name.partition(" ")[0] for name, whose in COMMANDS.items() if " " in name and whose.person)
"""Groups of which some commands are a person's."""
_FORMER = frozenset({"reject", "deny", "distrust"})
"""Names that people try for what a person alone does."""
VALUES = """--check --project --comment --params --param -p --session --limit --query --cursor --range --branch --each --policy
    --format --output --max-size --encoding --agent --timeout --description --target --idempotency-key --write --host
    --port --summary --task --role --mode --epic --worktree --expected-version --priority --after --label --roadmap-item
    --status --assignee --expires --from --url --command --instance --name"""
"""Options of any command that take a value."""
_WRITES = ("--output", "--write")
_HELP = ("--help", "-h", "--version")


def run(call: Call) -> str | None:
    """Report what a person alone may do, and the files that a command of everybody's is told to write."""
    arguments = parse(call.words, VALUES)
    if arguments.surely(*_HELP):
        return None
    words = arguments.operands[:2]
    if call.name == "llmgenie-mcp":
        words = ["serve"]
    first = words[0] if words else ""
    name = " ".join(words) if first in GROUPS and " ".join(words) in COMMANDS else first
    strange = name in _MIXED and len(words) > 1 and known(words[1]) is not None  # of another version, perhaps
    whose = COMMANDS.get("" if strange else name, _PERSON if strange or name in _FORMER else _EVERYBODY)
    turned = arguments.surely(*whose.unless) if whose.person else arguments.has(*whose.unless)
    if _unknown(words) or (not whose.person and whose.unless and _vague(arguments, whose.unless)):
        call.emit("restraint.lift", what=None)
    elif whose.person != turned:
        call.emit("restraint.lift", what=f"llmgenie {name}")
    call.files("file.write", arguments.values(*_WRITES))
    return None


def _unknown(words: list[str]) -> bool:
    """Whether the words that name the command may name one of a person's."""
    if not words or known(" ".join(words)) is not None:
        return False
    if known(words[0]) is not None and words[0] not in GROUPS:
        return False
    names = [name for name, whose in COMMANDS.items() if whose.person or whose.unless]
    return any(may_be(" ".join(words[: name.count(" ") + 1]), [name]) for name in names) or words[0][:1] == UNKNOWN


def _vague(arguments: Arguments, names: tuple[str, ...]) -> bool:
    """Whether one of the words may be one of the options."""
    options = [name for name, _ in arguments.options]
    return any(may_be(word, names) for word in (*options, *arguments.operands))


HANDLERS: dict[str, Callable[[Call], str | None]] = dict.fromkeys(("llmgenie", "llmgenie-mcp"), run)
