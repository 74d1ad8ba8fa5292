"""Rows to measure with; run inside the installation."""

import hashlib
import time
from datetime import timedelta
from itertools import islice, pairwise
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actions import api_tokens
from accounts.actor import COMMAND, Actor, system
from accounts.models import ApiToken, Project, User
from accounts.sessions import SessionStore
from environments import permissions
from environments.actions import promotions
from environments.models import Environment, Message, Promotion, Proof, Tag, TrainedModel
from environments.serving import service_tokens
from environments.states import Door, Origin, PromotionStatus
from tests.factories import EnvironmentFactory, RoleFactory, TrainedModelFactory

BATCH = 2000
# Smaller than real ones, which have tens of KB.
METADATA = {"domain": {"intents": [f"intent_{number}" for number in range(300)]}}


def promoted(name: str = "brisk-otter") -> dict[str, str]:
    """A model in production: its name and ETag, and the service token of the environment."""
    production = Environment.objects.select_related("project").get(name="production")
    model = TrainedModelFactory(project=production.project, name=name)
    promotions.promote(environment=production, model=model, by=system(COMMAND))
    return {"model": model.name, "etag": model.etag, "token": service_tokens.service_token(production)}


def many(models: int = 10_000, history: int = 100_000, tags: int = 100, *, start: int = 0) -> dict[str, int]:
    """An installation that was used for years: so many models, promotions (each proved once) and free tags, whose
    numbers begin at `start`."""
    project = Project.objects.get(name="default")
    now = timezone.now()
    names = [f"trained-{number}" for number in range(start, start + models)]
    rows = TrainedModel.objects.bulk_create([_model(project, name, now) for name in names], batch_size=BATCH)
    Tag.objects.bulk_create([Tag(project=project, name=f"free-{start + n}", model=rows[n]) for n in range(tags)])
    environments = list(Environment.objects.filter(follows=None, project=project))
    for environment in environments:
        _history(environment, rows, history // len(environments))
    return {"models": len(rows), "promotions": Promotion.objects.count()}


def _model(project: Project, name: str, now: Any) -> TrainedModel:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return TrainedModel(
        project=project,
        name=name,
        hash=sha256,
        size=10_000,
        trained_at=now,
        registered_by_name="ana",
        version="3.6.21",
        model_id=sha256[:32],
        metadata=METADATA,
        promoted_at=now,
    )


def _history(environment: Environment, models: list[TrainedModel], count: int) -> None:
    begun = timezone.now() - timedelta(seconds=count)
    ring = (models[number % len(models)] for number in range(count + 1))
    moves = pairwise(ring)
    at = 0
    while batch := list(islice(moves, BATCH)):
        rows = [
            Promotion(
                environment=environment,
                model=model,
                previous_model=before,
                status=PromotionStatus.SUPERSEDED if number % 3 else PromotionStatus.SUCCEEDED,
                origin=Origin.API,
                by_name="ana",
                created_at=begun + timedelta(seconds=at + number),
                finished_at=begun + timedelta(seconds=at + number),
            )
            for number, (before, model) in enumerate(batch)
        ]
        Promotion.objects.bulk_create(rows)
        Proof.objects.bulk_create([_proof(row, number) for number, row in enumerate(rows)])
        at += len(batch)


def _proof(promotion: Promotion, number: int) -> Proof:
    return Proof(
        environment=promotion.environment,
        replica=f"rasa-{number % 100}",
        model=promotion.model,
        promotion=promotion,
        first_at=promotion.created_at,
        proved_at=promotion.created_at,
    )


def said(conversations: int, messages: int = 5) -> dict[str, int]:
    """So many conversations of so many messages, one every two minutes, with each environment and model in turn."""
    project = Project.objects.get(name="default")
    environments = list(Environment.objects.filter(follows=None, project=project))
    models = list(TrainedModel.objects.filter(project=project).only("pk").order_by("pk")[:20])
    now = timezone.now()
    rows = (
        Message(
            project=project,
            environment=environments[number % len(environments)],
            conversation=f"conversation-{number}",
            door=Door.END_USER,
            at=now - timedelta(minutes=2 * (conversations - number), seconds=-9 * turn),
            text=f"This is number {number}, and I ask for the {turn}. time",
            model=models[number % len(models)],
            rasa_model_id="0" * 32,
            intent=f"intent_{(number + turn) % 40}",
            confidence=(number * 7 + turn) % 100 / 100,
            actions=["utter_help", f"utter_{turn}"],
            policies=["RulePolicy", "TEDPolicy"],
            action_confidence=0.9,
            understood_at=now,
            read_at=None,
        )
        for number in range(conversations)
        for turn in range(messages)
    )
    while batch := list(islice(rows, BATCH)):
        Message.objects.bulk_create(batch)
    return {"messages": Message.objects.count()}


def pairs(number: int) -> list[dict[str, Any]]:
    """So many environments, each with two models; the first of them is promoted, and its ETag given."""
    project = Project.objects.get(name="default")
    found = []
    for index in range(number):
        name = f"stage-{index}"
        environment = EnvironmentFactory(project=project, name=name, url=f"http://127.0.0.1:9/{name}")
        models = [TrainedModelFactory(project=project, name=f"{name}-{which}") for which in ("a", "b")]
        promotions.promote(environment=environment, model=models[0], by=system(COMMAND))
        found.append(
            {
                "environment": name,
                "models": [model.name for model in models],
                "etag": models[0].etag,
                "token": service_tokens.service_token(environment),
            }
        )
    return found


def session() -> str:
    """The key of a browser session of the administrator."""
    user = User.objects.get(username="admin")
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return str(store.session_key)


def people(users: int, roles: int, *, start: int = 0) -> dict[str, int]:
    """So many users, each with an API token and three of so many roles, numbered from `start` on."""
    project = Project.objects.get(name="default")
    grants = ["environments.read", "models.read", "environments.production.write", "environments.experimental.write"]
    groups = [
        RoleFactory(project=project, name=f"team-{start + number}", grants=grants[: 2 + number % 3]).group_id
        for number in range(roles)
    ]
    made = User.objects.bulk_create(
        [User(username=f"person-{start + number}", password="!") for number in range(users)], batch_size=BATCH
    )
    membership = User.groups.through
    membership.objects.bulk_create(
        [
            membership(user=user, group_id=groups[(number + step) % len(groups)])
            for number, user in enumerate(made)
            for step in range(min(3, len(groups)))
        ],
        batch_size=BATCH,
    )
    ApiToken.objects.bulk_create(
        [ApiToken(user=user, name="ci", prefix="cpt_bench", digest=f"{user.pk:064d}") for user in made],
        batch_size=BATCH,
    )
    return {"users": User.objects.count()}


def ask(paths: list[str]) -> dict[str, dict[str, float]]:
    """The queries and the seconds that the answer to each path takes the administrator."""
    client = Client()
    user = User.objects.get(username="admin")
    client.force_login(user)
    _, secret = api_tokens.create(user=user, name="bench", by=Actor(user=user, via=COMMAND))
    scripts = Client(headers={"authorization": f"Bearer {secret}"})
    found = {}
    for path in paths:
        browser = scripts if path.startswith("/api/") else client
        browser.get(path)  # what is loaded once is loaded
        with CaptureQueriesContext(connection) as queries:
            begun = time.perf_counter()
            status = browser.get(path).status_code
            seconds = time.perf_counter() - begun
        if status != 200:
            raise RuntimeError(f"{path} answered {status}")
        found[path] = {"queries": len(queries), "seconds": seconds}
    return found


def checks(count: int) -> dict[str, int]:
    """The queries that so many checks of grants take one actor, of all kinds."""
    user, project = User.objects.get(username="person-0"), Project.objects.get(name="default")
    environments = list(Environment.objects.select_related("project"))
    actor = Actor(user=user, via=COMMAND)
    with CaptureQueriesContext(connection) as queries:
        for number in range(count):
            permissions.can_promote(actor, environments[number % len(environments)])
            actor.may(project, "models.read")
    return {"queries": len(queries)}
