"""Mails over a real connection to a mail server, which may refuse, hang or be gone."""

import email
import email.policy
import time

import pytest

from environments import delivering
from environments.actions import notifications
from environments.models import Delivery, Webhook
from environments.states import Event
from tests.factories import WebhookFactory
from tests.mail_server import MailServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings, project):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_IS_SET_UP = True
    settings.DEFAULT_FROM_EMAIL = "Control Plane <control@example.com>"
    WebhookFactory(kind="email", target="team@example.com", secret="")
    with MailServer() as one:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", one.port
        yield one


def tell(project, subject="Training 7 failed"):
    notifications.tell(project=project, event=Event.JOB_FAILED, subject=subject, text="Es hat keine Absichten: Ñandú.")
    delivering.deliver_due()
    return Delivery.objects.get()


def test_it_arrives_as_it_was_written(server, project):
    delivery = tell(project)
    assert (delivery.status, delivery.error) == ("delivered", "")
    [(recipients, letter)] = server.got
    message = email.message_from_bytes(letter, policy=email.policy.default)
    assert recipients == ["team@example.com"]
    assert message["From"] == "Control Plane <control@example.com>"
    assert message["Subject"] == "[Control Plane] Training 7 failed"
    assert message["Message-ID"] == f"<{delivery.payload['id']}@localhost>"
    assert "Ñandú" in message.get_content()
    assert delivery.payload["url"] in message.get_content()


def test_what_comes_from_outside_makes_no_header_and_no_recipient(server, project):
    tell(project, "Training\r\nBcc: everybody@example.com\r\n\r\n.\r\nRCPT TO:<all@example.com>")
    [(recipients, letter)] = server.got
    message = email.message_from_bytes(letter, policy=email.policy.default)
    assert recipients == ["team@example.com"]
    assert message["Bcc"] is None
    assert "Bcc: everybody@example.com" in message["Subject"]


def test_a_refusal_is_told_without_the_words_of_the_server(server, project):
    server.refuses = True
    delivery = tell(project)
    assert delivery.status == "waiting"
    assert delivery.error == "The mail server did not take it (SMTPRecipientsRefused)."


def test_a_server_that_hangs_holds_nobody(server, project, settings):
    server.hangs, settings.EMAIL_TIMEOUT = True, 0.5
    began = time.monotonic()
    delivery = tell(project)
    assert time.monotonic() - began < 5
    assert delivery.status == "waiting"
    assert delivery.error.startswith("The mail server did not take it")


def test_a_server_that_is_gone_and_back_gets_it(server, project, settings):
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 9
    delivery = tell(project)
    assert delivery.status == "waiting"
    settings.EMAIL_PORT = port
    Delivery.objects.update(next_at=delivery.created_at)
    Webhook.objects.update(rests_until=None)
    delivering.deliver_due()
    assert len(server.got) == 1
