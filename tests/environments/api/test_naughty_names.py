"""Names that nobody should send: refused with a 4xx wherever a name is taken, and nothing is kept of them."""

import json
from urllib.parse import quote

import pytest

from environments import errors, names, stores
from environments.models import Environment, Tag, TrainedModel
from tests import multipart
from tests.archives import rasa_archive
from tests.naughty import NAMES, ODD_MODELS
from tests.repeats import times

URL = "/api/projects/default/models"
MODEL = rasa_archive("brisk-otter")
# Each address takes a part of them in a usual run.
SOME = NAMES[:: times(8, nightly=1)]


def quoted(name: str) -> str:
    return quote(name.encode("utf-8", "surrogatepass"), safe="")


def body(filename: bytes, *fields: bytes) -> bytes:
    disposition = b'name="model"; filename="%s"' % filename
    return multipart.body(*fields, multipart.part(disposition, MODEL))


def assert_refused(response, case):
    assert 400 <= response.status_code < 500, (case, response.status_code)
    assert not TrainedModel.objects.exists(), case
    assert not Tag.objects.exists(), case
    assert not list(stores.models().hashes()), case


@pytest.mark.parametrize("check", [names.check_model_name, lambda name: names.check_label(name, "tag")])
def test_no_rule_for_names_takes_one(check):
    for name in NAMES:
        with pytest.raises(errors.InvalidName) as refused:
            check(name)
        # What is said of it can be written down anywhere.
        json.dumps(refused.value.detail).encode()
        assert len(refused.value.detail) < 500


def test_no_model_gets_one(as_ana, project):
    for name in NAMES:
        raw = name.encode("utf-8", "surrogatepass")
        for filename in (raw + b".tar.gz", raw, raw + b".zip"):
            response = as_ana.post(URL, body(filename), content_type=multipart.CONTENT_TYPE)
            assert_refused(response, filename)


def test_no_tag_of_an_upload_gets_one(as_ana, project):
    for name in NAMES:
        raw = name.encode("utf-8", "surrogatepass")
        field = multipart.part(b'name="tags"', raw)
        response = as_ana.post(URL, body(b"m.tar.gz", field), content_type=multipart.CONTENT_TYPE)
        assert_refused(response, name)
        response = as_ana.post(f"{URL}?tags={quoted(name)}", body(b"m.tar.gz"), content_type=multipart.CONTENT_TYPE)
        assert_refused(response, name)


def test_no_environment_gets_one(as_ana, project):
    for name in NAMES:
        sent = json.dumps({"name": name, "url": "http://rasa.example:5005"})
        response = as_ana.post("/api/v1/environments/", sent, content_type="application/json")
        assert 400 <= response.status_code < 500, name
    assert not Environment.objects.exists()


@pytest.mark.nightly
@pytest.mark.parametrize(
    "address",
    [
        "/api/projects/default/models/{}",
        "/api/projects/default/models/tags/{}",
        "/api/projects/{}/models",
        "/models/{}",
        "/api/v1/models/{}/",
        "/api/v1/models/{}/metadata/",
        "/api/v1/environments/{}/",
        "/api/v1/bundles/{}/",
        "/api/v1/jobs/{}/",
        "/api/v1/promotions/{}/",
        "/models/{}/",
        "/environments/{}/",
    ],
)
def test_no_address_with_one_is_a_fault(as_ana, project, address):
    for name in SOME:
        for method in ("get", "delete"):
            response = getattr(as_ana, method)(address.format(quoted(name)))
            assert response.status_code < 500, (method, name)
    assert not TrainedModel.objects.exists()


@pytest.mark.nightly
@pytest.mark.parametrize(
    "address",
    [
        f"{URL}?tag={{0}}&limit={{0}}&offset={{0}}",
        f"{URL}?tag={{0}}",
        "/api/v1/models/?q={0}",
        "/api/v1/models/?tag={0}",
        "/api/v1/models/?environment={0}",
        "/api/v1/models/?cursor={0}",
        "/api/v1/models/?limit={0}",
        "/api/v1/models/?project={0}",
        "/api/v1/jobs/?cursor={0}",
        "/api/projects/default/models/tags/production?replica={0}&environment={0}&token={0}",
        "/models/?q={0}",
    ],
)
def test_no_query_with_one_is_a_fault(as_ana, project, address):
    for name in SOME:
        assert as_ana.get(address.format(quoted(name))).status_code < 500, name


def test_no_commit_of_a_bundle_gets_one(as_ana, project):
    for name in NAMES:
        if name:
            address = f"/api/v1/bundles/?commit={quoted(name)}"
            response = as_ana.post(address, body(b"m.tar.gz"), content_type=multipart.CONTENT_TYPE)
            assert 400 <= response.status_code < 500, name


@pytest.mark.parametrize("name", ODD_MODELS)
def test_an_odd_name_is_a_name_all_the_same(as_ana, project, name):
    response = as_ana.post(URL, body(f"{name}.tar.gz".encode()), content_type=multipart.CONTENT_TYPE)
    assert (response.status_code, response.json()["model"]) == (201, name)
    download = as_ana.get(f"{URL}/{name}")
    assert (b"".join(download), download.headers["filename"]) == (MODEL, f"{name}.tar.gz")
    assert as_ana.get(f"/api/v1/models/{name}/").json()["name"] == name
    assert as_ana.delete(f"{URL}/{name}").status_code == 204


@pytest.mark.parametrize(
    "disposition",
    [
        b"name=\"model\"; filename*=UTF-8''%e2%82%ac.tar.gz",
        b"name=\"model\"; filename*=utf-8'en'm.tar.gz",
        b'name="model"; filename*0="m"; filename*1=".tar.gz"',
        b'name="model"; filename="=?UTF-8?Q?m?=.tar.gz"',
        b'name="model"; filename="m\\".tar.gz"',
        b"name=\"model\"; filename='m.tar.gz'",
        b'name="model"; filename="m.tar.gz\\"; name="tags"',
        b'name="model"; FILENAME="m.tar.gz"; filename="n.tar.gz"',
        b'name="model"; filename="m.tar.gz',
        b'name="model"; filename=m .tar.gz',
        b'name="model"; filename="m\x00.tar.gz"',
        b'name="model"; filename="\xff\xfe.tar.gz"',
        b'name*="model"; filename="m.tar.gz"',
        b'name="model[]"; filename="m.tar.gz"',
        b'name="Model"; filename="m.tar.gz"',
        b'name=""; filename="m.tar.gz"',
    ],
)
def test_a_disposition_that_readers_understand_differently_is_refused(as_ana, project, disposition):
    sent = multipart.body(multipart.part(disposition, MODEL))
    assert_refused(as_ana.post(URL, sent, content_type=multipart.CONTENT_TYPE), disposition)
