"""Who may change an environment: the list is what the doors themselves would say."""

import re

import pytest

from accounts.actions import api_tokens
from accounts.actor import API, PAGE, Actor
from accounts.models import ApiToken, User
from environments import holders, permissions
from environments.api.scope import find_environment
from tests.environments.pages.conftest import signed_in
from tests.environments.pages.test_roles import text
from tests.factories import EnvironmentFactory, UserFactory, give

WHO = "/p/default/access/who-may/"
WRITES = ("environments.read", "environments.production.write")


@pytest.fixture
def staging(project):
    """Defined through the API."""
    return EnvironmentFactory(project=project, name="staging", declared_in="api", order=3)


@pytest.fixture
def everybody(project, production, experimental, staging, ana, ben, cy, dora):
    """The cast, and whoever is special."""
    give(UserFactory(username="writes"), project, *WRITES)
    give(UserFactory(username="unseeing"), project, "environments.production.write")
    give(UserFactory(username="all-later"), project, "environments.read", "environments.*.write")
    give(UserFactory(username="manages"), project, "environments.read", "environments.manage")
    give(UserFactory(username="forces"), project, "environments.read", "environments.production.force")
    give(UserFactory(username="left", is_active=False), project, *WRITES)
    give(UserFactory(username="ci", service_of=project), project, *WRITES)
    two = UserFactory(username="in-two")
    give(two, project, "environments.production.write")
    give(two, project, "environments.read")
    return list(User.objects.all())


def may_change(actor, environment) -> bool:
    """What the doors say: promote to it, or redefine it where the API may."""
    if environment.declared_in == "api" and actor.may(environment.project, "environments.manage"):
        return True
    return actor.may(environment.project, "environments.read") and permissions.can_promote(actor, environment)


@pytest.mark.parametrize("name", ["production", "experimental", "staging"])
def test_the_list_is_whom_the_doors_let_through(everybody, project, by_ana, name):
    environment = find_environment(by_ana, project, name)
    listed = set(holders.changers(environment, holders.words_of_roles(project)))
    assert listed == {user for user in everybody if may_change(Actor(user, PAGE), environment)}
    assert {user.username for user in listed} >= {"ana", "all-later"}


NARROWED = [
    None,
    [],
    ["environments.read"],
    ["environments.production.write"],
    [*WRITES],
    ["environments.read", "environments.*.write"],
    ["environments.manage"],
    ["environments.read", "environments.experimental.write"],
]


@pytest.mark.parametrize("grants", NARROWED, ids=str)
@pytest.mark.parametrize("name", ["production", "staging"])
def test_a_token_is_listed_where_the_doors_let_it_through(ana, by_ana, project, production, staging, name, grants):
    token, _ = api_tokens.create(user=ana, name="t", by=by_ana, grants=grants)
    token.refresh_from_db()
    environment = find_environment(by_ana, project, name)
    (changer,) = holders.told([ana], environment, holders.words_of_roles(project))
    assert bool(changer.tokens) == may_change(Actor(ana, API, token=token), environment)


def test_the_page_tells_role_grant_and_credentials(ana_looks, everybody, project):
    ci = User.objects.get(username="ci")
    token, _ = api_tokens.create(user=ci, name="nightly", by=Actor(ci, PAGE))
    told = text(ana_looks.get(f"{WHO}production/"))
    assert f"nightly {token.prefix}… never used" in told
    assert re.search(r"writes role-\d+ environments\.production\.write", told)
    assert "ana admin environments.*.write" in told
    assert "5 users may change what it serves" in told


def test_revoked_and_expired_tokens_are_not_listed(ana_looks, ana, by_ana, production, django_now):
    token, _ = api_tokens.create(user=ana, name="old-one", by=by_ana)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=django_now)
    assert "old-one" not in text(ana_looks.get(f"{WHO}production/"))


def test_a_follower_has_the_list_of_what_it_follows(ana_looks, everybody, worker):
    told = text(ana_looks.get(f"{WHO}worker/"))
    assert "worker follows production: whoever may change production changes it." in told
    assert "writes" in told
    assert "worker follows production and change with it" not in told
    assert "worker follows production" not in text(ana_looks.get(f"{WHO}experimental/"))
    assert "worker follows production and changes" in text(ana_looks.get(f"{WHO}production/"))


def test_who_defines_environments_is_listed_where_the_api_may_change_it(ana_looks, everybody):
    assert "manages" in text(ana_looks.get(f"{WHO}staging/"))
    assert "access/users/manages/" not in ana_looks.get(f"{WHO}production/").content.decode()
    assert "declared in environments.yml" in text(ana_looks.get(f"{WHO}production/"))


def test_roles_and_tokens_are_taken_away_from_the_list(ana_looks, everybody, project):
    writes = User.objects.get(username="writes")
    role = writes.groups.get().role
    back = f"{WHO}production/"
    answer = ana_looks.post(f"/p/default/access/roles/{role.name}/members/", {"remove": "writes", "next": back})
    assert answer.url == back
    assert "access/users/writes/" not in ana_looks.get(back).content.decode()


def test_who_does_not_cover_somebody_sees_why_nothing_can_be_taken(project, everybody):
    eve = UserFactory(username="eve")
    give(eve, project, "users.read", "users.write", "roles.read", "roles.write", "environments.read")
    html = signed_in(eve).get(f"{WHO}production/").content.decode()
    assert "writes holds environments.production.write, which you do not hold." in html


def test_without_users_read_nobody_is_listed(ben, production):
    answer = signed_in(ben).get(f"{WHO}production/")
    assert answer.status_code == 403
    assert "users.read" in text(answer)


def test_the_page_leads_to_the_first_environment(ana_looks, production, experimental):
    assert ana_looks.get(WHO).url == f"{WHO}production/"
    assert ana_looks.get(WHO, {"environment": "experimental"}).url == f"{WHO}experimental/"


def test_the_page_without_environments_says_what_to_do(ana_looks, project):
    assert "No environment yet" in text(ana_looks.get(WHO))


def test_the_settings_tab_leads_there(ana_looks, production):
    assert f"{WHO}production/" in ana_looks.get("/p/default/environments/production/settings/").content.decode()


# Whom to ask


def test_who_is_refused_is_told_what_to_ask_for_and_of_whom(ana, ben, production, otter, project):
    answer = signed_in(ben).post("/p/default/environments/production/promote/", {"model": "brisk-otter"})
    assert answer.status_code == 403
    assert "Ask an administrator of default for environments.production.write." in text(answer)
    give(ben, project, "users.read")
    answer = signed_in(ben).post("/p/default/environments/production/promote/", {"model": "brisk-otter"})
    assert "Ask ana for environments.production.write." in text(answer)


def test_the_promote_dialog_says_whom_to_ask(ana, ben, production, otter, project):
    give(ben, project, "users.read")
    dialog = signed_in(ben).get("/p/default/environments/production/promote/", {"model": "brisk-otter"})
    assert "Ask ana for environments.production.write." in text(dialog)
    assert f"{WHO}production/" in dialog.content.decode()
