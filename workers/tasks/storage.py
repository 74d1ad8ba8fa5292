"""Keeping the stores clean: leftovers go, damage is told."""

import logging
from collections.abc import Iterable
from datetime import timedelta

from celery import shared_task

from accounts.actor import JOB, system
from environments import stores
from environments.actions import trained_models
from environments.clients.storage import Storage
from environments.models import Bundle, TrainedModel

logger = logging.getLogger(__name__)

# Longer than any transaction between a file's commit and its row's.
LEFTOVER_AGE = timedelta(hours=1)


@shared_task(name="workers.sweep")
def sweep() -> int:
    """Remove what uploads left behind, and the bytes of deleted models. How many files it were."""
    swept = _sweep(stores.models(), TrainedModel.objects.present().values_list("hash", flat=True), TrainedModel)
    swept += _sweep(stores.bundles(), Bundle.objects.values_list("hash", flat=True), Bundle)
    if swept:
        logger.info("%d files of uploads that broke off or models that were deleted were swept", swept)
    return swept


def _sweep(store: Storage, named: Iterable[str], rows: type[TrainedModel | Bundle]) -> int:
    # A database without any row is a new one, or not the one that belongs to this folder: its files are no leftovers.
    keep = set(named) if rows._default_manager.exists() else set(store.hashes())
    return store.sweep(keep, LEFTOVER_AGE)


@shared_task(name="workers.scrub")
def scrub() -> int:
    """Read every archive again and mark the models whose bytes are damaged or gone. How many are newly so."""
    store = stores.models()
    expected = set(TrainedModel.objects.present().values_list("hash", flat=True))
    stored = set(store.hashes())
    if expected and not stored:
        # A folder that is not mounted comes back; a mark on every model would stay.
        logger.error("not one of %d archives is in the storage: is its folder mounted?", len(expected))
        return 0
    return sum(_tell(sha256) for sha256 in [*store.scrub(), *sorted(expected - stored)])


def _tell(sha256: str) -> int:
    models = TrainedModel.objects.present().select_related("project").filter(hash=sha256)
    found = [model for model in models if trained_models.mark_damaged(model=model, by=system(JOB))]
    for model in found:
        logger.error("the stored archive of %s in project %s is damaged", model.name, model.project.name)
    return len(found)
