"""Settings: webhooks on pages. What is secret is shown once, a refusal is told beside the form, the log tells all."""

import pytest
from django.utils import timezone

from environments.models import Alert, Delivery, Webhook
from tests.factories import DeliveryFactory, EnvironmentFactory, ProjectFactory, UserFactory, WebhookFactory, give

SETTINGS = "/p/default/settings"
FORM = {"name": "team", "kind": "signed", "target": "https://hooks.example.com/a-secret-part", "which": "all"}
FORM |= {"enabled": "on"}


@pytest.fixture
def ana_page(ana, client):
    client.force_login(ana)
    return client


def text(response) -> str:
    return response.content.decode()


def test_an_empty_page_says_what_a_webhook_is_for(ana_page, production):
    page = text(ana_page.get(f"{SETTINGS}/"))
    assert "Nobody is told yet" in page
    assert f"{SETTINGS}/new-webhook/" in page


def test_the_secret_is_shown_once(ana_page, production):
    shown = ana_page.post(f"{SETTINGS}/new-webhook/", FORM)
    webhook = Webhook.objects.get()
    assert webhook.secret in text(shown)
    assert shown.headers["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    for address in (f"{SETTINGS}/", f"{SETTINGS}/webhooks/{webhook.pk}/"):
        page = text(ana_page.get(address))
        assert "hooks.example.com/…" in page
        assert webhook.secret not in page
        assert "a-secret-part" not in page


def test_what_was_chosen_is_kept(ana_page, production):
    events = ["job.failed", "promotion.failed"]
    ana_page.post(f"{SETTINGS}/new-webhook/", {**FORM, "which": "some", "event": events, "environment": ["production"]})
    webhook = Webhook.objects.get()
    assert (sorted(webhook.events), webhook.environments, webhook.enabled) == (events, ["production"], True)
    page = text(ana_page.get(f"{SETTINGS}/webhooks/{webhook.pk}/"))
    assert page.count('name="event"') == 15
    assert page.count('value="job.failed" checked') == 1
    assert page.count('value="job.succeeded" checked') == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"target": "http://10.0.0.1/"}, "WEBHOOK_ALLOWED_NETWORKS"),
        ({"kind": "email", "target": "team@example.com"}, "EMAIL_URL"),
        ({"kind": "pigeon"}, "Choose one of the kinds"),
        ({"which": "some"}, "Tick at least one event"),
        ({"environment": ["nowhere"]}, "There is no environment"),
        ({"name": " "}, "Give it a name"),
    ],
)
def test_a_refusal_stands_beside_the_form_with_what_was_typed(ana_page, production, change, told):
    refused = ana_page.post(f"{SETTINGS}/new-webhook/", {**FORM, "name": "of the team", **change})
    assert refused.status_code == 400
    assert told in text(refused)
    assert 'name="name"' in text(refused)
    assert "a-secret-part" not in text(refused)
    assert not Webhook.objects.exists()


def test_an_empty_target_stays_as_it_is_and_another_takes_its_place(ana_page, production):
    webhook = WebhookFactory()
    page = f"{SETTINGS}/webhooks/{webhook.pk}/"
    assert ana_page.post(page, {**FORM, "target": ""}).status_code == 302
    webhook.refresh_from_db()
    assert (webhook.name, webhook.target) == ("team", "https://hooks.example.com/a-secret-path")
    ana_page.post(page, FORM)
    webhook.refresh_from_db()
    assert webhook.target == FORM["target"]


def test_it_is_switched_off_by_its_box(ana_page, production):
    webhook = WebhookFactory()
    off = {name: value for name, value in FORM.items() if name != "enabled"}
    ana_page.post(f"{SETTINGS}/webhooks/{webhook.pk}/", off)
    webhook.refresh_from_db()
    assert webhook.enabled is False
    page = text(ana_page.get(f"{SETTINGS}/webhooks/{webhook.pk}/"))
    assert "The webhook is switched off." in page


def test_a_new_secret_takes_the_place_of_the_old_one(ana_page, production):
    webhook = WebhookFactory()
    shown = ana_page.post(f"{SETTINGS}/webhooks/{webhook.pk}/new-secret/")
    webhook.refresh_from_db()
    assert webhook.secret in text(shown)
    assert webhook.secret != "the-secret-that-signs"


def test_the_log_tells_what_became_of_each(ana_page, production, django_now):
    webhook = WebhookFactory()
    DeliveryFactory(webhook=webhook, attempts=3, error="It did not answer in time.")
    failed = DeliveryFactory(webhook=webhook, status="failed", next_at=None, response_status=500, attempts=31)
    page = text(ana_page.get(f"{SETTINGS}/webhooks/{webhook.pk}/"))
    assert "It did not answer in time." in page
    assert "31" in page
    assert page.count("Send again") == 1
    assert f"deliveries/{failed.pk}/redeliver/" in page
    done = ana_page.post(f"{SETTINGS}/webhooks/{webhook.pk}/deliveries/{failed.pk}/redeliver/")
    assert done.status_code == 302
    failed.refresh_from_db()
    assert failed.status == "waiting"


def test_a_long_log_has_pages(ana_page, production):
    webhook = WebhookFactory()
    for _ in range(31):
        DeliveryFactory(webhook=webhook)
    oldest = Delivery.objects.order_by("pk")[1]
    page = text(ana_page.get(f"{SETTINGS}/webhooks/{webhook.pk}/"))
    assert f"?before={oldest.pk}" in page
    assert text(ana_page.get(f"{SETTINGS}/webhooks/{webhook.pk}/?before={oldest.pk}")).count('scope="row"') == 1


def test_the_log_refreshes_by_itself(ana_page, production):
    webhook = WebhookFactory()
    ana_page.post(f"{SETTINGS}/webhooks/{webhook.pk}/test/")
    changed = ana_page.get(f"{SETTINGS}/webhooks/{webhook.pk}/changes/?seen=other")
    assert "A test of the webhook" in text(changed)


def test_removing_asks_first_and_says_what_is_lost(ana_page, production):
    webhook = WebhookFactory()
    DeliveryFactory(webhook=webhook)
    asked = text(ana_page.get(f"{SETTINGS}/webhooks/{webhook.pk}/remove/"))
    assert "What waits for it, 1 notification, is dropped." in asked
    assert ana_page.post(f"{SETTINGS}/webhooks/{webhook.pk}/remove/").status_code == 302
    assert ana_page.get(f"{SETTINGS}/webhooks/{webhook.pk}/").status_code == 404


def test_what_is_wrong_now_is_told_of_this_project_alone(ana_page, production):
    now = timezone.now()
    elsewhere = EnvironmentFactory(project=ProjectFactory(name="banking"))
    for environment, detail in ((production, "It does not answer."), (elsewhere, "Of the bank.")):
        Alert.objects.create(
            environment=environment, event="environment.unreachable", detail=detail, since=now, told_at=now
        )
    Alert.objects.create(environment=production, event="replica.silent", subject="r1", detail="Not told.", since=now)
    page = text(ana_page.get(f"{SETTINGS}/"))
    assert "It does not answer." in page
    assert "Of the bank." not in page
    assert "Not told." not in page


def test_who_only_reads_sees_why_nothing_can_be_changed(client, project, production):
    someone = UserFactory(username="someone")
    give(someone, project, "settings.read")
    client.force_login(someone)
    webhook = WebhookFactory()
    page = text(client.get(f"{SETTINGS}/webhooks/{webhook.pk}/"))
    assert "This needs the grant settings.write." in page
    assert "Wrong now" not in text(client.get(f"{SETTINGS}/"))


def test_the_rail_lists_settings_for_who_may_read_them(ana_page, ben, client, production):
    assert f'href="{SETTINGS}/"' in text(ana_page.get("/p/default/"))
    client.force_login(ben)
    assert f'href="{SETTINGS}/"' not in text(client.get("/p/default/"))


def test_a_list_of_many_costs_no_more_than_one_of_few(ana_page, production, django_assert_max_num_queries):
    for _ in range(40):
        WebhookFactory()
    with django_assert_max_num_queries(14):
        ana_page.get(f"{SETTINGS}/")
