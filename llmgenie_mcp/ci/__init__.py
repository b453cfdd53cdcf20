"""CI runs elsewhere: starting one, and looking whether it has ended. A vendor a file, each with `start` and `look`.

Every vendor's words are translated to those that webhooks tell of CI with (`receivers/github.py` has the table): passed,
failed, cancelled, skipped, neutral, action_required, unknown. The vendor's own word is kept as `conclusion`.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping
from typing import Any

from llmgenie_mcp.ci.run import Run, Unanswered
from llmgenie_mcp.config import Ci


def start(ci: Ci, ref: str, inputs: Mapping[str, str], cancel: threading.Event) -> Run:
    """Start a run.

    Args:
        ci: of the settings.
        ref: branch or tag.
        inputs: by name.
        cancel: set it to break off.

    Raises:
        Unanswered: it was not started, or nobody knows. ActionError: there is no token.
    """
    found: Run = _vendor(ci).start(ci, ref, inputs, cancel)
    return found


def look(ci: Ci, run: Run, cancel: threading.Event) -> Run:
    """What has become of a run since. Raises as `start` does."""
    found: Run = _vendor(ci).look(ci, run, cancel)
    return found


def _vendor(ci: Ci) -> Any:
    return importlib.import_module(f"{__name__}.{ci.kind}")


__all__ = ["Run", "Unanswered", "look", "start"]
