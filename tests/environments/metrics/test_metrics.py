"""What `/metrics` says, to whom, and what it costs."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actions import api_tokens
from accounts.actor import API, Actor
from controlplane import fitness
from environments import metric_families as families
from environments.actions import jobs, promotions, queue, slots, tallies
from environments.metrics.installation import PARTS, STEPS
from environments.models import Instance, Job, Promotion, Proof, Slot
from environments.serving import listening, service_tokens, traffic
from environments.states import JobKind, JobStatus, PromotionStatus
from tests.conftest import client_of
from tests.factories import (
    EnvironmentFactory,
    JobFactory,
    ProjectFactory,
    TrainedModelFactory,
    UserFactory,
    administrator,
    give,
)
from tests.live import ROOT
from tests.metrics import parsed, value

PRODUCTION = {"project": "default", "environment": "production"}
TRAINING = {"project": "default", "kind": "training"}


@pytest.fixture(autouse=True)
def nothing_counted():
    traffic.forget()
    yield
    traffic.forget()


@pytest.fixture(autouse=True)
def committed(django_capture_on_commit_callbacks):
    """Do in the block what follows the commit in a test's transaction, which has none."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def told(client):
    response = client.get("/metrics")
    assert response.status_code == 200, response.content
    return response.content.decode()


def poll(client, etag):
    response = client.get(
        "/api/projects/default/models/tags/production",
        query_params={"replica": "rasa-1"},
        headers={"If-None-Match": etag},
    )
    if response.streaming:
        response.getvalue()
        response.close()
    return response


@pytest.fixture
def server(production):
    return Client(headers={"authorization": f"Bearer {service_tokens.service_token(production)}"})


# What it says


def test_every_metric_is_there_from_the_start(as_ana, production):
    text = told(as_ana)
    shown = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE")}
    assert shown == {family.name: family.kind for family in families.FAMILIES}


def test_it_comes_as_prometheus_reads_it(as_ana, production):
    response = as_ana.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"})
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert as_ana.get("/metrics/").status_code == 200


def test_a_count_that_fails_is_logged_and_undoes_nothing(by_ana, production, stored_model, committed, caplog):
    def away(execute, sql, params, many, context):
        if sql == tallies.ADD:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(away), committed():
        done = promotions.promote(environment=production, model=stored_model("brisk-otter"), by=by_ana)
    assert Promotion.objects.filter(pk=done.promotion.pk).exists()
    assert "server closed the connection" in caplog.text


def test_a_promotion_is_counted_from_its_start_to_its_proof(
    as_ana, by_ana, production, stored_model, server, committed
):
    otter = stored_model("brisk-otter")
    with committed():
        promotions.promote(environment=production, model=otter, by=by_ana)
    assert value(told(as_ana), "controlplane_promotions_started_total", **PRODUCTION) == 1
    Promotion.objects.update(created_at=timezone.now() - timedelta(seconds=7))
    assert 7 <= value(told(as_ana), "controlplane_promotion_rolling_out_seconds", **PRODUCTION) < 60
    with committed():
        assert poll(server, "1" * 32).status_code == 200
        assert poll(server, f'"{otter.hash}"').status_code == 304
    text = told(as_ana)
    finished = parsed(text)["controlplane_promotions_finished_total"]
    assert {dict(labels)["outcome"]: number for labels, number in finished.items()} == {
        "succeeded": 1,
        "failed": 0,
        "superseded": 0,
        "unproven": 0,
    }
    assert value(text, "controlplane_proofs_total", **PRODUCTION) == 1
    assert value(text, "controlplane_promotion_rolling_out_seconds", **PRODUCTION) == 0
    assert value(text, "controlplane_time_to_live_seconds_count", **PRODUCTION) == 1
    assert 7 <= value(text, "controlplane_time_to_live_seconds_sum", **PRODUCTION) < 60
    assert value(text, "controlplane_time_to_live_seconds_bucket", **PRODUCTION, le="5") == 0
    assert value(text, "controlplane_time_to_live_seconds_bucket", **PRODUCTION, le="60") == 1
    assert value(text, "controlplane_time_to_live_seconds_bucket", **PRODUCTION, le="+Inf") == 1


def test_a_promotion_that_another_passed_by_is_superseded(as_ana, by_ana, production, otter, heron, committed):
    with committed():
        promotions.promote(environment=production, model=otter, by=by_ana)
        promotions.promote(environment=production, model=heron, by=by_ana)
    text = told(as_ana)
    assert value(text, "controlplane_promotions_finished_total", **PRODUCTION, outcome="superseded") == 1
    assert value(text, "controlplane_promotions_started_total", **PRODUCTION) == 2


def test_a_promotion_to_nothing_is_over_at_once_and_was_never_live(as_ana, by_ana, production, otter, committed):
    with committed():
        promotions.promote(environment=production, model=otter, by=by_ana)
        promotions.promote(environment=production, model=None, by=by_ana)
    text = told(as_ana)
    assert value(text, "controlplane_promotions_finished_total", **PRODUCTION, outcome="succeeded") == 1
    assert value(text, "controlplane_time_to_live_seconds_count", **PRODUCTION) == 0


def test_a_promotion_that_was_refused_counts_for_nothing(as_ana, by_ben, production, otter, committed):
    with committed(), pytest.raises(Exception, match=r"environments\.production\.write"):
        promotions.promote(environment=production, model=otter, by=by_ben)
    assert value(told(as_ana), "controlplane_promotions_started_total", **PRODUCTION) == 0


def test_one_that_failed_and_is_proved_after_all_counts_under_both(as_ana, by_ana, production, otter, committed):
    with committed():
        promotion = promotions.promote(environment=production, model=otter, by=by_ana).promotion
        for status in (PromotionStatus.FAILED, PromotionStatus.SUCCEEDED, PromotionStatus.SUCCEEDED):
            promotions.settle(promotion=promotion, status=status, at=timezone.now())
    text = told(as_ana)
    for outcome in ("failed", "succeeded"):
        assert value(text, "controlplane_promotions_finished_total", **PRODUCTION, outcome=outcome) == 1


def test_replicas_sync_and_health_are_those_of_the_report(
    as_ana, by_ana, production, experimental, stored_model, server
):
    otter = stored_model("brisk-otter")
    promotions.promote(environment=production, model=otter, by=by_ana)
    listening.note(timezone.now() - timedelta(seconds=30))
    Slot.objects.all().delete()
    poll(server, "1" * 32)
    poll(server, f'"{otter.hash}"')
    text = told(as_ana)
    assert value(text, "controlplane_replicas", **PRODUCTION, state="serving") == 1
    assert value(text, "controlplane_replicas", **PRODUCTION, state="silent") == 0
    assert value(text, "controlplane_replicas_expected", **PRODUCTION) == 1
    api = as_ana.get("/api/v1/environments/").json()["results"]
    for environment in api:
        place = {"project": "default", "environment": environment["name"]}
        assert value(text, "controlplane_environment_sync", **place, sync=environment["sync"]) == 1
        assert value(text, "controlplane_environment_health", **place, health=environment["health"]) == 1
    for name in ("controlplane_environment_sync", "controlplane_environment_health"):
        assert sum(parsed(text)[name].values()) == len(api)
    info = {"kind": "serving", "protected": "yes", "model": "brisk-otter"}
    assert value(text, "controlplane_environment_info", **PRODUCTION, **info) == 1


def test_polls_are_counted_by_what_they_got(as_ana, by_ana, production, stored_model, server):
    assert poll(server, "1" * 32).status_code == 404
    otter = stored_model("brisk-otter")
    promotions.promote(environment=production, model=otter, by=by_ana)
    poll(server, "1" * 32)
    for _ in range(3):
        poll(server, f'"{otter.hash}"')
    counted = parsed(told(as_ana))["controlplane_polls_total"]
    assert {dict(labels)["answer"]: number for labels, number in counted.items()} == {
        "no_model": 1,
        "archive": 1,
        "not_modified": 3,
        "fallback": 0,
        "unavailable": 0,
    }


def test_a_damaged_archive_counts_as_unavailable_or_as_a_fallback(as_ana, by_ana, production, stored_model, server):
    otter, heron = stored_model("brisk-otter"), stored_model("calm-heron")
    promotions.promote(environment=production, model=otter, by=by_ana)
    poll(server, "1" * 32)
    poll(server, f'"{otter.hash}"')
    heron.damaged_at = timezone.now()
    promotions.promote(environment=production, model=heron, by=by_ana)
    type(heron).objects.filter(pk=heron.pk).update(damaged_at=timezone.now())
    assert poll(server, f'"{otter.hash}"').status_code == 503
    assert poll(server, "2" * 32).headers["ETag"] == f'"{otter.hash}"'
    text = told(as_ana)
    assert value(text, "controlplane_polls_total", **PRODUCTION, answer="unavailable") == 1
    assert value(text, "controlplane_polls_total", **PRODUCTION, answer="fallback") == 1


def test_jobs_are_counted_from_submit_to_end(as_ana, project, committed):
    first, second = JobFactory(project=project), JobFactory(project=project)
    Job.objects.update(created_at=timezone.now() - timedelta(seconds=20))
    text = told(as_ana)
    assert value(text, "controlplane_jobs", **TRAINING, status="queued") == 2
    assert 20 <= value(text, "controlplane_jobs_oldest_queued_seconds", **TRAINING) < 60
    assert value(text, "controlplane_jobs_startable", **TRAINING) == 1
    with committed():
        run = queue.claim(first.pk, worker="here")
    assert run == first
    text = told(as_ana)
    assert value(text, "controlplane_jobs", **TRAINING, status="queued") == 1
    assert value(text, "controlplane_jobs", **TRAINING, status="running") == 1
    assert value(text, "controlplane_jobs_started_total", **TRAINING) == 1
    assert value(text, "controlplane_job_wait_seconds_count", **TRAINING) == 1
    assert 20 <= value(text, "controlplane_job_wait_seconds_sum", **TRAINING) < 60
    Job.objects.filter(pk=run.pk).update(started_at=timezone.now() - timedelta(seconds=90))
    with committed():
        jobs.succeed(job=run)
        jobs.cancel(job=second, by=Actor(user=administrator("ana"), via=API))
    text = told(as_ana)
    ends = parsed(text)["controlplane_jobs_finished_total"]
    assert {
        dict(labels)["status"]: number for labels, number in ends.items() if dict(labels)["kind"] == "training"
    } == {
        "succeeded": 1,
        "failed": 0,
        "errored": 0,
        "cancelled": 1,
    }
    assert value(text, "controlplane_job_duration_seconds_count", **TRAINING) == 1
    assert value(text, "controlplane_job_duration_seconds_bucket", **TRAINING, le="60") == 0
    assert value(text, "controlplane_job_duration_seconds_bucket", **TRAINING, le="120") == 1
    assert value(text, "controlplane_jobs_oldest_queued_seconds", **TRAINING) == 0


def test_a_job_that_waits_for_its_server_lacks_more_than_a_worker(as_ana, project, worker):
    JobFactory(project=project, status="running", environment=worker)
    JobFactory(project=project)
    text = told(as_ana)
    assert value(text, "controlplane_jobs", **TRAINING, status="queued") == 1
    assert value(text, "controlplane_jobs_startable", **TRAINING) == 0


def test_a_step_that_nobody_does_is_overdue(as_ana, production):
    now = timezone.now()
    for step in STEPS:
        slots.claim(step, now=now, next_at=now + timedelta(seconds=10))
    Slot.objects.filter(name="look-for-trouble").update(due_at=now - timedelta(seconds=100))
    slots.lock("claim-training")
    overdue = parsed(told(as_ana))["controlplane_step_overdue_seconds"]
    assert {dict(labels)["step"] for labels in overdue} == set(STEPS)
    assert 100 <= overdue.pop(frozenset({("step", "look-for-trouble")})) < 130
    assert set(overdue.values()) == {0}


def test_processes_are_those_that_were_heard_of_lately(as_ana, production):
    now = timezone.now()
    for name, part, seen_at in (
        ("a", fitness.WEB, now),
        ("b", fitness.WEB, now),
        ("c", fitness.WEB, now - timedelta(minutes=1)),
        ("d", fitness.WORKER, now - timedelta(minutes=1)),
    ):
        Instance.objects.create(name=name, part=part, host="here", seen_at=seen_at)
    text = told(as_ana)
    assert {part: value(text, "controlplane_processes", part=part) for part in PARTS} == {"web": 2, "worker": 0}


def test_the_parts_are_those_that_are_noted():
    assert PARTS == (fitness.WEB, fitness.WORKER)


def test_the_steps_are_steps_that_workers_claim():
    """A name that nobody claims would never be there, and an alert on it would never fire."""
    sources = [path.read_text() for folder in ("workers", "environments") for path in (ROOT / folder).rglob("*.py")]
    claimed = [step for step in STEPS if any(f'slots.claim("{step}"' in source for source in sources)]
    assert claimed == list(STEPS)


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("get", "/healthz", "probe", "2xx"),
        ("get", "/api/v1/models/", "api", "2xx"),
        ("get", "/api/v1/models/none/", "api", "4xx"),
        ("get", "/api/v1/environments/?wait=1", "wait", "2xx"),
        ("get", "/api/projects/default/models", "rasa_x", "2xx"),
        ("post", "/api/projects/default/models", "upload", "4xx"),
        ("post", "/api/conversations/me/messages", "chat", "4xx"),
        ("get", "/sign-in/", "page", "2xx"),
        ("get", "/", "page", "3xx"),
        ("get", "/static/nothing.css", "static", "4xx"),
    ],
)
def test_requests_are_counted_by_class_and_status(as_ana, production, method, path, route, status):
    content_type = "multipart/form-data; boundary=x" if route == "upload" else "application/json"
    as_ana.generic(method.upper(), path, data="{}", content_type=content_type)
    text = told(as_ana)
    counted = parsed(text)["controlplane_requests_total"]
    assert {labels for labels, number in counted.items() if number} == {
        frozenset({("route", route), ("status", status)})
    }
    assert value(text, "controlplane_request_duration_seconds_count", route=route) == 1
    assert 0 < value(text, "controlplane_request_duration_seconds_sum", route=route) < 30


def test_a_crash_is_counted_as_one(as_ana, production, monkeypatch):
    as_ana.raise_request_exception = False
    monkeypatch.setattr("environments.api.v1.me.roles_of", None)
    assert as_ana.get("/api/v1/me/").status_code == 500
    assert value(told(as_ana), "controlplane_requests_total", route="api", status="5xx") == 1


def test_a_refused_poll_is_a_request_of_a_server_and_no_poll_of_an_environment(as_ana, production, server):
    refused = server.get("/api/projects/default/models/tags/experimental", headers={"If-None-Match": "1" * 32})
    assert refused.status_code == 403
    text = told(as_ana)
    assert value(text, "controlplane_requests_total", route="poll", status="4xx") == 1
    assert sum(parsed(text)["controlplane_polls_total"].values()) == 0


# Who may


def test_a_session_is_no_token(client, ana, production):
    client.force_login(ana)
    response = client.get("/metrics")
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, 'Bearer realm="controlplane"')
    assert response.headers["Content-Type"] == "application/problem+json"


def test_without_environments_read_anywhere_the_grant_is_named(project, production):
    user = UserFactory(username="reader")
    give(user, project, "models.read")
    response = client_of(user).get("/metrics")
    assert (response.status_code, response.json()["grant"]) == (403, "environments.read")


def test_each_sees_the_projects_and_kinds_of_jobs_that_they_may_read(project, production):
    banking = ProjectFactory(name="banking")
    EnvironmentFactory(project=banking, name="production", url="http://bank:5005")
    user = UserFactory(username="banker")
    give(user, banking, "environments.read", "evaluations.read")
    text = told(client_of(user))
    assert {dict(labels)["project"] for labels in parsed(text)["controlplane_environment_sync"]} == {"banking"}
    assert {dict(labels)["kind"] for labels in parsed(text)["controlplane_jobs"]} == {"evaluation", "check"}
    assert "controlplane_requests_total" not in text
    assert "controlplane_step_overdue_seconds" not in text


def test_what_is_of_the_installation_needs_settings_read_in_the_default_project(project, production):
    user = UserFactory(username="prometheus")
    give(user, project, "environments.read", "settings.read")
    text = told(client_of(user))
    assert "controlplane_requests_total" in text
    assert "controlplane_jobs_total" not in parsed(text)


def test_a_narrowed_token_narrows(ana, production):
    _, secret = api_tokens.create(
        user=ana, name="prometheus", by=Actor(user=ana, via=API), grants=frozenset({"environments.read"})
    )
    text = told(Client(headers={"authorization": f"Bearer {secret}"}))
    assert "controlplane_environment_sync" in text
    assert "controlplane_requests_total" not in text
    assert not parsed(text).get("controlplane_jobs")


# What it costs


def queries(client):
    told(client)
    with CaptureQueriesContext(connection) as captured:
        told(client)
    return [query["sql"] for query in captured]


def history(project, production, model):
    now = timezone.now()
    finished = {"status": PromotionStatus.SUCCEEDED, "origin": "api", "created_at": now, "finished_at": now}
    Promotion.objects.bulk_create(
        Promotion(environment=production, model=model if number % 2 else None, **finished) for number in range(300)
    )
    JobFactory.create_batch(3, project=project, status=JobStatus.SUCCEEDED, started_at=now, finished_at=now)
    template = JobFactory(project=project, status=JobStatus.SUCCEEDED, started_at=now, finished_at=now)
    fields = {"kind": JobKind.TRAINING, "status": JobStatus.SUCCEEDED, "started_at": now, "finished_at": now}
    Job.objects.bulk_create(Job(project=project, bundle=template.bundle, **fields) for _ in range(300))
    newest = Promotion.objects.filter(model=model).first()
    Proof.objects.bulk_create(
        Proof(environment=production, replica=f"r-{number}", model=model, promotion=newest, first_at=now, proved_at=now)
        for number in range(300)
    )


def test_as_many_queries_with_much_history_and_many_environments_as_with_none(as_ana, project, production, otter):
    few = queries(as_ana)
    history(project, production, otter)
    for number in range(20):
        EnvironmentFactory(project=project, name=f"place-{number}", url=f"http://place-{number}:5005")
        TrainedModelFactory(project=project)
    many = queries(as_ana)
    assert len(many) == len(few) <= 30
    assert not [statement for statement in many if "environments_proof" in statement]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite plans otherwise")
def test_on_postgresql_no_query_reads_history_row_by_row(as_ana, project, production, otter):
    """Without tables of a size that pays, planners scan; forbidden to, they show whether an index fits at all."""
    history(project, production, otter)
    JobFactory(project=project)
    statements = [statement for statement in queries(as_ana) if statement.startswith("SELECT")]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement in statements:
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan on environments_promotion" not in plan, (statement, plan)
            assert "Seq Scan on environments_job" not in plan, (statement, plan)


def test_a_poll_that_changes_nothing_writes_nothing_for_its_count(by_ana, production, stored_model, server):
    otter = stored_model("brisk-otter")
    promotions.promote(environment=production, model=otter, by=by_ana)
    poll(server, "1" * 32)
    poll(server, f'"{otter.hash}"')
    with CaptureQueriesContext(connection) as captured:
        poll(server, f'"{otter.hash}"')
    assert [query["sql"] for query in captured if not query["sql"].startswith("\n    SELECT")] == []
