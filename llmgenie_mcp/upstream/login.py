"""Logging in to a server elsewhere by OAuth, with the SDK's client: a person does it once, then tokens are renewed.

The authorization specification of MCP: protected resource metadata (RFC 9728), authorization server metadata (RFC 8414),
dynamic registration (RFC 7591), PKCE, resource indicators (RFC 8707). All requests go the way that `web` checks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from mcp_types import Implementation
from pydantic import AnyUrl, BaseModel

from llmgenie_mcp.errors import ActionError, shorten
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.upstream.keys import Keys

if TYPE_CHECKING:
    from llmgenie_mcp.config import Login
    from llmgenie_mcp.upstream.limits import Broken

Document = dict[str, Any]
M = TypeVar("M", bound=BaseModel)
OVER = "The login there is over."
UNAUTHORIZED, FORBIDDEN = 401, 403
NOWHERE = "http://127.0.0.1/callback"
"""Where nobody is sent: without a person there is no redirect."""


class NeedsLogin(Exception):
    """Nobody is logged in, or the login is over."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person who logs in now.

    Attributes:
        redirect: the address on loopback that the authorization server sends the browser to.
        show: called with the address that the person is to open.
        wait: waits for the redirect.
    """

    redirect: str
    show: Callable[[str], Awaitable[None]]
    wait: Callable[[], Awaitable[AuthorizationCodeResult]]


def auth_of(keys: Keys, settings: Login | None, broken: Broken, person: Person | None) -> httpx2.Auth | None:
    """What signs requests to a server; None when nobody logged in.

    Args:
        keys: what a login left, and the server's address.
        settings: of the login.
        broken: is told when a person must log in.
        person: who logs in now, if somebody does.

    Raises:
        ActionError: the client's secret is not where the settings say.
    """
    if settings is not None and settings.grant == "client_credentials" and settings.client_secret is not None:
        provider = ClientCredentialsOAuthProvider(
            keys.url,
            _Stored(keys),
            settings.client_id,
            settings.client_secret.read(),
            scope=settings.scope or None,
            issuer=settings.issuer,
        )
        return _Noting(provider, broken, "It does not take the client that `login` in the settings names.")
    if person is None and not keys.load().get("tokens"):
        return None
    refused = "It does not take the login that was just made." if person else OVER
    return _Noting(_Login(keys, settings, person), broken, refused)


class _Login(OAuthClientProvider):
    """The SDK's client, which goes on with a login of an earlier process, and never begins one where no person is."""

    def __init__(self, keys: Keys, settings: Login | None, person: Person | None) -> None:
        stored = _Stored(keys, self, settings, new=person is not None)
        self._keys, self._person = keys, person
        self._tried = ""
        metadata = OAuthClientMetadata(
            client_name="llmgenie",
            redirect_uris=[AnyUrl(person.redirect if person else NOWHERE)],
            scope=settings.scope or None if settings else None,
        )
        handlers = (person.show, person.wait) if person else (None, None)
        super().__init__(keys.url, metadata, stored, *handlers)

    async def _auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if self._person is None:
            await self._initialize()  # another process may have renewed the tokens
            if self.context.is_token_valid():  # past the SDK's lock, which one slow answer would hold for all others
                self._add_auth_header(request)
                response = yield request
                if response.status_code not in (UNAUTHORIZED, FORBIDDEN):
                    return
        flow = super()._auth_flow(request)
        try:
            outgoing = await flow.__anext__()
            while True:
                outgoing = await flow.asend((yield outgoing))
        except StopAsyncIteration:
            return
        finally:
            await flow.aclose()

    async def _initialize(self) -> None:
        await super()._initialize()
        known = {} if self._person else self._keys.load()
        context = self.context
        context.token_expiry_time = known.get("expires_at")
        context.oauth_metadata = _read(OAuthMetadata, known.get("metadata")) or context.oauth_metadata
        resource = _read(ProtectedResourceMetadata, known.get("resource"))
        context.protected_resource_metadata = resource or context.protected_resource_metadata
        context.auth_server_url = known.get("server") or context.auth_server_url

    async def _perform_authorization(self) -> httpx2.Request:
        """The request for new tokens: by a person, else by the refresh token, each of which is tried once."""
        if self._person is not None:
            return await super()._perform_authorization()
        await self._initialize()
        held = self.context.current_tokens
        if held is not None and held.refresh_token and held.refresh_token != self._tried and self.context.client_info:
            self._tried = held.refresh_token
            return await self._refresh_token()
        raise NeedsLogin(OVER)

    async def _handle_token_response(self, response: httpx2.Response) -> None:
        if self._person is None and response.status_code not in (200, 201):
            raise NeedsLogin(OVER)
        await super()._handle_token_response(response)


class _Stored:
    """The SDK's view of what is kept."""

    def __init__(
        self, keys: Keys, login: _Login | None = None, settings: Login | None = None, *, new: bool = False
    ) -> None:
        self._keys, self._login, self._settings, self._new = keys, login, settings, new

    async def get_tokens(self) -> OAuthToken | None:
        """The tokens, whether they still hold or not; none for who logs in anew."""
        if self._login is None:
            return None  # by client credentials: a new one costs a request, and needs nobody
        return None if self._new else _read(OAuthToken, self._keys.load().get("tokens"))

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep them, with what renewing them takes."""
        if self._login is None:
            return
        self._new = False
        context = self._login.context
        parts = {
            "metadata": context.oauth_metadata,
            "resource": context.protected_resource_metadata,
            "client": context.client_info,
        }
        told = {k: part.model_dump(mode="json", exclude_none=True) for k, part in parts.items() if part is not None}
        self._keys.save(**told, server=context.auth_server_url, logged_in_at=time.time())
        self._keys.save_tokens(tokens.model_dump(mode="json", exclude_none=True))

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Who we are there: as the settings say, else as it was registered; who logs in anew registers anew."""
        settings = self._settings
        if settings is not None:
            secret = settings.client_secret.read() if settings.client_secret else None
            how = "client_secret_basic" if secret else "none"
            return OAuthClientInformationFull(
                client_id=settings.client_id,
                client_secret=secret,
                token_endpoint_auth_method=how,
                issuer=settings.issuer,
            )
        return None if self._new else _read(OAuthClientInformationFull, self._keys.load().get("client"))

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """It is kept with the tokens: a registration that no login followed is of no use."""


def _read(model: type[M], kept: Any) -> M | None:
    try:
        return model.model_validate(kept) if kept else None
    except ValueError:
        return None


async def log_in(
    keys: Keys, settings: Login | None, *, allow_private: bool, show: Callable[[str], None], within: float
) -> bool:
    """Have a person log in, and keep what comes of it; whether the server asked for a login at all.

    Args:
        keys: where it is kept, and the server's address.
        settings: of the login.
        allow_private: whether the server's host, and that of its authorization server, may have private addresses.
        show: called with the address to open in a browser.
        within: seconds.

    Raises:
        ActionError: it did not work; says why.
    """
    from mcp import Client

    from llmgenie_mcp import __version__
    from llmgenie_mcp.upstream.limits import Broken
    from llmgenie_mcp.upstream.loopback import listening
    from llmgenie_mcp.upstream.web import web_transport

    broken, asked = Broken(), False
    async with listening() as here:

        async def show_it(address: str) -> None:
            nonlocal asked
            asked = True
            if not address.startswith(("https://", "http://")):
                raise NeedsLogin("its login page has no web address")
            here.expect(address)
            show(address)

        async def wait() -> AuthorizationCodeResult:
            return await here.answer

        signing = auth_of(keys, settings, broken, Person(here.url, show_it, wait))
        transport = web_transport(keys.url, {}, allow_private, broken, lambda: signing)
        about = Implementation(name="llmgenie", version=__version__)
        try:
            async with asyncio.timeout(within), Client(transport, client_info=about, cache=None):
                return asked
        except TimeoutError:
            wrong = broken.why or f"Nobody logged in within {within:g} s."
        except Exception as error:  # noqa: BLE001 - whatever the SDK, the server or the person made of it
            wrong = broken.why or first_of(error)
    raise ActionError(f"Nobody is logged in. {wrong}", f"Try again: llmgenie upstream login {keys.path.stem}")


class _Noting(httpx2.Auth):
    """An auth that says why the connection ends when it fails: the SDK's transport tells of it by other words.

    Args:
        inner: the auth.
        broken: is told.
        refused: why, when the server answers 401 all the same.
    """

    def __init__(self, inner: httpx2.Auth, broken: Broken, refused: str) -> None:
        self._inner, self._broken, self._refused = inner, broken, refused

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """As the one inside."""
        flow, response = self._inner.async_auth_flow(request), None
        try:
            outgoing = await flow.__anext__()
            while True:
                response = yield outgoing
                outgoing = await flow.asend(response)
        except StopAsyncIteration:
            if response is not None and response.status_code == UNAUTHORIZED:
                self._broken.because(self._refused)
        except NeedsLogin:
            self._broken.because(self._refused)
            raise
        except Exception as error:
            self._broken.because(f"The login there failed: {shorten(first_of(error), 400)}.")
            raise
        finally:
            await flow.aclose()


def first_of(error: BaseException) -> str:
    """The first error of a group, in its own words."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
