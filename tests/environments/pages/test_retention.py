"""The page of retention: what the rules would do is seen before they are saved."""

import pytest

from environments.models import Retention, TrainedModel
from tests.environments.pages.conftest import signed_in
from tests.factories import TrainedModelFactory, give

URL = "/p/default/settings/retention/"


@pytest.fixture
def models(project):
    return [TrainedModelFactory(project=project, name=f"model-{letter}") for letter in "abc"]


def test_it_begins_off_and_keeps_all(ana_looks, models):
    text = ana_looks.get(URL).content.decode()
    assert "off: nothing is deleted by itself" in text
    assert "0 models and 0 bundles" in text


def test_a_preview_saves_nothing_and_a_save_says_what_comes(ana_looks, models):
    shown = ana_looks.post(URL, {"enabled": "on", "keep_models": "1", "preview": "1"}).content.decode()
    assert "not saved yet" in shown
    assert "2 models and 0 bundles" in shown
    assert 'value="1"' in shown
    assert not Retention.objects.exists()
    saved = ana_looks.post(URL, {"enabled": "on", "keep_models": "1"}, follow=True).content.decode()
    assert "Saved. What no rule keeps goes each night." in saved
    assert "on: applied each night" in saved
    assert Retention.objects.get().keep_models == 1
    assert TrainedModel.objects.present().count() == 3


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"enabled": "on"}, "Say how many models or bundles are kept"),
        ({"enabled": "on", "keep_models": "0"}, "keep_models is a whole number from 1 to 1000000."),
        ({"enabled": "on", "served_within_days": "soon"}, "served_within_days is a whole number"),
    ],
)
def test_what_is_no_rule_is_told_beside_the_form_and_what_was_typed_stays(ana_looks, models, form, sentence):
    refused = ana_looks.post(URL, form)
    assert refused.status_code == 400
    text = refused.content.decode()
    assert sentence in text
    assert all(f'value="{typed}"' in text for typed in form.values() if typed != "on")
    assert not Retention.objects.exists()


def test_who_may_only_read_sees_why_the_button_is_off(project, cy, models):
    give(cy, project, "settings.read", "models.read", "training.read")
    looks = signed_in(cy)
    text = looks.get(URL).content.decode()
    assert 'aria-disabled="true" title="This needs the grant settings.write' in text
    assert looks.post(URL, {"enabled": "on", "keep_models": "1"}).status_code == 403
    assert not Retention.objects.exists()


def test_who_may_not_see_models_gets_no_preview(project, cy, models):
    give(cy, project, "settings.read")
    text = signed_in(cy).get(URL).content.decode()
    assert "model-a" not in text
    assert "This needs the grant models.read" in text
