"""A project in which something of each kind exists, and everybody who may ask for it."""

import pytest

from accounts.actions import api_tokens
from accounts.actor import API, Actor
from environments import drift
from environments.actions import marked_examples, promotions, trainings
from environments.serving import service_tokens
from tests import pipelines
from tests.factories import DeliveryFactory, EvaluationFactory, MessageFactory, RepositoryFactory, RoleFactory


@pytest.fixture
def known(settings, production, experimental, worker, stored_model, bundle, by_ana, dora, fake_rasa, fake_docker, sent):
    """What parameters and members of bodies are called by that exist."""
    settings.CONTROLPLANE_DOCKER_URL = fake_docker.url
    fake_docker.run("rasa-production-1", {drift.PROJECT: "default", drift.ENVIRONMENT: "production"})
    settings.MAX_WAITS = 0
    otter = stored_model("brisk-otter", tags=["nightly"])
    stored_model("calm-heron")
    production.url, production.rasa_token = fake_rasa.url, "s3cret"
    production.save()
    fake_rasa.token = "s3cret"
    fake_rasa.load(model_id=otter.model_id)
    promotion = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    job = trainings.submit(project=production.project, by=by_ana, bundle=bundle)
    evaluation = EvaluationFactory(project=production.project, model=otter, bundle=bundle)
    _, _ = api_tokens.create(user=by_ana.user, name="spare", by=by_ana)
    RoleFactory(name="reviewer", grants=["models.read"])
    repository = RepositoryFactory(project=production.project, name="bot", ref="main")
    members = {"source": {"repository": repository.name}, "promote": "production", "on": {"push": True}}
    run = pipelines.start(pipelines.declare(production.project, by_ana, **members), by_ana)
    delivery = DeliveryFactory(webhook__project=production.project)
    message = MessageFactory(environment=production, conversation="me", model=otter)
    example = marked_examples.mark(message=message, intent="greet", by=by_ana)
    return {
        "project": "default",
        "environment": "production",
        "container": "rasa-production-1",
        "model": "brisk-otter",
        "against": "calm-heron",
        "expected": "brisk-otter",
        "tag": "nightly",
        "tags": ["nightly"],
        "conversation": "me",
        "message": str(message.pk),
        "example": str(example.pk),
        "promotion": str(promotion.pk),
        "to": str(promotion.pk),
        "bundle": str(bundle.pk),
        "job": str(job.pk),
        "evaluation": str(evaluation.pk),
        "a": str(evaluation.pk),
        "b": str(evaluation.pk),
        "repository": repository.name,
        "pipeline": run.pipeline.name,
        "run": str(run.pk),
        "webhook": str(delivery.webhook_id),
        "delivery": str(delivery.pk),
        "user": "dora",
        "username": "dora",
        "role": "reviewer",
        "token": str(by_ana.user.api_tokens.get().pk),
    }


@pytest.fixture
def callers(ana, ben, worker):
    """The headers of each kind of caller."""
    made = {user: api_tokens.create(user=user, name="fuzz", by=Actor(user=user, via=API))[1] for user in (ana, ben)}
    tokens = {user.username: secret for user, secret in made.items()}
    tokens["worker"] = service_tokens.service_token(worker)
    return {who: {"Authorization": f"Bearer {token}"} for who, token in tokens.items()} | {"nobody": {}}
