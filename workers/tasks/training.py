"""Training jobs: claim one, train its bundle, take the model in as its submitter."""

from celery import shared_task
from django.db import close_old_connections

from environments import names, stored_bundles
from environments.actions import jobs
from environments.errors import InvalidName
from environments.models import Job
from environments.receiving import receive_model
from workers.runtimes import Archive, chosen
from workers.tasks import running
from workers.watching import Watch


@shared_task(name="workers.train")
def train(job_id: int) -> None:
    """Run one training job, if it still waits to be run."""
    running.run(job_id, _train)


def _train(job: Job, watch: Watch) -> None:
    by = jobs.actor(job)
    watch.step("reading the bundle")
    project = stored_bundles.project_of(job.bundle)
    with chosen.runtime_for(job).train(project, job.config, watch) as archive:
        # A connection that was idle while Rasa trained may have been cut; an open one is kept.
        close_old_connections()
        watch.step("storing the model")
        receive_model(
            project=job.project,
            name=job.model_name or _name_of(archive, job),
            stream=archive,
            by=by,
            tags=job.tags,
            # A name of Rasa's making may be there already; nobody waits to be asked for another.
            on_conflict="refuse" if job.model_name else "suffix",
            job=job,
            bundle=job.bundle,
        )


def _name_of(archive: Archive, job: Job) -> str:
    """Rasa's own name for the model, or one like it where it gave none that can be used."""
    name = archive.filename.removesuffix(names.ARCHIVE_SUFFIX)
    try:
        names.check_model_name(name)
    except InvalidName:
        return f"{job.started_at:%Y%m%d-%H%M%S}-job-{job.pk}"
    return name
