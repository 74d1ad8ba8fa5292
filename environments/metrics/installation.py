"""Metrics of the installation as a whole: its requests, and whether its workers do what is due."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.metrics_core import Metric

from environments import metric_families as families
from environments.actions import instances
from environments.metric_families import INFINITY, REQUEST_BUCKETS, SUM, Route
from environments.metrics.samples import counter, gauge, histogram
from environments.models import Slot
from environments.serving import traffic

STATUSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
PARTS = ("web", "worker")
# Those that come round at least once a minute, and only where a worker and beat run.
STEPS = ("look-for-trouble", "send-lost-jobs", "tend-pipelines", "sweep", "seal")
BOUNDS = (*(f"{bound:g}" for bound in REQUEST_BUCKETS), INFINITY)


def measure(now: datetime) -> Iterator[Metric]:
    processes = instances.alive()
    yield gauge(families.PROCESSES, (((part,), float(processes.get(part, 0))) for part in PARTS))
    due = dict(Slot.objects.filter(name__in=STEPS).values_list("name", "due_at"))
    overdue = (((step,), max(0.0, (now - due[step]).total_seconds())) for step in STEPS if step in due)
    yield gauge(families.STEP_OVERDUE, overdue)
    yield from _requests()


def _requests() -> Iterator[Metric]:
    """Nothing while the cache is away: fewer than were counted would look like a counter that began anew."""
    requests = {(route.value, status): traffic.request_key(route, status) for route in Route for status in STATUSES}
    durations = {(route, label): traffic.duration_key(route, label) for route in Route for label in (*BOUNDS, SUM)}
    totals = traffic.totals([*requests.values(), *durations.values()])
    if totals is None:
        return
    yield counter(families.REQUESTS, ((labels, float(totals.get(key, 0))) for labels, key in requests.items()))
    shapes = {route: {label: totals.get(durations[route, label], 0) for label in (*BOUNDS, SUM)} for route in Route}
    samples = (((route.value,), {**shape, SUM: shape[SUM] / traffic.MICROSECONDS}) for route, shape in shapes.items())
    yield histogram(families.REQUEST_DURATION, samples)
