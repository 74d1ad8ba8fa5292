"""The integration script of a Rasa team, with its HTTP calls as they were for Rasa Platform and for Rasa X, against a
stock Rasa server; then two models on one test set, compared."""

import io
import tarfile
import zipfile

import httpx
import pytest

from environments.clients.rasa import RasaClient
from tests import live
from tests.projects import CONFIG, DOMAIN, RULES, zipped

pytestmark = pytest.mark.rasa

# The keyword classifier knows what it was trained on and nothing else: the better model has more words.
POOR = {"greet": ["hi"], "bye": ["bye"]}
RICH = {"greet": ["hi", "hello", "morning"], "bye": ["bye", "ciao", "so long"]}
TEST_NLU = """
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hi there
    - hello you
    - morning all
- intent: bye
  examples: |
    - bye now
    - ciao bella
    - so long my friend
"""
TEST_STORIES = """
version: "3.1"
stories:
- story: greeted
  steps:
  - user: |
      hi there
    intent: greet
  - action: utter_greet
"""
DECLARATION = """
rasa:
  production:
    url: http://127.0.0.1:9
  worker:
    url: {worker}
    token: {token}
    kind: training
    follows: production
    pull_interval: 1
"""
SNIPPET = """
from environments.models import Environment
from environments.pages import connect
environment = Environment.objects.get(name="worker")
print(connect.snippets(environment, "{url}", show_token=False).endpoints, end="")
"""


def nlu_of(words):
    items = [
        f"- intent: {intent}\n  examples: |\n" + "".join(f"    - {word}\n" for word in found)
        for intent, found in words.items()
    ]
    return 'version: "3.1"\nnlu:\n' + "".join(items)


def bundle_of(words, tests=TEST_NLU):
    files = {"config.yml": CONFIG, "domain.yml": DOMAIN, "data/nlu.yml": nlu_of(words), "data/rules.yml": RULES}
    return zipped({**files, "tests/nlu.yml": tests, "tests/test_stories.yml": TEST_STORIES})


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory):
    made = live.ControlPlane(tmp_path_factory.mktemp("evaluating"), parts=("web", "training", "evaluation"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def worker(control_plane, start_rasa):
    """A stock server with the endpoints.yml of the worker's Connect tab."""
    control_plane.declare(DECLARATION.format(worker="http://127.0.0.1:10", token="sesame"))
    endpoints = control_plane.run(SNIPPET.format(url=control_plane.url)).replace(
        "between_pulls: 10", "between_pulls: 1"
    )
    secrets = dict.fromkeys(live.variables_of(endpoints), control_plane.service_token("worker"))
    server = start_rasa(endpoints=endpoints, token="sesame", variables={**secrets, "HOSTNAME": "rasa-worker"})
    server.wait()
    control_plane.declare(DECLARATION.format(worker=server.url, token="sesame"))
    return server


@pytest.fixture(scope="module")
def archives(worker):
    """Archives that a real server trained, by name."""
    found = {}
    for name, words in (("poor", POOR), ("rich", RICH)):
        document = (CONFIG + DOMAIN.replace('version: "3.1"', "") + nlu_of(words) + RULES).encode()
        with RasaClient(worker.url, worker.token).train(document) as trained:
            found[name] = b"".join(iter(lambda trained=trained: trained.read(65536), b""))
    return found


@pytest.fixture(scope="module")
def bundle(control_plane):
    """The training data that the team keeps up to date, with its tests."""
    files = {"bundle": ("data.zip", bundle_of(POOR), "application/zip")}
    response = control_plane.http.post("/api/v1/bundles/", files=files)
    # 200 where a test before sent the same.
    assert response.status_code in (200, 201), response.text
    return response.json()


def unpacked_zip(archive):
    """What the oldest scripts sent: a zip of the unpacked model."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as model, zipfile.ZipFile(packed, "w") as zipped_model:
        for member in model:
            if member.isfile():
                zipped_model.writestr(member.name.lstrip("/"), model.extractfile(member).read())
    return packed.getvalue()


def test_the_script_of_rasa_platform_runs_unchanged(control_plane, worker, archives, bundle):
    """Its calls are written as such scripts have them: a plain client, the token in the query."""
    base, query = f"{control_plane.url}/api/projects/default", {"api_token": control_plane.token}
    with httpx.Client(timeout=320) as script:
        model = "20261127-020000"
        response = script.post(
            f"{base}/models/nlu", params=query, files={"model": (f"{model}.zip", unpacked_zip(archives["rich"]))}
        )
        assert response.status_code == 201
        response = script.put(f"{base}/evaluations/{model}", params=query)
        assert response.status_code == 200, response.text
        response = script.get(f"{base}/evaluations/{model}", params=query)
        assert response.json()["intent_evaluation"]["f1_score"] == 1.0
        response = script.put(f"{base}/models/nlu/{model}/tags/production", params=query)
        assert response.status_code == 204
        listed = script.get(f"{base}/models/nlu", params=query).json()
        assert {"production", "active"} <= set(next(one for one in listed if one["model"] == model)["tags"])
    live.wait_until(lambda: _loaded(worker) == f"{model}.tar.gz", 30, "a load of the promoted model")


def _loaded(worker):
    status = RasaClient(worker.url, worker.token).status()
    return status and status.model_file


def test_the_script_of_rasa_x_runs_unchanged(control_plane, worker, archives, bundle):
    base, query = f"{control_plane.url}/api/projects/default", {"api_token": control_plane.token}
    with httpx.Client(timeout=320) as script:
        response = script.post(
            f"{base}/models", params=query, files={"model": ("poor.tar.gz", archives["poor"], "application/gzip")}
        )
        assert response.status_code == 201
        response = script.put(f"{base}/evaluations/poor", params=query)
        assert response.status_code == 200, response.text
        found = script.get(f"{base}/evaluations/poor", params=query).json()["intent_evaluation"]
        assert found["f1_score"] == pytest.approx(0.5)
        assert len(found["predictions"]) == 6
        response = script.put(f"{base}/models/poor/tags/production", params=query)
        assert response.status_code == 204
        tags = {one["model"]: one["tags"] for one in script.get(f"{base}/models", params=query).json()}
        assert "production" in tags["poor"]
        listed = script.get(f"{base}/evaluations", params=query).json()
        assert listed[0]["model"] == "poor"
        assert script.delete(f"{base}/evaluations/poor", params=query).status_code == 204
        assert script.get(f"{base}/evaluations/poor", params=query).status_code == 404


def trained(control_plane, name, words):
    files = {"bundle": (f"{name}.zip", bundle_of(words), "application/zip")}
    sent = control_plane.http.post("/api/v1/bundles/", files=files).json()
    body = {"kind": "training", "bundle": sent["id"], "model_name": name}
    job = control_plane.http.post("/api/v1/jobs/", json=body).json()
    done = control_plane.http.get(f"/api/v1/jobs/{job['id']}/", params={"wait": 80}).json()
    assert done["status"] == "succeeded", done
    return sent["id"]


def evaluated(control_plane, model, **body):
    made = control_plane.http.post("/api/v1/evaluations/", json={"model": model, **body})
    assert made.status_code == 201, made.text
    url = f"/api/v1/evaluations/{made.json()['id']}/"
    return control_plane.http.get(url, params={"wait": 80}).json()


@pytest.fixture(scope="module")
def two(control_plane, worker):
    """Two models that the worker trained, and the bundle of the better one."""
    trained(control_plane, "calm-heron", POOR)
    return trained(control_plane, "brisk-otter", RICH)


def test_two_models_are_compared_on_one_test_set(control_plane, two):
    a, b = (evaluated(control_plane, model, bundle=two) for model in ("calm-heron", "brisk-otter"))
    assert (a["status"], b["status"]) == ("succeeded", "succeeded")
    assert a["test_hash"] == b["test_hash"]
    assert (a["tested"], a["method"]) == (6, "data")
    assert (a["intents"]["f1"], b["intents"]["f1"]) == (pytest.approx(0.5), 1.0)
    assert a["intents"]["confusion"]["greet"] == {"": 2, "greet": 1}
    response = control_plane.http.get("/api/v1/evaluations/compare/", params={"a": a["id"], "b": b["id"]})
    told = response.json()
    assert (told["broken"], len(told["fixed"])) == ([], 4)
    assert told["f1"] == {"a": pytest.approx(0.5), "b": 1.0, "p_value": 0.125}
    assert [change["delta"] for change in told["per_intent"]] == [pytest.approx(0.5)] * 2


def test_what_was_trained_on_is_told(control_plane, two):
    found = evaluated(control_plane, "brisk-otter", bundle=two, method="split")
    assert (found["method"], found["tested"], found["seen"]) == ("split", 2, 2)
    assert found["intents"]["f1"] == 1.0


def test_a_cross_validation_has_its_f1(control_plane, two):
    found = evaluated(control_plane, "brisk-otter", bundle=two, method="cross_validation", folds=3)
    assert (found["status"], found["error_detail"]) == ("succeeded", "")
    assert found["intents"]["f1"] == 0.0
    assert found["intents"]["confusion"] == {"bye": {"": 3}, "greet": {"": 3}}


def test_stories_are_tested_of_the_model_that_is_loaded(control_plane, worker, two):
    control_plane.http.post("/api/v1/environments/production/promotions/", json={"model": "brisk-otter"})
    live.wait_until(lambda: _loaded(worker) == "brisk-otter.tar.gz", 30, "a load of the promoted model")
    loaded, other = (evaluated(control_plane, model, bundle=two) for model in ("brisk-otter", "calm-heron"))
    assert loaded["stories"]["accuracy"] == 1.0
    assert loaded["stories"]["per_action"]["utter_greet"]["support"] == 1
    assert other["stories"] is None
    assert "not calm-heron" in other["notes"][-1]
    assert _loaded(worker) == "brisk-otter.tar.gz"


def test_a_server_that_cannot_take_models_by_url_says_what_it_needs(control_plane, worker, two, real_rasa):
    control_plane.declare(DECLARATION.format(worker=real_rasa.url, token=real_rasa.token))
    try:
        found = evaluated(control_plane, "brisk-otter", bundle=two)
    finally:
        control_plane.declare(DECLARATION.format(worker=worker.url, token=worker.token))
    assert (found["status"], found["error_code"]) == ("errored", "evaluation-unavailable")
    assert "It did not ask for brisk-otter. It needs a `models:` block" in found["error_detail"]
    assert real_rasa.token not in found["error_detail"]
