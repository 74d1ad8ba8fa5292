"""Pipelines through the API: declared as JSON, started, read, cancelled; pushes of git servers."""

import hmac
import json

import pytest
from django.test import Client

from environments.actions import pipeline_steps, pipelines
from environments.models import Pipeline, PipelineRun
from tests.factories import RepositoryFactory, give
from tests.pipelines import declare

ROUTE = "/api/v1/pipelines/"


@pytest.fixture(autouse=True)
def there(project, production):
    """The environment that they promote to."""


def post(client, path, body=None, **headers):
    return client.post(path, json.dumps(body) if body is not None else None, "application/json", headers=headers)


def patch(client, path, body):
    return client.patch(path, json.dumps(body), "application/json")


def test_it_is_declared_read_changed_and_removed(as_ana):
    body = {
        "name": "nightly",
        "promote": "production",
        "configs": ["config.yml", {"language": "en", "pipeline": []}],
        "gates": {"minimum_f1": 0.8, "better_than_serving": True},
        "on": {"schedule": "0 3 * * *", "time_zone": "Europe/Berlin"},
    }
    made = post(as_ana, ROUTE, body)
    assert made.status_code == 201, made.content
    told = made.json()
    assert told["gates"] == {
        "minimum_f1": 0.8,
        "better_than_serving": {"margin": 0.0, "p_value": 0.05, "test": "mcnemar"},
    }
    assert (told["owner"], told["source"], told["declared_in"], told["push_secret"]) == ("ana", "newest", "api", False)
    assert told["configs"] == body["configs"]
    assert told["due_at"].endswith("Z")
    assert as_ana.get(f"{ROUTE}nightly/").json() == told
    assert as_ana.get(ROUTE).json()["results"] == [told]
    changed = patch(as_ana, f"{ROUTE}nightly/", {"gates": {}, "evaluate": "split", "on": {}}).json()
    assert (changed["gates"], changed["evaluate"], changed["due_at"]) == ({}, "split", None)
    assert changed["promote"] == "production"
    assert as_ana.delete(f"{ROUTE}nightly/").status_code == 204
    assert as_ana.get(f"{ROUTE}nightly/").status_code == 404


def test_what_is_read_can_be_sent_back(as_ana):
    declared = ("source", "configs", "evaluate", "gates", "promote", "notify", "on", "enabled", "owner")
    told = post(as_ana, ROUTE, {"name": "nightly", "promote": "production", "gates": {"intent_loss": {}}}).json()
    body = {name: told[name] for name in declared}
    assert patch(as_ana, f"{ROUTE}nightly/", body).json() == told


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "nightly", "promot": "production"}, "promot"),
        ({"name": "nightly", "gates": {"minimum_f1": 7}}, "gates.minimum_f1"),
        ({"name": "nightly", "gates": {"must_pass": [{"text": "hi"}]}}, "gates.must_pass.0.intent"),
        ({"name": "nightly", "promote": "nowhere"}, "promote"),
        ({"name": "nightly", "owner": "ben"}, "owner"),
        ({"name": "nightly", "enabled": "yes"}, "enabled"),
        ({"name": "nightly", "configs": [{"a": "x" * 200_000}]}, ""),
        ({"name": "nightly", "configs": [{"pipeline": [json.loads("[" * 300 + "]" * 300)]}]}, "configs.0"),
        ({"name": "Nightly"}, "name"),
        ({}, "name"),
    ],
)
def test_a_bad_declaration_is_refused_by_its_field(as_ana, body, field):
    refused = post(as_ana, ROUTE, body)
    assert refused.status_code == 400
    assert field in refused.json()["errors"]
    assert not Pipeline.objects.exists()


def test_deep_nesting_is_no_fault_of_ours(as_ana):
    body = '{"name": "nightly", "gates": ' + "[" * 5000 + "]" * 5000 + "}"
    assert as_ana.post(ROUTE, body, "application/json").status_code == 400


def test_outsiders_find_nothing_and_others_are_told_what_they_lack(project, by_ana, as_ben, as_cy, ben):
    declare(project, by_ana, promote="production")
    assert as_cy.get(f"{ROUTE}nightly/").status_code == 404
    assert as_ben.get(ROUTE).json()["grant"] == "pipelines.read"
    give(ben, project, "pipelines.read", "pipelines.write")
    assert post(as_ben, f"{ROUTE}nightly/runs/").json()["grant"] == "environments.production.write"


def test_a_run_is_started_read_waited_for_and_cancelled(project, as_ana, by_ana, worker, bundle, sent):
    declare(project, by_ana, promote="production")
    started = post(as_ana, f"{ROUTE}nightly/runs/")
    assert started.status_code == 201
    run = started.json()
    assert (run["pipeline"], run["status"], run["trigger"], run["steps"]) == ("nightly", "queued", "hand", [])
    pipeline_steps.advance(int(run["id"]))
    path = f"/api/v1/pipeline-runs/{run['id']}/"
    told = as_ana.get(f"{path}?wait=0.3").json()
    assert told["status"] == "running"
    assert [(step["name"], step["status"]) for step in told["steps"]][:3] == [
        ("source", "succeeded"),
        ("train config.yml", "running"),
        ("evaluate config.yml", "waiting"),
    ]
    assert told["steps"][1]["job"] is not None
    assert as_ana.get(f"{ROUTE}nightly/runs/").json()["results"] == [told]
    assert as_ana.get("/api/v1/pipeline-runs/?status=running").json()["results"] == [told]
    assert as_ana.get("/api/v1/pipeline-runs/?status=failed").json()["results"] == []
    assert as_ana.get("/api/v1/pipeline-runs/?status=odd").status_code == 400
    cancelled = post(as_ana, f"{path}cancel/")
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "cancelled")
    assert post(as_ana, f"{path}cancel/").status_code == 409


def test_one_that_is_switched_off_is_not_started(project, as_ana, by_ana):
    declare(project, by_ana, enabled=False)
    assert post(as_ana, f"{ROUTE}nightly/runs/").json()["type"] == "/problems/pipeline-disabled"


def test_one_of_the_file_is_read_only(project, as_ana, by_ana):
    declare(project, by_ana)
    Pipeline.objects.update(declared_in="file")
    refused = patch(as_ana, f"{ROUTE}nightly/", {"notify": False})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/pipeline-in-file")
    assert as_ana.delete(f"{ROUTE}nightly/").status_code == 409


# Pushes

PUSH = {"ref": "refs/heads/main", "after": "a" * 40}


@pytest.fixture
def pushed(project, by_ana):
    RepositoryFactory(project=project, name="bot", ref="main")
    return declare(project, by_ana, source={"repository": "bot"}, on={"push": True})


@pytest.fixture
def secret(pushed, as_ana):
    answer = post(as_ana, f"{ROUTE}nightly/push-secret/")
    assert answer.status_code == 201
    assert answer.json()["url"] == "http://testserver/api/v1/pipelines/nightly/push/"
    return answer.json()["secret"]


def send(body, **headers):
    return Client().post(f"{ROUTE}nightly/push/", body, "application/json", headers=headers)


def signature(secret, body):
    return hmac.new(secret.encode(), body.encode(), "sha256").hexdigest()


@pytest.mark.parametrize("server", ["GitHub", "Gitea", "GitLab"])
def test_a_push_of_each_git_server_starts_it_once(secret, server):
    body = json.dumps(PUSH)
    headers = {
        "GitHub": {"X-Hub-Signature-256": f"sha256={signature(secret, body)}", "X-GitHub-Event": "push"},
        "Gitea": {"X-Gitea-Signature": signature(secret, body)},
        "GitLab": {"X-Gitlab-Token": secret},
    }[server]
    first = send(body, **headers)
    assert first.status_code == 201
    run = PipelineRun.objects.get()
    assert first.json()["run"] == str(run.pk)
    again = send(body, **headers)
    assert (again.status_code, again.json()["run"]) == (200, str(run.pk))
    assert PipelineRun.objects.count() == 1


def test_what_is_no_push_to_a_branch_that_counts_begins_nothing(secret):
    for document in ({"zen": "ping"}, PUSH | {"ref": "refs/heads/other"}, PUSH | {"after": "0" * 40}):
        body = json.dumps(document)
        answer = send(body, **{"X-Hub-Signature-256": f"sha256={signature(secret, body)}"})
        assert (answer.status_code, answer.json()["run"]) == (200, None)
    assert not PipelineRun.objects.exists()


def test_an_unsigned_push_learns_nothing_and_begins_nothing(secret):
    body = json.dumps(PUSH)
    refused = send(body, **{"X-Hub-Signature-256": f"sha256={signature('other', body)}"})
    assert refused.status_code == 401
    nowhere = Client().post(f"{ROUTE}nowhere/push/", body, "application/json")
    assert nowhere.status_code == 401
    assert nowhere.json()["detail"] == refused.json()["detail"]
    assert not PipelineRun.objects.exists()


def test_a_push_without_a_body_is_refused(secret):
    assert send("").status_code == 401
    assert send("", **{"X-Hub-Signature-256": f"sha256={signature(secret, '')}"}).status_code == 400


def test_a_push_that_is_too_large_or_no_json_is_refused(secret, settings):
    broken = "{"
    answer = send(broken, **{"X-Hub-Signature-256": f"sha256={signature(secret, broken)}"})
    assert answer.status_code == 400
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert send(json.dumps(PUSH | {"commits": "x" * 200})).status_code == 413
    form = Client().post(f"{ROUTE}nightly/push/", "payload=x", "application/x-www-form-urlencoded")
    assert form.status_code == 415


def test_a_push_to_one_that_is_switched_off_is_told_so(secret, pushed, by_ana):
    pipelines.change(pipeline=pushed, members={"enabled": False}, by=by_ana)
    answer = send(json.dumps(PUSH), **{"X-Gitlab-Token": secret})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/pipeline-disabled")
