"""A stock Rasa server trains and tests, real workers run the pipelines, a real receiver is told.

Each night's data is sent as a bundle. What is better than what serves is promoted, what is worse is left, and why can
be read on the page and in the notification.
"""

import hashlib
import hmac
import json

import pytest

from tests import live
from tests.projects import tree, zipped
from tests.receiver import Receiver

pytestmark = pytest.mark.rasa

DECLARATION = """
rasa:
  production: {{url: http://127.0.0.1:9, pull_interval: 2}}
  worker: {{url: {worker}, token: the-token-of-the-worker, pull_interval: 2}}
"""
ENDPOINTS = """
models:
  url: {url}/api/projects/default/models/tags/production
  token: {token}
  wait_time_between_pulls: 2
"""
CONFIG = """
recipe: default.v1
language: en
assistant_id: otters
pipeline:
- name: WhitespaceTokenizer
- name: KeywordIntentClassifier
- name: RegexEntityExtractor
policies:
- name: RulePolicy
"""
DOMAIN = """
version: "3.1"
intents: [greet, bye]
entities: [city]
responses:
  utter_greet:
  - text: Hello
"""
LOOKUP = "- lookup: city\n  examples: |\n    - Berlin\n    - Bern\n"
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def nlu(**examples):
    """`nlu(greet=["hi"])` as a file of training data, with cities."""
    items = "".join(
        f"- intent: {intent}\n  examples: |\n" + "".join(f"    - {text}\n" for text in texts)
        for intent, texts in examples.items()
    )
    return f'version: "3.1"\nnlu:\n{items}{LOOKUP}'


CITY = "greetings from [Bern](city)"
TESTED = nlu(greet=[f"hello {number}" for number in NUMBERS], bye=[f"farewell {number}" for number in NUMBERS])
# What is trained on each night: the test data needs the words hello and farewell.
FIRST = nlu(greet=["hi", CITY], bye=["bye"])
MORE = nlu(greet=["hi", "hello", "greetings", CITY], bye=["bye", "farewell"])
LESS = nlu(greet=["hi", "hello", CITY], bye=["bye"])

PIPELINES = """
pipelines:
  nightly:
    owner: admin
    gates:
      better_than_serving: {margin: 0.05}
      intent_loss: {examples: 5, at_most: 0.2}
      must_pass:
      - {text: greetings from Bern, intent: greet, entities: [{entity: city, value: Bern}]}
    promote: production
    on: {schedule: 0 3 * * *, time_zone: Europe/Berlin}
"""
REPLACEMENT = """
pipelines:
  on-upload:
    owner: admin
    gates: {minimum_f1: 0.9, better_than_serving: true}
    promote: production
    on: {upload: true}
"""
IT_IS_NIGHT = """
from django.utils import timezone
from environments.models import Pipeline
Pipeline.objects.present().filter(name="nightly").update(due_at=timezone.now())
"""
PAGE = """
from django.test import Client
from accounts.models import User
client = Client()
client.force_login(User.objects.get(username="admin"))
print(client.get("{path}", headers={{"host": "localhost"}}).content.decode())
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory, start_rasa):
    """Web, workers and beat, and a Rasa server that trains and loads what it tests from the control plane."""
    home = tmp_path_factory.mktemp("pipelines")
    variables = {"CONTROLPLANE_PIPELINES": str(home / "pipelines.yml"), "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
    parts = ("web", "training", "evaluation", "default", "beat")
    control_plane = live.ControlPlane(home, variables=variables, parts=parts)
    control_plane.declare(DECLARATION.format(worker="http://127.0.0.1:8"))
    token = control_plane.service_token("worker")
    server = start_rasa(token="the-token-of-the-worker", endpoints=ENDPOINTS.format(url=control_plane.url, token=token))
    server.wait()
    control_plane.declare(DECLARATION.format(worker=server.url))
    yield control_plane
    control_plane.stop()
    server.stop()


@pytest.fixture(scope="module")
def receiver(installation):
    """Gets what pipelines tell; `.secret` is what it verifies by."""
    with Receiver() as receiver:
        body = {
            "name": "team",
            "kind": "signed",
            "target": receiver.url,
            "events": ["pipeline.succeeded", "pipeline.failed", "gate.failed"],
        }
        made = installation.http.post("/api/v1/webhooks/", json=body)
        assert made.status_code == 201, made.text
        receiver.secret = made.json()["secret"]
        yield receiver


def verified(receiver, count):
    """What the newest of so many notifications tells, once its signature was verified as the documentation says."""
    got = receiver.wait_for(count)[-1]
    signed = f"{got.headers['x-controlplane-timestamp']}.".encode() + got.body
    wanted = hmac.new(receiver.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert got.headers["x-controlplane-signature"].endswith(wanted)
    return json.loads(got.body)


def declare(control_plane, text):
    (control_plane.home / "pipelines.yml").write_text(text)
    control_plane.manage("sync_pipelines")


def send(control_plane, data):
    archive = zipped(
        {**tree(), "config.yml": CONFIG, "domain.yml": DOMAIN, "data/nlu.yml": data, "tests/test_nlu.yml": TESTED}
    )
    sent = control_plane.http.post("/api/v1/bundles/", files={"bundle": ("bundle.zip", archive, "application/zip")})
    assert sent.status_code == 201, sent.text


def runs(control_plane, pipeline):
    return control_plane.http.get(f"/api/v1/pipelines/{pipeline}/runs/").json()["results"]


def next_run(control_plane, pipeline, before):
    """The run that begins by itself after so many before, when it has ended."""
    live.wait_until(lambda: len(runs(control_plane, pipeline)) > before, 60, f"a run of {pipeline}")
    newest = runs(control_plane, pipeline)[0]
    # Longer than any answer is held: on a busy machine Rasa takes its time.
    for _ in range(5):
        run = control_plane.http.get(f"/api/v1/pipeline-runs/{newest['id']}/?wait=60").json()
        if run["finished_at"]:
            break
    return run


def night(control_plane, data):
    """New data comes, and the schedule's time with it."""
    before = len(runs(control_plane, "nightly"))
    send(control_plane, data)
    control_plane.run(IT_IS_NIGHT)
    return next_run(control_plane, "nightly", before)


def serves(control_plane):
    return control_plane.http.get("/api/v1/environments/production/").json()["model"]["name"]


def serve_nothing(control_plane):
    nothing = control_plane.http.post("/api/v1/environments/production/promotions/", json={"model": None})
    nothing.raise_for_status()


def page_of(control_plane, run):
    return control_plane.run(PAGE.format(path=f"/p/default/pipelines/{run['pipeline']}/runs/{run['id']}/"))


def test_a_nightly_pipeline_promotes_the_better_model_and_leaves_the_worse_one(installation, receiver):
    declare(installation, PIPELINES)
    serve_nothing(installation)
    told_before = len(receiver.got)
    first = night(installation, FIRST)
    assert (first["status"], first["error_detail"]) == ("succeeded", ""), first
    assert [verdict["passed"] for verdict in first["gates"]] == [True] * 3
    assert "Nothing serves there yet" in first["gates"][0]["detail"]
    assert serves(installation) == first["model"]
    assert verified(receiver, told_before + 1)["data"]["run"] == first["id"]

    better = night(installation, MORE)
    assert (better["status"], better["error_detail"]) == ("succeeded", ""), better
    assert better["trigger"] == "schedule"
    assert serves(installation) == better["model"]
    assert better["serving"] == first["model"]
    told = verified(receiver, told_before + 2)
    assert told["event"] == "pipeline.succeeded"
    assert told["subject"] == f"Pipeline nightly promoted {better['model']} to production"

    worse = night(installation, LESS)
    assert (worse["status"], worse["error_code"]) == ("failed", "gates-not-passed"), worse
    assert serves(installation) == better["model"]
    by_gate = {verdict["name"]: verdict for verdict in worse["gates"]}
    gate = by_gate["better_than_serving"]
    assert gate["p_value"] < 0.01
    assert (gate["fixed"], gate["broken"]) == (0, 10)
    assert "F1 fell from 1.000" in gate["detail"]
    assert by_gate["intent_loss"]["lost"][0]["intent"] == "bye"
    told = verified(receiver, told_before + 3)
    assert (told["event"], gate["detail"] in told["text"]) == ("gate.failed", True)
    page = page_of(installation, worse)
    assert "Of 20 utterances 0 became right and 10 wrong" in page
    assert "No model passed the gates, so none was promoted" in page


def test_the_script_that_uploaded_evaluated_and_tagged_is_one_pipeline(installation, receiver):
    """One upload; what the script did after it (train, evaluate, compare, tag, tell) happens by itself."""
    declare(installation, REPLACEMENT)
    told_before = len(receiver.got)
    serve_nothing(installation)
    send(installation, MORE + "# of another day\n")
    run = next_run(installation, "on-upload", 0)
    assert (run["status"], run["error_detail"]) == ("succeeded", ""), run
    assert run["trigger"] == "upload"
    assert serves(installation) == run["model"]
    promotion = installation.http.get(f"/api/v1/promotions/{run['promotion']}/").json()
    assert (promotion["origin"], promotion["by"]) == ("pipeline", "admin")
    assert verified(receiver, told_before + 1)["data"]["model"] == run["model"]
