"""The web process's own clock: writes heartbeats in batches, notes that polls are heard, settles promotions and
takes back jobs whose worker was lost.

One daemon thread in each web process. `Listening` tells every other process whether silence means anything.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import DatabaseError, close_old_connections, transaction
from django.utils import timezone

from environments.actions import jobs
from environments.models import Listening
from environments.serving import ledger, settling, traffic

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
# A longer gap between two rounds is a restart: silence before it means nothing.
GAP = timedelta(seconds=3)


@transaction.atomic
def note(now: datetime) -> None:
    """Polls are heard now. After a gap the time without one begins anew, as it does after a clock that was ahead."""
    row = Listening.objects.select_for_update().order_by("pk").first()
    if row is None:
        Listening.objects.create(since=now, until=now)
        return
    row.since = row.since if row.since <= now and abs(now - row.until) <= GAP else now
    row.until = now
    row.save(update_fields=["since", "until"])


def tick(now: datetime) -> None:
    """One round of the clock."""
    ledger.flush()
    note(now)
    settling.settle_all(now)
    jobs.look_for_lost(now)


def _run(stop: threading.Event, may: Callable[[], bool]) -> None:
    while not stop.wait(EVERY_SECONDS):
        try:
            traffic.publish_if_due()
            if may():
                tick(timezone.now())
        except Exception:
            logger.exception("Heartbeats could not be written; trying again in %s s.", EVERY_SECONDS)
        finally:
            close_old_connections()


def start(*, may: Callable[[], bool] = lambda: True) -> threading.Event:
    """Start the clock of this process, before it answers anybody; set the event to stop it. It stands while the
    process may not work."""
    try:
        # What was claimed before a restart is claimed no more, from the first answer on.
        if may():
            note(timezone.now())
    except DatabaseError:
        logger.warning("The database cannot be reached yet.")
    finally:
        close_old_connections()
    stop = threading.Event()
    threading.Thread(target=_run, args=(stop, may), name="listening", daemon=True).start()
    return stop
