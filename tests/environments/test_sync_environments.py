"""`manage.py sync_environments`: apply the file, or say what it would change."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from environments.models import Environment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def file(settings, tmp_path):
    path = tmp_path / "environments.yml"
    path.write_text("rasa:\n  production: {url: 'http://p:1', token: '${RASA_TOKEN}'}\n")
    settings.CONTROLPLANE_ENVIRONMENTS = path
    settings.VARIABLES = {"RASA_TOKEN": "s3cret"}
    return path


def run(*arguments):
    out = StringIO()
    call_command("sync_environments", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_it_applies_the_file_and_says_what_it_did():
    assert run() == ["created default/production"]
    assert Environment.objects.get().rasa_token == "s3cret"
    assert run() == ["nothing to change"]


def test_a_check_says_what_would_change_and_changes_nothing():
    assert run("--check") == ["would be created default/production"]
    assert not Environment.objects.exists()


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_a_bad_file_is_an_error_with_every_line_and_changes_nothing(file, arguments):
    run()
    file.write_text("rasa:\n  production: {url: 'http://p:2', tokn: x, token: '${NOPE}'}\n")
    with pytest.raises(CommandError, match=r"(?s)tokn: is an unknown key.*NOPE|NOPE.*tokn: is an unknown key"):
        run(*arguments)
    assert Environment.objects.get().url == "http://p:1"
