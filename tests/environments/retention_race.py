"""Run by `test_races.py` in a process of its own, on a database of its own: somebody needs what retention is about to
take, or two runs take it at the same moment.

Prints one JSON object: how often each race ended how, and what is not as it must be. Argument: rounds of each race.
"""

import io
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.actor import API, JOB, Actor, system  # noqa: E402
from accounts.models import AuditEvent, Project  # noqa: E402
from environments import stores  # noqa: E402
from environments.actions import jobs, promotions, queue, retention, retention_plans, tags, trainings  # noqa: E402
from environments.actions.retention_plans import Plan, Rules  # noqa: E402
from environments.models import Bundle, Environment, Job, Retention, Tag, TrainedModel  # noqa: E402
from environments.receiving import receive_bundle  # noqa: E402
from tests.at_once import at_once  # noqa: E402
from tests.factories import (  # noqa: E402
    BundleFactory,
    EnvironmentFactory,
    ProjectFactory,
    TrainedModelFactory,
    administrator,
)
from tests.projects import tree, zipped  # noqa: E402

Act = Callable[[], str]

# Whoever comes between the plan and what it takes away: both go on from here at the same moment.
PLANNED = threading.Barrier(2, timeout=30)
plan = retention_plans.plan


def plan_and_wait(project: Project, rules: Rules) -> Plan:
    made = plan(project, rules)
    PLANNED.wait()
    return made


class Races:
    """Each method is one race of two. `faults` are what must never be."""

    def __init__(self) -> None:
        self.project = ProjectFactory()
        self.by = Actor(user=administrator("ana"), via=API)
        self.production: Environment = EnvironmentFactory(project=self.project)
        EnvironmentFactory(project=self.project, name="worker", kind="training", follows=self.production)
        Retention.objects.create(project=self.project, enabled=True, keep_models=1, keep_bundles=1)
        self.faults: list[str] = []

    def apply(self) -> str:
        done = retention.apply(project=self.project, by=system(JOB))
        return f"took {done.models + done.bundles}"

    def old_model(self) -> TrainedModel:
        old = TrainedModelFactory(project=self.project)
        TrainedModelFactory(project=self.project)
        return old

    def check_model(self, model: TrainedModel) -> None:
        model.refresh_from_db()
        needed = Tag.objects.filter(model=model).exists()
        if needed and model.deleted_at:
            self.faults.append(f"{model} is tagged and deleted")
        deletions = AuditEvent.objects.filter(action="model.delete", object=f"model:{model.name}").count()
        if deletions != bool(model.deleted_at):
            self.faults.append(f"{model} was deleted {deletions} times")

    def promote(self) -> dict[str, int]:
        model = self.old_model()

        def act() -> str:
            PLANNED.wait()
            promotions.promote(environment=self.production, model=model, by=self.by)
            return "promoted"

        ended = at_once([self.apply, act])
        self.check_model(model)
        return ended

    def tag(self) -> dict[str, int]:
        model = self.old_model()

        def act() -> str:
            PLANNED.wait()
            tags.put(project=self.project, tag=f"tag-{model.pk}", model=model, by=self.by)
            return "tagged"

        ended = at_once([self.apply, act])
        self.check_model(model)
        return ended

    def twice(self) -> dict[str, int]:
        models = [self.old_model() for _ in range(3)]
        ended = at_once([self.apply, self.apply])
        for model in models:
            self.check_model(model)
            if not model.deleted_at:
                self.faults.append(f"{model} was not deleted")
        return {"both ended": int(all(end.startswith("took") for end in ended))}

    def train(self) -> dict[str, int]:
        old = BundleFactory(project=self.project)
        BundleFactory(project=self.project)

        def act() -> str:
            PLANNED.wait()
            job = trainings.submit(project=self.project, bundle=old, by=self.by)
            return f"submitted {bool(job)}"

        ended = at_once([self.apply, act])
        old.refresh_from_db()
        waiting = Job.objects.filter(bundle=old, status="queued")
        if old.removed_at and waiting.exists():
            self.faults.append(f"bundle {old.pk} is removed and job {waiting[0].pk} needs it")
        for job in waiting:
            jobs.cancel(job=job, by=self.by)
        return ended

    def send_again(self) -> dict[str, int]:
        content = zipped(tree() | {"data/more.yml": f"# {Bundle.objects.count()}\n"})
        old = receive_bundle(project=self.project, stream=io.BytesIO(content), by=self.by).bundle
        BundleFactory(project=self.project)

        def act() -> str:
            PLANNED.wait()
            receive_bundle(project=self.project, stream=io.BytesIO(content), by=self.by)
            return "sent"

        ended = at_once([self.apply, act])
        old.refresh_from_db()
        if not old.removed_at and old.hash not in stores.bundles().hashes():
            self.faults.append(f"bundle {old.pk} is there without its bytes")
        return ended


def main() -> None:
    call_command("migrate", verbosity=0)
    queue.send = lambda job: True  # No broker: nobody works here.
    retention_plans.plan = plan_and_wait
    races, ended = Races(), {}
    for name in ("promote", "tag", "twice", "train", "send_again"):
        found: Counter[str] = Counter()
        for _ in range(int(sys.argv[1])):
            found += Counter({" + ".join(getattr(races, name)()): 1})
        ended[name] = dict(found)
    sys.stdout.write(json.dumps({"ended": ended, "faults": races.faults}))


main()
