"""Before a restored installation starts: it is frozen, and nothing of the backup goes on by itself."""

import io

import pytest
from django.utils import timezone

from accounts.actor import COMMAND, system
from accounts.models import AuditEvent
from accounts.problems import Problem
from environments import errors
from environments.actions import freezes, pipeline_runs, pipeline_schedules, restores
from environments.models import Environment, Job, Pipeline, PipelineRun, PipelineStep
from environments.receiving import receive_bundle
from environments.states import Trigger
from tests import pipelines
from tests.factories import DeliveryFactory, JobFactory
from tests.projects import zipped
from workers.tasks import retention as retention_tasks
from workers.tasks import storage as storage_tasks

AS_OF = "2026-02-03T04:05:06.000007+00:00"


def take_over():
    restores.take_over(made_at=AS_OF, by=system(COMMAND))


@pytest.fixture
def pipeline(project, production, by_ana, sent):
    return pipelines.declare(project, by_ana, promote="production", on={"upload": True})


def test_every_environment_is_frozen_as_of_the_backup_but_those_that_follow_another(production, experimental, worker):
    take_over()
    assert {str(each): each.frozen_as_of and each.frozen_as_of.isoformat() for each in Environment.objects.all()} == {
        "production": AS_OF,
        "experimental": AS_OF,
        "worker": None,
    }
    event = AuditEvent.objects.get(action="installation.restore")
    assert (event.after["backup_of"], event.after["frozen"]) == (AS_OF, ["production", "experimental"])


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_job_that_had_not_ended_is_not_run_again(project, ana, bundle, status):
    lease = timezone.now() if status == "running" else None
    job = JobFactory(project=project, by=ana, bundle=bundle, status=status, lease_until=lease)
    take_over()
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("errored", "restored-from-backup")
    assert "2026-02-03 04:05 UTC" in job.error_detail


def test_runs_of_pipelines_end_with_their_steps(pipeline, by_ana):
    run = pipelines.start(pipeline, by_ana)
    take_over()
    run.refresh_from_db()
    assert (run.status, run.error_code) == ("errored", "restored-from-backup")
    assert not PipelineStep.objects.filter(status__in=["waiting", "running"]).exists()


def test_notifications_that_waited_are_not_sent(project):
    delivery = DeliveryFactory(webhook__project=project)
    take_over()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.next_at) == ("failed", None)


def test_no_pipeline_runs_before_it_is_decided(pipeline, production, by_ana, project):
    take_over()
    with pytest.raises(errors.EnvironmentFrozen):
        pipeline_runs.start(pipeline=pipeline, trigger=Trigger.HAND, by=by_ana)
    assert isinstance(pipeline_runs.why_not_by_hand(pipeline, by_ana), Problem)
    receive_bundle(project=project, stream=io.BytesIO(zipped()), by=by_ana)
    due = timezone.now()
    Pipeline.objects.update(due_at=due)
    assert pipeline_schedules.start_due(timezone.now()) == 0
    assert Pipeline.objects.get().due_at == due
    assert not PipelineRun.objects.exists()
    Environment.objects.update(frozen_at=None)
    assert pipeline_runs.start(pipeline=pipeline, trigger=Trigger.HAND, by=by_ana)


def test_a_move_leaves_everything_as_it_was(production, project, ana, bundle):
    job = JobFactory(project=project, by=ana, bundle=bundle)
    restores.move(made_at=AS_OF, by=system(COMMAND))
    assert Job.objects.get(pk=job.pk).status == "queued"
    assert not Environment.objects.frozen().exists()
    assert AuditEvent.objects.filter(action="installation.move").exists()


def test_neither_retention_nor_the_sweep_removes_anything_before(production, monkeypatch):
    done = []
    monkeypatch.setattr(retention_tasks.retention, "apply", lambda **_: done.append("retention"))
    monkeypatch.setattr(storage_tasks, "sweep", lambda: done.append("sweep"))
    retention_tasks.Retention.objects.create(project=production.project, enabled=True, keep_models=1)
    freezes.freeze_all(as_of=timezone.now(), now=timezone.now())
    for tick in (True, False):
        retention_tasks.slots.Slot.objects.all().delete()
        retention_tasks.apply_if_due()
        storage_tasks.sweep_if_due()
        assert done == ([] if tick else ["retention", "sweep"])
        Environment.objects.update(frozen_at=None)
