"""Replicas over HTTP: what each one proves, and another try."""

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from environments.actions import promotions
from environments.decisions import Record
from environments.models import Replica
from environments.serving import ledger

URL = "/api/v1/environments/production/replicas/"


@pytest.fixture
def stuck(production, otter, by_ana) -> Replica:
    """A replica whose name has a slash; it downloaded the model three times and never loaded it."""
    promotion = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    now = timezone.now()
    record = Record(
        etag="1" * 32,
        etag_since=now.timestamp(),
        target=otter.hash,
        promotion=promotion.pk,
        downloads=3,
        stuck_since=now.timestamp(),
        polls=(now.timestamp(),),
    )
    return Replica.objects.create(
        environment=production,
        name="rack/1",
        address="10.0.0.1",
        first_seen_at=now,
        last_poll_at=now,
        record=record.as_json(),
    )


def test_each_replica_tells_its_state_and_why(as_ana, stuck):
    (row,) = as_ana.get(URL).json()
    assert (row["name"], row["address"], row["state"], row["model"]) == ("rack/1", "10.0.0.1", "stuck", None)
    assert (row["downloads"], row["interval"], row["proved"]) == (3, 10.0, False)
    assert row["since"].endswith("Z")
    assert "did not load it" in row["reason"]


def test_without_replicas_the_list_is_empty(as_ana, production):
    assert as_ana.get(URL).json() == []


def test_a_retry_forgets_what_was_tried_and_is_audited(as_ana, stuck):
    assert as_ana.post(URL + "rack/1/retry/").status_code == 204
    entry = ledger.find(stuck.environment_id, "rack/1")
    assert entry.record.stuck_since is None
    assert AuditEvent.objects.first().action == "replica.retry"


def test_a_retry_of_an_unknown_replica_is_404(as_ana, production):
    assert as_ana.post(URL + "nobody/retry/").status_code == 404


def test_who_may_not_promote_may_not_retry(as_ben, stuck):
    refused = as_ben.post(URL + "rack/1/retry/")
    assert (refused.status_code, refused.json()["grant"]) == (403, "environments.production.write")


def test_an_outsider_sees_no_replicas(as_cy, stuck):
    assert as_cy.get(URL).status_code == 404
    assert as_cy.post(URL + "rack/1/retry/").status_code == 404
