"""How an endpoint is asked, and what its refusals mean to the one who must mend something."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from llmgenie_mcp import api, network
from llmgenie_mcp.api import Coming, Reply
from llmgenie_mcp.config import Model
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.models.question import Unanswered

BASE_BYTES = 300_000
"""Of an answer without any token: headers of the stream, and what reasoning models say to themselves at the least."""
TOKEN_BYTES = 2_000
"""A token may come in so many bytes of the stream; usual are 100 to 400."""
BUSY = frozenset({429, 503, 529})
"""Statuses of an endpoint that has too much to do; 529 is used where 503 should be."""


@dataclass(frozen=True, slots=True)
class Connection:
    """To the endpoint of a model, for one action.

    Attributes:
        model: of the settings.
        ends: of `time.monotonic`; by then all must be over.
        cancel: set it to break off.
        pulse: called about ten times a second while nothing comes.
    """

    model: Model
    ends: float
    cancel: threading.Event
    pulse: Callable[[], None]

    @contextlib.contextmanager
    def post(self, path: str, content: Any, max_tokens: int) -> Iterator[Coming]:
        """Ask, and hear a success while it comes.

        Args:
            path: below the endpoint's address.
            content: JSON value for the body.
            max_tokens: that were asked for; more bytes than they can need are not read.

        Raises:
            Unanswered: it is none, or breaks off. ActionError: there is no key.
        """
        model = self.model
        secrets = {"authorization": api.header(model.key, "Bearer ")} if model.key else {}
        try:
            with api.listen(
                "POST",
                model.url.rstrip("/") + path,
                timeout=max(0.001, self.ends - time.monotonic()),
                allow_private=model.allow_private,
                headers={"accept": "application/json, text/event-stream, application/x-ndjson"},
                secrets=secrets,
                content=content,
                max_bytes=BASE_BYTES + max_tokens * TOKEN_BYTES,
                cancel=self.cancel,
                pulse=self.pulse,
            ) as coming:
                if not 200 <= coming.status < 300:
                    raise self._refusal(coming.reply())
                yield coming
        except network.Unreachable as error:
            raise self._nothing(error) from None

    def broken_off(self, text: str) -> Unanswered:
        """What is raised when an answer ends before it is whole; `text` is what there is of it."""
        message = f"The answer of {self.model.model} broke off after {len(text)} characters."
        return Unanswered(message, "Ask again; look at the endpoint's own log when it happens often.", said=text)

    def no_api(self, why: str) -> Unanswered:
        """What is raised when an answer is not as the protocol says."""
        message = (
            f"What answers at the address of {self.model.model} does not speak the API of {self.model.kind}: {why}."
        )
        hint = "A person must correct `url` (the API's address, not that of its web pages) or `kind` in the settings."
        return Unanswered(message, hint)

    def complaint(self, said: Any) -> Unanswered:
        """What is raised when an endpoint tells of an error in the middle of its answer."""
        words = Reply(200, {}, said, cut=False).said()
        message = f"The endpoint of {self.model.model} broke off with an error{f': {words}' if words else ''}."
        return Unanswered(message, "Ask again; look at the endpoint's own log when it happens often.")

    def _nothing(self, error: network.Unreachable) -> Unanswered:
        if self.cancel.is_set():
            return Unanswered("It was cancelled.", "Ask again when you need it.")
        if error.refused:
            return Unanswered(error.message, "A person must correct the settings.")
        hint = "Look whether the endpoint works; when it only is slow, a person can raise `timeout` in the settings."
        return Unanswered(error.message, hint)

    def _refusal(self, reply: Reply) -> Unanswered:
        status, said, model = reply.status, reply.said(), self.model
        message = f"The endpoint of {model.model} answered {status}{f': {said}' if said else ''}."
        place = "a key (`key`)"
        if model.key is not None:
            place = f"the key in {model.key.place}"
        wait = None
        if status in BUSY:
            wait = reply.retry_after
            hint = f"It is busy: ask again {f'in {wait:g} s' if wait is not None else 'later'}."
        elif status in (401, 403):
            hint = f"A person must {'renew' if model.key else 'give'} {place}, or give it more rights."
        elif status == 404:
            pull = f" (Ollama: ollama pull {model.model})" if model.kind == "ollama" else ""
            hint = f"A person must correct `url` and `model` in the settings, or provide the model{pull}."
        elif 300 <= status < 400:
            hint = "No redirect is followed: a person must write the present address into the settings."
        elif status >= 500:
            hint = "It is broken, or overloaded: ask again later."
        else:
            hint = "Look at what it says: the prompt may be too long for the model, or the schema not to its liking."
        whole = reply.body if isinstance(reply.body, str) else json.dumps(reply.body, ensure_ascii=False)
        return Unanswered(message, hint, status=status, retry_after=wait, said=whole[:5000])
