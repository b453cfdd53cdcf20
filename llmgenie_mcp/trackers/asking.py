"""How a tracker's API is asked, and what its refusals mean to the one who must mend something."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from llmgenie_mcp import api, network
from llmgenie_mcp.api import Reply
from llmgenie_mcp.trackers.issue import Unanswered
from llmgenie_mcp.tracking import Tracker as Settings

MAX_BYTES = 32_000_000
"""Of an answer: a hundred issues of the longest body that GitHub takes."""
PAGES = 2000
"""Pages of one list that are followed at most."""
CALM = 60.0
"""Seconds to wait where a limit does not say how long: what GitHub asks for at its secondary limits."""
_NEXT = re.compile(r'<([^<>]+)>\s*;[^,<]*?\brel="?next"?')


class Api:
    """One tracker's API, by its settings.

    Args:
        settings: of the tracker.
        cancel: set it to break off.
    """

    title: ClassVar[str]
    base: ClassVar[str]
    prefix: ClassVar[str] = "Bearer "
    needs: ClassVar[str]
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, settings: Settings, cancel: threading.Event) -> None:
        self.settings, self.cancel = settings, cancel

    @property
    def _root(self) -> str:
        return (self.settings.url or self.base).rstrip("/")

    def ask(
        self,
        method: str,
        path: str,
        doing: str,
        content: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        also: tuple[int, ...] = (),
    ) -> Reply:
        """A request, and its answer when that is a success or a status of `also`.

        Args:
            method, path: the request; the path is encoded.
            doing: what it is for, as "close issue 12".
            content: JSON value for the body.
            headers: to send besides.
            also: statuses that the caller understands.

        Raises:
            Unanswered: there is no such answer. ActionError: there is no token.
        """
        secrets = {"authorization": api.header(self.settings.token, self.prefix)}
        try:
            reply = api.ask(
                method,
                self._root + path,
                timeout=self.settings.timeout,
                allow_private=self.settings.allow_private,
                headers={**self.headers, **(headers or {})},
                secrets=secrets,
                content=content,
                max_bytes=MAX_BYTES,
                cancel=self.cancel,
            )
        except network.Unreachable as error:
            if error.refused:
                raise Unanswered(error.message, "A person must correct the settings.") from None
            hint = f"Look whether the network and {self.title} work."
            raise Unanswered(error.message, hint, later=True) from None
        if reply.ok or reply.status in also:
            return reply
        raise self._refusal(reply, doing)

    def pages(self, path: str, doing: str, etag: str = "") -> Iterator[Reply]:
        """The pages of a list, by the links between them (RFC 8288); 304 alone when nothing changed since `etag`."""
        headers = {"if-none-match": etag} if etag else {}
        for _ in range(PAGES):
            reply = self.ask("GET", path, doing, headers=headers, also=(304,) if headers else ())
            yield reply
            found = _NEXT.search(reply.headers.get("link", ""))
            if reply.status == 304 or found is None:
                return
            if not found[1].startswith(f"{self._root}/"):  # the token goes nowhere else
                message = f"The next page of {self.title}'s list is at another place than `url` in the settings says."
                raise Unanswered(message, "Correct `url`: the address by which the API names itself.")
            path, headers = found[1].removeprefix(self._root), {}
        raise Unanswered(f"{self.title} goes on with pages after {PAGES}.", "Take fewer issues: set `labels`.")

    def strange(self, doing: str) -> Unanswered:
        """The error for an answer of another form than the API's."""
        message = f"{self.title} answered the request to {doing}, but not as its API does."
        return Unanswered(message, "Correct `url` in the settings: the API's address, not that of the web pages.")

    def _refusal(self, reply: Reply, doing: str) -> Unanswered:
        status, said = reply.status, reply.said()
        message = f"{self.title} answered {status} to the request to {doing}{f': {said}' if said else ''}."
        token = f"the token in {self.settings.token.place}"
        limited = status == 429 or (status == 403 and _limited(reply, said))
        if status >= 500 or status in api.BUSY or limited:
            hint = "It is busy or broken: try again later."
            return Unanswered(
                message,
                hint,
                status=status,
                later=True,
                retry_after=CALM if limited and reply.pause is None else reply.pause,
                limited=limited,
            )
        if status == 401:
            hint = f"A person must renew {token}; it needs: {self.needs}."
        elif status == 403:
            hint = f"A person must give more rights to {token}; it needs: {self.needs}."
        elif status == 404:
            hint = f"A person must correct `repository` in the settings, or let {token} see it ({self.needs})."
        elif status == 410:
            hint = "It was deleted, or the repository has no issues; the task stays as it is."
        elif 300 <= status < 400:
            hint = "It was moved, and no redirect is followed: write the present repository into the settings."
        else:
            hint = "Change the task so that the tracker takes it; or drop it from the outbox: llmgenie outbox."
        refused = status in (301, 400, 410, 413, 422)
        return Unanswered(message, hint, status=status, refused=refused)


def _limited(reply: Reply, said: str) -> bool:
    """Whether a 403 is a rate limit: GitHub says so with headers, and at secondary limits with words alone."""
    return reply.spent or reply.retry_after is not None or "rate limit" in said.casefold()
