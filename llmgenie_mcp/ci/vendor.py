"""How a CI vendor's API is asked, and what its refusals mean to the one who must mend something."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from llmgenie_mcp import api, network
from llmgenie_mcp.api import Reply
from llmgenie_mcp.ci.run import Unanswered
from llmgenie_mcp.config import Ci
from llmgenie_mcp.frozen import dataclass

MAX_BYTES = 4_000_000
"""Of an answer."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor's API.

    Attributes:
        name: for people.
        base: its address, where the settings give no other.
        token: the header that the token goes into.
        prefix: what stands before the token there.
        needs: what a token must be allowed, in the vendor's words.
        place: the settings by which a thing is found that the vendor does not find.
        headers: to send with each request.
    """

    name: str
    base: str
    token: str
    prefix: str
    needs: str
    place: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(self, ci: Ci, method: str, path: str, cancel: threading.Event, content: Any = None) -> Reply:
        """A request, and its answer whatever it is.

        Args:
            ci: of the settings.
            method, path: the request; the path is encoded.
            cancel: set it to break off.
            content: JSON value for the body.

        Raises:
            Unanswered: there is no answer. ActionError: there is no token.
        """
        secrets = {self.token: api.header(ci.token, self.prefix)}
        try:
            return api.ask(
                method,
                (ci.api or self.base).rstrip("/") + path,
                timeout=ci.timeout,
                allow_private=ci.allow_private,
                headers=self.headers,
                secrets=secrets,
                content=content,
                max_bytes=MAX_BYTES,
                cancel=cancel,
            )
        except network.Unreachable as error:
            if error.refused:
                raise Unanswered(error.message, "A person must correct the settings.") from None
            hint = f"Look whether the network and {self.name} work."
            raise Unanswered(error.message, hint, later=True, perhaps=method != "GET") from None

    def done(self, ci: Ci, reply: Reply, doing: str) -> Mapping[str, Any]:
        """The JSON object of a success.

        Args:
            ci: of the settings.
            reply: the answer.
            doing: what was asked for, as "start build.yml on main of acme/shop".

        Raises:
            Unanswered: it is none.
        """
        if not reply.ok:
            raise self._refusal(ci, reply, doing)
        if isinstance(reply.body, Mapping) and not reply.cut:
            return reply.body
        if reply.body is None:
            return {}
        message = f"{self.name} answered {reply.status} to the request to {doing}, but not as its API does."
        raise Unanswered(message, "Correct `api` in the settings: the API's address, not that of the web pages.")

    def _refusal(self, ci: Ci, reply: Reply, doing: str) -> Unanswered:
        status, said = reply.status, reply.said()
        message = f"{self.name} answered {status} to the request to {doing}{f': {said}' if said else ''}."
        token = f"the token in {ci.token.place}"
        limited = status == 403 and (reply.retry_after is not None or reply.spent)
        if status >= 500 or status in api.BUSY or limited:
            hint = "It is busy or broken: try again later."
            return Unanswered(message, hint, status=status, later=True, retry_after=reply.pause, perhaps=status >= 500)
        if status == 401:
            hint = f"A person must renew {token}; it needs: {self.needs}."
        elif status == 403:
            hint = f"A person must give more rights to {token}; it needs: {self.needs}."
        elif status == 404:
            hint = f"A person must correct {self.place} in the settings, or let {token} see it ({self.needs})."
        elif 300 <= status < 400:
            hint = "No redirect is followed: a person must write the present name and address into the settings."
        else:
            hint = f"Look at ref and inputs; the branch or tag must have been pushed to {self.name}."
        return Unanswered(message, hint, status=status)
