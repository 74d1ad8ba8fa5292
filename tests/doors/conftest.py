import pytest

from environments import drift
from tests.fake_docker import FakeEngine

LABELS = {drift.PROJECT: "default", drift.ENVIRONMENT: "production"}


@pytest.fixture(scope="session")
def engine_of_the_world():
    """It runs one server of production."""
    with FakeEngine() as engine:
        engine.run("rasa-production-1", LABELS, printed=b"hello")
        yield engine


@pytest.fixture(autouse=True)
def an_engine_is_asked(settings, engine_of_the_world):
    settings.CONTROLPLANE_DOCKER_URL = engine_of_the_world.url


@pytest.fixture(autouse=True)
def nobody_waits(settings):
    """A route that holds its answer for minutes is answered at once."""
    settings.MAX_WAITS = 0
