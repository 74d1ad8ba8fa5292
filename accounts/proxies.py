"""Which proxies are believed when they say who their client is (`TRUSTED_PROXIES`): addresses, or networks of them."""

import ipaddress
from functools import lru_cache

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network(text: str) -> Network | None:
    """The network as it is written, `10.0.0.0/8`, or one address; None for what is neither, and for all there are."""
    try:
        found = ipaddress.ip_network(text.strip())
    except ValueError:
        return None
    return found if found.prefixlen else None


def address(text: str) -> Address | None:
    """The plain address: one of IPv4 that a listener of IPv6 wrote as its own is that of IPv4."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped: ipaddress.IPv4Address | None = getattr(found, "ipv4_mapped", None)
    # The name of an interface may follow the address of a neighbour, at any length.
    return None if getattr(found, "scope_id", None) else mapped or found


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    # A check of the configuration tells of the others.
    return tuple(found for text in texts if (found := network(text)))


def is_trusted(text: str) -> bool:
    """Whether this is the address of a proxy in `TRUSTED_PROXIES`."""
    networks = _networks(tuple(settings.TRUSTED_PROXIES))
    found = address(text) if networks else None
    return found is not None and any(found in trusted for trusted in networks)
