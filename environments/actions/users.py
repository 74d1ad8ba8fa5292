"""Accounts of people and service accounts: made, renamed, deactivated, given another password.

Who edits an account must hold every grant it has; that an administrator is left is checked at each end.
"""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, validate_email
from django.db import transaction
from django.db.models import F, Q

from accounts import links
from accounts.actions import audit, passwords, sessions
from accounts.actor import DOORS, Actor
from accounts.models import ApiToken, AuditEvent, Project, Role, User
from accounts.models import project as projects
from accounts.models import role as role_names
from accounts.models import user as user_names
from accounts.problems import InvalidFields
from environments import errors, permissions
from environments.actions import roles as role_actions

ADMINISTRATOR = "admin"
MAX_EMAIL = 254


def has_administrator() -> bool:
    """Whether somebody administers or did: a deactivated or renamed administrator is not made again."""
    admins = Role.objects.filter(project__name=projects.DEFAULT, name=role_names.ADMIN).values("group")
    found: bool = User.objects.filter(Q(groups__in=admins) | Q(username=ADMINISTRATOR)).exists()
    return found


@transaction.atomic
def create_administrator(*, password: str, by: Actor) -> User:
    """The one who administers every project, at the first start."""
    user = User.objects.create_user(ADMINISTRATOR, password)
    _administers(user, by)
    return user


def add_administrator(*, username: str, password: str, email: str = "", by: Actor) -> User:
    """Another one who administers every project."""
    permissions.check_can_write_users(by)
    check_username(username)
    _check_email(email)
    user = User(username=username, email=email)
    passwords.give_first(user, password)
    with transaction.atomic():
        role_actions.lock_access()
        _check_free(username)
        user.save()
        _administers(user, by)
    return user


def _administers(user: User, by: Actor) -> None:
    _record(user, "user.create", by, after={"email": user.email, "administrator": True})
    for role in Role.objects.filter(name=role_names.ADMIN).select_related("project"):
        role_actions.set_roles(user=user, project=role.project, roles=[role], by=by)


def create(
    *,
    username: str,
    by: Actor,
    project: Project,
    roles: Sequence[Role] | None = None,
    password: str | None = None,
    email: str = "",
    is_service: bool = False,
) -> User:
    """A new user with `roles` of `project` (None: its default role). Without a password nobody can sign in as them yet:
    a person is invited by a link, a service account has tokens alone."""
    permissions.check_can_write_users(by)
    check_username(username)
    _check_email(email)
    _check_free(username)
    if is_service and password:
        raise InvalidFields(
            "A service account has no password.", errors={"password": ["Leave it out and create a token for it."]}
        )
    user = User(username=username, email=email, service_of=project if is_service else None)
    passwords.give_first(user, password)
    return _insert(user, project, roles, by)


@transaction.atomic
def _insert(user: User, project: Project, roles: Sequence[Role] | None, by: Actor) -> User:
    role_actions.lock_access()
    by = by.anew()
    permissions.check_can_write_users(by)
    _check_free(user.username)
    user.save()
    service_of = user.service_of.name if user.service_of else None
    after = {"email": user.email, "service_of": service_of, "has_password": user.has_usable_password()}
    _record(user, "user.create", by, after=after)
    if roles is None:
        role_actions.give_default(user=user, project=project, by=by)
    elif roles:
        role_actions.set_roles(user=user, project=project, roles=roles, by=by)
    return user


@transaction.atomic
def deactivate(*, user: User, by: Actor) -> None:
    """Nobody acts as this user from now on: sessions and tokens end. Roles stay for the day it is activated again."""
    role_actions.lock_access()
    by, user = by.anew(), User.objects.get(pk=user.pk)
    permissions.check_can_edit_user(by, user)
    if not user.is_active:
        return
    user.is_active = False
    user.save(update_fields=["is_active"])
    for role in Role.objects.of_user(user).filter(name=role_names.ADMIN).select_related("project"):
        if user.service_of_id is None:
            role_actions.check_administered(role.project)
    end_credentials(user)
    revoked = revoke_tokens(user, by)
    _record(user, "user.deactivate", by, {"is_active": True}, {"is_active": False, "revoked_tokens": revoked})


@transaction.atomic
def activate(*, user: User, by: Actor) -> None:
    role_actions.lock_access()
    by, user = by.anew(), User.objects.get(pk=user.pk)
    permissions.check_can_edit_user(by, user)
    if user.is_active:
        return
    user.is_active = True
    user.save(update_fields=["is_active"])
    _record(user, "user.activate", by, {"is_active": False}, {"is_active": True})


@transaction.atomic
def rename(*, user: User, username: str, by: Actor) -> User:
    """Another name for one's own account, or for one that one may edit."""
    role_actions.lock_access()
    by, user = by.anew(), User.objects.get(pk=user.pk)
    permissions.check_can_rename(by, user)
    if username == user.username:
        return user
    check_username(username)
    _check_free(username, besides=user)
    before, user.username = user.username, username
    user.save(update_fields=["username"])
    _record(user, "user.rename", by, {"username": before}, {"username": username})
    return user


# Passwords


@transaction.atomic
def invite(*, user: User, by: Actor) -> str:
    """The path of a link by which a person sets the first password. It ends with its use, and with the next one."""
    user = _person_to_edit(user, by)
    if user.has_usable_password():
        raise errors.PasswordExists(f"{user.username} has a password already. Reset it if it was lost.")
    passwords.take(user)
    _record(user, "user.invite", by)
    return links.make(user, links.INVITATION)


@transaction.atomic
def reset(*, user: User, by: Actor) -> str:
    """The path of a link by which a person sets another password. The present one ends now, with sessions and JWTs."""
    user = _person_to_edit(user, by)
    passwords.take(user)
    _record(user, "user.reset", by)
    return links.make(user, links.RESET)


@transaction.atomic
def set_password(*, user: User, new: str, by: Actor) -> User:
    """Another password for a person, by who may edit the account."""
    return passwords.replace(user=_person_to_edit(user, by), new=new, by=by)


def change_password(*, user: User, old: str, new: str, by: Actor) -> User:
    """Another password for one's own account; whoever changes it stays signed in, all others do not."""
    if by.user != user:
        raise errors.NotTheOwner("Only its owner changes a password. An administrator resets it.")
    return passwords.change(user=user, old=old, new=new, by=by)


def _person_to_edit(user: User, by: Actor) -> User:
    """The user, locked, if it is an active person's account that the actor may edit."""
    role_actions.lock_access()
    by, user = by.anew(), User.objects.select_for_update(no_key=True).get(pk=user.pk)
    permissions.check_can_edit_user(by, user)
    check_takes_link(user)
    return user


def check_takes_link(user: User) -> None:
    """Whether a link to set a password by is of any use."""
    if user.service_of_id is not None:
        raise errors.ServiceAccountHasNoPassword(
            f"{user.username} is a service account and has no password. Create a token for it."
        )
    if not user.is_active:
        raise errors.UserInactive(f"{user.username} is deactivated. Activate the account first.")


# What is shared


def end_credentials(user: User) -> None:
    """End every session and JWT of the user: both hold the generation."""
    User.objects.filter(pk=user.pk).update(credential_generation=F("credential_generation") + 1)
    sessions.end_all(user)


def revoke_tokens(user: User, by: Actor) -> list[str]:
    """End the user's API tokens; what they are called."""
    tokens = ApiToken.objects.filter(user=user, revoked_at=None)
    called = [str(token) for token in tokens]
    tokens.revoke()
    return called


def check_username(username: str) -> None:
    if not user_names.USERNAME.fullmatch(username):
        cure = f"The user name {username[:80]!r} cannot be used. Take {user_names.USERNAME_RULE}."
        raise errors.InvalidName(cure, errors={"username": [cure]})
    if username.lower() in DOORS:
        cure = f"{username} is what the control plane itself is called where it acts. Choose another name."
        raise errors.InvalidName(cure, errors={"username": [cure]})


def _check_free(username: str, *, besides: User | None = None) -> None:
    """Names are never given twice, not even those that somebody had before: the audit trail knows people by them."""
    taken = User.objects.named(username).exclude(pk=besides.pk if besides else None).exists()
    renamed = AuditEvent.objects.filter(action="user.rename", before__username__iexact=username)
    if taken or (renamed.exists() and not (besides and besides.username.lower() == username.lower())):
        raise errors.UserExists(f"There is a user {username}, or was one. Choose another name.")


def _check_email(email: str) -> None:
    try:
        if email:
            validate_email(email)
            MaxLengthValidator(MAX_EMAIL)(email)
    except ValidationError:
        cure = f"This is no e-mail address of up to {MAX_EMAIL} characters."
        raise InvalidFields(f"email: {cure}", errors={"email": [cure]}) from None


def _record(user: User, action: str, by: Actor, before: Any = None, after: Any = None) -> None:
    audit.record(by=by, action=action, object=f"user:{user.username}", project=None, before=before, after=after)
