"""The pages of roles: sentences, the grid, what a change will change, and who has a role."""

import re

import pytest
from django.contrib.auth.models import Group

from accounts.models import ApiToken, Role
from accounts.models.api_token import digest
from environments import role_grants
from tests.environments.pages.conftest import signed_in
from tests.factories import EnvironmentFactory, ProjectFactory, RoleFactory, UserFactory, give

ROLES = "/p/default/access/roles/"
RELEASES = f"{ROLES}releases/"
HTMX = {"HX-Request": "true"}
GIVES_ROLES = ("roles.read", "roles.write")


@pytest.fixture
def releases(project, production, experimental):
    return RoleFactory(
        project=project, name="releases", grants=["environments.read", "environments.experimental.write"]
    )


@pytest.fixture
def eve(project, production, experimental):
    """May write roles, holds next to nothing, and sees users."""
    user = UserFactory(username="eve")
    give(user, project, *GIVES_ROLES, "environments.read", "users.read", "environments.experimental.write")
    return user


@pytest.fixture
def eve_looks(eve):
    return signed_in(eve)


def words(role) -> set[str]:
    return set(role_grants.of_role(role))


def form(role, *grants, **more):
    """The form of a role as a browser would send it, with these boxes ticked."""
    return {"name": role.name, "description": "", "grant": grants, "seen": sorted(words(role)), "step": "save", **more}


def text(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


def box(answer, word: str) -> str:
    """The checkbox of a grant."""
    found = re.search(rf'<input type="checkbox" name="grant" value="{re.escape(word)}"[^>]*>', answer.content.decode())
    assert found, word
    return found[0]


def test_the_list_says_in_a_sentence_what_each_role_can_do(ana_looks, releases, ben):
    ben.groups.add(releases.group_id)
    told = text(ana_looks.get(ROLES))
    assert "May promote to experimental; reads environments; cannot touch production." in told
    assert "May do everything, in environments that come later too." in told
    assert "New role" in told


def test_the_grid_has_a_row_for_each_environment_and_one_for_later_ones(ana_looks, releases, worker):
    answer = ana_looks.get(RELEASES)
    assert "checked" in box(answer, "environments.experimental.write")
    assert "checked" not in box(answer, "environments.production.write")
    assert "disabled" not in box(answer, "environments.production.write")
    assert "disabled" not in box(answer, "environments.*.write")
    assert b'value="environments.worker.write"' not in answer.content


def test_a_retired_environment_is_in_the_grid_only_where_it_is_held(ana_looks, releases, experimental, django_now):
    experimental.retired_at = django_now
    experimental.save()
    assert "checked" in box(ana_looks.get(RELEASES), "environments.experimental.write")
    assert b'value="environments.experimental.write"' not in ana_looks.get(f"{ROLES}tester/").content


def test_saving_changes_the_grants_and_says_for_whom(ana_looks, releases, ben):
    ben.groups.add(releases.group_id)
    answer = ana_looks.post(RELEASES, form(releases, "environments.read", "environments.production.write"), follow=True)
    assert words(releases) == {"environments.read", "environments.production.write"}
    assert "1 person will be able to promote to production: ben." in text(answer)


def test_every_box_of_three_hundred_environments_is_taken(ana_looks, project, releases):
    for number in range(300):
        EnvironmentFactory(project=project, name=f"place-{number}", url=f"http://place-{number}:5005")
    boxes = set(
        re.findall(r'name="grant" value="(environments\.place-[^"]+)"', ana_looks.get(RELEASES).content.decode())
    )
    assert len(boxes) == 600
    for ticked in (boxes, boxes - {"environments.place-7.write"}):
        assert ana_looks.post(RELEASES, form(releases, "environments.read", *ticked)).status_code == 302
        releases.refresh_from_db()
        assert words(releases) == {"environments.read", *ticked}


def test_before_saving_the_page_says_what_the_change_will_change(ana_looks, releases, ben):
    ben.groups.add(releases.group_id)
    ApiToken.objects.create(user=ben, name="ci", prefix="cpt_abc", digest=digest("x"))
    sent = form(releases, "environments.read", "environments.production.write", step="preview")
    told = text(ana_looks.post(RELEASES, sent))
    assert "1 person will be able to promote to production: ben. With them 1 API token." in told
    assert words(releases) == {"environments.read", "environments.experimental.write"}


def test_htmx_gets_what_changes_alone(ana_looks, releases, cy):
    cy.groups.add(releases.group_id)
    sent = {**form(releases, "environments.read", "environments.*.write"), "of": "releases"}
    answer = ana_looks.post("/p/default/access/role-preview/", sent, headers=HTMX)
    assert b"<html" not in answer.content
    assert "May promote to every environment, later ones too" in text(answer)
    assert "1 person will be able to promote to production and environments that come later: cy." in text(answer)


def test_admin_is_shown_whole_and_locked_with_the_reason(ana_looks, production):
    answer = ana_looks.get(f"{ROLES}admin/")
    for word in ("models.read", "environments.*.write", "roles.write"):
        assert "checked" in box(answer, word)
        assert "disabled" in box(answer, word)
    assert "checked" in box(answer, "environments.production.write")
    assert "a grant that nobody holds could never be given again" in text(answer)


def test_the_description_of_admin_can_be_changed_and_its_grants_stay(ana_looks, production):
    admin = Role.objects.get(name="admin", project__name="default")
    before = words(admin)
    sent = {
        "description": "The team of the platform.",
        "grant": ["models.read"],
        "seen": sorted(before),
        "step": "save",
    }
    assert ana_looks.post(f"{ROLES}admin/", sent).status_code == 302
    admin.refresh_from_db()
    assert admin.description == "The team of the platform."
    assert words(admin) == before


def test_who_changed_the_role_meanwhile_is_not_overwritten(ana_looks, releases):
    sent = form(releases, "environments.read")
    role_grants.write(releases, frozenset({"models.read"}))
    answer = ana_looks.post(RELEASES, sent)
    assert answer.status_code == 409
    assert "Somebody changed releases meanwhile" in text(answer)
    assert words(releases) == {"models.read"}


def test_a_role_is_created_and_can_begin_as_a_copy(ana_looks, releases):
    copied = ana_looks.get("/p/default/access/new-role/", {"copy": "releases"})
    assert "checked" in box(copied, "environments.experimental.write")
    sent = {"name": "night shift", "description": "Rolls back", "grant": ["environments.read"], "is_default": "on"}
    answer = ana_looks.post("/p/default/access/new-role/", {**sent, "step": "save"})
    assert answer.url == f"{ROLES}night%20shift/"
    made = Role.objects.get(name="night shift")
    assert (made.description, made.is_default, words(made)) == ("Rolls back", True, {"environments.read"})
    assert Role.objects.filter(is_default=True, project=made.project).count() == 1


def test_a_name_that_is_taken_is_told_beside_the_form_that_keeps_what_was_filled_in(ana_looks, releases):
    answer = ana_looks.post("/p/default/access/new-role/", {"name": "RELEASES", "grant": ["models.read"]})
    assert answer.status_code == 409
    assert "checked" in box(answer, "models.read")


def test_deleting_says_who_loses_what(ana_looks, releases, cy):
    cy.groups.add(releases.group_id)
    told = text(ana_looks.get(f"{RELEASES}delete/"))
    assert "1 person will no longer be able to promote to experimental, and see environments: cy." in told
    assert ana_looks.post(f"{RELEASES}delete/").url == ROLES
    assert not Role.objects.filter(pk=releases.pk).exists()
    assert not Group.objects.filter(pk=releases.group_id).exists()


def test_a_built_in_role_says_why_it_cannot_be_deleted(ana_looks, project):
    assert "developer is built in" in ana_looks.get(f"{ROLES}developer/").content.decode()
    assert ana_looks.post(f"{ROLES}developer/delete/").status_code == 409


def test_a_role_is_given_and_taken_on_its_page(ana_looks, releases, cy):
    ana_looks.post(f"{RELEASES}members/", {"add": "CY"})
    assert cy.groups.filter(pk=releases.group_id).exists()
    ana_looks.post(f"{RELEASES}members/", {"remove": "cy"})
    assert not cy.groups.filter(pk=releases.group_id).exists()


def test_the_last_administrator_keeps_the_role_and_the_button_says_why(ana_looks, ana, production):
    page = ana_looks.get(f"{ROLES}admin/")
    assert "ana is the last administrator." in page.content.decode()
    answer = ana_looks.post(f"{ROLES}admin/members/", {"remove": "ana"}, follow=True)
    assert "Nobody would administer default any more" in text(answer)
    assert Role.objects.of_user(ana).filter(name="admin").exists()


# Who holds less


def test_what_the_editor_does_not_hold_is_off_with_the_reason(eve_looks, releases):
    answer = eve_looks.get(RELEASES)
    assert "disabled" in box(answer, "environments.production.write")
    assert "You do not hold environments.production.write, so you cannot give it." in answer.content.decode()
    assert "disabled" not in box(answer, "environments.experimental.write")


def test_a_role_that_holds_more_than_its_editor_is_off_as_a_whole(eve_looks, project, production):
    RoleFactory(project=project, name="strong", grants=["environments.production.write"])
    answer = eve_looks.get(f"{ROLES}strong/")
    assert "disabled" in box(answer, "environments.experimental.write")
    assert "which you do not hold: only who holds all of its grants can change it" in answer.content.decode()


@pytest.mark.parametrize("word", ["environments.production.write", "environments.*.write", "audit.read"])
def test_a_box_that_was_switched_on_by_hand_gives_nothing(eve_looks, releases, word):
    answer = eve_looks.post(RELEASES, form(releases, "environments.read", word))
    assert answer.status_code == 403
    assert word in text(answer)
    assert words(releases) == {"environments.read", "environments.experimental.write"}


def test_nobody_widens_the_role_they_have(eve_looks, eve):
    own = Role.objects.of_user(eve).get()
    sent = form(own, *words(own), "environments.production.write")
    assert eve_looks.post(f"{ROLES}{own.name}/", sent).status_code == 403
    assert "environments.production.write" not in words(own)


def test_nobody_takes_a_grant_away_that_they_do_not_hold(eve_looks, project, production):
    strong = RoleFactory(project=project, name="strong", grants=["environments.production.write"])
    assert eve_looks.post(f"{ROLES}strong/", form(strong)).status_code == 403
    assert words(strong) == {"environments.production.write"}


def test_nobody_gives_themselves_a_role_that_holds_more(eve_looks, eve, production):
    assert eve_looks.post(f"{ROLES}admin/members/", {"add": "eve"}).status_code == 403
    assert not Role.objects.of_user(eve).filter(name="admin").exists()


def test_other_members_of_the_form_change_nothing(eve_looks, releases, project):
    other = ProjectFactory(name="banking")
    sent = form(
        releases, "environments.read", built_in="on", is_admin="on", project="banking", project_id=other.pk, pk=1
    )
    assert eve_looks.post(RELEASES, sent).status_code == 302
    releases.refresh_from_db()
    assert releases.project == project
    assert not releases.is_admin


def test_no_role_takes_the_name_of_admin(eve_looks, releases):
    assert eve_looks.post(RELEASES, form(releases, "environments.read", name="Admin")).status_code == 409


def test_a_role_of_another_project_is_not_found(eve_looks):
    RoleFactory(project=ProjectFactory(name="banking"), name="tellers")
    assert eve_looks.get(f"{ROLES}tellers/").status_code == 404
    assert eve_looks.post(f"{ROLES}tellers/members/", {"add": "eve"}).status_code == 404
    assert eve_looks.get("/p/banking/access/roles/").status_code == 404


def test_a_grant_on_an_environment_of_another_project_is_none(ana_looks, releases):
    answer = ana_looks.post(RELEASES, form(releases, "environments.read", "environments.elsewhere.write"))
    assert answer.status_code == 400
    assert "There is no grant" in text(answer)


def test_who_reads_roles_alone_sees_everything_switched_off(project, releases):
    dan = UserFactory(username="dan")
    give(dan, project, "roles.read")
    browser = signed_in(dan)
    answer = browser.get(RELEASES)
    assert "disabled" in box(answer, "environments.experimental.write")
    assert "This needs the grant roles.write." in answer.content.decode()
    assert b'id="save"' not in answer.content
    assert browser.post(RELEASES, form(releases)).status_code == 403
    assert browser.get("/p/default/access/").url == ROLES


def test_a_description_that_is_too_long_changes_nothing(ana_looks, releases):
    sent = form(releases, "environments.read", description="x" * 501)
    assert "At most 500 characters." in text(ana_looks.post(RELEASES, sent))
    made = ana_looks.post("/p/default/access/new-role/", sent | {"name": "night"})
    assert (made.status_code, "At most 500 characters." in text(made)) == (400, True)
    releases.refresh_from_db()
    assert releases.description == ""
    assert not Role.objects.filter(name="night").exists()
