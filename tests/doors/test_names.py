"""Names are compared as they are sent: nothing that only looks like `production` or `admin` is taken for it."""

# ruff: noqa: RUF001 - letters that look like others are what this is about

import json

import pytest

from accounts.actor import API, Actor
from accounts.models import Role, User
from accounts.problems import MissingGrant
from environments.actions import environments, jobs, promotions, tags, trainings
from environments.models import Environment, Promotion, Tag, TrainedModel
from tests import multipart
from tests.archives import rasa_archive
from tests.doors import cast, world
from tests.factories import RoleFactory, give
from tests.wire import ask

JSON = "application/json"
MODELS = "/api/projects/default/models"

# As bytes of the request line. None may reach production, nor leave a tag that somebody takes for it.
LIKE_PRODUCTION = [
    *(b"Production", b"PRODUCTION", b"production%20", b"%20production", b"production%09", b"production%0A"),
    *(b"production%0D%0A", b"production%00", b"%00production", b"./production", b"production/."),
    *(b"production%252F", b"p%252Froduction", b"production;a=b", b"production%3B", b"production%23", b"production%3F"),
    *("рroduction".encode(), "prоduction".encode(), "production\u200b".encode(), "\ufeffproduction".encode()),
    *("ｐｒｏｄｕｃｔｉｏｎ".encode(), "produ\u00adction".encode(), "productio\u0301n".encode(), "proﬁle".encode()),
    *("\u202eproduction".encode(), "productıon".encode(), "production\u0130".encode(), b"production\xff", b"Active"),
    *(b"ACTIVE", b"active%20", b"active%00", "аctive".encode(), b"latest", b"Latest"),
]


@pytest.fixture
def made(db, sent):
    return world.make()


@pytest.fixture
def developer(made):
    return cast.person("developer", "developer", made.project)


def bearer(user, **options):
    return {"authorization": f"Bearer {cast.token_of(user, **options)[1]}"}


def wsgi(headers):
    return {"HTTP_AUTHORIZATION": headers["authorization"]}


def state():
    return set(Tag.objects.values_list("name", "model__name")), Promotion.objects.count()


@pytest.mark.parametrize("who", ["developer", "admin"])
@pytest.mark.parametrize(
    "route", [b"/api/projects/default/models/calm-heron/tags/", b"/api/models/nlu/calm-heron/tags/"]
)
def test_what_looks_like_production_is_neither_promoted_to_nor_tagged(made, developer, who, route):
    headers = wsgi(bearer(developer if who == "developer" else made.admin))
    before, through = state(), []
    for name in LIKE_PRODUCTION:
        for method in ("PUT", "DELETE"):
            answer = ask(method, route + name, **headers)
            if answer.status < 400 or answer.status >= 500 or state() != before:
                through.append((method, name, answer.status))
    assert through == []


@pytest.mark.parametrize("name", LIKE_PRODUCTION)
def test_nor_does_the_tag_of_an_upload_or_of_a_job(made, name):
    text = json.loads(json.dumps(name.decode("utf-8", "replace").replace("%20", " ").replace("%00", "\0")))
    client = cast.client_with(bearer=cast.token_of(made.admin)[1])
    before = state()
    body = multipart.upload("new.tar.gz", rasa_archive("new"), [("tags", text)])
    uploaded = client.generic("POST", MODELS, body, content_type=multipart.CONTENT_TYPE)
    submitted = client.post("/api/v1/jobs/", json.dumps({"kind": "training", "tags": [text]}), content_type=JSON)
    assert {uploaded.status_code, submitted.status_code} <= {400, 404, 422}, (uploaded.content, submitted.content)
    assert state() == before


@pytest.mark.parametrize("name", LIKE_PRODUCTION)
def test_nor_does_an_environment_take_such_a_name(made, name):
    client = cast.client_with(bearer=cast.token_of(made.admin)[1])
    body = {"name": name.decode("utf-8", "replace").replace("%20", " "), "url": "http://other:5005"}
    before = Environment.objects.count()
    assert client.post("/api/v1/environments/", json.dumps(body), content_type=JSON).status_code in (400, 422)
    assert client.put("/api/environments", json.dumps([body]), content_type=JSON).status_code in (400, 422)
    assert Environment.objects.count() == before


@pytest.mark.parametrize(
    "project", ["..", "../banking", "banking/../default", "%2e%2e", "Default", "DEFAULT", "default%20", "default%00"]
)
def test_the_name_of_a_project_leads_nowhere_else(made, developer, project):
    """With more than one way to read the path, the stricter one counts: nobody ends up in another project."""
    headers = wsgi(bearer(developer))
    for target in (f"/api/projects/{project}/models/calm-heron/tags/production", f"/api/projects/{project}/models"):
        answer = ask("PUT" if "tags" in target else "GET", target.encode(), **headers)
        assert answer.status in (400, 404, 405), (target, answer.body)
    assert ask("GET", f"/api/v1/models/?project={project}".encode(), **headers).status in (400, 404)
    assert ask("GET", f"/models/{project}@production".encode(), **headers).status in (400, 404)


def test_a_follower_is_no_way_to_what_it_follows(made, developer):
    """Developers hold `environments.worker.write`, and the worker serves what production serves."""
    client = cast.client_with(bearer=cast.token_of(developer)[1])
    before = state()
    body = multipart.upload("new.tar.gz", rasa_archive("new"), [("tags", "worker")])
    answers = [
        client.put(f"{MODELS}/calm-heron/tags/worker"),
        client.delete(f"{MODELS}/brisk-otter/tags/worker"),
        client.post("/api/v1/environments/worker/promotions/", '{"model": "calm-heron"}', content_type=JSON),
        client.post("/api/v1/environments/worker/rollback/", "{}", content_type=JSON),
        client.generic("POST", MODELS, body, content_type=multipart.CONTENT_TYPE),
        client.post("/api/v1/jobs/", '{"kind": "training", "tags": ["worker"]}', content_type=JSON),
    ]
    assert {answer.status_code for answer in answers} == {409}
    assert state() == before


def test_a_free_tag_that_became_an_environment_is_no_free_tag(made, developer):
    """Between submit and end somebody defines a protected environment of that name."""
    by = Actor(user=developer, via=API)
    client = cast.client_with(bearer=cast.token_of(developer)[1])
    job = trainings.submit(project=made.project, by=by, tags=["canary"])
    admin = Actor(user=made.admin, via=API)
    environments.define(project=made.project, name="canary", url="http://canary:5005", protected=True, by=admin)
    refused = client.put(f"{MODELS}/calm-heron/tags/canary")
    assert (refused.status_code, refused.json()["details"]["grant"]) == (403, "environments.canary.write")
    with pytest.raises(MissingGrant, match=r"environments\.canary\.write"):
        tags.put(
            project=made.project, tag=job.tags[0], model=TrainedModel.objects.get(name="calm-heron"), by=jobs.actor(job)
        )


def test_the_tag_of_a_retired_environment_is_nobodys(made, developer):
    """`models.write` moves free tags; a retired environment's tag would come back with it."""
    environments.retire(environment=made.environments["staging"], by=Actor(user=made.admin, via=API))
    client = cast.client_with(bearer=cast.token_of(developer)[1])
    assert client.put(f"{MODELS}/calm-heron/tags/staging").status_code in (403, 404, 409)
    assert not Tag.objects.filter(name="staging").exists()


@pytest.mark.parametrize(
    "name", ["ADMIN", "Admin", "аdmin", "admin ", " admin", "admin\u200b", "admin\0", "ａｄｍｉｎ", "admın"]
)
def test_no_role_and_no_user_is_named_like_the_administrators(made, name):
    client = cast.client_with(bearer=cast.token_of(made.admin)[1])
    for path, body in (("/api/roles", {"role": name}), ("/api/users", {"username": name, "roles": []})):
        answer = client.post(path, json.dumps(body), content_type=JSON)
        assert answer.status_code in (400, 409, 422), (path, answer.content)
    assert client.put("/api/users/someone/roles", json.dumps([name]), content_type=JSON).status_code in (400, 422)
    assert client.patch("/api/user", json.dumps({"username": name}), content_type=JSON).status_code in (
        200,
        400,
        409,
        422,
    )
    assert User.objects.get(pk=made.admin.pk).username.lower() == "admin"
    assert set(Role.objects.filter(name__iexact="admin").values_list("name", flat=True)) == {"admin"}


@pytest.mark.parametrize("door", ["page", "api", "rasa_x", "job", "command", "file", "FILE"])
def test_nobody_is_named_like_the_installation_itself(made, door):
    """History and audit tell who acted as text, and the installation acts under the name of its door."""
    tester = cast.person("tester", "tester", made.project)
    client = cast.client_with(bearer=cast.token_of(tester)[1])
    answer = client.patch("/api/user", json.dumps({"username": door}), content_type=JSON)
    assert answer.status_code in (400, 422)
    admin = cast.client_with(bearer=cast.token_of(made.admin)[1])
    assert admin.post("/api/users", json.dumps({"username": door}), content_type=JSON).status_code in (400, 422)


def test_a_sign_in_by_another_case_is_the_same_user_and_no_other(made, client):
    made.admin.set_password("a good long password")
    made.admin.save()
    assert client.post("/sign-in/", {"username": "ADMIN", "password": "a good long password"}).status_code == 302
    assert client.get("/api/v1/me/").json()["username"] == "admin"


def test_names_in_one_project_are_not_those_of_another(made):
    """A role, a model, an environment of a name in `banking` opens nothing of that name in `default`."""
    user = cast.person("banker", None)
    give(user, made.banking, "environments.read", "models.read", "models.write", "environments.production.write")
    RoleFactory(project=made.banking, name="helper", grants=["roles.write"])
    client = cast.client_with(bearer=cast.token_of(user)[1])
    for path in ("/api/v1/environments/production/", "/api/v1/models/brisk-otter/", "/api/roles/helper"):
        assert client.get(path).status_code == 404
        assert client.get(f"{path}?project=banking").status_code in (200, 403, 404)
    assert client.put(f"{MODELS}/calm-heron/tags/production").status_code == 404
    assert promotions.current_model(made.environments["production"]).name == "brisk-otter"
