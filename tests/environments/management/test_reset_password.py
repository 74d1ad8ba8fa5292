"""`manage.py reset_password`: the way back for an administrator who is locked out."""

import pytest
from django.core.management import CommandError, call_command

from tests.factories import UserFactory


def test_it_prints_a_link_that_sets_a_password(client, ana, capsys, settings):
    call_command("reset_password", "ANA")
    link = capsys.readouterr().out.strip()
    assert link.startswith(f"{settings.PUBLIC_URL}/reset/{ana.pk}/")
    form = client.get(link.removeprefix(settings.PUBLIC_URL), follow=True)
    new = "otters swim in rivers"
    assert client.post(form.request["PATH_INFO"], {"new": new, "again": new}).url == "/"


def test_it_says_why_not(project):
    with pytest.raises(CommandError, match="no user eva"):
        call_command("reset_password", "eva")
    UserFactory(username="ci", service_of=project)
    with pytest.raises(CommandError, match="service account"):
        call_command("reset_password", "ci")
