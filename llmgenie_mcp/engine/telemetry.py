"""Who watches the Engine at work: observers in this process, and OpenTelemetry where a program has set it up.

Without either, a call costs one look at an empty tuple and one at whether OpenTelemetry has a provider: the SDK of the
protocol brings its interface along, whose spans nobody gets until a program provides for them.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, ParamSpec, TypeVar

from llmgenie_mcp.frozen import dataclass

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Observation:
    """One call of the Engine.

    Attributes:
        verb: the method, such as `run_action`.
        seconds: how long it took.
        result: what it returned; None when it raised.
        error: what it raised, or None.
    """

    verb: str
    seconds: float
    result: Any
    error: BaseException | None


Observer = Callable[[Observation], None]


class Observed:
    """Something whose methods marked `observed` are watched."""

    def __init__(self) -> None:
        self._observers: tuple[Observer, ...] = ()

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call `observer(observation)` after every call, in its thread; returns what ends it."""
        self._observers = (*self._observers, observer)

        def stop() -> None:
            self._observers = tuple(other for other in self._observers if other is not observer)

        return stop


def observed(method: Callable[P, R]) -> Callable[P, R]:
    """A method of an `Observed` whose calls are told to its observers and are spans of OpenTelemetry."""
    verb = method.__name__

    @functools.wraps(method)
    def watched(*args: P.args, **kwargs: P.kwargs) -> R:
        observers: tuple[Observer, ...] = args[0]._observers  # type: ignore[attr-defined]  # noqa: SLF001
        tracer = _tracer()
        if not observers and tracer is None:
            return method(*args, **kwargs)
        span = tracer.start_as_current_span(f"llmgenie.{verb}") if tracer else nullcontext()
        started, result, error = time.perf_counter(), None, None
        try:
            with span as current:
                result = method(*args, **kwargs)
                if current is not None and current.is_recording():
                    current.set_attributes(_attributes(verb, args[1:], result))
            return result
        except BaseException as raised:
            error = raised
            raise
        finally:
            seen = Observation(verb, time.perf_counter() - started, result, error)
            for observer in observers:
                observer(seen)

    return watched


def _tracer() -> Any:
    """OpenTelemetry's, where a program in this process has set it up; else None."""
    tracing = sys.modules.get("opentelemetry.trace")
    if tracing is None:
        return None
    provider = tracing.get_tracer_provider()
    return None if isinstance(provider, tracing.ProxyTracerProvider) else provider.get_tracer("llmgenie")


def _attributes(verb: str, args: tuple[Any, ...], result: Any) -> dict[str, str]:
    """What a span says: the verb, what it was about when that is a name, and what came of it."""
    told = {"llmgenie.verb": verb}
    if args and isinstance(args[0], str):
        told["llmgenie.name"] = args[0][:200]
    for name in ("status", "effect"):
        if isinstance(value := getattr(result, name, None), str):
            told[f"llmgenie.{name}"] = value
    return told
