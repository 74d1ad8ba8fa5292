"""What `/metrics` says: every metric that an actor may read, as of now.

Read with a bounded number of queries over what is there now and over tallies; history is never counted. All web
processes say the same.
"""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.metrics_core import Metric

from accounts.actor import Actor
from accounts.models import Project
from environments import permissions
from environments.metrics import installation, jobs, places
from environments.metrics.counts import Counts
from environments.models import Environment
from environments.serving.reports import reports


def measure(actor: Actor, now: datetime) -> Iterator[Metric]:
    """All metrics that the actor may read."""
    projects = [project for project in Project.objects.all() if actor.may(project, "environments.read")]
    counts = Counts.of(projects)
    environments = Environment.objects.active().filter(project__in=projects).select_related("project", "follows")
    yield from places.measure(reports(environments, now), counts, now)
    yield from jobs.measure(
        [jobs.Work(project, permissions.kinds(actor, project)) for project in projects], counts, now
    )
    if permissions.can_measure_installation(actor):
        yield from installation.measure(now)
