"""docker-compose.yml, which is written by hand."""

import re

import pytest
import yaml

from controlplane import programs
from tests.docker.images import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
STACK = yaml.safe_load(TEXT)
SERVICES = STACK["services"]
# Run to their end.
ONCE = {"prepare", "manage", "generate"}
RUNNING = sorted(SERVICES.keys() - ONCE)
OURS = sorted(name for name in SERVICES if "rasa-control-plane" in SERVICES[name]["image"])


def test_each_program_of_up_has_one_service():
    wanted = [program.name for program in programs.all_of("0.0.0.0", 5002, "http://localhost:5002")]  # noqa: S104
    commands = [SERVICES[name]["command"] for name in OURS if name not in ONCE]
    assert sorted(commands) == sorted([name] for name in wanted)


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_comes_back_by_itself_and_is_limited(name):
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert "mem_limit" in service
    assert service["logging"]["options"]["max-size"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(set(RUNNING) - {"web", "proxy"}))
def test_a_service_has_a_health_check_of_its_own(name):
    """That of `web` is in the image; who asks the proxy asks web."""
    check = SERVICES[name]["healthcheck"]["test"]
    if name in OURS:
        assert check == ["CMD", "python", "-m", "controlplane.alive", *SERVICES[name]["command"]]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_an_image_is_pinned_and_another_can_be_named(name):
    assert re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-[a-z/-]+:[0-9][0-9.]+[a-z0-9.-]*\}", SERVICES[name]["image"])


@pytest.mark.parametrize("name", OURS)
def test_the_control_plane_can_write_its_state_alone(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    state = ["state:/var/lib/controlplane", ".:/deployment:ro"]
    # What writes the files of the server knows nothing of the state, and the other way round.
    assert service["volumes"] == ([".:/deployment"] if name == "generate" else state)


def test_no_secret_has_a_default():
    named = dict(re.findall(r"\$\{(\w*(?:PASSWORD|TOKEN|SECRET|KEY)):?([-?][^}]*)\}", TEXT))
    assert named
    assert set(named.values()) == {"?is not set; run make env"}


def test_the_socket_is_reached_by_those_alone_who_ask_the_engine():
    reached = [name for name in SERVICES if "engine" in SERVICES[name].get("networks", [])]
    assert reached == ["web", "worker-training", "worker-default", "socket-proxy"]
    assert STACK["networks"]["engine"] == {"internal": True}
    assert [name for name in SERVICES if "docker.sock" in str(SERVICES[name].get("volumes"))] == ["socket-proxy"]


def test_what_is_optional_starts_when_it_is_asked_for():
    optional = {name: SERVICES[name]["profiles"] for name in SERVICES if "profiles" in SERVICES[name]}
    assert optional == {
        "manage": ["manage"],
        "generate": ["manage"],
        "rabbitmq": ["rabbitmq"],
        "socket-proxy": ["engine"],
    }


def test_only_the_proxy_is_reached_from_outside():
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["proxy"]


def test_the_proxy_has_its_address_where_docker_gives_none_away():
    """Else another container could get it first, or be believed in its place."""
    front = STACK["networks"]["front"]["ipam"]["config"][0]
    address = SERVICES["proxy"]["networks"]["front"]["ipv4_address"]
    assert address == STACK["x-control-plane"]["environment"]["TRUSTED_PROXIES"] == "${PROXY_ADDRESS:-172.31.254.10}"
    assert (front["subnet"], front["ip_range"]) == (
        "${FRONT_NETWORK:-172.31.254.0/24}",
        "${FRONT_RANGE:-172.31.254.128/25}",
    )
    assert [name for name in SERVICES if "front" in SERVICES[name].get("networks", {})] == ["web", "proxy"]
