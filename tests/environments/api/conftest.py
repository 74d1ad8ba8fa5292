"""A project in which something of each kind exists, and everybody who may ask for it."""

import pytest

from accounts.actions import api_tokens
from accounts.actor import API, Actor
from environments.actions import jobs, promotions
from environments.serving import service_tokens


@pytest.fixture
def known(settings, production, experimental, worker, stored_model, bundle, by_ana, fake_rasa, sent):
    """What parameters and members of bodies are called by that exist."""
    settings.MAX_WAITS = 0
    otter = stored_model("brisk-otter", tags=["nightly"])
    stored_model("calm-heron")
    production.url, production.rasa_token = fake_rasa.url, "s3cret"
    production.save()
    fake_rasa.token = "s3cret"
    fake_rasa.load(model_id=otter.model_id)
    promotion = promotions.promote(environment=production, model=otter, by=by_ana).promotion
    job = jobs.submit(project=production.project, by=by_ana, bundle=bundle)
    _, _ = api_tokens.create(user=by_ana.user, name="spare", by=by_ana)
    return {
        "project": "default",
        "environment": "production",
        "model": "brisk-otter",
        "against": "calm-heron",
        "expected": "brisk-otter",
        "tag": "nightly",
        "tags": ["nightly"],
        "conversation": "me",
        "promotion": str(promotion.pk),
        "to": str(promotion.pk),
        "bundle": str(bundle.pk),
        "job": str(job.pk),
        "token": str(by_ana.user.api_tokens.get().pk),
    }


@pytest.fixture
def callers(ana, ben, worker):
    """The headers of each kind of caller."""
    made = {user: api_tokens.create(user=user, name="fuzz", by=Actor(user=user, via=API))[1] for user in (ana, ben)}
    tokens = {user.username: secret for user, secret in made.items()}
    tokens["worker"] = service_tokens.service_token(worker)
    return {who: {"Authorization": f"Bearer {token}"} for who, token in tokens.items()} | {"nobody": {}}
