"""What every command shares: the project, the envelope of `--json`, exit codes, and who acts.

`--json` prints one document: {"ok": true, "data": …}; or {"ok": false, "outcome": …} for a refusal,
{"ok": false, "error": {code, message, hint, …}} for an error, {"ok": false, "data": …} for a check that found something.
`ok` is true exactly when the exit code is 0.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING, Any, NoReturn

import click

from llmgenie_mcp.errors import LlmgenieError, ProjectError, StorageError, UsageError
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_known import Known, kind_of
from llmgenie_mcp.faces.cli_person import person
from llmgenie_mcp.frozen import dataclass

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.outcome import Actor, Outcome
    from llmgenie_mcp.project import Project
    from llmgenie_mcp.storage import Storage

OK, DENIED, USAGE = 0, 1, 2
EXIT_CODES = {
    0: "Done, or answered; what was checked is in order.",
    1: "Refused by workflow or policies, failed, not healthy, or not answered by a person who had to.",
    2: "The command line is wrong: an unknown command, option, name or parameter, or no project there.",
    130: "Interrupted with Ctrl-C.",
}
"""What the exit codes say; `docs/cli.md` and the help repeat it."""
COMPLETE = "_LLMGENIE_COMPLETE"
"""The variable by which a shell asks for completions, as click names it."""
INTERRUPTED = 130
DRAIN_SECONDS = 60.0
"""So long does a command wait for what it led to; what is not delivered by then stays in the outbox."""


class OutOfDate(LlmgenieError):
    """A generated file is not as its source says."""

    code = "out_of_date"


@dataclass
class Cli:
    """One run of the command line, handed to every command.

    Attributes:
        folder: what `--project` named.
        json: whether a program reads the answer.
    """

    folder: str | None = None
    json: bool = False

    @property
    def project(self) -> Project:
        """The project as resolved. Raises ProjectError."""
        from llmgenie_mcp.project import resolve

        return resolve(self.folder, source="--project")

    @contextmanager
    def engine(self, *, read_only: bool = False) -> Iterator[Engine]:
        """The open Engine."""
        with quick_imports():
            from llmgenie_mcp.engine import Engine
        with Engine.open(self.project, read_only=read_only) as engine:
            before = engine.storage.last_seq()
            yield engine
            if engine.storage.last_seq() > before:
                from llmgenie_mcp.faces.cli_progress import Working

                with Working("Delivering what it led to", quiet=self.json):
                    deliver(engine)

    @contextmanager
    def storage(self) -> Iterator[Storage]:
        """The store alone, for reading: without workflows and policies it opens in a fraction of the time."""
        from llmgenie_mcp.storage import open_storage

        storage = open_storage(self.project.store, read_only=True)
        try:
            storage.refresh()
            yield storage
        finally:
            storage.close()

    @property
    def actor(self) -> Actor:
        """A person at a terminal, else an agent by the name `cli`."""
        from llmgenie_mcp.outcome import Actor

        found = person()
        return Actor("human", found) if found else Actor("agent", "cli")

    def show(self, data: Any, lines: Sequence[str] | str, *, ok: bool = True) -> None:
        """Print an answer; exit 1 when it is not `ok`."""
        if self.json:
            print_json({"ok": ok, "data": data})
        else:
            text.say(lines)
        if not ok:
            raise click.exceptions.Exit(DENIED)

    def outcome(self, outcome: Outcome, lines: Sequence[str] | None = None) -> None:
        """Print what came of an action; exit 1 when it was refused or failed.

        Args:
            outcome: as the Engine answered.
            lines: what people read instead of the general form, when it is ok.
        """
        data = outcome.to_dict()
        if outcome.ok:
            self.show(data, text.outcome_lines(data) if lines is None else lines)
            return
        self.refusal(data, text.outcome_lines(data))

    def refusal(self, data: Mapping[str, Any], lines: Sequence[str]) -> NoReturn:
        """Print a refusal and exit 1."""
        if self.json:
            print_json({"ok": False, "outcome": data})
        else:
            text.say(lines, error=True)
        raise click.exceptions.Exit(DENIED)


def deliver(engine: Engine) -> None:
    """Deliver what is in the outbox, if no server does; a command that wrote something leaves nothing due behind."""
    if engine.storage.query("outbox", {"status": "pending"}, limit=0).total:
        from llmgenie_mcp.engine.dispatcher import Dispatcher

        Dispatcher(engine, sources=False).drain(DRAIN_SECONDS)


def print_json(document: Any) -> None:
    """Print one JSON document; lone surrogates, which have no UTF-8 form, as escapes."""
    written = text.json_text(document, indent=2)
    click.echo(written.encode("utf-8", "backslashreplace").decode())


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import without garbage collections, which find nothing there and take a sixth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


_USUAL = gc.get_threshold()
_SELDOM = 50_000
"""So many new objects before one looks for garbage; a command that reads makes fewer in its life."""


@contextmanager
def short_life() -> Iterator[None]:
    """Look for garbage seldom, and at the end of the process not at all: what is left goes with it.

    Python's own way takes a sixth of the time of a command. What is to be done at the end is done all the same: it is done
    by `with`, `atexit` and threads that are waited for.
    """
    gc.set_threshold(_SELDOM)
    try:
        yield
    finally:
        gc.freeze()


def long_life() -> None:
    """Look for garbage as usual again: this command goes on until somebody ends it."""
    gc.set_threshold(*_USUAL)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value not in (None, False):
        setattr(context.ensure_object(Cli), parameter.name or "", value)


def _shared() -> list[click.Parameter]:
    return [
        click.Option(
            ["--project", "folder"], metavar="DIR", expose_value=False, callback=_keep,
            type=Known("folder"), help="The project's folder; else LLMGENIE_PROJECT, else the git checkout you are in.",
        ),
        click.Option(["--json", "json"], is_flag=True, expose_value=False, callback=_keep, help="Answer as JSON."),
    ]  # fmt: skip


class Command(click.Command):
    """A command that also takes `--project` and `--json`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for param in self.params:
            if param.type is click.STRING and (known := kind_of(param.metavar)):
                param.type = known
        self.params += _shared()


class Group(click.Group):
    """Commands under one word, all of which take `--project` and `--json`, as the group itself does."""

    command_class = Command
    group_class: type[click.Group | type] | None = type

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params += _shared()

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown command is told with the nearest one."""
        if args and self.get_command(context, args[0]) is None and not args[0].startswith("-"):
            import difflib

            known = self.list_commands(context)
            if near := difflib.get_close_matches(args[0], known, n=1):
                hint = f" Did you mean {near[0]}?"
            else:
                shown = [name for name in known if (found := self.get_command(context, name)) and not found.hidden]
                hint = f" There are: {', '.join(shown)}."
            context.fail(f"No such command {text.plain(args[0])!r}.{hint}")
        return super().resolve_command(context, args)


class _Top(click.Command):
    """What a console script starts: every error becomes a message or a JSON document, and an exit code."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> NoReturn:
        """Run a command line and exit."""
        if COMPLETE in os.environ:
            _complete(super().main, more, options)
        given = list(sys.argv[1:] if args is None else args)
        options["standalone_mode"] = False
        as_json = "--json" in given
        try:
            code = super().main(given, *more, **options)
        except click.ClickException as error:
            sys.exit(_usage(error, as_json))
        except LlmgenieError as error:
            sys.exit(_error(error, as_json))
        except click.Abort:
            if as_json:
                print_json({"ok": False, "error": {"code": "interrupted", "message": "Interrupted.", "hint": ""}})
            else:
                text.say("Interrupted.", error=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # Who read our output has gone; Python would complain once more when it flushes at the end.
            _give_up_output()
            sys.exit(DENIED)
        except OSError as error:
            lost = _is_output_lost(error)
            sys.exit(_error(_refused(error, lost), as_json and not lost))
        sys.exit(code if isinstance(code, int) else OK)


def _complete(main: Callable[..., Any], more: Sequence[Any], options: Mapping[str, Any]) -> NoReturn:
    """Answer a shell that completes a command line. Whatever goes wrong, a person who types is not disturbed."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):  # noqa: PTH123 - no file to speak of
        try:
            main([], *more, **options)
        except (Exception, KeyboardInterrupt):  # noqa: BLE001 - no project, a damaged store: there is nothing to offer
            sys.exit(OK)
    sys.exit(OK)


class Root(_Top, Group):
    """`llmgenie` itself: its commands are imported when they are asked for."""

    group_class = Group

    def __init__(self, *args: Any, modules: Mapping[str, Sequence[str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self._module_of = {name: module for module, names in modules.items() for name in names}

    def list_commands(self, context: click.Context) -> list[str]:  # noqa: ARG002 - click's name for it
        """The names of all commands."""
        return sorted(self._module_of)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name, or None."""
        if name not in self.commands and name in self._module_of:
            from importlib import import_module

            for command in import_module(f"llmgenie_mcp.faces.{self._module_of[name]}").COMMANDS:
                self.add_command(command)
        return super().get_command(context, name)


class Script(_Top, Command):
    """A console script of one command."""


def _usage(error: click.ClickException, as_json: bool) -> int:
    if as_json:
        print_json({"ok": False, "error": {"code": "usage", "message": error.format_message(), "hint": ""}})
    elif isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    else:
        context = getattr(error, "ctx", None)
        lines = [f"Error: {error.format_message()}"]
        text.say([*lines, f"Try: {context.command_path} --help"] if context else lines, error=True)
    return USAGE


def _is_output_lost(error: OSError) -> bool:
    """Whether what was printed does not get out: errors of a file name it. Nothing more is tried then."""
    lost = error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
    if lost:
        _give_up_output()
    return lost


def _give_up_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(error: OSError, lost: bool) -> LlmgenieError:
    """What the system refused, as an error that says where: a state folder that cannot be written, a full disk."""
    said = error.strerror or str(error)
    if lost:
        return StorageError(f"The output cannot be written: {said}.", "Free some space, or send it elsewhere.")
    hint = (
        "Check that it is there, its owner and permissions, and the room on its disk; `llmgenie doctor` looks as well."
    )
    return StorageError(f"{error.filename or 'A file'} cannot be used: {said}.", hint)


def _error(error: LlmgenieError, as_json: bool) -> int:
    if as_json:
        print_json({"ok": False, "error": error.to_dict()})
    else:
        text.say([f"Error: {error.message}", error.hint], error=True)
    return USAGE if isinstance(error, UsageError | ProjectError) else DENIED
