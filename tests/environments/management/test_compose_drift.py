"""`manage.py compose --check` beside what runs: each kind of drift, on the fake and on a real engine."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from environments import drift
from environments.engine import drifting, looking
from tests import engines, services
from tests.deploying import STACK, yaml
from tests.engines import ENDS, SERVES
from tests.environments.clients.docker.test_engine import FakeBox
from tests.live import wait_until

pytestmark = pytest.mark.django_db

FILE = """
rasa:
  production: {url: "http://rasa-production:5005", token: "${RASA_TOKEN}", replicas: 2}
  experimental: {url: "http://rasa-experimental:5005", token: "${RASA_TOKEN}"}
"""
OVERRIDE = "docker-compose.override.yml"


@pytest.fixture
def folder(settings, tmp_path):
    """A folder in which the file is as declared."""
    (tmp_path / "environments.yml").write_text(FILE)
    (tmp_path / "docker-compose.yml").write_text(STACK)
    names = ("RASA_TOKEN", "JWT_SECRET", "CONTROLPLANE_TOKEN_PRODUCTION", "CONTROLPLANE_TOKEN_EXPERIMENTAL")
    (tmp_path / ".env").write_text("".join(f"{name}=set\n" for name in (*names, "RASA_DB_PASSWORD", "REDIS_PASSWORD")))
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "environments.yml"
    settings.VARIABLES = {"RASA_TOKEN": "s3cret", "JWT_SECRET": "signed"}
    call_command("compose", f"--folder={tmp_path}", "--write", stdout=StringIO())
    return tmp_path


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.docker)])
def box(request, fake_docker, settings):
    box = FakeBox(fake_docker) if request.param == "fake" else engines.Box()
    settings.COMPOSE_PROJECT_NAME = box.name
    settings.CONTROLPLANE_DOCKER_URL = fake_docker.url if request.param == "fake" else services.DOCKER_URL
    yield box
    if request.param == "real":
        box.close()


@pytest.fixture
def up(folder, box):
    """`up("rasa-production", 2)`: a container with the labels that compose would give it."""
    written = yaml((folder / OVERRIDE).read_text())["services"]

    def run(service, number=1, *, command=SERVES, restart="no", **changed):
        labels = dict(written.get(service, written["rasa-experimental"])["labels"])
        labels |= {drift.COMPOSE_PROJECT: box.name, drift.SERVICE: service, **changed}
        named = {name.replace(".", "_"): value for name, value in labels.items()}
        return box.run(f"{service}-{number}", command, restart=restart, **named)

    return run


def check(folder):
    """What --check says, empty if all is as declared."""
    looking.watcher().forget()
    try:
        call_command("compose", f"--folder={folder}", "--check", stdout=StringIO())
    except CommandError as error:
        return str(error)
    return ""


def test_all_as_declared(folder, up):
    for service, number in (("rasa-production", 1), ("rasa-production", 2), ("rasa-experimental", 1)):
        up(service, number)
    assert check(folder) == ""


def test_an_upgrade_dropped_a_service_and_one_replica(folder, up):
    up("rasa-production")
    missing, fewer = check(folder).splitlines()
    assert missing.startswith("on the engine, rasa-experimental: No container of experimental is on the engine")
    assert missing.endswith("Run: manage.py compose --write && docker compose up -d rasa-experimental")
    assert fewer == (
        "on the engine, rasa-production: 1 of 2 replicas of production runs. Run: docker compose up -d rasa-production"
    )


def test_one_that_is_stale_and_one_that_is_extra(folder, up):
    up("rasa-production", 1)
    up("rasa-production", 2, **{drift.DEFINITION: "of yesterday"})
    up("rasa-experimental")
    up("rasa-old", **{drift.ENVIRONMENT: "old"})
    stale, extra = check(folder).splitlines()
    assert "rasa-production-2 runs with another definition" in stale
    assert extra.startswith("on the engine, rasa-old: It runs, and is of no environment that is declared")
    assert extra.endswith("Run: docker compose up -d --remove-orphans")


def test_one_that_stopped_and_one_that_restarts_in_a_loop(folder, up, box):
    up("rasa-production", 1, command=ENDS, restart="always")
    up("rasa-production", 2)
    up("rasa-experimental", command=ENDS)
    wait_until(lambda: "restarts in a loop" in check(folder) and ": exited" in check(folder), 60, "the loop")
    stopped, looping = check(folder).splitlines()
    assert "No container of experimental runs: exited." in stopped
    assert f"{box.name}-rasa-production-1 restarts in a loop" in looping
    assert looping.endswith("Run: docker compose logs --tail 50 rasa-production")


# The file


def test_each_service_of_the_file_is_told(folder, settings):
    settings.CONTROLPLANE_DOCKER_URL = ""
    text = (folder / OVERRIDE).read_text()
    (folder / "environments.yml").write_text(FILE.replace("experimental", "staging").replace(", replicas: 2", ""))
    with pytest.raises(CommandError) as refused:
        call_command("compose", f"--folder={folder}", "--check", stdout=StringIO())
    told = str(refused.value)
    assert f"{OVERRIDE} is not as declared" in told
    assert "in the file, rasa-staging: The file has no service of staging." in told
    assert "in the file, rasa-production: The file has production otherwise than it is declared." in told
    assert "in the file, rasa-experimental: The file has a service of experimental, which is not declared." in told
    assert (folder / OVERRIDE).read_text() == text


@pytest.mark.parametrize("text", ["", "services: [", "services: {a: 1, b: {labels: [x]}}", "[]", "services:\n"])
def test_a_file_of_another_kind_has_no_services_of_ours(text):
    assert drifting.in_text(text) == []


def test_an_engine_that_is_away_fails_the_check_and_says_so(folder, settings, fake_docker):
    settings.CONTROLPLANE_DOCKER_URL = fake_docker.url
    fake_docker.override = (503, b"")
    assert check(folder).startswith("What runs could not be compared.")
