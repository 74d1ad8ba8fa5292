"""Users: for now the one who administers, made at the first start."""

from django.db import transaction
from django.db.models import Q

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import User

ADMINISTRATOR = "admin"


def has_administrator() -> bool:
    """Whether somebody administers or did: a deactivated or renamed administrator is not made again."""
    return User.objects.filter(Q(is_superuser=True) | Q(username=ADMINISTRATOR)).exists()


@transaction.atomic
def create_administrator(*, password: str, by: Actor) -> User:
    user = User.objects.create_superuser(ADMINISTRATOR, password=password)
    audit.record(
        by=by, action="user.create", object=f"user:{user.username}", project=None, after={"administrator": True}
    )
    return user
