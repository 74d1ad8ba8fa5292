"""A model or a bundle comes in: read, stored, registered, tagged and promoted, or nothing of it kept."""

import contextlib
import hashlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import transaction

from accounts.actor import Actor
from accounts.models import Project
from environments import archives, bundles, errors, names, stores
from environments.actions import bundles as bundle_actions
from environments.actions import jobs, trained_models
from environments.actions import tags as tag_actions
from environments.actions.bundles import UNKNOWN, Source
from environments.actions.trained_models import REFUSE, OnConflict, Registered
from environments.clients import storage
from environments.models import Bundle, Job

logger = logging.getLogger(__name__)

Received = Registered

PIECE = 256 * 1024


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

    Bytes, row, tags, promotions and the end of `job` are one transaction: any refusal keeps nothing. A process that
    dies on the way leaves at most a file that no row names, which the sweep removes.
    """
    check_can_receive(project=project, name=name, by=by, tags=tags, job=job)
    with full_storage_told(), stores.models().receive() as incoming:
        inspected = archives.inspect(stream, incoming, limits(), spool())
        # Outside the transaction: a large file may take seconds.
        incoming.sync()
        with transaction.atomic():
            # A large upload takes minutes, in which its maker may have lost the grant.
            by = by.anew()
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
            if job is not None:
                jobs.succeed(job=job, model=received.model)
            # Also where the model was there: the file is new, whatever became of the old one.
            incoming.commit(inspected.hash)
    return received


def receive_bundle(
    *, project: Project, stream: archives.Readable, by: Actor, source: Source = UNKNOWN, job: Job | None = None
) -> bundle_actions.Registered:
    """Take in the Rasa project that `stream` gives as a zip or tar.gz. The same bytes again are no conflict. A `job`
    that brought it ends in the same transaction.

    A zip is read from its end, so the bytes are kept aside in a file without a name until they are found valid.
    """
    bundle_actions.check_can_register(by, project, source)
    with full_storage_told(), tempfile.TemporaryFile(dir=spool()) as spooled:
        sha256, size = _copy(stream, spooled, settings.MAX_BUNDLE_BYTES)
        contents = bundles.read(spooled, bundle_actions.limits())
        spooled.seek(0)
        with stores.bundles().receive() as incoming:
            while piece := spooled.read(PIECE):
                incoming.write(piece)
            incoming.sync()
            with transaction.atomic():
                by = by.anew()
                received = bundle_actions.register(
                    project=project, contents=contents, sha256=sha256, size=size, by=by, source=source
                )
                if job is not None:
                    jobs.succeed(job=job, bundle=received.bundle)
                incoming.commit(sha256)
    return received


def _copy(stream: archives.Readable, into: BinaryIO, limit: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while piece := stream.read(PIECE):
        size += len(piece)
        if size > limit:
            raise errors.UploadTooLarge(f"A bundle has at most {limit} bytes. Leave large files out.", limit=limit)
        digest.update(piece)
        into.write(piece)
    return digest.hexdigest(), size


def spool() -> Path:
    folder = Path(settings.CONTROLPLANE_HOME) / "spool"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def full_storage_told() -> Iterator[None]:
    """Turn a store that is full, or cannot be written, into a refusal that says so."""
    try:
        with storage.full_disk_told():
            yield
    except storage.StorageFull as full:
        raise errors.StorageFull(
            "There is no space left for archives. Delete models that nothing needs, or enlarge the storage; then "
            "repeat the upload."
        ) from full
    except storage.StorageUnusable as unusable:
        logger.error("the storage cannot be written: %s", unusable)
        raise errors.StorageUnusable(
            f"The storage cannot be written now ({unusable}). Nothing was kept; repeat the upload when it can.",
            headers={"Retry-After": "60"},
        ) from unusable
