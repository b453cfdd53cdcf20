"""What is known of a CI run, and why it is not known."""

from __future__ import annotations

from dataclasses import KW_ONLY

from llmgenie_mcp import api
from llmgenie_mcp.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """What a vendor says of a run.

    Attributes:
        id: the vendor's number; empty: it was started, and the vendor has not said yet as which.
        status: how it ended, in the words of the package; None: it has not.
        conclusion: the vendor's own word for how it ended, or for where it is.
        commit: what it runs on; empty: not said yet.
        branch: it runs on.
        url: its page.
        name: of the workflow, as the vendor calls it.
        user: who the vendor says started it.
        trigger: what the vendor says started it.
        since: seconds since 1970 by the vendor's clock before which a run without an id was not started.
    """

    id: str
    status: str | None = None
    conclusion: str = ""
    commit: str = ""
    branch: str = ""
    url: str = ""
    name: str = ""
    user: str = ""
    trigger: str = ""
    since: float | None = None


@dataclass(eq=False)
class Unanswered(api.Unanswered):
    """A vendor did not do what it was asked.

    Attributes:
        later: it may be otherwise later without anybody doing anything.
        perhaps: it may have been done all the same.
    """

    _: KW_ONLY
    later: bool = False
    perhaps: bool = False
