"""Files: rules with `files` get their event, `files.NAME`, when files that fit their patterns were changed.

What changes while nothing runs is not noticed. What tools keep for themselves never counts: `.git`, `.llmgenie`, caches,
environments, and the temporary files of editors.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from llmgenie_mcp.errors import DefinitionError, LlmgenieError
from llmgenie_mcp.expressions.patterns import compile_glob
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import Actor
from llmgenie_mcp.plugins import source
from llmgenie_mcp.triggers import TriggerRule, event_type

if TYPE_CHECKING:
    import threading

    from watchfiles import Change

    from llmgenie_mcp.engine.engine import Engine

LOOK = 5.0
"""Seconds between looks whether rules were changed."""
BLIND = 60.0
"""Seconds until it is tried again, when the system will not watch."""
TOLD = 50
"""So many paths are in an event; `count` has the number of all."""
HELD = 10_000
"""So many paths are kept while nothing can be told."""
NEVER = (".llmgenie", ".ruff_cache", ".nox", ".direnv")
"""Folders that do not count, beside those that watchfiles leaves out (.git, .venv, node_modules, __pycache__ …)."""

log = logging.getLogger(__name__)


@source("files")
def watch(engine: Engine, stop: threading.Event) -> None:
    """Raise the events of changed files until `stop` is set."""
    observer = Observer(engine)
    while not stop.is_set():
        if not observer.rules():
            stop.wait(LOOK)
        elif not observer.watch(stop):
            stop.wait(BLIND)


@dataclass(slots=True)
class Observer:
    """Watches the files of a project.

    Attributes:
        engine: the project's.
        held: paths that were changed, relative to the project, and not looked at yet.
        due: for each rule, the paths that it is still to be told of.
        warned: what was warned of, so that it is once.
    """

    engine: Engine
    held: set[str] = field(default_factory=set)
    due: dict[str, set[str]] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)

    def rules(self) -> Mapping[str, TriggerRule]:
        """The rules in force that wait for files; none while the definitions are not accepted, or broken."""
        try:
            definitions = self.engine.definitions
        except DefinitionError:
            return {}
        if not definitions.trusted:
            return {}
        return {name: rule for name, rule in definitions.catalog.triggers.items() if rule.files and rule.enabled}

    def watch(self, stop: threading.Event) -> bool:
        """Tell of changes until `stop` is set, or no rule waits for files; False when the system will not watch."""
        try:
            import watchfiles
        except ImportError:
            missing = "rules on files do not run, for the library watchfiles is missing"
            self._warn(missing, "pip install 'llmgenie-mcp[watch]'")
            return False
        root = self.engine.project.root.resolve()
        for tolerant in (False, True):
            try:
                for changes in watchfiles.watch(
                    root,
                    watch_filter=None,
                    stop_event=stop,
                    rust_timeout=int(LOOK * 1000),
                    yield_on_timeout=True,
                    raise_interrupt=False,
                    ignore_permission_denied=tolerant,  # which passes over every other trouble as well, in silence
                ):
                    self.held.update(_paths(root, changes))
                    if not self.tell():
                        break
                return True
            except PermissionError as error:
                self._warn(f"rules on files do not hear of all of {root}, for some of it cannot be read", error)
            except (OSError, RuntimeError) as error:
                self._warn(f"rules on files do not run, for {root} cannot be watched", error)
                break
        return False

    def tell(self) -> bool:
        """Raise the events of what was changed; False when no rule waits for files any more."""
        try:
            definitions = self.engine.definitions
        except DefinitionError:
            self.held = set(sorted(self.held)[:HELD])
            return True  # who broke them is told elsewhere; the events are raised when they can be read again
        rules = self.rules() if definitions.trusted else {}
        for name, rule in rules.items() if self.held else ():
            fits = [compile_glob(pattern) for pattern in rule.files or ()]
            found = {path for path in self.held if any(fit(path) for fit in fits)}
            if found:
                self.due[name] = {*self.due.get(name, ()), *sorted(found)[:HELD]}
        self.held.clear()
        for name, found in list(self.due.items()):
            if name not in rules or self._raise(name, rules[name], sorted(found)):
                del self.due[name]
        return bool(rules)

    def _raise(self, name: str, rule: TriggerRule, found: list[str]) -> bool:
        data = {"rule": name, "paths": found[:TOLD], "count": len(found)}
        try:
            self.engine.trigger_event(event_type(name, rule) or "", data, actor=Actor("system", "files"))
        except LlmgenieError as error:
            self._warn(f"that files changed could not be told to {name} yet", error.message)
            return False
        return True

    def _warn(self, what: str, detail: object) -> None:
        # By what went wrong alone: the system names now one folder, now another, for the same trouble.
        if what not in self.warned:
            self.warned.add(what)
            log.warning("%s: %s", what, detail)


def _paths(root: Path, changes: set[tuple[Change, str]]) -> Iterator[str]:
    """The files among what changed, relative to `root`, with those in folders that are new; without what never counts."""
    if not changes:
        return
    from watchfiles import Change, DefaultFilter

    counts = DefaultFilter(ignore_dirs=(*DefaultFilter.ignore_dirs, *NEVER))
    for change, path in changes:
        if not Path(path).is_relative_to(root) or not counts(change, relative := f"/{Path(path).relative_to(root)}"):
            continue
        if not Path(path).is_dir():
            yield relative[1:]
        elif change is Change.added:
            # A folder that was moved here, or filled before it was watched, is all that is told.
            for folder, inner, names in os.walk(path):
                inner[:] = [name for name in inner if counts(change, f"/{name}")]
                for name in names:
                    below = Path(folder, name).relative_to(root).as_posix()
                    if counts(change, f"/{below}"):
                        yield below
