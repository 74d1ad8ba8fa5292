"""The Celery application. Importing `controlplane` configures it, so no task goes to an unconfigured one."""

import os
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings

from accounts import scrubbing
from controlplane import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

LEFTOVER_AGE = timedelta(minutes=5)

app = Celery("controlplane")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["workers"])
# Once Django is set up, for it needs models.
app.autodiscover_tasks(["controlplane"], related_name="worker_start")


@app.task(name="controlplane.clear_broker")
def clear_broker() -> None:
    """Remove what killed processes left in the embedded broker; another broker's folder is not there."""
    broker.clear_leftovers(settings.BROKER_FOLDER, LEFTOVER_AGE)


@setup_logging.connect
def keep_logging(**kwargs: Any) -> None:
    """Workers and beat log as settings say: Celery configures nothing where this signal has a receiver."""
    scrubbing.hook_exceptions()
