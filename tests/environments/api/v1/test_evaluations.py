"""Evaluations over the API: ask for one, read it, compare two."""

import pytest

from environments.actions import evaluations
from environments.models import Evaluation
from tests.factories import EvaluationFactory, ProjectFactory, TrainedModelFactory, give

URL = "/api/v1/evaluations/"


@pytest.fixture
def ready(training_server, bundle, sent):
    """A bundle and somewhere to test."""
    return bundle


def post(client, **body):
    return client.post(URL, body, content_type="application/json")


@pytest.fixture
def of_otter(project, otter, bundle):
    return EvaluationFactory(project=project, model=otter, bundle=bundle, wrong=("hello",))


@pytest.fixture
def of_heron(project, heron, bundle):
    return EvaluationFactory(project=project, model=heron, bundle=bundle, wrong=("bye",))


def test_an_evaluation_is_asked_for(as_ben, ready, otter, django_capture_on_commit_callbacks, sent):
    with django_capture_on_commit_callbacks(execute=True):
        response = post(as_ben, model="brisk-otter")
    assert response.status_code == 201
    told = response.json()
    assert (told["model"], told["bundle"], told["status"]) == ("brisk-otter", str(ready.pk), "queued")
    assert (told["test_hash"], told["intents"], told["by"]) == ("", None, "ben")
    assert sent == [("workers.evaluate", [int(told["job"])])]


def test_bundle_method_and_folds_are_taken(as_ben, ready, otter):
    told = post(as_ben, model="brisk-otter", bundle=str(ready.pk), method="cross_validation", folds=3).json()
    assert told["method"] == "cross_validation"
    assert Evaluation.objects.get().job.options == {"model": "brisk-otter", "method": "cross_validation", "folds": 3}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "model"),
        ({"model": 3}, "model"),
        ({"model": "brisk-otter", "method": "guess"}, "method"),
        ({"model": "brisk-otter", "folds": 1}, "folds"),
        ({"model": "brisk-otter", "folds": "5"}, "folds"),
        ({"model": "brisk-otter", "bundel": "1"}, "bundel"),
    ],
)
def test_bad_bodies_name_the_field_and_change_nothing(as_ben, ready, otter, body, field):
    response = post(as_ben, **body)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert not Evaluation.objects.exists()


def test_what_is_not_there_is_404(as_ben, ready, otter):
    assert post(as_ben, model="no-such").status_code == 404
    assert post(as_ben, model="brisk-otter", bundle="99").status_code == 404
    assert as_ben.get(f"{URL}99/").status_code == 404
    assert as_ben.get(f"{URL}x/").status_code == 404


def test_without_a_bundle_it_is_refused(as_ben, training_server, otter):
    response = post(as_ben, model="brisk-otter")
    assert (response.status_code, response.json()["type"]) == (409, "/problems/no-bundle")


def test_without_a_server_to_test_on_it_is_refused(as_ben, bundle, otter):
    response = post(as_ben, model="brisk-otter")
    assert (response.status_code, response.json()["type"]) == (409, "/problems/no-training-environment")


def test_a_result_is_read(as_ben, of_otter):
    told = as_ben.get(f"{URL}{of_otter.pk}/").json()
    assert told["status"] == "succeeded"
    assert told["intents"]["accuracy"] == 0.75
    assert set(told["intents"]["per_intent"]["greet"]) == {"precision", "recall", "f1", "support"}
    assert told["intents"]["confusion"]["greet"] == {"bye": 1, "greet": 1}
    assert (told["entities"], told["stories"]) == (None, None)


def test_the_predictions_are_read(as_ben, of_otter):
    everything = as_ben.get(f"{URL}{of_otter.pk}/predictions/").json()
    wrong = as_ben.get(f"{URL}{of_otter.pk}/predictions/?wrong=true").json()
    assert len(everything) == 4
    assert wrong == [{"text": "hello", "intent": "greet", "predicted": "bye", "confidence": 0.9}]
    assert as_ben.get(f"{URL}{of_otter.pk}/predictions/?wrong=maybe").status_code == 400


def test_lists_are_filtered(as_ben, of_otter, of_heron):
    def listed(query=""):
        return [one["model"] for one in as_ben.get(f"{URL}{query}").json()["results"]]

    assert listed() == ["calm-heron", "brisk-otter"]
    assert listed("?model=brisk-otter") == ["brisk-otter"]
    assert listed(f"?bundle={of_otter.bundle.pk}") == ["calm-heron", "brisk-otter"]
    assert listed("?bundle=nothing") == []
    assert listed(f"?test_hash={'0' * 64}") == []


def test_two_are_compared(as_ben, of_otter, of_heron):
    told = as_ben.get(f"{URL}compare/?a={of_otter.pk}&b={of_heron.pk}").json()
    assert (told["a"], told["b"]) == (str(of_otter.pk), str(of_heron.pk))
    assert told["models"] == {"a": "brisk-otter", "b": "calm-heron"}
    assert told["f1"]["a"] == pytest.approx(told["f1"]["b"])
    assert told["f1"]["p_value"] == 1.0
    assert (told["broken"], told["fixed"]) == (["bye"], ["hello"])
    assert [change["intent"] for change in told["per_intent"]] == ["bye", "greet"]
    assert told["per_intent"][0]["delta"] < 0 < told["per_intent"][1]["delta"]
    assert told["changed"][0] == {"text": "hello", "intent": "greet", "a": "bye", "b": "greet"}


def test_models_are_compared_by_what_they_have_in_common(as_ben, project, otter, heron, bundle, of_otter, of_heron):
    EvaluationFactory(project=project, model=otter, bundle=bundle, test_hash="1" * 64)
    told = as_ben.get(f"{URL}compare/?a=brisk-otter&b=calm-heron").json()
    assert (told["a"], told["b"]) == (str(of_otter.pk), str(of_heron.pk))
    assert as_ben.get(f"{URL}compare/?a={of_otter.pk}&b=calm-heron").json()["b"] == str(of_heron.pk)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"test_hash": "1" * 64}, "not the same examples"),
        ({"job__status": "running"}, "is running and has no result"),
        ({"intents": None}, "no examples of intents"),
        ({"predictions": None, "intents": {"f1": 1.0}}, "one by one"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_cure(as_ben, project, heron, bundle, of_otter, changes, sentence):
    other = EvaluationFactory(project=project, model=heron, bundle=bundle, **changes)
    response = as_ben.get(f"{URL}compare/?a={of_otter.pk}&b={other.pk}")
    assert (response.status_code, response.json()["type"]) == (409, "/problems/not-comparable")
    assert sentence in response.json()["detail"]


def test_a_model_that_was_never_evaluated_is_not_compared(as_ben, of_otter, heron):
    response = as_ben.get(f"{URL}compare/?a=brisk-otter&b=calm-heron")
    assert response.status_code == 409
    assert "calm-heron was not evaluated" in response.json()["detail"]


def test_both_sides_are_needed(as_ben, of_otter):
    assert as_ben.get(f"{URL}compare/?a={of_otter.pk}").status_code == 400
    assert as_ben.get(f"{URL}compare/?a={of_otter.pk}&b=99").status_code == 404


def test_a_result_is_taken_away(as_ben, of_otter, of_heron):
    assert as_ben.delete(f"{URL}{of_otter.pk}/").status_code == 204
    assert as_ben.get(f"{URL}{of_otter.pk}/").status_code == 404
    assert [one["model"] for one in as_ben.get(URL).json()["results"]] == ["calm-heron"]
    assert as_ben.get(f"{URL}compare/?a=brisk-otter&b=calm-heron").status_code == 409


def test_who_may_read_may_not_run(client, as_dora, dora, project, ready, otter, of_otter):
    assert as_dora.get(URL).status_code == 403
    give(dora, project, "evaluations.read", "models.read")
    assert as_dora.get(f"{URL}{of_otter.pk}/").status_code == 200
    response = post(as_dora, model="brisk-otter")
    assert (response.status_code, response.json()["grant"]) == (403, "evaluations.write")
    assert as_dora.delete(f"{URL}{of_otter.pk}/").status_code == 403


def test_an_outsider_sees_nothing(as_cy, of_otter):
    for url in (URL, f"{URL}{of_otter.pk}/", f"{URL}compare/?a={of_otter.pk}&b={of_otter.pk}"):
        assert as_cy.get(url).status_code == 404


def test_another_projects_are_not_seen(as_ana, otter):
    banking = ProjectFactory(name="banking")
    theirs = EvaluationFactory(project=banking, model=TrainedModelFactory(project=banking))
    assert as_ana.get(f"{URL}{theirs.pk}/").status_code == 404


def test_the_newest_f1_of_each_model_is_one_query(
    project, otter, heron, bundle, of_otter, of_heron, django_assert_num_queries
):
    newer = EvaluationFactory(project=project, model=otter, bundle=bundle)
    EvaluationFactory(project=project, model=otter, bundle=bundle, job__status="failed", intents=None)
    with django_assert_num_queries(1):
        found = evaluations.latest_f1([otter, heron])
    assert found == {otter.pk: newer.f1, heron.pk: of_heron.f1}
