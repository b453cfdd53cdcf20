"""A call to a tool of an upstream, from the connection to the answer, and asking it for its tools."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.upstream import listing, pool
from llmgenie_mcp.upstream.answers import reason, result_of
from llmgenie_mcp.upstream.asking import Asking
from llmgenie_mcp.upstream.connection import Connection, Lost
from llmgenie_mcp.upstream.text import clean
from llmgenie_mcp.upstream.tools import Tool

if TYPE_CHECKING:
    from llmgenie_mcp.config import Upstream

Document = dict[str, Any]
Report = Callable[[float, float | None, str], None]
EVERY = 0.2
"""Seconds between reports of progress that are passed on, at least."""
ASKED_BACK = (
    "It wanted to ask a person or a model back, and no such question is passed on: give all it needs as parameters."
)
UNANSWERED = (
    "It asked a person something, and nobody answered: {why} Give all it needs as parameters, if it takes them."
)
AGAIN = "It is started anew at the next call. Whether what was asked was done is not known."


def refresh(place: pool.Place, name: str, upstream: Upstream, cancel: threading.Event) -> listing.Listing:
    """Ask an upstream for its tools now, and keep what it lists.

    Raises:
        ActionError: it cannot be started, or does not answer.
    """
    _listed(place, name, upstream, cancel)
    return listing.load(place.store, name, upstream)


def call(
    place: pool.Place,
    name: str,
    upstream: Upstream,
    tool: Tool,
    arguments: Mapping[str, Any],
    cancel: threading.Event,
    report: Report,
    asking: Asking | None = None,
) -> Document:
    """Call a tool that a person accepted.

    Args:
        place: whose upstream it is.
        name: what the settings call it.
        upstream: as they define it.
        tool: as it was accepted; when the server tells otherwise by now, it is not called.
        arguments: its parameters.
        cancel: set when the caller gives up.
        report: called with progress, from another thread.
        asking: where it gets answers to what it asks a person meanwhile; None: nobody is asked.

    Raises:
        ActionError: it was not called, or did not do its work; `result` has what it answered.
    """
    asking = asking or Asking()
    connection = _listed(place, name, upstream, cancel)
    action, now = f"{name}.{tool.name}", connection.tools.get(tool.name)
    if now is None:
        raise ActionError(f"{name} has no tool {tool.name} any more.", "See what it has: get_available_actions.")
    if changed := now.changed(tool.marks):
        what = " and ".join(changed)
        hint = f"A person looks at it and accepts it, in a terminal: llmgenie upstream accept {name} {tool.name}"
        raise ActionError(f"{action} was not called: its {what} changed since a person accepted it.", hint)
    answer = connection.call(tool.name, arguments, upstream.timeout, _paced(report), asking)
    secrets = pool.secrets_of(place, name, upstream)
    try:
        found = pool.wait(answer, name, upstream.timeout, cancel)
    except Lost as error:
        hint = AGAIN if not any(sign in str(error) for sign in pool.LOGIN_SIGNS) else pool.login_hint(place, name)
        raise ActionError(f"{name} went away during the call. {hidden(str(error), secrets)}", hint) from None
    except ActionError:
        raise
    except Exception as error:  # noqa: BLE001 - MCPError, and what the SDK makes of an answer that is none
        raise _failed(action, error, secrets, asking.unasked) from None
    asked = [{"answer": one.action, **({"why": one.why} if one.why else {})} for one in asking.told]
    about: Document = {"upstream": name, "tool": tool.name, **({"asked": asked} if asked else {})}
    told = {**about, **result_of(found, upstream.max_answer, secrets)}
    if found.is_error:
        why = reason(told)
        hint = _hint(asking.unasked) if asking.unasked or _asked_back(why) else "See its answer in `result`."
        raise ActionError(f"{action} failed{f': {why}' if why else ''}", hint, result=told)
    return told


def hidden(text: str, secrets: list[str]) -> str:
    """A server's own words for a message, without the secrets that it was given."""
    for secret in secrets:
        text = text.replace(secret, "[secret removed]")
    return pool.told(text)


def _listed(place: pool.Place, name: str, upstream: Upstream, cancel: threading.Event) -> Connection:
    """A connection that knows its tools as they are now; they are kept when they are others than before.

    One that was found to be gone, such as a server that ended while nobody used it, is started anew once: nothing was
    asked of it yet.
    """
    for last in (False, True):
        connection = pool.connected(place, name, upstream, cancel)
        try:
            pool.wait(connection.list_tools(), name, upstream.start_timeout, cancel)
            break
        except Lost as error:
            if last:
                why = hidden(str(error), pool.secrets_of(place, name, upstream))
                raise ActionError(f"{name} went away. {why}", AGAIN) from None
        except ActionError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise _failed(f"{name}'s list of tools", error, pool.secrets_of(place, name, upstream)) from None
    if connection.kept is not connection.tools:
        server = clean(connection.server, 100)
        listing.keep(place.store, name, upstream, connection.tools.values(), connection.problems, server)
        connection.kept = connection.tools
    return connection


def _hint(unasked: str) -> str:
    """What to do about a question of the server that nobody answered."""
    return UNANSWERED.format(why=unasked) if unasked else ASKED_BACK


def _failed(what: str, error: Exception, secrets: list[str], unasked: str = "") -> ActionError:
    from mcp import MCPError
    from mcp_types import REQUEST_TIMEOUT

    if isinstance(error, TimeoutError) or (isinstance(error, MCPError) and error.code == REQUEST_TIMEOUT):
        return ActionError(f"{what} did not answer in time.", "Ask for less, or raise its timeout in the settings.")
    if isinstance(error, MCPError) and (unasked or _asked_back(error.message)):
        return ActionError(f"{what} failed: {hidden(error.message, secrets)} (code {error.code})", _hint(unasked))
    if isinstance(error, MCPError):
        return ActionError(f"{what} failed: {hidden(error.message, secrets)} (code {error.code})", "Mend what it says.")
    return ActionError(f"{what} gave no proper answer: {hidden(str(error), secrets)}", "It is the server's fault.")


def _asked_back(message: str) -> bool:
    """Whether a server says that it wanted to ask a person, or a model, and could not."""
    return any(word in message.lower() for word in ("elicit", "sampling", "createmessage"))


def _paced(report: Report) -> Report:
    """`report`, but not so often that a flood of progress becomes one here."""
    last = [0.0]

    def paced(done: float, total: float | None, message: str) -> None:
        now = time.monotonic()
        if now - last[0] >= EVERY or (total is not None and done >= total and now - last[0] >= EVERY / 4):
            last[0] = now
            report(done, total, pool.told(message)[:200])

    return paced
