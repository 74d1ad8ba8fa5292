"""Beat's scheduler: Celery's own, which also says that it is alive."""

from pathlib import Path
from typing import Any

from celery.beat import Scheduler as InMemory
from django.conf import settings


class Scheduler(InMemory):  # type: ignore[misc]  # it has no types
    """Touches `BEAT_TICKS_FILE` after each step. A step ends only when the broker took its messages."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        pause = super().tick(*args, **kwargs)
        if settings.BEAT_TICKS_FILE:
            Path(settings.BEAT_TICKS_FILE).touch()
        return pause
