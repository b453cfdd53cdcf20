"""What is known of an issue and a comment elsewhere, in words that are no tracker's own, and why it is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, field
from typing import Any, Literal, Protocol, TypeAlias

from llmgenie_mcp import api
from llmgenie_mcp.frozen import dataclass

State: TypeAlias = Literal["open", "done", "cancelled"]


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue as the tracker has it.

    Attributes:
        number: as people say it.
        title: one line.
        body: Markdown, with markers.
        state: open, or how it was closed.
        labels: by name.
        people: logins of those it is assigned to, the first one first.
        url: page for people.
        updated_at: UTC, RFC 3339, as the tracker says it.
        created_at: the same.
        talk: how many comments it has.
        other: what else is kept of it, such as its milestone.
    """

    number: int
    title: str
    body: str
    state: State
    labels: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    url: str = ""
    updated_at: str = ""
    created_at: str = ""
    talk: int = 0
    other: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment as the tracker has it.

    Attributes:
        id: the tracker's number.
        issue: number of the issue.
        author: login.
        text: Markdown, with markers.
        created_at, updated_at: UTC, RFC 3339.
    """

    id: int
    issue: int
    author: str
    text: str
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything that changed since some time.

    Attributes:
        items: issues or comments, in no order.
        newest: when the last of them changed; empty when there are none.
        etag: hand it back at the next look with the same `since`.
        same: nothing changed since that ETag was given.
    """

    items: tuple[Any, ...] = ()
    newest: str = ""
    etag: str = ""
    same: bool = False


@dataclass(eq=False)
class Unanswered(api.Unanswered):
    """A tracker did not do what it was asked.

    Attributes:
        later: it may be otherwise later without anybody doing anything.
        limited: it is a rate limit.
        refused: it is the content that is refused, or the issue is gone: asking again is of no use.
    """

    _: KW_ONLY
    later: bool = False
    limited: bool = False
    refused: bool = False

    @property
    def gone(self) -> bool:
        """Whether the issue was deleted or moved to another repository, says the tracker."""
        return self.status in (301, 410)


class Tracker(Protocol):
    """What a kind of tracker can do, a file each in this package with a class `TRACKER(settings, cancel)`.

    Every method raises Unanswered, and ActionError when there is no token.
    """

    title: str
    """The vendor's name, for people."""

    def issues(self, since: str, etag: str) -> Listing:
        """The issues of the project that changed at `since` (RFC 3339; empty: ever) or later."""

    def comments(self, since: str, etag: str) -> Listing:
        """The comments of the repository that changed at `since` or later."""

    def issue(self, number: int) -> Issue:
        """One issue."""

    def create(self, fields: Mapping[str, Any]) -> Issue:
        """A new issue; `fields` are title, body, labels, people."""

    def change(self, number: int, fields: Mapping[str, Any]) -> Issue:
        """Change title, body, labels, people or state; what is not named stays."""

    def comments_of(self, number: int) -> list[Comment]:
        """All comments of an issue, the oldest first."""

    def comment(self, number: int, text: str) -> Comment:
        """A new comment."""

    def assignable(self, login: str) -> bool:
        """Whether issues can be assigned to somebody of that login."""


__all__ = ["Comment", "Issue", "Listing", "State", "Tracker", "Unanswered"]
