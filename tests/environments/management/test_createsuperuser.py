"""`manage.py createsuperuser`: as Django has it, but by roles, and audited."""

import pytest
from django.core.management import CommandError, call_command

from accounts.actor import COMMAND, Actor
from accounts.models import AuditEvent, User
from environments.management.commands import createsuperuser
from tests.factories import ProjectFactory

PASSWORD = "otters swim in rivers"


@pytest.fixture
def typed(monkeypatch):
    """The passwords that are typed, one after the other."""
    answers = [PASSWORD, PASSWORD]
    monkeypatch.setattr(createsuperuser, "getpass", lambda _: answers.pop(0))
    return answers


def test_it_makes_somebody_who_administers_every_project(ana, production, typed, capsys):
    banking = ProjectFactory(name="banking")
    call_command("createsuperuser", "--username", "eva", "--email", "eva@example.com")
    eva = User.objects.get(username="eva")
    assert (eva.email, eva.check_password(PASSWORD)) == ("eva@example.com", True)
    for project in (production.project, banking):
        assert Actor(user=eva, via=COMMAND).may(project, "users.write")
    event = AuditEvent.objects.get(action="user.create", object="user:eva")
    assert (event.actor, event.after["administrator"]) == ("command", True)
    assert "eva administers every project." in capsys.readouterr().out
    assert PASSWORD not in str(event.after)


def test_without_questions_it_takes_the_password_of_a_variable(ana, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--username", "eva")
    assert User.objects.get(username="eva").check_password(PASSWORD)


def test_the_name_is_asked_for(ana, typed, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: "eva")
    call_command("createsuperuser")
    assert User.objects.filter(username="eva").exists()


@pytest.mark.parametrize(
    ("name", "words", "why"),
    [
        ("ana", [PASSWORD, PASSWORD], "There is a user ana"),
        ("ANA", [PASSWORD, PASSWORD], "There is a user ANA"),
        ("e v a", [PASSWORD, PASSWORD], "cannot be used"),
        ("eva", [PASSWORD, "otters swim"], "not the same"),
        ("eva", ["12345678", "12345678"], "too common"),
        ("eva", ["", ""], "too short"),
    ],
)
def test_what_is_wrong_is_said_and_nobody_is_made(ana, typed, name, words, why):
    typed[:] = words
    before = User.objects.count()
    with pytest.raises(CommandError, match=why):
        call_command("createsuperuser", "--username", name)
    assert User.objects.count() == before


def test_without_a_password_and_without_questions_nobody_is_made(ana, monkeypatch):
    monkeypatch.delenv("DJANGO_SUPERUSER_PASSWORD", raising=False)
    with pytest.raises(CommandError, match="too short"):
        call_command("createsuperuser", "--noinput", "--username", "eva")
