"""Whether a process may answer: what it finds, what it says, and what it answers meanwhile."""

import pytest
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from accounts.models import sealing_key
from controlplane import fitness, schema
from controlplane.backups import unfinished
from controlplane.fitness import WEB, WORKER, Fitness
from environments.models import Instance

pytestmark = pytest.mark.django_db
[NEWEST] = [name for app, name in MigrationLoader(None).graph.leaf_nodes() if app == "environments"]
OTHER_KEY = "an installation key that nobody else has, and long"


@pytest.fixture
def own(monkeypatch):
    """This process, which looks at itself."""
    found = Fitness(WEB)
    monkeypatch.setattr(fitness, "_own", [found])
    return found


@pytest.fixture
def homes(settings, tmp_path):
    """Choose the home that is looked at."""

    def choose(name):
        settings.CONTROLPLANE_HOME = tmp_path / name
        settings.CONTROLPLANE_HOME.mkdir(exist_ok=True)

    choose("home")
    return choose


def unapply(name):
    MigrationRecorder(connection).record_unapplied("environments", name)


def apply(name):
    MigrationRecorder(connection).record_applied("environments", name)


def beside(own, other):
    """Both have looked, each after the other began."""
    for each in (other, own, other):
        each.look()
    return own.look()


def test_a_process_of_an_installation_fits(own, homes, client):
    assert own.look() is None
    assert client.get("/readyz").json()["instance"] == "ok"
    assert client.get("/sign-in/").status_code == 200


def test_an_older_database_is_told_with_the_cure_and_waited_for(own, homes, client, caplog):
    unapply(NEWEST)
    for _ in range(3):
        assert own.look().code == "schema-behind"
    assert caplog.text.count("manage.py prepare") == 1
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["instance"]) == (503, "schema-behind")
    assert f"environments.{NEWEST}" in ready.json()["detail"]
    assert "manage.py prepare" in ready.json()["detail"]
    apply(NEWEST)
    assert own.look() is None
    assert client.get("/readyz").status_code == 200


def test_a_newer_database_is_no_fault(own, homes):
    apply("0999_of_a_later_version")
    assert own.look() is None


def test_it_answers_nobody_but_probes_while_it_does_not_fit(own, homes, client):
    unapply(NEWEST)
    own.look()
    assert client.get("/healthz").status_code == 200
    page, api, poll = (client.get(path) for path in ("/p/default/", "/api/v1/models/", "/api/projects/default/models"))
    assert [answer.status_code for answer in (page, api, poll)] == [503] * 3
    assert "The database is older than this version" in page.text
    assert api.json()["type"] == "/problems/schema-behind"
    assert poll.json()["details"]["type"] == "/problems/schema-behind"
    assert {answer.headers["Retry-After"] for answer in (page, api, poll)} == {"5"}


def test_a_key_ring_of_another_installation_key_is_told_with_its_fingerprint(own, homes, settings):
    sealing_key.seal("what the bot says to nobody")
    assert own.look() is None
    before = settings.SECRET_KEY
    settings.SECRET_KEY = OTHER_KEY
    problem = own.look()
    assert problem.code == "other-installation-key"
    assert sealing_key.unknown() in problem.detail
    settings.SECRET_KEY_FALLBACKS = [before]
    assert own.look() is None


@pytest.mark.parametrize("part", [WEB, WORKER])
def test_other_archives_beside_it_are_told_and_the_earlier_one_goes_on(own, homes, part):
    other = Fitness(part)
    other.look()
    homes("elsewhere")
    own.look()
    homes("home")
    assert other.look() is None
    homes("elsewhere")
    problem = own.look()
    assert problem.code == "other-store"
    assert f"{part} on " in problem.detail
    homes("home")
    assert own.look() is None


def test_one_that_is_gone_hinders_nobody(own, homes):
    Fitness(WEB).look()
    homes("elsewhere")
    assert own.look() is None
    assert own.look() is None


def test_a_cache_of_its_own_is_told_and_answers_on(own, homes, settings, client, caplog):
    settings.CACHES = {"default": {"BACKEND": "controlplane.memory_cache.PlainLocMemCache"}}
    other = Fitness(WEB)
    assert beside(own, other) is None
    other.look()
    assert own.look() is None
    assert own.unshared == {"cache"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["cache"]) == (200, "not shared")
    assert caplog.text.count("CACHE_URL") == 1


def test_a_shared_cache_that_was_emptied_is_a_shared_one(own, homes, monkeypatch):
    monkeypatch.setattr(fitness, "_cache_mark", lambda name: cache.get_or_set("test-mark", "a"))
    other = Fitness(WEB)
    beside(own, other)
    cache.set("test-mark", "b")
    own.look()
    assert own.unshared == set()
    other.look()
    own.look()
    assert own.unshared == set()


@pytest.mark.parametrize(
    ("what", "name", "value"),
    [
        ("tokens", "RASA_X_TOKEN", "of-another-home"),
        ("tokens", "JWT_SECRET", "of-another-home"),
        ("broker", "CELERY_BROKER_URL", "redis://broker:6379/1"),
    ],
)
def test_tokens_or_a_broker_of_its_own_are_told_too(own, homes, settings, caplog, what, name, value):
    other, before = Fitness(WORKER), getattr(settings, name)

    def look_in_turns():
        setattr(settings, name, before)
        other.look()
        setattr(settings, name, value)
        return own.look()

    assert [look_in_turns() for _ in range(3)] == [None] * 3
    assert own.unshared == {what}
    assert caplog.text.count(fitness.UNSHARED[what]) == 1
    assert value not in caplog.text


def test_a_broker_has_several_names(own, homes, settings):
    settings.CELERY_BROKER_URL = "rediss://broker:6379/1"
    other = Fitness(WORKER)
    other.look()
    settings.CELERY_BROKER_URL = "redis://10.0.0.5:6379/1"
    own.look()
    assert beside(own, other) is None
    assert own.unshared == set()


def test_a_store_that_cannot_be_read_proves_nothing(own, homes, settings, tmp_path):
    other = Fitness(WEB)
    other.look()
    settings.CONTROLPLANE_HOME = tmp_path / "home" / "archives" / "lock"
    assert beside(own, other) is None


def test_while_the_database_is_away_what_was_found_holds(own, homes, monkeypatch):
    unapply(NEWEST)
    own.look()

    def away(*args):
        raise DatabaseError("away")

    with connection.execute_wrapper(away):
        fitness._look(own)
    assert own.problem.code == "schema-behind"


def test_a_worker_is_an_instance_too(homes):
    Fitness(WORKER).look()
    assert Instance.objects.get().part == WORKER


def test_what_is_missing_is_named():
    assert schema.missing() == []
    unapply(NEWEST)
    assert schema.missing() == [f"environments.{NEWEST}"]


def test_nobody_works_on_what_a_restore_did_not_finish(own, homes, client):
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {unfinished.MARK} (began_at varchar(40))")
    assert own.look().code == "restore-unfinished"
    assert client.get("/sign-in/").status_code == 503
    unfinished.end()
    assert own.look() is None
