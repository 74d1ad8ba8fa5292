"""The runtime that this installation has chosen (`TRAINING_RUNTIME`), and whether it works on this machine."""

import os
from pathlib import Path

from django.conf import settings

from environments.actions import trainings
from environments.clients.docker.runs import Runs, Wanted
from environments.clients.rasa import RasaClient
from environments.errors import TrainingUnavailable
from environments.models import Job
from workers import machine_accounts
from workers.machine_accounts import Account
from workers.runtimes import RasaRuntime, containers, workspaces
from workers.runtimes.command import CommandRuntime
from workers.runtimes.container import ContainerRuntime
from workers.runtimes.server import ServerRuntime

# Where another user than the control plane's gets through to its own folders, whatever the home is.
FOLDER_OF_OTHERS = Path("/var/tmp/rasa-control-plane")  # noqa: S108  # made and checked by `workspaces.prepare`


def runtime_for(job: Job) -> RasaRuntime:
    if settings.TRAINING_RUNTIME == "command":
        return command()
    if settings.TRAINING_RUNTIME == "container":
        return container(job)
    environment = job.environment or trainings.training_environment(job.project)
    client = RasaClient(environment.url, environment.rasa_token)
    patience, timeout = settings.TRAINING_PATIENCE, settings.TRAINING_TIMEOUT
    if job.attempts > 1:
        # A server whose caller was killed answers nothing until it has ended what it was at.
        patience = max(patience, timeout / 2)
    return ServerRuntime(environment.name, client, timeout, patience, alone=environment.replicas == 1)


def command() -> CommandRuntime:
    try:
        account = machine_accounts.chosen(settings.TRAINING_USER)
    except machine_accounts.NoAccount as error:
        raise TrainingUnavailable(f"{error} TRAINING_USER names who runs Rasa.") from error
    return CommandRuntime(
        Path(settings.RASA_COMMAND),
        folder(account),
        account,
        settings.TRAINING_MEMORY_BYTES,
        _passed_on(),
        settings.TRAINING_VALIDATES,
    )


def container(job: Job) -> ContainerRuntime:
    wanted = Wanted(
        image=settings.TRAINING_IMAGE,
        entrypoint="rasa",
        labels=containers.labels(job),
        memory=settings.TRAINING_MEMORY_BYTES,
        cpus=settings.TRAINING_CPUS,
        processes=settings.TRAINING_PROCESSES,
        network=settings.TRAINING_NETWORK,
    )
    runs = Runs(settings.CONTROLPLANE_DOCKER_URL)
    # An earlier run of this job, whose worker was killed, may still be at work.
    containers.sweep(runs)
    return ContainerRuntime(
        runs,
        wanted,
        folder(None),
        settings.MAX_MODEL_BYTES,
        _passed_on(),
        settings.TRAINING_VALIDATES,
    )


def _passed_on() -> dict[str, str]:
    return {name: os.environ[name] for name in settings.TRAINING_VARIABLES if name in os.environ}


def folder(account: Account | None) -> Path:
    if settings.TRAINING_FOLDER:
        return Path(settings.TRAINING_FOLDER).absolute()
    return Path(settings.CONTROLPLANE_HOME) / "training" if account is None else FOLDER_OF_OTHERS


def sweep() -> int:
    """Remove what killed workers left on this machine, or on the engine; how many folders or containers it were."""
    if settings.TRAINING_RUNTIME == "container":
        return containers.sweep(Runs(settings.CONTROLPLANE_DOCKER_URL))
    if settings.TRAINING_RUNTIME != "command":
        return 0
    try:
        return workspaces.sweep(folder(machine_accounts.chosen(settings.TRAINING_USER)))
    except machine_accounts.NoAccount:
        return 0
