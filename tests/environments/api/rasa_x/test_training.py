"""Trainings as scripts of Rasa X start them."""

import pytest
from django.test import Client

from environments.models import Bundle, Job
from tests import multipart, projects
from tests.conftest import client_of
from tests.factories import BundleFactory

BOTH = ["/api/projects/default/models/jobs", "/api/models/jobs"]
URL = BOTH[0]


@pytest.mark.parametrize("url", BOTH)
def test_without_a_body_the_newest_bundle_is_trained(as_ben, worker, url):
    newest = BundleFactory.create_batch(2)[-1]
    made = as_ben.generic("POST", url)
    assert made.status_code == 201
    assert (made.json()["status"], made.json()["bundle"]) == ("queued", str(newest.pk))


def test_an_empty_form_or_object_is_no_body(as_ben, worker):
    newest = BundleFactory()
    for made in (as_ben.post(URL), as_ben.post(URL, "{}", content_type="application/json")):
        assert made.json()["bundle"] == str(newest.pk)


def test_a_bundle_sent_before_is_named(as_ben, worker, experimental):
    older, _newest = BundleFactory.create_batch(2)
    asked = {"bundle": str(older.pk), "model_name": "release-7", "tags": ["experimental"]}
    assert as_ben.post(URL, asked, content_type="application/json").status_code == 201
    job = Job.objects.get()
    assert (job.bundle, job.model_name, job.tags) == (older, "release-7", ["experimental"])


def test_the_bundle_in_the_body_is_kept_and_trained(as_ben, worker):
    BundleFactory()
    body = multipart.body(multipart.file("bundle", "bot.zip", projects.zipped()))
    made = as_ben.post(URL, body, content_type=multipart.CONTENT_TYPE)
    assert made.status_code == 201
    assert made.json()["bundle"] == str(Bundle.objects.order_by("pk").last().pk)
    assert Bundle.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (multipart.body(multipart.field("tags", "x")), multipart.CONTENT_TYPE, 400),
        (multipart.body(multipart.file("bundle", "bot.zip", b"no zip")), multipart.CONTENT_TYPE, 422),
        ('{"modelname": "x"}', "application/json", 400),
        ("{", "application/json", 400),
        ("x=y", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_cannot_be_used_starts_nothing(as_ben, worker, body, content_type, status):
    BundleFactory()
    assert as_ben.post(URL, body, content_type=content_type).status_code == status
    assert not Job.objects.exists()


def test_without_a_bundle_there_is_nothing_to_train(as_ben, worker):
    refused = as_ben.generic("POST", URL)
    assert (refused.status_code, refused.json()["reason"]) == (409, "NoBundle")


def test_who_may_train(as_cy, dora, worker):
    BundleFactory()
    assert as_cy.post(URL).status_code == 404
    assert client_of(dora).post(URL).status_code == 403
    assert Client().post(URL).status_code == 401
    assert not Job.objects.exists()
