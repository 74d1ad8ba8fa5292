"""Keeping the stores clean: leftovers go, damage is told."""

import logging
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from celery import shared_task
from django.utils import timezone

from accounts.actor import JOB, system
from environments import receiving, stores
from environments.actions import slots, trained_models
from environments.clients.git import credentials
from environments.clients.storage import Storage
from environments.models import Bundle, Environment, TrainedModel
from workers.long_tasks import one_at_a_time
from workers.runtimes import chosen
from workers.tasks.fetching import PREFIX

logger = logging.getLogger(__name__)

# Longer than any transaction between a file's commit and its row's.
LEFTOVER_AGE = timedelta(hours=1)


SWEEP_EVERY = timedelta(minutes=10)
# Of each night, UTC: a scrub reads every archive.
SCRUB_AT = time(3, 17)
DAY = timedelta(days=1)


@shared_task(name="workers.sweep")
@one_at_a_time
def sweep_if_due() -> None:
    now = timezone.now()
    if slots.claim("sweep", now=now, next_at=now + SWEEP_EVERY):
        # What was uploaded after a backup may lie there yet, and is wanted again.
        if not Environment.objects.frozen().exists():
            sweep()
        chosen.sweep()


@shared_task(name="workers.scrub")
@one_at_a_time
def scrub_if_due() -> None:
    now = timezone.now()
    tonight = datetime.combine(now, SCRUB_AT, tzinfo=UTC)
    if slots.claim("scrub", now=now, next_at=tonight if now < tonight else tonight + DAY, every=DAY):
        scrub()


def sweep(older_than: timedelta = LEFTOVER_AGE) -> int:
    """Remove what uploads left behind, and the bytes of deleted models and removed bundles. How many files it were."""
    models, bundles = TrainedModel.objects.present(), Bundle.objects.filter(removed_at=None)
    swept = _sweep(stores.models(), models.values_list("hash", flat=True), TrainedModel, older_than)
    swept += _sweep(stores.bundles(), bundles.values_list("hash", flat=True), Bundle, older_than)
    sweep_fetches(older_than)
    if swept:
        logger.info("%d files of uploads that broke off, deleted models and removed bundles were swept", swept)
    return swept


def sweep_fetches(older_than: timedelta = LEFTOVER_AGE) -> int:
    """Remove what killed fetches left behind: their folders, and their credentials in memory. How many it were."""
    before = (timezone.now() - older_than).timestamp()
    left = [folder for folder in receiving.spool().glob(f"{PREFIX}*") if folder.lstat().st_mtime < before]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    return len(left) + credentials.sweep(before)


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
