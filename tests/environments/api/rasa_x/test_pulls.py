"""The serving route as a stock Rasa server calls it, and what of it is recorded."""

import hashlib

import pytest
from django.test import Client

from accounts.actions import api_tokens
from environments import stores
from environments.actions import promotions
from environments.models import Replica
from environments.serving import service_tokens
from environments.serving.reports import report
from tests.archives import rasa_archive
from tests.factories import TrainedModelFactory

URL = "/api/projects/default/models/tags/production"
FRESH = "1" * 32


def stored(name):
    """A model whose archive is in the storage."""
    data = rasa_archive(name)
    sha256 = hashlib.sha256(data).hexdigest()
    with stores.models().receive() as incoming:
        incoming.write(data)
        incoming.commit(sha256)
    return TrainedModelFactory(name=name, hash=sha256, size=len(data))


@pytest.fixture
def otter(project):
    return stored("brisk-otter")


@pytest.fixture
def served(production, otter, by_ana):
    promotions.promote(environment=production, model=otter, by=by_ana)
    return production


class RasaServer:
    """Polls as `rasa run` does: its token in the query or a header, its ETag byte for byte."""

    def __init__(self, environment, *, replica="rasa-1", in_header=False, url=URL):
        token = service_tokens.service_token(environment)
        self.client = Client(headers={"authorization": f"Bearer {token}"} if in_header else {})
        self.query = {"replica": replica} | ({} if in_header else {"token": token})
        self.url = url
        self.etag = FRESH

    def poll(self):
        response = self.client.get(self.url, self.query, headers={"if-none-match": self.etag})
        body = b"".join(response.streaming_content) if response.streaming else response.content
        response.close()
        if response.status_code == 200:
            self.etag = response.headers["ETag"]
        return response, body


@pytest.mark.parametrize("in_header", [False, True])
def test_a_server_is_given_the_model_and_then_nothing_new(served, otter, in_header):
    server = RasaServer(served, in_header=in_header)
    response, body = server.poll()
    assert (response.status_code, hashlib.sha256(body).hexdigest()) == (200, otter.hash)
    assert response.headers["filename"] == "brisk-otter.tar.gz"
    assert "Content-Encoding" not in response.headers
    response, body = server.poll()
    assert (response.status_code, body) == (304, b"")
    assert "Content-Type" not in response.headers
    assert promotions.latest(served).status == "succeeded"


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"{URL}/",
        "/api/models/tags/production",
        "/api/projects/default/models/tags/active",
        "/models/default@production",
        "/models/default",
    ],
)
def test_both_prefixes_and_the_short_forms(served, url):
    response, _ = RasaServer(served, url=url).poll()
    assert response.status_code == 200
    assert Replica.objects.get().environment == served


def test_an_untagged_environment_answers_404_and_the_replica_is_empty(production):
    response, _ = RasaServer(production).poll()
    assert response.status_code == 404
    assert response.json()["status"] == "failure"
    assert report(production).members[0].state == "empty"


def test_a_wrong_token_is_401_as_rasa_x_said_it(served):
    response = Client().get(URL, {"token": "cps_wrong"}, headers={"if-none-match": FRESH})
    assert response.status_code == 401
    assert response.json()["exception"] == "Unauthorized"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert not Replica.objects.exists()


def test_no_credentials_are_401(served):
    assert Client().get(URL).status_code == 401


def test_the_token_of_another_environment_is_403(served, experimental):
    server = RasaServer(experimental, url=URL)
    response, _ = server.poll()
    assert response.status_code == 403
    assert "pulls the tag experimental" in response.json()["message"]


def test_a_retired_environments_token_opens_nothing(served, django_now):
    server = RasaServer(served)
    served.retired_at = django_now
    served.save()
    assert server.poll()[0].status_code == 401


@pytest.mark.parametrize("headers", [{}, {"if-none-match": "*"}, {"if-none-match": '"a", "b"'}])
def test_what_is_no_poll_is_not_recorded(served, headers):
    query = {"token": service_tokens.service_token(served)}
    response = Client().get(URL, query, headers=headers)
    response.close()
    assert response.status_code in (200, 304)
    assert not Replica.objects.exists()


def test_head_is_answered_and_not_recorded(served, otter):
    query = {"token": service_tokens.service_token(served)}
    response = Client().head(URL, query, headers={"if-none-match": FRESH})
    assert (response.status_code, response.headers["ETag"]) == (200, otter.etag)
    assert response.headers["Content-Length"] == str(otter.size)
    assert not Replica.objects.exists()


def test_a_person_downloads_by_tag_and_is_not_recorded(served, as_ben, as_cy):
    response = as_ben.get(URL, headers={"if-none-match": FRESH})
    response.close()
    assert response.status_code == 200
    assert as_cy.get(URL).status_code == 404
    assert not Replica.objects.exists()


def test_old_scripts_send_their_token_in_the_query(served, ana, by_ana):
    _, secret = api_tokens.create(user=ana, name="ci", by=by_ana)
    response = Client().get(URL, {"api_token": secret})
    response.close()
    assert response.status_code == 200


def test_two_replicas_follow_a_promotion(served, by_ana):
    servers = [RasaServer(served, replica=f"rasa-{n}") for n in (1, 2)]
    for server in servers:
        server.poll()
        server.poll()
    promotions.promote(environment=served, model=stored("calm-heron"), by=by_ana)
    for server in servers:
        assert server.poll()[0].status_code == 200
        assert server.poll()[0].status_code == 304
    assert [member.model for member in report(served).members] == ["calm-heron", "calm-heron"]


def test_a_damaged_archive_is_never_served_and_the_loaded_model_stays(served, otter, home):
    server = RasaServer(served)
    server.poll()
    (path,) = [path for path in (home / "archives").rglob("*") if path.is_file() and otter.hash in path.name]
    path.write_bytes(b"x" * otter.size)
    server.etag = FRESH
    response, body = server.poll()
    assert (response.status_code, body) == (304, b"")
    otter.refresh_from_db()
    assert otter.damaged_at is not None


def test_an_unchanged_poll_costs_one_read(served, django_assert_num_queries):
    server = RasaServer(served)
    for _ in range(2):
        server.poll()
    with django_assert_num_queries(1):
        assert server.poll()[0].status_code == 304


def test_an_answer_to_a_rasa_server_has_the_headers_of_any_other(served):
    names = ("Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy")
    expected = {name: Client().get("/sign-in/").headers[name] for name in names}
    for answer in (RasaServer(served).poll()[0], Client().get(URL, {"token": "cps_1_wrong"})):
        assert {name: answer.headers[name] for name in names} == expected


def test_a_rasa_server_is_held_to_the_allowed_hosts(served, settings):
    settings.ALLOWED_HOSTS = ["controlplane.example"]
    token = service_tokens.service_token(served)
    assert Client().get(URL, {"token": token}, headers={"host": "another.example"}).status_code == 400
    assert Client().head(URL, {"token": token}, headers={"host": "controlplane.example"}).status_code == 200
