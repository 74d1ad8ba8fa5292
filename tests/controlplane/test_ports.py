"""A port that is taken is told before anything starts, with its number and the cure."""

import socket
import threading
import time

import pytest

from controlplane import ports

CURE = "Take another one."


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def wanted(port):
    return ports.Wanted("127.0.0.1", port, "the web", CURE)


def test_free_ports_are_accepted(listener):
    port = listener.getsockname()[1]
    listener.close()
    ports.check([wanted(port)])


def test_a_taken_port_is_named_with_its_purpose_and_the_cure(listener):
    port = listener.getsockname()[1]
    with pytest.raises(ports.PortTaken) as refused:
        ports.check([wanted(port)], patience=0)
    assert str(refused.value) == f"Port {port} on 127.0.0.1, for the web, is taken. {CURE}"


def test_a_port_that_is_shared_by_several_listeners_is_taken_too():
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as sharing, pytest.raises(ports.PortTaken):
        ports.check([wanted(sharing.getsockname()[1])], patience=0)


def test_all_taken_ports_are_named_at_once(listener):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = [listener.getsockname()[1], other.getsockname()[1]]
        with pytest.raises(ports.PortTaken) as refused:
            ports.check([wanted(port) for port in taken], patience=0)
    assert all(str(port) in str(refused.value) for port in taken)


def test_a_port_that_becomes_free_in_a_moment_is_waited_for(listener):
    threading.Thread(target=lambda: (time.sleep(0.3), listener.close())).start()
    ports.check([wanted(listener.getsockname()[1])])
