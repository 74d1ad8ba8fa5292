"""Rows for tests, with sensible defaults."""

import hashlib

import factory
from django.utils import timezone

from accounts.models import Project, User
from environments.actions.jobs import LEASE
from environments.models import Bundle, Environment, Job, TrainedModel


class ProjectFactory(factory.django.DjangoModelFactory[Project]):
    class Meta:
        model = Project
        django_get_or_create = ("name",)

    name = "default"


class UserFactory(factory.django.DjangoModelFactory[User]):
    class Meta:
        model = User
        django_get_or_create = ("username",)

    username = factory.Sequence(lambda n: f"user-{n}")


class EnvironmentFactory(factory.django.DjangoModelFactory[Environment]):
    class Meta:
        model = Environment

    project = factory.SubFactory(ProjectFactory)
    name = "production"
    color = "#0e7490"
    url = factory.LazyAttribute(lambda environment: f"http://rasa-{environment.name}:5005")
    pull_interval = 10


class TrainedModelFactory(factory.django.DjangoModelFactory[TrainedModel]):
    """A row without an archive in the storage."""

    class Meta:
        model = TrainedModel

    project = factory.SubFactory(ProjectFactory)
    name = factory.Sequence(lambda n: f"model-{n}")
    hash = factory.LazyAttribute(lambda model: hashlib.sha256(model.name.encode()).hexdigest())
    size = 10_000
    trained_at = factory.LazyFunction(timezone.now)
    registered_by_name = "ana"
    version = "3.6.21"
    model_id = factory.LazyAttribute(lambda model: hashlib.md5(model.name.encode()).hexdigest())  # noqa: S324


class BundleFactory(factory.django.DjangoModelFactory[Bundle]):
    """A row without bytes in the storage."""

    class Meta:
        model = Bundle

    project = factory.SubFactory(ProjectFactory)
    hash = factory.Sequence(lambda n: hashlib.sha256(f"bundle-{n}".encode()).hexdigest())
    size = 1000
    by_name = "ana"
    files = factory.LazyFunction(lambda: ["config.yml", "data/nlu.yml", "domain.yml"])
    counts = factory.LazyFunction(lambda: {"intents": 2, "examples": 3, "stories": 0, "rules": 1, "flows": 0})


class JobFactory(factory.django.DjangoModelFactory[Job]):
    class Meta:
        model = Job

    project = factory.SubFactory(ProjectFactory)
    kind = "training"
    bundle = factory.SubFactory(BundleFactory)
    by = factory.SubFactory(UserFactory)
    by_name = factory.SelfAttribute("by.username")
    lease_until = factory.LazyAttribute(lambda job: timezone.now() + LEASE if job.status == "running" else None)
    status = "queued"
