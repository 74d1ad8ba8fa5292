"""After a restore: the banner, the page that compares, and the decision."""

import pytest
from django.utils import timezone

from environments.actions import freezes, promotions
from environments.decisions import Record
from environments.models import Environment, Listening, Replica

PAGE = "/p/default/restored/"
RESUME = "/p/default/environments/production/resume/"


def has(environment, name, etag):
    """A server that was heard since with that ETag."""
    now = timezone.now()
    record = Record(etag=etag, model=etag, etag_since=now.timestamp(), polls=(now.timestamp(),))
    Replica.objects.create(
        environment=environment, name=name, first_seen_at=now, last_poll_at=now, record=record.as_json()
    )


@pytest.fixture
def frozen(promoted, production, heron):
    """The backup says brisk-otter; the servers have calm-heron, and an archive that is not known."""
    now = timezone.now()
    Listening.objects.create(since=now, until=now)
    freezes.freeze_all(as_of=now, now=now)
    has(production, "rasa-1", heron.hash)
    has(production, "rasa-2", "d" * 64)
    return Environment.objects.get(pk=production.pk)


def test_the_page_shows_what_the_backup_says_and_what_the_servers_have(ana_looks, frozen):
    html = ana_looks.get(PAGE).content.decode()
    assert "the servers have something else" in html
    assert "brisk-otter" in html
    assert "calm-heron" in html
    assert "d" * 64 in html
    assert "changes rasa-1, rasa-2" in html
    assert "changes rasa-2" in html
    assert "manage.py resume production" in html
    assert "/api/v1/environments/production/resume/" in html


def test_banners_lead_to_it(ana_looks, frozen):
    overview = ana_looks.get("/p/default/").content.decode()
    assert "every server keeps the model it has" in overview
    assert PAGE in overview
    assert PAGE in ana_looks.get("/p/default/environments/production/").content.decode()


def test_deciding_for_what_the_servers_have_promotes_it(ana_looks, frozen):
    answer = ana_looks.post(RESUME, {"model": "calm-heron", "confirm": "production", "reason": "they have it"})
    assert (answer.status_code, answer.url) == (302, "/p/default/environments/production/")
    newest = promotions.latest(frozen)
    assert (newest.model.name, newest.reason, newest.origin) == ("calm-heron", "they have it", "page")
    assert PAGE not in ana_looks.get("/p/default/").content.decode()


def test_while_another_one_waits_the_page_comes_back(ana_looks, frozen, experimental):
    Environment.objects.filter(pk=experimental.pk).update(frozen_at=timezone.now(), frozen_as_of=timezone.now())
    answer = ana_looks.post(RESUME, {"model": "brisk-otter", "confirm": "production"})
    assert (answer.status_code, answer.url) == (302, PAGE)
    assert 'id="frozen-production"' not in ana_looks.get(PAGE).content.decode()


def test_a_protected_one_is_confirmed_by_its_name(ana_looks, frozen):
    answer = ana_looks.post(RESUME, {"model": "calm-heron", "confirm": "prod"})
    assert answer.status_code == 422
    assert Environment.objects.get(pk=frozen.pk).frozen_at


def test_who_may_not_promote_there_sees_it_and_cannot_decide(ben_looks, frozen):
    html = ben_looks.get(PAGE).content.decode()
    assert 'aria-disabled="true"' in html
    assert "environments.production.write" in html
    assert ben_looks.post(RESUME, {"model": "calm-heron", "confirm": "production"}).status_code == 403


def test_where_nothing_waits_the_page_says_so(ana_looks, production):
    assert "Nothing waits for a decision" in ana_looks.get(PAGE).content.decode()
    assert PAGE not in ana_looks.get("/p/default/").content.decode()


def test_promoting_is_off_with_the_reason(ana_looks, frozen):
    html = ana_looks.get("/p/default/environments/production/").content.decode()
    assert "production is frozen since the installation was restored" in html
