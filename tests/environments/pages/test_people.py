"""The pages of users: find, make, say what they may do, end what they come in by."""

import re
from urllib.parse import urlencode

import pytest

from accounts.actions import api_tokens, lockouts
from accounts.actor import PAGE, Actor
from accounts.models import ApiToken, Role, User
from tests.environments.pages.conftest import signed_in
from tests.environments.pages.test_roles import text
from tests.factories import ProjectFactory, RoleFactory, UserFactory, administrator, give

USERS = "/p/default/access/"
NEW = "/p/default/access/new-user/"
PASSWORD = "otters-swim-in-rivers"


def page_of(user) -> str:
    return f"/p/default/access/users/{user.username}/"


@pytest.fixture
def eve(project, production, experimental):
    """Administers accounts and roles, but holds little else."""
    user = UserFactory(username="eve")
    give(user, project, "users.read", "users.write", "roles.read", "roles.write", "environments.read")
    return user


@pytest.fixture
def eve_looks(eve):
    return signed_in(eve)


def roles_of(user) -> set[str]:
    return set(Role.objects.of_user(user).values_list("name", flat=True))


def token_of(user, **members) -> ApiToken:
    return api_tokens.create(user=user, name="nightly", by=Actor(user, PAGE), **members)[0]


def test_the_rail_leads_to_access_whoever_reads_users_or_roles(project, production):
    for grant, sees in (("users.read", True), ("roles.read", True), ("audit.read", False)):
        user = UserFactory()
        give(user, project, grant, "environments.read")
        assert (f'href="{USERS}"' in signed_in(user).get("/p/default/").content.decode()) is sees


# The list


def test_the_list_tells_roles_here_and_states(ana_looks, ben, cy, project):
    RoleFactory(project=ProjectFactory(name="banking"), name="tellers").group.user_set.add(cy)
    cy.is_active = False
    cy.save()
    told = text(ana_looks.get(USERS))
    assert "ana admin" in told
    assert "Deactivated" in told
    assert "tellers" not in told


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": "BE"}, {"ben"}),
        ({"q": "cy@example"}, {"cy"}),
        ({"role": "admin"}, {"ana"}),
        ({"state": "service"}, {"ci"}),
        ({"state": "deactivated"}, {"dora"}),
        ({"state": "nonsense"}, {"ana", "ben", "ci", "cy", "dora"}),
        ({"role": "nonsense"}, set()),
    ],
)
def test_search_and_filters(ana_looks, ana, ben, cy, dora, project, asked, found):
    UserFactory(username="ci", service_of=project)
    User.objects.filter(pk=cy.pk).update(email="cy@example.org")
    User.objects.filter(pk=dora.pk).update(is_active=False)
    html = ana_looks.get(USERS, asked).content.decode()
    assert set(re.findall(r"/access/users/([a-z]+)/", html)) == found


def test_the_list_goes_on_by_cursor(ana_looks, project):
    User.objects.bulk_create([User(username=f"User-{number:03}") for number in range(60)])
    first = ana_looks.get(USERS).content.decode()
    after = re.search(r"\?after=([^\"&]+)", first)[1]
    rest = ana_looks.get(USERS, {"after": after}).content.decode()
    names = [re.findall(r"/access/users/([^/]+)/", html) for html in (first, rest)]
    assert len(names[0]) == 50
    assert names[0] + names[1] == sorted({*names[0], *names[1]}, key=str.lower)
    assert len(names[0] + names[1]) == 61


def test_a_user_is_last_seen_when_a_token_was_used(ana_looks, ben, django_now):
    token = token_of(ben)
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=django_now)
    assert django_now.isoformat() in ana_looks.get(USERS, {"q": "ben"}).content.decode()


# A new one


def test_a_person_is_invited_by_a_link_that_is_shown_once(ana_looks, project, client):
    sent = {"kind": "person", "username": "kim", "email": "kim@example.org", "role": ["developer"]}
    answer = ana_looks.post(NEW, sent)
    assert "no-store" in answer.headers["Cache-Control"]
    link = re.search(r'id="link">http://testserver([^<]+)<', answer.content.decode())[1]
    kim = User.objects.get(username="kim")
    assert (kim.email, kim.has_usable_password(), roles_of(kim)) == ("kim@example.org", False, {"developer"})
    assert link.startswith("/invitation/")
    assert link not in ana_looks.get(page_of(kim)).content.decode()
    opened = client.get(link, follow=True)
    assert opened.status_code == 200


def test_a_service_account_has_no_password_and_gets_its_token_on_its_page(ana_looks, project):
    answer = ana_looks.post(NEW, {"kind": "service", "username": "ci", "role": ["tester"]})
    ci = User.objects.get(username="ci")
    assert ci.service_of == project
    assert answer.url == page_of(ci)
    made = ana_looks.post(f"{page_of(ci)}tokens/", {"name": "nightly", "days": "90", "grant": ["models.read"]})
    secret = re.search(r'id="secret">(cpt_[^<]+)<', made.content.decode())[1]
    token = ApiToken.objects.get(user=ci)
    assert secret.startswith(token.prefix)
    assert token.grants == ["models.read"]
    assert secret not in ana_looks.get(page_of(ci)).content.decode()


def test_a_name_that_was_given_once_is_refused_beside_the_form(ana_looks, ben):
    answer = ana_looks.post(NEW, {"username": "BEN", "email": "new@example.org"})
    assert answer.status_code == 409
    assert 'value="new@example.org"' in answer.content.decode()


def test_who_may_give_no_roles_makes_users_with_the_default_one(project, production):
    dan = UserFactory(username="dan")
    tester = Role.objects.get(project=project, name="tester")
    dan.groups.add(tester.group_id)
    give(dan, project, "users.read", "users.write")
    browser = signed_in(dan)
    assert "This needs the grant roles.write." in text(browser.get(NEW))
    browser.post(NEW, {"username": "kim", "role": ["admin"]})
    assert roles_of(User.objects.get(username="kim")) == {"tester"}


# Roles


def test_roles_are_ticked_and_count_at_the_next_click(ana_looks, cy, project):
    browser = signed_in(cy)
    assert browser.get("/p/default/models/").status_code == 404
    ana_looks.post(f"{page_of(cy)}roles/", {"role": ["tester"]})
    assert browser.get("/p/default/models/").status_code == 200
    ana_looks.post(f"{page_of(cy)}roles/", {"had": ["tester"]})
    assert browser.get("/p/default/models/").status_code == 404


def test_what_others_changed_meanwhile_stays(ana_looks, cy, project):
    cy.groups.add(Role.objects.get(project=project, name="annotator").group_id)
    ana_looks.post(f"{page_of(cy)}roles/", {"role": ["tester"]})
    assert roles_of(cy) == {"annotator", "tester"}


def test_the_page_says_what_the_user_can_do_where_and_by_which_role(ana_looks, ben, production):
    told = text(ana_looks.get(page_of(ben)))
    assert "May promote to experimental" in told
    assert "production cannot change it" in told
    assert re.search(r"experimental may promote to it by role-\d+", told)


def test_a_role_that_its_editor_does_not_cover_is_off_with_the_reason(eve_looks, cy):
    html = eve_looks.get(page_of(cy)).content.decode()
    assert re.search(r'name="role" value="admin" disabled', html)
    assert "which you do not hold" in html


def test_a_service_account_of_another_project_gets_no_role_here(ana_looks, project):
    other = UserFactory(username="robot", service_of=ProjectFactory(name="banking"))
    assert "robot is a service account of banking" in text(ana_looks.get(page_of(other)))
    answer = ana_looks.post(f"{page_of(other)}roles/", {"role": ["tester"]}, follow=True)
    assert "is a service account of another project" in text(answer)
    assert roles_of(other) == set()


# Escalation


def test_a_hidden_role_gives_nothing_that_the_editor_does_not_hold(eve_looks, cy):
    assert eve_looks.post(f"{page_of(cy)}roles/", {"role": ["admin"]}).status_code == 403
    assert roles_of(cy) == set()


def test_nobody_gives_themselves_more(eve_looks, eve):
    before = roles_of(eve)
    assert eve_looks.post(f"{page_of(eve)}roles/", {"role": [*before, "developer"]}).status_code == 403
    assert roles_of(eve) == before


def test_a_role_of_another_project_is_none_of_this_one(ana_looks, cy):
    RoleFactory(project=ProjectFactory(name="banking"), name="tellers")
    answer = ana_looks.post(f"{page_of(cy)}roles/", {"role": ["tellers"]}, follow=True)
    assert "There is no role" in text(answer)
    assert roles_of(cy) == set()


def test_other_members_of_the_form_change_nothing(ana_looks, project):
    sent = {
        "username": "kim",
        "role": ["tester"],
        "is_superuser": "on",
        "is_active": "",
        "groups": "1",
        "password": "x",
    }
    assert ana_looks.post(NEW, sent).status_code == 200
    kim = User.objects.get(username="kim")
    assert roles_of(kim) == {"tester"}
    assert kim.is_active
    assert not kim.has_usable_password()


@pytest.mark.parametrize("what", ["deactivate", "link", "tokens"])
def test_an_account_that_holds_more_is_out_of_reach(eve_looks, ben, what):
    ben.set_password(PASSWORD)
    ben.save()
    assert eve_looks.post(f"{page_of(ben)}{what}/", {"name": "mine", "days": "90"}).status_code == 403
    ben.refresh_from_db()
    assert ben.is_active
    assert ben.check_password(PASSWORD)
    assert not ApiToken.objects.filter(user=ben).exists()
    assert "aria-disabled" in eve_looks.get(page_of(ben)).content.decode()


def test_nobody_makes_a_token_of_a_person(ana_looks, ben):
    assert ana_looks.post(f"{page_of(ben)}tokens/", {"name": "mine", "days": "90"}).status_code == 404
    assert not ApiToken.objects.exists()


# The end of an account


def test_deactivating_says_what_ends_and_ends_it(ana_looks, ben):
    token_of(ben)
    assert "1 API token of ben ends now" in text(ana_looks.get(f"{page_of(ben)}deactivate/"))
    browser = signed_in(ben)
    ana_looks.post(f"{page_of(ben)}deactivate/")
    assert browser.get("/p/default/").status_code in (302, 404)
    assert not ApiToken.objects.usable().filter(user=ben).exists()
    assert "deactivated" in text(ana_looks.get(page_of(ben)))
    ana_looks.post(f"{page_of(ben)}activate/")
    ben.refresh_from_db()
    assert ben.is_active


def test_the_last_administrator_stays_and_every_button_says_why(ana_looks, ana, production):
    html = ana_looks.get(page_of(ana)).content.decode()
    assert "ana is the last administrator of default" in html
    assert re.search(r'name="role" value="admin" checked disabled', html)
    assert "Nobody would administer" in text(ana_looks.post(f"{page_of(ana)}deactivate/", follow=True))
    ana_looks.post(f"{page_of(ana)}roles/", {"had": ["admin"]})
    ana.refresh_from_db()
    assert ana.is_active
    assert "admin" in roles_of(ana)


def test_of_two_administrators_one_may_go(ana_looks, production):
    mia = administrator("mia")
    assert "is the last administrator" not in ana_looks.get(page_of(mia)).content.decode()
    ana_looks.post(f"{page_of(mia)}deactivate/")
    mia.refresh_from_db()
    assert not mia.is_active


def test_a_reset_ends_the_password_and_shows_a_link_once(ana_looks, ben):
    ben.set_password(PASSWORD)
    ben.save()
    answer = ana_looks.post(f"{page_of(ben)}link/")
    assert "/reset/" in answer.content.decode()
    ben.refresh_from_db()
    assert not ben.has_usable_password()


def test_a_reset_is_asked_for_first_and_says_what_ends(ana_looks, ben, production):
    ben.set_password(PASSWORD)
    ben.save()
    signed_in(ben)
    told = text(ana_looks.get(f"{page_of(ben)}link/"))
    assert "The password of ben ends now, and so does 1 session." in told
    assert "own account" not in told
    assert "/reset/" not in told
    ben.refresh_from_db()
    assert ben.has_usable_password()
    assert f'href="{page_of(ben)}link/"' in ana_looks.get(page_of(ben)).content.decode()


def test_the_last_administrator_is_told_how_to_come_in_without_the_link(ana_looks, ana, production):
    ana.set_password(PASSWORD)
    ana.save()
    told = text(signed_in(ana).get(f"{page_of(ana)}link/"))
    assert "This is your own account: you are signed out by it." in told
    assert "manage.py reset_password ana" in told


def test_another_invitation_says_that_the_one_before_ends(ana_looks, ben):
    ben.set_unusable_password()
    ben.save()
    assert "Links that were made before end now." in text(ana_looks.get(f"{page_of(ben)}link/"))


def test_where_a_link_is_of_no_use_the_dialog_says_why(ana_looks, project, ben):
    robot = UserFactory(username="robot", service_of=project)
    assert "robot is a service account and has no password" in text(ana_looks.get(f"{page_of(robot)}link/"))
    ben.is_active = False
    ben.save()
    assert "ben is deactivated." in text(ana_looks.get(f"{page_of(ben)}link/"))


# Tokens


def test_the_tokens_of_all_are_listed_and_revoked(ana_looks, ben):
    token = token_of(ben, grants=["models.read"])
    told = text(ana_looks.get("/p/default/access/tokens/"))
    assert f"nightly {token.prefix}… ben only models.read never no end" in told
    ana_looks.post(f"/p/default/access/tokens/{token.pk}/revoke/")
    token.refresh_from_db()
    assert token.revoked_at


def test_a_token_that_is_narrowed_to_nothing_says_so(ana_looks, ben):
    token_of(ben, grants=[])
    assert "never used · no end · may do nothing" in text(ana_looks.get(page_of(ben)))
    assert "ben nothing never no end" in text(ana_looks.get("/p/default/access/tokens/"))


def test_a_token_of_somebody_who_holds_more_is_not_revoked(eve_looks, ben):
    token = token_of(ben)
    assert "Its owner holds" in eve_looks.get("/p/default/access/tokens/").content.decode()
    assert eve_looks.post(f"/p/default/access/tokens/{token.pk}/revoke/").status_code == 403
    token.refresh_from_db()
    assert token.revoked_at is None


@pytest.mark.parametrize("address", ["https://evil.example/p/", "//evil.example", "/p//../..//evil", "javascript:x"])
def test_the_way_back_leads_to_no_other_host(ana_looks, ben, address):
    answer = ana_looks.post(f"/p/default/access/tokens/{token_of(ben).pk}/revoke/", {"next": address})
    assert answer.url.startswith("/p/")


@pytest.mark.parametrize("path", [USERS, NEW, "/p/default/access/tokens/", "/p/default/access/users/ana/"])
def test_who_may_not_see_users_is_told_which_grant_is_missing(ben, production, ana, path):
    answer = signed_in(ben).get(path)
    assert answer.status_code == 403
    assert "users." in text(answer)


# Sessions


def test_browsers_are_listed_and_ended_one_by_one_or_all(ana_looks, ben):
    browsers = [signed_in(ben) for _ in range(3)]
    html = ana_looks.get(page_of(ben)).content.decode()
    keys = re.findall(r'name="session" value="([0-9a-f]{8})"', html)
    assert len(keys) == 3
    assert "3 sessions of ben end now" in text(ana_looks.get(f"{page_of(ben)}deactivate/"))
    ana_looks.post(f"{page_of(ben)}end-sessions/", {"session": keys[0]})
    assert sorted(browser.get("/p/default/").status_code for browser in browsers) == [200, 200, 302]
    ana_looks.post(f"{page_of(ben)}end-sessions/")
    assert {browser.get("/p/default/").status_code for browser in browsers} == {302}


def test_nobody_ends_the_sessions_of_somebody_who_holds_more(eve_looks, ben, experimental):
    browser = signed_in(ben)
    assert eve_looks.post(f"{page_of(ben)}end-sessions/").status_code == 403
    assert browser.get("/p/default/").status_code == 200


def test_the_page_leads_to_what_the_user_did(ana_looks, ben):
    assert "/p/default/audit/?actor=ben" in ana_looks.get(page_of(ben)).content.decode()


# Who locked themselves out


@pytest.fixture
def locked_out(ben, settings):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        lockouts.failed("ben", "10.0.0.5", PAGE)
        lockouts.failed("nobody-of-ours", "10.0.0.6", PAGE)


def test_who_is_locked_out_is_told_and_let_in_again(ana_looks, ben, locked_out):
    assert "ben at 10.0.0.5" in text(ana_looks.get(USERS))
    assert "ben at 10.0.0.5" in text(ana_looks.get(page_of(ben)))
    answer = ana_looks.post(f"{page_of(ben)}unlock/", {"address": "10.0.0.5", "next": USERS})
    assert answer.url == USERS
    assert [lockout.username for lockout in lockouts.active()] == [None]


def test_a_name_that_is_no_users_is_let_in_by_its_address(ana_looks, locked_out):
    told = text(ana_looks.get(USERS))
    assert "a name that is no user&#x27;s at 10.0.0.6" in told or "a name that is no user's at 10.0.0.6" in told
    assert "nobody-of-ours" not in told
    ana_looks.post(f"{USERS}unlock-address/", {"address": "10.0.0.6"})
    assert [lockout.username for lockout in lockouts.active()] == ["ben"]


def test_nobody_is_let_in_again_without_the_grant(project, ben, locked_out):
    dan = UserFactory(username="dan")
    give(dan, project, "users.read")
    browser = signed_in(dan)
    assert "This needs the grant users.write." in browser.get(USERS).content.decode()
    assert browser.post(f"{page_of(ben)}unlock/", {"address": "10.0.0.5"}).status_code == 403
    assert browser.post(f"{USERS}unlock-address/", {"address": "10.0.0.6"}).status_code == 403
    assert len(lockouts.active()) == 2


# Strange forms


@pytest.mark.parametrize("email", ["k" * 60 + "@" + ".".join(["otters"] * 30) + ".example", "no address", "kim@\0"])
def test_an_email_that_cannot_be_stored_makes_nobody(ana_looks, project, email):
    answer = ana_looks.post(NEW, {"username": "kim", "email": email, "kind": "person"})
    assert answer.status_code == 400
    assert not User.objects.filter(username="kim").exists()


@pytest.mark.parametrize("address", ["x" * 500, "fe80::1%" + "x" * 500, "0.0.0.0.0", ""])
def test_what_is_no_address_lets_nobody_in_again(ana_looks, locked_out, ben, address):
    lockouts.failed("ben", "", PAGE)
    assert ana_looks.post(f"{USERS}unlock-address/", {"address": address}).status_code == 400
    if address:
        assert ana_looks.post(f"{page_of(ben)}unlock/", {"address": address}).status_code == 400
    assert len(lockouts.active()) == 2


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/account/tokens/", {"name": "ci\0", "days": ""}),
        ("/account/sessions/", {"session": "\0"}),
        ("/p/default/access/users/ben/tokens/", {"name": "ci\0", "days": ""}),
        ("/p/default/access/users/ben/end-sessions/", {"session": "\0"}),
        ("/p/default/access/roles/tester/members/", {"add": "\0"}),
        ("/p/default/access/new-role/", {"name": "night", "description": "\0"}),
        ("/sign-in/", {"username": "ben\0", "password": "x"}),
    ],
)
def test_nul_in_a_form_is_a_bad_request(ana_looks, ben, path, form):
    answer = ana_looks.post(path, form)
    assert (answer.status_code, "text/html" in answer.headers["Content-Type"]) == (400, True)
    assert ana_looks.post(path, urlencode(form), content_type="application/x-www-form-urlencoded").status_code == 400
