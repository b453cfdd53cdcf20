"""Who calls the REST face, as far as a request tells: names it was called by, the page it came from, the address."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from starlette.types import Scope

from llmgenie_mcp.config import Rest
from llmgenie_mcp.errors import shorten
from llmgenie_mcp.faces.rest_problem import Problem

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
WILDCARDS = frozenset({"", "0.0.0.0", "::", "[::]"})  # noqa: S104 - names no host: nothing is bound here
FORWARDED = (b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip")
"""What a proxy adds, beside X-Forwarded-…: whoever calls through one is not on this machine, though the proxy is."""
FOREIGN = ("cross-site", "same-site")
"""What browsers say of requests by pages of other origins (https://www.w3.org/TR/fetch-metadata/); another port is another."""
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")


def in_force(rest: Rest, *, trusted: bool) -> Rest:
    """The settings as far as they hold: a repository that was just cloned chooses no address, and opens the door to nobody."""
    return rest if trusted else rest.model_copy(update={"host": Rest().host, "hosts": (), "origins": ()})


class Door:
    """Which `Host` and `Origin` are let in.

    Args:
        hosts: names, with a port or for any port, beside those of loopback and the address of the socket itself.
        origins: of web pages, such as https://board.example.org, beside pages that come from the same host.
    """

    def __init__(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        named = {_bracketed(host.lower()) for host in hosts}
        self._hosts = LOOPBACK | (named - WILDCARDS)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    def check(self, scope: Scope) -> None:
        """Raises Problem: 421 for a foreign `Host`, 403 for a foreign `Origin`, or for what a foreign page embeds."""
        host = (header(scope, b"host") or "").lower()
        if not self._is_ours(host, scope):
            hint = (
                "Call it by 127.0.0.1 or localhost; another name is let in by rest: {hosts: [NAME]} in llmgenie.yaml."
            )
            detail = f"This server does not answer to the name {shorten(host)!r}."
            raise Problem(421, "wrong_host", "Misdirected request", detail, hint)
        origin = header(scope, b"origin")
        if origin is not None and not self._may_call(origin.lower(), host):
            hint = "A page elsewhere is let in by rest: {origins: [ORIGIN]} in llmgenie.yaml; programs send no Origin."
            detail = f"Web pages of {shorten(origin)!r} may not call this server."
            raise Problem(403, "wrong_origin", "Foreign web page", detail, hint)
        if origin is None and _is_embedded(scope):
            hint = "Open the address in a tab of its own; a page that fetches needs rest: {origins: [ORIGIN]}."
            detail = "A web page elsewhere may not have this server's answers as pictures, scripts or the like."
            raise Problem(403, "wrong_origin", "Foreign web page", detail, hint)

    def _is_ours(self, host: str, scope: Scope) -> bool:
        found = _AUTHORITY.fullmatch(host)
        if found is None:
            return False
        # An address is safe where a name is not: no DNS answer leads a browser to it under another origin.
        bound = (scope.get("server") or ("",))[0] or ""
        return found[1].rstrip(".") in self._hosts or host in self._hosts or found[1] == _bracketed(bound)

    def _may_call(self, origin: str, host: str) -> bool:
        return origin in (f"http://{host}", f"https://{host}") or origin in self._origins


def _is_embedded(scope: Scope) -> bool:
    """Whether a browser asks for a foreign page, and not because a person followed a link; a frame is a page's, too."""
    if header(scope, b"sec-fetch-site") not in FOREIGN:
        return False
    follows = header(scope, b"sec-fetch-mode") == "navigate" and scope["method"] in ("GET", "HEAD")
    return not follows or header(scope, b"sec-fetch-dest") not in (None, "document")


def header(scope: Scope, name: bytes) -> str | None:
    """The value of a header, or None. Raises Problem when there are several."""
    found = [value for key, value in scope["headers"] if key == name]
    if len(found) > 1:
        named = name.decode()
        raise Problem(400, "bad_request", "Ambiguous request", f"{named} is given {len(found)} times.", "Give it once.")
    return found[0].decode("latin-1") if found else None


def route_path(scope: Scope) -> str:
    """The path as the app's routes see it, also where the app is mounted in another."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def is_local(scope: Scope) -> bool:
    """Whether a program on this machine calls, and not through a proxy."""
    if any(name in FORWARDED or name.startswith(b"x-forwarded-") for name, _ in scope["headers"]):
        return False
    return _is_loopback((scope.get("client") or ("",))[0])


def address_of(scope: Scope) -> str:
    """The caller's address, for counting; of IPv6 the network, for one caller has as many addresses as it likes."""
    return _counted((scope.get("client") or ("",))[0])


@lru_cache(maxsize=1024)
def _is_loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


@lru_cache(maxsize=1024)
def _counted(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return "unknown"
    if not isinstance(address, IPv6Address) or address.is_loopback:
        return text
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))


def _bracketed(host: str) -> str:
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
