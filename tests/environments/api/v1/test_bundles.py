"""Bundles over HTTP: send a project, read what was understood of it."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from environments import stores
from environments.models import Bundle
from tests.factories import BundleFactory, ProjectFactory, take
from tests.projects import tarred, tree, zipped

URL = "/api/v1/bundles/"


def send(client, data: bytes | None = None, field: str = "bundle", query: str = "", **fields):
    file = SimpleUploadedFile("project.zip", zipped() if data is None else data)
    return client.post(f"{URL}{query}", {**fields, field: file})


def test_a_project_is_sent_and_understood(as_ben):
    made = send(as_ben, commit="3f2a1c9")
    assert made.status_code == 201
    body = made.json()
    assert (body["by"], body["commit"], body["size"]) == ("ben", "3f2a1c9", len(zipped()))
    assert body["counts"] == {"intents": 2, "examples": 3, "stories": 0, "rules": 1, "flows": 0}
    assert "data/nlu.yml" in body["files"]
    assert as_ben.get(f"{URL}{body['id']}/").json() == body
    assert as_ben.get(URL).json()["results"] == [body]


def test_the_same_bytes_again_are_the_same_bundle(as_ben, as_ana):
    first = send(as_ben, query="?commit=abc")
    again = send(as_ana, query="?commit=def")
    assert (again.status_code, again.json()) == (200, first.json())
    assert first.json()["commit"] == "abc"


def test_a_tar_is_as_good(as_ben):
    assert send(as_ben, tarred()).json()["commit"] is None


def test_a_project_that_cannot_be_trained_from_is_told_why(as_ben):
    refused = send(as_ben, zipped(tree(data__nlu="nlu: [", data__rules=None)))
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/bundle-invalid")
    assert "data/nlu.yml:1: " in refused.json()["detail"]
    assert not Bundle.objects.exists()


def test_the_file_is_in_the_field_bundle(as_ben):
    refused = send(as_ben, field="model")
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/upload-malformed")


def test_a_commit_that_is_none_is_refused(as_ben):
    assert "commit" in send(as_ben, commit="a b").json()["errors"]


def test_too_large(as_ben, settings):
    settings.MAX_BUNDLE_BYTES = 10
    refused = send(as_ben)
    assert (refused.status_code, refused.json()["limit"]) == (413, 10)


def test_an_outsider_sees_no_bundles(as_cy, bundle):
    assert send(as_cy).status_code == 404
    assert as_cy.get(URL).status_code == 404
    assert as_cy.get(f"{URL}{bundle.pk}/").status_code == 404


@pytest.mark.parametrize("grant", ["training.read", "training.write"])
def test_each_needs_its_grant(as_ben, ben, bundle, grant):
    take(ben, grant)
    answers = [send(as_ben)] if grant == "training.write" else [as_ben.get(URL), as_ben.get(f"{URL}{bundle.pk}/")]
    assert {(answer.status_code, answer.json()["grant"]) for answer in answers} == {(403, grant)}


def test_bundles_of_another_project_and_nonsense_are_not_there(as_ana, project):
    foreign = BundleFactory(project=ProjectFactory(name="banking"))
    for name in (foreign.pk, 404, "nonsense", "9" * 30, "²"):
        assert as_ana.get(f"{URL}{name}/").status_code == 404
    assert as_ana.get(f"{URL}{foreign.pk}/?project=banking").status_code == 200


def test_what_differs_between_two_bundles(as_ben):
    first = send(as_ben).json()
    second = send(as_ben, zipped(tree(data__more="nlu: [{intent: greet, examples: '- hey'}]"))).json()
    found = as_ben.get(f"{URL}{second['id']}/diff/?against={first['id']}").json()
    assert (found["a"], found["b"]) == (first["id"], second["id"])
    assert found["intents"]["changed"] == [
        {"intent": "greet", "examples_added": 1, "examples_removed": 0, "added": ["hey"], "removed": []}
    ]
    assert found["config"] == {}
    assert as_ben.get(f"{URL}{second['id']}/diff/").status_code == 400
    assert as_ben.get(f"{URL}{second['id']}/diff/?against=404").status_code == 404


def test_a_bundle_whose_bytes_are_gone_cannot_be_compared(as_ben, bundle):
    stores.bundles().delete(bundle.hash)
    refused = as_ben.get(f"{URL}{bundle.pk}/diff/?against={bundle.pk}")
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/bundle-damaged")


def test_its_sender_says_which_version_it_is(as_ben):
    said = {"commit": "3f2a1c9", "author": "Ana <ana@example.com>", "message": "Hear hey\n\nMore.", "ref": "main"}
    made = send(as_ben, **said).json()
    assert {name: made[name] for name in said} == said
    refused = send(as_ben, tarred(), author="a\nb", ref="main")
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["author"])


def test_what_is_odd_is_told_as_warnings(as_ben):
    odd = send(as_ben, zipped(tree(data__more="nlu: [{intent: faq, examples: '- what'}]"))).json()
    assert odd["warnings"] == ["data/more.yml:1: The intent faq is not in the domain. Add it under intents."]
