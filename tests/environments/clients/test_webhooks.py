"""Sending to a target: where nothing is sent, what is told of one that does not answer, and what never is repeated."""

import datetime
import ipaddress
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from environments.clients import webhooks
from tests.receiver import Receiver

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
ADDRESS = ipaddress.ip_address("127.0.0.1")
SECRET = "a-secret-part"


@pytest.fixture
def receiver():
    with Receiver() as one:
        yield one


def post(url, **more):
    return webhooks.post(url, b'{"hello": "world"}', {"Content-Type": "application/json"}, allowed=LOOPBACK, **more)


def test_it_posts_the_body_and_returns_the_status(receiver):
    assert post(receiver.url + "?key=value") == 200
    [got] = receiver.got
    assert (got.path, got.body) == (f"/hooks/{SECRET}?key=value", b'{"hello": "world"}')
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["content-length"] == "18"


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
def test_another_status_is_told_without_body_and_address(receiver, status):
    receiver.answer = lambda got: (status, {})
    with pytest.raises(webhooks.TargetRefused, match=f"status {status}") as refused:
        post(receiver.url)
    assert refused.value.status == status
    assert SECRET not in str(refused.value)
    assert Receiver.BODY.decode() not in str(refused.value)


@pytest.mark.parametrize(("said", "pause"), [("30", 30), ("999999", 3600), ("-5", 0), ("soon", 0), ("", 0)])
def test_it_says_how_long_the_target_wants_to_be_left_alone(receiver, said, pause):
    receiver.answer = lambda got: (429, {"Retry-After": said})
    with pytest.raises(webhooks.TargetRefused) as refused:
        post(receiver.url)
    assert refused.value.pause == pause


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("http://127.0.0.1:9/", "own network"),
        ("http://169.254.169.254/latest/meta-data/", "own network"),
        ("http://[::ffff:10.0.0.1]/", "own network"),
        ("https://elsewhere.example.com/a-place", "another address"),
        ("http://[", "another address"),
    ],
)
def test_a_redirect_is_told_and_not_followed(receiver, location, told):
    receiver.answer = lambda got: (302, {"Location": location})
    with pytest.raises(webhooks.TargetRefused, match=f"redirect .*{told}.* not followed") as refused:
        post(receiver.url)
    assert location not in str(refused.value)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "255.255.255.255"),  # noqa: S104
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "224.0.0.1", "198.18.0.1", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:192.168.0.1"),
        *("64:ff9b::10.0.0.1", "2002:7f00:1::", "2001:db8::1", "::7f00:1"),
    ],
)
def test_nothing_is_sent_to_the_installations_own_network(address):
    found = ipaddress.ip_address(address)
    with pytest.raises(webhooks.TargetForbidden, match="WEBHOOK_ALLOWED_NETWORKS"):
        webhooks.post("http://hooks.example.com/", b"{}", {}, resolve=lambda host, port: [found])


def test_one_internal_address_among_public_ones_is_enough_to_refuse():
    found = [ipaddress.ip_address("93.184.215.14"), ADDRESS]
    with pytest.raises(webhooks.TargetForbidden):
        webhooks.post("http://hooks.example.com/", b"{}", {}, resolve=lambda host, port: found)


@pytest.mark.parametrize("address", ["169.254.169.254", "168.63.129.16", "fe80::1", "224.0.0.1", "0.0.0.0"])  # noqa: S104
def test_some_addresses_no_operator_can_allow(address):
    everything = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    found = ipaddress.ip_address(address)
    with pytest.raises(webhooks.TargetForbidden):
        webhooks.post("http://x.example/", b"", {}, allowed=everything, resolve=lambda host, port: [found])


def test_a_name_is_resolved_once_and_what_was_judged_is_what_is_connected_to(receiver):
    """A name server that answers with another address the second time leads nowhere else."""
    asked = []

    def rebinding(host, port):
        asked.append(host)
        return [ADDRESS] if len(asked) == 1 else [ipaddress.ip_address("10.0.0.1")]

    assert post(f"http://hooks.example.com:{receiver.port}/", resolve=rebinding) == 200
    assert asked == ["hooks.example.com"]
    assert receiver.got[0].headers["host"] == f"hooks.example.com:{receiver.port}"


def test_names_are_resolved_by_the_system(receiver, monkeypatch):
    def answer(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.9.8.7", port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(webhooks.TargetForbidden):
        webhooks.post("https://hooks.example.com/", b"{}", {})


def test_an_address_that_cannot_be_reached_is_passed_over(receiver):
    found = [ipaddress.ip_address("127.0.0.2"), ADDRESS]  # nothing listens on the first
    assert post(f"http://hooks.example.com:{receiver.port}/", resolve=lambda host, port: found) == 200


def test_a_name_that_leads_nowhere_is_told():
    with pytest.raises(webhooks.TargetUnreachable, match="leads to no address"):
        post("http://hooks.example.com/", resolve=lambda host, port: [])


def test_a_name_server_that_hangs_holds_nobody():
    over = threading.Event()

    def hang(host, port):
        over.wait(20)
        return [ADDRESS]

    began = time.monotonic()
    with pytest.raises(webhooks.TargetUnreachable, match="name server"):
        post("http://hooks.example.com/", resolve=hang, seconds=0.5)
    over.set()
    assert time.monotonic() - began < 5


def test_a_target_that_hangs_holds_nobody(receiver):
    receiver.hangs = True
    began = time.monotonic()
    with pytest.raises(webhooks.TargetUnreachable, match="in time"):
        post(receiver.url, seconds=0.5)
    assert time.monotonic() - began < 5


def test_a_target_that_answers_a_byte_at_a_time_holds_nobody(receiver):
    receiver.drips = True
    began = time.monotonic()
    with pytest.raises(webhooks.TargetUnreachable, match="in time"):
        post(receiver.url, seconds=1)
    assert time.monotonic() - began < 5


def test_a_port_where_nothing_listens_is_told():
    with Receiver() as gone:
        url = gone.url
    with pytest.raises(webhooks.TargetUnreachable, match="No connection") as failed:
        post(url)
    assert SECRET not in str(failed.value)


def test_what_is_no_web_server_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak():
            connection, _ = server.accept()
            connection.sendall(b"220 smtp ready\r\n")
            connection.close()

        threading.Thread(target=speak, daemon=True).start()
        with pytest.raises(webhooks.TargetUnreachable):
            post(f"http://127.0.0.1:{server.getsockname()[1]}/")


# TLS


@pytest.fixture
def trusted(tmp_path, monkeypatch):
    """A server's context with a certificate for hooks.example.com, which this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    webhooks._tls.cache_clear()
    yield context
    webhooks._tls.cache_clear()


def test_the_certificate_is_verified_for_the_name_though_the_connection_goes_to_an_address(trusted):
    with Receiver(tls=trusted) as receiver:
        url = f"https://hooks.example.com:{receiver.port}/"
        assert post(url, resolve=lambda host, port: [ADDRESS]) == 200
        with pytest.raises(webhooks.TargetUnreachable, match="certificate"):
            post(f"https://other.example.com:{receiver.port}/", resolve=lambda host, port: [ADDRESS])
        with pytest.raises(webhooks.TargetUnreachable, match="certificate"):
            post(f"https://127.0.0.1:{receiver.port}/")
        assert len(receiver.got) == 1


def test_a_certificate_of_nobody_who_is_trusted_is_refused(trusted, monkeypatch, tmp_path):
    monkeypatch.delenv("SSL_CERT_FILE")
    webhooks._tls.cache_clear()
    with Receiver(tls=trusted) as receiver:
        with pytest.raises(webhooks.TargetUnreachable, match="certificate"):
            post(f"https://hooks.example.com:{receiver.port}/", resolve=lambda host, port: [ADDRESS])
        assert receiver.got == []
