"""Every extension point, on one page, and how extensions are found.

An extension is one module that registers itself with a decorator from this page:

    from llmgenie_mcp.plugins import action

    @action("hello", params=HelloParams, description="Greets.")
    def hello(ctx, params): ...

Modules are found in the package's own folders (`llmgenie_mcp/actions/*.py`, `llmgenie_mcp/signals/*.py`) and through
entry points of group `llmgenie_mcp`, whose values name modules (docs/plugins.md). `load()` imports them once, when a
registry is first used. A distribution of which one module fails is left out, reported by `failures()`, and the rest works.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast
from weakref import WeakKeyDictionary

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.registry import FAMILIES, Failure, Origin, Record, Registry

if TYPE_CHECKING:
    from pydantic import BaseModel

    from llmgenie_mcp.params import NoParams, Params
    from llmgenie_mcp.parcels import BadRequest, Delivered, NotDelivered, Parcel, Received

__all__ = [
    "FAMILIES",
    "Action",
    "BadRequest",
    "Delivered",
    "Failure",
    "Move",
    "NoParams",
    "NotDelivered",
    "Origin",
    "Params",
    "Parcel",
    "Provider",
    "Received",
    "Result",
    "Signal",
    "action",
    "actions",
    "failures",
    "given",
    "load",
    "origin",
    "origins",
    "provider",
    "providers",
    "receiver",
    "receivers",
    "signal",
    "signal_of",
    "signals",
    "sink",
    "sinks",
    "source",
    "sources",
    "tracker",
    "trackers",
]

Result: TypeAlias = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])
Watch: TypeAlias = Callable[[Any, threading.Event], None]


@dataclass(frozen=True, slots=True)
class Move:
    """The transition an action asks for: `trigger` of the thing `id` that runs by `workflow`."""

    workflow: str
    trigger: str
    id: str


@dataclass(frozen=True, slots=True)
class Action:
    """Something that may be run by name.

    Attributes:
        name: what callers say, `snake_case`.
        description: one sentence for a model that chooses.
        params: pydantic model of the parameters; its JSON Schema is what clients see.
        run: called as `run(ctx, params)` with a `situation.ActionContext` and the validated model; returns JSON-compatible data.
        changes: False for actions that only read.
        everywhere: open in every state, whatever its `actions` list says (reading, sessions, modes, asking for approval).
        slow: runs outside the lock: "started" is committed before and the end after (tests, git, remote calls).
        destructive: may lose somebody's work; shown to clients as a hint.
        move: called as `move(situation, params)`; the transition that goes with it, a `records.Refusal`, or None for none.
            The parameters of `move` and `ready` are None while it is only asked what is open; see `given`.
        resource: called as `resource(situation, params)`; what the action is about, as policies see it (`resource.*`).
        ready: called as `ready(situation, params)`; a `records.Refusal` when something it needs is not there, else None.
        group: what it is one of many of, such as the server whose tool it is: lists name the group, a search the action;
            and it is open in every state of a workflow that lists none of it.
        operations: called as `operations(situation, params)`; `operations.Operation`s that it does past llmgenie in the
            project's folder, such as writing a file: policies are asked about each of them too.
        begin: called as `begin(ctx, params)` in the transaction of a slow action's start: fills `ctx.run`. An action that has
            it goes on with a run of its own that was interrupted, when it is asked with that run's idempotency key.
        needs: the part of the settings that must name something for it to be of use, such as `calls`; "" for none. While it
            does not, answers do not list the action among those that are open; `ready` says why.
        prepare: called as `prepare(ctx, params)` before the lock is taken, for what takes long and only reads; what it
            returns is `ctx.prepared`. Policies have not been asked yet: it tells nobody what it saw, and raises nothing.
        waits: the command by which a person opens it, while it waits for that; "" where it does not.
        example: parameters as a good call has them, shown to callers; None takes the first of its schema's `examples`.
    """

    name: str
    description: str
    params: type[BaseModel]
    run: Callable[[Any, Any], Result]
    changes: bool = True
    everywhere: bool = False
    slow: bool = False
    destructive: bool = False
    move: Callable[[Any, Any], Any] | None = None
    resource: Callable[[Any, Any], dict[str, Any]] | None = None
    ready: Callable[[Any, Any], Any] | None = None
    group: str = ""
    operations: Callable[[Any, Any], Iterable[Any]] | None = None
    begin: Callable[[Any, Any], None] | None = None
    needs: str = ""
    waits: str = ""
    prepare: Callable[[Any, Any], Any] | None = None
    example: Mapping[str, Any] | None = None

    @property
    def usage(self) -> str:
        """Its parameters in one line: `title, description?, priority?=medium`."""
        line = _usages.get(self.params)
        if line is None:
            line = _usages[self.params] = _usage(self.params)
        return line

    @property
    def sample(self) -> Mapping[str, Any] | None:
        """Parameters of a good call: its own example, else the first of its schema's; None where there is neither."""
        if self.example is not None:
            return self.example
        given = self.params.model_json_schema().get("examples")
        return given[0] if isinstance(given, list) and given and isinstance(given[0], dict) else None


_usages: WeakKeyDictionary[type[BaseModel], str] = WeakKeyDictionary()
"""What was told of a model before; lists of actions are asked for all the time."""


def _usage(params: type[BaseModel]) -> str:
    if (told := getattr(params, "usage_line", None)) is not None:  # parameters that a JSON Schema describes
        return str(told())
    parts = []
    for field_name, info in params.model_fields.items():
        name = info.alias or field_name
        default = info.get_default(call_default_factory=False)
        if info.is_required():
            parts.append(name)
        else:
            parts.append(f"{name}?" if default in (None, "", [], {}) else f"{name}?={default}")
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Signal:
    """Facts about the world that guards and policies may ask for.

    Attributes:
        root: first word of the dotted names it answers, such as `git`.
        fields: the names below the root, each with one sentence on what it means and its type.
        read: called as `read(field, situation)`; returns a JSON value, or `expressions.UNKNOWN` when it cannot be known.
        outside: True when it looks outside the store (git, files): it is then read before the lock is taken.
    """

    root: str
    fields: Mapping[str, str]
    read: Callable[[str, Any], Any]
    outside: bool = True


@dataclass(frozen=True, slots=True)
class Provider:
    """Brings actions that a project's own files or settings name.

    Attributes:
        provide: called as `provide(store, settings, trusted)` when definitions are loaded: the project's `.llmgenie`
            folder or None, its `config.Settings`, whether a person accepted them; returns actions. It starts nothing.
        mark: called as `mark(store)`; what it returns differs when `provide` would answer otherwise. Cheap: asked at every call.
    """

    provide: Callable[[Any, Any, bool], Iterable[Action]]
    mark: Callable[[Any], object]


_LATER = {
    "params": ("NoParams", "Params"),
    "parcels": ("BadRequest", "Delivered", "NotDelivered", "Parcel", "Received"),
}
"""The names of this page that are defined elsewhere, by module."""
_registry = Registry()


def action(
    name: str,
    *,
    params: type[BaseModel] | None = None,
    description: str = "",
    **options: Any,
) -> Callable[[F], F]:
    """Register the decorated function as an action; `options` are the further attributes of `Action`.

    The description defaults to the first line of the function's docstring.
    Raises ValueError for a name that is taken.
    """

    def register(function: F) -> F:
        text = description or (function.__doc__ or "").strip().split("\n")[0]
        offer = Action(name, text, params or _no_params(), function, **options)
        _registry.add(Record("actions", name, offer, function.__module__))
        return function

    return register


def given(function: F) -> F:
    """Mark a `ready` or `move` that has nothing to say before there are parameters: it is not called with None."""

    @wraps(function)
    def asked(*about: Any) -> Any:
        return None if about[-1] is None else function(*about)

    asked.given = True  # type: ignore[attr-defined]
    return cast("F", asked)


def signal(root: str, fields: Mapping[str, str], *, outside: bool = True) -> Callable[[F], F]:
    """Register the decorated `read(field, situation)` for the names below `root`; ValueError when the root is taken."""

    def register(function: F) -> F:
        _registry.add(Record("signals", root, Signal(root, fields, function, outside), function.__module__))
        return function

    return register


def sink(kind: str) -> Callable[[F], F]:
    """Register the decorated `deliver(parcel) -> Delivered` for outbox items of a kind; it raises NotDelivered.

    It runs in a thread, one parcel of a destination at a time, and must end within a minute or when `cancel` is set.
    """
    return _registering("sinks", kind)


def source(name: str) -> Callable[[F], F]:
    """Register the decorated `watch(engine, stop)`, which raises events by `engine.trigger_event` until `stop` is set.

    It runs in a thread of the one process that delivers for a project.
    """
    return _registering("sources", name)


def receiver(kind: str) -> Callable[[F], F]:
    """Register the decorated `receive(headers, body, secret, now) -> Received` for webhooks of a kind of sender.

    `headers` have lower-case names, `body` is bytes, `now` is seconds since 1970. It raises BadRequest.
    """
    return _registering("receivers", kind)


def tracker(kind: str) -> Callable[[F], F]:
    """Register the decorated class, or function, `(settings, cancel)` for issue trackers of a kind.

    What it makes has the methods of `trackers.Tracker`; `settings` are `tracking.Tracker`. ValueError when the kind is taken.
    """
    return _registering("trackers", kind)


def provider(name: str, *, mark: Callable[[Any], object]) -> Callable[[F], F]:
    """Register the decorated `provide(store, settings, trusted)`; see `Provider`."""

    def register(function: F) -> F:
        _registry.add(Record("providers", name, Provider(function, mark), function.__module__))
        return function

    return register


def providers() -> Mapping[str, Provider]:
    """All registered providers by name."""
    load()
    return _registry.providers


def _registering(family: str, name: str) -> Callable[[F], F]:
    def register(function: F) -> F:
        _registry.add(Record(family, name, function, function.__module__))
        return function

    return register


def sinks() -> Mapping[str, Callable[[Parcel], Delivered]]:
    """All registered sinks by kind."""
    load()
    return _registry.sinks


def sources() -> Mapping[str, Watch]:
    """All registered sources by name."""
    load()
    return _registry.sources


def receivers() -> Mapping[str, Callable[..., Received]]:
    """All registered receivers by kind."""
    load()
    return _registry.receivers


def trackers() -> Mapping[str, Callable[[Any, threading.Event], Any]]:
    """What plug-ins registered for issue trackers, by kind; llmgenie's own stand in `trackers/`."""
    load()
    return _registry.trackers


def actions() -> Mapping[str, Action]:
    """All registered actions by name."""
    load()
    return _registry.actions


def signals() -> Mapping[str, Signal]:
    """All registered signals by root."""
    load()
    return _registry.signals


def signal_of(root: str) -> Signal | None:
    """The signal that answers the names below `root`, or None. A packaged one is found without loading all the others."""
    if root not in _registry.signals and not _registry.loaded:
        with _registry.lock, contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(f"llmgenie_mcp.signals.{root}")
    return _registry.signals.get(root) or signals().get(root)


def failures() -> list[Failure]:
    """Extensions that could not be imported, with the reason."""
    load()
    return list(_registry.failures)


def origins() -> Mapping[tuple[str, str], Origin]:
    """Who brought what, by family (of `FAMILIES`) and name; llmgenie's own has no entry."""
    load()
    return _registry.origins


def origin(family: str, name: str) -> str:
    """The distribution that brought it; "" for llmgenie's own."""
    found = origins().get((family, name))
    return found.distribution if found else ""


def load() -> None:
    """Import every extension once; thread-safe and cheap after the first time."""
    _registry.load()


def _no_params() -> type[BaseModel]:
    from llmgenie_mcp.params import NoParams

    return NoParams


def __getattr__(name: str) -> Any:
    """What belongs to this page and takes time to import, or is seldom needed, is imported when somebody names it."""
    module = next((module for module, names in _LATER.items() if name in names), None)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"llmgenie_mcp.{module}"), name)
