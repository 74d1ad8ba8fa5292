"""The pages of pipelines: what one sees, what a button says when it is off, a verdict that can be read."""

import html
import io

import pytest

from environments.actions import pipeline_runs, pipeline_steps, pipelines, promotions
from environments.models import Pipeline, PipelineRun
from environments.receiving import receive_bundle
from tests.factories import RepositoryFactory, give
from tests.pipelines import declare, finish, read, start
from tests.projects import TEST_NLU, tree, zipped

LIST = "/p/default/pipelines/"


@pytest.fixture(autouse=True)
def there(production, settings):
    settings.TRAINING_PATIENCE = 0


@pytest.fixture
def nightly(project, by_ana):
    return declare(project, by_ana, promote="production", on={"schedule": "0 3 * * *", "time_zone": "Europe/Berlin"})


def text(response):
    return html.unescape(response.content.decode())


def test_without_a_pipeline_the_page_says_what_to_do_first(ana_looks):
    page = text(ana_looks.get(LIST))
    assert "There is no pipeline yet" in page
    assert 'aria-current="page"' in page.partition("Pipelines</span>")[0].rpartition("<li>")[2]


def test_the_list_tells_when_each_is_wanted_next(ana_looks, nightly, by_ana):
    start(nightly, by_ana)
    page = text(ana_looks.get(LIST))
    assert "At 03:00 (Europe/Berlin)" in page
    assert "in " in page.partition('data-label="next"')[2]
    assert "Queued" in page


def test_a_pipeline_shows_its_declaration_and_next_times(ana_looks, nightly):
    page = text(ana_looks.get(f"{LIST}nightly/"))
    assert "promote: production" in page
    assert "schedule: 0 3 * * *" in page
    assert page.count("UTC</span>") == 3
    assert "It has not run yet" in page


def test_who_may_not_start_it_is_told_why(project, ben_looks, ben, nightly):
    give(ben, project, "pipelines.read", "pipelines.write")
    page = text(ben_looks.get(f"{LIST}nightly/"))
    assert "Run now is off: This needs the grant environments.production.write." in page
    assert ben_looks.post(f"{LIST}nightly/start/").status_code == 403
    assert not PipelineRun.objects.exists()


def test_one_of_the_file_says_where_it_is_changed(ana_looks, nightly):
    Pipeline.objects.update(declared_in="file")
    page = text(ana_looks.get(f"{LIST}nightly/"))
    assert page.count("It is declared in pipelines.yml.") == 2
    refused = ana_looks.post(f"{LIST}nightly/edit/", {"text": "promote: production"})
    assert (refused.status_code, "Change it there" in text(refused)) == (409, True)


def test_run_now_leads_to_the_run(ana_looks, nightly):
    answer = ana_looks.post(f"{LIST}nightly/start/")
    run = PipelineRun.objects.get()
    assert answer.headers["Location"] == f"{LIST}nightly/runs/{run.pk}/"
    assert "It has not begun yet" in text(ana_looks.get(answer.headers["Location"]))


def test_one_that_is_switched_off_says_so(ana_looks, nightly, by_ana):
    pipelines.change(pipeline=nightly, members={"enabled": False}, by=by_ana)
    assert "Run now is off: It is switched off." in text(ana_looks.get(f"{LIST}nightly/"))
    assert "is switched off" in text(ana_looks.post(f"{LIST}nightly/start/", follow=True))


def test_the_example_of_the_form_can_be_declared_as_it_is(ana_looks):
    form = text(ana_looks.get("/p/default/new-pipeline/"))
    example = form.partition('name="text"')[2].partition(">")[2].partition("</textarea>")[0]
    answer = ana_looks.post("/p/default/new-pipeline/", {"name": "nightly", "text": example})
    assert answer.headers["Location"] == f"{LIST}nightly/", text(answer)
    assert Pipeline.objects.get().declaration["promote"] == "production"


def test_every_mistake_is_told_with_its_line_and_what_was_written_stays(ana_looks):
    written = "promot: production\ngates:\n  minimum_f1: 7\n"
    answer = ana_looks.post("/p/default/new-pipeline/", {"name": "nightly", "text": written})
    page = text(answer)
    assert answer.status_code == 400
    assert "promot: line 1: is an unknown key. Did you mean promote?" in page
    assert "gates.minimum_f1: line 3: is out of range." in page
    assert written in page
    taken = ana_looks.post("/p/default/new-pipeline/", {"name": "Not a name", "text": "promote: production"})
    assert (taken.status_code, "cannot be used" in text(taken)) == (400, True)
    assert not Pipeline.objects.exists()


def test_whoever_changes_it_owns_it(project, ana_looks, ben, nightly):
    form = text(ana_looks.get(f"{LIST}nightly/edit/"))
    assert "time_zone: Europe/Berlin" in form
    ana_looks.post(f"{LIST}nightly/edit/", {"text": "promote: production\nenabled: false\n"})
    nightly.refresh_from_db()
    assert (nightly.enabled, nightly.due_at, nightly.declaration["on"]) == (False, None, {})
    assert "enabled: false" in text(ana_looks.get(f"{LIST}nightly/edit/"))


def test_removing_asks_first(ana_looks, nightly):
    assert "Remove the pipeline nightly" in text(ana_looks.get(f"{LIST}nightly/remove/"))
    assert ana_looks.post(f"{LIST}nightly/remove/").headers["Location"] == LIST
    assert ana_looks.get(f"{LIST}nightly/").status_code == 404


def test_the_secret_of_pushes_is_shown_once(project, ana_looks, by_ana):
    RepositoryFactory(project=project, name="bot")
    declare(project, by_ana, name="pushed", source={"repository": "bot"}, on={"push": True})
    page = text(ana_looks.get(f"{LIST}pushed/"))
    assert "http://testserver/api/v1/pipelines/pushed/push/" in page
    shown = text(ana_looks.post(f"{LIST}pushed/push-secret/"))
    secret = Pipeline.objects.get().push_secret
    assert secret in shown
    assert secret not in text(ana_looks.get(f"{LIST}pushed/"))


@pytest.fixture
def data(project, by_ana, training_server, sent):
    training_server.always_new = True
    stream = io.BytesIO(zipped(tree(tests__nlu=TEST_NLU)))
    return receive_bundle(project=project, stream=stream, by=by_ana).bundle


def test_a_run_shows_the_verdicts_in_sentences_and_what_it_promoted(
    project, production, ana_looks, by_ana, data, stored_model
):
    promotions.promote(environment=production, model=stored_model("calm-heron"), by=by_ana)
    gates = {"minimum_f1": 0.5, "better_than_serving": {"margin": 0.01}}
    run = finish(start(declare(project, by_ana, promote="production", gates=gates), by_ana))
    page = text(ana_looks.get(f"{LIST}nightly/runs/{run.pk}/"))
    assert "F1 is 1.000; at least 0.5 is asked." in page
    assert "Against calm-heron F1 stayed at 1.000 (+0.000; at least +0.010 is asked)." in page
    assert "p = 1.000 by McNemar's test, more than 0.05." in page
    assert "No model passed the gates, so none was promoted" in page
    assert "Nothing promoted" in text(ana_looks.get(f"{LIST}nightly/"))
    pipelines.change(pipeline=run.pipeline, members={"gates": {"minimum_f1": 0.5}}, by=by_ana)
    run = finish(start(run.pipeline, by_ana))
    page = text(ana_looks.get(f"{LIST}nightly/runs/{run.pk}/"))
    assert f"/p/default/promotions/{run.promotion_id}/" in page
    assert "Chosen" in page


def test_a_run_is_followed_live_and_cancelled(ana_looks, nightly, by_ana, data):
    run = start(nightly, by_ana)
    pipeline_steps.advance(run.pk)
    page = f"{LIST}nightly/runs/{run.pk}/"
    assert "waiting in the queue" in text(ana_looks.get(page))
    waiting = start(nightly, by_ana)
    assert f"run {run.pk}</a> has ended" in text(ana_looks.get(f"{LIST}nightly/runs/{waiting.pk}/"))
    assert "Each gate's verdict" in text(ana_looks.get(f"{page}changes/"))
    done = ana_looks.post(f"{page}cancel/", follow=True)
    assert "Cancelled by ana." in text(done)
    assert read(run).status == "cancelled"
    assert "has ended" in text(ana_looks.post(f"{page}cancel/", follow=True))
    assert ana_looks.get(f"{LIST}other/runs/{run.pk}/").status_code == 404


def test_outsiders_find_nothing(cy_looks, nightly):
    assert cy_looks.get(LIST).status_code == 404
    assert pipeline_runs.find_push(nightly, "x") is None
