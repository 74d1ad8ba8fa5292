"""`/api/environments` as Rasa X clients call it."""

import pytest

from environments.models import Environment
from tests.factories import EnvironmentFactory

URL = "/api/environments"


def put(client, body, query=""):
    return client.put(f"{URL}{query}", body, content_type="application/json")


def test_the_list_has_names_and_addresses_and_no_token(production, experimental, as_ben):
    production.rasa_token = "s3cret"
    production.save()
    answer = as_ben.get(URL)
    assert answer.status_code == 200
    assert answer.json() == [
        {"name": "production", "url": "http://rasa-production:5005", "token": None},
        {"name": "experimental", "url": "http://rasa-experimental:5005", "token": None},
    ]


def test_a_put_creates_and_updates(project, as_ana):
    answer = put(as_ana, [{"name": "staging", "url": "http://s:1", "token": "s3cret"}])
    assert (answer.status_code, answer.json()) == (201, [{"name": "staging", "url": "http://s:1", "token": None}])
    put(as_ana, [{"name": "staging", "url": "http://s:1/bot"}])
    made = Environment.objects.get()
    assert (made.url, made.rasa_token, made.declared_in) == ("http://s:1/bot", "s3cret", "api")


def test_what_was_got_can_be_put_back_and_changes_nothing(production, as_ana):
    EnvironmentFactory(project=production.project, name="staging", declared_in="api")
    before = as_ana.get(URL).json()
    assert put(as_ana, before).json() == before


def test_those_of_the_file_are_left_alone(production, as_ana):
    assert put(as_ana, [{"name": "production", "url": "http://evil:1", "token": "x"}]).status_code == 201
    production.refresh_from_db()
    assert (production.url, production.rasa_token) == ("http://rasa-production:5005", "")


def test_absent_ones_are_retired_only_by_prune(production, as_ana):
    EnvironmentFactory(project=production.project, name="staging", declared_in="api")
    assert len(put(as_ana, []).json()) == 2
    assert len(put(as_ana, [], "?prune=false").json()) == 2
    assert [row["name"] for row in put(as_ana, [], "?prune=true").json()] == ["production"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a"},
        "environments",
        [["a"]],
        [{"name": "a"}],
        [{"url": "http://a:1"}],
        [{"name": "a", "url": 1.5, "token": {}}],
        [{"name": "a", "url": "http://a:1"}, {"name": "a", "url": "http://b:1"}],
        [{"name": "Bad", "url": "http://a:1"}],
        [{"name": "a", "url": "http://a:1"}, {"name": "b", "url": "http://169.254.169.254"}],
    ],
)
def test_a_bad_list_is_refused_as_a_whole(project, as_ana, body):
    answer = put(as_ana, body)
    assert answer.status_code == 400
    assert answer.json()["status"] == "failure"
    assert answer.json()["message"]
    assert not Environment.objects.exists()


def test_a_bad_field_is_named_by_its_place(project, as_ana):
    answer = put(as_ana, [{"name": "a", "url": "http://a:1"}, {"name": "b"}])
    assert list(answer.json()["details"]["errors"]) == ["1.url"]


def test_what_is_no_environment_at_all_is_named_by_its_place(project, as_ana):
    answer = put(as_ana, [{"name": "a", "url": "http://a:1"}, "b"])
    assert list(answer.json()["details"]["errors"]) == ["1"]


def test_a_bad_prune_is_refused(project, as_ana):
    assert put(as_ana, [], "?prune=perhaps").status_code == 400


def test_two_environments_with_one_address_are_refused(production, as_ana):
    answer = put(as_ana, [{"name": "copy", "url": "http://rasa-production:5005"}])
    assert (answer.status_code, answer.json()["reason"]) == (409, "UrlTaken")


def test_ben_may_read_and_not_write(production, as_ben):
    refused = put(as_ben, [])
    assert (refused.status_code, refused.json()["reason"]) == (403, "NotAuthorized")


def test_cy_finds_nothing(production, as_cy):
    assert as_cy.get(URL).status_code == 404
    assert put(as_cy, []).status_code == 404


def test_nobody_is_asked_to_sign_in(client, production):
    assert client.get(URL).json()["exception"] == "Unauthorized"
    assert put(client, []).status_code == 401


def test_the_final_slash_is_understood(production, as_ana):
    assert as_ana.get(f"{URL}/").status_code == 200
