"""Two web processes and two sets of workers, each in a home of its own as in containers, behind an nginx: one truth.

They share a database, a Redis, the archives and the secrets, and no memory and no other file.
"""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests import live
from tests.bad_days.conftest import database
from tests.fake_rasa import FakeRasa
from tests.live import wait_until
from tests.outages import RedisServer
from tests.polling import INSTALLATION_TOKEN, INTERVAL, Polling, Stage
from tests.projects import zipped
from tests.reverse_proxies import Nginx

pytestmark = [pytest.mark.postgresql, pytest.mark.redis, pytest.mark.nginx]

WEBS = ("web", "web-2")
OF_SECOND = ("web-2", "training-2", "default-2")
PARTS = (*WEBS, "training", "training-2", "default", "default-2", "beat", "beat-2")
SECRETS = {
    "CONTROLPLANE_SECRET_KEY": "the-installation-key-of-both-containers",
    "RASA_X_TOKEN": INSTALLATION_TOKEN,
    "RASA_TOKEN": "the-token-of-the-rasa-servers",
    "JWT_SECRET": "the-secret-of-end-users-tokens",
    "CONTROLPLANE_ADMIN_PASSWORD": "otters swim in rivers",
}
PASSWORD = SECRETS["CONTROLPLANE_ADMIN_PASSWORD"]
ENVIRONMENTS = "rasa: {production: {url: 'http://production.invalid:5005'}, worker: {url: '%s'}}\n"
CLIENT, OTHER_CLIENT = "127.0.0.2", "127.0.0.3"
OTHER_KEY = {"CONTROLPLANE_SECRET_KEY": "an installation key of the second container alone"}


class Containers:
    """The installation, its nginx, and where its requests go."""

    def __init__(self, control_plane, nginx, rasa):
        self.control_plane, self.nginx, self.rasa = control_plane, nginx, rasa
        self.urls = [f"http://127.0.0.1:{control_plane.ports[web]}" for web in WEBS]

    def client(self, url, *, address=CLIENT, **options):
        """Somebody at that address, signed in as nobody."""
        return httpx.Client(base_url=url, transport=httpx.HTTPTransport(local_address=address), timeout=60, **options)

    def ready(self, web):
        response = httpx.get(f"http://127.0.0.1:{self.control_plane.ports[web]}/readyz", timeout=30)
        return response.status_code, response.json()

    def restart(self, web, **variables):
        """As a container that was made anew, with these variables."""
        before = self.control_plane.variables_of[web]
        self.control_plane.kill(web)
        self.control_plane.variables_of[web] = {**before, **variables}
        self.control_plane.start(web)


def home_of(folder, volume):
    """A home whose archives lie on the volume that both containers have."""
    folder.mkdir()
    for name in ("archives", "bundles"):
        (volume / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(volume / name)
    return folder


@pytest.fixture(scope="module")
def containers(tmp_path_factory):
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("containers")
        first, second = (home_of(folder / name, folder / "volume") for name in ("first", "second"))
        redis = RedisServer(tmp_path_factory.mktemp("redis"))
        stack.callback(redis.stop)
        rasa = stack.enter_context(FakeRasa(always_new=True))
        variables = {
            "DATABASE_URL": stack.enter_context(database()),
            "CACHE_URL": redis.url,
            "BROKER_URL": redis.url.removesuffix("/0") + "/1",
            "TRUSTED_PROXIES": "127.0.0.1",
            **SECRETS,
        }
        control_plane = live.ControlPlane(
            first,
            ENVIRONMENTS % rasa.url,
            variables=variables,
            parts=PARTS,
            variables_of={part: {"CONTROLPLANE_HOME": str(second)} for part in OF_SECOND},
        )
        stack.callback(control_plane.stop)
        nginx = Nginx(tmp_path_factory.mktemp("nginx"), [control_plane.ports[web] for web in WEBS])
        stack.callback(nginx.stop)
        yield Containers(control_plane, nginx, rasa)


def test_each_of_them_finds_that_it_fits(containers):
    wait_until(lambda: all(containers.ready(web)[0] == 200 for web in WEBS), 30, "two that are ready")
    for web in WEBS:
        _, states = containers.ready(web)
        assert set(states.values()) == {"ready", "ok"}


def promote_often(stage, count):
    """Promote one and the other by turns, through the proxy; the ids that were answered, and how many were not."""
    answered, broken = [], 0
    for number in range(count):
        model = f"{stage.name}-{('otter', 'heron')[number % 2]}"
        try:
            response = stage.clients[0].post(f"{stage.path}promotions/", json={"model": model})
        except httpx.HTTPError:
            broken += 1
            continue
        if response.status_code in (200, 201):
            answered.append(response.json()["id"])
        else:
            # Of a change nginx does not know whether it was made, so it asks nobody else.
            assert response.status_code in (502, 504), response.text
            broken += 1
    return answered, broken


def test_promotions_through_both_while_one_is_killed_are_all_there_and_once(containers):
    stage = Stage.begin(containers.control_plane, 2, urls=[containers.nginx.url])
    with Polling(stage.replicas, INTERVAL / 10), ThreadPoolExecutor(4) as people:
        promoting = [people.submit(promote_often, stage, 12) for _ in range(4)]
        wait_until(lambda: len(stage.get(f"{stage.path}promotions/")["results"]) > 5, 60, "a few promotions")
        containers.control_plane.kill("web-2")
        results = [each.result() for each in promoting]
        containers.control_plane.start("web-2")
        last = stage.promote("heron")
        wait_until(lambda: stage.promotion(last)["status"] == "succeeded", 60, "a last promotion that is proved")
    answered = {one for ids, _ in results for one in ids}
    history = history_of(stage)
    assert answered <= {promotion["id"] for promotion in history}
    # Each leads on from the one before: none was lost between two processes, and none was made twice.
    models = [promotion["model"] for promotion in history]
    assert [promotion["previous_model"] for promotion in history] == [None, *models[:-1]]
    assert stage.environment()["model"]["name"] == models[-1] == f"{stage.name}-heron"
    assert {replica.model for replica in stage.replicas} == {stage.heron}
    statuses = Counter(answer.status for replica in stage.replicas for answer in replica.answers)
    assert statuses.keys() <= {200, 304, 0}
    # One whose archive was on its way when the process died gets it again.
    assert statuses[0] <= len(stage.replicas)


def history_of(stage):
    """All promotions of the stage, the first first."""
    found, path = [], f"{stage.path}promotions/?limit=50"
    while path:
        page = stage.get(path)
        found, path = found + page["results"], page["next"]
    return found[::-1]


def test_wrong_passwords_count_wherever_they_come_in_and_nobody_hides_behind_a_header(containers):
    def sign_in(password, address=CLIENT, **headers):
        with containers.client(containers.nginx.url, address=address, headers=headers) as client:
            return client.post("/api/auth", json={"username": "admin", "password": password}).status_code

    spoofed = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(8)]
    assert [sign_in("wrong", **headers) for headers in spoofed[:5]] == [401] * 5
    assert [sign_in(PASSWORD, **headers) for headers in spoofed[5:]] == [429] * 3
    assert sign_in(PASSWORD, OTHER_CLIENT) == 200
    # Nor by asking a web process itself, past the proxy.
    for url in containers.urls:
        with containers.client(url, headers={"X-Forwarded-For": OTHER_CLIENT}) as client:
            assert client.post("/api/auth", json={"username": "admin", "password": PASSWORD}).status_code == 429
    containers.control_plane.run("from axes.models import AccessAttempt; AccessAttempt.objects.all().delete()")


def test_the_audit_trail_has_the_address_of_the_client(containers):
    stage = Stage(containers.control_plane, [containers.nginx.url])
    token = {"Authorization": f"Bearer {containers.control_plane.token}"}
    stage.upload("otter")
    with containers.client(containers.nginx.url, headers={**token, "X-Forwarded-For": "198.51.100.7"}) as client:
        for _ in WEBS:
            client.post(f"{stage.path}promotions/", json={"model": f"{stage.name}-otter"}).raise_for_status()
        events = client.get("/api/v1/audit-events/", params={"object": f"environment:{stage.name}"}).json()["results"]
    promoted = [event["address"] for event in events if event["action"] == "environment.promote"]
    assert promoted
    assert set(promoted) == {CLIENT}


def token_of(page):
    return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text).group(1)


def test_who_signs_in_at_one_is_signed_in_at_the_other_until_signed_out_at_either(containers):
    one, other = containers.urls
    with containers.client(one, follow_redirects=False) as client:
        form = {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token_of(client.get("/sign-in/"))}
        assert client.post("/sign-in/", data=form).status_code == 302
        pages = [client.get(f"{url}/p/default/") for url in (one, other)]
        assert [page.status_code for page in pages] == [200, 200]
        leaving = {"csrfmiddlewaretoken": token_of(pages[1])}
        assert client.post(f"{other}/sign-out/", data=leaving).status_code == 302
        assert [client.get(f"{url}/p/default/").status_code for url in (one, other)] == [302, 302]


def test_tokens_of_either_are_taken_by_both(containers):
    keys = [httpx.get(f"{url}/api/version", timeout=30).json()["keys"] for url in containers.urls]
    assert keys[0] == keys[1] != []
    for url in containers.urls:
        body = {"username": "admin", "password": PASSWORD}
        token = httpx.post(f"{url}/api/auth", json=body, timeout=30).json()["access_token"]
        for asked in containers.urls:
            answer = httpx.get(f"{asked}/api/user", headers={"Authorization": f"Bearer {token}"}, timeout=30)
            assert answer.json()["username"] == "admin"


def test_jobs_are_waited_for_and_read_at_either_and_each_runs_once(containers):
    before = trainings(containers.rasa)
    with ExitStack() as stack:
        clients = [stack.enter_context(containers.control_plane.client(web)) for web in WEBS]
        sent = clients[0].post("/api/v1/bundles/", files={"bundle": ("bundle.zip", zipped())})
        assert sent.status_code == 201, sent.text
        jobs = [clients[n % 2].post("/api/v1/jobs/", json={"kind": "training"}).json()["id"] for n in range(4)]

        def ended(n):
            return clients[(n + 1) % 2].get(f"/api/v1/jobs/{jobs[n]}/", params={"wait": 60}).json()

        with ThreadPoolExecutor(4) as people:
            results = list(people.map(ended, range(4)))
        assert [job["status"] for job in results] == ["succeeded"] * 4
        assert trainings(containers.rasa) == before + 4
        for job in jobs:
            logs = [client.get(f"/api/v1/jobs/{job}/log/").json()["text"] for client in clients]
            assert logs[0] == logs[1] != ""


def trainings(rasa):
    return sum(path == "/model/train" for _, path, _, _ in rasa.requests)


def test_with_an_installation_key_of_its_own_one_answers_nobody_and_says_what_to_do(containers):
    stage = Stage.begin(containers.control_plane, 1, urls=[containers.nginx.url])
    containers.restart("web-2", **OTHER_KEY)
    status, states = containers.ready("web-2")
    assert (status, states["instance"]) == (503, "other-installation-key")
    assert "CONTROLPLANE_SECRET_KEY" in states["detail"]
    assert httpx.get(f"{containers.urls[1]}/sign-in/", timeout=30).status_code == 503
    # Whoever asks through the proxy notices nothing.
    assert {stage.replicas[0].poll().status for _ in range(6)} == {304}
    assert {stage.status(stage.path) for _ in range(6)} == {200}
    containers.restart("web-2", CONTROLPLANE_SECRET_KEY=SECRETS["CONTROLPLANE_SECRET_KEY"])
    wait_until(lambda: containers.ready("web-2")[0] == 200, 30, "the second one ready again")


def test_with_archives_of_its_own_one_answers_nobody_until_they_are_shared(containers, tmp_path):
    home = containers.control_plane.variables_of["web-2"]["CONTROLPLANE_HOME"]
    containers.restart("web-2", CONTROLPLANE_HOME=str(tmp_path))
    wait_until(lambda: containers.ready("web-2")[0] == 503, 30, "one that does not fit")
    _, states = containers.ready("web-2")
    assert (states["instance"], "archives" in states["detail"]) == ("other-store", True)
    assert containers.ready("web")[0] == 200
    containers.restart("web-2", CONTROLPLANE_HOME=home)
    wait_until(lambda: containers.ready("web-2")[0] == 200, 30, "the second one ready again")


def test_a_cache_of_its_own_is_told(containers):
    url = containers.control_plane.environment["CACHE_URL"]
    containers.restart("web-2", CACHE_URL="locmemcache://own")
    wait_until(lambda: containers.ready("web-2")[1]["cache"] == "not shared", 40, "word of another cache")
    assert "CACHE_URL" in containers.control_plane.log("web-2")
    containers.restart("web-2", CACHE_URL=url)
    wait_until(lambda: containers.ready("web-2")[1]["cache"] == "ok", 30, "a shared cache")
