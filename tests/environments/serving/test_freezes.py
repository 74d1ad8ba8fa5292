"""After a restore: what polls get until somebody has decided, and what is said of the servers meanwhile."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.actions import freezes, promotions
from environments.decisions import Answer
from environments.models import Environment, Listening
from environments.serving import ledger, polls, service_tokens, settling
from environments.serving.freezes import decisions
from environments.serving.reports import report, reports
from tests.factories import TrainedModelFactory

FRESH, UNKNOWN = "1" * 32, "d" * 64


def poll(environment, etag, name="rasa-1"):
    token = service_tokens.service_token(environment)
    pull = polls.find_pull(token=token, project="default", tag=environment.tag_name, environment="")
    decision, served = polls.take(
        environment=pull.environment, pull=pull, name=name, address="", etag=etag, serve=lambda model: model.name
    )
    return served or decision.answer


def reread(environment):
    return Environment.objects.select_related("project", "follows").get(pk=environment.pk)


@pytest.fixture
def frozen(production, otter, heron, by_ana):
    """The backup says that production serves brisk-otter, and that calm-heron was proved there before."""
    now = timezone.now()
    Listening.objects.create(since=now - timedelta(hours=1), until=now)
    promotions.promote(environment=production, model=heron, by=by_ana)
    poll(production, heron.hash)
    promotions.promote(environment=production, model=otter, by=by_ana)
    freezes.freeze_all(as_of=now - timedelta(days=1), now=now)
    return reread(production)


def test_who_has_a_model_keeps_it_and_who_has_none_gets_the_last_proven_one(frozen, otter, heron):
    later = TrainedModelFactory(project=frozen.project, name="uploaded-and-never-promoted")
    for etag in (otter.hash, heron.hash, later.hash, UNKNOWN):
        assert poll(frozen, etag) == Answer.NOT_MODIFIED
    assert poll(frozen, FRESH) == "calm-heron"


def test_servers_of_what_follows_it_are_frozen_with_it(frozen, worker, heron):
    assert reread(worker).is_frozen
    assert poll(worker, heron.hash) == Answer.NOT_MODIFIED
    assert poll(worker, FRESH) == "calm-heron"


def test_an_environment_that_takes_its_tag_from_another_one_again_is_frozen_as_that_one_is(frozen, experimental):
    Environment.objects.filter(pk=experimental.pk).update(follows=frozen, frozen_at=None)
    assert reread(experimental).is_frozen
    Environment.objects.filter(pk=frozen.pk).update(frozen_at=None)
    Environment.objects.filter(pk=experimental.pk).update(frozen_at=timezone.now())
    assert not reread(experimental).is_frozen


def test_it_is_said_that_it_is_frozen_and_nothing_rolls_out(frozen, otter, heron):
    poll(frozen, heron.hash)
    found = report(frozen)
    assert found.sync == "out_of_sync"
    assert "Frozen: this was restored from a backup of" in found.reasons[0]
    settling.settle_all(timezone.now() + timedelta(days=1))
    assert promotions.latest(frozen).status == "rolling_out"


def test_proof_of_what_the_backup_says_counts(frozen, otter):
    poll(frozen, otter.hash)
    settling.settle_all(timezone.now())
    assert promotions.latest(frozen).status == "succeeded"


def test_a_server_with_an_archive_that_the_backup_does_not_know_is_not_called_empty(frozen):
    poll(frozen, UNKNOWN)
    member = report(frozen).members[0]
    assert (member.state, member.archive) == ("foreign", UNKNOWN)
    assert f"SHA-256 {UNKNOWN}). Upload it again." in member.reason


def test_what_the_servers_have_is_held_against_the_backup(frozen, worker, otter, heron):
    poll(frozen, heron.hash, "rasa-1")
    poll(frozen, UNKNOWN, "rasa-2")
    poll(frozen, FRESH, "rasa-3")
    poll(worker, heron.hash, "rasa-w")
    (decision,) = decisions(reports([frozen, reread(worker)]))
    assert {(served.archive, served.model, served.replicas) for served in decision.served} == {
        (heron.hash, heron, ("rasa-1", "worker: rasa-w")),
        (UNKNOWN, None, ("rasa-2",)),
    }
    assert decision.empty == ("rasa-3",)
    assert decision.differs
    assert [served.model for served in decision.others] == [heron]
    assert decision.kept is None


def test_what_the_backup_tells_of_servers_is_not_taken_for_what_they_have(frozen, heron):
    Environment.objects.filter(pk=frozen.pk).update(frozen_at=timezone.now() + timedelta(seconds=1))
    (decision,) = decisions(reports([reread(frozen)]))
    assert (decision.served, decision.silent) == ((), ("rasa-1",))


def test_a_deleted_model_must_be_uploaded_again_to_be_kept(frozen, by_ana):
    fox = TrainedModelFactory(project=frozen.project, name="fox", deleted_at=timezone.now())
    poll(frozen, fox.hash)
    (decision,) = decisions(reports([frozen]))
    assert [served.model for served in decision.served] == [None]


def test_the_last_known_answer_is_a_frozen_one_while_the_database_is_away(frozen, heron, monkeypatch):
    token = service_tokens.service_token(frozen)
    question = {"token": token, "project": "default", "tag": "production", "environment": ""}
    assert polls.find_pull(**question).frozen
    monkeypatch.setattr(polls, "_find_pull", lambda *_: (_ for _ in ()).throw(ledger.DATABASE_ERRORS[0]("away")))
    pull = polls.find_pull(**question)
    assert (pull.frozen, pull.current) == (True, False)


def test_free_tags_of_a_frozen_project_leave_servers_what_they_have(frozen, otter, settings, client, stored_model):
    settings.RASA_X_TOKEN = "the-token-of-every-server"
    model = stored_model("nightly-model", tags=["nightly"])
    url = "/api/projects/default/models/tags/nightly?token=the-token-of-every-server"
    assert client.get(url, headers={"if-none-match": UNKNOWN}).status_code == 304
    fresh = client.get(url, headers={"if-none-match": FRESH})
    assert fresh.headers["ETag"] == f'"{model.hash}"'
    fresh.close()
    Environment.objects.update(frozen_at=None)
    after = client.get(url, headers={"if-none-match": UNKNOWN})
    assert after.status_code == 200
    after.close()
