"""Which IP addresses belong to hosts on the public internet."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipaddress

_NOT_PUBLIC_4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
)
"""The IANA IPv4 Special-Purpose Address Registry (RFC 6890) without what is globally reachable, multicast, and the one public
address at which Azure's machines reach their host. Python's own `is_global` differs from release to release."""
_NOT_PUBLIC_6 = ("2001::/23", "2001:db8::/32", "3fff::/20")
"""What the IANA IPv6 Special-Purpose Address Registry takes out of 2000::/3, Teredo among it; 6to4 is looked into."""
_EMBEDDED = {"::ffff:0:0/96": 0, "64:ff9b::/96": 0, "2002::/16": 80}
"""Networks whose addresses hold an IPv4 address, and how many bits follow it: mapped, NAT64 (RFC 6052), 6to4 (RFC 3056)."""


def public(address: str) -> bool:
    """Whether an IP address, in its usual writing, belongs to a host on the public internet."""
    import ipaddress

    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        for network, bits in _embedding():
            if found in network:
                found = ipaddress.IPv4Address((int(found) >> bits) & 0xFFFFFFFF)
                break
        else:
            return int(found) >> 125 == 1 and not any(found in network for network in _networks(_NOT_PUBLIC_6))
    return not any(found in network for network in _networks(_NOT_PUBLIC_4))


@functools.cache
def _networks(written: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    import ipaddress

    return tuple(map(ipaddress.ip_network, written))


def _embedding() -> Iterable[tuple[Any, int]]:
    return zip(_networks(tuple(_EMBEDDED)), _EMBEDDED.values(), strict=True)
