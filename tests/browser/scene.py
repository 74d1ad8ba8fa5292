"""The scene of the browser tests and of the screenshots: a team that has worked with three environments for days.

Run in a process of its own (`python -m tests.browser.scene`), with the home of the installation to fill in its
environment; prints the service tokens of the environments as JSON.
"""

import io
import json
import os
import sys
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402 (Django must be set up before its models are imported)
from django.utils import timezone  # noqa: E402
from guardian.shortcuts import assign_perm  # noqa: E402

from accounts.actor import PAGE, Actor  # noqa: E402
from accounts.models import Project, User  # noqa: E402
from environments.actions import promotions, tags  # noqa: E402
from environments.models import (  # noqa: E402
    Bundle,
    Environment,
    Job,
    Promotion,
    Proof,
    ServerCheck,
    TrainedModel,
)
from environments.receiving import receive_model  # noqa: E402
from environments.serving.service_tokens import service_token  # noqa: E402
from environments.states import PromotionStatus  # noqa: E402
from tests.browser.bank import archive  # noqa: E402

PASSWORD = "otters-swim-in-rivers"

BUNDLE = {"intents": 39, "examples": 812, "stories": 64, "rules": 21, "flows": 0}


def days(count: float) -> timedelta:
    return timedelta(days=count)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


class Scene:
    def __init__(self) -> None:
        self.now = timezone.now()
        self.project, _ = Project.objects.get_or_create(name="default")
        self.ana = self.person("ana", is_superuser=True)
        self.ben = self.person("ben")
        self.mia = self.person("mia", is_superuser=True)

    def person(self, name: str, **more: Any) -> User:
        user = User(username=name, **more)
        user.set_password(PASSWORD)
        user.save()
        return user

    def environment(self, name: str, color: str, order: int, **more: Any) -> Environment:
        values = {"color": color, "order": order, "url": f"http://rasa-{name}:5005", "pull_interval": 2, **more}
        environment, _ = Environment.objects.update_or_create(project=self.project, name=name, defaults=values)
        return environment

    def model(self, name: str, age: timedelta, intents: int, slots: int, by: User) -> TrainedModel:
        content = io.BytesIO(archive(name, self.now - age, intents, slots))
        model = receive_model(project=self.project, name=name, stream=content, by=Actor(by, PAGE)).model
        model.registered_at = self.now - age + timedelta(minutes=4)
        model.save(update_fields=["registered_at"])
        return model

    def promotion(
        self,
        environment: Environment,
        model: TrainedModel,
        by: User,
        age: timedelta,
        reason: str = "",
        took: tuple[float, ...] = (18, 21, 41),
    ) -> Promotion:
        made = promotions.promote(environment=environment, model=model, by=Actor(by, PAGE), reason=reason).promotion
        return self.past(made, age, took)

    def rollback(self, environment: Environment, by: User, age: timedelta, reason: str) -> Promotion:
        made = promotions.rollback(environment=environment, by=Actor(by, PAGE), reason=reason).promotion
        return self.past(made, age, (6, 7, 9))

    def past(self, made: Promotion, age: timedelta, took: tuple[float, ...]) -> Promotion:
        """The promotion as if it had been made `age` ago and proved by a replica after each of `took` seconds."""
        at = self.now - age
        for number, seconds in enumerate(took[: made.environment.replicas], start=1):
            proved = at + timedelta(seconds=seconds)
            name = f"rasa-{made.environment.name}-{number}"
            Proof.objects.create(
                environment=made.environment,
                replica=name,
                model=made.model,
                promotion=made,
                first_at=proved,
                proved_at=proved,
            )
        made.created_at = at
        made.status, made.finished_at = PromotionStatus.SUCCEEDED, at + timedelta(seconds=took[-1])
        made.save()
        return made

    def jobs(self, made: TrainedModel) -> None:
        """One training that is done, and one that runs."""
        bundle = Bundle.objects.create(
            project=self.project, hash="0" * 64, size=48_000, by=self.ben, by_name="ben", counts=BUNDLE
        )
        common = {"project": self.project, "kind": "training", "by": self.ben, "by_name": "ben", "bundle": bundle}
        done = Job.objects.create(**common, status="succeeded", result=made, model_name=made.name)
        # No worker renews it: it runs for as long as anybody looks at it.
        common |= {"lease_until": self.now + timedelta(days=1)}
        running = Job.objects.create(**common, status="running", progress=0.64, step="DIETClassifier, epoch 64 of 100")
        ended = self.now - timedelta(minutes=10)
        done.started_at, done.finished_at = ended - timedelta(minutes=4, seconds=10), ended
        done.save()
        running.started_at = self.now - timedelta(minutes=2, seconds=35)
        running.save()
        Job.objects.filter(pk=done.pk).update(created_at=done.started_at)
        Job.objects.filter(pk=running.pk).update(created_at=running.started_at)

    def play(self) -> dict[str, str]:
        production = self.environment("production", "#0e7490", 0, protected=True, replicas=3)
        bot = os.environ.get("SCENE_BOT_URL", "http://rasa-experimental:5005")
        experimental = self.environment("experimental", "#7c3aed", 1, replicas=2, url=bot)
        worker = self.environment("worker", "#64748b", 2, kind="training", follows=production)
        for grant in ("environments.read", "models.read", "models.write", "training.read", "conversations.write"):
            assign_perm(f"accounts.{grant}", self.ben, self.project)
        assign_perm("environments.write", self.ben, experimental)
        self.model("late-ember", days(14), 35, 6, self.mia)
        heron = self.model("calm-heron", days(9), 36, 6, self.mia)
        fox = self.model("brisk-fox", days(3), 37, 7, self.ben)
        schema = self.model("gritty-schema", days(2), 37, 7, self.ana)
        otter = self.model("brisk-otter", timedelta(minutes=10), 39, 6, self.ben)
        tags.put(project=self.project, tag="nightly", model=otter, by=Actor(self.ben, PAGE))
        tags.put(project=self.project, tag="lts", model=heron, by=Actor(self.mia, PAGE))
        self.promotion(production, heron, self.mia, days(9), "first release")
        self.promotion(experimental, fox, self.ben, days(3), "shorter answers", took=(9, 14))
        self.promotion(production, fox, self.mia, days(2) + hours(9), "shorter answers")
        self.rollback(production, self.ana, days(2) + hours(5), "fallbacks doubled in an hour")
        self.promotion(experimental, schema, self.ana, days(2) + hours(1), "holiday intents", took=(9, 14))
        self.promotion(production, schema, self.ana, days(2), "holiday intents")
        self.jobs(otter)
        for environment in (production, experimental, worker):
            ServerCheck.objects.create(
                environment=environment,
                due_at=self.now + days(30),
                checked_at=self.now,
                reached_at=self.now,
                version="3.6.21",
                minimum_compatible_version="3.6.21",
            )
        return {environment.name: service_token(environment) for environment in (production, experimental, worker)}


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    sys.stdout.write(json.dumps(Scene().play()))
