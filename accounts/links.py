"""One-time links by which a person sets a password. Nothing of them is stored: they end with the password before
and with each change of roles."""

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.urls import reverse

from accounts.models import User

INVITATION, RESET = "invitation", "reset"


class _Links(PasswordResetTokenGenerator):
    key_salt = "accounts.links"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        """What ends a link when it changes: the password, with the generation every way to end credentials, and the
        roles, for whoever made the link need not hold what came later."""
        groups = sorted(user.groups.values_list("pk", flat=True))
        return f"{user.pk}:{user.password}:{user.credential_generation}:{groups}:{timestamp}"


_links = _Links()


def make(user: User, kind: str) -> str:
    """The path of a link of this kind: the address of the page that takes it, with its token."""
    return reverse(kind, args=[user.pk, _links.make_token(user)])


def opens(user: User, token: str) -> bool:
    """Whether the token is of a link of this user that was neither used nor ended, and of a person who may sign in."""
    return user.is_active and user.service_of_id is None and _links.check_token(user, token)
