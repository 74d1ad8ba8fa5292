"""An engine that runs two servers of production, and what their polls show."""

import pytest

from environments import drift
from environments.actions import promotions
from environments.serving.service_tokens import service_token

LABELS = {drift.PROJECT: "default", drift.ENVIRONMENT: "production", drift.SERVICE: "rasa-production"}


@pytest.fixture
def engine(settings, fake_docker):
    settings.CONTROLPLANE_DOCKER_URL = fake_docker.url
    return fake_docker


@pytest.fixture
def two(engine, production, otter, by_ana):
    """production with brisk-otter, two replicas declared and two containers."""
    production.replicas = 2
    production.save()
    promotions.promote(environment=production, model=otter, by=by_ana)
    return [engine.run(f"rasa-production-{number}", LABELS) for number in (1, 2)]


@pytest.fixture
def polls(client, production):
    """`polls(container, etag)`: the container polls, as Rasa does, with what it has loaded."""

    def poll(container, etag="new"):
        answer = client.get(
            f"/api/projects/default/models/tags/{production.tag_name}",
            {"replica": container.id[:12]},
            headers={"If-None-Match": etag, "Authorization": f"Bearer {service_token(production)}"},
        )
        b"".join(answer.streaming_content) if answer.streaming else answer.content
        answer.close()

    return poll


@pytest.fixture
def serving(two, polls, otter):
    """Both prove the model."""
    for container in two:
        polls(container, f'"{otter.hash}"')
    return two
