"""Addresses of Rasa servers, of webhooks and of git repositories as they are accepted, judged as sent and never
cleaned up. Asks no name server."""

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import SplitResult, urlsplit

from environments.errors import InvalidUrl

MAX_LENGTH = 500
LONGEST_HOST = 253  # of any name in the DNS
EXAMPLE = "http://rasa-production:5005"
REPOSITORY_EXAMPLE = "https://git.example.com/team/assistant.git or ssh://git@git.example.com/team/assistant.git"

_PRINTABLE = re.compile(r"[!-\[\]-~]+", re.ASCII)  # neither spaces nor backslashes, which clients read differently
_HOST = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443, "ssh": 22}
_WEB_SCHEMES = frozenset({"http", "https"})
_REPOSITORY_SCHEMES = frozenset({"https", "ssh"})
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", re.ASCII)

# Where clouds hand credentials to whoever asks from inside; link-local addresses are refused as a whole.
_METADATA_HOSTS = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
_METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254")
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

WEBHOOK_EXAMPLE = "https://hooks.example.com/controlplane"


def check_url(url: str) -> None:
    """Refuse what is not the plain address of a server; no refusal repeats the address, which may hold a password."""
    parts = _web(url, EXAMPLE)
    if "@" in parts.netloc:
        raise InvalidUrl("The address holds a user or password. Leave them out; `token` is the place for a secret.")
    if "?" in url or "#" in url:
        raise InvalidUrl("The address has a query or fragment. End it before the ? or #.")
    if is_forbidden_host(parts.hostname or ""):
        raise InvalidUrl(
            "The address is a link-local one or that of a cloud's metadata service, where no Rasa server is. "
            "Give the server's own address."
        )


def check_webhook_url(url: str, allowed: Sequence[Network]) -> None:
    """Refuse what no notification is sent to, as far as its spelling tells; no refusal repeats the address, of which
    a part is mostly a secret. Where a name leads is judged each time something is sent there."""
    parts = _web(url, WEBHOOK_EXAMPLE)
    if "@" in parts.netloc:
        raise InvalidUrl("The address holds a user or password, which are not sent. Leave them out.")
    if "#" in url:
        raise InvalidUrl("The address has a fragment, which is not sent. End it before the #.")
    address = _ip_address((parts.hostname or "").rstrip("."))
    if is_forbidden_host(parts.hostname or "") or (address and not may_be_told(address, allowed)):
        raise InvalidUrl(
            "The address is one of the installation's own network. Give a public one, or have its network added to "
            "WEBHOOK_ALLOWED_NETWORKS."
        )


def may_be_told(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether notifications may go to an address: a public one, or one of the `allowed` networks. Never to a link-local
    one, to a cloud's metadata service or to several at once."""
    inner = _inner(address)
    if inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner in _METADATA_ADDRESSES:
        return False
    public = inner.is_global and not inner.is_reserved
    return public or any(inner in network for network in allowed if network.version == inner.version)


def network(text: str) -> Network | None:
    """A network as it is written, `10.0.0.0/8`, or one address; None for what is neither."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def networks(texts: Iterable[str]) -> list[Network]:
    """Those of `texts` that are networks; a check of the configuration tells of the others."""
    return [found for text in texts if (found := network(text))]


def _web(url: str, example: str) -> SplitResult:
    """The parts of an address of the web."""
    parts = _split(url, example)
    if parts.scheme not in _WEB_SCHEMES:
        raise InvalidUrl(f"The address does not begin with http:// or https://. Write it like {example}.")
    return parts


def check_repository_url(url: str) -> None:
    """Refuse what is not the plain https or ssh address of a repository; no refusal repeats it."""
    parts = _split(url, REPOSITORY_EXAMPLE)
    if parts.scheme not in _REPOSITORY_SCHEMES:
        raise InvalidUrl(f"The address begins with neither https:// nor ssh://. Write it like {REPOSITORY_EXAMPLE}.")
    user, at, _ = parts.netloc.rpartition("@")
    if at and (parts.scheme == "https" or not _USER.fullmatch(user)):
        raise InvalidUrl(
            "The address holds a user or password where none belongs. `username`, `token` and `ssh_key` are the "
            "places for credentials; an ssh address may name its user, as in ssh://git@…"
        )
    if "?" in url or "#" in url:
        raise InvalidUrl("The address has a query or fragment. End it before the ? or #.")
    host = parts.hostname or ""
    if host.startswith("-") or not ("[" in parts.netloc or _HOST.fullmatch(host)):
        raise InvalidUrl("The host of the address has characters that no host name has. Check its spelling.")
    if len(parts.path) < 2 or parts.path.startswith("/-"):
        raise InvalidUrl(f"The address names no repository. Write it like {REPOSITORY_EXAMPLE}.")
    if is_forbidden_host(host):
        raise InvalidUrl(
            "The address is a link-local one or that of a cloud's metadata service, where no repository is. Give the "
            "server's own address."
        )


def _split(url: str, example: str) -> SplitResult:
    if len(url) > MAX_LENGTH or not _PRINTABLE.fullmatch(url):
        raise InvalidUrl(f"The address is not a URL of up to {MAX_LENGTH} characters. Write it like {example}.")
    try:
        parts = urlsplit(url)
        usable = parts.port != 0 and 0 < len(parts.hostname or "") <= LONGEST_HOST
    except ValueError:
        usable = False
    if not usable:
        raise InvalidUrl(f"The address has no usable host or port. Write it like {example}.")
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


def is_internal_url(url: str) -> bool:
    """Whether a URL spells an address that notifications are not sent to; a name tells nothing."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    address = _ip_address(host) if host else None
    return host == "localhost" or is_forbidden_host(host) or (address is not None and not may_be_told(address, ()))


def server_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: a stored secret is for this server and no other."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)


def same_url(url: str) -> tuple[str, str, int, str]:
    """Equal for two spellings of one address."""
    return *server_of(url), urlsplit(url).path.rstrip("/")
