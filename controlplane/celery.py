"""The Celery application. Importing `controlplane` configures it, so no task goes to an unconfigured one."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

app = Celery("controlplane")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["workers"])


@setup_logging.connect
def keep_logging(**kwargs: Any) -> None:
    """Workers log as settings say: Celery configures nothing where this signal has a receiver."""
