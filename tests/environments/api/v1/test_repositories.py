"""Repositories over HTTP: defined, changed, fetched from; what was secret stays so."""

import pytest

from environments.models import Job, Repository
from tests.factories import ProjectFactory, RepositoryFactory

URL = "/api/v1/repositories/"
TOKEN = "glpat-Secret.7Yx2mB0nQ"


def post(client, path="", **body):
    return client.post(f"{URL}{path}", body, content_type="application/json")


def define(client, **body):
    return post(client, **{"name": "assistant", "url": "https://git.example.com/team/assistant.git", **body})


def test_a_repository_is_defined_and_never_tells_its_credentials(as_ben):
    made = define(as_ben, username="robot", token=TOKEN)
    assert made.status_code == 201
    body = made.json()
    assert (body["ref"], body["folder"], body["has_token"], body["has_ssh_key"]) == ("main", "", True, False)
    assert as_ben.get(f"{URL}assistant/").json() == body
    assert as_ben.get(URL).json()["results"] == [body]
    assert TOKEN not in str(body)


def test_it_is_changed_and_removed(as_ben):
    define(as_ben, token=TOKEN)
    changed = as_ben.patch(f"{URL}assistant/", {"ref": "next"}, content_type="application/json").json()
    assert (changed["ref"], changed["has_token"]) == ("next", True)
    cleared = as_ben.patch(f"{URL}assistant/", {"token": ""}, content_type="application/json").json()
    assert not cleared["has_token"]
    assert as_ben.delete(f"{URL}assistant/").status_code == 204
    assert as_ben.get(f"{URL}assistant/").status_code == 404
    assert as_ben.get(URL).json()["results"] == []


def test_a_fetch_is_a_job(as_ben, sent):
    define(as_ben)
    made = post(as_ben, "assistant/fetch/", ref="v1")
    assert (made.status_code, made.json()["kind"], made.json()["status"]) == (201, "fetch", "queued")
    assert Job.objects.get().options["ref"] == "v1"
    assert post(as_ben, "assistant/fetch/").status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"url": "git@git.example.com:team/assistant.git"}, 400, "url"),
        ({"url": "http://git.example.com/team/assistant.git"}, 400, "url"),
        ({"url": f"https://robot:{TOKEN}@git.example.com/a.git"}, 400, "url"),
        ({"name": "No Name"}, 400, "name"),
        ({"ref": "a..b"}, 400, "ref"),
        ({"folder": "../.."}, 400, "folder"),
        ({"token": "a\nb"}, 400, "token"),
        ({"brnach": "main"}, 400, "brnach"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_field(as_ben, body, status, field):
    refused = define(as_ben, **body)
    assert (refused.status_code, list(refused.json()["errors"])) == (status, [field])
    assert TOKEN not in refused.content.decode()
    assert not Repository.objects.exists()


def test_a_name_that_is_taken_is_a_conflict(as_ben):
    define(as_ben)
    assert define(as_ben).json()["type"] == "/problems/repository-exists"


def test_repositories_of_another_project_are_not_there(as_ana, project):
    RepositoryFactory(project=ProjectFactory(name="banking"), name="theirs")
    assert as_ana.get(f"{URL}theirs/").status_code == 404
    assert as_ana.get(f"{URL}theirs/?project=banking").status_code == 200
