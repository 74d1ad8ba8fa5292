"""Addresses of Rasa servers: what is refused, and what is one server."""

import pytest

from environments import addresses
from environments.errors import InvalidUrl


@pytest.mark.parametrize(
    "url",
    [
        "http://rasa-production:5005",
        "https://rasa.example.com",
        "http://127.0.0.1:5005",
        "http://[::1]:5005",
        "http://10.0.0.7:5005/bots/one/",
        "http://rasa_production:5005",
    ],
)
def test_a_plain_address_is_taken(url):
    addresses.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "rasa:5005",
        "//rasa:5005",
        "file:///etc/passwd",
        "http://",
        "http://:5005",
        "http://rasa:port",
        "http://rasa:0",
        "http://rasa:99999",
        "http://[::1",
        "http://rasa production",
        "http://rasa\\@elsewhere",
        "http://rasa\n.example",
        "http://rasa%2eexample",
        "http://bücher.example",
        "http://user@rasa",
        "http://user:pw@rasa",
        "http://rasa?",
        "http://rasa/?token=x",
        "http://rasa#x",
        "http://" + "a" * 500,
        "http://" + "a" * 254,
    ],
)
def test_anything_else_is_refused(url):
    with pytest.raises(InvalidUrl):
        addresses.check_url(url)


def test_a_refusal_does_not_repeat_the_password():
    with pytest.raises(InvalidUrl) as refused:
        addresses.check_url("http://user:s3cret@rasa")
    assert "s3cret" not in refused.value.detail


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "169.254.169.254.",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "[fe80::1]",
        "[fe80::1%25eth0]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
        "metadata.google.internal",
        "Metadata.Google.Internal.",
        "metadata",
    ],
)
def test_link_local_and_metadata_addresses_are_refused_in_every_spelling(host):
    with pytest.raises(InvalidUrl, match="link-local"):
        addresses.check_url(f"http://{host}:80/")


def test_one_server_has_many_spellings():
    assert addresses.same_url("http://Rasa.:80/") == addresses.same_url("HTTP://rasa")
    assert addresses.same_url("http://rasa/a") != addresses.same_url("http://rasa/b")
    assert addresses.server_of("http://rasa/a") == addresses.server_of("http://rasa/b")
    assert addresses.server_of("http://rasa") != addresses.server_of("https://rasa")


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/team/assistant.git",
        "https://git.example.com:8443/a",
        "ssh://git@git.example.com/team/assistant.git",
        "ssh://git.example.com:2222/~ana/assistant",
        "https://10.0.0.7/team/assistant.git",
        "https://[2001:db8::7]/team/assistant.git",
        "https://127.0.0.1:8443/assistant.git",
    ],
)
def test_the_address_of_a_repository_is_taken(url):
    addresses.check_repository_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "git@git.example.com:team/assistant.git",
        "http://git.example.com/team/assistant.git",
        "git://git.example.com/team/assistant.git",
        "file:///srv/assistant.git",
        "/srv/assistant.git",
        "ext::sh -c touch% /tmp/ran",
        "ext::https://git.example.com/a",
        "--upload-pack=touch",
        "ssh://-oProxyCommand=touch/a",
        "ssh://git@-oProxyCommand=touch/a",
        "ssh://-l@git.example.com/a",
        "ssh://git:secret@git.example.com/a",
        "https://robot:secret@git.example.com/a",
        "https://robot@git.example.com/a",
        "https://git.example.com",
        "https://git.example.com/",
        "ssh://git@git.example.com/-a",
        "https://git.example.com/a?b=c",
        "https://git.example.com/a#b",
        "https://git.example.com/a b",
        "https://git.example.com\\@evil.example.com/a",
        "https://169.254.169.254/a",
        "ssh://git@metadata.google.internal/a",
        "https://[fe80::1]/a",
    ],
)
def test_any_other_address_of_a_repository_is_refused(url):
    with pytest.raises(InvalidUrl) as refused:
        addresses.check_repository_url(url)
    assert "secret" not in refused.value.detail.replace("a secret", "")
