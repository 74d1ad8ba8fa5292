"""What is told of a request by its headers and its address, before any view sees it."""

import pytest

from accounts.actions import api_tokens
from accounts.actor import API, Actor
from tests.wire import ask

UNREADABLE = "application/json; charset*=nonsense''x"

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(ana):
    _, secret = api_tokens.create(user=ana, name="test", by=Actor(user=ana, via=API))
    return f"Bearer {secret}"


@pytest.mark.parametrize("content_type", [UNREADABLE, "multipart/form-data; boundary*=nonsense''x"])
def test_a_content_type_that_cannot_be_read_is_none(token, content_type):
    refused = ask(
        "POST",
        b"/api/v1/tokens/",
        body=b"{}",
        CONTENT_TYPE=content_type,
        HTTP_AUTHORIZATION=token,
    )
    assert (refused.status, refused.kind) == (415, "application/problem+json")
    assert ask("GET", b"/healthz", CONTENT_TYPE=content_type).status == 200


@pytest.mark.parametrize("charset", ["base64", "utf-16", "undefined", "idna"])
def test_a_query_is_utf_8_whatever_the_charset_of_the_body(token, otter, charset):
    found = ask(
        "GET",
        b"/api/v1/models/?q=%62risk",
        CONTENT_TYPE=f"application/json; charset={charset}",
        HTTP_AUTHORIZATION=token,
    )
    assert [model["name"] for model in found.json()["results"]] == ["brisk-otter"]


@pytest.mark.parametrize("target", [b"/api/v1/models/", b"/api/models", b"/sign-in/"])
def test_a_cookie_with_a_quoted_nul_is_refused(target):
    assert ask("GET", target, HTTP_COOKIE='sessionid="' + r"\000" * 9 + '"').status == 400


@pytest.mark.parametrize("path", [b"/healthz", b"/readyz"])
def test_probes_answer_with_and_without_the_final_slash(path):
    plain, slashed = ask("GET", path), ask("GET", path + b"/")
    assert plain.status == slashed.status == 200
    assert plain.json() == slashed.json()


def test_a_form_with_files_is_refused_before_it_is_read(settings):
    """Whoever sends it: CSRF is looked for in the body, and Django writes files to the disk until it is found."""
    settings.FILE_UPLOAD_TEMP_DIR = "/nowhere"
    boundary, cookie = "otters", "a" * 32
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="x"; filename="x"\r\n\r\n'.encode()
    body = head + b"x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1) + f"\r\n--{boundary}--\r\n".encode()
    refused = ask(
        "POST",
        b"/sign-in/",
        body=body,
        CONTENT_TYPE=f"multipart/form-data; boundary={boundary}",
        HTTP_COOKIE=f"csrftoken={cookie}",
    )
    assert refused.status == 413
