"""Changing one's own password."""

import pytest

from accounts.actor import PAGE, Actor
from accounts.models import AuditEvent, User
from accounts.problems import InvalidFields, Unauthorized
from environments import errors
from environments.actions import users

OLD, NEW = "otters swim in rivers", "herons stand in reeds"


@pytest.fixture
def ben(ben) -> User:
    ben.set_password(OLD)
    ben.save()
    return ben


def test_another_password_ends_what_the_old_one_opened(client, ben):
    client.force_login(ben)
    users.change_password(user=ben, old=OLD, new=NEW, by=Actor(user=ben, via=PAGE))
    changed = User.objects.get(pk=ben.pk)
    assert changed.check_password(NEW)
    assert changed.credential_generation == ben.credential_generation + 1
    assert client.get("/p/default/").status_code == 302
    assert AuditEvent.objects.filter(action="user.password", actor="ben", object="user:ben").count() == 1


@pytest.mark.parametrize(
    ("old", "new", "field"), [("wrong", NEW, "old"), (OLD, "short", "new"), (OLD, "benbenben", "new")]
)
def test_a_refused_change_names_the_field_and_changes_nothing(ben, old, new, field):
    ben.email = "benbenbe@example.com"
    ben.save()
    with pytest.raises(InvalidFields) as refused:
        users.change_password(user=ben, old=old, new=new, by=Actor(user=ben, via=PAGE))
    assert list(refused.value.errors or {}) == [field]
    assert User.objects.get(pk=ben.pk).password == ben.password
    assert not AuditEvent.objects.filter(action="user.password").exists()


def test_nobody_changes_the_password_of_another(ben, by_ana):
    with pytest.raises(errors.NotTheOwner):
        users.change_password(user=ben, old=OLD, new=NEW, by=by_ana)


@pytest.mark.parametrize("end", [users.reset, users.deactivate])
def test_what_was_ended_while_a_change_was_asked_for_stays_ended(ben, by_ana, end):
    asking = User.objects.get(pk=ben.pk)
    end(user=ben, by=by_ana)
    ended = User.objects.get(pk=ben.pk)
    with pytest.raises(Unauthorized):
        users.change_password(user=asking, old=OLD, new=NEW, by=Actor(user=asking, via=PAGE))
    assert User.objects.get(pk=ben.pk).password == ended.password


def test_of_two_changes_at_once_one_is_made(ben):
    asking, late = (User.objects.get(pk=ben.pk) for _ in range(2))
    users.change_password(user=asking, old=OLD, new=NEW, by=Actor(user=asking, via=PAGE))
    with pytest.raises(Unauthorized):
        users.change_password(user=late, old=OLD, new="otters dive", by=Actor(user=late, via=PAGE))
    assert User.objects.get(pk=ben.pk).check_password(NEW)
