"""Language models of the settings, asked by name: `ask_model` with any prompt, `review_diff` for a second opinion on a change.

What a model says is text of a stranger. An opinion is evidence that guards may ask for (`opinion.last.*`); it approves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from typing import Any

from pydantic import Field

from llmgenie_mcp import redact
from llmgenie_mcp.actions._configured import model_ready
from llmgenie_mcp.engine.situation import ActionContext, Situation
from llmgenie_mcp.errors import ActionError, shorten
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.models import Asker, Connection, Question, Unanswered, fitting
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.records import Document, Title

TOLD, PULSE = 0.1, 2.0
"""Seconds between two pieces of progress while text comes, and while none does."""
SHOWN = 2000
"""Characters of an answer that was of no use, in the result."""


class AskModel(Params):
    """Parameters of ask_model."""

    name: Title = Field(description="Name of a model in the settings.")
    prompt: str = Field(min_length=1, max_length=240_000, description="What to ask; it goes to whoever runs the model.")
    system: str = Field(default="", max_length=20_000, description="How the model shall behave.")
    schema_: dict[str, Any] | None = Field(
        default=None, alias="schema", description="JSON Schema that the answer must fit; left out: it is text."
    )
    max_tokens: int | None = Field(default=None, ge=1, description="Of the answer, at most as in the settings.")


def _resource(situation: Situation, params: AskModel) -> Document:
    model = situation.settings.models.get(params.name)
    return {"type": "model", "id": params.name, **({"url": model.url} if model else {})}


@action(
    "ask_model",
    params=AskModel,
    slow=True,
    needs="models",
    ready=model_ready,
    resource=_resource,
    example={"name": "small", "prompt": "Name this function: it splits a line into tokens."},
)
def ask_model(ctx: ActionContext, params: AskModel) -> Document:
    """Ask a language model of the settings: a question, a summary, data of a given schema."""
    messages = [{"role": "user", "content": params.prompt}]
    if params.system:
        messages.insert(0, {"role": "system", "content": params.system})
    limit = params.max_tokens or ctx.situation.settings.models[params.name].max_tokens
    question = Question(tuple(messages), limit, params.schema_)
    with asking(ctx, params.name) as asked:
        if question.schema is None:
            said = asked.asker.ask(question)
            if not said.text.strip():
                hint = "Ask otherwise, or for more tokens: some models think before they speak."
                raise ActionError(f"{params.name} said nothing (finish: {said.finish}).", hint, result=asked.spent())
            return {**asked.spent(), "finish": said.finish, "answer": redact.redact(said.text)}
        data, said = fitting.ask(asked.asker, question)
        return {**asked.spent(), "finish": said.finish, "data": redact.redact(data)}


@dataclass(slots=True)
class Asked:
    """A model that is asked on behalf of an action: who waits for it is told, and what it costs is counted.

    Attributes:
        ctx: the action's.
        name: of the model in the settings.
        began: of `time.monotonic`.
        asker: the model.
    """

    ctx: ActionContext
    name: str
    began: float = field(default_factory=time.monotonic)
    asker: Asker = field(init=False)
    _told: float = 0.0
    _news: str = ""

    def __post_init__(self) -> None:
        model = self.ctx.situation.settings.models[self.name]
        connection = Connection(model, self.began + model.timeout, self.ctx.cancel, self.wait)
        self.asker = Asker(self.name, model, connection, self.tell)

    def tell(self, _size: int, end: str) -> None:
        """Pass on the end of an answer that is still coming."""
        self._news = end
        self._pass_on()

    def wait(self) -> None:
        """Say that nothing came, now and then."""
        self._pass_on()
        if self._due(PULSE):
            seconds = self._told - self.began
            self.ctx.progress(seconds, None, f"{self.name} has been at it for {seconds:.0f} s")

    def spent(self) -> Document:
        """What all answers together took: {model, tokens, cost, seconds}; what nobody counted is left out."""
        heard, model = self.asker.heard, self.asker.model
        spent: Document = {"model": next((said.model for said in heard if said.model), model.model)}
        counted = [(said.tokens_in, said.tokens_out) for said in heard]
        tokens_in, tokens_out = (_sum(each) for each in zip(*counted, strict=True)) if counted else (None, None)
        if tokens_in is not None or tokens_out is not None:
            spent["tokens"] = {"in": tokens_in, "out": tokens_out}
        if None not in (tokens_in, tokens_out, model.price_in, model.price_out):
            cost = (tokens_in or 0) * (model.price_in or 0) + (tokens_out or 0) * (model.price_out or 0)
            spent["cost"] = round(cost / 1_000_000, 8)
        return {**spent, "seconds": round(time.monotonic() - self.began, 3)}

    def _pass_on(self) -> None:
        if self._news and self._due(TOLD):
            line = str(redact.redact(self._news)).rstrip().rpartition("\n")[2]
            self._news = ""
            self.ctx.progress(self._told - self.began, None, line[-200:] or f"{self.name} is answering")

    def _due(self, every: float) -> bool:
        now = time.monotonic()
        if now - max(self._told, self.began) < every:
            return False
        self._told = now
        return True


@contextmanager
def asking(ctx: ActionContext, name: str) -> Iterator[Asked]:
    """A model of the settings that is asked in the block; what it took goes into the Run record, however it ends.

    Raises:
        ActionError: it did not answer, not as it should, or was cancelled; `result` says what there is.
    """
    asked = Asked(ctx, name)
    ctx.run["command"] = name
    try:
        yield asked
    except Unanswered as error:
        told = {"status": error.status, "retry_after": error.retry_after, "answer": _cut(error.said)}
        message = f"Asking {name} was cancelled." if ctx.cancel.is_set() else f"{name}: {error.message}"
        raise ActionError(message, error.hint, result=_filled({**asked.spent(), **told})) from None
    except fitting.Unfit as error:
        told = {"finish": error.said.finish, "problem": redact.redact(error.problem), "answer": _cut(error.said.text)}
        message = f"The answer of {name} does not fit the schema: {told['problem']}."
        hint = "It was asked twice. Make the schema simpler, or name another model."
        if error.said.finish == "length":
            hint = "Ask for more tokens (max_tokens), or for less."
        raise ActionError(message, hint, result={**asked.spent(), **told}) from None
    finally:
        ctx.run |= asked.spent()


def _sum(counts: tuple[int | None, ...]) -> int | None:
    known = [number for number in counts if number is not None]
    return sum(known) if len(known) == len(counts) else None


def _cut(text: str) -> str:
    clean = str(redact.redact(text))
    return clean if len(clean) <= SHOWN else shorten(clean, SHOWN)


def _filled(told: Mapping[str, Any]) -> Document:
    return {name: value for name, value in told.items() if value not in (None, "")}
