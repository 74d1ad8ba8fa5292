"""Rows for tests, with sensible defaults."""

import hashlib

import factory
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts import jwts
from accounts.actions import keys
from accounts.actor import API, COMMAND, system
from accounts.models import Project, Role, User
from environments import rasa_reports, role_grants
from environments.actions import notifications, roles
from environments.actions.jobs import LEASE
from environments.actions.notifications import Notification
from environments.models import (
    Bundle,
    Delivery,
    Environment,
    Evaluation,
    Job,
    Message,
    Repository,
    TrainedModel,
    Webhook,
)
from environments.states import Event


class ProjectFactory(factory.django.DjangoModelFactory[Project]):
    """With its built-in roles."""

    class Meta:
        model = Project
        django_get_or_create = ("name",)
        skip_postgeneration_save = True

    name = "default"

    @factory.post_generation
    def built_in_roles(self, create, extracted):
        if create and not self.roles.exists():
            roles.ensure_built_in(project=self, by=system(COMMAND))


class UserFactory(factory.django.DjangoModelFactory[User]):
    class Meta:
        model = User
        django_get_or_create = ("username",)

    username = factory.Sequence(lambda n: f"user-{n}")


def administrator(username: str) -> User:
    """Somebody with the role `admin` of every project there is."""
    user = UserFactory(username=username)
    ProjectFactory()
    user.groups.add(*Role.objects.filter(name="admin").values_list("group", flat=True))
    return user


class RoleFactory(factory.django.DjangoModelFactory[Role]):
    """A role with `grants` in words."""

    class Meta:
        model = Role
        skip_postgeneration_save = True

    project = factory.SubFactory(ProjectFactory)
    name = factory.Sequence(lambda n: f"role-{n}")
    group = factory.LazyAttribute(lambda role: Group.objects.create(name=f"{role.project.name}/{role.name}"))

    @factory.post_generation
    def grants(self, create, extracted):
        role_grants.write(self, frozenset(extracted or ()))


def jwt_of(user: User) -> str:
    """A token of `/api/auth`, without the sign-in and its event."""
    return jwts.issue(user, keys.signing(by=system(API)))


def give(user: User, project: Project, *grants: str) -> Role:
    """Give the user a role with these grants, in words."""
    role = RoleFactory(project=project, grants=grants)
    user.groups.add(role.group_id)
    return role


def take(user: User, *grants: str) -> None:
    """Take these grants from every role the user has."""
    for role in Role.objects.of_user(user):
        role_grants.write(role, role_grants.of_role(role) - set(grants))


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


class RepositoryFactory(factory.django.DjangoModelFactory[Repository]):
    """One that nothing answers for."""

    class Meta:
        model = Repository

    project = factory.SubFactory(ProjectFactory)
    name = factory.Sequence(lambda n: f"repository-{n}")
    url = "https://127.0.0.1:9/team/assistant.git"
    by_name = "ana"


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


class MessageFactory(factory.django.DjangoModelFactory[Message]):
    """Something said through the API a moment ago that the bot has understood."""

    class Meta:
        model = Message

    environment = factory.SubFactory(EnvironmentFactory)
    project = factory.SelfAttribute("environment.project")
    conversation = "me"
    door = "api"
    text = "hi"
    intent = "greet"
    confidence = 0.9
    actions = ["utter_greet"]
    policies = ["RulePolicy"]
    action_confidence = 1.0
    understood_at = factory.LazyFunction(timezone.now)
    read_at = None


class WebhookFactory(factory.django.DjangoModelFactory[Webhook]):
    """A signed one that wants everything."""

    class Meta:
        model = Webhook

    project = factory.SubFactory(ProjectFactory)
    name = factory.Sequence(lambda n: f"webhook-{n}")
    kind = "signed"
    target = "https://hooks.example.com/a-secret-path"
    shown_target = "hooks.example.com/…"
    secret = "the-secret-that-signs"
    by_name = "ana"


class DeliveryFactory(factory.django.DjangoModelFactory[Delivery]):
    """One that waits since a moment ago."""

    class Meta:
        model = Delivery

    webhook = factory.SubFactory(WebhookFactory)
    event = "job.failed"
    payload = factory.LazyAttribute(
        lambda delivery: notifications.payload(
            Notification(delivery.webhook.project, Event(delivery.event), "Training 7 failed", "It has no intents.")
        )
    )
    next_at = factory.LazyFunction(timezone.now)
    retry_until = factory.LazyFunction(lambda: timezone.now() + notifications.TRIED_FOR)


def predictions(*wrong: str) -> list[dict[str, object]]:
    """Of four utterances, all right but those that are named."""
    intents = {"hi": "greet", "hello": "greet", "bye": "bye", "see you": "bye"}
    other = {"greet": "bye", "bye": "greet"}
    return [
        {"text": text, "intent": intent, "predicted": other[intent] if text in wrong else intent, "confidence": 0.9}
        for text, intent in intents.items()
    ]


class EvaluationFactory(factory.django.DjangoModelFactory[Evaluation]):
    """One that succeeded; `wrong` are the utterances, of four, that the model got wrong."""

    class Meta:
        model = Evaluation

    class Params:
        wrong: tuple[str, ...] = ()

    project = factory.SubFactory(ProjectFactory)
    model = factory.SubFactory(TrainedModelFactory)
    bundle = factory.SubFactory(BundleFactory)
    job = factory.SubFactory(
        JobFactory,
        kind="evaluation",
        status="succeeded",
        bundle=factory.SelfAttribute("..bundle"),
        finished_at=factory.LazyFunction(timezone.now),
    )
    test_hash = hashlib.sha256(b"four utterances").hexdigest()
    tested = 4
    predictions = factory.LazyAttribute(lambda evaluation: predictions(*evaluation.wrong))
    intents = factory.LazyAttribute(
        lambda evaluation: (
            rasa_reports.understood({"intent_evaluation": {"predictions": evaluation.predictions}}, []).intents
        )
    )
