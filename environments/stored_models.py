"""The archives of models as they are stored: read by whoever gets them, and called damaged where they are."""

import contextlib
from typing import BinaryIO

from django.db import DatabaseError

from accounts.actor import Actor
from environments import stores
from environments.actions import trained_models
from environments.clients.storage import StorageDamaged, StorageError
from environments.errors import ArchiveDamaged
from environments.models import TrainedModel


def opened(model: TrainedModel, *, by: Actor) -> BinaryIO:
    """Its archive, verified. Raises `ArchiveDamaged`, and notes it where the bytes are no longer what they were."""
    try:
        return stores.models().open(model.hash)
    except StorageDamaged as error:
        # While the database is away the next one who finds it damaged notes it.
        with contextlib.suppress(DatabaseError):
            trained_models.mark_damaged(model=model, by=by)
        raise damaged(model) from error
    except (StorageError, OSError) as error:
        # Not noted: a folder that is not mounted comes back.
        raise ArchiveDamaged(
            f"The stored archive of {model.name} cannot be read. Look at the storage, or upload the model again."
        ) from error


def damaged(model: TrainedModel) -> ArchiveDamaged:
    return ArchiveDamaged(f"The stored archive of {model.name} is damaged. Upload the same archive again.")
