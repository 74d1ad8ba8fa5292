"""Models as clients of Rasa X list, send, fetch and delete them."""

import pytest
from django.test import Client

from accounts.actions import api_tokens
from accounts.models import AuditEvent
from environments import stores
from environments.actions import promotions
from environments.models import Promotion, ServerCheck, Tag, TrainedModel
from environments.serving import service_tokens
from tests import multipart
from tests.archives import rasa_archive, rasa_zip, sha256
from tests.conftest import client_of
from tests.environments.api.test_uploads import HOSTILE_NAMES
from tests.factories import ProjectFactory, TrainedModelFactory

URL = "/api/projects/default/models"
BOTH = [URL, "/api/models"]
OTTER = rasa_archive("brisk-otter")


def upload(client, filename="brisk-otter.tar.gz", content=OTTER, *, url=URL, fields=(), query=""):
    body = multipart.upload(filename, content, fields)
    return client.post(f"{url}{query}", data=body, content_type=multipart.CONTENT_TYPE)


def kept():
    """What an upload left behind."""
    return list(TrainedModel.objects.values_list("name", flat=True)), list(stores.models().hashes())


NOTHING = ([], [])


@pytest.fixture
def bank(db):
    return ProjectFactory(name="banking")


# List


@pytest.mark.parametrize("url", [*BOTH, "/api/models/"])
def test_the_list_is_an_array_of_items_newest_first(as_ben, otter, heron, experimental, by_ana, url):
    promotions.promote(environment=experimental, model=otter, by=by_ana)
    response = as_ben.get(url)
    assert response.headers["X-Total-Count"] == "2"
    newest, older = response.json()
    assert newest["model"] == "calm-heron"
    assert older == {
        "project": "default",
        "model": "brisk-otter",
        "path": "brisk-otter.tar.gz",
        "hash": otter.hash,
        "version": "3.6.21",
        "trained_at": otter.trained_at.timestamp(),
        "type": "rasa",
        "tags": ["experimental"],
        "is_compatible": True,
    }


def test_limit_and_offset_cut_the_list_and_the_total_stays(as_ben, project):
    for n in range(60):
        TrainedModelFactory(name=f"m{n}")
    assert len(as_ben.get(URL).json()) == 60
    response = as_ben.get(URL, {"limit": "2", "offset": "1"})
    assert [item["model"] for item in response.json()] == ["m58", "m57"]
    assert response.headers["X-Total-Count"] == "60"
    assert as_ben.get(URL, {"limit": "0"}).json() == []
    assert [item["model"] for item in as_ben.get(URL, {"offset": "59"}).json()] == ["m0"]
    for beyond in ({"offset": "60"}, {"offset": "9" * 18}, {"offset": "9" * 18, "limit": "9" * 18}):
        response = as_ben.get(URL, beyond)
        assert (response.json(), response.headers["X-Total-Count"]) == ([], "60")


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "-1"},
        {"limit": ""},
        {"limit": "ten"},
        {"limit": "٣"},
        {"offset": "1.5"},
        {"offset": "²"},
        {"limit": "9" * 30},
    ],
)
def test_a_limit_that_is_no_whole_number_is_refused(as_ben, project, query):
    response = as_ben.get(URL, query)
    assert response.status_code == 400
    assert response.json()["status"] == "failure"


@pytest.mark.parametrize(
    ("tag", "names"),
    [
        ("production", ["brisk-otter"]),
        ("active", ["brisk-otter"]),
        ("latest", ["calm-heron"]),
        ("unknown", []),
    ],
)
def test_a_tag_picks_its_model(as_ben, otter, heron, production, by_ana, tag, names):
    promotions.promote(environment=production, model=otter, by=by_ana)
    response = as_ben.get(URL, {"tag": tag})
    assert [item["model"] for item in response.json()] == names
    assert response.headers["X-Total-Count"] == str(len(names))


def test_compatible_is_what_productions_last_known_server_takes(as_ben, production, experimental, django_now):
    TrainedModelFactory(name="old", version="3.5.0")
    TrainedModelFactory(name="new", version="3.6.21")
    check = {"due_at": django_now, "version": "3.6.21", "minimum_compatible_version": "3.6.21"}
    ServerCheck.objects.create(environment=experimental, **check)
    assert all(item["is_compatible"] for item in as_ben.get(URL).json())
    ServerCheck.objects.create(environment=production, **check)
    assert {item["model"]: item["is_compatible"] for item in as_ben.get(URL).json()} == {"old": False, "new": True}


def test_partial_models_tell_their_type_by_their_name(as_ben, project):
    for name in ("nlu-20260101-120000", "core-20260101-120000", "nluish"):
        TrainedModelFactory(name=name)
    assert [item["type"] for item in as_ben.get(URL).json()] == ["rasa", "core", "nlu"]


def test_the_list_takes_the_same_queries_however_long_it_is(as_ben, otter, django_assert_max_num_queries):
    for n in range(20):
        TrainedModelFactory(name=f"m{n}")
    with django_assert_max_num_queries(10):
        as_ben.get(URL)


def test_a_model_that_came_back_counts_as_new(as_ben, project):
    upload(as_ben)
    upload(as_ben, "calm-heron.tar.gz", rasa_archive("calm-heron"))
    as_ben.delete(f"{URL}/brisk-otter")
    assert upload(as_ben).status_code == 201
    assert [item["model"] for item in as_ben.get(URL).json()] == ["brisk-otter", "calm-heron"]
    assert as_ben.get(URL, {"tag": "latest"}).json()[0]["model"] == "brisk-otter"


def test_models_of_another_project_are_not_in_the_list(as_ana, otter, bank):
    TrainedModelFactory(project=bank, name="teller")
    assert [item["model"] for item in as_ana.get("/api/projects/banking/models").json()] == ["teller"]
    assert [item["model"] for item in as_ana.get(URL).json()] == ["brisk-otter"]


def test_deleted_models_are_not_in_the_list(as_ben, otter, django_now):
    TrainedModel.objects.update(deleted_at=django_now)
    assert as_ben.get(URL).json() == []


@pytest.mark.parametrize("url", BOTH)
def test_who_may_see_the_list(as_cy, dora, project, url):
    assert as_cy.get(url).status_code == 404
    refused = client_of(dora).get(url)
    assert refused.status_code == 403
    assert refused.json()["details"]["grant"] == "models.read"
    unknown = Client().get(url)
    assert unknown.status_code == 401
    assert unknown.json()["exception"] == "Unauthorized"
    assert unknown.headers["WWW-Authenticate"]


# Upload


@pytest.mark.parametrize("url", BOTH)
def test_an_upload_is_answered_with_the_item(as_ben, project, url):
    response = upload(as_ben, url=url)
    assert response.status_code == 201
    assert response.json()["model"] == "brisk-otter"
    assert response.json()["hash"] == sha256(OTTER)
    model = TrainedModel.objects.get()
    assert (model.registered_by_name, model.size) == ("ben", len(OTTER))
    with stores.models().open(model.hash) as file:
        assert file.read() == OTTER


def test_the_same_upload_again_is_fine(as_ben, project):
    upload(as_ben)
    again = upload(as_ben)
    assert (again.status_code, again.json()["model"]) == (200, "brisk-otter")


def test_another_model_of_a_taken_name_is_refused_by_the_name_clients_know(as_ben, project):
    upload(as_ben)
    refused = upload(as_ben, content=rasa_archive("other"))
    assert refused.status_code == 409
    body = refused.json()
    assert (body["reason"], body["status"], body["code"]) == ("ModelExistsError", "failure", 409)
    assert body["details"]["type"] == "/problems/name-taken"
    assert body["message"]


def test_the_same_bytes_by_another_name_are_refused_with_the_name_they_have(as_ben, project):
    upload(as_ben)
    refused = upload(as_ben, "another.tar.gz")
    assert refused.status_code == 409
    assert refused.json()["details"]["existing"] == "brisk-otter"


@pytest.mark.parametrize("how", [{"query": "?on_conflict=suffix"}, {"fields": [("on_conflict", "suffix")]}])
def test_a_suffix_makes_room_for_other_bytes(as_ben, project, how):
    upload(as_ben)
    other = rasa_archive("other")
    response = upload(as_ben, content=other, **how)
    assert response.status_code == 201
    assert response.json()["model"] == f"brisk-otter-{sha256(other)[:8]}"


@pytest.mark.parametrize(
    "how",
    [
        {"query": "?on_conflict=overwrite"},
        {"fields": [("on_conflict", "")]},
        {"query": "?on_conflict=refuse", "fields": [("on_conflict", "suffix")]},
    ],
)
def test_another_on_conflict_is_refused(as_ben, project, how):
    assert upload(as_ben, **how).status_code == 400
    assert kept() == NOTHING


@pytest.mark.parametrize(
    "how",
    [
        {"query": "?tags=nightly&tags=experimental"},
        {"fields": [("tags", "nightly"), ("tags", "experimental")]},
        {"query": "?tags=nightly", "fields": [("tags", "experimental"), ("tags", "nightly")]},
    ],
)
def test_tags_are_put_with_the_upload(as_ben, experimental, how):
    response = upload(as_ben, **how)
    assert response.status_code == 201
    assert sorted(response.json()["tags"]) == ["experimental", "nightly"]
    assert Promotion.objects.get().origin == "rasa_x"


@pytest.mark.parametrize("how", ["query", "field"])
@pytest.mark.parametrize(("tag", "status"), [("production", 403), ("latest", 400), ("Bad", 400)])
def test_a_tag_that_is_refused_keeps_nothing(as_ben, production, how, tag, status):
    if how == "query":
        refused = upload(as_ben, query=f"?tags=nightly&tags={tag}")
    else:
        refused = upload(as_ben, fields=[("tags", "nightly"), ("tags", tag)])
    assert refused.status_code == status
    assert kept() == NOTHING
    assert not Tag.objects.exists()


def test_a_followers_tag_keeps_nothing(as_ana, worker):
    assert upload(as_ana, query="?tags=worker").status_code == 409
    assert kept() == NOTHING


def test_an_environment_that_refuses_the_old_routes_refuses_tags_of_uploads(as_ana, production):
    production.rasa_x_writes = "refuse"
    production.save()
    for how in ({"query": "?tags=production"}, {"fields": [("tags", "production")]}):
        refused = upload(as_ana, **how)
        assert (refused.status_code, refused.json()["reason"]) == (403, "RasaXWritesRefused")
    assert kept() == NOTHING


def test_a_field_after_the_file_is_refused_and_not_passed_over(as_ben, project):
    body = multipart.body(multipart.file("model", "m.tar.gz", OTTER), multipart.field("tags", "nightly"))
    response = as_ben.post(URL, data=body, content_type=multipart.CONTENT_TYPE)
    assert response.status_code == 400
    assert kept() == NOTHING


def test_a_zip_of_an_unpacked_model_becomes_an_archive(as_ben, project):
    response = upload(as_ben, "brisk-otter.zip", rasa_zip("brisk-otter"))
    assert response.status_code == 201
    assert response.json()["model"] == "brisk-otter"
    with stores.models().open(response.json()["hash"]) as file:
        assert file.read(2) == b"\x1f\x8b"


@pytest.mark.parametrize("suffix", ["", ".tar.gz"])
@pytest.mark.parametrize("name", [name for name in HOSTILE_NAMES if name not in ("x%22y.tar.gz",)])
def test_a_hostile_name_is_refused_and_never_cleaned_up(as_ben, project, name, suffix):
    refused = upload(as_ben, name + suffix)
    assert refused.status_code == 400, refused.json()
    assert refused.json()["details"]["type"] == "/problems/invalid-name"
    assert kept() == NOTHING


@pytest.mark.parametrize("name", ["tags.tar.gz", "jobs.tar.gz", "nlu.tar.gz", "core.zip", "m.tar", "m", "m.TAR.GZ"])
def test_a_name_of_a_route_or_without_its_suffix_is_refused(as_ben, project, name):
    refused = upload(as_ben, name)
    assert (refused.status_code, refused.json()["reason"]) == (400, "InvalidName")
    assert kept() == NOTHING


def test_what_is_no_model_is_refused(as_ben, project):
    refused = upload(as_ben, content=b"not a model")
    assert (refused.status_code, refused.json()["reason"]) == (422, "ModelInvalid")
    assert kept() == NOTHING


def test_too_large_is_refused(as_ben, project, settings):
    settings.MAX_MODEL_BYTES = len(OTTER) - 1
    assert upload(as_ben).status_code == 413
    settings.MAX_MODEL_BYTES = len(OTTER)
    assert upload(as_ben).status_code == 201


def test_another_body_than_multipart_is_refused(as_ben, project):
    response = as_ben.post(URL, data=OTTER, content_type="application/gzip")
    assert response.status_code == 400
    assert response.json()["details"]["type"] == "/problems/upload-malformed"


class Unread:
    """A body that nobody may read."""

    def read(self, *args):
        raise AssertionError("the body was read")

    readline = read


def post_unread(client, url):
    return client.post(
        url, data=b"x", content_type=multipart.CONTENT_TYPE, **{"wsgi.input": Unread(), "CONTENT_LENGTH": "100"}
    )


@pytest.mark.parametrize("url", BOTH)
def test_who_may_not_upload_is_told_before_the_body_is_read(as_cy, as_ben, dora, project, url):
    for status, client in {401: Client(), 404: as_cy, 403: client_of(dora)}.items():
        assert post_unread(client, url).status_code == status
    with pytest.raises(AssertionError, match="the body was read"):
        post_unread(as_ben, url)
    assert kept() == NOTHING


def test_a_session_without_the_csrf_header_is_told_before_the_body_is_read(ben, project):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ben)
    response = post_unread(client, URL)
    assert response.status_code == 403
    assert response.json()["details"]["type"] == "/problems/csrf-failed"


def test_a_session_with_the_csrf_header_uploads(ben, project):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ben)
    client.cookies["csrftoken"] = "c" * 32
    response = client.post(
        URL,
        data=multipart.upload("brisk-otter.tar.gz", OTTER),
        content_type=multipart.CONTENT_TYPE,
        headers={"x-csrftoken": "c" * 32},
    )
    assert response.status_code == 201
    assert AuditEvent.objects.get().actor == "ben"


def test_tags_in_the_query_are_refused_before_the_body_is_read(as_ben, production):
    assert post_unread(as_ben, f"{URL}?tags=production").status_code == 403


# Download and delete


@pytest.fixture
def stored(as_ben, project):
    upload(as_ben)
    return TrainedModel.objects.get()


def content(response):
    return b"".join(response.streaming_content) if response.streaming else response.content


@pytest.mark.parametrize("url", BOTH)
def test_a_model_is_fetched_by_its_name(as_ben, stored, url):
    response = as_ben.get(f"{url}/brisk-otter", headers={"accept": "application/gzip"})
    assert content(response) == OTTER
    assert response.headers["ETag"] == f'"{sha256(OTTER)}"'
    assert response.headers["filename"] == "brisk-otter.tar.gz"
    head = as_ben.head(f"{url}/brisk-otter")
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(OTTER)))
    assert as_ben.get(f"{url}/brisk-otter", headers={"if-none-match": stored.etag}).status_code == 304
    assert content(as_ben.get(f"{url}/brisk-otter", headers={"range": "bytes=0-3"})) == OTTER[:4]
    outside = as_ben.get(f"{url}/brisk-otter", headers={"range": f"bytes={len(OTTER)}-"})
    assert (outside.status_code, outside.headers["Content-Range"]) == (416, f"bytes */{len(OTTER)}")


def test_too_many_downloads_are_asked_to_come_again(as_ben, stored, settings):
    settings.MAX_DOWNLOADS = 0
    response = as_ben.get(f"{URL}/brisk-otter")
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


def test_who_may_fetch_a_model(as_cy, as_ben, dora, stored):
    assert as_cy.get(f"{URL}/brisk-otter").status_code == 404
    assert client_of(dora).get(f"{URL}/brisk-otter").status_code == 403
    assert Client().get(f"{URL}/brisk-otter").status_code == 401
    assert as_ben.get(f"{URL}/unknown").status_code == 404


@pytest.mark.parametrize("in_header", [True, False])
def test_a_training_server_fetches_models_of_its_project_by_name(worker, stored, bank, in_header):
    TrainedModelFactory(project=bank, name="brisk-otter")
    token = service_tokens.service_token(worker)
    client = Client(headers={"authorization": f"Bearer {token}"} if in_header else {})
    query = {} if in_header else {"token": token}
    assert content(client.get(f"{URL}/brisk-otter", query)) == OTTER
    assert client.head(f"{URL}/brisk-otter", query).status_code == 200
    assert client.get(f"{URL}/unknown", query).status_code == 404
    assert client.get("/api/projects/banking/models/brisk-otter", query).status_code == 403


def test_a_serving_server_fetches_none_by_name(production, stored):
    refused = Client().get(f"{URL}/brisk-otter", {"token": service_tokens.service_token(production)})
    assert refused.status_code == 403
    assert refused.json()["details"]["type"] == "/problems/wrong-service-token"


def test_the_installation_wide_token_fetches_every_model(stored, settings):
    settings.RASA_X_TOKEN = "shared"
    assert content(Client().get(f"{URL}/brisk-otter", {"token": "shared"})) == OTTER
    assert Client().get("/api/projects/unknown/models/brisk-otter", {"token": "shared"}).status_code == 404
    settings.RASA_X_TOKEN = ""
    assert Client().get(f"{URL}/brisk-otter", {"token": "shared"}).status_code == 401


def test_a_service_token_does_nothing_but_read(worker, stored):
    query = f"?token={service_tokens.service_token(worker)}"
    assert Client().delete(f"{URL}/brisk-otter{query}").status_code == 401
    assert Client().get(f"{URL}{query}").status_code == 401
    assert upload(Client(), query=query).status_code == 401


@pytest.mark.parametrize("url", BOTH)
def test_a_model_that_nothing_needs_is_deleted(as_ben, stored, url):
    assert as_ben.delete(f"{url}/brisk-otter").status_code == 204
    assert as_ben.get(f"{url}/brisk-otter").status_code == 404
    assert as_ben.delete(f"{url}/brisk-otter").status_code == 404


def test_a_model_that_an_environment_serves_is_not_deleted(as_ben, stored, production, by_ana):
    promotions.promote(environment=production, model=stored, by=by_ana)
    refused = as_ben.delete(f"{URL}/brisk-otter")
    assert (refused.status_code, refused.json()["reason"]) == (409, "ModelInUse")
    assert refused.json()["details"]["uses"]


def test_who_may_delete_a_model(as_cy, stored, dora, project):
    assert as_cy.delete(f"{URL}/brisk-otter").status_code == 404
    assert Client().delete(f"{URL}/brisk-otter").status_code == 401
    assert client_of(dora).delete(f"{URL}/brisk-otter").status_code == 403


# Old scripts


def test_a_ci_script_of_rasa_x_runs_as_it_always_did(ana, production, by_ana):
    _, token = api_tokens.create(user=ana, name="ci", by=by_ana)
    curl = Client()
    sent = curl.post(
        f"{URL}?api_token={token}",
        data=multipart.upload("20260301-120000.tar.gz", OTTER),
        content_type=multipart.CONTENT_TYPE,
    )
    assert sent.status_code == 201
    model = sent.json()["model"]
    tagged = curl.put(f"{URL}/{model}/tags/production?api_token={token}")
    assert (tagged.status_code, tagged.content) == (204, b"")
    [item] = curl.get(f"{URL}?tag=production&limit=1&offset=0&api_token={token}").json()
    assert (item["model"], item["tags"]) == (model, ["production"])
    fetched = curl.get(f"{URL}/tags/production?api_token={token}")
    assert content(fetched) == OTTER
    assert fetched.headers["filename"] == f"{model}.tar.gz"
    promotion = Promotion.objects.get()
    assert (promotion.origin, promotion.by_name, promotion.model.name) == ("rasa_x", "ana", model)
    assert curl.delete(f"{URL}/{model}/tags/production?api_token={token}").status_code == 204
    assert curl.get(f"{URL}/tags/production?api_token={token}").status_code == 404


def test_a_script_of_the_rasa_platform_runs_too(as_ana, production):
    sent = upload(as_ana, "brisk-otter.zip", rasa_zip("brisk-otter"), url=f"{URL}/nlu")
    assert sent.status_code == 201
    assert as_ana.put(f"{URL}/nlu/brisk-otter/tags/active").status_code == 204
    assert Promotion.objects.get().environment == production
    [item] = as_ana.get(f"{URL}/nlu").json()
    assert item["tags"] == ["production", "active"]
    assert as_ana.get(URL).json()[0]["tags"] == ["production"]


@pytest.mark.parametrize("route", ["tags", "jobs", "core"])
def test_words_of_routes_are_no_models(as_ana, project, route):
    assert as_ana.get(f"{URL}/{route}").status_code in (404, 405)
