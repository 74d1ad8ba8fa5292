"""Webhooks: who may set one up, what is accepted, and what of it is never shown."""

import pytest
from django.core import mail
from django.db import IntegrityError, transaction

from accounts.actor import API, Actor
from accounts.models import AuditEvent, Project
from accounts.problems import InvalidFields, MissingGrant, NotFound
from environments import errors
from environments.actions import notifications, webhooks
from environments.models import Delivery, Webhook
from environments.states import Event, WebhookKind
from tests.factories import UserFactory, WebhookFactory, give

TARGET = "https://hooks.example.com/services/T0/B0/a-secret-part?key=1"


def create(by, **more) -> Webhook:
    members = {"name": "team", "kind": WebhookKind.SIGNED, "target": TARGET, **more}
    return webhooks.create(project=Project.objects.get(name="default"), by=by, **members)


def test_a_signed_one_gets_a_secret_of_its_own(production, by_ana):
    first, second = create(by_ana), create(by_ana, name="other")
    assert first.secret
    assert first.secret != second.secret
    assert first.target == TARGET
    assert first.shown_target == "hooks.example.com/…"


def test_the_others_have_no_secret(production, by_ana, settings):
    settings.EMAIL_IS_SET_UP = True
    assert create(by_ana, kind=WebhookKind.SLACK).secret == ""
    one = create(by_ana, name="mail", kind=WebhookKind.EMAIL, target="team@example.com")
    assert (one.secret, one.shown_target) == ("", "t…@example.com")


def test_neither_target_nor_secret_is_in_the_trail_or_in_a_column(production, by_ana):
    webhook = create(by_ana)
    webhooks.change(webhook=webhook, by=by_ana, target=f"{TARGET}&more")
    webhooks.renew_secret(webhook=webhook, by=by_ana)
    row = str(Webhook.objects.values().get())
    told = str(list(AuditEvent.objects.values_list("before", "after")))
    for secret in ("a-secret-part", webhook.secret, Webhook.objects.get().secret):
        assert secret not in row
        assert secret not in told
    assert list(AuditEvent.objects.order_by("pk").values_list("action", flat=True)) == [
        *("webhook.create", "webhook.update", "webhook.renew_secret"),
    ]


@pytest.mark.parametrize(
    ("field", "members"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "  "}),
        ("name", {"name": "x" * 64}),
        ("name", {"name": "two\nlines"}),
        ("target", {"target": ""}),
        ("target", {"target": "hooks.example.com"}),
        ("target", {"target": "ftp://hooks.example.com/"}),
        ("target", {"target": "https://me:pass@hooks.example.com/"}),
        ("target", {"target": "https://hooks.example.com/#part"}),
        ("target", {"target": "http://127.0.0.1:5002/"}),
        ("target", {"target": "http://0x7f.1/"}),
        ("target", {"target": "http://[::ffff:10.0.0.1]/"}),
        ("target", {"target": "http://169.254.169.254/latest/meta-data/"}),
        ("target", {"target": "http://metadata.google.internal/"}),
        ("target", {"target": "https://hooks.example.com/" + "x" * 600}),
        ("events", {"events": ["job.exploded"]}),
        ("events", {"events": ["test"]}),
        ("environments", {"environments": ["nowhere"]}),
        ("kind", {"kind": WebhookKind.EMAIL, "target": "team@example.com"}),
    ],
)
def test_what_cannot_be_meant_is_refused_with_field_and_cure(production, by_ana, field, members):
    with pytest.raises(InvalidFields) as refused:
        create(by_ana, **members)
    assert list(refused.value.errors) == [field]
    assert "a-secret" not in refused.value.detail
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    "address",
    ["", "team", "team@", "a@b.example, c@d.example", "team@example.com\nBcc: all@example.com", "tëam@example.com"],
)
def test_an_address_of_mail_is_one_address(production, by_ana, settings, address):
    settings.EMAIL_IS_SET_UP = True
    with pytest.raises(InvalidFields) as refused:
        create(by_ana, kind=WebhookKind.EMAIL, target=address)
    assert list(refused.value.errors) == ["target"]


def test_an_operator_may_allow_a_network(production, by_ana, settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["10.1.0.0/16", "nonsense"]
    assert create(by_ana, target="http://10.1.2.3:8000/").shown_target == "10.1.2.3/…"
    with pytest.raises(InvalidFields, match="WEBHOOK_ALLOWED_NETWORKS"):
        create(by_ana, name="other", target="http://10.2.2.3:8000/")


def test_a_name_is_taken_once_in_a_project_and_free_again_when_it_is_removed(production, by_ana):
    webhook = create(by_ana)
    with pytest.raises(errors.WebhookExists):
        create(by_ana)
    webhooks.remove(webhook=webhook, by=by_ana)
    assert create(by_ana).pk != webhook.pk


def test_the_database_holds_the_name_too(project):
    WebhookFactory(name="team")
    with pytest.raises(IntegrityError), transaction.atomic():
        WebhookFactory(name="team")


def test_there_is_an_end_to_how_many(production, by_ana, monkeypatch):
    monkeypatch.setattr(webhooks, "MAX_WEBHOOKS", 2)
    create(by_ana)
    create(by_ana, name="two")
    with pytest.raises(InvalidFields, match="at most 2"):
        create(by_ana, name="three")


def test_who_may_not_write_settings_sets_up_nothing(production, by_cy, by_ben):
    with pytest.raises(NotFound):
        create(by_cy)
    with pytest.raises(MissingGrant, match=r"settings\.write"):
        create(by_ben)


def test_nobody_has_told_elsewhere_what_they_may_not_read(project, production):
    someone = UserFactory(username="someone")
    give(someone, project, "settings.write", "environments.read")
    by = Actor(user=someone, via=API)
    webhook = create(by, events=["promotion.failed", "replica.stuck"])
    with pytest.raises(MissingGrant, match=r"training\.read"):
        webhooks.change(webhook=webhook, by=by, events=["job.failed"])
    give(someone, project, "training.read")
    with pytest.raises(MissingGrant, match=r"evaluations\.read"):
        webhooks.change(webhook=webhook, by=Actor(user=someone, via=API), events=["job.failed"])
    with pytest.raises(MissingGrant):
        webhooks.change(webhook=webhook, by=by, events=[])
    everything = WebhookFactory(name="everything")
    with pytest.raises(MissingGrant):
        webhooks.change(webhook=everything, by=by, target="https://mine.example.com/")
    assert webhooks.change(webhook=everything, by=by, name="all", enabled=False).enabled is False
    with pytest.raises(MissingGrant):
        webhooks.change(webhook=everything, by=by, enabled=True)
    with pytest.raises(MissingGrant, match=r"pipelines\.read"):
        create(by, name="gates", events=["gate.failed"])


def test_a_change_that_changes_nothing_leaves_no_event(production, by_ana):
    webhook = create(by_ana, events=["job.failed"])
    events = AuditEvent.objects.count()
    webhooks.change(webhook=webhook, by=by_ana, target=TARGET, events=["job.failed"])
    assert AuditEvent.objects.count() == events


def test_a_new_target_does_not_rest_for_the_sins_of_the_old_one(production, by_ana, django_now):
    webhook = create(by_ana)
    Webhook.objects.update(failures=9, rests_until=django_now)
    webhooks.change(webhook=webhook, by=by_ana, target="https://other.example.com/")
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.rests_until) == (0, None)


@pytest.mark.parametrize("end", ["off", "removed"])
def test_what_waits_is_dropped_with_its_webhook(production, by_ana, end):
    webhook = create(by_ana)
    notifications.tell(project=webhook.project, event=Event.JOB_FAILED, subject="s", text="t")
    if end == "off":
        webhooks.change(webhook=webhook, by=by_ana, enabled=False)
    else:
        webhooks.remove(webhook=webhook, by=by_ana)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.next_at) == ("failed", None)
    assert end in delivery.error


def test_removing_forgets_the_secrets_and_is_done_once(production, by_ana):
    webhook = create(by_ana)
    webhooks.remove(webhook=webhook, by=by_ana)
    webhooks.remove(webhook=webhook, by=by_ana)
    webhook.refresh_from_db()
    assert (webhook.sealed_target, webhook.sealed_secret, webhook.enabled) == ("", "", False)
    assert AuditEvent.objects.filter(action="webhook.remove").count() == 1


def test_only_what_signs_gets_a_new_secret(production, by_ana):
    with pytest.raises(InvalidFields):
        webhooks.renew_secret(webhook=create(by_ana, kind=WebhookKind.SLACK), by=by_ana)
    assert mail.outbox == []
