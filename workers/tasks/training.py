"""Training jobs: claim one, train its bundle, take the model in as its submitter."""

import logging
import os
import socket

from celery import shared_task
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections

from accounts.problems import Problem
from environments import bundles, names, stores
from environments.actions import jobs
from environments.actions.bundles import limits
from environments.clients.rasa import RasaClient
from environments.clients.storage import StorageDamaged, StorageMissing
from environments.errors import BundleDamaged, InvalidName
from environments.models import Bundle, Job
from environments.receiving import receive_model
from workers import leases
from workers.runtimes import Archive, RasaRuntime
from workers.runtimes.server import ServerRuntime

logger = logging.getLogger(__name__)


@shared_task(name="workers.train")
def train(job_id: int) -> None:
    """Run one training job, if it still waits to be run."""
    job = jobs.claim(job_id, worker=f"{socket.gethostname()}:{os.getpid()}")
    if job is None:
        return
    try:
        with leases.kept(job):
            _train(job)
    except jobs.RunLost:
        logger.warning("a run of job %s was taken for lost; what it made is dropped", job.pk)
    except (OperationalError, InterfaceError):
        # The row keeps saying that it runs, until its lease is over and it is queued again.
        logger.warning("the database went away under job %s; it will be run again", job.pk, exc_info=True)
    except Problem as problem:
        logger.info("job %s did not succeed: %s", job.pk, problem.detail)
        jobs.stop(job=job, problem=problem)
    except Exception:
        logger.exception("job %s met a fault", job.pk)
        jobs.crash(job=job)


def runtime_for(job: Job) -> RasaRuntime:
    environment = jobs.training_environment(job.project)
    client = RasaClient(environment.url, environment.rasa_token)
    return ServerRuntime(environment.name, client, settings.TRAINING_TIMEOUT, settings.TRAINING_PATIENCE)


def _train(job: Job) -> None:
    by = jobs.actor(job)
    jobs.note(job=job, step="reading the bundle")
    project = _read(job.bundle)
    with runtime_for(job).train(project, job.config, lambda step: jobs.note(job=job, step=step)) as archive:
        # A connection that was idle while Rasa trained may have been cut; an open one is kept.
        close_old_connections()
        jobs.note(job=job, step="storing the model")
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


def _read(bundle: Bundle | None) -> bundles.Project:
    try:
        if bundle is None:
            raise StorageMissing("the job names none")
        with stores.bundles().open(bundle.hash) as file:
            return bundles.read(file, limits())
    except (StorageMissing, StorageDamaged) as error:
        raise BundleDamaged(
            "The stored bundle is damaged or gone. Send it again, then submit the job again."
        ) from error


def _name_of(archive: Archive, job: Job) -> str:
    """Rasa's own name for the model, or one like it where it gave none that can be used."""
    name = archive.filename.removesuffix(names.ARCHIVE_SUFFIX)
    try:
        names.check_model_name(name)
    except InvalidName:
        return f"{job.started_at:%Y%m%d-%H%M%S}-job-{job.pk}"
    return name
