"""The page about the command line is as the commands say."""

from __future__ import annotations

from pathlib import Path

import click
from cli_fixtures import SOURCE, answer, run

from llmgenie_mcp.faces.cli import cli
from llmgenie_mcp.faces.cli_base import EXIT_CODES
from llmgenie_mcp.faces.cli_reference import commands

PAGE = SOURCE / "docs" / "cli.md"


def test_the_page_is_as_the_commands_say() -> None:
    assert run("reference", "cli").stdout.rstrip("\n") + "\n" == PAGE.read_text(encoding="utf-8"), (
        "llmgenie reference cli --write docs/cli.md"
    )


def test_it_has_every_command_option_and_exit_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for words, command in commands(cli):
        assert f"# llmgenie {' '.join(words)}\n" in page
        options = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
        assert [name for option in options for name in option.opts if name not in page] == []
    assert [code for code in EXIT_CODES if f"\n| {code} |" not in page] == []
    assert "\x1b" not in page
    assert "\b" not in page


def test_a_stale_page_is_told_and_written_anew(tmp_path: Path) -> None:
    page = tmp_path / "cli.md"
    code, document = answer("reference", "cli", "--check", str(page))
    assert (code, document["error"]["code"]) == (1, "out_of_date")
    assert run("reference", "cli", "--write", str(page)).exit_code == 0
    assert answer("reference", "cli", "--check", str(page))[0] == 0
