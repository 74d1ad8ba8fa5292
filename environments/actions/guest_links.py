"""The guest link of a project: made, changed, replaced."""

import hashlib
import re
import secrets
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import InvalidFields
from environments import permissions
from environments.models import ChatToken, Environment

# As hard to guess as one made here would be, if it is random.
TOKEN = re.compile(r"[A-Za-z0-9_.~-]{20,200}", re.ASCII)
TOKEN_RULE = "20 to 200 letters, digits, '_', '.', '~' and '-'"  # noqa: S105


def digest(token: str) -> str:
    """What finds a link. A plain hash is enough: the token is random."""
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def put(*, project: Project, environment: Environment, by: Actor, token: str = "", **members: Any) -> ChatToken:
    """Make the project's guest link anew, with this token or (without one) a random one; a link that has the token
    already is changed. `bot_name`, `description` and `expires_at` stay as they are where they are not named."""
    permissions.check_can_write_guest_link(by, project)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    link = ChatToken.objects.select_related("environment").filter(project=project).first()
    before = _told(link) if link else None
    link = link or ChatToken(project=project)
    token = token or secrets.token_urlsafe(24)
    renewed = link.digest != digest(token)
    if renewed:
        _check_token(token)
        link.token, link.digest = token, digest(token)
    link.environment = environment
    for name, value in members.items():
        setattr(link, name, value)
    try:
        with transaction.atomic():
            link.save()
    except IntegrityError as error:
        # A token leads to one bot. That another project has this one is told in the words of any bad token.
        raise _refusal() from error
    after = _told(link)
    if renewed or before != after:
        audit.record(
            by=by,
            action="guest_link.put",
            object=f"guest_link:{environment.name}",
            project=project,
            before=before,
            after=after | {"new_token": renewed},
        )
    return link


def _check_token(token: str) -> None:
    """Refuse what can be guessed; it is not repeated."""
    if not TOKEN.fullmatch(token) or len(set(token)) < 8:
        raise _refusal()


def _refusal() -> InvalidFields:
    cure = f"Leave it out, and a good one is made; or send a random one of {TOKEN_RULE}."
    return InvalidFields(f"chat_token: {cure}", errors={"chat_token": [cure]})


def _told(link: ChatToken) -> dict[str, Any]:
    expires: datetime | None = link.expires_at
    return {
        "environment": link.environment.name,
        "bot_name": link.bot_name,
        "description": link.description,
        "expires_at": expires.isoformat() if expires else None,
    }
