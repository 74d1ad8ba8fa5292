"""What a Celery worker does before it takes a message: it waits until it fits the database and the other processes."""

from typing import Any

from celery.signals import worker_init

from controlplane import fitness


@worker_init.connect
def wait_until_fit(**kwargs: Any) -> None:
    fitness.wait_until_fit(fitness.WORKER)
