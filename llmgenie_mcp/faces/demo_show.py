"""What the demo tells: on the screen as it goes, and all of it as data for `--json`."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import dataclass, field
from typing import Any

import click

from llmgenie_mcp.errors import LlmgenieError, counted
from llmgenie_mcp.faces import cli_text as text

LINES = 16
WIDTH = 150
"""Lines of an answer that are shown; `--json` has all."""


class DemoError(LlmgenieError):
    """The demo did not go as it must."""

    code = "demo"


@dataclass
class Story:
    """What was asked and answered so far.

    Attributes:
        quiet: show nothing as it goes: a program reads the whole at the end.
        steps: a dict each: {step, title, tool, arguments, answer, data, ok}.
        more: what belongs to the end, by name.
    """

    quiet: bool = False
    steps: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    _chapter: int = 0

    def say(self, *lines: str) -> None:
        """Lines for people; an empty one stays empty."""
        if not self.quiet:
            for one in lines:
                text.say(one) if one else click.echo()

    def chapter(self, title: str, about: str = "") -> None:
        """A headline, and in one sentence what is going to happen."""
        self._chapter += 1
        heading = f"{self._chapter}. {title}"
        self.say(
            "", text.strong(f"━━ {heading} {'━' * max(0, 92 - len(heading))}"), *([text.dim(about)] if about else [])
        )

    def request(self, tool: str, arguments: dict[str, Any]) -> None:
        """A call of a tool, before it is answered."""
        if tool == "run_action":
            about = f"{tool} {text.strong(str(arguments['action']))} {text.compact(arguments.get('params') or {})}"
            rest = {k: v for k, v in arguments.items() if k not in ("action", "params")}
            about += f" {text.compact(rest)}" if rest else ""
        else:
            about = f"{text.strong(tool)} {text.compact(arguments)}"
        self.say(f"→ {text.plain(about)}")

    def answer(self, title: str, tool: str, arguments: dict[str, Any], answer: str, data: Any) -> dict[str, Any]:
        """An answer as it came; returns its record, in which `ok` is still to be said."""
        self._quote(answer, rows=3 if isinstance(data, dict) and data.get("reasons") else 1)
        step = {
            "step": self._chapter,
            "title": title,
            "tool": tool,
            "arguments": arguments,
            "answer": answer,
            "data": data,
            "ok": False,
        }
        self.steps.append(step)
        return step

    def shell(self, command: str, output: str = "") -> None:
        """Something the agent did with its own hands."""
        self.say(f"$ {text.strong(text.plain(command))}")
        if output:
            self._quote(output)

    def note(self, sentence: str) -> None:
        """What to see in what was just shown."""
        self.say(f"  {text.mark('ok')} {sentence}")

    def _quote(self, passage: str, rows: int = 1) -> None:
        """The beginning of a passage, a reason in up to `rows` rows."""
        lines = [one for one in text.plain(passage).splitlines() if one.strip()]
        width = max(60, shutil.get_terminal_size((WIDTH, 0)).columns - 6)
        for one in lines[:LINES]:
            for row in textwrap.wrap(
                one, width, subsequent_indent="    ", max_lines=rows if one.startswith("- ") else 1, placeholder=" …"
            ):
                self.say(f"  │ {row}")
        if len(lines) > LINES:
            self.say(text.dim(f"  │ … {counted(len(lines) - LINES, 'more line')}"))
