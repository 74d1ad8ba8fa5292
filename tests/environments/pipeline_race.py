"""Run by `test_races.py` in a process of its own, on a database of its own: a pipeline's run that many move on at once,
and many who start it at once.

Prints one JSON object. Argument: how many at once.
"""

import json
import sys
from functools import partial

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.actor import API, Actor  # noqa: E402
from accounts.models import Project  # noqa: E402
from controlplane import celery_app  # noqa: E402
from environments.actions import pipeline_schedules, pipeline_steps  # noqa: E402
from environments.models import Job, Pipeline, PipelineRun, Promotion, TrainedModel  # noqa: E402
from tests import pipelines  # noqa: E402
from tests.at_once import at_once  # noqa: E402
from tests.factories import BundleFactory, EnvironmentFactory, TrainedModelFactory, administrator  # noqa: E402


def advance(run: PipelineRun) -> str:
    pipeline_steps.advance(run.pk)
    return "moved on"


def start(pipeline: Pipeline, by: Actor) -> str:
    pipelines.start(pipeline, by)
    return "started"


def tick() -> str:
    return "started" if pipeline_schedules.start_due(timezone.now()) else "nothing to start"


def train() -> TrainedModel:
    """What a worker does: the training ends with a model."""
    model = TrainedModelFactory()
    Job.objects.filter(kind="training", status="queued").update(status="succeeded", result=model)
    return model


def main() -> None:
    many = int(sys.argv[1])
    call_command("migrate", verbosity=0)
    celery_app.send_task = lambda *_, **__: None
    production = EnvironmentFactory(name="production")
    EnvironmentFactory(name="worker", kind="training", follows=production)
    by = Actor(user=administrator("ana"), via=API)
    BundleFactory()
    pipeline = pipelines.declare(Project.objects.get(), by, promote="production", on={"schedule": "0 3 * * *"})
    started = at_once([partial(start, pipeline, by)] * many)
    waiting = PipelineRun.objects.get(status="queued")
    moved = at_once([partial(advance, waiting)] * many)
    trainings = Job.objects.filter(kind="training").count()
    train()
    at_once([partial(advance, waiting)] * many)
    Job.objects.filter(kind="evaluation", status="queued").update(status="succeeded")
    at_once([partial(advance, waiting)] * many)
    waiting.refresh_from_db()
    Pipeline.objects.update(due_at=timezone.now())
    due = at_once([tick] * many)
    result = {
        "started": started,
        "one waits": PipelineRun.objects.filter(status="cancelled").count() == many - 1,
        "moved": moved,
        "trainings": trainings,
        "evaluations": Job.objects.filter(kind="evaluation").count(),
        "promotions": Promotion.objects.count(),
        "ended": waiting.status,
        "due": due,
        "scheduled": PipelineRun.objects.filter(trigger="schedule").count(),
    }
    sys.stdout.write(json.dumps(result))


main()
