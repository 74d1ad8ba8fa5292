"""Where a request comes from: the client's address, as far as trusted proxies tell it."""

import pytest
from django.test import RequestFactory

from accounts.authentication import peer_address


@pytest.fixture(autouse=True)
def proxies(settings):
    settings.TRUSTED_PROXIES = ["10.0.0.5", "10.0.0.6"]


def address(peer, forwarded):
    return peer_address(RequestFactory().get("/", REMOTE_ADDR=peer, headers={"X-Forwarded-For": forwarded}))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.5", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.5", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.5", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.5", "198.51.100.7, 10.0.0.6", "198.51.100.7"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("10.0.0.5", ", ,", "10.0.0.5"),
    ],
)
def test_a_trusted_proxy_is_believed_and_nobody_else(peer, forwarded, client):
    assert address(peer, forwarded) == client


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("172.30.7.2", "198.51.100.7", "198.51.100.7"),
        ("172.30.7.2", "198.51.100.7, 172.30.7.6", "198.51.100.7"),
        ("172.30.7.9", "198.51.100.7", "172.30.7.9"),
        ("fd00:7::2", "198.51.100.7", "198.51.100.7"),
        # A listener of IPv6 has clients of IPv4 too.
        ("::ffff:172.30.7.2", "::ffff:198.51.100.7", "198.51.100.7"),
        ("::ffff:172.30.7.9", "198.51.100.7", "::ffff:172.30.7.9"),
    ],
)
def test_a_network_of_proxies_is_believed_and_its_neighbours_are_not(settings, peer, forwarded, client):
    settings.TRUSTED_PROXIES = ["172.30.7.0/29", "fd00:7::/64"]
    assert address(peer, forwarded) == client


@pytest.mark.parametrize(
    "junk", ["x" * 9000, "unknown", "_hidden", "1.2.3", "1.2.3.4:80", "<b>", "ÿ", "fe80::1%" + "e" * 200, "0x7f000001"]
)
def test_what_is_no_address_is_no_answer(junk):
    assert address("10.0.0.5", junk) == "10.0.0.5"
    assert address("10.0.0.5", f"198.51.100.7, {junk}") == "10.0.0.5"
    assert address("10.0.0.5", f"{junk}, 10.0.0.6") == "10.0.0.6"
