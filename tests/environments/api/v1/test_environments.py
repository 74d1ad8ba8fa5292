"""Environments over HTTP: read them, define them, change them, retire them."""

import pytest

from environments.actions import promotions
from environments.models import Environment, Tag
from tests.deploying import yaml
from tests.factories import EnvironmentFactory, ProjectFactory, give

URL = "/api/v1/environments/"
STAGING = {"name": "staging", "url": "http://rasa-staging:5005", "token": "s3cret"}


def post(client, path=URL, **body):
    return client.post(path, {**STAGING, **body}, content_type="application/json")


def patch(client, path=f"{URL}staging/", **body):
    return client.patch(path, body, content_type="application/json")


@pytest.fixture
def staging(project):
    made = EnvironmentFactory(project=project, name="staging", declared_in="api", pull_interval=None)
    made.rasa_token = "s3cret"
    made.save()
    return made


def test_an_environment_has_the_documented_shape(production, otter, as_ana, by_ana):
    promotions.promote(environment=production, model=otter, by=by_ana)
    body = as_ana.get(f"{URL}production/").json()
    since = body.pop("since")
    assert since.endswith("Z")
    assert body.pop("reasons") is not None
    assert body.pop("sync") in ("unknown", "rolling_out")
    assert body.pop("model")["name"] == "brisk-otter"
    assert body == {
        "frozen": None,
        "name": "production",
        "project": "default",
        "kind": "serving",
        "protected": True,
        "color": "#0e7490",
        "order": 0,
        "declared_in": "file",
        "url": "http://rasa-production:5005",
        "follows": None,
        "health": "unknown",
        "replicas": {
            "expected": 1,
            "live": 0,
            "serving": 0,
            "loading": 0,
            "stuck": 0,
            "silent": 0,
            "empty": 0,
            "foreign": 0,
        },
        "promoted_by": "ana",
        "workers": 1,
        "pull_interval": 10.0,
        "rasa_x_writes": "allow",
    }


def test_a_follower_tells_whom_it_follows_and_an_empty_one_has_no_model(worker, as_ben):
    body = as_ben.get(f"{URL}worker/").json()
    assert (body["follows"], body["model"], body["since"], body["promoted_by"]) == ("production", None, None, None)


def test_the_list_has_pages(worker, experimental, as_ben):
    first = as_ben.get(f"{URL}?limit=2").json()
    assert [row["name"] for row in first["results"]] == ["experimental", "worker"]
    second = as_ben.get(first["next"]).json()
    assert [row["name"] for row in second["results"]] == ["production"]
    assert second["next"] is None


def test_the_list_costs_the_same_for_many(project, as_ana, django_assert_max_num_queries):
    for number in range(12):
        EnvironmentFactory(project=project, name=f"e-{number}")
    with django_assert_max_num_queries(25):
        assert len(as_ana.get(URL).json()["results"]) == 12


def test_another_project_is_named_in_the_query(as_ana, production):
    EnvironmentFactory(project=ProjectFactory(name="banking"), name="live", url="http://b:1")
    rows = as_ana.get(f"{URL}?project=banking").json()["results"]
    assert [(row["project"], row["name"]) for row in rows] == [("banking", "live")]


def test_retired_ones_are_not_listed(production, experimental, as_ana, django_now):
    Environment.objects.filter(pk=experimental.pk).update(retired_at=django_now)
    assert [row["name"] for row in as_ana.get(URL).json()["results"]] == ["production"]
    assert as_ana.get(f"{URL}experimental/").status_code == 404


def test_an_environment_is_defined_and_its_token_never_shown(production, as_ana):
    answer = post(as_ana, replicas=2, color="#ABCDEF", follows="production", rasa_x_writes="refuse", protected=True)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["declared_in"], body["color"], body["follows"]) == ("api", "#abcdef", "production")
    assert (body["replicas"]["expected"], body["pull_interval"]) == (2, "learned")
    assert "s3cret" not in answer.content.decode()
    assert Environment.objects.get(name="staging").rasa_token == "s3cret"


def test_one_that_is_defined_comes_with_the_files_that_are_generated_of_it(project, as_ana, settings, tmp_path):
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "environments.yml"
    settings.CONTROLPLANE_ENVIRONMENTS.write_text("rasa: {}\ndeployment: {version: 3.6.20, memory: 1g}\n")
    compose = post(as_ana, replicas=2).json()["compose"]
    assert compose["refused"] == ""
    service = yaml(compose["service"])["rasa-staging"]
    assert (service["image"], service["mem_limit"]) == ("rasa/rasa:3.6.20-full", "1g")
    assert service["deploy"] == {"replicas": 2}
    assert yaml(compose["endpoints"])["models"]["params"]["environment"] == "staging"
    assert yaml(compose["credentials"]) == {"rest": None}
    assert "s3cret" not in str(compose)


def test_one_that_is_no_service_of_the_stack_says_why(project, as_ana, settings, tmp_path):
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "environments.yml"
    settings.CONTROLPLANE_ENVIRONMENTS.write_text("rasa: {}\n")
    compose = post(as_ana, url="https://rasa.example.com").json()["compose"]
    assert compose["service"] == compose["endpoints"] == compose["credentials"] == ""
    assert "its address is not one of http" in compose["refused"]


@pytest.mark.parametrize(("sent", "shown"), [(5, 5.0), (0.5, 0.5), (None, None), ("learned", "learned")])
def test_a_pull_interval_reads_as_it_was_written(staging, as_ana, sent, shown):
    answer = patch(as_ana, pull_interval=sent)
    assert (answer.status_code, answer.json()["pull_interval"]) == (200, shown)
    assert as_ana.get(f"{URL}staging/").json()["pull_interval"] == shown


def test_a_change_leaves_the_rest_as_it_is(staging, as_ana):
    answer = patch(as_ana, replicas=4)
    assert (answer.status_code, answer.json()["replicas"]["expected"]) == (200, 4)
    staging.refresh_from_db()
    assert (staging.rasa_token, staging.pull_interval) == ("s3cret", None)


def test_another_server_does_not_get_the_token(staging, as_ana):
    assert patch(as_ana, url="http://elsewhere:5005").status_code == 200
    staging.refresh_from_db()
    assert staging.rasa_token == ""


def test_a_retired_environment_is_gone_and_its_name_reserved(staging, as_ana):
    assert as_ana.delete(f"{URL}staging/").status_code == 204
    assert as_ana.get(f"{URL}staging/").status_code == 404
    assert as_ana.delete(f"{URL}staging/").status_code == 404
    assert Environment.objects.get(name="staging").retired_at
    assert post(as_ana).status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"replicas": 0}, "replicas"),
        ({"replicas": 1001}, "replicas"),
        ({"workers": "many"}, "workers"),
        ({"pull_interval": 0}, "pull_interval"),
        ({"pull_interval": "often"}, "pull_interval"),
        ({"pull_interval": 1e9}, "pull_interval"),
        ({"color": "teal"}, "color"),
        ({"color": "#0e7490\n"}, "color"),
        ({"kind": "other"}, "kind"),
        ({"protected": None}, "protected"),
        ({"rasa_x_writes": "deny"}, "rasa_x_writes"),
        ({"url": None}, "url"),
        ({"tokn": "x"}, "tokn"),
        ({"declared_in": "file"}, "declared_in"),
    ],
)
def test_a_bad_member_is_named_and_nothing_changes(staging, as_ana, body, field):
    for answer in (patch(as_ana, **body), post(as_ana, **{"name": "canary", **body})):
        assert answer.status_code == 400
        assert answer.json()["type"] == "/problems/invalid-fields"
        assert field in answer.json()["errors"]
    assert Environment.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "Staging"}, 400, "invalid-name"),
        ({"name": "latest"}, 400, "invalid-name"),
        ({"url": "http://me:pw@rasa"}, 400, "invalid-url"),
        ({"url": "http://169.254.169.254/latest"}, 400, "invalid-url"),
        ({"url": "http://rasa-production:5005"}, 409, "url-taken"),
        ({"name": "production"}, 409, "declared-in-file"),
        ({"name": "nightly"}, 409, "tag-conflict"),
        ({"follows": "nowhere"}, 409, "cannot-follow"),
    ],
)
def test_what_cannot_be_defined_is_refused_with_its_reason(production, otter, as_ana, body, status, code):
    Tag.objects.create(project=production.project, name="nightly", model=otter)
    answer = post(as_ana, **body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
    assert Environment.objects.count() == 1


@pytest.mark.parametrize(("field", "value"), [("name", "Staging"), ("name", "latest"), ("url", "ftp://rasa")])
def test_a_refused_name_or_address_names_its_field(project, as_ana, field, value):
    refused = post(as_ana, **{field: value}).json()
    assert refused["errors"] == {field: [refused["detail"]]}


def test_a_name_in_use_is_refused(staging, as_ana):
    assert post(as_ana, url="http://other:1").json()["type"] == "/problems/environment-exists"


def test_those_of_the_file_are_read_only(production, as_ana):
    changed = patch(as_ana, f"{URL}production/", replicas=2)
    assert (changed.status_code, changed.json()["type"]) == (409, "/problems/declared-in-file")
    assert as_ana.delete(f"{URL}production/").status_code == 409


def test_one_that_is_followed_is_not_retired(staging, as_ana):
    post(as_ana, name="canary", url="http://c:1", follows="staging")
    refused = as_ana.delete(f"{URL}staging/")
    assert (refused.status_code, refused.json()["followers"]) == (409, ["canary"])


def test_ben_reads_but_does_not_manage(staging, as_ben):
    assert as_ben.get(URL).status_code == 200
    for refused in (post(as_ben, name="canary"), patch(as_ben, replicas=2), as_ben.delete(f"{URL}staging/")):
        assert (refused.status_code, refused.json()["grant"]) == (403, "environments.manage")


def test_without_the_grant_to_read_there_is_nothing_to_see(production, as_cy, cy):
    give(cy, production.project, "models.read")
    assert as_cy.get(URL).json()["grant"] == "environments.read"
    assert as_cy.get(f"{URL}production/").status_code == 404


def test_cy_finds_nothing(staging, as_cy):
    for answer in (
        as_cy.get(URL),
        as_cy.get(f"{URL}staging/"),
        post(as_cy, name="canary"),
        patch(as_cy, replicas=2),
        as_cy.delete(f"{URL}staging/"),
    ):
        assert answer.status_code == 404


def test_nobody_is_asked_to_sign_in(client, staging):
    for answer in (client.get(URL), post(client), patch(client), client.delete(f"{URL}staging/")):
        assert answer.status_code == 401
        assert "WWW-Authenticate" in answer


def test_the_final_slash_is_not_needed(production, as_ana):
    assert as_ana.get("/api/v1/environments/production").status_code == 200
    assert post(as_ana, "/api/v1/environments").status_code == 201
