"""Keeping the stores clean: leftovers go, damage is told."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from celery import shared_task
from django.utils import timezone

from accounts.actor import JOB, system
from environments import stores
from environments.actions import slots, trained_models
from environments.clients.storage import Storage
from environments.models import Bundle, TrainedModel

logger = logging.getLogger(__name__)

# Longer than any transaction between a file's commit and its row's.
LEFTOVER_AGE = timedelta(hours=1)


SWEEP_EVERY = timedelta(minutes=10)
# Of each night, UTC: a scrub reads every archive.
SCRUB_AT = time(3, 17)


@shared_task(name="workers.sweep")
def sweep_if_due() -> None:
    now = timezone.now()
    if slots.claim("sweep", now=now, next_at=now + SWEEP_EVERY):
        sweep()


@shared_task(name="workers.scrub")
def scrub_if_due() -> None:
    now = timezone.now()
    tonight = datetime.combine(now, SCRUB_AT, tzinfo=UTC)
    if slots.claim("scrub", now=now, next_at=tonight if now < tonight else tonight + timedelta(days=1)):
        scrub()


def sweep(older_than: timedelta = LEFTOVER_AGE) -> int:
    """Remove what uploads left behind, and the bytes of deleted models. How many files it were."""
    models, bundles = TrainedModel.objects.present(), Bundle.objects.all()
    swept = _sweep(stores.models(), models.values_list("hash", flat=True), TrainedModel, older_than)
    swept += _sweep(stores.bundles(), bundles.values_list("hash", flat=True), Bundle, older_than)
    if swept:
        logger.info("%d files of uploads that broke off or models that were deleted were swept", swept)
    return swept


def _sweep(store: Storage, named: Iterable[str], rows: type[TrainedModel | Bundle], older_than: timedelta) -> int:
    # A database without any row is a new one, or not the one that belongs to this folder: its files are no leftovers.
    keep = set(named) if rows._default_manager.exists() else set(store.hashes())
    return store.sweep(keep, older_than)


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
