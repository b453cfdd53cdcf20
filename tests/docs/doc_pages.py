"""The Markdown pages of the project as what can be tried: fenced blocks, and what a block's first lines say of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
MADE = "<!-- Made by "
"""How pages begin that a command writes; their texts are held to the program by the command's own tests."""

FENCE = re.compile(
    r"^(?P<fence>```+)(?P<language>[a-z]*)[^\n]*\n(?P<text>.*?)^(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL
)
SHOWN = re.compile(r"<!-- shown: ([^>]+?) -->\n\Z")
FILE = re.compile(r"^`([\w./-]+)`\n\n\Z", re.MULTILINE)
CALL = re.compile(r"^(claude|cursor)> ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        page: the file.
        line: of its first line of text, from 1.
        language: the word after the fence; empty when there is none.
        text: what stands in it.
        why_shown: why it is only shown, from a comment `<!-- shown: … -->` right above it; else empty.
        file: the name of a file that it is, from a paragraph right above it that is nothing else; else empty.
        heading: the nearest heading above it.
    """

    page: Path
    line: int
    language: str
    text: str
    why_shown: str
    file: str
    heading: str

    @property
    def place(self) -> str:
        """`docs/live.md:27`, for messages."""
        return f"{name(self.page)}:{self.line}"

    @property
    def calls(self) -> bool:
        """Whether agents act in it: `claude> run_action {…}`."""
        return self.language == "text" and CALL.search(self.text) is not None


def name(page: Path) -> str:
    """The page's path from the project's folder."""
    return page.relative_to(ROOT).as_posix()


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """The blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return tuple(_block(page, text, found) for found in FENCE.finditer(text))


def is_made(page: Path) -> bool:
    """Whether a command writes the page."""
    return page.read_text(encoding="utf-8").startswith(MADE)


def _block(page: Path, text: str, found: re.Match[str]) -> Block:
    above = text[: found.start()]
    shown, file = SHOWN.search(above), FILE.search(above)
    headings = re.findall(r"^#+ (.+)$", above, re.MULTILINE)
    return Block(
        page,
        above.count("\n") + 2,
        found["language"],
        found["text"],
        shown[1] if shown else "",
        file[1] if file else "",
        headings[-1] if headings else "",
    )
