"""The stack from nothing to a promoted model, on a real engine with real Rasa servers."""

import itertools

import httpx
import pytest

from demo import main_job
from tests import services
from tests.docker import composes
from tests.docker.stack import Stack, entry

pytestmark = [pytest.mark.docker, pytest.mark.rasa]

PRODUCTION = entry("production", replicas=2)
EXPERIMENTAL, WORKER = entry("experimental"), entry("worker")
STAGING = entry("staging", token="${STAGING_TOKEN}")
START_SECONDS = 300


@pytest.fixture(params=composes.VERSIONS)
def compose(request):
    try:
        return composes.of_version(request.param)
    except composes.Missing as missing:
        if services.required():
            raise
        pytest.skip(str(missing))


@pytest.fixture
def stack(tmp_path, engine, stack_images, compose):
    made = Stack(tmp_path, compose=compose, engine=engine, image=stack_images)
    yield made
    made.remove()


def states(client):
    """Health and sync of each environment, by name."""
    listed = client.call("GET", "/api/v1/environments/")["results"]
    return {each["name"]: (each["health"], each["sync"]) for each in listed}


def ask(stack, container, sender, message="hello"):
    """What one replica answers."""
    url = f"http://{stack.address(container)}:5005/webhooks/rest/webhook"
    answers = httpx.post(url, json={"sender": sender, "message": message}, timeout=60).json()
    return " ".join(answer["text"] for answer in answers)


def events(stack, container, sender):
    """What one replica knows of a conversation."""
    token = dict(line.split("=", 1) for line in (stack.folder / ".env").read_text().splitlines() if "=" in line)
    url = f"http://{stack.address(container)}:5005/conversations/{sender}/tracker"
    return httpx.get(url, params={"token": token["RASA_TOKEN"]}, timeout=60).json()["events"]


def comes_up_and_does_the_main_job(stack):
    stack.declare(PRODUCTION, EXPERIMENTAL, WORKER)
    stack.generate("--env", "--write")
    stack.compose("up", "-d")
    stack.wait_for_web()
    client = stack.client()
    main_job.wait_for(client.missing_at_start, START_SECONDS)
    model = client.train(main_job.packed(main_job.ASSISTANT), print)
    for environment in ("experimental", "production"):
        client.promote(model, environment)
        main_job.converse(client, environment, model)
    return client, model


def serves_by_both_replicas(stack, client, model):
    replicas = client.call("GET", "/api/v1/environments/production/replicas/")
    assert [(each["state"], each["model"]) for each in replicas] == [("serving", model)] * 2
    names = {container.attrs["Config"]["Hostname"] for container in stack.containers("rasa-production")}
    assert {each["name"] for each in replicas} == names
    assert len(names) == 2


def shares_tracker_and_locks(stack):
    """A conversation goes on at the other replica, and messages of one sender to both at once take turns."""
    first, second = stack.containers("rasa-production")
    for number, container in enumerate(itertools.islice(itertools.cycle((first, second)), 4), start=1):
        assert ask(stack, container, "sam")
        told = [event["text"] for event in events(stack, container, "sam") if event["event"] == "user"]
        assert told == ["hello"] * number
    listed = stack.compose("exec", "-T", "postgres", "psql", "-U", "controlplane", "-c", "\\l")
    assert "rasa_production" in listed
    monitored = stack.compose("exec", "-T", "redis", "redis-cli", "-n", "2", "dbsize")
    assert monitored.strip().isdigit()


def takes_an_environment_more(stack, client, model):
    with (stack.folder / ".env").open("a") as file:
        file.write("STAGING_TOKEN=a-token-of-its-own\n")
    stack.declare(PRODUCTION, EXPERIMENTAL, STAGING, WORKER)
    # Whatever is run by compose first does what `prepare` does, this too.
    stack.manage("sync_environments")
    assert states(client)["staging"][0] != "healthy"
    stack.generate("--env", "--write")
    before = {name: container_ids(stack, name) for name in ("rasa-production", "rasa-experimental", "rasa-worker")}
    stack.compose("up", "-d")
    stack.wait_for_web()
    main_job.wait_for(lambda: "" if states(client)["staging"][0] == "healthy" else "staging is not connected", 120)
    client.promote(model, "staging")
    main_job.converse(client, "staging", model)
    # The others were not touched by it, although those of the control plane were made anew for the new variables.
    assert before == {name: container_ids(stack, name) for name in before}


def container_ids(stack, service):
    return sorted(container.id for container in stack.containers(service))


def gives_it_up_again(stack, client):
    stack.declare(PRODUCTION, EXPERIMENTAL, WORKER)
    stack.manage("sync_environments")
    assert "staging" not in states(client)
    stack.generate("--env", "--write")
    stack.compose("up", "-d", "--remove-orphans")
    stack.wait_for_web()
    assert stack.containers("rasa-staging", all=True) == []
    databases = stack.compose("exec", "-T", "postgres", "psql", "-U", "controlplane", "-c", "\\l")
    assert "rasa_staging" in databases


def told_nothing_secret(stack):
    secrets = [
        value
        for name, _, value in (line.partition("=") for line in (stack.folder / ".env").read_text().splitlines())
        if name.endswith(("PASSWORD", "TOKEN", "SECRET", "KEY"))
    ]
    assert len(secrets) > 8
    log = stack.compose("logs", "--no-color")
    assert not [secret for secret in secrets if secret in log]
    generated = [stack.folder / "docker-compose.override.yml", *(stack.folder / "deploy" / "rasa").rglob("*.yml")]
    assert not [path for path in generated for secret in secrets if secret in path.read_text()]


def test_it_comes_up_from_nothing_trains_promotes_and_takes_an_environment_more(stack):
    client, model = comes_up_and_does_the_main_job(stack)
    serves_by_both_replicas(stack, client, model)
    shares_tracker_and_locks(stack)
    takes_an_environment_more(stack, client, model)
    gives_it_up_again(stack, client)
    told_nothing_secret(stack)
