"""Asking language models elsewhere. A protocol a file, each with `ask`; what they have in common is `connection` and `gathering`.

There are client libraries for both protocols. They bring a second HTTP stack, which would go round the guards of `network`
(private addresses, redirects, proxies), and take longer to import than llmgenie itself; what is needed of each protocol is one
request and the reading of its stream.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import field

from llmgenie_mcp.config import Model
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.models.connection import Connection
from llmgenie_mcp.models.question import Question, Said, Unanswered

BYTES_A_TOKEN = 3
"""Of UTF-8; English has about 4, code about 3.5: a prompt is thought a little longer than it is."""
STEP = 0.1
"""Seconds between signs of life while a busy endpoint is waited for."""
PATIENCE = 30.0
"""A busy endpoint is waited for so many seconds at most, once, if it says how long."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A model, and who waits for it.

    Attributes:
        name: of the model in the settings.
        model: what they say of it.
        connection: to its endpoint.
        tell: called as tell(characters, text) with how long the answer is so far, and its end, as it comes.
        heard: every answer so far.
    """

    name: str
    model: Model
    connection: Connection
    tell: Callable[[int, str], None]
    heard: list[Said] = field(default_factory=list)

    def ask(self, question: Question) -> Said:
        """What the model answers.

        Raises:
            Unanswered: it did not. ActionError: there is no key.
        """
        self._check_room(question)
        protocol = importlib.import_module(f"{__name__}.{self.model.kind}")
        for patient in (True, False):
            try:
                found: Said = protocol.ask(self.connection, question, self.tell)
            except Unanswered as error:
                wait = error.retry_after
                left = self.connection.ends - time.monotonic()
                if not patient or wait is None or wait > min(PATIENCE, left / 2) or self._broken_off(wait):
                    raise
            else:
                self.heard.append(found)
                return found
        raise AssertionError("the second attempt ends it")

    def _broken_off(self, seconds: float) -> bool:
        """Wait; True as soon as it is cancelled."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if self.connection.cancel.wait(min(left, STEP)):
                return True
            self.connection.pulse()
        return False

    def _check_room(self, question: Question) -> None:
        """A prompt that is too long is not sent: some endpoints cut it without a word, and answer half a question."""
        size = sum(len(message["content"].encode("utf-8", "replace")) for message in question.messages)
        needed = size // BYTES_A_TOKEN + question.max_tokens
        if needed > self.model.context:
            message = f"The prompt is too long for {self.name}: with the answer it needs about {needed:,} tokens"
            hint = "Ask for less. If the model has room for more, a person can say so: `context` in its settings."
            raise Unanswered(f"{message}, and there is room for {self.model.context:,}.", hint)


__all__ = ["Asker", "Connection", "Question", "Said", "Unanswered"]
