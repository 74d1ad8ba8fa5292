"""Environments made through the API: define, change, retire, and the list of Rasa X."""

import pytest

from accounts.models import AuditEvent
from accounts.problems import MissingGrant, NotFound
from environments import errors
from environments.actions import environments, promotions
from environments.actions.environments import Listed
from environments.models import Environment, Promotion, ServerCheck, Tag
from tests.factories import EnvironmentFactory, ProjectFactory, give, take

URL = "http://rasa-staging:5005"


@pytest.fixture
def staging(project, by_ana):
    return environments.define(project=project, name="staging", by=by_ana, url=URL, rasa_token="s3cret")


def put(project, by, *listed, prune=False):
    environments.put_list(project=project, listed=[Listed(*item) for item in listed], prune=prune, by=by)


def names(project):
    return [environment.name for environment in Environment.objects.active().filter(project=project)]


def test_a_new_environment_has_the_defaults_of_its_name(project, production, by_ana):
    made = environments.define(project=project, name="worker", by=by_ana, url="http://w:5005")
    made.refresh_from_db()
    assert (made.kind, made.follows, made.protected, made.color) == ("training", production, False, "#64748b")
    assert (made.declared_in, made.order, made.replicas) == ("api", 1, 1)


def test_an_environment_is_told_in_the_audit_trail_without_its_secrets(staging):
    event = AuditEvent.objects.get(action="environment.create")
    assert (event.actor, event.action, event.object) == ("ana", "environment.create", "environment:staging")
    assert event.after["url"] == URL
    assert event.after["has_rasa_token"] is True
    assert "s3cret" not in str(event.after)


def test_the_rasa_token_is_stored_encrypted(staging):
    staging.refresh_from_db()
    assert staging.rasa_token == "s3cret"
    assert "s3cret" not in staging.sealed_rasa_token


def test_a_name_that_is_in_use_is_refused(project, staging, production, by_ana):
    with pytest.raises(errors.EnvironmentExists):
        environments.define(project=project, name="staging", by=by_ana, url="http://other:1")
    with pytest.raises(errors.DeclaredInFile):
        environments.define(project=project, name="production", by=by_ana, url="http://other:1")


@pytest.mark.parametrize("name", ["Staging", "latest", "active", "", "-x", "a/b", "a" * 64])
def test_a_bad_name_is_refused(project, by_ana, name):
    with pytest.raises(errors.InvalidName):
        environments.define(project=project, name=name, by=by_ana, url=URL)


def test_a_bad_address_is_refused(project, staging, by_ana):
    with pytest.raises(errors.InvalidUrl):
        environments.define(project=project, name="canary", by=by_ana, url="http://169.254.169.254")
    with pytest.raises(errors.InvalidUrl):
        environments.update(environment=staging, by=by_ana, url="ftp://x")


def test_an_address_of_another_environment_is_refused(project, production, staging, by_ana):
    with pytest.raises(errors.UrlTaken, match="production has this address"):
        environments.define(project=project, name="canary", by=by_ana, url="HTTP://rasa-production:5005/")
    with pytest.raises(errors.UrlTaken):
        environments.update(environment=staging, by=by_ana, url=production.url)


def test_an_environment_of_another_project_is_not_named(project, by_ana):
    EnvironmentFactory(project=ProjectFactory(name="banking"), name="vault", url="http://hidden:1")
    with pytest.raises(errors.UrlTaken) as refused:
        environments.define(project=project, name="canary", by=by_ana, url="http://hidden:1")
    assert "vault" not in refused.value.detail


def test_a_name_that_is_a_free_tag_is_refused_until_the_tag_is_gone(project, otter, by_ana):
    tag = Tag.objects.create(project=project, name="staging", model=otter)
    with pytest.raises(errors.TagConflict, match=r"staging \(on brisk-otter\)"):
        environments.define(project=project, name="staging", by=by_ana, url=URL)
    tag.delete()
    assert environments.define(project=project, name="staging", by=by_ana, url=URL).pk


def test_what_is_not_said_stays_as_it_is(staging, by_ana):
    changed = environments.update(environment=staging, by=by_ana, replicas=3)
    changed.refresh_from_db()
    assert (changed.replicas, changed.url, changed.rasa_token) == (3, URL, "s3cret")
    event = AuditEvent.objects.first()
    assert (event.action, event.before, event.after) == ("environment.update", {"replicas": 1}, {"replicas": 3})


def test_changing_nothing_is_not_told(staging, by_ana):
    environments.update(environment=staging, by=by_ana, url=URL, rasa_token="s3cret", replicas=1)
    assert not AuditEvent.objects.filter(action="environment.update").exists()


def test_a_new_token_is_told_as_changed_and_no_more(staging, by_ana):
    environments.update(environment=staging, by=by_ana, rasa_token="n3w")
    assert AuditEvent.objects.first().after == {"rasa_token": "changed"}


@pytest.mark.parametrize("url", ["https://rasa-staging:5005", "http://elsewhere:5005", "http://rasa-staging:5006"])
def test_another_server_does_not_get_the_token_of_the_one_before(staging, by_ana, url):
    assert environments.update(environment=staging, by=by_ana, url=url).rasa_token == ""


def test_another_path_on_the_same_server_keeps_the_token(staging, by_ana):
    assert environments.update(environment=staging, by=by_ana, url=f"{URL}/bot").rasa_token == "s3cret"


def test_another_server_may_come_with_its_own_token(staging, by_ana):
    moved = environments.update(environment=staging, by=by_ana, url="http://new:1", rasa_token="n3w")
    assert moved.rasa_token == "n3w"


def test_what_the_last_server_said_is_forgotten_with_it(staging, by_ana, django_now):
    ServerCheck.objects.create(environment=staging, due_at=django_now, minimum_compatible_version="3.6.21")
    environments.update(environment=staging, by=by_ana, replicas=2)
    assert ServerCheck.objects.exists()
    environments.update(environment=staging, by=by_ana, url="http://new:1")
    assert not ServerCheck.objects.exists()


def test_those_of_the_file_are_read_only(production, by_ana):
    with pytest.raises(errors.DeclaredInFile, match=r"environments\.yml"):
        environments.update(environment=production, by=by_ana, replicas=2)
    with pytest.raises(errors.DeclaredInFile):
        environments.retire(environment=production, by=by_ana)


def test_following_gives_up_the_own_tag_by_a_promotion_to_nothing(staging, production, otter, by_ana):
    promotions.promote(environment=staging, model=otter, by=by_ana)
    environments.update(environment=staging, by=by_ana, follows="production")
    assert not Tag.objects.filter(name="staging").exists()
    newest = Promotion.objects.filter(environment=staging).first()
    assert (newest.model, newest.previous_model, newest.reason) == (
        None,
        otter,
        "staging follows production from now on.",
    )


def test_following_without_a_model_moves_no_tag(staging, production, by_ana):
    environments.update(environment=staging, by=by_ana, follows="production")
    assert not Promotion.objects.exists()
    assert environments.update(environment=staging, by=by_ana, follows=None).follows is None


@pytest.mark.parametrize(
    ("follows", "message"),
    [("staging", "cannot follow itself"), ("worker", "no chains"), ("nowhere", "There is no environment nowhere")],
)
def test_what_cannot_be_followed_is_refused(staging, worker, by_ana, follows, message):
    with pytest.raises(errors.CannotFollow, match=message):
        environments.update(environment=staging, by=by_ana, follows=follows)


def test_an_environment_that_is_followed_follows_nobody(project, staging, production, by_ana):
    environments.define(project=project, name="canary", by=by_ana, url="http://c:1", follows="staging")
    with pytest.raises(errors.CannotFollow, match="Others follow staging"):
        environments.update(environment=staging, by=by_ana, follows="production")


def test_a_retired_environment_comes_back_with_its_model_and_without_its_token(project, staging, otter, by_ana):
    promotions.promote(environment=staging, model=otter, by=by_ana)
    environments.retire(environment=staging, by=by_ana)
    assert names(project) == []
    back = environments.define(project=project, name="staging", by=by_ana, url="http://new:1")
    assert back.pk == staging.pk
    assert promotions.current_model(back) == otter
    assert back.rasa_token == ""
    assert AuditEvent.objects.first().action == "environment.restore"
    assert AuditEvent.objects.first().before["retired"] is True


def test_an_environment_that_is_followed_cannot_be_retired(project, staging, by_ana):
    environments.define(project=project, name="canary", by=by_ana, url="http://c:1", follows="staging")
    with pytest.raises(errors.HasFollowers, match="canary") as refused:
        environments.retire(environment=staging, by=by_ana)
    assert refused.value.data == {"followers": ["canary"]}


def test_a_retired_environment_is_not_changed(staging, by_ana):
    environments.retire(environment=staging, by=by_ana)
    with pytest.raises(errors.EnvironmentRetired):
        environments.retire(environment=staging, by=by_ana)
    with pytest.raises(errors.EnvironmentRetired):
        environments.update(environment=staging, by=by_ana, replicas=2)


def test_ben_may_not_manage_environments(project, staging, by_ben):
    with pytest.raises(MissingGrant, match=r"environments\.manage"):
        environments.define(project=project, name="canary", by=by_ben, url="http://c:1")
    with pytest.raises(MissingGrant):
        environments.update(environment=staging, by=by_ben, replicas=2)
    with pytest.raises(MissingGrant):
        environments.retire(environment=staging, by=by_ben)
    with pytest.raises(MissingGrant):
        put(project, by_ben)


def test_cy_does_not_learn_that_there_are_environments(project, staging, by_cy):
    with pytest.raises(NotFound):
        environments.define(project=project, name="canary", by=by_cy, url="http://c:1")
    with pytest.raises(NotFound):
        environments.update(environment=staging, by=by_cy, replicas=2)
    with pytest.raises(NotFound):
        environments.retire(environment=staging, by=by_cy)
    with pytest.raises(NotFound):
        put(project, by_cy)


def test_who_may_manage_but_not_promote_cannot_change_what_is_followed(staging, production, by_ben, project):

    give(by_ben.user, project, "environments.manage")
    with pytest.raises(MissingGrant, match=r"environments\.staging\.write"):
        environments.update(environment=staging, by=by_ben, follows="production")


def test_only_who_may_talk_chooses_what_signs_end_users(staging, by_ben, project):
    take(by_ben.user, "conversations.write")
    give(by_ben.user, project, "environments.manage")
    with pytest.raises(MissingGrant, match=r"conversations\.write"):
        environments.update(environment=staging, by=by_ben, jwt_secret="a secret that ben made up")
    with pytest.raises(MissingGrant, match=r"conversations\.write"):
        environments.define(project=project, name="canary", by=by_ben, url="http://c:1", jwt_secret="another one")
    environments.update(environment=staging, by=by_ben, jwt_secret="", replicas=2)
    give(by_ben.user, project, "conversations.write")
    environments.update(environment=staging, by=by_ben.anew(), jwt_secret="one that ben may choose")
    staging.refresh_from_db()
    assert (staging.replicas, staging.jwt_secret) == (2, "one that ben may choose")


def test_the_list_creates_and_updates_and_leaves_the_file_alone(project, production, staging, by_ana):
    put(
        project,
        by_ana,
        ("worker", "http://w:1", "t0ken"),
        ("production", "http://elsewhere:1", "stolen"),
        ("staging", "http://rasa-staging:5005", None),
    )
    production.refresh_from_db()
    assert production.url == "http://rasa-production:5005"
    assert names(project) == ["production", "staging", "worker"]
    assert Environment.objects.get(name="staging").rasa_token == "s3cret"
    assert Environment.objects.get(name="worker").follows == production


def test_a_worker_listed_before_production_follows_it(project, by_ana):
    put(project, by_ana, ("worker", "http://w:1", None), ("production", "http://p:1", None))
    assert Environment.objects.get(name="worker").follows.name == "production"


def test_absent_ones_are_retired_only_by_prune(project, production, staging, by_ana):
    environments.define(project=project, name="canary", by=by_ana, url="http://c:1", follows="staging")
    put(project, by_ana)
    assert names(project) == ["production", "staging", "canary"]
    put(project, by_ana, prune=True)
    assert names(project) == ["production"]


def test_a_refusal_in_the_list_changes_nothing(project, by_ana):
    with pytest.raises(errors.InvalidUrl):
        put(project, by_ana, ("one", "http://one:1", None), ("two", "nonsense", None))
    assert names(project) == []
