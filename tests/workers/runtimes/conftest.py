"""Engines that runtimes of containers are held to."""

from types import SimpleNamespace

import pytest

from tests import engines, services
from tests.docker import images


@pytest.fixture
def real_engine():
    """A real engine whose `image` has a shell in the place of `rasa`; its containers are gone after the test."""
    box = engines.Box()
    yield SimpleNamespace(url=services.DOCKER_URL, image=engines.IMAGE, labels=box.labels, box=box)
    box.close()


@pytest.fixture
def rasa_engine(real_engine):
    """A real engine with a real Rasa."""
    real_engine.image = images.RASA
    return real_engine
