"""Programs from the settings, run by name: the tests, and whatever else the team allows."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from llmgenie_mcp import process, redact, validation
from llmgenie_mcp.actions._configured import secret_variables
from llmgenie_mcp.actions._open import command_ready, tests_ready
from llmgenie_mcp.config import Command
from llmgenie_mcp.engine.situation import ActionContext, Situation
from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.records import Document, Title

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
SHOWN = 3000
"""Characters of output in an answer; the store keeps what the settings say."""
MARGIN = 9000
"""Characters read before those, so that no secret is cut in two and passes for harmless."""


class RunCommand(Params):
    """Parameters of run_command."""

    name: Title = Field(description="Name of a command in the settings.")
    params: dict[str, Any] = Field(default={}, description="Its parameters, as its schema says.")


class RunTests(Params):
    """Parameters of run_tests."""

    params: dict[str, Any] = Field(default={}, description="Parameters of the settings' `test` command, if it has any.")


@action("run_tests", params=RunTests, slow=True, ready=tests_ready, example={})
def run_tests(ctx: ActionContext, params: RunTests) -> Document:
    """Run the project's tests; the result counts for the commit they ran on."""
    try:
        answer = run_named(ctx, "test", params.params)
    finally:
        _forget_commit_if_changed(ctx)
    commit = ctx.situation.fact("git.head") if ctx.run.get("commit", 1) else None
    return {**answer, "passed": True, "commit": None if commit is UNKNOWN else commit}


def _command_resource(_situation: Situation, params: RunCommand) -> Document:
    return {"type": "command", "id": params.name, "command": params.name}


@action(
    "run_command",
    params=RunCommand,
    slow=True,
    ready=command_ready,
    resource=_command_resource,
    example={"name": "lint"},
)
def run_command(ctx: ActionContext, params: RunCommand) -> Document:
    """Run a command of the settings by name."""
    return run_named(ctx, params.name, params.params)


def run_named(ctx: ActionContext, name: str, params: Mapping[str, Any]) -> Document:
    """Run the command `name` of the settings; what it did goes into the Run record.

    Raises:
        BadParams: the parameters do not fit its schema.
        ActionError: it could not be started, failed, took too long or was cancelled; `result` has its output.
    """
    situation = ctx.situation
    command = situation.settings.commands[name]
    argv = fill(command, params)
    cwd = Path(os.path.realpath(situation.folder / command.cwd))  # links in a ring raise nothing here: `run` tells
    if not cwd.is_relative_to(situation.folder.resolve()):
        raise ActionError(
            f"The folder {command.cwd!r} of command {name} is outside the project.", "Correct cwd in the settings."
        )
    ctx.run["command"] = name
    done = process.run(
        argv,
        cwd=cwd,
        env=command.env,
        # `publish` is run for a person who approved that, and where it goes often needs what `ci` needs.
        without=() if name == "publish" else secret_variables(situation.settings),
        timeout=command.timeout,
        tail=max(SHOWN, situation.settings.log_output) + MARGIN,
        cancel=ctx.cancel,
        line=lambda seconds, text: ctx.progress(
            seconds, None, redact.redact(text)[:200] or f"{name} has been running for {seconds:.0f} s"
        ),
    )
    return _answer(ctx, name, command, argv, done)


def _answer(ctx: ActionContext, name: str, command: Command, argv: list[str], done: process.Finished) -> Document:
    output = redact.redact(done.output)
    kept = ctx.situation.settings.log_output
    status = (
        "cancelled" if done.cancelled else "timeout" if done.timed_out else "failed" if done.exit_code else "passed"
    )
    ctx.run |= {
        "exit_code": done.exit_code,
        "seconds": done.seconds,
        "output": output[-kept:] if kept else "",
        "status": status,
    }
    cut = done.cut + max(0, len(done.output) - SHOWN)
    answer: Document = {
        "command": argv,
        "exit_code": done.exit_code,
        "seconds": done.seconds,
        "output": output[-SHOWN:],
    }
    if cut:
        answer["cut"] = f"the first {cut} characters are left out"
    if done.cancelled:
        raise ActionError(
            f"{name} was cancelled after {done.seconds:.1f} s.", "Run it again when you need it.", result=answer
        )
    if done.timed_out:
        hint = "Make it faster, or raise its timeout in the settings."
        raise ActionError(f"{name} was stopped after its {command.timeout:g} s.", hint, result=answer)
    if done.exit_code:
        hint = "Read the end of its output, mend the cause, run it again."
        raise ActionError(f"{name} failed with exit code {done.exit_code}.", hint, result={**answer, "passed": False})
    return answer


def fill(command: Command, params: Mapping[str, Any]) -> list[str]:
    """The argument list with `{name}` replaced by parameters; each stays one argument.

    An argument that is nothing but a declared parameter which was not given is left out.

    Raises:
        BadParams: the parameters do not fit the command's schema.
    """
    declared = validation.check_declared(command.params, params, "The command")

    def value(found: re.Match[str]) -> str:
        name = found[1]
        return str(params[name]) if name in params else "" if name in declared else found[0]

    missing = {f"{{{name}}}" for name in declared if name not in params}
    return [_PLACEHOLDER.sub(value, part) for part in command.argv if part not in missing]


def _forget_commit_if_changed(ctx: ActionContext) -> None:
    """Tests that ran while files or HEAD changed say nothing about a commit."""
    from llmgenie_mcp.engine.situation import World

    before = ctx.situation.fact("git.head"), ctx.situation.fact("git.clean")
    ctx.situation.world = World()
    after = ctx.situation.fact("git.head"), ctx.situation.fact("git.clean")
    if before != after or after[1] is not True:
        ctx.run["commit"] = None
