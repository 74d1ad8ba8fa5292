"""Tests of models as Rasa X clients ask for them: PUT holds until the result is there, GET reads it."""

import io
import threading

import pytest
from django.db import connection, connections

from controlplane import celery_app
from environments.actions import evaluations
from environments.models import Evaluation
from environments.receiving import receive_bundle
from tests.factories import EvaluationFactory
from tests.projects import MORE_NLU, TEST_NLU, tree, zipped
from workers.tasks import evaluation

URLS = ("/api/projects/default/evaluations", "/api/evaluations")


@pytest.fixture(params=URLS)
def url(request):
    return request.param


@pytest.fixture
def of_otter(project, otter, bundle):
    return EvaluationFactory(project=project, model=otter, bundle=bundle, wrong=("hello",))


def test_the_newest_result_is_read(as_ben, url, project, otter, bundle, of_otter):
    EvaluationFactory(project=project, model=otter, bundle=bundle, job__status="running", intents=None)
    told = as_ben.get(f"{url}/brisk-otter").json()
    assert told["model"] == "brisk-otter"
    found = told["intent_evaluation"]
    assert found["f1_score"] == pytest.approx(of_otter.f1)
    assert found["accuracy"] == 0.75
    assert found["report"]["greet"] == {"precision": 1.0, "recall": 0.5, "f1-score": 2 / 3, "support": 2}
    assert found["report"]["weighted avg"]["f1-score"] == found["f1_score"]
    assert found["report"]["weighted avg"]["support"] == 4
    assert found["predictions"][1] == {"text": "hello", "intent": "greet", "predicted": "bye", "confidence": 0.9}
    assert found["timestamp"] == of_otter.job.finished_at.timestamp()
    assert told["entity_evaluation"] is None


def test_the_list_has_the_newest_of_each_model(as_ben, url, project, otter, heron, bundle, of_otter):
    newer = EvaluationFactory(project=project, model=otter, bundle=bundle)
    EvaluationFactory(project=project, model=heron, bundle=bundle, wrong=("bye",))
    response = as_ben.get(url)
    assert [one["model"] for one in response.json()] == ["calm-heron", "brisk-otter"]
    assert response.json()[1]["intent_evaluation"]["f1_score"] == newer.f1
    assert "predictions" not in response.json()[0]["intent_evaluation"]
    assert response["X-Total-Count"] == "2"
    assert [one["model"] for one in as_ben.get(f"{url}?limit=1&offset=1").json()] == ["brisk-otter"]


def test_what_was_not_evaluated_is_404_with_the_cure(as_ben, url, otter):
    response = as_ben.get(f"{url}/brisk-otter")
    assert response.status_code == 404
    assert "PUT the same address" in response.json()["message"]
    assert as_ben.get(f"{url}/no-such").status_code == 404
    assert as_ben.delete(f"{url}/brisk-otter").status_code == 404


def test_a_result_is_taken_away(as_ben, url, of_otter):
    assert as_ben.delete(f"{url}/brisk-otter").status_code == 204
    assert as_ben.get(f"{url}/brisk-otter").status_code == 404


def test_without_a_bundle_it_is_409(as_ben, url, training_server, otter):
    response = as_ben.put(f"{url}/brisk-otter")
    assert response.status_code == 409
    assert response.json()["reason"] == "NoBundle"
    assert not Evaluation.objects.exists()


def test_where_too_many_wait_it_is_told_that_it_runs(as_ben, url, settings, training_server, bundle, otter, sent):
    settings.MAX_WAITS = 0
    response = as_ben.put(f"{url}/brisk-otter")
    made = Evaluation.objects.get()
    assert response.status_code == 202
    assert response.json() == {"model": "brisk-otter", "status": "queued", "evaluation": str(made.pk)}


# With the work done meanwhile, as a worker does it


@pytest.fixture
def worked(transactional_db, settings, monkeypatch, training_server, by_ana, project):
    """Jobs are done as soon as they are sent, by a thread where the database is not in memory: there a table that one
    connection writes is locked for the other. Returns the fake Rasa server."""
    settings.MAX_WAITS = 4
    settings.TRAINING_PATIENCE = 0
    threads = []

    def work(job):
        try:
            evaluation.evaluate(job)
        finally:
            connections.close_all()

    def send(name, args, **_):
        assert name == "workers.evaluate"
        if connection.vendor == "sqlite":
            evaluation.evaluate(*args)
            return
        threads.append(threading.Thread(target=work, args=args))
        threads[-1].start()

    monkeypatch.setattr(celery_app, "send_task", send)
    receive_bundle(project=project, stream=io.BytesIO(zipped(tree(data__nlu=MORE_NLU, tests__nlu=TEST_NLU))), by=by_ana)
    yield training_server
    for thread in threads:
        thread.join()


@pytest.mark.postgresql
def test_put_holds_until_get_has_the_result(worked, as_ben, stored_model):
    stored_model("brisk-otter")
    worked.test_seconds = 0.5
    worked.predict = lambda url, text, intent: "greet"
    put = as_ben.put("/api/projects/default/evaluations/brisk-otter")
    assert put.status_code == 200
    got = as_ben.get("/api/projects/default/evaluations/brisk-otter")
    assert got.json() == put.json()
    assert got.json()["intent_evaluation"]["f1_score"] == pytest.approx(8 / 15)


@pytest.mark.postgresql
@pytest.mark.parametrize(("takes", "answer", "status"), [(True, (413, {}, b""), 422), (False, None, 503)])
def test_put_says_why_there_is_no_result(worked, as_ben, stored_model, takes, answer, status):
    stored_model("brisk-otter")
    worked.takes, worked.test_override = lambda url: takes, answer
    response = as_ben.put("/api/projects/default/evaluations/brisk-otter")
    assert response.status_code == status
    assert response.json()["details"]["error_code"] in ("evaluation-failed", "evaluation-unavailable")
    assert evaluations.newest(Evaluation.objects.get().model) is None
