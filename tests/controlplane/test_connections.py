"""What clients that keep their connections are told."""

import socket

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory

from controlplane.connections import close_after_refusals, watch_listeners


def headers_of(request):
    """The headers with which the application answers."""
    told = {}

    def start_response(status, headers, exc_info=None):
        told.update(headers)
        return lambda data: None

    response = close_after_refusals(WSGIHandler())(request.environ, start_response)
    response.close()
    return told


@pytest.mark.django_db
def test_a_refused_body_ends_the_connection():
    refused = RequestFactory().post("/api/models", b"x" * 100, content_type="multipart/form-data; boundary=b")
    assert headers_of(refused)["Connection"] == "close"


@pytest.mark.django_db
def test_a_refusal_without_a_body_keeps_it():
    assert "Connection" not in headers_of(RequestFactory().get("/api/models"))


@pytest.mark.django_db
def test_what_is_taken_keeps_it():
    assert "Connection" not in headers_of(RequestFactory().get("/healthz"))
    assert "Connection" not in headers_of(RequestFactory().generic("GET", "/healthz", b"body"))


def test_connections_are_watched_like_the_listener_they_came_by():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert watch_listeners() >= 1
        with socket.create_connection(server.getsockname()), server.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
