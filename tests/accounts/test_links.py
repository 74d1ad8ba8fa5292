"""Invitations and resets: links that work once, for the person they are for, and tell nobody their token."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.actor import PAGE, Actor
from accounts.models import AuditEvent, User
from accounts.problems import MissingGrant
from environments import errors
from environments.actions import roles, users
from tests.factories import UserFactory, give

PASSWORD = "otters swim in rivers"
OTHER = "herons stand in reeds"


@pytest.fixture
def eva(project) -> User:
    """Somebody new, without a password."""
    user = UserFactory(username="eva")
    user.set_password(None)
    user.save()
    give(user, project, "environments.read", "models.read")
    return user


@pytest.fixture
def invitation(eva, by_ana) -> str:
    return users.invite(user=eva, by=by_ana)


def opened(client: Client, link: str):
    """The answer at the end of the way from the link to the form."""
    return client.get(link, follow=True)


def choose(client: Client, link: str, new: str = PASSWORD, again: str | None = None):
    path = opened(client, link).request["PATH_INFO"]
    return client.post(path, {"new": new, "again": new if again is None else again})


def test_an_invitation_sets_the_first_password_and_signs_in(client, eva, invitation):
    assert choose(client, invitation).url == "/"
    assert client.get("/p/default/").status_code == 200
    eva.refresh_from_db()
    assert eva.check_password(PASSWORD)


def test_the_page_names_each_rule_before(client, invitation):
    html = opened(client, invitation).content.decode()
    assert "Welcome, eva" in html
    assert "at least 8 characters" in html
    assert "entirely numeric" in html


def test_the_token_leaves_the_address_and_is_no_referrer(client, invitation):
    first = client.get(invitation)
    token = invitation.split("/")[3]
    assert (first.status_code, first.headers["Referrer-Policy"]) == (302, "no-referrer")
    form = client.get(first.url)
    # With "no-referrer" browsers send `Origin: null`, and the form would be refused.
    assert form.headers["Referrer-Policy"] == "same-origin"
    assert token not in first.url
    assert token not in form.content.decode()
    assert client.cookies["link"]["httponly"]
    assert client.cookies["link"]["path"] == first.url


def test_a_link_works_once(client, invitation):
    choose(client, invitation)
    again = opened(Client(), invitation)
    assert again.status_code == 410
    assert "ask the administrator who sent it" in again.content.decode()


def test_a_form_that_was_open_while_the_link_was_used_sets_nothing(client, eva, invitation):
    late = Client()
    path = opened(late, invitation).request["PATH_INFO"]
    choose(client, invitation)
    assert late.post(path, {"new": OTHER, "again": OTHER}).status_code == 410
    eva.refresh_from_db()
    assert eva.check_password(PASSWORD)


def test_a_newer_link_ends_the_one_before(client, eva, invitation, by_ana):
    newer = users.invite(user=eva, by=by_ana)
    assert opened(client, invitation).status_code == 410
    assert opened(client, newer).status_code == 200


def test_a_link_is_for_one_person(client, cy, invitation):
    token = invitation.split("/")[3]
    assert opened(client, f"/invitation/{cy.pk}/{token}/").status_code == 410
    assert opened(client, f"/invitation/{10**30}/{token}/").status_code == 410


@pytest.fixture
def of_help_desk(ben, project, invitation) -> str:
    """An invitation of eva by ben, who may not edit administrators."""
    give(ben, project, "users.write")
    return users.invite(user=User.objects.get(username="eva"), by=Actor(user=ben, via=PAGE))


def test_a_link_ends_when_the_account_gets_more_than_its_maker_holds(client, eva, project, by_ana, of_help_desk):
    roles.change_roles(user=eva, project=project, give=roles.named(project, ["admin"]), by=by_ana)
    assert opened(client, of_help_desk).status_code == 410
    assert choose(client, users.invite(user=eva, by=by_ana)).url == "/"


def test_a_form_that_was_open_while_the_roles_changed_sets_nothing(client, eva, project, by_ana, of_help_desk):
    path = opened(client, of_help_desk).request["PATH_INFO"]
    roles.change_roles(user=eva, project=project, give=roles.named(project, ["admin"]), by=by_ana)
    assert client.post(path, {"new": PASSWORD, "again": PASSWORD}).status_code == 410
    assert not User.objects.get(pk=eva.pk).has_usable_password()


def test_a_link_ends_after_three_days(client, eva, invitation, monkeypatch):
    later = (timezone.now() + timedelta(days=3, minutes=1)).replace(tzinfo=None)
    monkeypatch.setattr("django.contrib.auth.tokens.PasswordResetTokenGenerator._now", lambda self: later)
    assert opened(client, invitation).status_code == 410


def test_deactivating_ends_a_link_for_good(client, eva, invitation, by_ana):
    users.deactivate(user=eva, by=by_ana)
    assert opened(client, invitation).status_code == 410
    users.activate(user=eva, by=by_ana)
    assert opened(client, invitation).status_code == 410


@pytest.mark.parametrize(
    ("new", "again", "told"),
    [
        ("short", None, "too short"),
        ("password1", None, "too common"),
        ("83749283749", None, "entirely numeric"),
        ("evaevaeva", None, "similar"),
        (PASSWORD, OTHER, "not the same"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(client, db, project, by_ana, new, again, told):
    eva = users.create(username="evaevaev", project=project, by=by_ana)
    link = users.invite(user=eva, by=by_ana)
    refused = choose(client, link, new, again)
    assert refused.status_code == 400
    assert told in refused.content.decode()
    eva.refresh_from_db()
    assert not eva.has_usable_password()
    assert choose(client, link).url == "/"


def test_a_reset_ends_password_and_sessions_at_once(client, eva, invitation, by_ana):
    choose(client, invitation)
    link = users.reset(user=eva, by=by_ana)
    assert client.get("/p/default/").status_code == 302
    assert not User.objects.get(pk=eva.pk).has_usable_password()
    assert choose(Client(), link, OTHER).url == "/"
    assert User.objects.get(pk=eva.pk).check_password(OTHER)


def test_links_are_in_the_audit_trail_without_their_tokens(client, eva, invitation, by_ana):
    choose(client, invitation)
    reset = users.reset(user=eva, by=by_ana)
    events = list(AuditEvent.objects.order_by("pk").values("actor", "action", "object", "before", "after", "address"))
    assert [(event["actor"], event["action"]) for event in events if event["object"] == "user:eva"] == [
        ("ana", "user.invite"),
        ("eva", "user.password"),
        ("eva", "session.start"),
        ("ana", "user.reset"),
    ]
    assert all(link.split("/")[3] not in str(events) for link in (invitation, reset))


def test_who_has_a_password_is_not_invited(eva, by_ana):
    eva.set_password(PASSWORD)
    eva.save()
    with pytest.raises(errors.PasswordExists):
        users.invite(user=eva, by=by_ana)


@pytest.mark.parametrize("act", [users.invite, users.reset])
def test_no_link_for_a_service_account_or_who_is_deactivated(eva, project, by_ana, act):
    with pytest.raises(errors.ServiceAccountHasNoPassword):
        act(user=users.create(username="ci", project=project, by=by_ana, is_service=True), by=by_ana)
    users.deactivate(user=eva, by=by_ana)
    with pytest.raises(errors.UserInactive):
        act(user=eva, by=by_ana)


@pytest.mark.parametrize("act", [users.invite, users.reset])
def test_a_link_for_an_account_needs_all_that_it_holds(eva, ben, by_ben, ana, project, act):
    with pytest.raises(MissingGrant) as refused:
        act(user=eva, by=by_ben)
    assert refused.value.data["grant"] == "users.write"
    give(ben, project, "users.write")
    with pytest.raises(MissingGrant):
        act(user=ana, by=by_ben)
    assert act(user=eva, by=by_ben)
