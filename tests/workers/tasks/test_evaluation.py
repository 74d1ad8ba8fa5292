"""An evaluation from claim to result, and each way it can end otherwise."""

import io
from dataclasses import replace

import pytest
from django.utils import timezone

from accounts.actions import api_tokens
from environments import stores
from environments.actions import evaluations, trained_models
from environments.errors import ArchiveDamaged, ModelInUse
from environments.models import Evaluation, TrainedModel
from environments.receiving import receive_bundle
from environments.states import EvaluationMethod
from tests.factories import JobFactory, take
from tests.projects import MORE_NLU, TEST_NLU, TEST_STORIES, tree, zipped
from workers.tasks import evaluation


@pytest.fixture(autouse=True)
def impatient(settings):
    settings.TRAINING_PATIENCE = 0
    settings.PUBLIC_URL = "http://control-plane:5002"


@pytest.fixture
def ready(training_server, sent):
    """The fake Rasa server of the environment that tests."""
    return training_server


@pytest.fixture
def otter(stored_model):
    return stored_model("brisk-otter")


@pytest.fixture
def send(project, by_ana):
    """`send(tests__nlu=TEST_NLU)`: a bundle of the small project with these changes."""

    def make(**changes):
        stream = io.BytesIO(zipped(tree(**{"data__nlu": MORE_NLU, **changes})))
        return receive_bundle(project=project, stream=stream, by=by_ana).bundle

    return make


def run(model, by, **more):
    made = evaluations.submit(model=model, by=by, **more)
    evaluation.evaluate(made.job.pk)
    return Evaluation.objects.select_related("job", "model", "bundle").get(pk=made.pk)


def sent_data(server):
    return next(body for _, path, _, body in server.requests if path == "/model/test/intents").decode()


def test_a_model_is_tested_on_the_test_data_of_the_newest_bundle(ready, otter, send, by_ben):
    bundle = send(tests__nlu=TEST_NLU)
    ready.predict = lambda url, text, intent: "greet"
    found = run(otter, by_ben)
    assert (found.job.status, found.job.error_detail, found.job.progress) == ("succeeded", "", 1.0)
    assert (found.bundle, found.method, found.tested) == (bundle, EvaluationMethod.DATA, 3)
    assert found.intents["accuracy"] == pytest.approx(2 / 3)
    assert found.intents["per_intent"]["bye"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert found.f1 == pytest.approx((2 * 0.8 + 0) / 3)
    assert [one["text"] for one in found.predictions if one["intent"] != one["predicted"]] == ["bye for now"]
    assert len(found.test_hash) == 64


def test_the_server_is_told_where_the_model_is(ready, otter, send, by_ben):
    send(tests__nlu=TEST_NLU)
    found = run(otter, by_ben)
    query = next(query for _, path, query, _ in ready.requests if path == "/model/test/intents")
    url = f"http://control-plane:5002/api/projects/default/models/brisk-otter?evaluation={found.pk}"
    assert query == {"model": url, "token": "sesame"}


def test_without_test_data_a_part_is_held_out_the_same_for_each_model(ready, stored_model, send, by_ben):
    send()
    first, second = (run(stored_model(name), by_ben) for name in ("brisk-otter", "calm-heron"))
    assert (first.method, first.tested) == (EvaluationMethod.SPLIT, 2)
    assert first.test_hash == second.test_hash
    assert "a fifth" in first.notes[0]


def test_a_model_that_was_trained_on_its_examples_is_told(ready, otter, send, by_ben):
    bundle = send(tests__nlu=TEST_NLU)
    assert run(otter, by_ben).seen is None
    TrainedModel.objects.update(bundle=bundle)
    assert run(otter, by_ben).seen == 1
    assert run(otter, by_ben, method=EvaluationMethod.SPLIT).seen == 2


def test_what_the_model_was_trained_on_is_looked_up_in_its_own_bundle(ready, otter, send, by_ben):
    TrainedModel.objects.update(bundle=send())
    send(data__nlu=MORE_NLU.replace("good day", "welcome"), tests__nlu=TEST_NLU.replace("hi there", "good day"))
    assert run(otter, by_ben).seen == 2


def test_cross_validation_sends_the_whole_project(ready, otter, send, by_ben):
    send()
    ready.predict = lambda url, text, intent: "bye" if text == "hello" else intent
    found = run(otter, by_ben, method=EvaluationMethod.CROSS_VALIDATION, folds=2)
    assert (found.job.status, found.job.error_detail) == ("succeeded", "")
    assert found.intents["accuracy"] == pytest.approx(5 / 6)
    assert found.intents["f1"] > 0.8
    assert "WhitespaceTokenizer" in sent_data(ready)
    assert "not this model" in found.notes[0]
    assert found.test_hash != run(otter, by_ben, method=EvaluationMethod.CROSS_VALIDATION, folds=3).test_hash


def test_the_config_of_the_training_is_cross_validated(ready, otter, send, by_ben, by_ana):
    bundle = send()
    job = JobFactory(bundle=bundle, status="succeeded", config="pipeline: [{name: KeywordIntentClassifier}]")
    TrainedModel.objects.update(bundle=bundle, job=job)
    run(otter, by_ben, method=EvaluationMethod.CROSS_VALIDATION, folds=2)
    assert "WhitespaceTokenizer" not in sent_data(ready)


def test_stories_are_tested_where_the_server_has_the_model(ready, otter, send, by_ben):
    send(tests__nlu=TEST_NLU, tests__test_stories=TEST_STORIES)
    ready.load(model_id=otter.model_id)
    found = run(otter, by_ben)
    assert found.stories["stories"] == 1
    assert found.stories["per_action"]["utter_greet"]["f1"] == 1.0


def test_else_it_is_told_that_they_were_not(ready, otter, send, by_ben):
    send(tests__nlu=TEST_NLU, tests__test_stories=TEST_STORIES)
    ready.load(model_id="another")
    found = run(otter, by_ben)
    assert found.job.status == "succeeded"
    assert found.stories is None
    assert "not brisk-otter" in found.notes[-1]


def test_stories_alone_fail_where_they_cannot_be_tested(ready, otter, send, by_ben):
    send(data__nlu=None, tests__test_stories=TEST_STORIES)
    assert ended(run(otter, by_ben)) == ("failed", "stories-untested")


def ended(found):
    return found.job.status, found.job.error_code


def test_a_bundle_without_test_data_fails_where_that_was_asked_for(ready, otter, send, by_ben):
    send()
    found = run(otter, by_ben, method=EvaluationMethod.DATA)
    assert ended(found) == ("failed", "no-test-data")
    assert "method split" in found.job.error_detail
    assert (found.test_hash, found.intents) == ("", None)


def test_too_little_to_hold_out_fails(ready, otter, send, by_ben):
    send(data__nlu=MORE_NLU.split("- intent: bye")[0])
    assert ended(run(otter, by_ben)) == ("failed", "no-test-data")


def test_too_many_folds_fail(ready, otter, send, by_ben):
    send()
    found = run(otter, by_ben, method=EvaluationMethod.CROSS_VALIDATION)
    assert ended(found) == ("failed", "no-test-data")
    assert "at most 3" in found.job.error_detail


def test_a_model_that_waits_to_be_tested_is_not_deleted(ready, otter, send, by_ben, by_ana):
    send(tests__nlu=TEST_NLU)
    evaluations.submit(model=otter, by=by_ben)
    with pytest.raises(ModelInUse):
        trained_models.delete(model=otter, by=by_ana)


def test_a_model_that_vanished_before_it_is_tested_fails(ready, otter, send, by_ben):
    send(tests__nlu=TEST_NLU)
    made = evaluations.submit(model=otter, by=by_ben)
    TrainedModel.objects.update(deleted_at=timezone.now())
    evaluation.evaluate(made.job.pk)
    made.job.refresh_from_db()
    assert (made.job.status, made.job.error_code) == ("failed", "model-gone")


def test_a_model_that_is_too_old_for_the_server_fails_before_it_is_sent(ready, stored_model, send, by_ben):
    send(tests__nlu=TEST_NLU)
    found = run(stored_model("old-owl", version="3.5.0"), by_ben)
    assert ended(found) == ("failed", "model-incompatible")
    assert "3.6.21 on; old-owl was trained by 3.5.0" in found.job.error_detail
    assert not [path for _, path, _, _ in ready.requests if path.startswith("/model")]


def test_a_server_that_never_asked_for_the_model_errors_with_the_cure(ready, otter, send, by_ben):
    send(tests__nlu=TEST_NLU)
    ready.takes = lambda url: False
    found = run(otter, by_ben)
    assert ended(found) == ("errored", "evaluation-unavailable")
    assert "did not ask for brisk-otter" in found.job.error_detail
    assert "`models:` block" in found.job.error_detail


def test_a_server_that_got_the_model_and_did_not_load_it_errors(ready, otter, send, by_ben):
    send(tests__nlu=TEST_NLU)
    ready.takes = lambda url: False
    made = evaluations.submit(model=otter, by=by_ben)
    Evaluation.objects.update(fetched_at=timezone.now())
    evaluation.evaluate(made.job.pk)
    made.job.refresh_from_db()
    assert "got brisk-otter but did not load it" in made.job.error_detail


@pytest.mark.parametrize(
    ("answer", "status", "code", "sentence"),
    [
        ((401, {}, b""), "errored", "evaluation-unavailable", "does not accept the token"),
        ((404, {}, b""), "errored", "evaluation-unavailable", "--enable-api"),
        ((500, {}, b"<h1>oops</h1>"), "errored", "evaluation-unavailable", "status 500"),
        ((200, {}, b"<html>"), "errored", "evaluation-unavailable", "not that of a Rasa server"),
        ((200, {}, b"[]"), "errored", "evaluation-unavailable", "not that of a Rasa server"),
        ((200, {}, b'{"intent_evaluation": 3}'), "errored", "evaluation-unavailable", "not that of a test"),
        ((413, {}, b""), "failed", "evaluation-failed", "status 413"),
        (
            (500, {}, b'{"status": "failure", "reason": "TestingError", "message": "Error: no such intent"}'),
            "failed",
            "evaluation-failed",
            "no such intent",
        ),
    ],
)
def test_each_bad_answer_ends_it_with_the_reason(ready, otter, send, by_ben, answer, status, code, sentence):
    send(tests__nlu=TEST_NLU)
    ready.test_override = answer
    found = run(otter, by_ben)
    assert ended(found) == (status, code)
    assert sentence in found.job.error_detail


def test_a_server_that_is_away_errors(ready, otter, send, by_ben):
    send(tests__nlu=TEST_NLU)
    ready.override = (503, {}, b"")
    found = run(otter, by_ben)
    assert ended(found) == ("errored", "evaluation-unavailable")
    assert "The Rasa server of worker could not test" in found.job.error_detail


def test_a_bundle_that_is_gone_errors(ready, otter, send, by_ben):
    bundle = send(tests__nlu=TEST_NLU)
    stores.bundles().delete(bundle.hash)
    assert ended(run(otter, by_ben)) == ("errored", "bundle-damaged")


def test_permissions_are_read_again_when_it_runs(ready, otter, send, ben, by_ben):
    send(tests__nlu=TEST_NLU)
    made = evaluations.submit(model=otter, by=by_ben)
    take(ben, "evaluations.write")
    evaluation.evaluate(made.job.pk)
    made.job.refresh_from_db()
    assert (made.job.status, made.job.error_code) == ("failed", "missing-grant")


def test_a_token_that_is_revoked_takes_its_evaluation_with_it(ready, otter, send, ben, by_ben):
    send(tests__nlu=TEST_NLU)
    token, _ = api_tokens.create(user=ben, name="ci", by=by_ben)
    made = evaluations.submit(model=otter, by=replace(by_ben, token=token))
    api_tokens.revoke(token=token, by=by_ben)
    evaluation.evaluate(made.job.pk)
    made.job.refresh_from_db()
    assert (made.job.status, made.job.error_code) == ("failed", "unauthorized")


def test_odd_words_of_rasa_can_be_stored(ready, otter, send, by_ben):
    send(tests__nlu=TEST_NLU)
    ready.predict = lambda url, text, intent: "a\0b"
    found = run(otter, by_ben)
    assert found.job.status == "succeeded"
    assert found.predictions[0]["predicted"] == "a\ufffdb"


def test_an_archive_that_cannot_be_read_is_said_to_be_damaged(ready, otter, send, home, by_ben):
    """By a runtime that reads it itself."""
    send(tests__nlu=TEST_NLU)
    tested = evaluation.TestedModel(evaluations.submit(model=otter, by=by_ben))
    (home / "archives" / otter.hash).write_bytes(b"rotten")
    with pytest.raises(ArchiveDamaged, match="Upload the same archive again"):
        tested.open()
    otter.refresh_from_db()
    assert otter.damaged_at
