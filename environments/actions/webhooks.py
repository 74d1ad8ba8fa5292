"""Webhooks: where notifications of a project go. Who sets one up may read what it will tell."""

import secrets
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import InvalidFields
from environments import addresses, errors, permissions
from environments.actions import deliveries
from environments.models import Environment, Webhook
from environments.states import Event, WebhookKind

MAX_NAME = 63
MAX_EMAIL = 254
# Of one project.
MAX_WEBHOOKS = 50
MEMBERS = ("name", "target", "events", "environments", "enabled")
# What can be asked for; a test is asked for by its button.
EVENTS = tuple(event for event in Event if event is not Event.TEST)


@transaction.atomic
def create(
    *,
    project: Project,
    by: Actor,
    name: str,
    kind: WebhookKind,
    target: str,
    events: Sequence[str] = (),
    environments: Sequence[str] = (),
    enabled: bool = True,
) -> Webhook:
    """A new one. Its `secret`, with which a signed one signs, is shown to who made it and never again.

    Empty `events` and `environments` stand for all there are and will be.
    """
    permissions.check_can_write_settings(by, project)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if Webhook.objects.present().filter(project=project).count() >= MAX_WEBHOOKS:
        raise _wrong("name", f"A project has at most {MAX_WEBHOOKS} webhooks. Remove one first.")
    if kind is WebhookKind.EMAIL and not settings.EMAIL_IS_SET_UP:
        raise _wrong("kind", "No mail server is set up here. An operator names one in EMAIL_URL.")
    webhook = Webhook(project=project, kind=kind, by=by.user, by_name=by.name)
    _put(webhook, name=name, target=target, events=list(events), environments=list(environments), enabled=enabled)
    permissions.check_can_hear(by, project, webhook.events or EVENTS)
    if kind is WebhookKind.SIGNED:
        webhook.secret = secrets.token_urlsafe(32)
    _save(webhook)
    _record(webhook, by, "webhook.create", None, _told(webhook))
    return webhook


@transaction.atomic
def change(*, webhook: Webhook, by: Actor, **members: Any) -> Webhook:
    """Change those of `MEMBERS` that are named. One that is switched off drops what still waits."""
    permissions.check_can_write_settings(by, webhook.project)
    locked = _lock(webhook)
    before, target = _told(locked), locked.sealed_target
    _put(locked, **members)
    renewed = locked.sealed_target != target
    after = _told(locked)
    if not renewed and before == after:
        return locked
    if locked.enabled and (renewed or before | {"name": locked.name} != after):
        permissions.check_can_hear(by, locked.project, locked.events or EVENTS)
    if renewed:
        locked.failures, locked.rests_until = 0, None
    _save(locked)
    if not locked.enabled:
        deliveries.drop(locked, "The webhook was switched off.")
    _record(locked, by, "webhook.update", before, after | ({"new_target": True} if renewed else {}))
    return locked


@transaction.atomic
def renew_secret(*, webhook: Webhook, by: Actor) -> Webhook:
    """Another `secret`, shown once; the one before signs nothing any more."""
    permissions.check_can_write_settings(by, webhook.project)
    locked = _lock(webhook)
    if locked.kind != WebhookKind.SIGNED:
        raise _wrong("new_secret", "Only a webhook of the kind signed has a secret.")
    locked.secret = secrets.token_urlsafe(32)
    locked.save(update_fields=["sealed_secret"])
    _record(locked, by, "webhook.renew_secret", None, None)
    return locked


@transaction.atomic
def remove(*, webhook: Webhook, by: Actor) -> None:
    """Nothing goes there any more, what waits included; its secrets are forgotten. Its deliveries stay as history."""
    permissions.check_can_write_settings(by, webhook.project)
    locked = _lock(webhook)
    if locked.removed_at:
        return
    before = _told(locked)
    locked.enabled, locked.removed_at = False, timezone.now()
    locked.target = locked.secret = ""
    locked.save()
    deliveries.drop(locked, "The webhook was removed.")
    _record(locked, by, "webhook.remove", before, None)


def _lock(webhook: Webhook) -> Webhook:
    return Webhook.objects.select_for_update(of=("self",)).select_related("project").get(pk=webhook.pk)


def _save(webhook: Webhook) -> None:
    try:
        with transaction.atomic():
            webhook.save()
    except IntegrityError as error:
        raise errors.WebhookExists(
            f"There is a webhook {webhook.name} already. Choose another name, or change that one.", name=webhook.name
        ) from error


def _record(webhook: Webhook, by: Actor, action: str, before: Any, after: Any) -> None:
    """The target and the secret are never in it."""
    audit.record(
        by=by,
        action=action,
        object=f"webhook:{webhook.name}",
        project=webhook.project,
        before=before,
        after=after,
    )


def _told(webhook: Webhook) -> dict[str, Any]:
    return {
        "name": webhook.name,
        "kind": webhook.kind,
        "target": webhook.shown_target,
        "events": webhook.events,
        "environments": webhook.environments,
        "enabled": webhook.enabled,
    }


# What is accepted


def _wrong(field: str, cure: str) -> InvalidFields:
    return InvalidFields(f"{field}: {cure}", errors={field: [cure]})


def _put(webhook: Webhook, **members: Any) -> None:
    """Set the members that are named, each judged."""
    for name, value in members.items():
        match name:
            case "name":
                webhook.name = _name(value)
            case "target":
                webhook.shown_target = _shown_target(WebhookKind(webhook.kind), value)
                webhook.target = value
            case "events":
                webhook.events = _events(value)
            case "environments":
                webhook.environments = _environments(webhook.project, value)
            case "enabled":
                webhook.enabled = bool(value)


def _name(name: str) -> str:
    if not 0 < len(name.strip()) <= MAX_NAME or not name.isprintable():
        raise _wrong("name", f"Give it a name of up to {MAX_NAME} letters, on one line.")
    return name.strip()


def _shown_target(kind: WebhookKind, target: str) -> str:
    """What people are shown of it: the host, or who is written to as far as one who knows the address needs it."""
    if kind is WebhookKind.EMAIL:
        return _shown_address(target)
    try:
        addresses.check_webhook_url(target, addresses.networks(settings.WEBHOOK_ALLOWED_NETWORKS))
    except errors.InvalidUrl as problem:
        raise _wrong("target", problem.detail) from problem
    return f"{addresses.server_of(target)[1]}/…"


def _shown_address(address: str) -> str:
    try:
        validate_email(address)
    except ValidationError:
        address = ""
    if not address or len(address) > MAX_EMAIL or not address.isascii():
        raise _wrong("target", "Give one address of e-mail, like team@example.com.")
    user, _, host = address.rpartition("@")
    return f"{user[0]}…@{host}"


def _events(events: Sequence[str]) -> list[str]:
    unknown = [event for event in events if event not in EVENTS]
    if unknown:
        raise _wrong("events", f"There is no event {unknown[0][:50]!r}. Known are {', '.join(EVENTS)}.")
    return [event.value for event in EVENTS if event in events]


def _environments(project: Project, environments: Sequence[str]) -> list[str]:
    """Names of environments, in their order."""
    known = list(Environment.objects.active().filter(project=project).values_list("name", flat=True))
    unknown = [name for name in environments if name not in known]
    if unknown:
        there_are = ", ".join(known) or "none yet"
        raise _wrong("environments", f"There is no environment {unknown[0][:63]!r}. Known are {there_are}.")
    return [name for name in known if name in environments]
