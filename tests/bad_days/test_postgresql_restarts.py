"""PostgreSQL is restarted under load, gently and as by a crash: polls never get another model, what was answered is
there, jobs end, and all of it goes on by itself."""

import threading

import httpx
import pytest

from tests import live
from tests.clusters import cluster
from tests.fake_rasa import FakeRasa
from tests.live import wait_until
from tests.polling import INSTALLATION_TOKEN, INTERVAL, Polling, Stage
from tests.projects import zipped

pytestmark = pytest.mark.postgresql

ENVIRONMENTS = "rasa: {production: {url: 'http://production.invalid:5005'}, worker: {url: '%s'}}\n"
PARTS = ("web", "training", "default", "beat")


@pytest.fixture(scope="module")
def database():
    with cluster() as made:
        yield made


@pytest.fixture(scope="module")
def rasa():
    with FakeRasa(always_new=True) as fake:
        yield fake


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory, database, rasa):
    variables = {"DATABASE_URL": database.url, "RASA_X_TOKEN": INSTALLATION_TOKEN}
    home = tmp_path_factory.mktemp("home")
    plane = live.ControlPlane(home, ENVIRONMENTS % rasa.url, variables=variables, parts=PARTS)
    sent = plane.http.post("/api/v1/bundles/", files={"bundle": ("bundle.zip", zipped())})
    assert sent.status_code == 201, sent.text
    yield plane
    plane.stop()


class Promoting:
    """One model and the other by turns, as long as the block lasts: who was answered, and with what."""

    def __init__(self, stage):
        self.stage, self.promoted, self.refused, self.over = stage, [], [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        number = 0
        while not self.over.wait(0.1):
            number += 1
            body = {"model": f"{self.stage.name}-{('otter', 'heron')[number % 2]}"}
            try:
                answer = self.stage.clients[0].post(f"{self.stage.path}promotions/", json=body)
            except httpx.HTTPError as error:
                self.refused.append(repr(error))
                continue
            if answer.status_code in (200, 201):
                self.promoted.append(answer.json()["id"])
            else:
                self.refused.append(answer.status_code)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        self.thread.join()


def history_of(stage):
    found, path = [], f"{stage.path}promotions/?limit=50"
    while path:
        page = stage.get(path)
        found, path = found + page["results"], page["next"]
    return found[::-1]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_it_is_restarted_under_load(control_plane, database, rasa, mode):
    stage = Stage.begin(control_plane, 3)
    rasa.held = threading.Event()
    job = control_plane.http.post("/api/v1/jobs/", json={"kind": "training"}).json()["id"]
    with Polling(stage.replicas, INTERVAL / 10), Promoting(stage) as promoting:
        wait_until(lambda: rasa.training, 60, "a training")
        wait_until(lambda: len(promoting.promoted) > 5, 60, "a few promotions")
        database.restart(mode)
        before = len(promoting.promoted)
        wait_until(lambda: len(promoting.promoted) > before + 5, 60, "promotions after it")
        rasa.held.set()
    # Changes that came while it was away were told so, and none of them was half made.
    assert set(promoting.refused) <= {503}, promoting.refused
    history = history_of(stage)
    assert set(promoting.promoted) <= {promotion["id"] for promotion in history}
    models = [promotion["model"] for promotion in history]
    assert [promotion["previous_model"] for promotion in history] == [None, *models[:-1]]
    statuses = {answer.status for replica in stage.replicas for answer in replica.answers}
    assert statuses <= {200, 304, 503}, statuses
    last = stage.promote("otter" if models[-1].endswith("heron") else "heron")
    for replica in stage.replicas:
        replica.load()
    wait_until(lambda: stage.promotion(last)["status"] == "succeeded", 30, "a promotion that is proved")
    ended = control_plane.http.get(f"/api/v1/jobs/{job}/", params={"wait": 60}).json()
    assert (ended["status"], ended["error_detail"]) == ("succeeded", "")
    assert httpx.get(f"{control_plane.url}/readyz", timeout=30).status_code == 200
