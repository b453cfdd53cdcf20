"""What extensions registered, who brought it, and how those of other distributions are imported.

A distribution comes in as a whole or not at all: what its modules register is held back until the last of them is
imported, and is dropped when one of them fails, does not end, or takes a name that is taken.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import sys
import threading
from collections.abc import Iterable
from dataclasses import field
from typing import Any, Generic, TypeVar

from llmgenie_mcp import distributions
from llmgenie_mcp.errors import shorten
from llmgenie_mcp.frozen import dataclass

FAMILIES = ("actions", "signals", "sinks", "sources", "receivers", "providers", "trackers")
UNLOADED = ("trackers",)
"""Families whose own modules are imported when one is needed, and are not registered."""
OWN_TRACKERS = ("github",)
"""The kinds of issue trackers that llmgenie itself brings, a file each in `trackers/`."""
BESIDE = ("importers._act",)
"""Modules of ours that register something beside what their folder is for."""
IMPORT_SECONDS = 5.0
"""So long may the import of somebody's module take; then it counts as failed, and the rest goes on without it."""
PACKAGE = __name__.partition(".")[0]
T = TypeVar("T")
_ours = threading.local()
"""In a thread that imports somebody's module: what it has registered so far."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who brought an extension.

    Attributes:
        distribution: its normalized name.
        version: its version.
        module: the module that registered it.
    """

    distribution: str
    version: str
    module: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An extension that could not be loaded.

    Attributes:
        module: what was to be imported; or the distribution, when nothing of it could be.
        message: why, for people.
        distribution: who brings it.
    """

    module: str
    message: str
    distribution: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """Something registered."""

    family: str
    name: str
    thing: Any
    module: str


@dataclass(slots=True)
class Registry:
    """Everything registered, by family and name."""

    actions: dict[str, Any] = field(default_factory=dict)
    signals: dict[str, Any] = field(default_factory=dict)
    sinks: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)
    receivers: dict[str, Any] = field(default_factory=dict)
    providers: dict[str, Any] = field(default_factory=dict)
    trackers: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str, str], Origin] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    loaded: bool = False
    early: list[Record] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add(self, record: Record) -> None:
        """Register something. Raises ValueError: its name is taken."""
        staged: list[Record] | None = getattr(_ours, "staged", None)
        if said := self._taken(record, staged or ()):
            raise ValueError(said)
        if staged is not None:
            staged.append(record)
            return
        self.table(record.family)[record.name] = record.thing
        if not self.loaded and record.module.partition(".")[0] != PACKAGE:
            self.early.append(record)  # imported by somebody before we came to it

    def table(self, family: str) -> dict[str, Any]:
        """What is registered of a family, by name."""
        found: dict[str, Any] = getattr(self, family)
        return found

    def load(self) -> None:
        """Import every extension once; thread-safe, and nothing at all inside the import of one."""
        if self.loaded or getattr(_ours, "staged", None) is not None:
            return
        with self.lock:
            if not self.loaded:
                for family in (family for family in FAMILIES if family not in UNLOADED):
                    package = importlib.import_module(f"{PACKAGE}.{family}")
                    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
                        importlib.import_module(f"{package.__name__}.{module.name}")
                for name in BESIDE:
                    importlib.import_module(f"{PACKAGE}.{name}")
                self._load_outside(distributions.scan())
                self.loaded = True

    def _load_outside(self, found: distributions.Scan) -> None:
        self.failures += [Failure(name, message, name) for name, message in found.unreadable]
        points = found.of(distributions.EXTENSIONS)
        held, self.early = self.early, []
        for record in held:
            self.table(record.family).pop(record.name, None)
        for name in dict.fromkeys(point.distribution for point in points):
            own = [point for point in points if point.distribution == name]
            before, failed = self._contents(), len(self.failures)
            staged = [r for r in held if _owner(r, points) == name and r.module in sys.modules]
            held = [r for r in held if _owner(r, points) != name]
            for point in own:
                if why := _import(point.module, staged):
                    self.failures.append(Failure(point.module, why, name))
            if self._restore(before):
                self.failures.append(Failure(name, "It changed what others registered; that is put back.", name))
            mine = [record for record in staged if _owner(record, points) in (None, name)]
            held += [record for record in staged if record not in mine]
            for record in mine:
                if said := self._taken(record, [other for other in mine if other is not record]):
                    self.failures.append(Failure(record.module, said, name))
            if len(self.failures) > failed:
                continue
            for record in mine:
                self.table(record.family)[record.name] = record.thing
                self.origins[record.family, record.name] = Origin(name, own[0].version, record.module)
        for record in held:
            if _owner(record, points) is None:  # of no distribution: a program that extends itself
                self.table(record.family).setdefault(record.name, record.thing)

    def _taken(self, record: Record, staged: Iterable[Record]) -> str:
        """Why the name cannot be had; "" when it can."""
        what = f"{record.family.removesuffix('s')} {record.name!r}"
        if any((other.family, other.name) == (record.family, record.name) for other in staged):
            return f"{what} is registered twice"
        if record.name not in self.table(record.family) and not _is_own(record):
            return ""
        if origin := self.origins.get((record.family, record.name)):
            return f"{what} is registered twice: {origin.distribution} has it already; give yours another name"
        return f"{what} is registered twice: llmgenie has one of its own; give yours another name"

    def _contents(self) -> dict[str, dict[str, Any]]:
        return {family: dict(self.table(family)) for family in FAMILIES}

    def _restore(self, before: dict[str, dict[str, Any]]) -> bool:
        """Put back what an import changed past `add`; whether it did."""
        changed = False
        for family, known in before.items():
            table = self.table(family)
            if table.keys() != known.keys() or any(table[name] is not known[name] for name in known):
                table.clear()
                table.update(known)
                changed = True
        return changed


def _is_own(record: Record) -> bool:
    """Whether it has the name of something of ours that is not registered."""
    return record.family == "trackers" and record.name in OWN_TRACKERS


def _owner(record: Record, points: Iterable[distributions.Point]) -> str | None:
    """The distribution whose entry point is the module of `record`, or a package around it."""
    fitting = [p for p in points if record.module == p.module or record.module.startswith(f"{p.module}.")]
    return max(fitting, key=lambda point: len(point.module)).distribution if fitting else None


def _import(module: str, staged: list[Record]) -> str:
    """Import somebody's module in a thread of its own; what is registered meanwhile is added to `staged`.

    Returns:
        Why it failed; "" when it did not. Whatever it prints goes to stderr: stdout belongs to whoever asked us.
    """
    told: list[str] = []
    fresh = list(staged)

    def work() -> None:
        _ours.staged = fresh
        try:
            importlib.import_module(module)
        except BaseException as error:  # noqa: BLE001 - any failure of foreign code is reported, SystemExit too
            told.append(shorten(f"{type(error).__name__}: {error}", 400))
        else:
            told.append("")

    thread = threading.Thread(target=work, name=f"llmgenie-import-{module}", daemon=True)
    with contextlib.redirect_stdout(sys.stderr):
        thread.start()
        thread.join(IMPORT_SECONDS)
    staged[:] = list(fresh)  # what the thread still registers goes nowhere
    return told[0] if told else f"Its import did not end within {IMPORT_SECONDS:g} s."


def named(point: distributions.Point) -> tuple[Any, str]:
    """The object that an entry point names, and why there is none; "" when there is one."""
    if why := _import(point.module, []):
        return None, why
    name = point.value.partition(":")[2].partition("[")[0].strip()
    thing = getattr(sys.modules[point.module], name, None) if name else None
    return thing, "" if thing is not None else f"{point.value} names nothing: write MODULE:NAME."


@dataclass(frozen=True, slots=True)
class Objects(Generic[T]):
    """What entry points of one group name.

    Attributes:
        found: by name.
        origins: who brought it, by name.
        failures: what could not be loaded, with the reason.
    """

    found: dict[str, T]
    origins: dict[str, Origin]
    failures: list[Failure]


def objects(group: str, kind: type[T], taken: Iterable[str]) -> Objects[T]:
    """The objects that entry points of a group name, such as formats to import.

    Args:
        group: one of `distributions.GROUPS`.
        kind: what they must be; each has a `name`.
        taken: names of llmgenie's own, which none of them may have.
    """
    known = set(taken)
    made: Objects[T] = Objects({}, {}, [])
    for point in distributions.scan().of(group):
        thing, why = named(point)
        if not why and not isinstance(thing, kind):
            why = f"{point.value} is no {kind.__module__.rpartition('._')[0]}.{kind.__name__}."
        if isinstance(thing, kind) and (name := str(getattr(thing, "name", point.name))) in known:
            why = f"There is a format {name!r} already; give yours another name."
        if why:
            made.failures.append(Failure(point.value, why, point.distribution))
        elif isinstance(thing, kind):
            known.add(name)
            made.found[name] = thing
            made.origins[name] = Origin(point.distribution, point.version, point.module)
    return made
