"""Roles: made, edited, given and taken, and never more than their maker holds."""

import pytest
from django.contrib.auth.hashers import make_password

from accounts.actions import api_tokens
from accounts.actor import API, COMMAND, Actor, system
from accounts.grants_table import BUILT_IN_ROLES, PROJECT_GRANTS
from accounts.models import AuditEvent, Role, User
from accounts.problems import InvalidFields, MissingGrant, NotFound
from environments import errors, role_grants
from environments.actions import environments, promotions, roles
from tests.factories import EnvironmentFactory, ProjectFactory, UserFactory, administrator, give, take


def by(user):
    return Actor(user=user, via=API)


def role(project, name):
    return Role.objects.get(project=project, name=name)


def names_of(user, project):
    return {role.name for role in Role.objects.of_user(user).filter(project=project)}


@pytest.fixture
def rita(project, production, experimental):
    """Manages roles, and may promote to experimental."""
    user = UserFactory(username="rita")
    give(
        user,
        project,
        "environments.read",
        "models.read",
        "roles.read",
        "roles.write",
        "environments.experimental.write",
    )
    return user


@pytest.fixture
def banking(ana):
    return ProjectFactory(name="banking")


# What is there by itself


def test_every_project_has_the_built_in_roles_and_tester_is_the_default(project):
    assert set(Role.objects.filter(project=project).values_list("name", flat=True)) == set(BUILT_IN_ROLES)
    assert Role.objects.get(project=project, is_default=True).name == "tester"
    assert role_grants.of_role(role(project, "admin")) == set(PROJECT_GRANTS)


def test_a_new_project_is_administered_by_those_of_the_default_one(ana, ben, banking):
    assert list(roles.administrators(banking)) == [ana]
    assert by(ana).may(banking, "models.write")
    assert not by(ben).sees(banking)


def test_grants_that_a_later_version_knows_are_given_to_admin_at_the_start(project):
    role_grants.write(role(project, "admin"), frozenset(PROJECT_GRANTS) - {"audit.read"})
    roles.ensure_built_in(project=project, by=system(COMMAND))
    assert role_grants.of_role(role(project, "admin")) == set(PROJECT_GRANTS)
    assert AuditEvent.objects.get(action="role.update").after == {"given": ["audit.read"]}


def test_developers_may_promote_to_what_is_unprotected(project, by_ana):
    developer = role(project, "developer")
    staging = environments.define(project=project, name="staging", by=by_ana, url="http://staging:5005")
    assert "environments.staging.write" in role_grants.of_role(developer)
    environments.update(environment=staging, by=by_ana, protected=True)
    assert "environments.staging.write" not in role_grants.of_role(developer)
    environments.update(environment=staging, by=by_ana, protected=False)
    assert "environments.staging.write" in role_grants.of_role(developer)


def test_what_an_administrator_took_from_developers_does_not_come_back_with_the_environment(project, ben, by_ana):
    staging = environments.define(project=project, name="staging", by=by_ana, url="http://staging:5005")
    developer = role(project, "developer")
    kept = role_grants.of_role(developer) - {"environments.staging.write"}
    roles.update(role=developer, grants=kept, by=by_ana)
    give(ben, project, "environments.manage")
    environments.retire(environment=staging, by=by(ben))
    environments.define(project=project, name="staging", by=by(ben), url="http://staging:5005")
    assert role_grants.of_role(developer) == kept


def test_a_change_of_protection_leaves_other_roles_alone(project, by_ana, ben):
    staging = environments.define(project=project, name="staging", by=by_ana, url="http://staging:5005")
    own = give(ben, project, "environments.staging.write")
    environments.update(environment=staging, by=by_ana, protected=True)
    assert role_grants.of_role(own) == {"environments.staging.write"}


def test_a_wildcard_reaches_environments_that_come_later(project, production, ben):
    give(ben, project, "environments.*.write")
    later = EnvironmentFactory(project=project, name="later", protected=True)
    for environment in (production, later):
        assert by(ben).may_on_environment(project.pk, environment.pk, environment.name, "write")
        assert not by(ben).may_on_environment(project.pk, environment.pk, environment.name, "force")


# Made, edited, deleted


def test_a_role_is_made_with_its_grants_and_told(project, production, by_ana):
    made = roles.create(
        project=project,
        name="Release manager",
        description="Promotes on Thursdays.",
        grants=["environments.read", "environments.production.write"],
        by=by_ana,
    )
    assert role_grants.of_role(made) == {"environments.read", "environments.production.write"}
    event = AuditEvent.objects.get(action="role.create")
    assert (event.actor, event.object, event.project) == ("ana", "role:Release manager", project)
    assert event.after["grants"] == ["environments.read", "environments.production.write"]


@pytest.mark.parametrize("name", ["", " x", "x ", "-x", "a/b", "rôle", "adm\u0131n", "x" * 64, "a\0"])
def test_a_name_that_may_be_taken_for_another_is_refused(project, by_ana, name):
    with pytest.raises(errors.InvalidName):
        roles.create(project=project, name=name, grants=[], by=by_ana)


def test_a_name_is_taken_whatever_the_case(project, by_ana):
    with pytest.raises(errors.RoleExists):
        roles.create(project=project, name="Admin", grants=[], by=by_ana)
    made = roles.create(project=project, name="release", grants=[], by=by_ana)
    with pytest.raises(errors.RoleExists):
        roles.update(role=made, name="TESTER", by=by_ana)
    assert roles.update(role=made, name="Release", by=by_ana).name == "Release"


@pytest.mark.parametrize("grant", ["models.fly", "environments.nowhere.write", "environments.*.read", "superuser", ""])
def test_an_unknown_grant_is_refused_with_those_there_are(project, production, by_ana, grant):
    with pytest.raises(InvalidFields) as refused:
        roles.create(project=project, name="odd", grants=["models.read", grant], by=by_ana)
    assert "environments.production.write" in refused.value.errors["grants"][0]
    assert not Role.objects.filter(name="odd").exists()


def test_an_edit_takes_effect_at_the_next_request(project, production, otter, ben, by_ana):
    with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
        promotions.promote(environment=production, model=otter, by=by(ben))
    own = Role.objects.of_user(ben).get()
    roles.update(role=own, grants=[*role_grants.of_role(own), "environments.production.write"], by=by_ana)
    assert promotions.promote(environment=production, model=otter, by=by(ben)).created
    roles.update(role=own, grants=["environments.read"], by=by_ana)
    with pytest.raises(MissingGrant):
        promotions.promote(environment=production, model=None, by=by(ben))


def test_what_is_not_said_stays_and_what_did_not_change_is_not_told(project, by_ana):
    made = roles.create(project=project, name="release", description="d", grants=["models.read"], by=by_ana)
    roles.update(role=made, description="e", by=by_ana)
    event = AuditEvent.objects.get(action="role.update")
    assert (event.before, event.after) == ({"description": "d"}, {"description": "e"})
    assert role_grants.of_role(made) == {"models.read"}
    roles.update(role=made, description="e", grants=["models.read"], by=by_ana)
    assert AuditEvent.objects.filter(action="role.update").count() == 1


def test_one_role_is_the_default(project, by_ana):
    made = roles.create(project=project, name="guest", grants=["environments.read"], is_default=True, by=by_ana)
    assert Role.objects.get(project=project, is_default=True) == made
    roles.update(role=role(project, "tester"), is_default=True, by=by_ana)
    assert Role.objects.get(project=project, is_default=True).name == "tester"
    roles.update(role=role(project, "tester"), is_default=False, by=by_ana)
    assert not Role.objects.filter(project=project, is_default=True).exists()


def test_built_in_roles_are_edited_but_neither_renamed_nor_deleted(project, by_ana):
    tester = role(project, "tester")
    roles.update(role=tester, grants=["environments.read"], by=by_ana)
    assert role_grants.of_role(tester) == {"environments.read"}
    with pytest.raises(errors.RoleIsBuiltIn):
        roles.update(role=tester, name="visitor", by=by_ana)
    with pytest.raises(errors.RoleIsBuiltIn):
        roles.delete(role=tester, by=by_ana)


def test_admin_always_holds_everything(project, by_ana):
    with pytest.raises(errors.RoleIsBuiltIn, match="nobody holds could never be given again"):
        roles.update(role=role(project, "admin"), grants=["models.read"], by=by_ana)


def test_a_deleted_role_takes_its_grants_along(project, production, ben, by_ana):
    roles.delete(role=Role.objects.of_user(ben).get(), by=by_ana)
    assert not by(ben).sees(project)
    assert AuditEvent.objects.get(action="role.delete").before["users"] == ["ben"]


# Nobody gives what they do not hold


def test_one_gives_what_one_holds(project, rita, cy):
    made = roles.create(project=project, name="try", grants=["environments.experimental.write"], by=by(rita))
    roles.set_roles(user=cy, project=project, roles=[made], by=by(rita))
    assert names_of(cy, project) == {"try"}


@pytest.mark.parametrize(
    "grant", ["environments.production.write", "environments.experimental.force", "environments.*.write", "users.write"]
)
def test_nobody_makes_a_role_with_more_than_they_hold(project, rita, grant):
    with pytest.raises(MissingGrant) as refused:
        roles.create(project=project, name="try", grants=["models.read", grant], by=by(rita))
    assert refused.value.data["grant"] == grant
    assert not Role.objects.filter(name="try").exists()


def test_holding_each_environment_is_not_holding_those_that_come_later(project, production, experimental, rita):
    give(rita, project, "environments.production.write")
    with pytest.raises(MissingGrant, match=r"environments\.\*\.write"):
        roles.create(project=project, name="try", grants=["environments.*.write"], by=by(rita))


def test_nobody_gives_themselves_more_by_a_role_they_have(project, production, rita):
    own = Role.objects.of_user(rita).get()
    grants = role_grants.of_role(own)
    with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
        roles.update(role=own, grants=[*grants, "environments.production.write"], by=by(rita))
    assert role_grants.of_role(own) == grants


def test_nobody_edits_a_role_above_their_own(project, production, rita):
    for attempt in (
        lambda target: roles.update(role=target, grants=["models.read"], by=by(rita)),
        lambda target: roles.update(role=target, description="harmless", by=by(rita)),
        lambda target: roles.update(role=target, is_default=True, by=by(rita)),
        lambda target: roles.set_members(role=target, users=[rita], by=by(rita)),
    ):
        with pytest.raises(MissingGrant):
            attempt(role(project, "admin"))
    assert names_of(rita, project) == {Role.objects.of_user(rita).get().name}


def test_nobody_takes_the_default_from_a_role_above_their_own(project, production, rita):
    with pytest.raises(MissingGrant, match=r"conversations\.write"):
        roles.create(project=project, name="mine", grants=[], is_default=True, by=by(rita))
    assert role(project, "tester").is_default


def test_nobody_takes_a_role_from_who_is_above_them(project, production, rita, ana):
    harmless = give(ana, project, "models.read")
    with pytest.raises(MissingGrant):
        roles.set_roles(user=ana, project=project, roles=[role(project, "admin")], by=by(rita))
    with pytest.raises(MissingGrant):
        roles.set_members(role=harmless, users=[], by=by(rita))
    assert len(names_of(ana, project)) == 2


def test_roles_of_another_project_count_for_nothing(project, banking, rita, ben):
    teller = give(ben, banking, "environments.read")
    give(rita, banking, "environments.read")
    with pytest.raises(MissingGrant, match=r"roles\.write"):
        roles.set_members(role=teller, users=[rita], by=by(rita))
    with pytest.raises(MissingGrant, match=r"roles\.write"):
        roles.set_roles(user=rita, project=banking, roles=[teller], by=by(rita))


def test_a_role_is_given_in_its_own_project_alone(project, banking, ben, by_ana):
    with pytest.raises(NotFound):
        roles.set_roles(user=ben, project=project, roles=[role(banking, "admin")], by=by_ana)


def test_an_outsider_learns_of_no_project(project, cy):
    with pytest.raises(NotFound):
        roles.create(project=project, name="try", grants=[], by=by(cy))


def test_a_narrower_token_gives_no_more_than_itself(project, ana, rita, cy):
    token, _ = api_tokens.create(user=ana, name="ci", grants=["roles.write", "models.read"], by=by(ana))
    narrow = Actor(user=ana, via=API, token=token)
    assert roles.create(project=project, name="try", grants=["models.read"], by=narrow)
    with pytest.raises(MissingGrant, match=r"models\.write"):
        roles.create(project=project, name="more", grants=["models.write"], by=narrow)


# Somebody administers


def test_the_last_administrator_keeps_the_role(project, ana, by_ana):
    admin = role(project, "admin")
    for attempt in (
        lambda: roles.set_roles(user=ana, project=project, roles=[role(project, "tester")], by=by_ana),
        lambda: roles.set_members(role=admin, users=[], by=by_ana),
        lambda: roles.set_members(role=admin, users=[], by=system(COMMAND)),
    ):
        with pytest.raises(errors.LastAdministrator):
            attempt()
    assert list(roles.administrators(project)) == [ana]


def test_neither_a_service_account_nor_somebody_deactivated_administers(project, ana, by_ana):
    robot = UserFactory(username="robot", service_of=project)
    gone = UserFactory(username="gone", is_active=False)
    for user in (robot, gone):
        user.groups.add(role(project, "admin").group_id)
    with pytest.raises(errors.LastAdministrator):
        roles.set_roles(user=ana, project=project, roles=[], by=by_ana)


def test_an_administrator_hands_over_in_one_step(project, ana, ben, by_ana):
    roles.set_members(role=role(project, "admin"), users=[ben], by=by_ana)
    assert list(roles.administrators(project)) == [ben]


def test_each_project_has_an_administrator_of_its_own(ana, banking, by_ana):
    administrator("mia")
    roles.set_roles(user=ana, project=banking, roles=[], by=by_ana)
    mia = roles.administrators(banking).get()
    with pytest.raises(errors.LastAdministrator, match="banking"):
        roles.set_roles(user=mia, project=banking, roles=[], by=by(mia))


def test_somebody_who_never_chose_a_password_administers_nothing_yet(project, ana, by_ana):
    ghost = UserFactory(username="ghost", password=make_password(None))
    admin = role(project, "admin")
    roles.set_members(role=admin, users=[ana, ghost], by=by_ana)
    with pytest.raises(errors.LastAdministrator):
        roles.set_members(role=admin, users=[ghost], by=by_ana)


# Who gets them


def test_who_was_deactivated_meanwhile_gets_no_role(project, ben, by_ana):
    seen = User.objects.get(pk=ben.pk)
    User.objects.filter(pk=ben.pk).update(is_active=False)
    with pytest.raises(errors.UserInactive):
        roles.set_members(role=role(project, "annotator"), users=[seen], by=by_ana)


def test_who_is_deactivated_keeps_a_role_whose_members_are_set(project, ben, by_ana):
    tester = role(project, "tester")
    roles.set_members(role=tester, users=[ben], by=by_ana)
    User.objects.filter(pk=ben.pk).update(is_active=False)
    roles.set_members(role=tester, users=[], by=by_ana)
    assert "tester" in names_of(ben, project)


def test_a_role_that_was_deleted_meanwhile_is_not_found(project, ben, by_ana):
    made = roles.create(project=project, name="short-lived", grants=[], by=by_ana)
    roles.delete(role=Role.objects.get(pk=made.pk), by=by_ana)
    for attempt in (
        lambda: roles.update(role=made, description="d", by=by_ana),
        lambda: roles.delete(role=made, by=by_ana),
        lambda: roles.set_members(role=made, users=[ben], by=by_ana),
        lambda: roles.set_roles(user=ben, project=project, roles=[made], by=by_ana),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_many_are_given_a_role_in_few_queries(project, by_ana, django_assert_max_num_queries):
    crowd = UserFactory.create_batch(40)
    with django_assert_max_num_queries(25 + 40):  # an event for each
        roles.set_members(role=role(project, "tester"), users=crowd, by=by_ana)
    with django_assert_max_num_queries(25 + 40):
        roles.set_members(role=role(project, "tester"), users=[], by=by_ana)


def test_a_service_account_has_roles_only_in_its_project(project, banking, by_ana):
    robot = UserFactory(username="robot", service_of=banking)
    with pytest.raises(errors.ServiceAccountElsewhere):
        roles.set_roles(user=robot, project=project, roles=[role(project, "tester")], by=by_ana)
    roles.set_roles(user=robot, project=banking, roles=[role(banking, "developer")], by=by_ana)
    assert names_of(robot, banking) == {"developer"}


def test_roles_are_set_as_a_whole_and_other_projects_left_alone(project, banking, ben, by_ana):
    give(ben, banking, "models.read")
    roles.set_roles(user=ben, project=project, roles=[role(project, "tester"), role(project, "annotator")], by=by_ana)
    assert names_of(ben, project) == {"tester", "annotator"}
    assert len(names_of(ben, banking)) == 1
    event = AuditEvent.objects.get(action="user.roles", project=project)
    assert event.after == {"roles": ["annotator", "tester"]}


def test_taking_a_grant_from_who_gave_it_does_not_take_it_back(project, production, rita, cy):
    made = roles.create(project=project, name="try", grants=["models.read"], by=by(rita))
    roles.set_members(role=made, users=[cy], by=by(rita))
    take(rita, "models.read")
    assert by(cy).may(project, "models.read")
