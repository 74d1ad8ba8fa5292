"""Runs of a pipeline: from the data to a promotion, and each way they end otherwise."""

import io
import json
import re
import uuid

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.actions import api_tokens
from accounts.actor import API, Actor
from accounts.models import AuditEvent, User
from environments import errors
from environments.actions import pipeline_checks, pipeline_runs, pipeline_steps, pipelines, promotions, queue
from environments.models import Delivery, Evaluation, Job, PipelineRun, Promotion, TrainedModel, Webhook
from environments.receiving import receive_bundle
from environments.states import Trigger
from tests.factories import give, take
from tests.pipelines import declare, finish, read, start, steps, work
from tests.projects import CONFIG, tree, zipped
from workers.tasks import pipelines as tasks

# Twelve utterances of each intent, so that a difference can be more than chance.
TESTED = "version: '3.1'\nnlu:\n" + "".join(
    f"- intent: {intent}\n  examples: |\n" + "".join(f"    - {intent} number {number}\n" for number in range(12))
    for intent in ("greet", "bye")
)
BETTER = {"better_than_serving": {"margin": 0.01}}


@pytest.fixture(autouse=True)
def impatient(settings):
    settings.TRAINING_PATIENCE = 0


@pytest.fixture
def server(training_server, sent):
    """The fake Rasa server that trains and tests; each training makes another model."""
    training_server.always_new = True
    return training_server


@pytest.fixture
def bundle(project, by_ana):
    files = {**tree(tests__nlu=TESTED), "configs/other.yml": CONFIG.replace("language: en", "language: de")}
    return receive_bundle(project=project, stream=io.BytesIO(zipped(files)), by=by_ana).bundle


@pytest.fixture
def served(production, stored_model, by_ana):
    """What serves in production; its name in a URL tells it apart from what is trained."""
    model = stored_model("calm-heron", model_id=uuid.uuid4().hex)
    promotions.promote(environment=production, model=model, by=by_ana)
    return model


@pytest.fixture
def told(project):
    """Somebody wants to hear of everything."""
    Webhook.objects.create(project=project, name="all", kind="slack", target="http://chat.example", by_name="ana")
    ours = Delivery.objects.filter(event__regex="^(pipeline|gate)").order_by("pk")
    return lambda: list(ours.values_list("event", flat=True))


def good(name):
    """A server whose models understand nothing but for the one whose name is in the URL."""
    return lambda url, text, intent: intent if name in url else "other"


def bad(name):
    return lambda url, text, intent: "other" if name in url else intent


@pytest.mark.usefixtures("bundle")
def test_a_better_model_is_promoted_and_told_of(project, production, server, served, by_ana, told):
    server.predict = bad("calm-heron")
    run = finish(start(declare(project, by_ana, promote="production", gates=BETTER), by_ana))
    assert (run.status, run.error_detail) == ("succeeded", "")
    assert steps(run) == {
        "source": "succeeded",
        "train config.yml": "succeeded",
        "evaluate config.yml": "succeeded",
        "evaluate what serves in production": "succeeded",
        "gates": "succeeded",
        "promote to production": "succeeded",
        "notify": "succeeded",
    }
    model = TrainedModel.objects.exclude(pk=served.pk).get()
    assert promotions.current_model(production) == model == run.model
    assert (run.promotion.origin, run.promotion.by_name) == ("pipeline", "ana")
    (verdict,) = run.gates
    assert (verdict["name"], verdict["passed"], verdict["model"]) == ("better_than_serving", True, model.name)
    assert verdict["p_value"] < 0.001
    assert verdict["detail"] in run.promotion.reason
    assert "pipeline.succeeded" in told()
    payload = Delivery.objects.get(event="pipeline.succeeded").payload
    assert payload["subject"] == f"Pipeline nightly promoted {model.name} to production"
    assert verdict["detail"] in payload["text"]
    assert payload["url"].endswith(f"/p/default/pipelines/nightly/runs/{run.pk}/")
    assert AuditEvent.objects.filter(action="pipeline.run", actor="ana").count() == 1


@pytest.mark.usefixtures("bundle")
def test_a_worse_model_is_left_and_the_verdict_is_told(project, production, server, served, by_ana, told):
    server.predict = good("calm-heron")
    run = finish(start(declare(project, by_ana, promote="production", gates=BETTER), by_ana))
    assert (run.status, run.error_code) == ("failed", "gates-not-passed")
    assert "F1 fell from 1.000 to 0.000" in run.error_detail
    assert promotions.current_model(production) == served
    assert (steps(run)["gates"], steps(run)["promote to production"]) == ("failed", "skipped")
    assert told()[-1] == "gate.failed"
    assert "F1 fell from 1.000 to 0.000" in Delivery.objects.get(event="gate.failed").payload["text"]


@pytest.mark.usefixtures("bundle", "production")
def test_where_nothing_serves_anything_that_passes_is_promoted(project, server, by_ana):
    gates = {**BETTER, "minimum_f1": 0.5}
    run = finish(start(declare(project, by_ana, promote="production", gates=gates), by_ana))
    assert run.status == "succeeded"
    assert steps(run)["evaluate what serves in production"] == "skipped"
    assert [verdict["passed"] for verdict in run.gates] == [True, True]
    assert "Nothing serves there yet" in run.gates[1]["detail"]


@pytest.mark.usefixtures("bundle", "production")
def test_of_several_configs_the_best_that_passes_is_promoted(project, server, by_ana):
    configs = ["config.yml", "configs/other.yml", {"language": "fr", "pipeline": [{"name": "WhitespaceTokenizer"}]}]
    pipeline = declare(project, by_ana, promote="production", configs=configs, gates={"minimum_f1": 0.2})
    run = start(pipeline, by_ana)
    pipeline_steps.advance(run.pk)
    languages = [job.config for job in Job.objects.filter(kind="training").order_by("pk")]
    assert languages[0] == ""
    assert "language: de" in languages[1]
    assert '"language": "fr"' in languages[2]
    work()
    first, second, third = TrainedModel.objects.order_by("pk")

    def predict(url, text, intent):
        right = {first.name: 6, second.name: 12, third.name: 0}[url.rpartition("/")[2].partition("?")[0]]
        return intent if int(text.rpartition(" ")[2]) < right else "other"

    server.predict = predict
    run = finish(run)
    assert (run.status, run.model) == ("succeeded", second)
    assert [(verdict["config"], verdict["passed"]) for verdict in run.gates] == [
        ("config.yml", True),
        ("configs/other.yml", True),
        ("config 3", False),
    ]


@pytest.mark.usefixtures("production")
def test_a_config_that_cannot_be_trained_leaves_the_others(project, server, bundle, by_ana):
    configs = [{"pipeline": [{"name": "NoSuchComponent"}]}, "config.yml"]
    run = finish(start(declare(project, by_ana, promote="production", configs=configs), by_ana))
    assert run.status == "succeeded"
    assert steps(run)["train config 1"] == "failed"
    assert steps(run)["evaluate config 1"] == "skipped"


@pytest.mark.usefixtures("bundle", "production")
def test_what_cannot_be_trained_ends_the_run_with_the_reason_of_rasa(project, server, by_ana, told):
    configs = [{"pipeline": [{"name": "NoSuchComponent"}]}]
    run = finish(start(declare(project, by_ana, promote="production", configs=configs), by_ana))
    assert (run.status, run.error_code) == ("failed", "training-failed")
    assert "no such component" in run.error_detail
    assert told() == ["pipeline.failed"]


@pytest.mark.usefixtures("production")
def test_a_config_that_is_not_in_the_bundle_is_named(project, server, bundle, by_ana):
    run = finish(start(declare(project, by_ana, configs=["configs/othr.yml"]), by_ana))
    assert (run.status, run.error_code) == ("failed", "bundle-invalid")
    assert "Did you mean configs/other.yml?" in run.error_detail
    assert not Job.objects.exists()


def test_without_a_bundle_it_stops_and_says_what_to_do(project, production, server, by_ana):
    run = finish(start(declare(project, by_ana, promote="production"), by_ana))
    assert (run.status, run.error_code) == ("failed", "no-bundle")


@pytest.mark.usefixtures("bundle")
def test_an_evaluation_that_fails_ends_the_run(project, server, served, by_ana, told):
    body = {"version": "3.6.21", "status": "failure", "reason": "TestingError", "message": "bang", "code": 500}
    server.test_override = (500, {"Content-Type": "application/json"}, json.dumps(body).encode())
    run = finish(start(declare(project, by_ana, promote="production", gates=BETTER), by_ana))
    assert (run.status, run.error_code) == ("failed", "evaluation-failed")
    assert "bang" in run.error_detail
    assert told() == ["pipeline.failed"]


@pytest.mark.usefixtures("bundle")
def test_where_only_what_serves_cannot_be_evaluated_nothing_is_better(project, production, server, served, by_ana):
    server.takes = lambda url: "calm-heron" not in url
    run = finish(start(declare(project, by_ana, promote="production", gates=BETTER), by_ana))
    assert (run.status, run.error_code) == ("failed", "gates-not-passed")
    assert "could not be compared with calm-heron" in run.error_detail
    assert promotions.current_model(production) == served


@pytest.mark.usefixtures("bundle")
def test_what_serves_is_not_evaluated_twice_on_the_same_examples(project, server, served, by_ana):
    pipeline = declare(project, by_ana, promote="production", gates=BETTER)
    server.predict = good("calm-heron")
    finish(start(pipeline, by_ana))
    finish(start(pipeline, by_ana))
    assert Evaluation.objects.filter(model=served).count() == 1
    assert Evaluation.objects.count() == 3


@pytest.mark.usefixtures("bundle", "production")
def test_utterances_that_must_pass_are_asked_of_the_model(project, server, by_ana):
    gates = {"must_pass": [{"text": "good day", "intent": "greet"}, {"text": "ciao", "intent": "bye"}]}
    server.predict = lambda url, text, intent: "greet"
    run = finish(start(declare(project, by_ana, promote="production", gates=gates), by_ana))
    assert (run.status, steps(run)["check config.yml"]) == ("failed", "succeeded")
    assert "1 of 2 utterances that must pass did not: “ciao” was taken for greet (0.90), not bye." in run.error_detail
    server.predict = lambda url, text, intent: intent
    run = finish(start(run.pipeline, by_ana))
    assert run.status == "succeeded"


@pytest.mark.usefixtures("bundle", "server")
def test_a_check_that_ends_locks_as_a_cancel_does(project, by_ana):
    """The step and then the job: the other way round each could wait for the other."""

    def written(act):
        with CaptureQueriesContext(connection) as asked:
            act()
        tables = [re.match(r'UPDATE "environments_(pipelinestep|job)"', query["sql"]) for query in asked]
        return list(dict.fromkeys(table[1] for table in tables if table))

    gates = {"must_pass": [{"text": "good day", "intent": "greet"}]}
    run = start(declare(project, by_ana, gates=gates), by_ana)
    for _ in range(2):
        pipeline_steps.advance(run.pk)
        work()
    pipeline_steps.advance(run.pk)
    step = run.steps.get(kind="check")
    job = queue.claim(step.job_id, worker="w")
    assert written(lambda: pipeline_checks.succeed(job=job, step=step, answers=[])) == ["pipelinestep", "job"]
    Job.objects.filter(pk=job.pk).update(status="running")
    assert written(lambda: pipeline_runs.cancel(run=read(run), by=by_ana)) == ["pipelinestep", "job"]


@pytest.mark.usefixtures("bundle", "production")
def test_a_story_that_cannot_be_tested_does_not_pass_and_says_why(project, server, by_ana):
    gates = {"must_pass": [{"text": "good day", "intent": "greet", "story": ["utter_greet"]}]}
    run = finish(start(declare(project, by_ana, promote="production", gates=gates), by_ana))
    assert run.status == "failed"
    assert "could not be followed by its story" in run.error_detail


@pytest.mark.usefixtures("bundle", "server")
def test_without_an_environment_nothing_is_promoted(project, by_ana):
    run = finish(start(declare(project, by_ana, gates={"minimum_f1": 0.1}), by_ana))
    assert run.status == "succeeded"
    assert run.model is not None
    assert not Promotion.objects.exists()


# Somebody else, meanwhile


def up_to_the_promotion(run):
    """Everything but the last move: what serves was judged, and nothing was promoted."""
    while not run.steps.exists() or run.steps.filter(kind="gates", status="waiting").exists():
        if not pipeline_steps._moved(run.pk):
            assert work(), steps(run)


@pytest.mark.usefixtures("bundle")
def test_what_somebody_promoted_meanwhile_is_judged_anew(project, production, server, served, stored_model, by_ana):
    server.predict = bad("calm-heron")
    run = start(declare(project, by_ana, promote="production", gates=BETTER), by_ana)
    up_to_the_promotion(run)
    promotions.promote(environment=production, model=stored_model("brisk-otter"), by=by_ana)
    run = finish(run)
    assert (run.status, run.error_code) == ("failed", "gates-not-passed")
    assert "Against brisk-otter F1 stayed at 1.000" in run.error_detail
    assert promotions.current_model(production).name == "brisk-otter"
    again = run.steps.get(name="gates again")
    assert (again.status, "promoted by ana" in again.figures["because"]) == ("failed", True)
    assert run.steps.get(name="gates").figures["serving"] == "calm-heron"


@pytest.mark.usefixtures("bundle")
def test_a_serving_model_that_vanished_leaves_nothing_to_be_better_than(project, production, server, served, by_ana):
    server.predict = bad("calm-heron")
    run = start(declare(project, by_ana, promote="production", gates=BETTER), by_ana)
    up_to_the_promotion(run)
    promotions.promote(environment=production, model=None, by=by_ana)
    run = finish(run)
    assert run.status == "succeeded"
    assert "Nothing serves there yet" in run.gates[0]["detail"]
    assert promotions.current_model(production) == run.model


@pytest.mark.usefixtures("bundle")
def test_whoever_promotes_all_the_time_is_named_in_the_end(project, production, server, served, stored_model, by_ana):
    run = start(declare(project, by_ana, promote="production"), by_ana)
    for number in range(pipeline_steps.MAX_JUDGED):
        up_to_the_promotion(run)
        promotions.promote(environment=production, model=stored_model(f"model-{number}"), by=by_ana)
        pipeline_steps._moved(run.pk)
    run = read(run)
    assert (run.status, run.error_code) == ("failed", "serving-keeps-changing")
    assert "promoted by ana" in run.error_detail


@pytest.mark.usefixtures("bundle")
def test_of_two_pipelines_that_promote_at_once_the_second_judges_against_the_first(
    project, production, server, served, by_ana
):
    server.predict = bad("calm-heron")
    both = [
        start(declare(project, by_ana, name, promote="production", gates=BETTER), by_ana) for name in ("one", "two")
    ]
    for run in both:
        up_to_the_promotion(run)
    first, second = (finish(run) for run in both)
    assert (first.status, second.status, second.error_code) == ("succeeded", "failed", "gates-not-passed")
    assert promotions.current_model(production) == first.model
    assert f"Against {first.model.name}" in second.error_detail


@pytest.mark.usefixtures("bundle")
def test_an_environment_that_was_retired_meanwhile_stops_the_run(project, server, served, production, by_ana):
    run = start(declare(project, by_ana, promote="production"), by_ana)
    up_to_the_promotion(run)
    production.retired_at = served.trained_at
    production.save()
    run = finish(run)
    assert (run.status, run.error_code) == ("failed", "environment-retired")


# The owner


@pytest.fixture
def owner(project, ben, production):
    give(ben, project, "pipelines.read", "pipelines.write", "environments.production.write")
    return Actor(user=User.objects.get(pk=ben.pk), via=API)


@pytest.mark.usefixtures("bundle")
def test_an_owner_who_lost_the_grant_stops_it_before_anything_is_trained(project, server, served, ben, owner, told):
    pipeline = declare(project, owner, promote="production")
    take(ben, "environments.production.write")
    run = finish(start(pipeline, owner, Trigger.SCHEDULE))
    assert (run.status, run.error_code) == ("failed", "pipeline-owner-cannot-act")
    assert "ben, who owns the pipeline, does not hold environments.production.write any more" in run.error_detail
    assert not Job.objects.exists()
    assert told() == ["pipeline.failed"]


@pytest.mark.usefixtures("bundle")
def test_an_owner_who_lost_the_grant_meanwhile_promotes_nothing(project, production, server, served, ben, owner):
    run = start(declare(project, owner, promote="production"), owner, Trigger.SCHEDULE)
    up_to_the_promotion(run)
    take(ben, "environments.production.write")
    run = finish(run)
    assert (run.status, run.error_code) == ("failed", "pipeline-owner-cannot-act")
    assert promotions.current_model(production) == served


@pytest.mark.usefixtures("bundle")
def test_an_owner_who_was_deactivated_meanwhile_promotes_nothing(project, production, server, served, ben, owner):
    run = start(declare(project, owner, promote="production"), owner, Trigger.SCHEDULE)
    up_to_the_promotion(run)
    User.objects.filter(pk=ben.pk).update(is_active=False)
    run = finish(run)
    assert "was deactivated" in run.error_detail
    assert promotions.current_model(production) == served


@pytest.mark.usefixtures("bundle")
def test_it_never_does_more_than_the_token_it_was_declared_with(project, production, server, served, ana):
    by = Actor(user=ana, via=API)
    words = ["pipelines.write", "training.write", "evaluations.write", "environments.read"]
    token, _ = api_tokens.create(user=ana, name="ci", by=by, grants=[*words, "environments.production.write"])
    run = start(declare(project, Actor(user=ana, via=API, token=token), promote="production"), by)
    up_to_the_promotion(run)
    assert Job.objects.get(kind="training").token == token
    token.grants = words
    token.save()
    run = finish(run)
    assert (run.status, run.error_code) == ("failed", "pipeline-owner-cannot-act")
    api_tokens.revoke(token=token, by=by)
    run = finish(start(run.pipeline, by))
    assert "was revoked or has expired" in run.error_detail


# One at a time


@pytest.mark.usefixtures("bundle", "server", "production")
def test_one_runs_at_a_time_and_the_newest_of_the_others_is_remembered(project, by_ana):
    pipeline = declare(project, by_ana, promote="production")
    first = start(pipeline, by_ana)
    pipeline_steps.advance(first.pk)
    second, third = start(pipeline, by_ana), start(pipeline, by_ana)
    for run in (second, third):
        pipeline_steps.advance(run.pk)
    assert [read(run).status for run in (first, second, third)] == ["running", "cancelled", "queued"]
    assert "newer one" in read(second).error_detail
    finish(first)
    assert finish(third).status == "succeeded"


@pytest.mark.usefixtures("bundle", "server", "production")
def test_a_remembered_run_goes_by_what_is_declared_when_it_begins(project, by_ana, experimental):
    pipeline = declare(project, by_ana, promote="production")
    first = start(pipeline, by_ana)
    pipeline_steps.advance(first.pk)
    second = start(pipeline, by_ana)
    pipelines.change(pipeline=pipeline, members={"promote": "experimental"}, by=by_ana)
    assert finish(first).promotion.environment.name == "production"
    assert finish(second).promotion.environment.name == "experimental"


@pytest.mark.usefixtures("bundle", "server", "production")
def test_two_that_move_it_on_at_once_do_nothing_twice(project, by_ana):
    run = start(declare(project, by_ana, promote="production"), by_ana)
    pipeline_steps.advance(run.pk)
    pipeline_steps.advance(run.pk)
    assert Job.objects.count() == 1
    run = finish(run)
    pipeline_steps.advance(run.pk)
    assert Promotion.objects.count() == 1
    assert Job.objects.count() == 2


@pytest.mark.usefixtures("bundle", "server", "production")
def test_a_run_that_nobody_woke_is_moved_on_by_the_clock(project, by_ana, django_now):
    run = start(declare(project, by_ana, promote="production"), by_ana)
    tasks.tend_pipelines()
    assert read(run).status == "running"
    work()
    tasks.tend_pipelines()  # Its slot is taken.
    assert steps(run)["train config.yml"] == "running"


@pytest.mark.usefixtures("bundle", "server")
def test_a_fault_of_ours_ends_the_run_and_does_not_repeat_for_ever(project, by_ana, monkeypatch, told):
    run = start(declare(project, by_ana), by_ana)
    monkeypatch.setattr("environments.actions.trainings.submit", lambda **members: 1 / 0)
    pipeline_steps.advance(run.pk)
    run = read(run)
    assert (run.status, run.error_code, bool(run.finished_at)) == ("errored", "internal-error", True)
    assert told() == ["pipeline.failed"]


@pytest.mark.usefixtures("bundle", "server")
def test_an_outage_of_the_database_ends_no_run(project, by_ana, monkeypatch):
    def away(**members):
        raise OperationalError

    run = start(declare(project, by_ana), by_ana)
    with monkeypatch.context() as patched:
        patched.setattr("environments.actions.trainings.submit", away)
        with pytest.raises(OperationalError):
            pipeline_steps.advance(run.pk)
    assert read(run).status == "running"
    pipeline_steps.advance(run.pk)
    assert steps(run)["train config.yml"] == "running"


def test_the_name_of_a_step_fits_however_long_the_path_of_its_config_is(project, by_ana, sent):
    run = start(declare(project, by_ana, configs=[f"{'deep/' * 58}diet.yml"]), by_ana)
    assert pipeline_runs.begin(read(run))
    assert max(len(name) for name in steps(run)) == 200


# Cancel


@pytest.mark.usefixtures("bundle", "server", "production")
def test_cancelling_ends_the_run_and_its_jobs(project, by_ana, told):
    run = start(declare(project, by_ana, promote="production"), by_ana)
    pipeline_steps.advance(run.pk)
    pipeline_runs.cancel(run=run, by=by_ana)
    run = read(run)
    assert (run.status, run.error_detail) == ("cancelled", "Cancelled by ana.")
    assert Job.objects.get().status == "cancelled"
    assert set(steps(run).values()) == {"succeeded", "cancelled"}
    assert told() == []
    with pytest.raises(errors.PipelineRunEnded):
        pipeline_runs.cancel(run=run, by=by_ana)


@pytest.mark.usefixtures("bundle", "server", "production")
def test_a_job_that_somebody_cancelled_ends_the_run(project, by_ana):
    run = start(declare(project, by_ana, promote="production"), by_ana)
    pipeline_steps.advance(run.pk)
    Job.objects.update(status="cancelled")
    run = finish(run)
    assert (run.status, run.error_code) == ("failed", "job-of-run-cancelled")


def test_what_is_switched_off_is_not_started(project, by_ana):
    pipeline = declare(project, by_ana, enabled=False)
    with pytest.raises(errors.PipelineDisabled):
        start(pipeline, by_ana)
    assert not PipelineRun.objects.exists()
