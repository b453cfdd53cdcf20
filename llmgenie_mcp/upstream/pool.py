"""The connections of this process: one an upstream and project, started when first needed, and again when it is gone."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llmgenie_mcp import redact
from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.upstream.connection import Connection, Lost, Start
from llmgenie_mcp.upstream.keys import keys_of
from llmgenie_mcp.upstream.limits import Broken
from llmgenie_mcp.upstream.listing import definition_mark
from llmgenie_mcp.upstream.text import clean

if TYPE_CHECKING:
    from llmgenie_mcp.config import Secret, Upstream

T = TypeVar("T")
LOGIN_SIGNS = ("It wants to know who calls", "The login there is over")
"""What a connection says that a login would mend."""
STEP = 0.05
"""Seconds between looks whether the caller gave up."""
MARGIN = 5.0
"""Seconds beyond a time limit of the connection's own after which it is not waited for any more."""
ENDING = 6.0
"""Seconds that connections have to end when the process does."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose upstream: the project's `.llmgenie` folder and its root."""

    store: Path
    root: Path


_lock = threading.Lock()
_connections: dict[tuple[str, str], tuple[str, Connection]] = {}
_ending: list[Connection] = []
"""Those that are replaced and may not be gone yet."""
_registered = False


def connected(place: Place, name: str, upstream: Upstream, cancel: threading.Event) -> Connection:
    """The connection to an upstream, up and ready.

    Args:
        place: whose it is.
        name: what the settings call it.
        upstream: as they define it.
        cancel: set when the caller gives up.

    Raises:
        ActionError: it cannot be started, did not come up in time, or the caller gave up.
    """
    global _registered  # noqa: PLW0603 - once a process
    key, mark = (str(place.store), name), definition_mark(upstream)
    with _lock:
        if not _registered:
            atexit.register(close_all)
            _registered = True
        known_mark, known = _connections.get(key, ("", None))
        if known is not None and known_mark != mark:
            known.stop()
        if known is None or known.over or known_mark != mark:
            _ending[:] = [one for one in (*_ending, *filter(None, (known,))) if not one.join(0)]
            known = Connection(start_of(place, name, upstream))
            _connections[key] = mark, known
    try:
        wait(known.ready, name, upstream.start_timeout, cancel)
    except Lost as error:
        hint = "A person looks at it: llmgenie upstream refresh " + name
        if upstream.url is not None and any(sign in str(error) for sign in LOGIN_SIGNS):
            hint = login_hint(place, name)
        raise ActionError(f"{name} could not be started. {told(str(error))}", hint) from None
    except ActionError:
        if not known.ready.done():
            known.stop()
        raise
    return known


def wait(answer: Future[T], name: str, timeout: float, cancel: threading.Event) -> T:
    """What comes of a request to the upstream `name` within `timeout` seconds.

    Raises:
        ActionError: time is up, or the caller gave up; else what the request raises, such as Lost.
    """
    ends = time.monotonic() + timeout + MARGIN
    while True:
        try:
            return answer.result(STEP)
        except NotYet:
            if answer.done():
                raise  # the request's own
        except CancelledError:
            raise ActionError(f"The request to {name} was broken off.", "Ask again when you need it.") from None
        if cancel.is_set():
            answer.cancel()
            raise ActionError(f"The request to {name} was cancelled.", "It was told so; it may have begun already.")
        if time.monotonic() > ends:
            answer.cancel()
            raise ActionError(f"{name} did not answer within {timeout:g} s.", "Try again, or ask for less.")


def login_hint(place: Place, name: str) -> str:
    """What a person does who is to log in."""
    return f"A person logs in, in a terminal: llmgenie upstream login {name} --project {place.root}"


def told(text: str) -> str:
    """A server's own words as part of a message: short, readable, without secrets."""
    return clean(redact.redact(text[-4000:]), 1200)


def close_all() -> None:
    """End every connection, and wait for their ends."""
    with _lock:
        open_ones = [*_ending, *(connection for _, connection in _connections.values())]
        _connections.clear()
        _ending.clear()
    for connection in open_ones:
        connection.stop()
    ends = time.monotonic() + ENDING
    for connection in open_ones:
        connection.join(max(0.0, ends - time.monotonic()))


def close(store: Path, name: str) -> None:
    """End the connection to one upstream, if there is one."""
    with _lock:
        _, known = _connections.pop((str(store), name), ("", None))
    if known is not None:
        known.stop()
        known.join(ENDING)


def start_of(place: Place, name: str, upstream: Upstream) -> Start:
    """What a connection is started with; secrets are read here.

    Raises:
        ActionError: there is no such program, its folder is outside the project, or a secret is missing.
    """
    common: dict[str, Any] = {
        "name": name,
        "root": place.root,
        "start_timeout": upstream.start_timeout,
        "idle": upstream.idle,
    }
    if upstream.url is not None:
        from llmgenie_mcp import api

        secrets = {header: api.header(secret) for header, secret in upstream.secret_headers.items()}
        headers = {**upstream.headers, **secrets}
        auth = _auth(place, name, upstream)
        return Start(**common, url=upstream.url, headers=headers, allow_private=upstream.allow_private, auth=auth)
    from llmgenie_mcp.upstream.stdio import INHERITED, found

    cwd = Path(os.path.realpath(place.root / upstream.cwd))  # links in a ring raise nothing, and are no folder
    if not cwd.is_relative_to(place.root.resolve()) or not cwd.is_dir():
        message = f"The folder {upstream.cwd!r} of the upstream {name} is not there, or outside the project."
        raise ActionError(message, "Correct cwd in the settings.")
    env = {key: os.environ[key] for key in INHERITED if key in os.environ} | _values(upstream.env)
    program = found(upstream.command[0], cwd, env.get("PATH", os.defpath))
    if program is None:
        hint = "Install it, or correct the command in the settings."
        raise ActionError(f"{upstream.command[0]}, which the upstream {name} is started with, was not found.", hint)
    return Start(**common, argv=(program, *upstream.command[1:]), cwd=cwd, env=env)


def _auth(place: Place, name: str, upstream: Upstream) -> Callable[[Broken], Any]:
    """What makes the signature of requests to a server elsewhere; the SDK is imported when it is called."""
    keys = keys_of(place.store, name, upstream.url or "")

    def make(broken: Broken) -> Any:
        if upstream.login is None and not keys.load():
            return None
        from llmgenie_mcp.upstream.login import auth_of

        return auth_of(keys, upstream.login, broken, None)

    return make


def secrets_of(place: Place, name: str, upstream: Upstream) -> list[str]:
    """The secrets that a server was given, the longest first: it may repeat them."""
    login = (upstream.login.client_secret,) if upstream.login and upstream.login.client_secret else ()
    secrets = (*upstream.env.values(), *upstream.secret_headers.values(), *login)
    words = {word for secret in secrets if _is_secret(secret) for word in _read(secret).split() if len(word) >= 6}
    if upstream.url is not None:
        words |= set(keys_of(place.store, name, upstream.url).secrets())
    return sorted(words, key=len, reverse=True)


def _values(env: Any) -> dict[str, str]:
    return {name: value.read() if _is_secret(value) else value for name, value in env.items()}


def _is_secret(value: str | Secret) -> bool:
    return not isinstance(value, str)


def _read(secret: Any) -> str:
    try:
        return str(secret.read())
    except ActionError:
        return ""
