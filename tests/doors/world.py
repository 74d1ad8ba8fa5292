"""What there is to open: two projects, environments, models, a promotion, a job."""

import io
from dataclasses import dataclass

from django.test import Client

from accounts import links
from accounts.actions import api_tokens
from accounts.actor import API, COMMAND, Actor, system
from accounts.models import Project, User
from environments.actions import guest_links, marked_examples, promotions, roles, tags
from environments.models import Environment, PipelineRun
from environments.receiving import receive_bundle, receive_model
from environments.serving.service_tokens import service_token
from tests import pipelines
from tests.archives import rasa_archive
from tests.doors.rows import GUEST_LINK, PUSH_SECRET
from tests.factories import (
    DeliveryFactory,
    EnvironmentFactory,
    EvaluationFactory,
    JobFactory,
    MessageFactory,
    ProjectFactory,
    RepositoryFactory,
    RoleFactory,
    UserFactory,
    administrator,
)
from tests.projects import tree, zipped

# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class World:
    """`places` fill the paths of the rows; `environments` are those whose servers ask, `banking` that of another
    project."""

    project: Project
    banking: Project
    admin: User
    environments: dict[str, Environment]
    places: dict[str, object]


def _environment(project: Project, name: str, **fields: object) -> Environment:
    environment = EnvironmentFactory(project=project, name=name, url=NOWHERE, **fields)
    roles.follow_protection(environment=environment, by=system(COMMAND))
    return environment


def make() -> World:
    """`production` has brisk-otter, and had calm-heron before; one server polls it. `admin` made all of it."""
    project, banking = ProjectFactory(name="default"), ProjectFactory(name="banking")
    admin = administrator("admin")
    by = Actor(user=admin, via=API)
    production = _environment(project, "production", protected=True, order=0)
    environments = {
        "production": production,
        "experimental": _environment(project, "experimental", order=1),
        "worker": _environment(project, "worker", kind="training", follows=production, order=2),
        "staging": _environment(project, "staging", declared_in="api", order=3),
        "banking": _environment(banking, "production", protected=True),
    }
    models = {
        name: receive_model(project=project, name=name, stream=io.BytesIO(rasa_archive(name)), by=by).model
        for name in ("calm-heron", "brisk-otter", "spare-model")
    }
    promotions.promote(environment=production, model=models["calm-heron"], by=by)
    promotion = promotions.promote(environment=production, model=models["brisk-otter"], by=by).promotion
    tags.put(project=project, tag="free", model=models["calm-heron"], by=by)
    guest_links.put(project=project, environment=production, by=by, token=GUEST_LINK)
    bundle = receive_bundle(project=project, stream=io.BytesIO(zipped(tree(data__more="nlu: []"))), by=by).bundle
    RepositoryFactory(project=project, name="assistant")
    run = _pipeline(project, by)
    _poll(production)
    message = MessageFactory(environment=production, conversation="me")
    someone = UserFactory(username="someone")
    someone.groups.add(RoleFactory(project=project, name="helper", grants=["models.read"]).group_id)
    UserFactory(username="robot", service_of=project)
    token, _ = api_tokens.create(user=someone, name="of-someone", by=by)
    delivery = DeliveryFactory(webhook__project=project, webhook__events=["job.failed"], status="failed", next_at=None)
    invited = UserFactory(username="invited")
    return World(
        project=project,
        banking=banking,
        admin=admin,
        environments=environments,
        places={
            "promotion": promotion.pk,
            "token": token.pk,
            "bundle": bundle.pk,
            "webhook": delivery.webhook.pk,
            "delivery": delivery.pk,
            "invitation": links.make(invited, links.INVITATION),
            "reset": links.make(invited, links.RESET),
            "evaluation": EvaluationFactory(
                project=project, model=models["brisk-otter"], bundle=bundle, job__by=admin, job__project=project
            ).pk,
            "run": run.pk,
            "message": message.pk,
            "example": marked_examples.mark(message=message, intent="hello", by=by).pk,
            "job": JobFactory(project=project, bundle=bundle, by=admin).pk,
        },
    )


def _pipeline(project: Project, by: Actor) -> PipelineRun:
    """A pipeline to production that takes pushes, and a run of it that waits."""
    RepositoryFactory(project=project, name="bot", ref="main")
    members = {"source": {"repository": "bot"}, "promote": "production", "on": {"push": True}}
    pipeline = pipelines.declare(project, by, **members)
    pipeline.push_secret = PUSH_SECRET
    pipeline.save()
    return pipelines.start(pipeline, by)


def _poll(environment: Environment) -> None:
    headers = {"authorization": f"Bearer {service_token(environment)}", "if-none-match": "nothing-yet"}
    answer = Client(headers=headers).get("/api/projects/default/models/tags/production?replica=r1")
    answer.getvalue()
    answer.close()
