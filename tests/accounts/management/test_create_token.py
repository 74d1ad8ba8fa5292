"""`manage.py create_token`."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import AuditEvent


def test_the_token_stands_alone_on_standard_output_and_works(ben):
    out = io.StringIO()
    call_command("create_token", "ben", "--name", "ci", stdout=out)
    (secret,) = out.getvalue().split()
    client = Client(headers={"authorization": f"Bearer {secret}"})
    assert client.get("/api/v1/me/").json()["username"] == "ben"


def test_the_audit_trail_tells_that_a_command_made_it(ben):
    call_command("create_token", "ben", "--name", "ci", stdout=io.StringIO())
    event = AuditEvent.objects.get(action="token.create")
    assert (event.actor, event.via, event.after["user"]) == ("command", "command", "ben")


def test_an_unknown_user_is_an_error(project):
    with pytest.raises(CommandError, match="no active user nobody"):
        call_command("create_token", "nobody", "--name", "ci")


def test_a_token_needs_a_name(ben):
    with pytest.raises(CommandError, match="1 to 100"):
        call_command("create_token", "ben", "--name", "")
