"""A model comes in: read once, stored, registered, tagged and promoted, or nothing of it kept."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.conf import settings
from django.db import transaction

from accounts.actor import Actor
from accounts.models import Project
from environments import archives, errors, names, stores
from environments.actions import tags as tag_actions
from environments.actions import trained_models
from environments.actions.trained_models import REFUSE, OnConflict, Registered
from environments.clients import storage
from environments.models import Bundle, Job

Received = Registered


def limits() -> archives.Limits:
    return archives.Limits(
        packed=settings.MAX_MODEL_BYTES,
        unpacked=settings.MAX_MODEL_UNPACKED_BYTES,
        members=settings.MAX_MODEL_ENTRIES,
        metadata=settings.MAX_METADATA_BYTES,
    )


def check_can_receive(
    *, project: Project, name: str | None, by: Actor, tags: Sequence[str] = (), job: Job | None = None
) -> None:
    """Refuse what can be refused before the first byte is read."""
    trained_models.check_can_register(by, project, job)
    if name is not None:
        names.check_model_name(name)
    for tag in tags:
        tag_actions.check_can_put(project=project, tag=tag, by=by)


def receive_model(
    *,
    project: Project,
    name: str | None,
    stream: archives.Readable,
    by: Actor,
    tags: Sequence[str] = (),
    on_conflict: OnConflict = REFUSE,
    job: Job | None = None,
    bundle: Bundle | None = None,
) -> Received:
    """Take in the archive that `stream` gives (or a zip, repacked); `name` None: it gets one like Rasa's.

    Bytes, row, tags and promotions are one transaction: any refusal keeps nothing. A process that dies on the way
    leaves at most a file that no row names, which the sweep removes.
    """
    check_can_receive(project=project, name=name, by=by, tags=tags, job=job)
    with full_storage_told(), stores.models().receive() as incoming:
        inspected = archives.inspect(stream, incoming, limits(), _spool())
        # Outside the transaction: a large file may take seconds.
        incoming.sync()
        with transaction.atomic():
            received = trained_models.register(
                project=project,
                name=name,
                inspected=inspected,
                by=by,
                on_conflict=on_conflict,
                job=job,
                bundle=bundle,
            )
            for tag in tags:
                tag_actions.put(project=project, tag=tag, model=received.model, by=by)
            # Also where the model was there: the file is new, whatever became of the old one.
            incoming.commit(inspected.hash)
    return received


def _spool() -> Path:
    folder = Path(settings.CONTROLPLANE_HOME) / "spool"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def full_storage_told() -> Iterator[None]:
    """Turn a full store into a refusal that says so."""
    try:
        with storage.full_disk_told():
            yield
    except storage.StorageFull as full:
        raise errors.StorageFull(
            "There is no space left for archives. Delete models that nothing needs, or enlarge the storage; then "
            "repeat the upload."
        ) from full
