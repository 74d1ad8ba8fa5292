"""Pages of evaluations: a model is tested from its menu, its result is shown, two are compared."""

import pytest

from environments.models import Evaluation
from environments.pages import figures
from tests.factories import EvaluationFactory, take

PAGES = "/p/default/evaluations/"
EVALUATE = "/p/default/models/brisk-otter/evaluate/"


@pytest.fixture
def of_otter(project, otter, bundle):
    return EvaluationFactory(project=project, model=otter, bundle=bundle, wrong=("hello",))


@pytest.fixture
def of_heron(project, heron, bundle):
    return EvaluationFactory(project=project, model=heron, bundle=bundle, wrong=("bye",))


def text(answer, status=200):
    assert answer.status_code == status
    return answer.content.decode()


def test_a_model_is_evaluated_from_its_menu(ben_looks, training_server, bundle, otter, sent):
    assert f'href="{EVALUATE}"' in text(ben_looks.get("/p/default/models/brisk-otter/menu/"))
    assert "Cross-validation" in text(ben_looks.get(EVALUATE))
    answer = ben_looks.post(EVALUATE, {"bundle": bundle.pk, "method": "split"})
    made = Evaluation.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"{PAGES}{made.pk}/")
    assert (made.method, made.job.by_name) == ("split", "ben")


def test_in_the_dialog_the_browser_is_led_to_the_page(ben_looks, training_server, bundle, otter, sent):
    answer = ben_looks.post(EVALUATE, {"method": ""}, headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == f"{PAGES}{Evaluation.objects.get().pk}/"


def test_why_it_cannot_be_evaluated_stands_on_the_button(ben_looks, ben, otter, worker):
    assert "There is no bundle to test on" in text(ben_looks.get(EVALUATE))
    assert "no bundle" in text(ben_looks.post(EVALUATE, {"method": ""}), 409)
    take(ben, "evaluations.write")
    assert "evaluations.write" in text(ben_looks.get("/p/default/models/brisk-otter/menu/"))


def test_an_unknown_method_is_refused(ben_looks, training_server, bundle, otter):
    assert "no such method" in text(ben_looks.post(EVALUATE, {"method": "guess"}), 400)
    assert not Evaluation.objects.exists()


def test_a_result_is_shown(ben_looks, of_otter):
    shown = text(ben_looks.get(f"{PAGES}{of_otter.pk}/"))
    assert "<strong>.733</strong>" in shown
    assert "<code>greet</code> for <code>bye</code>" in shown
    assert 'title="greet taken for bye: 1"' in shown
    assert "0.90 to 0.95: 3 right, 1 wrong" in shown
    assert "hello" in shown
    assert " style=" not in shown
    assert f'href="/p/default/training/jobs/{of_otter.job.pk}/"' in shown
    assert f'href="{PAGES}{of_otter.pk}/"' in text(ben_looks.get(f"/p/default/training/jobs/{of_otter.job.pk}/"))


def test_what_the_model_knows_by_heart_is_told(ben_looks, project, otter, bundle):
    found = EvaluationFactory(project=project, model=otter, bundle=bundle, seen=3, notes=["A note."])
    shown = text(ben_looks.get(f"{PAGES}{found.pk}/"))
    assert "trained on 3 of these 4 utterances" in shown
    assert "A note." in shown


def test_entities_responses_and_stories_are_shown(ben_looks, project, otter, bundle):
    score = {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 2}
    averages = {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "accuracy": 0.5}
    found = EvaluationFactory(
        project=project,
        model=otter,
        bundle=bundle,
        entities={**averages, "per_entity": {}, "extractors": {"DIET": {**averages, "per_entity": {"city": score}}}},
        responses={**averages, "per_response": {"faq/name": score}},
        stories={**averages, "stories": 3, "actions": 7, "per_action": {"utter_greet": score}, "wrong": []},
    )
    shown = text(ben_looks.get(f"{PAGES}{found.pk}/"))
    for word in ("Entities found by DIET", "city", "faq/name", "utter_greet", "3 with 7 actions"):
        assert word in shown


@pytest.mark.parametrize("status", ["queued", "running"])
def test_one_that_runs_is_followed_until_it_ends(ben_looks, project, otter, bundle, status):
    found = EvaluationFactory(
        project=project, model=otter, bundle=bundle, job__status=status, intents=None, predictions=None
    )
    assert "The test is not over yet" in text(ben_looks.get(f"{PAGES}{found.pk}/"))
    assert status.capitalize() in text(ben_looks.get(f"{PAGES}{found.pk}/changes/"))
    found.job.status = "succeeded"
    found.job.save()
    assert ben_looks.get(f"{PAGES}{found.pk}/changes/")["HX-Redirect"] == f"{PAGES}{found.pk}/"


def test_one_that_failed_says_why(ben_looks, project, otter, bundle):
    found = EvaluationFactory(
        project=project,
        model=otter,
        bundle=bundle,
        intents=None,
        predictions=None,
        job__status="failed",
        job__error_detail="The bundle has no test data.",
    )
    shown = text(ben_looks.get(f"{PAGES}{found.pk}/"))
    assert "There is no result" in shown
    assert "The bundle has no test data." in shown


def test_hostile_words_are_text(ben_looks, project, otter, bundle):
    hostile = '"><script>alert(1)</script>'
    predictions = [
        {"text": hostile, "intent": hostile, "predicted": f"{hostile}2", "confidence": 0.5},
        {"text": "x", "intent": "a", "predicted": "a", "confidence": None},
    ]
    found = EvaluationFactory(project=project, model=otter, bundle=bundle, predictions=predictions)
    other = EvaluationFactory(project=project, model=otter, bundle=bundle, predictions=predictions)
    for url in (f"{PAGES}{found.pk}/", f"{PAGES}compare/?a={found.pk}&b={other.pk}"):
        assert "<script>alert" not in text(ben_looks.get(url))


def test_two_are_compared_side_by_side(ben_looks, of_otter, of_heron):
    shown = text(ben_looks.get(f"{PAGES}compare/?a={of_otter.pk}&b={of_heron.pk}"))
    broken, fixed = shown.index("Right before, wrong now"), shown.index("Wrong before, right now")
    assert broken < shown.index(">bye</th>") < fixed < shown.index(">hello</th>")
    assert shown.index("<code>bye</code></th>") < shown.index("<code>greet</code></th>")
    assert "This can be chance" in shown
    assert " style=" not in shown


def test_models_are_chosen_to_be_compared(ben_looks, of_otter, of_heron):
    shown = text(ben_looks.get(f"{PAGES}compare/?b=calm-heron"))
    assert "<option selected>calm-heron</option>" in shown
    assert "<option>brisk-otter</option>" in shown
    assert "Right before" in text(ben_looks.get(f"{PAGES}compare/?a=brisk-otter&b=calm-heron"))


def test_what_cannot_be_compared_says_why(ben_looks, project, heron, bundle, of_otter):
    other = EvaluationFactory(project=project, model=heron, bundle=bundle, test_hash="1" * 64)
    shown = text(ben_looks.get(f"{PAGES}compare/?a={of_otter.pk}&b={other.pk}"), 409)
    assert "not the same examples" in shown
    assert "Evaluate both on the same bundle" in shown


def test_without_evaluations_the_pages_say_what_to_do(ben_looks, project):
    assert "Choose Evaluate in the menu of a model" in text(ben_looks.get(PAGES))
    assert "Evaluate two models" in text(ben_looks.get(f"{PAGES}compare/"))


def test_they_are_listed(ben_looks, of_otter, of_heron):
    shown = text(ben_looks.get(PAGES))
    listed = shown[shown.rindex("<table") :]  # a chart stands before it, and its table
    assert listed.index("calm-heron") < listed.index("brisk-otter")


def test_f1_stands_in_the_tables_of_models_for_those_who_may_see_it(ben_looks, ben, production, of_otter):
    for url in ("/p/default/", "/p/default/models/"):
        assert 'data-label="F1" class="number">.733' in text(ben_looks.get(url))
    assert f'href="{PAGES}{of_otter.pk}/"' in text(ben_looks.get("/p/default/models/brisk-otter/"))
    take(ben, "evaluations.read")
    for url in ("/p/default/", "/p/default/models/", "/p/default/models/brisk-otter/"):
        assert ".733" not in text(ben_looks.get(url))


def test_an_outsider_finds_nothing(cy_looks, of_otter):
    for url in (PAGES, f"{PAGES}{of_otter.pk}/", f"{PAGES}compare/", EVALUATE):
        assert cy_looks.get(url).status_code == 404


def test_a_large_matrix_is_left_out_and_its_pairs_are_told():
    confusion = {f"intent-{number}": {f"intent-{number}": 9, "": number} for number in range(40)}
    assert figures.matrix(confusion) is None
    pairs = figures.confused(confusion)
    assert (len(pairs), pairs[0].intent, pairs[0].predicted) == (12, "intent-39", "nothing")


def test_shades_tell_shares_of_a_row():
    found = figures.matrix({"a": {"a": 98, "b": 1, "": 1}, "b": {"b": 1}})
    assert found.columns == ["a", "b", "nothing"]
    assert [[(cell.count, cell.shade, cell.right) for cell in cells] for _, cells in found.rows] == [
        [(98, 4, True), (1, 1, False), (1, 1, False)],
        [(0, 0, False), (1, 4, True), (0, 0, False)],
    ]


def test_the_surest_mistakes_come_first():
    predictions = [
        {"text": "a", "intent": "x", "predicted": "y", "confidence": 0.2},
        {"text": "b", "intent": "x", "predicted": "", "confidence": None},
        {"text": "c", "intent": "x", "predicted": "y", "confidence": 0.9},
        {"text": "d", "intent": "x", "predicted": "x", "confidence": 1.0},
    ]
    assert [(one["text"], one["predicted"]) for one in figures.wrong(predictions)] == [
        ("c", "y"),
        ("a", "y"),
        ("b", "nothing"),
    ]
