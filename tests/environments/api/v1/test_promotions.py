"""Promotions over HTTP: made, foreseen, taken back, waited for, told."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.actions import api_tokens
from environments.actions import promotions
from environments.models import Promotion, Proof, ServerCheck
from environments.states import PromotionStatus
from tests.factories import EnvironmentFactory, ProjectFactory, TrainedModelFactory

PRODUCTION = "/api/v1/environments/production"
EXPERIMENTAL = "/api/v1/environments/experimental"


def post(client, url, **body):
    return client.post(url, body, content_type="application/json")


def promote(client, environment, model, **members):
    return post(client, f"/api/v1/environments/{environment}/promotions/", model=model, **members)


def test_a_promotion_answers_201_with_what_it_did(as_ana, production, otter):
    answer = promote(as_ana, "production", "brisk-otter", reason="first release")
    assert answer.status_code == 201
    made = answer.json()
    created_at = made.pop("created_at")
    assert created_at.endswith("Z")
    assert made == {
        "id": str(Promotion.objects.get().pk),
        "environment": "production",
        "model": "brisk-otter",
        "previous_model": None,
        "status": "rolling_out",
        "origin": "api",
        "by": "ana",
        "reason": "first release",
        "finished_at": None,
        "seconds": None,
        "replicas": 0,
        "error_code": "",
        "error_detail": "",
        "forced": False,
        "note": "No server of the environment was ever reached: nothing is known of the versions it takes.",
        "restores": None,
    }


def test_repeating_a_promotion_is_safe(as_ana, production, otter):
    first = promote(as_ana, "production", "brisk-otter", expected=None)
    again = promote(as_ana, "production", "brisk-otter", expected=None)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]


def test_of_two_people_who_promote_at_once_the_loser_is_told_who_and_when(as_ana, as_ben, experimental, otter, heron):
    assert promote(as_ben, "experimental", "calm-heron", expected=None).status_code == 201
    lost = promote(as_ana, "experimental", "brisk-otter", expected=None)
    assert lost.status_code == 409
    assert lost.headers["Content-Type"] == "application/problem+json"
    problem = lost.json()
    assert problem["type"] == "/problems/stale-promotion"
    assert (problem["current"], problem["by"]) == ("calm-heron", "ben")
    assert problem["at"] == as_ana.get(EXPERIMENTAL + "/promotions/").json()["results"][0]["created_at"]
    assert "promoted by ben" in problem["detail"]


def test_what_was_not_said_is_not_expected(as_ana, production, otter, heron):
    promote(as_ana, "production", "calm-heron")
    assert promote(as_ana, "production", "brisk-otter").status_code == 201


def test_promoting_nothing_takes_the_model_away(as_ana, production, otter):
    promote(as_ana, "production", "brisk-otter")
    emptied = promote(as_ana, "production", None, expected="brisk-otter").json()
    assert (emptied["model"], emptied["previous_model"], emptied["status"]) == (None, "brisk-otter", "succeeded")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "model"),
        ({"model": 5.5}, "model"),
        ({"model": {"name": "brisk-otter"}}, "model"),
        ({"model": "brisk-otter", "dryrun": True}, "dryrun"),
        ({"model": "brisk-otter", "force": "maybe"}, "force"),
        ({"model": "brisk-otter", "reason": "x" * 2001}, "reason"),
        ({"model": "brisk-otter", "reason": None}, "reason"),
        ({"model": "brisk\0otter"}, "model"),
    ],
)
def test_a_body_that_is_wrong_is_told_by_field_and_changes_nothing(as_ana, production, otter, body, field):
    refused = as_ana.post(PRODUCTION + "/promotions/", body, content_type="application/json")
    assert refused.status_code == 400 or (field == "model" and refused.status_code == 404)
    if refused.status_code == 400:
        assert list(refused.json()["errors"]) == [field]
    assert not Promotion.objects.exists()


def test_an_unknown_model_is_404(as_ana, production):
    assert promote(as_ana, "production", "nobody").status_code == 404


def test_a_model_of_another_project_is_404(as_ana, production):
    TrainedModelFactory(project=ProjectFactory(name="banking"), name="teller")
    assert promote(as_ana, "production", "teller").status_code == 404


def test_the_project_is_in_the_query(as_ana, production):
    banking = ProjectFactory(name="banking")
    EnvironmentFactory(project=banking, name="production")
    TrainedModelFactory(project=banking, name="teller")
    made = post(as_ana, PRODUCTION + "/promotions/?project=banking", model="teller")
    assert made.status_code == 201
    assert as_ana.get(PRODUCTION + "/promotions/").json()["results"] == []


def test_a_follower_is_409(as_ana, worker, otter):
    refused = promote(as_ana, "worker", "brisk-otter")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/environment-follows")


class TestDryRun:
    def test_it_tells_what_would_happen_and_changes_nothing(self, as_ana, production, otter):
        answer = promote(as_ana, "production", "brisk-otter", dry_run=True, reason="soon")
        assert answer.status_code == 200
        foreseen = answer.json()
        assert foreseen["refused"] is None
        assert foreseen["would"]["id"] is None
        assert foreseen["would"]["status"] == "rolling_out"
        assert foreseen["would"]["reason"] == "soon"
        assert (foreseen["diff"]["a"], foreseen["diff"]["b"]) == (None, "brisk-otter")
        assert not Promotion.objects.exists()

    def test_it_tells_nothing_of_models_to_who_may_not_read_them(self, as_ana, ana, by_ana, production, otter):
        promote(as_ana, "production", "brisk-otter")
        _, secret = api_tokens.create(user=ana, name="monitor", by=by_ana, grants=["environments.read"])
        refused = promote(Client(headers={"authorization": f"Bearer {secret}"}), "production", None, dry_run=True)
        assert (refused.status_code, refused.json()["grant"]) == (403, "models.read")

    def test_a_refusal_is_told_not_made(self, as_ben, production, otter):
        foreseen = promote(as_ben, "production", "brisk-otter", dry_run=True)
        assert foreseen.status_code == 200
        assert foreseen.json()["refused"]["grant"] == "environments.production.write"

    def test_a_stale_one_is_told(self, as_ana, production, otter, heron):
        promote(as_ana, "production", "calm-heron")
        foreseen = promote(as_ana, "production", "brisk-otter", dry_run=True, expected=None).json()
        assert foreseen["refused"]["type"] == "/problems/stale-promotion"

    def test_a_version_gate_is_told_and_forcing_is_foreseen(self, as_ana, production):
        TrainedModelFactory(name="old", version="3.5.0")
        ServerCheck.objects.create(
            environment=production, due_at=timezone.now(), version="3.6.21", minimum_compatible_version="3.6.21"
        )
        foreseen = promote(as_ana, "production", "old", dry_run=True).json()
        assert foreseen["refused"]["type"] == "/problems/model-incompatible"
        forced = promote(as_ana, "production", "old", dry_run=True, force=True).json()
        assert forced["refused"] is None
        assert forced["would"]["forced"] is True

    def test_of_what_serves_already_it_shows_the_present_promotion(self, as_ana, production, otter):
        made = promote(as_ana, "production", "brisk-otter").json()
        foreseen = promote(as_ana, "production", "brisk-otter", dry_run=True, expected="nobody").json()
        assert foreseen["would"] == made
        assert foreseen["refused"] is None


def test_history_is_newest_first_in_pages(as_ana, production, otter, heron):
    for model in ("brisk-otter", "calm-heron", "brisk-otter"):
        promote(as_ana, "production", model)
    first = as_ana.get(PRODUCTION + "/promotions/?limit=2").json()
    assert [row["model"] for row in first["results"]] == ["brisk-otter", "calm-heron"]
    rest = as_ana.get(first["next"]).json()
    assert [row["previous_model"] for row in rest["results"]] == [None]
    assert rest["next"] is None


def test_history_counts_the_replicas_that_proved_it(as_ana, by_ana, production, otter):
    made = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    now = timezone.now()
    for name in ("r1", "r2"):
        Proof.objects.create(
            environment=production, replica=name, model=otter, promotion=made, first_at=now, proved_at=now
        )
    promotions.settle(promotion=made, status=PromotionStatus.SUCCEEDED, at=made.created_at + timedelta(seconds=41.5))
    (row,) = as_ana.get(PRODUCTION + "/promotions/").json()["results"]
    assert (row["replicas"], row["seconds"], row["status"]) == (2, 41.5, "succeeded")


def test_one_promotion_is_read_by_its_id(as_ana, production, otter):
    made = promote(as_ana, "production", "brisk-otter").json()
    assert as_ana.get(f"/api/v1/promotions/{made['id']}/").json() == made


@pytest.mark.parametrize("unknown", ["0", "x", "9" * 30, "-1"])
def test_an_unknown_promotion_is_404(as_ana, project, unknown):
    assert as_ana.get(f"/api/v1/promotions/{unknown}/").status_code == 404


def test_waiting_for_a_finished_promotion_answers_at_once(as_ana, production, otter):
    promote(as_ana, "production", "brisk-otter")
    emptied = promote(as_ana, "production", None).json()
    assert as_ana.get(f"/api/v1/promotions/{emptied['id']}/?wait=60").json()["status"] == "succeeded"


def test_waiting_ends_with_the_seconds(as_ana, production, otter):
    made = promote(as_ana, "production", "brisk-otter").json()
    assert as_ana.get(f"/api/v1/promotions/{made['id']}/?wait=0.3").json()["status"] == "rolling_out"


@pytest.mark.parametrize("wait", ["soon", "-1", "1e9", "NaN", ""])
def test_a_wait_that_is_no_number_is_refused(as_ana, production, otter, wait):
    made = promote(as_ana, "production", "brisk-otter").json()
    assert as_ana.get(f"/api/v1/promotions/{made['id']}/?wait={wait}").status_code == 400


def test_a_reason_can_be_added_afterwards_by_who_promoted(as_ana, as_ben, experimental, otter):
    made = promote(as_ben, "experimental", "brisk-otter").json()
    url = f"/api/v1/promotions/{made['id']}/"
    assert as_ben.patch(url, {"reason": "nightly"}, content_type="application/json").json()["reason"] == "nightly"
    refused = as_ana.patch(url, {"reason": "mine"}, content_type="application/json")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-the-author")


def test_a_token_that_may_only_read_adds_no_reason(as_ben, ben, by_ben, experimental, otter):
    made = promote(as_ben, "experimental", "brisk-otter").json()
    _, secret = api_tokens.create(user=ben, name="reader", by=by_ben, grants=["environments.read"])
    refused = Client(headers={"authorization": f"Bearer {secret}"}).patch(
        f"/api/v1/promotions/{made['id']}/", {"reason": "mine"}, content_type="application/json"
    )
    assert (refused.status_code, refused.json()["grant"]) == (403, "environments.experimental.write")


class TestRollback:
    def test_it_brings_back_the_model_before(self, as_ana, production, otter, heron):
        first = promote(as_ana, "production", "brisk-otter").json()
        promote(as_ana, "production", "calm-heron")
        answer = post(as_ana, PRODUCTION + "/rollback/", reason="worse", expected="calm-heron")
        assert answer.status_code == 201
        back = answer.json()
        assert (back["model"], back["origin"], back["reason"]) == ("brisk-otter", "rollback", "worse")
        assert back["restores"] == first["id"]

    def test_an_empty_body_will_do(self, as_ana, production, otter, heron):
        promote(as_ana, "production", "brisk-otter")
        promote(as_ana, "production", "calm-heron")
        assert as_ana.generic("POST", PRODUCTION + "/rollback/").status_code == 201

    def test_to_names_the_promotion_whose_model_is_wanted(self, as_ana, production, otter, heron):
        first = promote(as_ana, "production", "brisk-otter").json()
        promote(as_ana, "production", "calm-heron")
        promote(as_ana, "production", TrainedModelFactory(name="third").name)
        assert post(as_ana, PRODUCTION + "/rollback/", to=first["id"]).json()["model"] == "brisk-otter"

    def test_with_nothing_to_go_back_to_it_is_409(self, as_ana, production):
        refused = post(as_ana, PRODUCTION + "/rollback/")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/nothing-to-go-back-to")

    def test_a_stale_one_is_409(self, as_ana, production, otter, heron):
        promote(as_ana, "production", "brisk-otter")
        promote(as_ana, "production", "calm-heron")
        refused = post(as_ana, PRODUCTION + "/rollback/", expected="brisk-otter")
        assert (refused.status_code, refused.json()["current"]) == (409, "calm-heron")

    def test_to_an_unknown_promotion_is_404(self, as_ana, production, otter):
        promote(as_ana, "production", "brisk-otter")
        assert post(as_ana, PRODUCTION + "/rollback/", to="77777").status_code == 404


class TestAt:
    def at(self, client, time, environment="production"):
        return client.get(f"/api/v1/environments/{environment}/at/", {"time": time.isoformat()})

    def test_it_tells_what_was_to_serve_at_a_time(self, as_ana, by_ana, production, otter, heron):
        first = promotions.promote(environment=production, model=otter, by=by_ana).promotion
        second = promotions.promote(environment=production, model=heron, by=by_ana).promotion
        Promotion.objects.filter(pk=first.pk).update(created_at=second.created_at - timedelta(hours=1))
        then = self.at(as_ana, second.created_at - timedelta(minutes=1)).json()
        assert (then["model"], then["promotion"]) == ("brisk-otter", str(first.pk))
        assert self.at(as_ana, second.created_at).json()["model"] == "calm-heron"

    def test_before_the_first_promotion_there_was_nothing(self, as_ana, production):
        answer = self.at(as_ana, timezone.now()).json()
        assert (answer["model"], answer["promotion"]) == (None, None)

    def test_a_follower_had_the_model_of_the_one_it_follows(self, as_ana, by_ana, production, worker, otter):
        promotions.promote(environment=production, model=otter, by=by_ana)
        assert self.at(as_ana, timezone.now(), "worker").json()["model"] == "brisk-otter"

    def test_an_unquoted_plus_is_understood(self, as_ana, production):
        assert as_ana.get(PRODUCTION + "/at/?time=2026-01-01T00:00:00+01:00").json()["time"] == "2025-12-31T23:00:00Z"

    @pytest.mark.parametrize("time", ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z"])
    def test_a_time_without_a_zone_or_sense_is_refused(self, as_ana, production, time):
        assert as_ana.get(f"{PRODUCTION}/at/?time={time}").status_code == 400

    @pytest.mark.parametrize("time", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00%2B14:00"])
    def test_a_time_beyond_the_calendar_is_refused(self, as_ana, production, time):
        assert as_ana.get(f"{PRODUCTION}/at/?time={time}").status_code == 400


ROUTES = [
    ("get", PRODUCTION + "/promotions/", None),
    ("post", PRODUCTION + "/promotions/", {"model": "brisk-otter"}),
    ("post", PRODUCTION + "/rollback/", {}),
    ("get", PRODUCTION + "/at/?time=2026-01-01T00:00:00Z", None),
]


@pytest.mark.parametrize(("method", "url", "body"), ROUTES)
def test_an_outsider_does_not_learn_that_there_is_an_environment(as_cy, production, otter, method, url, body):
    answer = getattr(as_cy, method)(url, body, content_type="application/json")
    assert answer.status_code == 404


def test_an_outsider_does_not_learn_of_a_promotion(as_cy, by_ana, production, otter):
    made = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    url = f"/api/v1/promotions/{made.pk}/"
    assert as_cy.get(url).status_code == 404
    assert as_cy.patch(url, {"reason": "x"}, content_type="application/json").status_code == 404


@pytest.mark.parametrize("route", ["promotions", "rollback"])
def test_who_may_not_promote_is_told_the_missing_grant(as_ben, production, otter, route):
    body = {"model": "brisk-otter"} if route == "promotions" else {}
    refused = post(as_ben, f"{PRODUCTION}/{route}/", **body)
    assert refused.status_code == 403
    assert refused.json()["grant"] == "environments.production.write"
    assert not Promotion.objects.exists()


def test_force_needs_its_grant(as_ben, experimental, otter):
    refused = promote(as_ben, "experimental", "brisk-otter", force=True)
    assert (refused.status_code, refused.json()["grant"]) == (403, "environments.experimental.force")


class TestRetired:
    """An environment that left the file keeps its history and takes nothing new."""

    @pytest.fixture(autouse=True)
    def retired(self, by_ana, production, otter):
        promotions.promote(environment=production, model=otter, by=by_ana)
        production.retired_at = timezone.now()
        production.save()

    def test_its_history_stays(self, as_ana):
        assert [row["model"] for row in as_ana.get(PRODUCTION + "/promotions/").json()["results"]] == ["brisk-otter"]
        now = timezone.now().isoformat()
        assert as_ana.get(PRODUCTION + "/at/", {"time": now}).json()["model"] == "brisk-otter"

    def test_promoting_to_it_is_refused_with_the_reason(self, as_ana, heron):
        refused = promote(as_ana, "production", "calm-heron")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/environment-retired")

    def test_an_outsider_learns_nothing_of_it(self, as_cy):
        assert as_cy.get(PRODUCTION + "/promotions/").status_code == 404
