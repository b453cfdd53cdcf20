"""`llmgenie demo`: the product's main job, with everything real: repository, server, client, tests, merge and tag."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import anyio
from mcp.shared.exceptions import MCPError

from llmgenie_mcp import trust
from llmgenie_mcp.diagram import mermaid
from llmgenie_mcp.diagram import text as drawn
from llmgenie_mcp.engine import Engine
from llmgenie_mcp.errors import LlmgenieError
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces import demo_place as places
from llmgenie_mcp.faces.cli_base import print_json
from llmgenie_mcp.faces.cli_person import NeedsPerson, agent_marker, answer, ask, person, refuse
from llmgenie_mcp.faces.demo_pilot import Pilot
from llmgenie_mcp.faces.demo_place import Place
from llmgenie_mcp.faces.demo_show import DemoError, Story
from llmgenie_mcp.faces.demo_talk import Ask, conversation
from llmgenie_mcp.project import STORE


def run(folder: str | None, *, as_json: bool, yes: bool, keep: bool) -> int:
    """Run the demo and tell what happens; returns the exit code.

    Args:
        folder: the repository to use; None for a temporary one.
        as_json: print one JSON document at the end and nothing else on stdout.
        yes: a person agrees beforehand to what the demo asks.
        keep: leave the temporary repository where it is.

    Raises:
        NeedsPerson: a repository of the user's own, and nobody to ask.
    """
    story = Story(quiet=as_json)
    problem: LlmgenieError | None = None
    with _folders(folder, keep=keep) as (root, state):
        try:
            _play(root, state, story, temporary=folder is None, yes=yes)
        except (LlmgenieError, OSError, ExceptionGroup, MCPError) as error:
            problem = _told(error)
        if folder is None and keep:
            story.say("", f"The repository stays in {root}.")
            story.more["kept"] = str(root)
    if as_json:
        data = {"steps": story.steps, **story.more}
        print_json(
            {"ok": True, "data": data} if problem is None else {"ok": False, "error": problem.to_dict(), "data": data}
        )
    elif problem is not None:
        text.say([f"{text.mark('failed')} {problem.message}", problem.hint], error=True)
    return 0 if problem is None else 1


@contextmanager
def _folders(folder: str | None, *, keep: bool) -> Iterator[tuple[Path, Path]]:
    """The repository's folder, and a folder for trust and keys that is not the user's own."""
    if keep and folder is None:
        made = Path(tempfile.mkdtemp(prefix="llmgenie-demo-")).resolve()
        yield made / "greeting", made / "state"
        return
    with tempfile.TemporaryDirectory(prefix="llmgenie-demo-", ignore_cleanup_errors=True) as name:
        made = Path(name).resolve()
        root = made / "greeting" if folder is None else Path(folder).expanduser().resolve()
        yield root, made / "state"


def _play(root: Path, state: Path, story: Story, *, temporary: bool, yes: bool) -> None:
    own = temporary or places.is_free(root)
    asker = _asker(own=own, yes=yes, root=root, story=story)
    with _own_state(state) if own else nullcontext():
        place = places.make(root) if own else places.use(root)
        publish = True
        if own:
            trust.trust(root / STORE)
        else:
            publish = _check_settings(place)
        before = place.git("rev-parse", "--short", place.base)
        _introduce(story, place, temporary)
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
            try:
                anyio.run(_converse, place, story, asker, errors, publish)
            except BaseException:
                _tell_errors(story, errors)
                raise
            finally:
                with suppress(DemoError):
                    place.leave()
        _finish(story, place, before, temporary)


async def _converse(place: Place, story: Story, asker: Ask, errors: TextIO, publish: bool) -> None:
    async with conversation(place.root, places.clean_environment(), story, asker, errors) as talk:
        info = talk.client.server_info
        story.more["server"] = {"name": info.name if info else None, "protocol": talk.client.protocol_version}
        tools = [tool.name for tool in (await talk.client.list_tools()).tools]
        story.say(f"Connected over stdio, protocol {talk.client.protocol_version}. Tools: {', '.join(tools)}")
        await Pilot(talk, place, publish=publish).go()
        log = await talk.client.call_tool("get_context_data", {"key": "meta-log", "limit": 500})
        items: list[dict[str, Any]] = (log.structured_content or {}).get("items", [])
        story.more["meta_log"] = [entry for entry in reversed(items) if entry.get("session") in (None, talk.session)]


def _asker(*, own: bool, yes: bool, root: Path, story: Story) -> Ask:
    """Who answers the questions to a person.

    Raises:
        NeedsPerson: it is the user's own repository, and no person is to be seen.
    """
    if person() is not None and not yes:
        return _ask_person
    if not own and (not yes or agent_marker() is not None):
        refuse("The demo in a repository of yours", f"llmgenie demo --project {root}")
    how = (
        "as agreed with --yes" if yes else "there is no terminal, so the script plays the person, in its own repository"
    )
    return partial(_play_person, story, how)


async def _ask_person(question: str) -> tuple[bool, str]:
    ask(f"\n  ? {text.plain(question)}\n    You are the person here. Approve? [y/n] ")
    await anyio.wait_readable(sys.stdin)  # not in a thread, which Ctrl-C could not end
    return answer().lower() in ("y", "yes"), ""


async def _play_person(story: Story, how: str, question: str) -> tuple[bool, str]:
    story.say(f"  ? {text.plain(question)}", f"    yes ({how})")
    return True, f"Demo: {how}."


def _check_settings(place: Place) -> bool:
    """Whether `publish` may be run. Raises DemoError: there are no tests to run, or nobody trusts the settings."""
    from llmgenie_mcp.config import FILE_NAME
    from llmgenie_mcp.loader.settings import load_settings

    commands = load_settings(place.root / STORE).commands
    if "test" not in commands:
        add = f"In {place.root / STORE / FILE_NAME}: commands: {{test: {{argv: [pytest, -q]}}}}, with your own command."
        raise DemoError("This project's settings do not say how its tests are run.", add)
    if not trust.is_trusted(place.root / STORE):
        raise DemoError("This project's settings are not accepted yet.", f"llmgenie trust --project {place.root}")
    return "publish" not in commands


@contextmanager
def _own_state(folder: Path) -> Iterator[None]:
    """Trust and keys in `folder`, for this process and the server: the user's own stay as they are."""
    before = os.environ.get(trust.STATE_ENVIRONMENT)
    os.environ[trust.STATE_ENVIRONMENT] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[trust.STATE_ENVIRONMENT]
        else:
            os.environ[trust.STATE_ENVIRONMENT] = before


def _introduce(story: Story, place: Place, temporary: bool) -> None:
    story.more["project"] = str(place.root)
    kind = "a temporary one" if temporary else "made for the demo" if place.own else "your own"
    story.say(
        text.strong(
            "llmgenie demo: a coding agent brings a change from a task to a release, and is kept to the workflow"
        )
    )
    story.say(
        f"Repository {place.root} ({kind}). Server: {sys.executable} -m llmgenie_mcp serve. Client: the MCP SDK's."
    )
    if not place.own:
        story.say(
            f"{text.mark('warn')} It commits on {place.branch}, merges into {place.base}, sets the tag v{place.version}: here.",
            "     Nothing is pushed. How to undo it is told at the end.",
        )


def _finish(story: Story, place: Place, before: str, temporary: bool) -> None:
    """What is left to look at: log, diagram, history."""
    with Engine.open(place.root, read_only=True) as engine:
        review = engine.context_data("instances", "workflow:review", 500)["items"][-1]["id"]
        document = engine.context_data(f"instances/{review}")["value"]
        flow = engine.catalog.workflows["review"].value
        report = engine.storage.verify()
    history = [(step["from"], step["trigger"], step["to"]) for step in document["history"]]
    graph = place.git("log", "--oneline", "--graph", "--decorate", "-12", place.base)
    story.more["diagram"] = {
        "text": drawn(flow, document["state"]),
        "mermaid": mermaid(flow, document["state"], history),
    }
    story.more["graph"] = graph
    story.more["verify"] = {"ok": report.ok, "lines": report.lines, "problems": report.problems}
    story.chapter("What is left: the meta-log, the diagram, the history")
    story.shell("llmgenie log")
    story.say(*(f"  {text.log_line(entry)}" for entry in story.more["meta_log"]))
    story.shell(f"llmgenie workflow diagram review --instance {review}      (--mermaid draws it)")
    story.say(*(f"  {one}" for one in story.more["diagram"]["text"].splitlines()))
    story.shell(f"git log --oneline --graph {place.base}", graph)
    story.shell(
        "llmgenie log verify", f"{report.lines} lines; {'the chain is whole' if report.ok else report.problems}"
    )
    if not report.ok:
        raise DemoError("The log does not verify.", "; ".join(report.problems))
    _next_steps(story, place, before, temporary)


def _next_steps(story: Story, place: Place, before: str, temporary: bool) -> None:
    story.say(
        "", text.strong(f"Everything came as it must: {len(story.steps)} answers, each held against what is expected.")
    )
    if not place.own:
        undo = f"git checkout {place.base} && git reset --hard {before}"
        story.more["undo"] = f"{undo} && git branch -D {place.branch} && git tag -d v{place.version}"
        story.say("To undo it in your repository:", f"  {story.more['undo']}")
    elif not temporary:
        story.say(f"To go on in {place.root}, accept its settings yourself: llmgenie trust --project {place.root}")
    story.say(
        "",
        "Next, in a project of yours: llmgenie init. It shows what it writes, and llmgenie uninstall gives everything back.",
    )


def _tell_errors(story: Story, errors: TextIO) -> None:
    """What the server said on stderr, when something went wrong."""
    errors.seek(0)
    said = errors.read()[-4000:].strip()
    if said:
        story.more["server_errors"] = said
        text.say(["The server said:", *said.splitlines()[-30:]], error=True) if not story.quiet else None


def _told(error: Exception) -> LlmgenieError:
    """What went wrong, taken out of the groups that task groups put it in; what nobody foresaw is raised as it is."""
    found: BaseException = error
    while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    if isinstance(found, BrokenPipeError):
        raise found  # nobody reads what is shown any more
    if isinstance(found, NeedsPerson) or not isinstance(found, LlmgenieError | MCPError | OSError):
        raise error
    return found if isinstance(found, LlmgenieError) else DemoError(f"The conversation broke off: {found}")
