"""Settings: where notifications go, what was sent there and what came of it, and what is wrong now."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts.problems import InvalidFields, MissingGrant, Problem
from environments import permissions
from environments.actions import deliveries
from environments.actions import webhooks as actions
from environments.api.scope import find_delivery, find_webhook, is_id
from environments.models import Alert, Delivery, Environment, Webhook
from environments.pages import live
from environments.pages.access import PageRequest, page, why_not
from environments.pages.commands import api, curl
from environments.pages.event_words import GROUPS
from environments.pages.event_words import KINDS as KIND_WORDS
from environments.states import DeliveryStatus, WebhookKind

PER_PAGE = 30
SECTION = "webhooks"
# Whom each kind is for.
KINDS = {
    WebhookKind.SIGNED: "for a program of yours, which verifies the signature",
    WebhookKind.SLACK: "of Slack, Mattermost, Rocket.Chat and others that take the same text",
    WebhookKind.EMAIL: "to one address",
}


def _why_not_written(request: PageRequest) -> str:
    return why_not(permissions.check_can_write_settings, request.actor, request.project)


# The list


@page
def webhooks(request: PageRequest) -> HttpResponse:
    permissions.check_can_read_settings(request.actor, request.project)
    rows = list(Webhook.objects.visible_to(request.actor, request.project))
    context = {
        "webhooks": rows,
        "alerts": _alerts(request),
        "why": _why_not_written(request),
        "after": settings.ALERT_AFTER_MINUTES,
    }
    return render(request, "settings/webhooks.html", context)


def _alerts(request: PageRequest) -> list[Alert]:
    """What is wrong now, for those who may see environments."""
    if not request.actor.may(request.project, "environments.read"):
        return []
    rows = Alert.objects.filter(
        environment__project=request.project, environment__retired_at=None, recovered_at=None
    ).exclude(told_at=None)
    return list(rows.select_related("environment").order_by("-since"))


# The form


@dataclass(frozen=True)
class Form:
    """What the form shows: what was sent, else what is stored."""

    kind: str
    name: str
    target: str
    events: list[str]
    environments: list[str]
    enabled: bool
    everything: bool


def _form(request: PageRequest, webhook: Webhook | None) -> Form:
    if request.method == "POST":
        sent = request.POST
        return Form(
            kind=webhook.kind if webhook else sent.get("kind", WebhookKind.SIGNED),
            name=sent.get("name", ""),
            # What was typed may hold a secret, and is typed again.
            target="",
            events=sent.getlist("event"),
            environments=sent.getlist("environment"),
            enabled="enabled" in sent,
            everything=sent.get("which") != "some",
        )
    if webhook is None:
        return Form(WebhookKind.SIGNED, "", "", [], [], enabled=True, everything=True)
    return Form(
        webhook.kind, webhook.name, "", webhook.events, webhook.environments, webhook.enabled, not webhook.events
    )


def _sent(request: PageRequest) -> dict[str, Any]:
    """The members, as the form gives them."""
    sent = request.POST
    everything = sent.get("which") != "some"
    if not everything and not sent.getlist("event"):
        cure = "Tick at least one event, or choose everything."
        raise InvalidFields(f"events: {cure}", errors={"events": [cure]})
    return {
        "name": sent.get("name", "").strip(),
        "events": [] if everything else sent.getlist("event"),
        "environments": sent.getlist("environment"),
        "enabled": "enabled" in sent,
    }


def _form_context(request: PageRequest, webhook: Webhook | None, problem: Problem | None) -> dict[str, Any]:
    return {
        "form": _form(request, webhook),
        "webhook": webhook,
        "problem": problem,
        "kinds": [(kind, KIND_WORDS[kind], what) for kind, what in KINDS.items()],
        "groups": GROUPS,
        "environments": Environment.objects.active().filter(project=request.project),
        "mail": settings.EMAIL_IS_SET_UP,
        "off": _why_not_written(request),
    }


@never_cache
@page
def new_webhook(request: PageRequest) -> HttpResponse:
    """A form; a POST makes a webhook, whose secret is shown once."""
    request.section = SECTION
    permissions.check_can_write_settings(request.actor, request.project)
    problem = None
    if request.method == "POST":
        try:
            return _made(request, _create(request))
        except MissingGrant:
            raise
        except Problem as refused:
            problem = refused
    body = {"name": "team", "kind": "signed", "target": "https://hooks.example.com/controlplane"}
    context = _form_context(request, None, problem)
    context["curl"] = curl("POST", api(request, "webhooks/"), body)
    return render(request, "settings/new_webhook.html", context, status=problem.status if problem else 200)


def _create(request: PageRequest) -> Webhook:
    kind = request.POST.get("kind", "")
    if kind not in list(WebhookKind):
        cure = "Choose one of the kinds."
        raise InvalidFields(f"kind: {cure}", errors={"kind": [cure]})
    return actions.create(
        project=request.project,
        by=request.actor,
        kind=WebhookKind(kind),
        target=request.POST.get("target", "").strip(),
        **_sent(request),
    )


def _made(request: PageRequest, webhook: Webhook) -> HttpResponse:
    if webhook.kind != WebhookKind.SIGNED:
        messages.success(request, f"{webhook.name} is set up. Send a test, to see whether it arrives.")
        return redirect("webhook", project=request.project.name, webhook=webhook.pk)
    return render(request, "settings/secret.html", {"webhook": webhook})


# One webhook


def _log(request: PageRequest, webhook: Webhook) -> live.Piece:
    """What was sent there, newest first."""
    before = request.GET.get("before", "")
    rows = Delivery.objects.filter(webhook=webhook)
    found = list((rows.filter(pk__lt=before) if is_id(before) else rows)[: PER_PAGE + 1])
    context = {
        "webhook": webhook,
        "deliveries": found[:PER_PAGE],
        "older": found[PER_PAGE - 1].pk if len(found) > PER_PAGE else None,
        "why": _why_not_sent(request, webhook),
    }
    return live.piece(request, "deliveries", "settings/deliveries.html", context)


def _why_not_sent(request: PageRequest, webhook: Webhook) -> str:
    off = "" if webhook.enabled else "The webhook is switched off."
    return _why_not_written(request) or off


@never_cache
@page
def webhook(request: PageRequest, webhook: str) -> HttpResponse:
    """Its form and what was sent there; a POST changes it."""
    request.section = SECTION
    found = find_webhook(request.actor, request.project, webhook)
    problem = None
    if request.method == "POST":
        permissions.check_can_write_settings(request.actor, request.project)
        try:
            target = request.POST.get("target", "").strip()
            members = _sent(request) | ({"target": target} if target else {})
            actions.change(webhook=found, by=request.actor, **members)
        except MissingGrant:
            raise
        except Problem as refused:
            problem = refused
        else:
            messages.success(request, "Saved.")
            return redirect("webhook", project=request.project.name, webhook=found.pk)
    route = f"webhooks/{found.pk}/"
    context = _form_context(request, found, problem) | {
        "log": _log(request, found),
        "why_not_sent": _why_not_sent(request, found),
        "curls": [
            curl("POST", api(request, f"{route}test/", wait=15)),
            curl("PATCH", api(request, route), {"enabled": False}),
        ],
    }
    return render(request, "settings/webhook.html", context, status=problem.status if problem else 200)


@page
def webhook_changes(request: PageRequest, webhook: str) -> HttpResponse:
    return live.changes(request, [_log(request, find_webhook(request.actor, request.project, webhook))])


@require_POST
@page
def test_webhook(request: PageRequest, webhook: str) -> HttpResponse:
    """Send a test; what comes of it shows in the log."""
    found = find_webhook(request.actor, request.project, webhook)
    deliveries.test(webhook=found, by=request.actor)
    messages.success(request, "A test is on its way. What comes of it shows below.")
    return redirect("webhook", project=request.project.name, webhook=found.pk)


@require_POST
@page
def redeliver(request: PageRequest, webhook: str, delivery: str) -> HttpResponse:
    found = find_webhook(request.actor, request.project, webhook)
    again = deliveries.redeliver(delivery=find_delivery(found, delivery), by=request.actor)
    messages.success(request, f"“{again.payload['subject']}” is on its way again.")
    return redirect("webhook", project=request.project.name, webhook=found.pk)


@never_cache
@require_POST
@page
def new_secret(request: PageRequest, webhook: str) -> HttpResponse:
    """Another secret, shown once."""
    request.section = SECTION
    found = find_webhook(request.actor, request.project, webhook)
    renewed = actions.renew_secret(webhook=found, by=request.actor)
    return render(request, "settings/secret.html", {"webhook": renewed, "renewed": True})


@page
def remove_webhook(request: PageRequest, webhook: str) -> HttpResponse:
    """Asks first."""
    request.section = SECTION
    found = find_webhook(request.actor, request.project, webhook)
    if request.method == "POST":
        actions.remove(webhook=found, by=request.actor)
        messages.success(request, f"{found.name} was removed.")
        url = reverse("webhooks", args=[request.project.name])
        return HttpResponseClientRedirect(url) if request.htmx else redirect(url)
    waiting = Delivery.objects.filter(webhook=found, status=DeliveryStatus.WAITING).count()
    context = {
        "webhook": found,
        "waiting": waiting,
        "why": _why_not_written(request),
        "curl": curl("DELETE", api(request, f"webhooks/{found.pk}/")),
    }
    return render(request, "settings/remove_webhook.html", context)
