"""`manage.py changepassword`: as Django has it, but audited, and nothing that was opened before stays open."""

import pytest
from django.core.management import CommandError, call_command

from accounts import jwts
from accounts.models import AuditEvent
from accounts.problems import Unauthorized
from environments.management.commands import changepassword
from tests.environments.pages.conftest import signed_in
from tests.factories import UserFactory, jwt_of

NEW = "otters swim in rivers"


@pytest.fixture
def typed(monkeypatch):
    """What is typed, one after the other."""
    answers = [NEW, NEW]
    monkeypatch.setattr(changepassword, "getpass", lambda _: answers.pop(0))
    return answers


def test_it_sets_a_password_and_ends_sessions_and_tokens(ana, production, typed, capsys):
    browser, token = signed_in(ana), jwt_of(ana)
    call_command("changepassword", "ANA")
    ana.refresh_from_db()
    assert ana.check_password(NEW)
    assert browser.get("/p/default/").status_code == 302
    with pytest.raises(Unauthorized):
        jwts.verify(token)
    event = AuditEvent.objects.get(action="user.password")
    assert (event.actor, event.object, event.via) == ("command", "user:ana", "command")
    assert NEW not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "why"),
    [([NEW, "otters swim"], "not the same"), (["12345678", "12345678"], "too common"), (["", ""], "too short")],
)
def test_it_says_what_is_wrong_with_a_password(ana, typed, words, why):
    typed[:] = words
    before = ana.password
    with pytest.raises(CommandError, match=why):
        call_command("changepassword", "ana")
    ana.refresh_from_db()
    assert ana.password == before


def test_it_says_whose_it_does_not_change(project, typed):
    with pytest.raises(CommandError, match="no user eva"):
        call_command("changepassword", "eva")
    UserFactory(username="ci", service_of=project)
    with pytest.raises(CommandError, match="service account"):
        call_command("changepassword", "ci")
