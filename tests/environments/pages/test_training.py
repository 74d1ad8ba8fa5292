"""Send a bundle and train it, by forms."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from environments.models import Bundle, Job, ServerCheck
from tests import projects
from tests.environments.pages.conftest import signed_in
from tests.factories import BundleFactory, take

TRAINING = "/p/default/training/"
BOUNDARY = "otters"


def send_bundle(browser: Client, content: bytes, token: str):
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{token}\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="bundle"; filename="bot.zip"\r\n\r\n'
    )
    body = parts.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return browser.post(f"{TRAINING}bundle/", body, content_type=f"multipart/form-data; boundary={BOUNDARY}")


@pytest.fixture
def browser(ana, worker):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    client.get(TRAINING)
    return client


def test_a_bundle_is_stored_once(browser):
    token = browser.cookies["csrftoken"].value
    for told in (b"is stored", b"was here already"):
        assert send_bundle(browser, projects.zipped(), token).status_code == 302
        assert told in browser.get(TRAINING).content
    assert Bundle.objects.count() == 1


def test_a_bundle_that_is_none_is_refused_with_its_reason(browser):
    answer = send_bundle(browser, b"nonsense", browser.cookies["csrftoken"].value)
    assert answer.status_code == 422
    assert b"zip" in answer.content
    assert not Bundle.objects.exists()


def test_a_bundle_of_another_site_is_not_stored(browser):
    assert send_bundle(browser, projects.zipped(), "x" * 64).status_code == 403
    assert not Bundle.objects.exists()


def test_a_training_is_started(ana_looks, bundle, worker, sent, django_capture_on_commit_callbacks):
    fields = {"bundle": bundle.pk, "model_name": "brisk-otter", "tags": "nightly, lts"}
    with django_capture_on_commit_callbacks(execute=True):
        assert ana_looks.post(TRAINING, fields).status_code == 302
    job = Job.objects.get()
    assert (job.bundle, job.model_name, job.tags) == (bundle, "brisk-otter", ["nightly", "lts"])
    assert b"brisk-otter" in ana_looks.get(TRAINING).content


def test_a_refusal_stands_beside_the_form(ana_looks, bundle, worker, otter):
    answer = ana_looks.post(TRAINING, {"bundle": bundle.pk, "model_name": "brisk-otter"})
    assert answer.status_code == 409
    assert b"another model named brisk-otter" in answer.content


def test_after_a_refusal_the_bundle_is_the_one_that_was_chosen(ana_looks, bundle, worker, otter):
    BundleFactory(project=bundle.project)
    html = ana_looks.post(TRAINING, {"bundle": bundle.pk, "model_name": "brisk-otter"}).text
    assert re.search(rf'<option value="{bundle.pk}" selected>', html)
    assert html.count(" selected>") == 1


def test_without_a_training_environment_the_button_says_so(ana_looks, bundle, production):
    html = ana_looks.get(TRAINING).content.decode()
    assert "no environment of kind training" in html
    assert ana_looks.post(TRAINING, {"bundle": bundle.pk}).status_code == 409


def test_without_the_grant_nothing_is_trained(ben, bundle, worker):
    take(ben, "training.write")
    browser = signed_in(ben)
    assert "training.write" in browser.get(TRAINING).content.decode()
    assert browser.post(TRAINING, {"bundle": bundle.pk}).status_code == 403
    assert send_bundle(browser, projects.zipped(), "").status_code == 403


def test_an_outsider_trains_nothing(cy_looks, bundle):
    assert cy_looks.post(TRAINING, {"bundle": bundle.pk}).status_code == 404
    assert send_bundle(cy_looks, projects.zipped(), "").status_code == 404


def test_a_server_that_would_train_and_does_not_answer_is_told_before_one_waits_for_it(browser, worker):
    check = ServerCheck.objects.create(environment=worker, due_at=timezone.now(), failures=1, error="No connection.")
    assert "does not answer at" not in browser.get(TRAINING).text
    check.failures = 2
    check.save()
    shown = f"worker trains, and does not answer at <code>{worker.url}</code>: No connection. A training waits"
    assert shown in browser.get(TRAINING).text
