"""`environments/{name}/service-token/`: shown to who manages environments, rotated by them."""

import pytest

from environments.serving.service_tokens import environment_of, service_token

URL = "/api/v1/environments/production/service-token/"


def test_it_is_the_token_that_servers_send(as_ana, production):
    answer = as_ana.get(URL)
    assert answer.json() == {"token": service_token(production), "generation": 1, "previous_valid_until": None}
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_rotation_answers_with_the_new_one(as_ana, production):
    old = service_token(production)
    made = as_ana.post(URL, {}, content_type="application/json").json()
    assert made["generation"] == 2
    assert made["previous_valid_until"]
    assert environment_of(made["token"]) == environment_of(old) == production
    again = as_ana.post(URL, {}, content_type="application/json")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/rotation-runs")
    ended = as_ana.post(URL, {"grace_hours": 0}, content_type="application/json").json()
    assert environment_of(old) is None
    assert environment_of(ended["token"]) == production


@pytest.mark.parametrize("hours", [-1, 721, "a day", 1.5, None, True])
def test_a_grace_that_makes_no_sense_is_refused(as_ana, production, hours):
    assert as_ana.post(URL, {"grace_hours": hours}, content_type="application/json").status_code == 400


def test_it_is_for_who_manages_environments(as_ben, as_cy, production):
    for method in (as_ben.get, as_ben.post):
        refused = method(URL, content_type="application/json")
        assert (refused.status_code, refused.json()["grant"]) == (403, "environments.manage")
    assert as_cy.get(URL).status_code == 404
