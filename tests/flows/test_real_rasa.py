"""Stock Rasa servers, two replicas of one environment, follow promotions: with the endpoints.yml of the Connect tab."""

import statistics
import time

import pytest

from environments.clients.rasa import RasaClient
from tests import live

pytestmark = pytest.mark.rasa

PULL_INTERVAL = 2.0
REPLICAS = ("rasa-blue", "rasa-green")
DOCUMENT = """
version: "3.1"
language: en
assistant_id: follower
pipeline:
- name: WhitespaceTokenizer
- name: KeywordIntentClassifier
policies:
- name: RulePolicy
intents: [greet]
responses:
  utter_greet:
  - text: Hello from {name}
nlu:
- intent: greet
  examples: |
    - hi
    - hello
rules:
- rule: greet back
  steps:
  - intent: greet
  - action: utter_greet
"""
DECLARATION = f"""
rasa:
  followed:
    url: {{url}}
    replicas: 2
    pull_interval: {PULL_INTERVAL}
"""
SNIPPET = """
from environments.models import Environment
from environments.pages import connect
environment = Environment.objects.get(name="followed")
snippets = connect.snippets(environment, "{url}", show_token=False)
print(snippets.endpoints, end="")
"""


@pytest.fixture(scope="module")
def models(real_rasa, live_controlplane):
    """Two models that a real server trained, uploaded: their names, with what each says to hello."""
    said = {}
    for name in ("calm-heron", "brisk-otter"):
        document = DOCUMENT.format(name=name).encode()
        with RasaClient(real_rasa.url, real_rasa.token).train(document) as trained:
            archive = b"".join(iter(lambda trained=trained: trained.read(65536), b""))
        files = {"model": (f"{name}.tar.gz", archive, "application/gzip")}
        response = live_controlplane.http.post("/api/projects/default/models", files=files)
        assert response.status_code == 201, response.text
        said[name] = f"Hello from {name}"
    return said


@pytest.fixture(scope="module")
def replicas(start_rasa, live_controlplane):
    """Two servers with the text that the Connect tab gives, which the environment's address cannot tell apart."""
    live_controlplane.declare(DECLARATION.format(url="http://127.0.0.1:9"))
    endpoints = live_controlplane.run(SNIPPET.format(url=live_controlplane.url))
    token = live_controlplane.service_token("followed")
    named = live.variables_of(endpoints)
    assert "HOSTNAME" in named
    assert token not in endpoints
    secrets = dict.fromkeys(named - {"HOSTNAME"}, token)
    servers = {name: start_rasa(endpoints=endpoints, variables={**secrets, "HOSTNAME": name}) for name in REPLICAS}
    for server in servers.values():
        server.wait()
    live_controlplane.declare(DECLARATION.format(url=servers[REPLICAS[0]].url))
    yield servers
    for server in servers.values():
        server.stop()


def replicas_told(control_plane):
    response = control_plane.http.get("/api/v1/environments/followed/replicas/")
    return {replica["name"]: replica for replica in response.json()}


def promote(control_plane, model):
    response = control_plane.http.post("/api/v1/environments/followed/promotions/", json={"model": model})
    assert response.status_code in (200, 201), response.text
    return response.json()


def says(server, text):
    answers = RasaClient(server.url).send_message("flow", "hello")
    return [answer["text"] for answer in answers] == [text]


def wait_until_live(servers, text):
    live.wait_until(lambda: all(says(server, text) for server in servers.values()), 30, f"{text!r} from all")


def test_both_are_in_the_ledger_and_told_apart(live_controlplane, replicas):
    live.wait_until(lambda: set(replicas_told(live_controlplane)) == set(REPLICAS), 30, "a poll of both")


def test_they_follow_each_promotion_within_one_interval_and_a_second(live_controlplane, replicas, models):
    took = []
    for model in [*models, *models, *models][:5]:
        begun = time.monotonic()
        promotion = promote(live_controlplane, model)
        wait_until_live(replicas, models[model])
        took.append(time.monotonic() - begun)
        answer = live_controlplane.http.get(f"/api/v1/promotions/{promotion['id']}/", params={"wait": 30})
        assert answer.json()["status"] == "succeeded"
        assert {replica["model"] for replica in replicas_told(live_controlplane).values()} == {model}
    assert statistics.median(took) <= PULL_INTERVAL + 1, took


def test_a_rollback_brings_back_the_model_before(live_controlplane, replicas, models):
    names = list(models)
    promote(live_controlplane, names[0])
    promote(live_controlplane, names[1])
    promotion = live_controlplane.http.post("/api/v1/environments/followed/rollback/", json={}).json()
    assert promotion["model"] == names[0]
    wait_until_live(replicas, models[names[0]])
