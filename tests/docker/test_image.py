"""The image, on a real engine."""

import time
import uuid

import docker
import httpx
import pytest

from tests.docker import images
from tests.docker.images import ROOT

pytestmark = pytest.mark.docker

MEGABYTE = 1000**2
READ_ONLY = {"read_only": True, "tmpfs": {"/tmp": "mode=1777"}, "cap_drop": ["ALL"]}  # noqa: S108


@pytest.fixture
def run(engine, control_plane_image):
    """Run the image to its end; what it printed."""

    def run(*command, **options):
        options = {"network_mode": "none", "remove": True, "stderr": True, **options}
        return engine.containers.run(control_plane_image, list(command), **options).decode()

    return run


@pytest.fixture
def shell(run):
    return lambda script, **options: run("-c", script, entrypoint="sh", **options)


@pytest.fixture
def volume(engine):
    made = engine.volumes.create(f"controlplane-test-{uuid.uuid4().hex[:8]}")
    yield made.name
    made.remove(force=True)


@pytest.fixture
def start(engine, control_plane_image):
    """Start the image as a server of this machine's network."""
    started = []

    def start(*command, **options):
        options = {"detach": True, "init": True, **READ_ONLY, **options}
        started.append(engine.containers.run(control_plane_image, list(command), **options))
        return started[-1]

    yield start
    for container in started:
        container.remove(force=True)


def test_it_is_less_than_250_megabytes_larger_than_its_base(engine, control_plane_image):
    sizes = [engine.images.get(name).attrs["Size"] for name in (control_plane_image, images.PYTHON)]
    assert sizes[0] - sizes[1] < 250 * MEGABYTE


def test_it_says_what_it_is(engine, control_plane_image):
    labels = engine.images.get(control_plane_image).labels
    assert labels["org.opencontainers.image.version"] == images.VERSION
    assert labels["org.opencontainers.image.revision"] == control_plane_image.rpartition(":")[2]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_the_version_is_that_of_the_project():
    assert f'version = "{images.VERSION}"' in (ROOT / "pyproject.toml").read_text()
    assert (ROOT / "docker-compose.yml").read_text().count(images.VERSION) == 2


def test_it_holds_no_compiler_and_no_installer(shell):
    found = shell("for name in gcc cc c++ make ld pip pip3 uv; do command -v $name; done; true")
    assert found == ""
    assert "No module named pip" in shell("python -m pip --version; true")


def test_it_has_what_fetches_bundles(shell):
    assert "git version" in shell("git --version; ssh -V")


def test_it_holds_what_runs_and_nothing_else_of_the_repository(shell):
    held = set(shell("ls -A /app").split()) - {"__pycache__"}
    parts = {"accounts", "controlplane", "environments", "workers", "static", "templates", "staticfiles"}
    # The texts of the guide, without their pictures.
    assert held == parts | {"docs", "manage.py", "environments.yml", "LICENSE"}
    assert "concepts.md" in shell("ls /app/docs")
    assert "images" not in shell("ls /app/docs").split()


def test_python_finds_all_of_it_compiled(shell):
    sources = "find /app /opt/venv/lib -name '*.py' -not -path '*/__pycache__/*'"
    script = f'{sources} | while read f; do d=${{f%/*}}; n=${{f##*/}}; ls "$d/__pycache__/${{n%.py}}".*.pyc; done'
    assert "cannot access" not in shell(script + " 2>&1 >/dev/null")


def test_static_files_are_compressed(shell):
    held = shell("cd /app/staticfiles && ls app.css app.css.gz app.js app.js.gz").split()
    assert held == ["app.css", "app.css.gz", "app.js", "app.js.gz"]


def test_it_is_not_root_and_writes_its_state_alone(shell):
    assert shell("id -u; id -g").split() == ["10001", "0"]
    writable = shell("find / -xdev -writable -not -type l -not -path '/proc/*' -not -path '/dev/*' 2>/dev/null; true")
    assert set(writable.split()) <= {"/tmp", "/var/tmp", "/run/lock", "/var/lib/controlplane"}  # noqa: S108


@pytest.mark.parametrize("user", ["10001:0", "1234567:0"])
def test_it_runs_as_any_user_with_a_root_file_system_that_cannot_be_written(run, volume, user):
    variables = {"RASA_TOKEN": "t", "CONTROLPLANE_ADMIN_PASSWORD": "correct horse battery"}
    options = {"user": user, "environment": variables, "volumes": {volume: {"bind": "/var/lib/controlplane"}}}
    told = run("prepare", **options, **READ_ONLY)
    assert "created default/production" in told
    assert "production" in run("status", **options, **READ_ONLY)


@pytest.fixture
def prepared(run, volume):
    mounted = {volume: {"bind": "/var/lib/controlplane"}}
    run("prepare", volumes=mounted, environment={"RASA_TOKEN": "t"}, **READ_ONLY)
    return mounted


def is_ready(address):
    try:
        return httpx.get(f"http://{address}:5002/readyz", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def seconds_to_ready(container):
    """From the start of a container that is made; on a machine that is busy with other work, those of a processor."""
    begun = time.monotonic()
    container.restart(timeout=0)
    container.reload()
    [network] = container.attrs["NetworkSettings"]["Networks"].values()
    while not is_ready(network["IPAddress"]):
        assert time.monotonic() - begun < 60
        time.sleep(0.02)
    waited = time.monotonic() - begun
    worked = container.stats(stream=False, one_shot=True)["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
    assert worked > 0.1
    return min(waited, worked)


@pytest.fixture
def network(engine):
    made = engine.networks.create(f"controlplane-test-{uuid.uuid4().hex[:8]}")
    yield made.name
    made.remove()


def test_it_is_ready_within_5_seconds_and_healthy(network, prepared, start, run):
    container = start(volumes=prepared, network=network)
    assert min(seconds_to_ready(container) for _ in range(2)) < 5
    check = container.attrs["Config"]["Healthcheck"]["Test"]
    done = container.exec_run(check[1:])
    assert (check[0], done.exit_code, done.output) == ("CMD", 0, b"")
    # Where no web process runs the same check fails.
    with pytest.raises(docker.errors.ContainerError):
        run(*check[2:], entrypoint="python")
