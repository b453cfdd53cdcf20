"""The door of the REST face: who may come in, how often, with how much. Plain ASGI, so that streams pass through as they are.

In this order: a request id; `Host` and `Origin`, against web pages that would use a person's browser to call a server on
loopback (https://cheatsheetseries.owasp.org, "DNS rebinding"); the token; how often and how many at once; the body.
What is refused is answered as a problem (`rest_problem`) and never reaches the app. No CORS header is ever sent.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llmgenie_mcp import trust
from llmgenie_mcp.config import Rest
from llmgenie_mcp.errors import DefinitionError, LlmgenieError
from llmgenie_mcp.faces import rest_metrics
from llmgenie_mcp.faces.rest_body import CLOSE, Body
from llmgenie_mcp.faces.rest_callers import Door, address_of, header, in_force, is_local, route_path
from llmgenie_mcp.faces.rest_limits import Rate, Share, Slots
from llmgenie_mcp.faces.rest_problem import Problem, of_error
from llmgenie_mcp.faces.rest_streams import while_good
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.loader.settings import load_settings
from llmgenie_mcp.tokens import NEEDS_PERSON, ROLES, Book, Token

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine

ROLE, TOKEN, REQUEST_ID = "llmgenie.role", "llmgenie.token", "llmgenie.request_id"
"""What the guard puts into the scope: role and name of the token (None: none), and an id for the logs."""
PROBES = ("/health", "/ready")
"""Open without a token, and answered however much is going on."""
OPEN = re.compile(r"/(?:health|ready|webhooks/[^/]+|\.well-known/oauth-protected-resource(?:/mcp)?)")
"""Addresses that need no token; who sends a webhook signs it."""
STREAMS = 100
"""So many streams at the same time; they last, and so they do not count as requests being answered."""
SENDERS = 32
"""So many requests without need of a token at the same time: anyone may send them, and slowly."""
LISTENING = ("subscriptions/listen",)
"""Methods of MCP whose answer never ends by itself, by the header `Mcp-Method` (MCP 2026-07-28)."""
FAILED_TRIES = 10
"""Wrong tokens from one address in a minute that are told so; more of them get 429. A good token always passes: nobody
guesses 256 bits, and who tries must not lock out the others on the same address."""
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""On every answer that has none of its own: it is not to be guessed at, kept, framed or embedded."""
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = logging.getLogger(__name__)


def require(request: Request, role: str, hint: str = "") -> None:
    """Let a request through only with a token of `role` or more.

    Args:
        request: that went through the guard.
        role: one of `tokens.ROLES`.
        hint: what else would do, told before how to get a token.

    Raises:
        Problem: 403 for a lower role, 401 for none.
    """
    has = request.scope.get(ROLE)
    if has is not None and ROLES.index(has) >= ROLES.index(role):
        return
    person = "A person makes one in a terminal" if role in NEEDS_PERSON else "Make one"
    hint = f"{hint} {person}: llmgenie token create NAME --role {role}".strip()
    if has is None:
        raise _unauthorized("There is no token in this request.", hint)
    detail = f"This needs a token of role {role}; yours is {has}."
    raise Problem(403, "forbidden", "This needs another role", detail, hint, needed=role, role=has)


@dataclass(frozen=True, slots=True)
class _Post:
    """What the guard goes by, from the first request on; other settings hold when the server is started again."""

    rest: Rest
    door: Door
    book: Book
    rate: Rate
    failures: Rate
    work: Slots
    senders: Slots
    streams: Slots


class Guard:
    """ASGI middleware of a Starlette app; see this module.

    Args:
        app: what is guarded.
        engine: the open Engine of the project.
        hosts: further names that the server is bound to.
    """

    def __init__(self, app: ASGIApp, engine: Engine, hosts: Iterable[str] = ()) -> None:
        self.app = app
        self._engine = engine
        self._hosts = tuple(hosts)
        self._known: _Post | None = None
        self._opening = anyio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI says."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answered(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "llmgenie has no WebSockets"})

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[REQUEST_ID] = _request_id(scope)
        scope[ROLE] = scope[TOKEN] = None
        answer, body = _Answer(send, scope[REQUEST_ID]), Body(scope, receive)
        metrics = rest_metrics.attach(scope["app"], self._engine)
        started = time.perf_counter()
        try:
            post = self._known or await self._open()
            await self._pass(post, scope, body, answer)
        except Problem as problem:
            await body.discard()
            await problem.response()(scope, receive, answer)
        except LlmgenieError as error:
            await of_error(error)(scope, receive, answer)
        except Exception as error:
            if not answer.status:
                log.error("request %s to %r broke off", scope[REQUEST_ID], route_path(scope))
                hint = "The server's log has it under this request id, and the server goes on."
                detail = f"Internal error ({type(error).__name__})."
                told = Problem(
                    500, "internal", "Something unexpected happened", detail, hint, request=scope[REQUEST_ID]
                )
                await told.response()(scope, receive, answer)
            raise
        finally:
            metrics.answered(scope, answer.status, time.perf_counter() - started)

    async def _pass(self, post: _Post, scope: Scope, body: Body, answer: _Answer) -> None:
        _check_framing(scope)
        post.door.check(scope)
        path = route_path(scope)
        is_open = OPEN.fullmatch(path) is not None
        token = self._identify(post, scope, is_open=is_open)
        if path in PROBES:
            await self._run(self.app, scope, body, answer)
            return
        lasts = not is_open and _is_stream(scope, path)
        slots = post.senders if is_open else post.streams if lasts else post.work
        if not slots.enter(scope[TOKEN]):
            mine = "" if slots.taken >= slots.limit else " with this token"
            detail = f"{slots.limit if not mine else slots.each} requests of this kind are being answered now{mine}."
            raise Problem(
                429, "busy", "Too much at once", detail, "Try again in a moment.", headers={"Retry-After": "1"}
            )
        try:
            share = post.rate.take(f"token {scope[TOKEN]}" if scope[TOKEN] else address_of(scope))
            answer.add(share)
            if not share.allowed:
                raise _too_many(share, f"More than {post.rest.per_minute} requests a minute.")
            body.limit = post.rest.body_bytes
            body.check()
            app = partial(while_good, lambda: post.book.now.holds(token), self.app) if lasts else self.app
            await self._run(app, scope, body, answer)
        finally:
            slots.leave(scope[TOKEN])

    async def _run(self, app: ASGIApp, scope: Scope, body: Body, answer: _Answer) -> None:
        """Run the app. Whatever it makes of a body that was cut off, the caller is told that it was."""
        answer.body = body
        try:
            await app(scope, body, answer)
        except Exception:
            if body.problem is None or answer.status:
                raise
        answer.body = None
        if body.problem is not None and not answer.status:
            raise body.problem

    def _identify(self, post: _Post, scope: Scope, *, is_open: bool) -> Token | None:
        """Put role and name of the token into the scope; returns it. Raises Problem."""
        tokens, (scheme, _, bearer) = post.book.now, (header(scope, b"authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and (token := tokens.find(bearer.strip())) is not None:
            scope[ROLE], scope[TOKEN] = token.role, token.name
            post.book.used(token)
            return token
        if scheme and not is_open:
            share = post.failures.take(address_of(scope))
            if not share.allowed:
                raise _too_many(share, "Too many wrong tokens from this address.")
            hint = "See llmgenie token list." if tokens.any else "No token is needed here: leave Authorization out."
            raise _unauthorized("This token is not known, has expired or was revoked.", hint, ', error="invalid_token"')
        if not scheme and not tokens.any and is_local(scope):
            scope[ROLE] = "agent"
        elif not is_open:
            hint = "Send Authorization: Bearer lgt_…; a token is made by llmgenie token create NAME --role agent"
            why = (
                "This project has tokens, so one is needed."
                if tokens.any
                else "From another machine a token is needed."
            )
            raise _unauthorized(why, hint)
        return None

    async def _open(self) -> _Post:
        async with self._opening:
            if self._known is not None:
                return self._known
            post, whole = await anyio.to_thread.run_sync(self._read)
            self._known = post if whole else None
            return post

    def _read(self) -> tuple[_Post, bool]:
        """What to go by, and whether the settings could be read; the door stands with broken ones, too."""
        store, whole = self._engine.project.store, True
        try:
            rest = in_force(load_settings(store).rest, trusted=trust.is_trusted(store))
        except DefinitionError:
            rest, whole = Rest(), False
        post = _Post(
            rest,
            Door((*rest.hosts, *self._hosts, rest.host), rest.origins),
            Book(store),
            Rate("requests", rest.per_minute),
            Rate("failed-tries", FAILED_TRIES, FAILED_TRIES),
            Slots(rest.at_once),
            Slots(SENDERS),
            Slots(STREAMS),
        )
        return post, whole


class _Answer:
    """`send`, with our headers on every answer, and silent while the app answers to a body that was cut off."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._more = [(b"x-request-id", request_id.encode()), *HEADERS]
        self.body: Body | None = None
        self.status = 0

    def add(self, share: Share) -> None:
        """Tell the caller what is left to it."""
        self._more += [(name.lower().encode(), value.encode()) for name, value in share.headers().items()]

    async def __call__(self, message: Message) -> None:
        if self.body is not None and self.body.problem is not None and not self.status:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            there = {bytes(name).lower() for name, _ in headers}
            message = {**message, "headers": headers + [pair for pair in self._more if pair[0] not in there]}
        await self._send(message)


def _request_id(scope: Scope) -> str:
    """The caller's own id, where it is one; anything else is not worth refusing a request for."""
    given = [value.decode("latin-1") for key, value in scope["headers"] if key == b"x-request-id"]
    return given[0] if len(given) == 1 and _SANE_ID.fullmatch(given[0]) else token_hex(8)


def _check_framing(scope: Scope) -> None:
    """A body that ends in two places has two readers: a proxy that believes the other one sends a second request in it
    (RFC 9112, section 6.1). Raises Problem."""
    names = {key for key, _ in scope["headers"]}
    if b"content-length" in names and b"transfer-encoding" in names:
        detail = "Content-Length and Transfer-Encoding are given both."
        raise Problem(400, "bad_request", "Ambiguous request", detail, "Give one of them.", headers=CLOSE)


def _is_stream(scope: Scope, path: str) -> bool:
    if scope["method"] == "GET":
        return path in ("/events", "/mcp")
    return path == "/mcp" and header(scope, b"mcp-method") in LISTENING


def _unauthorized(detail: str, hint: str, error: str = "") -> Problem:
    headers = {"WWW-Authenticate": f'Bearer realm="llmgenie"{error}'}  # RFC 6750, section 3
    return Problem(401, "unauthorized", "A token is needed", detail, hint, headers=headers)


def _too_many(share: Share, detail: str) -> Problem:
    told: dict[str, Any] = {"headers": share.headers(), "retry_after": round(share.wait, 3)}
    return Problem(429, "rate_limited", "Too many requests", detail, "Wait as long as Retry-After says.", **told)


__all__ = ["PROBES", "REQUEST_ID", "ROLE", "TOKEN", "Guard", "require"]
