"""The promote and the rollback dialog, and what became of a promotion."""

import re
from datetime import timedelta

import pytest

from environments.actions import promotions
from environments.models import Promotion, ServerCheck
from tests.environments.pages.conftest import signed_in
from tests.factories import (
    EnvironmentFactory,
    EvaluationFactory,
    ProjectFactory,
    TrainedModelFactory,
    UserFactory,
    give,
)

PROMOTE = "/p/default/environments/production/promote/"
PROMOTE_EXPERIMENTAL = "/p/default/environments/experimental/promote/"
ROLLBACK = "/p/default/environments/production/rollback/"
HTMX = {"HX-Request": "true"}


def served(environment):
    model = promotions.current_model(environment)
    return model.name if model else None


def test_the_dialog_tells_now_then_and_what_differs(ana_looks, promoted, heron):
    heron.metadata = {"domain": {"intents": ["greet", "ask_fees"]}}
    heron.save()
    html = ana_looks.get(PROMOTE, {"model": "calm-heron"}).content.decode()
    assert "brisk-otter" in html
    assert "+ 2 intents" in html
    assert "pipeline unchanged" in html
    assert "manage.py promote calm-heron production --wait" in html
    assert "/api/v1/environments/production/promotions/" in html


def test_htmx_gets_the_dialog_alone(ana_looks, promoted, heron):
    html = ana_looks.get(PROMOTE, {"model": "calm-heron"}, headers=HTMX).content.decode()
    assert "<html" not in html
    assert 'id="dialog-title"' in html


def test_without_a_model_it_asks_which(ana_looks, promoted, heron):
    html = ana_looks.get(PROMOTE).content.decode()
    assert "?model=calm-heron" in html
    assert "?model=brisk-otter" not in html


def test_a_promotion_by_a_form(ana_looks, experimental, otter):
    answer = ana_looks.post(PROMOTE_EXPERIMENTAL, {"model": "brisk-otter", "expected": "", "reason": "nightly"})
    made = Promotion.objects.get()
    assert answer.status_code == 302
    assert answer.url == f"/p/default/promotions/{made.pk}/"
    assert (made.reason, made.origin, made.by_name) == ("nightly", "page", "ana")


def test_a_promotion_by_htmx_turns_into_its_progress(ana_looks, experimental, otter):
    answer = ana_looks.post(PROMOTE_EXPERIMENTAL, {"model": "brisk-otter", "expected": ""}, headers=HTMX)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert "0 of 1 replica" in html
    assert f"/p/default/promotions/{Promotion.objects.get().pk}/changes/" in html


def test_a_protected_environment_wants_its_name_typed(ana_looks, production, otter):
    answer = ana_looks.post(PROMOTE, {"model": "brisk-otter", "expected": "", "confirm": "prod"})
    assert answer.status_code == 422
    assert b"type its name to confirm" in answer.content
    assert served(production) is None
    answer = ana_looks.post(PROMOTE, {"model": "brisk-otter", "expected": "", "confirm": "production"})
    assert answer.status_code == 302
    assert served(production) == "brisk-otter"


def test_who_was_faster_is_named_and_the_dialog_asks_again(ana_looks, promoted, heron, production):
    fields = {"model": "calm-heron", "expected": "", "confirm": "production"}
    answer = ana_looks.post(PROMOTE, fields, headers=HTMX)
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "<strong>ana</strong> promoted <code>brisk-otter</code> meanwhile" in html
    assert '<input type="hidden" name="expected" value="brisk-otter">' in html
    assert served(production) == "brisk-otter"


def test_without_the_grant_the_button_is_off_and_the_post_refused(ben_looks, promoted, heron, production):
    html = ben_looks.get(PROMOTE, {"model": "calm-heron"}).content.decode()
    assert 'title="This needs the grant environments.production.write.' in html
    answer = ben_looks.post(PROMOTE, {"model": "calm-heron", "expected": "brisk-otter", "confirm": "production"})
    assert answer.status_code == 403
    assert served(production) == "brisk-otter"


def test_a_model_that_is_too_old_is_refused_unless_forced(ana_looks, experimental, django_now):
    TrainedModelFactory(name="old", version="3.5.0", project=experimental.project)
    ServerCheck.objects.create(
        environment=experimental, due_at=django_now, version="3.6.21", minimum_compatible_version="3.6.21"
    )
    html = ana_looks.get(PROMOTE_EXPERIMENTAL, {"model": "old"}).content.decode()
    assert "Promote it though the server would refuse it" in html
    assert ana_looks.post(PROMOTE_EXPERIMENTAL, {"model": "old", "expected": ""}).status_code == 409
    forced = ana_looks.post(PROMOTE_EXPERIMENTAL, {"model": "old", "expected": "", "force": "on"})
    assert forced.status_code == 302
    assert Promotion.objects.get().forced


def test_a_rollback_is_two_taps_and_never_asks_to_type(ana_looks, replaced, production):
    html = ana_looks.get(ROLLBACK, headers=HTMX).content.decode()
    assert 'name="confirm"' not in html
    assert "<strong>brisk-otter</strong>" in html
    answer = ana_looks.post(ROLLBACK, {"to": "", "expected": "calm-heron"})
    assert answer.status_code == 302
    assert served(production) == "brisk-otter"


def test_the_command_of_a_rollback_goes_where_the_dialog_goes(ana_looks, promoted, replaced):
    assert "manage.py rollback production --wait" in ana_looks.get(ROLLBACK).text
    assert (
        f"manage.py rollback production --to {promoted.pk} --wait" in ana_looks.get(f"{ROLLBACK}?to={promoted.pk}").text
    )


def test_commands_name_a_project_that_is_not_the_default_one(ana):
    banking = EnvironmentFactory(name="production", project=ProjectFactory(name="banking"))
    give(ana, banking.project, "environments.read", "models.read")
    TrainedModelFactory(name="calm-heron", project=banking.project)
    html = signed_in(ana).get("/p/banking/environments/production/promote/", {"model": "calm-heron"}).text
    assert "manage.py promote calm-heron production --wait --project banking" in html
    assert "/api/v1/environments/production/promotions/?project=banking" in html


def test_who_may_not_read_models_is_not_told_what_is_in_them(production, promoted, replaced):
    guard = UserFactory(username="guard")
    give(guard, production.project, "environments.read")
    html = signed_in(guard).get(f"{ROLLBACK}?to={promoted.pk}").text
    assert "Roll production back" in html
    assert "Inside" not in html


def test_the_rollback_dialog_tells_what_differs(ana_looks, replaced, otter):
    otter.metadata = {"domain": {"intents": ["ask_fees"]}}
    otter.save()
    html = ana_looks.get(ROLLBACK).content.decode()
    assert "+ 1 intent" in html
    assert "+ ask_fees" in html


def test_a_rollback_to_what_is_there_tells_of_no_difference(ana_looks, replaced):
    html = ana_looks.get(ROLLBACK, {"to": replaced.pk}).content.decode()
    assert "Inside" not in html


def test_going_back_to_a_named_promotion(ana_looks, replaced, promoted, production, by_ana):
    newest = TrainedModelFactory(name="third", project=production.project)
    promotions.promote(environment=production, model=newest, by=by_ana)
    answer = ana_looks.post(ROLLBACK, {"to": promoted.pk, "expected": "third"})
    assert answer.status_code == 302
    assert served(production) == "brisk-otter"


def test_a_stale_rollback_is_told_who_was_first(ana_looks, replaced, production, by_ana):
    newest = TrainedModelFactory(name="third", project=production.project)
    promotions.promote(environment=production, model=newest, by=by_ana)
    answer = ana_looks.post(ROLLBACK, {"to": "", "expected": "calm-heron"})
    assert answer.status_code == 409
    assert b"<code>third</code> meanwhile" in answer.content
    assert served(production) == "third"


def test_there_is_no_way_back_from_the_first_model(ana_looks, promoted):
    assert ana_looks.get(ROLLBACK).status_code == 409
    assert ana_looks.post(ROLLBACK, {"to": "", "expected": "brisk-otter"}).status_code == 409


def test_without_the_grant_there_is_no_rollback(ben_looks, replaced, production):
    assert ben_looks.post(ROLLBACK, {"to": "", "expected": "calm-heron"}).status_code == 403
    assert served(production) == "calm-heron"


def test_a_reason_may_follow(ana_looks, replaced):
    path = f"/p/default/promotions/{replaced.pk}/"
    assert b'name="reason"' in ana_looks.get(path).content
    assert ana_looks.post(f"{path}reason/", {"reason": "fewer fallbacks"}).status_code == 302
    replaced.refresh_from_db()
    assert replaced.reason == "fewer fallbacks"


def test_only_who_promoted_may_add_the_reason(ben_looks, replaced):
    assert ben_looks.post(f"/p/default/promotions/{replaced.pk}/reason/", {"reason": "mine"}).status_code == 403


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("succeeded", "Live: 0 of 1"),
        ("failed", "Stuck"),
        ("unproven", "no replica has shown it serves this"),
        ("superseded", "Superseded by a later promotion"),
    ],
)
def test_the_progress_says_what_became_of_it(ana_looks, promoted, django_now, status, told):
    Promotion.objects.update(status=status, finished_at=django_now, error_detail="r1: it did not load it.")
    assert told in ana_looks.get(f"/p/default/promotions/{promoted.pk}/").content.decode()


def test_the_progress_comes_back_only_when_it_changed(ana_looks, promoted, django_now):
    path = f"/p/default/promotions/{promoted.pk}/"
    html = ana_looks.get(path).content.decode()
    digest = html.split('id="progress" data-digest="')[1].split('"')[0]
    assert ana_looks.get(f"{path}changes/", {"seen": digest}).status_code == 204
    Promotion.objects.update(status="succeeded", finished_at=django_now)
    assert b"Live" in ana_looks.get(f"{path}changes/", {"seen": digest}).content


def test_an_outsider_learns_nothing_of_a_promotion(cy_looks, promoted):
    for part in ("", "changes/"):
        assert cy_looks.get(f"/p/default/promotions/{promoted.pk}/{part}").status_code == 404
    assert cy_looks.post(f"/p/default/promotions/{promoted.pk}/reason/", {"reason": "x"}).status_code == 404


def test_history_tells_all_environments(ana_looks, replaced, experimental, otter, by_ana):
    promotions.promote(environment=experimental, model=otter, by=by_ana, reason="nightly")
    html = ana_looks.get("/p/default/history/").content.decode()
    assert html.index("nightly") < html.index("first release")


def test_the_dialog_tells_how_both_were_tested_and_what_becomes_wrong(ana_looks, promoted, heron, otter):
    EvaluationFactory(project=otter.project, model=otter, wrong=("hi",))
    EvaluationFactory(project=otter.project, model=heron, wrong=("bye",))
    html = ana_looks.get(PROMOTE, {"model": "calm-heron"}).content.decode()
    assert html.count("F1 .") == 2
    assert "1 utterance becomes wrong, 1 becomes right" in " ".join(html.split())
    assert re.search(r'<li class="del">bye <span class="muted">\w+ → ', html)
    assert "/p/default/evaluations/compare/?a=" in html


def test_the_dialog_says_why_there_is_no_comparison(ana_looks, promoted, heron, otter):
    assert "brisk-otter was not evaluated" in ana_looks.get(PROMOTE, {"model": "calm-heron"}).content.decode()


def test_who_may_not_see_evaluations_is_told_nothing_of_them(promoted, heron, otter, project):
    EvaluationFactory(project=otter.project, model=otter)
    olga = UserFactory(username="olga")
    give(olga, project, "environments.read", "models.read")
    html = signed_in(olga).get(PROMOTE, {"model": "calm-heron"}).content.decode()
    assert "F1 ." not in html
    assert "evaluat" not in html.split("<main")[1]


def test_the_dialog_tells_who_changed_it_last_and_how_long_it_takes(ana_looks, promoted, heron):
    promoted.finished_at = promoted.created_at + timedelta(seconds=41)
    promoted.status = "succeeded"
    promoted.save()
    html = ana_looks.get(PROMOTE, {"model": "calm-heron"}).content.decode()
    assert re.search(r"there since <time[^>]*>[^<]*</time> · ana", html)
    assert "live on every replica in 41 s" in html
