"""API tokens: made for who may have them while they are made, not when the request began."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.actor import API, Actor
from accounts.models import ApiToken, Role, User
from accounts.problems import MissingGrant, NotFound, Unauthorized
from environments import errors
from environments.actions import api_tokens, roles, users
from tests.factories import UserFactory, administrator, give, take


@pytest.fixture
def robot(project) -> User:
    user = UserFactory(username="robot", service_of=project)
    give(user, project, "tokens.write", "models.read")
    return user


def running(user: User) -> Actor:
    """A request of the user that has read its account."""
    by = Actor(user=User.objects.get(pk=user.pk), via=API)
    assert by.grants
    return by


@pytest.mark.parametrize("end", [users.deactivate, users.reset])
def test_a_request_that_began_before_the_end_leaves_no_token(ben, by_ana, end):
    late = running(ben)
    end(user=ben, by=by_ana)
    if end is users.deactivate:
        users.activate(user=ben, by=by_ana)
    with pytest.raises(Unauthorized):
        api_tokens.create(user=late.user, name="late", by=late)
    assert not ApiToken.objects.exists()


def test_who_loses_the_grant_while_the_request_runs_makes_none(ben):
    late = running(ben)
    take(ben, "tokens.write")
    with pytest.raises(MissingGrant, match=r"tokens\.write"):
        api_tokens.create(user=ben, name="late", by=late)


def test_who_loses_what_they_give_while_the_request_runs_makes_none(ben):
    late = running(ben)
    take(ben, "models.read")
    with pytest.raises(MissingGrant, match=r"models\.read"):
        api_tokens.create(user=ben, name="late", by=late, grants=["models.read"])


def test_a_service_account_that_ends_while_the_request_runs_gets_none(robot, by_ana):
    users.deactivate(user=robot, by=by_ana)
    with pytest.raises(errors.UserInactive):
        api_tokens.create(user=robot, name="late", by=by_ana)


def test_who_may_edit_an_account_no_more_makes_no_token_of_it(project, robot, by_ana):
    eva = administrator("eva")
    late = running(eva)
    roles.set_roles(user=eva, project=project, roles=[Role.objects.get(project=project, name="tester")], by=by_ana)
    with pytest.raises(MissingGrant):
        api_tokens.create(user=robot, name="late", by=late)


def test_nobody_makes_one_for_another_person(ben, by_ana):
    with pytest.raises(NotFound):
        api_tokens.create(user=ben, name="mine", by=by_ana)


def test_a_service_account_makes_none_that_outlives_its_own(robot, by_ana, django_now):
    _, secret = api_tokens.create(user=robot, name="ci", by=by_ana, expires_at=django_now + timedelta(days=1))
    client = Client(headers={"authorization": f"Bearer {secret}"})
    for body in ({"name": "next"}, {"name": "next", "expires_at": (django_now + timedelta(hours=1)).isoformat()}):
        refused = client.post("/api/v1/tokens/", body, content_type="application/json")
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/tokens-by-people")
    assert ApiToken.objects.count() == 1
