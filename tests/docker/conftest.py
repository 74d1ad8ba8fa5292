"""What the tests of images and stacks share: the engine, and images that are made once."""

import docker
import pytest

from tests import services
from tests.docker import images


@pytest.fixture(scope="session")
def engine():
    client = docker.DockerClient(base_url=services.DOCKER_URL, timeout=900)
    yield client
    client.close()


@pytest.fixture(scope="session")
def control_plane_image(engine):
    """The name of the image of this repository."""
    with images.alone():
        return images.Maker(engine).control_plane()


@pytest.fixture(scope="session")
def stack_images(engine):
    """All that a stack is made of, made; the name of the image of this repository."""
    with images.alone():
        return list(images.Maker(engine).all())[-1]
