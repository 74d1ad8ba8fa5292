"""The sync of environments.yml: what it declares becomes rows, all of it or nothing."""

import pytest

from accounts.actor import FILE, system
from accounts.models import AuditEvent, Project
from environments import errors, spec
from environments.actions import declaration, environments, promotions
from environments.models import Environment, Promotion, Tag

TWO = """
rasa:
  production: {url: 'http://p:1', token: s3cret}
  experimental: {url: 'http://e:1'}
"""

pytestmark = pytest.mark.django_db


def sync(text):
    return declaration.sync(declaration=spec.parse(text, {}), by=system(FILE))


def active(project="default"):
    rows = Environment.objects.active().filter(project__name=project)
    return [row.name for row in rows]


def test_what_is_declared_is_created_in_the_order_of_the_file():
    synced = sync(TWO + "  worker: {url: 'http://w:1'}\n  alpha: {url: 'http://a:1'}\n")
    assert synced.created == ["default/production", "default/experimental", "default/alpha", "default/worker"]
    assert active() == ["production", "experimental", "worker", "alpha"]
    worker = Environment.objects.get(name="worker")
    assert (worker.follows.name, worker.kind, worker.declared_in) == ("production", "training", "file")
    assert Environment.objects.get(name="production").rasa_token == "s3cret"


def test_each_environment_made_is_one_audit_event_of_the_file():
    sync(TWO + "  worker: {url: 'http://w:1'}\n")
    events = AuditEvent.objects.filter(action="environment.create")
    assert {event.actor for event in events} == {"file"}
    assert events.count() == 3
    assert "s3cret" not in str([event.after for event in events])


def test_a_second_sync_changes_nothing():
    sync(TWO)
    before = AuditEvent.objects.count()
    assert list(sync(TWO).sentences()) == []
    assert AuditEvent.objects.count() == before


def test_a_change_in_the_file_is_written_and_told():
    sync(TWO)
    synced = sync("rasa:\n  production: {url: 'http://p:2', token: n3w}\n  experimental: {url: 'http://e:1'}\n")
    assert list(synced.sentences()) == ["updated default/production"]
    event = AuditEvent.objects.first()
    assert event.before == {"url": "http://p:1"}
    assert event.after == {"url": "http://p:2", "rasa_token": "changed"}


def test_only_a_new_order_is_written_too():
    sync(TWO)
    sync("rasa:\n  experimental: {url: 'http://e:1'}\n  production: {url: 'http://p:1', token: s3cret}\n")
    assert active() == ["experimental", "production"]


def test_an_environment_keeps_its_colour_when_others_come_before_it():
    sync("rasa:\n  beta: {url: 'http://b:1'}\n")
    colour = Environment.objects.get(name="beta").color
    sync("rasa:\n  alpha: {url: 'http://a:1'}\n  beta: {url: 'http://b:1'}\n")
    assert Environment.objects.get(name="beta").color == colour
    assert Environment.objects.get(name="alpha").color != colour


def test_what_left_the_file_is_retired_with_its_history_and_comes_back_with_its_model(otter, by_ana):
    sync(TWO)
    experimental = Environment.objects.get(name="experimental")
    promotions.promote(environment=experimental, model=otter, by=by_ana)
    assert sync("rasa:\n  production: {url: 'http://p:1'}\n").retired == ["default/experimental"]
    assert active() == ["production"]
    assert Promotion.objects.filter(environment=experimental).count() == 1
    assert sync(TWO).restored == ["default/experimental"]
    assert promotions.current_model(Environment.objects.get(name="experimental")) == otter


def test_an_empty_file_retires_all_of_the_file():
    sync(TWO)
    sync("rasa: {}")
    assert active() == []


def test_one_made_through_the_api_is_adopted(project, by_ana):
    environments.define(project=project, name="experimental", by=by_ana, url="http://made:1", rasa_token="mine")
    assert sync(TWO).adopted == ["default/experimental"]
    adopted = Environment.objects.get(name="experimental")
    assert (adopted.declared_in, adopted.url, adopted.rasa_token) == ("file", "http://e:1", "")
    event = AuditEvent.objects.get(action="environment.adopt")
    assert (event.before["declared_in"], event.after["declared_in"]) == ("api", "file")


def test_those_of_the_api_live_beside_the_file(project, by_ana):
    environments.define(project=project, name="canary", by=by_ana, url="http://c:1")
    sync(TWO)
    assert active() == ["production", "experimental", "canary"]
    sync("rasa: {}")
    assert active() == ["canary"]


def test_further_projects_are_made_and_apart(project):
    text = "rasa: {}\nprojects:\n  bank: {rasa: {production: {url: 'http://b:1'}, worker: {url: 'http://w:1'}}}\n"
    sync(text)
    assert active("bank") == ["production", "worker"]
    assert Environment.objects.get(name="worker").follows.project.name == "bank"
    assert AuditEvent.objects.filter(action="project.create", object="project:bank").count() == 1
    sync("rasa: {}")
    assert active("bank") == []
    assert Project.objects.filter(name="bank").exists()


def test_a_new_environment_named_like_a_free_tag_is_refused_and_nothing_is_applied(project, otter):
    Tag.objects.create(project=project, name="experimental", model=otter)
    with pytest.raises(errors.TagConflict, match="experimental"):
        sync(TWO)
    assert active() == []


def test_a_retired_environment_is_no_free_tag(otter, by_ana):
    sync(TWO)
    promotions.promote(environment=Environment.objects.get(name="experimental"), model=otter, by=by_ana)
    sync("rasa: {}")
    assert "default/experimental" in sync(TWO).restored


def test_an_address_of_one_made_through_the_api_is_refused(project, by_ana):
    environments.define(project=project, name="canary", by=by_ana, url="http://e:1/")
    with pytest.raises(
        errors.EnvironmentsFileInvalid, match=r"line 4: rasa\.experimental\.url: is also the address of"
    ):
        sync(TWO)
    assert active() == ["canary"]


def test_an_environment_that_is_followed_cannot_leave_the_file(project, by_ana):
    sync(TWO)
    environments.define(project=project, name="canary", by=by_ana, url="http://c:1", follows="experimental")
    with pytest.raises(
        errors.EnvironmentsFileInvalid, match="canary, made through the API, follows experimental, which"
    ):
        sync("rasa:\n  production: {url: 'http://p:1'}\n")
    assert active() == ["production", "experimental", "canary"]


def test_an_environment_that_is_followed_cannot_follow(project, by_ana):
    sync(TWO)
    environments.define(project=project, name="canary", by=by_ana, url="http://c:1", follows="experimental")
    with pytest.raises(errors.EnvironmentsFileInvalid, match="there are no chains"):
        sync("rasa:\n  production: {url: 'http://p:1'}\n  experimental: {url: 'http://e:1', follows: production}\n")


def test_following_gives_up_the_own_tag_by_a_promotion_of_the_file(otter, by_ana):
    sync(TWO)
    experimental = Environment.objects.get(name="experimental")
    promotions.promote(environment=experimental, model=otter, by=by_ana)
    sync("rasa:\n  production: {url: 'http://p:1'}\n  experimental: {url: 'http://e:1', follows: production}\n")
    newest = Promotion.objects.filter(environment=experimental).first()
    assert (newest.model, newest.origin, newest.by_name) == (None, "file", "file")
    assert not Tag.objects.exists()


def test_who_follows_whom_may_be_turned_round():
    sync("rasa:\n  a: {url: 'http://a:1'}\n  b: {url: 'http://b:1', follows: a}\n")
    sync("rasa:\n  a: {url: 'http://a:1', follows: b}\n  b: {url: 'http://b:1'}\n")
    assert Environment.objects.get(name="a").follows.name == "b"
    assert Environment.objects.get(name="b").follows is None


def test_a_lost_installation_key_is_mended_by_the_next_sync(settings):
    sync(TWO)
    settings.SECRET_KEY = "another" * 10
    sync(TWO)
    assert Environment.objects.get(name="production").rasa_token == "s3cret"
