"""The stores there are: folders under `CONTROLPLANE_HOME`. A setting that changes, as in tests, is followed."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from environments.clients.storage import DiskStorage, Storage


@lru_cache(maxsize=16)
def _disk(folder: Path) -> DiskStorage:
    # One per folder: it remembers which files it has verified.
    return DiskStorage(folder)


def models() -> Storage:
    """The archives of trained models."""
    return _disk(Path(settings.CONTROLPLANE_HOME) / "archives")


def bundles() -> Storage:
    """What models are trained from."""
    return _disk(Path(settings.CONTROLPLANE_HOME) / "bundles")
