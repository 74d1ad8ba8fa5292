"""Every door to production asks for the same grant, and opens with the next request after it was given."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from accounts.actor import API, Actor
from accounts.models import Role
from environments import role_grants
from environments.actions import promotions, roles, trainings
from environments.models import Promotion, Tag
from environments.receiving import receive_bundle
from tests import multipart
from tests.archives import rasa_archive
from tests.doors import cast, untouched, world
from tests.projects import zipped
from workers.tasks import training

GRANT = "environments.production.write"
JSON = "application/json"


@pytest.fixture
def made(db, sent, settings):
    settings.TRAINING_PATIENCE = 0
    return world.make()


@pytest.fixture
def developer(made):
    return cast.person("developer", "developer", made.project)


@pytest.fixture
def bearer(developer):
    return cast.client_with(bearer=cast.token_of(developer)[1])


@pytest.fixture
def browser(developer):
    return cast.session_of(developer)


@pytest.fixture
def stored_bundle(made):
    by = Actor(user=made.admin, via=API)
    return receive_bundle(project=made.project, stream=io.BytesIO(zipped()), by=by).bundle


def uploaded(*tags):
    return {"data": multipart.upload("new.tar.gz", rasa_archive("new"), tags), "content_type": multipart.CONTENT_TYPE}


PAGE = "/p/default/environments/production"
MODELS = "/api/projects/default/models"
NATIVE = "/api/v1/environments/production"
FORM = "application/x-www-form-urlencoded"
TRAINING = json.dumps({"kind": "training", "tags": ["production"]})

# method, path, rest of the request, what it answers to who may
PAGES = {
    "the dialog": (f"{PAGE}/promote/", "model=calm-heron&expected=brisk-otter&confirm=production"),
    "the rollback dialog": (f"{PAGE}/rollback/", "expected=brisk-otter"),
    "a replica's retry": (f"{PAGE}/replicas/retry/", "replica=r1"),
    "the training page": ("/p/default/training/", "tags=production"),
}
REQUESTS = {
    "the native route": ("POST", f"{NATIVE}/promotions/", {"data": '{"model": "calm-heron"}', "content_type": JSON}),
    "the native route, to nothing": (
        "POST",
        f"{NATIVE}/promotions/",
        {"data": '{"model": null}', "content_type": JSON},
    ),
    "the native rollback": ("POST", f"{NATIVE}/rollback/", {"data": "{}", "content_type": JSON}),
    "a native retry": ("POST", f"{NATIVE}/replicas/r1/retry/", {}),
    "the route of Rasa X": ("PUT", f"{MODELS}/calm-heron/tags/production", {}),
    "the route of Rasa X, to nothing": ("DELETE", f"{MODELS}/brisk-otter/tags/production", {}),
    "the route without a project": ("PUT", "/api/models/calm-heron/tags/production", {}),
    "the route with a final slash": ("PUT", f"{MODELS}/calm-heron/tags/production/", {}),
    "the route of Rasa Platform": ("PUT", f"{MODELS}/nlu/calm-heron/tags/production", {}),
    "active": ("PUT", f"{MODELS}/calm-heron/tags/active", {}),
    "active, to nothing": ("DELETE", f"{MODELS}/brisk-otter/tags/active", {}),
    "active of Rasa Platform": ("PUT", f"{MODELS}/nlu/calm-heron/tags/active", {}),
    "an upload with a tag in the query": ("POST", f"{MODELS}?tags=production", uploaded()),
    "an upload with active in the query": ("POST", f"{MODELS}?tags=free&tags=active", uploaded()),
    "an upload with a tag in a field": ("POST", MODELS, uploaded(("tags", "production"))),
    "an upload with one tag of several": ("POST", MODELS, uploaded(("tags", "nightly"), ("tags", "active"))),
    "an upload of Rasa Platform": ("POST", f"{MODELS}/nlu?tags=production", uploaded()),
    "a job": ("POST", "/api/v1/jobs/", {"data": TRAINING, "content_type": JSON}),
    "a job of Rasa X": ("POST", f"{MODELS}/jobs", {"data": '{"tags": ["nightly", "active"]}', "content_type": JSON}),
}


def ask(client, method, path, rest):
    return client.generic(method, path, **rest)


def ask_page(client, path, form):
    return client.generic("POST", path, data=form, content_type=FORM)


def named(response):
    document = response.json()
    return document.get("details", document).get("grant")


def allow(made, grant=GRANT):
    """An administrator ticks it in the grid."""
    role = Role.objects.get(project=made.project, name="developer")
    grants = role_grants.of_role(role) | {grant}
    roles.update(role=role, grants=grants, by=Actor(user=made.admin, via=API))


@pytest.mark.parametrize("door", REQUESTS)
def test_a_developer_is_told_the_grant_and_gets_through_once_it_is_given(made, bearer, door):
    before = untouched.fingerprint()
    refused = ask(bearer, *REQUESTS[door])
    assert (refused.status_code, named(refused)) == (403, GRANT)
    assert untouched.fingerprint() == before
    allow(made)
    assert ask(bearer, *REQUESTS[door]).status_code < 300


@pytest.mark.parametrize("door", PAGES)
def test_a_page_does_the_same_in_the_same_session(made, browser, door):
    before = untouched.fingerprint()
    refused = ask_page(browser, *PAGES[door])
    assert (refused.status_code, f"the grant {GRANT}." in refused.content.decode()) == (403, True)
    assert untouched.fingerprint() == before
    allow(made)
    assert ask_page(browser, *PAGES[door]).status_code == 302


@pytest.mark.parametrize("command", [("promote", "calm-heron", "production"), ("rollback", "production")])
def test_a_command_in_somebodys_name_does_the_same(made, developer, command):
    with pytest.raises(CommandError, match=GRANT):
        call_command(*command, "--by", "developer")
    assert Tag.objects.get(name="production").model.name == "brisk-otter"
    allow(made)
    call_command(*command, "--by", "developer")
    assert Promotion.objects.latest("pk").by == developer


@pytest.mark.parametrize(
    ("gone", "code"), [("the grant", "missing-grant"), ("the role", "not-found"), ("the account", "not-found")]
)
def test_a_job_promotes_nothing_for_who_may_no_longer_when_it_ends(
    made, developer, stored_bundle, fake_rasa, gone, code
):
    allow(made)
    by = Actor(user=developer, via=API)
    job = trainings.submit(project=made.project, by=by, bundle=stored_bundle, tags=["production"])
    made.environments["worker"].url = fake_rasa.url
    made.environments["worker"].save()
    role = Role.objects.get(project=made.project, name="developer")
    if gone == "the grant":
        grants = role_grants.of_role(role) - {GRANT}
        roles.update(role=role, grants=grants, by=Actor(user=made.admin, via=API))
    elif gone == "the role":
        developer.groups.remove(role.group_id)
    else:
        developer.is_active = False
        developer.save()
    # The one that waits in the world has its turn first.
    training.train(job.pk)
    training.train(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("failed", code)
    assert promotions.current_model(made.environments["production"]).name == "brisk-otter"


@pytest.mark.parametrize("model", ["calm-heron", "brisk-otter"])
def test_what_moves_nothing_is_refused_all_the_same(made, bearer, model):
    """Whether a model is in production already is no reason to let somebody through."""
    response = bearer.put(f"{MODELS}/{model}/tags/production")
    assert (response.status_code, named(response)) == (403, GRANT)


def test_force_needs_a_grant_of_its_own(made, bearer):
    allow(made)
    body = {"model": "calm-heron", "force": True}
    refused = bearer.post(f"{NATIVE}/promotions/", json.dumps(body), content_type=JSON)
    assert (refused.status_code, named(refused)) == (403, "environments.production.force")
    allow(made, "environments.production.force")
    assert bearer.post(f"{NATIVE}/promotions/", json.dumps(body), content_type=JSON).status_code == 201


def test_force_alone_promotes_nothing(made):
    """`force` is a grant beside `write`, not above it."""
    user = cast.person("forcer", "tester", made.project)
    role = Role.objects.get(project=made.project, name="tester")
    role_grants.write(role, role_grants.of_role(role) | {"environments.production.force"})
    client = cast.client_with(bearer=cast.token_of(user)[1])
    refused = client.post(f"{NATIVE}/promotions/", '{"model": "calm-heron", "force": true}', content_type=JSON)
    assert (refused.status_code, named(refused)) == (403, GRANT)


def test_force_on_the_page_needs_the_grant_too(made, browser):
    allow(made)
    refused = ask_page(browser, f"{PAGE}/promote/", "model=calm-heron&expected=brisk-otter&confirm=production&force=on")
    assert (refused.status_code, b"environments.production.force" in refused.content) == (403, True)


@pytest.mark.parametrize(
    "grants", [["models.read", "models.write", "training.write"], [GRANT], ["environments.*.write"]]
)
def test_a_narrowed_token_gets_no_further_than_its_grants(made, grants):
    """Without `environments.read` there is no production to be seen, without `models.read` no model."""
    client = cast.client_with(bearer=cast.token_of(made.admin, grants=grants)[1])
    assert client.put(f"{MODELS}/calm-heron/tags/production").status_code in (403, 404)
    assert Tag.objects.get(name="production").model.name == "brisk-otter"


def test_a_dry_run_tells_the_refusal_and_changes_nothing(made, bearer):
    before = untouched.fingerprint()
    body = {"model": "calm-heron", "dry_run": True}
    answer = bearer.post(f"{NATIVE}/promotions/", json.dumps(body), content_type=JSON)
    assert (answer.status_code, answer.json()["refused"]["grant"]) == (200, GRANT)
    assert untouched.fingerprint() == before
