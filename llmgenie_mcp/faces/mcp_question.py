"""Questions that other servers ask during an action, put to the person in front of the client as a form of its own.

They are no approvals: an answer goes back to the server that asked, and nowhere else. A client of the revision 2026-07-28 is
not asked over the connection: the answer to its call is the question, and it calls again with what the person said, while
the action goes on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from llmgenie_mcp.engine.asking import Answer, Ask, Question
from llmgenie_mcp.errors import UsageError
from llmgenie_mcp.faces.mcp_approval import can_ask, has_person
from llmgenie_mcp.faces.mcp_call import Call, Slow, run_slowly

if TYPE_CHECKING:
    from llmgenie_mcp.records import Outcome

KEY = "upstream"
"""Of the state that goes along with a question, and of the question in it."""
NO_FORM = "This client has no dialogue for it."
NO_PERSON = "Over HTTP only a person's own token has somebody in front of the client, and this call has none."
NOT_SHOWN = "The client could not show the dialogue."
Work = Callable[[Slow, Ask], "Outcome"]

logger = logging.getLogger(__name__)


async def run(call: Call, work: Work) -> Outcome | InputRequiredResult:
    """Run an action during which other servers may ask; what it comes to, or the question, when the client has to call again."""
    if call.context.protocol_version in MODERN_PROTOCOL_VERSIONS and not _unable(call):
        return await Parked(call, work).go_on()
    loop = asyncio.get_running_loop()

    def ask(question: Question) -> Future[Answer]:
        return asyncio.run_coroutine_threadsafe(_put(call, question), loop)

    return await run_slowly(call, lambda slow: work(slow, ask))


async def resumed(call: Call) -> Outcome | InputRequiredResult | None:
    """What an action comes to that asked, when this call brings back the answer; None when it brings none.

    Raises:
        UsageError: the action ended meanwhile, or was told already.
    """
    if call.context.request_state is None:
        return None
    mark = json.loads(call.context.request_state).get(KEY)
    if mark is None:
        return None
    parked: Parked | None = call.background.parked.pop(mark, None)
    if parked is None:
        raise UsageError(
            "The action that asked this has ended.", 'What came of it: get_context_data key="runs", or run it again.'
        )
    return await parked.answered((call.context.input_responses or {}).get(KEY))


class Parked:
    """An action that goes on while its question lies with the client.

    Args:
        call: that began it.
        work: the action.
    """

    def __init__(self, call: Call, work: Work) -> None:
        self._call, self._loop = call, asyncio.get_running_loop()
        self._asked: asyncio.Queue[tuple[Question, Future[Answer]]] = asyncio.Queue()
        self._put: Future[Answer] | None = None
        self._slow: list[Slow] = []
        self._task = asyncio.create_task(run_slowly(call, lambda slow: self._work(work, slow)))

    async def go_on(self) -> Outcome | InputRequiredResult:
        """What it comes to, or its next question."""
        while True:
            asked = asyncio.ensure_future(self._asked.get())
            try:
                await asyncio.wait({self._task, asked}, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:  # the client gave up: the action is told, and its end gets recorded
                self._task.cancel()
                await asyncio.wait({self._task})
                raise
            finally:
                asked.cancel()
            if not asked.done() or asked.cancelled():
                return await self._task
            question, self._put = asked.result()
            if not self._put.cancelled():
                return self._required(question)

    async def answered(self, answer: Any) -> Outcome | InputRequiredResult:
        """Hand over what the person said, and go on."""
        with suppress(InvalidStateError):
            if self._put is not None:
                self._put.set_result(_answer_of(answer) if isinstance(answer, ElicitResult) else Answer("cancel"))
        return await self.go_on()

    def _work(self, work: Work, slow: Slow) -> Outcome:
        self._slow.append(slow)
        return work(slow, self._ask)

    def _ask(self, question: Question) -> Future[Answer]:
        put: Future[Answer] = Future()
        self._loop.call_soon_threadsafe(self._asked.put_nowait, (question, put))
        return put

    def _required(self, question: Question) -> InputRequiredResult:
        for slow in self._slow:
            slow.mute()  # the call that wanted to know how far it is ends here
        mark, parked = uuid.uuid4().hex, self._call.background.parked
        parked[mark] = self
        self._task.add_done_callback(lambda _: parked.pop(mark, None))
        form = ElicitRequestFormParams(message=question.text, requested_schema=dict(question.form))
        # The SDK seals the state for this very call and lets nothing through that it did not seal.
        return InputRequiredResult(
            input_requests={KEY: ElicitRequest(params=form)}, request_state=json.dumps({KEY: mark})
        )


async def _put(call: Call, question: Question) -> Answer:
    if why := _unable(call):
        return Answer("decline", why=why)
    try:
        form = dict(question.form)
        return _answer_of(await call.context.session.elicit_form(question.text, form, call.context.request_id))
    except (MCPError, ValidationError) as error:
        logger.warning("the client could not put a question of %s: %s", question.asker, error)
        return Answer("decline", why=NOT_SHOWN)


def _unable(call: Call) -> str:
    """Why nobody can be asked; "" when somebody can."""
    if not has_person(call):
        return NO_PERSON
    return "" if can_ask(call) else NO_FORM


def _answer_of(found: ElicitResult) -> Answer:
    return Answer(found.action, dict(found.content or {}) if found.action == "accept" else {})


__all__ = ["Parked", "resumed", "run"]
