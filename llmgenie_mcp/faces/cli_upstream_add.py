"""`upstream add` and `upstream remove`: servers into the settings and out of them, with the comments there kept."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import click

from llmgenie_mcp.errors import ProjectError, UnknownName, UsageError
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command
from llmgenie_mcp.faces.cli_known import Known
from llmgenie_mcp.faces.cli_person import answer, ask, person, refuse
from llmgenie_mcp.faces.cli_read import pass_cli

FILES = (".cursor/mcp.json", ".mcp.json", ".vscode/mcp.json")
"""Where editors keep the servers of a project; taken over from the first that has one of the name."""


@click.command(cls=Command)
@click.argument("names", nargs=-1)
@click.option("--from", "source", metavar="FILE", type=click.Path(path_type=Path), help="An mcp.json to take from.")
@click.option("--url", help="Instead: the address of a server, for the one NAME given.")
@click.option("--command", "line", metavar="LINE", help="Instead: program and arguments, for the one NAME given.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@pass_cli
def add(cli: Cli, names: tuple[str, ...], source: Path | None, url: str | None, line: str | None, yes: bool) -> None:
    """Put servers into the settings: those of an mcp.json (all, or those NAMEd), or one by --url or --command.

    Shows what it writes and asks once. Secrets are not copied: they become names of environment variables. Nothing is
    started before a person says llmgenie trust, and no tool is open before llmgenie upstream accept.
    """
    if url is not None or line is not None:
        found, told = _given(names, source, url, line)
    else:
        found, told = _taken_over(cli.project.root, source, names)
    path = cli.project.store / "llmgenie.yaml"
    written, known = _with(path, found)
    if known:
        raise UsageError(f"The settings have {', '.join(known)} already.", "Remove it first: llmgenie upstream remove")
    data: dict[str, Any] = {"file": str(path), "upstreams": found, "told": told}
    if not found:
        cli.show({**data, "written": False}, ["There is nothing to add.", *told], ok=not told)
        return
    if not _agreed(cli, yes, [f"{path} gets:", _yaml({"upstreams": found}).rstrip(), *told]):
        cli.show({**data, "written": False}, "Nothing was written.", ok=False)
    _write(path, written)
    steps = "Next, a person in a terminal: llmgenie trust, llmgenie upstream refresh, llmgenie upstream accept NAME."
    cli.show({**data, "written": True}, [f"{text.mark('ok')} written: {', '.join(found)}.", steps])


@click.command(cls=Command)
@click.argument("name", type=Known("upstreams"))
@click.option("--yes", is_flag=True, help="Without asking.")
@pass_cli
def remove(cli: Cli, name: str, yes: bool) -> None:
    """Take a server out of the settings, and forget which of its tools were accepted, and a login there."""
    from llmgenie_mcp.upstream import listing
    from llmgenie_mcp.upstream.keys import keys_of

    path = cli.project.store / "llmgenie.yaml"
    document = _document(path)
    known = (document or {}).get("upstreams") or {}
    if name not in known:
        raise UnknownName("upstream", name, known)
    if not _agreed(cli, yes, [f"{name} is taken out of {path}, and what was accepted of it is forgotten."]):
        cli.show({"name": name, "removed": False}, "Nothing was changed.", ok=False)
    del known[name]
    if not known:
        del document["upstreams"]
    _write(path, _dumped(document) if document else "")
    listing.forget(cli.project.store, name)
    keys_of(cli.project.store, name, "").forget()
    cli.show({"name": name, "removed": True}, f"{text.mark('ok')} {name} is removed. Next: llmgenie trust.")


def _given(
    names: tuple[str, ...], source: Path | None, url: str | None, line: str | None
) -> tuple[dict[str, Any], list[str]]:
    import shlex

    if len(names) != 1 or source is not None or (url is not None and line is not None):
        raise UsageError("One NAME goes with one of --url and --command, and no --from with them.", "")
    if url is not None:
        return {names[0]: {"url": url}}, []
    try:
        return {names[0]: {"command": shlex.split(line or "")}}, []
    except ValueError as error:
        raise UsageError(f"The command line cannot be read: {error}.", "Close what quotes are open.") from None


def _taken_over(root: Path, source: Path | None, names: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
    from llmgenie_mcp.upstream import entries

    places = [source] if source is not None else [root / name for name in FILES]
    found: dict[str, Any] = {}
    told: list[str] = []
    for place in places:
        if source is None and not place.is_file():
            continue
        for name, entry in entries.read(place).items():
            if name not in found and (not names or name in names):
                found[name] = entry
    if missing := [name for name in names if name not in found]:
        raise UnknownName("server", missing[0], found, hint=f"Looked in {', '.join(str(place) for place in places)}.")
    taken: dict[str, Any] = {}
    for name, entry in found.items():
        if entries.is_ours(entry):
            continue
        try:
            fresh, made, notes = entries.settings_of(name, entry)
        except entries.NotTaken as error:
            told.append(f"{name} is left out: {error}")
            continue
        taken[fresh] = made
        told += notes
    return taken, told


def _with(path: Path, found: dict[str, Any]) -> tuple[str, list[str]]:
    """The settings with these upstreams, as text, and which of them were there before. Raises DefinitionError."""
    from llmgenie_mcp.config import Settings
    from llmgenie_mcp.loader import load_bytes

    before = path.read_text(encoding="utf-8") if path.exists() else ""
    document = _document(path)
    if document is None:  # nothing but comments, which stay as they are
        gap = "" if not before or before.endswith("\n") else "\n"
        made, known = f"{before}{gap}{_yaml({'upstreams': found})}", list[str]()
    else:
        if not document.get("upstreams"):
            document["upstreams"] = {}
        known = [name for name in found if name in document["upstreams"]]
        document["upstreams"].update(found)
        made = _dumped(document)
    load_bytes(made.encode(), Settings, str(path))
    return made, known


def _document(path: Path) -> Any:
    """The settings as a document that keeps its comments; None when there is nothing in them."""
    from ruamel.yaml.error import YAMLError

    if not path.exists():
        return None
    from llmgenie_mcp.loader.settings import load_settings

    load_settings(path.parent)  # says what is wrong with them, and where
    try:
        return _round_trip().load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ProjectError(f"{path} cannot be edited: {text.line(error, 300)}", "Edit it by hand.") from None


def _round_trip() -> Any:
    from ruamel.yaml import YAML

    made = YAML()
    made.preserve_quotes = True
    made.width = 4096
    return made


def _dumped(document: Any) -> str:
    stream = io.StringIO()
    _round_trip().dump(document, stream)
    return stream.getvalue()


def _yaml(value: Any) -> str:
    return _dumped(value)


def _write(path: Path, content: str) -> None:
    from llmgenie_mcp.storage.disk import replace_file

    path.parent.mkdir(exist_ok=True)
    replace_file(path, content.encode())


def _agreed(cli: Cli, yes: bool, lines: list[str]) -> bool:
    """Whether it is to be done: by `--yes`, or by a person who is shown what."""
    if not yes and person() is None:
        refuse("Changing the settings", "the same command; --yes is for who has seen what it writes")
    if not (yes and cli.json):
        text.say(lines, error=cli.json)
    if yes:
        return True
    ask("Write it? [y/N] ")
    return answer().lower() in ("y", "yes")
