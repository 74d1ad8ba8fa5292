"""Polls against the database: the ledger, the proofs, and what a poll costs."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from redis import ResponseError

from accounts.problems import Busy, Unauthorized
from environments import errors
from environments.actions import promotions
from environments.decisions import TRIES, Answer
from environments.models import Proof, Replica
from environments.serving import ledger, outages, polls, replicas, service_tokens
from environments.serving.reports import report

FRESH = "1" * 32


def poll(environment, etag, *, name="rasa-1", serve=lambda model: model.name):
    token = service_tokens.service_token(environment)
    pull = polls.find_pull(token=token, project="default", tag=environment.tag_name, environment="")
    decision, served = polls.take(
        environment=pull.environment, pull=pull, name=name, address="10.0.0.7", etag=etag, serve=serve
    )
    return served or decision.answer


@pytest.fixture
def served(production, otter, by_ana):
    promotions.promote(environment=production, model=otter, by=by_ana)
    return production


def test_a_poll_delivers_the_model_and_the_next_one_proves_it(served, otter):
    assert poll(served, FRESH) == "brisk-otter"
    assert report(served).members[0].state == "loading"
    assert poll(served, otter.hash) == Answer.NOT_MODIFIED
    proof = Proof.objects.get()
    assert (proof.replica, proof.model, proof.promotion.model) == ("rasa-1", otter, otter)


def test_the_poll_that_completes_the_proof_settles_the_promotion_at_once(served, otter):
    poll(served, FRESH)
    poll(served, otter.hash)
    assert promotions.latest(served).status == "succeeded"


def test_two_replicas_are_told_apart(served, otter):
    poll(served, FRESH, name="rasa-1")
    poll(served, otter.hash, name="rasa-2")
    assert {member.name: member.state for member in report(served).members} == {
        "rasa-1": "loading",
        "rasa-2": "serving",
    }


def test_a_poll_that_changes_nothing_costs_no_write(served, otter, django_assert_num_queries):
    poll(served, FRESH)
    poll(served, otter.hash)
    with django_assert_num_queries(1) as queries:
        poll(served, otter.hash)
    assert all(query["sql"].lstrip().startswith("SELECT") for query in queries.captured_queries)


def test_heartbeats_are_written_in_one_batch(served, otter):
    for name in ("rasa-1", "rasa-2"):
        poll(served, otter.hash, name=name)
        poll(served, otter.hash, name=name)
    before = {row.name: row.last_poll_at for row in Replica.objects.all()}
    assert ledger.flush() == 2
    assert all(row.last_poll_at > before[row.name] for row in Replica.objects.all())
    assert ledger.flush() == 0


def test_the_ledger_outlives_the_cache(served, otter):
    for _ in range(TRIES):
        poll(served, FRESH)
    cache.clear()
    entry = ledger.find(served.pk, "rasa-1")
    assert entry.record.tries == {FRESH: {otter.hash: TRIES}}


def test_a_follower_proves_for_itself_alone(served, worker, otter):
    poll(worker, FRESH)
    poll(worker, otter.hash)
    proof = Proof.objects.get()
    assert (proof.environment, proof.promotion) == (worker, None)
    assert promotions.latest(served).status == "rolling_out"


def test_a_model_that_was_never_promoted_here_proves_nothing(served, heron):
    poll(served, heron.hash)
    assert not Proof.objects.exists()
    assert report(served).members[0].state == "foreign"


def test_a_stuck_fresh_process_gets_the_last_proven_model(served, otter, heron, by_ana):
    poll(served, FRESH)
    poll(served, otter.hash)
    promotions.promote(environment=served, model=heron, by=by_ana)
    for _ in range(TRIES):
        assert poll(served, "2" * 32) == "calm-heron"
    assert poll(served, "2" * 32) == "brisk-otter"
    assert poll(served, otter.hash) == Answer.NOT_MODIFIED
    found = report(served).members[0]
    assert (found.state, found.model) == ("stuck", "brisk-otter")


def test_a_worker_that_never_proved_anything_falls_back_on_what_it_follows(served, worker, otter, heron, by_ana):
    poll(served, FRESH)
    poll(served, otter.hash)
    promotions.promote(environment=served, model=heron, by=by_ana)
    for _ in range(TRIES):
        poll(worker, "2" * 32)
    assert poll(worker, "2" * 32) == "brisk-otter"


def test_many_replicas_that_proved_one_model_hide_no_older_one(served, otter, heron, by_ana, django_now):
    for number in range(300):
        Proof.objects.create(
            environment=served, replica=f"pod-{number}", model=heron, first_at=django_now, proved_at=django_now
        )
    poll(served, otter.hash)
    Proof.objects.filter(model=otter).update(proved_at=django_now - timedelta(days=1))
    assert ledger.proven_models(served) == [heron, otter]


def damaged(*names):
    def serve(model):
        if model.name in names:
            raise errors.ArchiveDamaged("damaged")
        return model.name

    return serve


def test_a_damaged_archive_is_never_served(served, heron, otter, by_ana):
    poll(served, FRESH)
    poll(served, otter.hash)
    promotions.promote(environment=served, model=heron, by=by_ana)
    serve = damaged("calm-heron")
    assert poll(served, otter.hash, serve=serve) == Answer.UNAVAILABLE
    assert poll(served, "2" * 32, serve=serve) == "brisk-otter"


def test_an_answer_that_could_not_be_given_is_no_download(served):
    def busy(model):
        raise errors.StorageFull("no")

    with pytest.raises(errors.StorageFull):
        poll(served, FRESH, serve=busy)
    assert report(served).members[0].downloads == 0


def test_a_restarted_process_is_heard_also_where_it_can_be_given_nothing(served, otter):
    poll(served, FRESH)
    poll(served, otter.hash)

    def busy(model):
        raise Busy("Too many downloads at a time.")

    with pytest.raises(Busy):
        poll(served, "2" * 32, serve=busy)
    found = report(served).members[0]
    assert (found.state, found.proved) == ("empty", False)


def test_retry_gives_a_stuck_replica_the_model_again(served, heron, by_ana):
    for _ in range(TRIES + 1):
        poll(served, heron.hash)
    assert poll(served, heron.hash) == Answer.NOT_MODIFIED
    replicas.retry(environment=served, name="rasa-1", by=by_ana)
    assert poll(served, heron.hash) == "brisk-otter"


def test_a_replica_that_was_forgotten_and_polls_again_is_back(served, otter):
    poll(served, otter.hash)
    Replica.objects.update(forgotten_at=Replica.objects.get().last_poll_at)
    assert report(served).members == ()
    poll(served, FRESH)
    assert len(report(served).members) == 1


def test_the_token_of_one_environment_opens_no_other_tag(served, experimental):
    token = service_tokens.service_token(experimental)
    with pytest.raises(errors.WrongServiceToken, match="pulls the tag experimental"):
        polls.find_pull(token=token, project="default", tag="production", environment="")


@pytest.mark.parametrize("token", ["cps_", "cps_1_x", "cps_99999999999999999999_x", "cps_x_y", "", "nonsense"])
def test_a_token_that_is_not_ours_opens_nothing(served, token):
    with pytest.raises(Unauthorized):
        polls.find_pull(token=token, project="default", tag="production", environment="")


def test_rotation_keeps_the_token_before_for_a_while(served, django_now):
    old = service_tokens.service_token(served)
    served.token_generation, served.previous_token_until = 2, django_now + timedelta(minutes=1)
    served.save()
    assert service_tokens.environment_of(old) == served
    served.previous_token_until = django_now
    served.save()
    assert service_tokens.environment_of(old) is None
    assert service_tokens.environment_of(service_tokens.service_token(served)) == served


class TestInstallationToken:
    @pytest.fixture(autouse=True)
    def token(self, settings):
        settings.RASA_X_TOKEN = "installation"

    def pull(self, tag, environment=""):
        return polls.find_pull(token="installation", project="default", tag=tag, environment=environment)

    def test_it_stands_for_the_environment_named_like_the_tag(self, served):
        assert self.pull("production").environment == served

    def test_environment_chooses_among_those_that_pull_the_tag(self, served, worker, experimental):
        assert self.pull("production", "worker").environment == worker
        with pytest.raises(errors.WrongServiceToken):
            self.pull("production", "experimental")

    def test_a_tag_that_no_environment_pulls_is_served_and_not_recorded(self, served, otter):
        assert (self.pull("latest").environment, self.pull("latest").model) == (None, otter)

    def test_active_is_another_name_of_production(self, served, otter):
        assert (self.pull("active").environment, self.pull("active").model) == (served, otter)

    def test_unset_there_is_none(self, served, settings):
        settings.RASA_X_TOKEN = ""
        with pytest.raises(Unauthorized):
            polls.find_pull(token="", project="default", tag="production", environment="")


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ('"abc"', "abc"),
        ("abc", "abc"),
        ('W/"abc"', "abc"),
        ('"a", "b"', None),
        ("*", None),
        ("", None),
        (None, None),
        ("a,b", None),
    ],
)
def test_only_one_entity_tag_makes_a_poll(header, tag):
    assert polls.entity_tag(header) == tag


@pytest.mark.parametrize("sent", [None, "", "  ", "${HOSTNAME}", "x" * 201, "a\nb"])
def test_without_a_usable_name_the_peer_address_stands_for_the_replica(sent):
    assert polls.replica_name(sent, "10.0.0.7") == "10.0.0.7"


def away(execute, sql, params, many, context):
    raise OperationalError("away")


def test_while_the_database_is_away_the_last_known_answer_is_given(served, otter):
    poll(served, otter.hash)
    poll(served, otter.hash)

    with connection.execute_wrapper(away):
        assert poll(served, otter.hash) == Answer.NOT_MODIFIED
        assert poll(served, FRESH) == "brisk-otter"


def test_while_the_database_is_away_an_unknown_question_is_an_error_that_leaves_the_model_loaded(served):
    token = service_tokens.service_token(served)

    with connection.execute_wrapper(away), pytest.raises(errors.DatabaseAway):
        polls.find_pull(token=token, project="default", tag="experimental", environment="")


def test_what_is_known_does_not_grow_with_what_a_server_calls_itself(served, otter):
    poll(served, otter.hash)
    token, known = service_tokens.service_token(served), len(polls._last_known)
    for number in range(3):
        polls.find_pull(token=token, project="default", tag="production", environment=f"other-{number}")
    assert len(polls._last_known) == known


def test_the_last_known_answer_may_be_that_there_is_no_model(served, otter, by_ana):
    poll(served, otter.hash)
    promotions.promote(environment=served, model=None, by=by_ana)
    assert poll(served, otter.hash) == Answer.NO_MODEL
    with connection.execute_wrapper(away):
        assert poll(served, otter.hash) == Answer.NO_MODEL


def test_heartbeats_are_not_put_over_news_that_came_meanwhile(served, otter):
    poll(served, FRESH)
    poll(served, otter.hash)
    poll(served, otter.hash)

    def another_process_polls(execute, sql, params, many, context):
        if "SELECT" in sql and not news:
            news.append(poll)
            poll(served, "2" * 32)
        return execute(sql, params, many, context)

    news = []
    with connection.execute_wrapper(another_process_polls):
        ledger.flush()
    assert Replica.objects.get().record["proved"] is None


def test_a_row_with_news_that_could_not_be_cached_counts(served, otter):
    poll(served, otter.hash)
    cached = ledger.find(served.pk, "rasa-1")
    poll(served, FRESH)
    cache.set(ledger._key(served.pk, "rasa-1"), cached)
    assert not report(served).members[0].proved


class Broken:
    """A cache server that is out of memory, or a replica of one: it can be read, not written."""

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(outages, "PAUSE", 0.0)

    def __enter__(self):
        def refuse(*args, **kwargs):
            raise ResponseError("OOM command not allowed when used memory > 'maxmemory'.")

        for name in ("set", "add"):
            self.monkeypatch.setattr(cache, name, refuse, raising=False)

    def __exit__(self, *exception):
        for name in ("set", "add"):
            self.monkeypatch.delattr(cache, name)


def test_with_a_cache_that_takes_nothing_the_ledger_goes_on_in_the_database(served, otter, monkeypatch):
    poll(served, FRESH)
    with Broken(monkeypatch):
        for _ in range(TRIES - 1):
            assert poll(served, FRESH) == "brisk-otter"
        assert poll(served, FRESH) == Answer.NOT_MODIFIED
        assert report(served).members[0].state == "stuck"
    assert poll(served, FRESH) == Answer.NOT_MODIFIED


def test_a_heartbeat_that_cannot_be_cached_is_written_at_once(served, otter, monkeypatch):
    poll(served, FRESH)
    poll(served, otter.hash)
    before = Replica.objects.get().last_poll_at
    with Broken(monkeypatch):
        poll(served, otter.hash)
        assert Replica.objects.get().last_poll_at > before
        assert ledger.flush() == 0


def test_what_the_cache_kept_over_its_outage_is_not_put_over_news(served, otter, monkeypatch):
    poll(served, otter.hash)
    poll(served, otter.hash)
    with Broken(monkeypatch):
        poll(served, "2" * 32)
        outages.cache.reset()
        ledger.flush()
    assert Replica.objects.get().record["proved"] is None


@pytest.fixture
def moved_elsewhere(served, otter, heron, by_ana, monkeypatch):
    """Another web process saw the tag move to heron; this one knows otter alone."""
    monkeypatch.setattr(outages, "PAUSE", 0.0)
    poll(served, otter.hash)
    token = service_tokens.service_token(served)
    known = polls.find_pull(token=token, project="default", tag="production", environment="")
    promotions.promote(environment=served, model=heron, by=by_ana)
    poll(served, heron.hash)
    polls._last_known[token, "default", "production", ""] = known


@pytest.mark.usefixtures("moved_elsewhere")
def test_an_answer_older_than_the_ledger_takes_no_server_back(served, heron):
    with connection.execute_wrapper(away):
        for _ in range(2):
            with pytest.raises(errors.DatabaseAway):
                poll(served, heron.hash)
    assert poll(served, heron.hash) == Answer.NOT_MODIFIED
    assert report(served).members[0].proved


@pytest.mark.usefixtures("moved_elsewhere")
def test_an_answer_older_than_the_ledger_is_better_than_an_empty_server(served):
    with connection.execute_wrapper(away):
        assert poll(served, FRESH) == "brisk-otter"
