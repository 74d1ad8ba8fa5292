"""Addresses of Rasa servers as they are accepted, judged as sent and never cleaned up. Asks no name server."""

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from environments.errors import InvalidUrl

MAX_LENGTH = 500
EXAMPLE = "http://rasa-production:5005"

_PRINTABLE = re.compile(r"[!-\[\]-~]+", re.ASCII)  # neither spaces nor backslashes, which clients read differently
_HOST = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}

# Where clouds hand credentials to whoever asks from inside; link-local addresses are refused as a whole.
_METADATA_HOSTS = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
_METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254")
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_url(url: str) -> None:
    """Refuse what is not the plain address of a server; no refusal repeats the address, which may hold a password."""
    parts = _split(url)
    if parts.scheme not in _PORTS:
        raise InvalidUrl(f"The address does not begin with http:// or https://. Write it like {EXAMPLE}.")
    if "@" in parts.netloc:
        raise InvalidUrl("The address holds a user or password. Leave them out; `token` is the place for a secret.")
    if "?" in url or "#" in url:
        raise InvalidUrl("The address has a query or fragment. End it before the ? or #.")
    if is_forbidden_host(parts.hostname or ""):
        raise InvalidUrl(
            "The address is a link-local one or that of a cloud's metadata service, where no Rasa server is. "
            "Give the server's own address."
        )


def _split(url: str) -> SplitResult:
    if len(url) > MAX_LENGTH or not _PRINTABLE.fullmatch(url):
        raise InvalidUrl(f"The address is not a URL of up to {MAX_LENGTH} characters. Write it like {EXAMPLE}.")
    try:
        parts = urlsplit(url)
        usable = parts.port != 0 and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise InvalidUrl(f"The address has no usable host or port. Write it like {EXAMPLE}.")
    if "@" not in parts.netloc and "[" not in parts.netloc and not _HOST.fullmatch(parts.hostname or ""):
        raise InvalidUrl("The host of the address has characters that no host name has. Check its spelling.")
    return parts


def _ip_address(host: str) -> Address | None:
    """The address that `host` spells, in any notation that a resolver takes; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _inner(address: Address) -> Address:
    """The IPv4 address inside one of IPv6's wrappings."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_forbidden_host(host: str) -> bool:
    """Whether `host` is link-local or a cloud's metadata service, as far as its spelling tells."""
    plain = host.lower().rstrip(".")
    address = _ip_address(plain)
    if address is None:
        return plain in _METADATA_HOSTS
    inner = _inner(address)
    return inner.is_link_local or inner in _METADATA_ADDRESSES


def server_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: a stored secret is for this server and no other."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)


def same_url(url: str) -> tuple[str, str, int, str]:
    """Equal for two spellings of one address."""
    return *server_of(url), urlsplit(url).path.rstrip("/")
