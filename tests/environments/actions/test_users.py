"""Accounts: made, renamed, deactivated, and by whom."""

from typing import ClassVar

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import IntegrityError, connection, transaction

from accounts.actions import api_tokens
from accounts.actor import API, COMMAND, Actor, system
from accounts.limits import SIGN_INS
from accounts.models import ApiToken, AuditEvent, Role, User
from accounts.problems import Busy, InvalidFields, MissingGrant, NotFound, Unauthorized
from environments import errors
from environments.actions import promotions, roles, users
from tests.factories import ProjectFactory, UserFactory, administrator, give

PASSWORD = "correct horse battery staple"


def by(user):
    return Actor(user=user, via=API)


def roles_of(user):
    return {f"{role.project.name}/{role.name}" for role in Role.objects.of_user(user).select_related("project")}


@pytest.fixture
def uma(project):
    """Manages users, and is a tester herself."""
    user = UserFactory(username="uma")
    give(user, project, "users.read", "users.write")
    user.groups.add(Role.objects.get(project=project, name="tester").group_id)
    return user


def test_a_new_user_has_the_default_role_and_is_told(project, by_ana):
    eve = users.create(username="eve", password=PASSWORD, project=project, email="eve@example.com", by=by_ana)
    assert eve.check_password(PASSWORD)
    assert roles_of(eve) == {"default/tester"}
    event = AuditEvent.objects.get(action="user.create")
    assert (event.actor, event.object, event.project) == ("ana", "user:eve", project)
    assert PASSWORD not in str(event.after)


def test_without_a_password_nobody_signs_in(project, by_ana):
    eve = users.create(username="eve", project=project, roles=[], by=by_ana)
    assert not eve.has_usable_password()
    assert roles_of(eve) == set()


class Watching(MD5PasswordHasher):
    """How many transactions each hash was within."""

    within: ClassVar[list[int]] = []

    def encode(self, password, salt):
        Watching.within.append(len(connection.savepoint_ids))
        return super().encode(password, salt)


def test_a_password_is_hashed_before_the_lock_and_few_at_a_time(project, by_ana, settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.Watching"]
    Watching.within.clear()
    outside = len(connection.savepoint_ids)
    users.create(username="kim", project=project, by=by_ana, password=PASSWORD)
    assert Watching.within == [outside]
    settings.MAX_SIGN_INS = 1
    with SIGN_INS.slot("busy"), pytest.raises(Busy):
        users.create(username="lee", project=project, by=by_ana, password=PASSWORD)
    assert not User.objects.filter(username="lee").exists()


def test_a_service_account_belongs_to_a_project_and_has_no_password(project, by_ana):
    developer = Role.objects.get(project=project, name="developer")
    robot = users.create(username="ci", project=project, roles=[developer], is_service=True, by=by_ana)
    assert robot.service_of == project
    with pytest.raises(InvalidFields, match="no password"):
        users.create(username="cd", project=project, password=PASSWORD, is_service=True, by=by_ana)


@pytest.mark.parametrize("name", ["", "a b", "\u0430na", "ana\0", "ana\u200b", "a/b", "-a", "x" * 151, "ana\n"])
def test_a_name_that_may_be_taken_for_another_is_refused(project, by_ana, name):
    with pytest.raises(errors.InvalidName):
        users.create(username=name, project=project, by=by_ana)


def test_a_name_is_taken_whatever_the_case_and_for_ever(project, by_ana):
    eve = users.create(username="eve", project=project, by=by_ana)
    users.deactivate(user=eve, by=by_ana)
    for name in ("eve", "Eve", "ANA"):
        with pytest.raises(errors.UserExists):
            users.create(username=name, project=project, by=by_ana)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("EVE")


@pytest.mark.parametrize("password", ["sh0rt", "password123", "12345678901", "eve-the-user"])
def test_a_weak_password_is_refused_with_every_reason_and_not_repeated(project, by_ana, password):
    with pytest.raises(InvalidFields) as refused:
        users.create(username="eve-the-user", password=password, project=project, by=by_ana)
    assert refused.value.errors["password"]
    assert password not in refused.value.detail
    assert not User.objects.filter(username="eve-the-user").exists()


def test_who_manages_users_gives_the_default_role_but_no_other(project, uma):
    eve = users.create(username="eve", project=project, by=by(uma))
    assert roles_of(eve) == {"default/tester"}
    admin = Role.objects.get(project=project, name="admin")
    with pytest.raises(MissingGrant, match=r"roles\.write"):
        users.create(username="eva", project=project, roles=[admin], by=by(uma))
    assert not User.objects.filter(username="eva").exists()


def test_users_are_managed_in_the_default_project_alone(project, ana):
    banking = ProjectFactory(name="banking")
    bob = UserFactory(username="bob")
    bob.groups.add(Role.objects.get(project=banking, name="admin").group_id)
    with pytest.raises(NotFound):
        users.create(username="eve", project=banking, by=by(bob))
    give(bob, project, "models.read")
    with pytest.raises(MissingGrant, match=r"users\.write"):
        users.create(username="eve", project=banking, by=by(bob))


# Who edits whom


@pytest.mark.parametrize(
    "attempt",
    [
        lambda user, by: users.deactivate(user=user, by=by),
        lambda user, by: users.activate(user=user, by=by),
        lambda user, by: users.rename(user=user, username="other", by=by),
    ],
    ids=["deactivate", "activate", "rename"],
)
def test_nobody_edits_who_holds_more(project, production, uma, ana, attempt):
    with pytest.raises(MissingGrant):
        attempt(ana, by(uma))
    # Also where it is held in a project that they do not see.
    banking = ProjectFactory(name="banking")
    bob = UserFactory(username="bob")
    give(bob, banking, "models.read")
    with pytest.raises(MissingGrant, match=r"models\.read"):
        attempt(bob, by(uma))


def test_who_holds_as_much_may(project, uma, cy):
    cy.groups.add(Role.objects.get(project=project, name="tester").group_id)
    users.deactivate(user=cy, by=by(uma))
    assert not User.objects.get(username="cy").is_active
    users.activate(user=cy, by=by(uma))
    assert User.objects.get(username="cy").is_active


def test_the_last_administrator_stays(project, ana, by_ana):
    for actor in (by_ana, system(COMMAND)):
        with pytest.raises(errors.LastAdministrator):
            users.deactivate(user=ana, by=actor)
    ana.refresh_from_db()
    assert ana.is_active


def test_the_last_administrator_of_any_project_stays(project, ana, by_ana):
    mia = administrator("mia")
    banking = ProjectFactory(name="banking")
    roles.set_roles(user=ana, project=banking, roles=[], by=by_ana.anew())
    with pytest.raises(errors.LastAdministrator, match="banking"):
        users.deactivate(user=mia, by=system(COMMAND))
    users.deactivate(user=ana, by=by(mia))


# What ends with an account


def test_deactivation_ends_every_token_and_activation_brings_none_back(project, production, ben, by_ana):
    token, _ = api_tokens.create(user=ben, name="ci", by=by(ben))
    generation = ben.credential_generation
    users.deactivate(user=ben, by=by_ana)
    assert not ApiToken.objects.usable().filter(pk=token.pk).exists()
    assert not by(User.objects.get(pk=ben.pk)).sees(project)
    users.activate(user=ben, by=by_ana)
    assert not ApiToken.objects.usable().filter(pk=token.pk).exists()
    ben.refresh_from_db()
    assert ben.credential_generation > generation
    assert by(ben).sees(project)


def test_roles_come_back_with_the_account(project, ben, by_ana):
    before = roles_of(ben)
    users.deactivate(user=ben, by=by_ana)
    users.activate(user=ben, by=by_ana)
    assert roles_of(ben) == before


def test_who_loses_the_grant_while_the_request_runs_promotes_nothing(project, experimental, otter, ben, by_ana):
    running = by(ben)
    assert running.may(project, "models.read")
    roles.set_roles(user=ben, project=project, roles=[], by=by_ana)
    with pytest.raises((MissingGrant, NotFound)):
        promotions.promote(environment=experimental, model=otter, by=running)


def test_a_token_revoked_while_the_request_runs_promotes_nothing(project, experimental, otter, ben):
    token, _ = api_tokens.create(user=ben, name="ci", by=by(ben))
    running = Actor(user=ben, via=API, token=token)
    assert running.may(project, "models.read")
    api_tokens.revoke(token=token, by=by(ben))
    with pytest.raises(Unauthorized):
        promotions.promote(environment=experimental, model=otter, by=running)


@pytest.mark.parametrize("end", [users.reset, users.deactivate])
def test_who_is_ended_while_the_request_runs_changes_nothing(project, experimental, otter, ben, by_ana, end):
    running = by(User.objects.get(pk=ben.pk))
    end(user=ben, by=by_ana)
    if end is users.deactivate:
        users.activate(user=ben, by=by_ana)
    with pytest.raises(Unauthorized):
        promotions.promote(environment=experimental, model=otter, by=running)


def test_a_request_by_an_api_token_outlives_a_reset(experimental, otter, ben, by_ana):
    token, _ = api_tokens.create(user=ben, name="ci", by=by(ben))
    running = Actor(user=User.objects.get(pk=ben.pk), via=API, token=token)
    users.reset(user=ben, by=by_ana)
    assert promotions.promote(environment=experimental, model=otter, by=running)


def test_one_renames_oneself_and_the_history_keeps_the_old_name(project, ben, by_ben):
    users.rename(user=ben, username="benedict", by=by_ben)
    event = AuditEvent.objects.get(action="user.rename")
    assert (event.actor, event.before, event.after) == ("ben", {"username": "ben"}, {"username": "benedict"})


def test_nobody_takes_the_name_of_another(ana, ben, by_ben):
    with pytest.raises(errors.UserExists):
        users.rename(user=ben, username="ANA", by=by_ben)


def test_a_former_name_is_given_to_nobody_else(project, ben, by_ben, by_ana):
    users.rename(user=ben, username="benedict", by=by_ben)
    with pytest.raises(errors.UserExists):
        users.create(username="Ben", project=project, by=by_ana)
    with pytest.raises(errors.UserExists):
        users.rename(user=by_ana.user, username="ben", by=by_ana)


def test_only_the_case_of_a_name_may_change(project, ben, by_ben):
    assert users.rename(user=ben, username="Ben", by=by_ben).username == "Ben"


def test_a_narrower_token_renames_nobody(ben):
    token, _ = api_tokens.create(user=ben, name="ci", grants=["models.read"], by=by(ben))
    with pytest.raises(errors.NarrowToken):
        users.rename(user=ben, username="mallory", by=Actor(user=ben, via=API, token=token))
