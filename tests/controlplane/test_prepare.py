"""`manage.py prepare`: what `make setup` and every start call."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from environments.models import Environment

pytestmark = pytest.mark.django_db


def test_it_migrates_and_makes_what_is_missing(settings, tmp_path):
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "environments.yml"
    settings.CONTROLPLANE_ENVIRONMENTS.write_text("rasa: {production: {url: 'http://p:1'}}")
    out = StringIO()
    call_command("prepare", stdout=out)
    assert "created default/production" in out.getvalue()
    assert Environment.objects.count() == 1


def test_a_bad_file_at_the_first_start_is_an_error(settings, tmp_path):
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "missing.yml"
    with pytest.raises(CommandError, match=r"missing\.yml cannot be read"):
        call_command("prepare", stdout=StringIO())


def test_the_committed_file_is_valid_with_the_variables_that_are_made(settings):
    settings.CONTROLPLANE_ENVIRONMENTS = settings.BASE_DIR / "environments.yml"
    settings.VARIABLES = {}
    call_command("prepare", stdout=StringIO())
    made = list(Environment.objects.select_related("follows"))
    assert [(row.name, row.url, row.follows and row.follows.name) for row in made] == [
        ("production", "http://rasa-production:5005", None),
        ("experimental", "http://rasa-experimental:5005", None),
        ("worker", "http://rasa-worker:5005", "production"),
    ]
    assert all(row.rasa_token for row in made)
