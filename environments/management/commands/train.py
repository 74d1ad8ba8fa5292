"""`manage.py train`: train the Rasa project in a folder."""

import io
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actor import COMMAND, Actor
from accounts.models import Project, User
from accounts.problems import Problem
from environments import packing
from environments.actions import trainings
from environments.models import Job
from environments.receiving import receive_bundle
from environments.states import ACTIVE_JOBS, JobStatus

LOOK_EVERY = 0.2


class Command(BaseCommand):
    help = "Pack a Rasa project, send it as a bundle and train it on the training environment's server."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="where the project's config.yml is")
        parser.add_argument("--wait", action="store_true", help="until the training has ended; fail if it did")
        parser.add_argument("--project", default="default")
        parser.add_argument("--name", default="", help="of the model; without it Rasa names it")
        parser.add_argument("--tag", action="append", default=[], help="to put on the model; may be repeated")
        parser.add_argument("--config", type=Path, help="a config.yml to use in place of the project's own")
        parser.add_argument("--by", default="admin", metavar="USERNAME", help="who trains, held to their permissions")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            job = self._submit(options)
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        self.stdout.write(f"job {job.pk}: bundle {job.bundle}, queued")
        if options["wait"]:
            self._watch(job)

    def _submit(self, options: dict[str, Any]) -> Job:
        by, project, folder = _actor(options["by"]), _project(options["project"]), options["folder"]
        if not folder.is_dir():
            raise CommandError(f"There is no folder {folder}.")
        config = options["config"]
        try:
            packed, chosen = packing.pack(folder), config.read_text() if config else ""
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"The project cannot be read: {error}.") from error
        bundle = receive_bundle(project=project, stream=io.BytesIO(packed), by=by).bundle
        return trainings.submit(
            project=project, by=by, bundle=bundle, config=chosen, model_name=options["name"], tags=options["tag"]
        )

    def _watch(self, job: Job) -> None:
        """Each new step on a line of its own, then how it ended."""
        began, shown = time.monotonic(), ""
        while True:
            job.refresh_from_db()
            if job.status not in ACTIVE_JOBS:
                break
            if job.step and job.step != shown:
                shown = job.step
                self.stdout.write(f"{time.monotonic() - began:7.1f} s  {shown}")
            time.sleep(LOOK_EVERY)
        if job.status != JobStatus.SUCCEEDED:
            raise CommandError(f"job {job.pk} {job.status}: {job.error_detail}")
        name = job.result.name if job.result else "a model deleted since"
        self.stdout.write(f"{time.monotonic() - began:7.1f} s  trained {name}")


def _actor(username: str) -> Actor:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active user {username}. Name one with --by.")
    return Actor(user=user, via=COMMAND)


def _project(name: str) -> Project:
    project = Project.objects.filter(name=name).first()
    if project is None:
        raise CommandError(f"There is no project {name}.")
    return project
