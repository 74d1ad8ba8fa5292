"""Upload without a script: the same checks as the API, and the token read before the archive."""

import pytest
from django.test import Client

from environments.models import TrainedModel
from tests.archives import rasa_archive
from tests.environments.pages.conftest import signed_in
from tests.factories import take

UPLOAD = "/p/default/upload/"
BOUNDARY = "otters"


def token_of(browser: Client) -> str:
    browser.get(UPLOAD)
    return browser.cookies["csrftoken"].value


def send(browser: Client, filename: str, content: bytes, token: str):
    """What a browser sends for the form: the token's field, then the file."""
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{token}\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"; filename="{filename}"\r\n'
        "Content-Type: application/gzip\r\n\r\n"
    )
    body = parts.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return browser.post(UPLOAD, body, content_type=f"multipart/form-data; boundary={BOUNDARY}")


@pytest.fixture
def browser(ana, project):
    """Ana's, with Django's checks of forms as they are outside of tests."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    return client


def test_an_archive_is_stored(browser):
    answer = send(browser, "brisk-otter.tar.gz", rasa_archive(), token_of(browser))
    assert answer.status_code == 302
    assert answer.url == "/p/default/models/brisk-otter/"
    assert TrainedModel.objects.get().registered_by_name == "ana"


def test_the_same_bytes_again_are_no_error(browser):
    token = token_of(browser)
    send(browser, "brisk-otter.tar.gz", rasa_archive(), token)
    answer = send(browser, "brisk-otter.tar.gz", rasa_archive(), token)
    assert answer.status_code == 302
    assert b"was here already" in browser.get(answer.url).content


@pytest.mark.parametrize(
    ("filename", "content", "status", "told"),
    [
        ("brisk-otter.tar.gz", b"not an archive", 422, b"gzip"),
        ("brisk-otter.zip", b"PK", 400, b".tar.gz"),
        ("../evil.tar.gz", b"", 400, b"cannot be used"),
    ],
)
def test_a_refusal_is_told_exactly_and_keeps_nothing(browser, filename, content, status, told):
    answer = send(browser, filename, content, token_of(browser))
    assert answer.status_code == status
    assert told in answer.content
    assert not TrainedModel.objects.exists()


@pytest.mark.parametrize("token", ["", "x" * 32, "y" * 64])
def test_a_form_of_another_site_stores_nothing(browser, token):
    token_of(browser)
    assert send(browser, "brisk-otter.tar.gz", rasa_archive(), token).status_code == 403
    assert not TrainedModel.objects.exists()


def test_without_the_grant_nothing_is_read(ben, project):
    take(ben, "models.write")
    looks = signed_in(ben)
    assert looks.get(UPLOAD).status_code == 403
    assert send(looks, "brisk-otter.tar.gz", rasa_archive(), "").status_code == 403
    assert not TrainedModel.objects.exists()


def test_an_outsider_finds_no_upload(cy_looks):
    assert send(cy_looks, "brisk-otter.tar.gz", rasa_archive(), "").status_code == 404


def test_signed_out_it_leads_to_the_sign_in(client, project):
    assert send(client, "brisk-otter.tar.gz", rasa_archive(), "").url.startswith("/sign-in/")
