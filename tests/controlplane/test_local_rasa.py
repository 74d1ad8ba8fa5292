"""The Rasa servers of this machine: which environments have one, and what it is started with."""

import logging
import stat
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from controlplane import local_rasa, rasa_server
from environments import local_servers
from environments.serving.service_tokens import service_token
from tests.factories import EnvironmentFactory, ProjectFactory


def program(environment, tmp_path):
    return local_rasa.program(
        environment, web_url="http://127.0.0.1:5002", rasa_home=Path("/opt/rasa"), folder=tmp_path / "rasa"
    )


def endpoints(environment):
    return YAML(typ="safe").load(local_rasa.endpoints(environment, "http://127.0.0.1:5002"))["models"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.3.2.1", "[::1]"])
def test_loopback_addresses_are_of_this_machine(host):
    assert local_servers.is_local(f"http://{host}:5005")


@pytest.mark.parametrize("url", ["http://rasa-production:5005", "http://10.0.0.1:5005", "https://localhost:5005", ""])
def test_others_are_not(url):
    assert not local_servers.is_local(url)


def test_only_active_environments_of_this_machine_get_a_server(production, experimental, django_now):
    production.url, experimental.url = "http://localhost:5005", "http://localhost:5006"
    experimental.retired_at = django_now
    production.save()
    experimental.save()
    assert local_servers.local_environments() == [production]


def test_a_server_pulls_the_tag_of_its_environment_with_a_token_of_its_own(production):
    models = endpoints(production)
    assert models["url"] == "http://127.0.0.1:5002/models/default@production"
    assert models["headers"] == {"Authorization": f"Bearer {service_token(production)}"}
    assert models["params"] == {"replica": "local"}
    assert models["wait_time_between_pulls"] == production.pull_interval


def test_a_follower_pulls_what_the_other_pulls(worker):
    models = endpoints(worker)
    assert models["url"].endswith("/models/default@production")
    assert models["headers"] == {"Authorization": f"Bearer {service_token(worker)}"}


def test_without_a_declared_interval_it_pulls_every_two_seconds(experimental):
    experimental.pull_interval = None
    assert endpoints(experimental)["wait_time_between_pulls"] == 2.0


def test_a_server_that_pulls_once_pulls_once(experimental):
    experimental.pulls_once = True
    assert endpoints(experimental)["wait_time_between_pulls"] is None


def test_its_files_are_private_and_no_secret_is_on_its_command_line(production, tmp_path):
    production.url = "http://localhost:5005"
    production.rasa_token, production.jwt_secret = "the-rasa-token", "the-jwt-secret"
    made = program(production, tmp_path)
    assert {path.name for path in made.folder.iterdir()} == {"endpoints.yml", "credentials.yml"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in made.folder.iterdir())
    line = " ".join(made.command)
    assert "--port 5005" in line
    assert "--interface 127.0.0.1" in line
    assert "the-" not in line
    assert service_token(production) not in line


def test_the_servers_own_start_appends_the_secrets(monkeypatch):
    """Each as one word with its option: a made one may begin with a dash, as an option does."""
    monkeypatch.setenv(rasa_server.TOKEN, "-rasa-token")
    monkeypatch.setenv(rasa_server.JWT_SECRET, "-jwt-secret")
    expected = ["rasa", "run", "--auth-token=-rasa-token", "--jwt-method=HS256", "--jwt-secret=-jwt-secret"]
    assert rasa_server.arguments(["run"]) == expected
    # They are gone from the variables, which whatever Rasa starts would inherit.
    assert rasa_server.arguments(["run"]) == ["rasa", "run"]


def test_that_a_server_has_no_model_yet_is_no_news():
    def record(text):
        return logging.LogRecord("rasa.server", logging.ERROR, "", 0, text, None, None)

    assert not rasa_server.is_news(record("No agent loaded. To continue processing, a model needs to be loaded."))
    assert rasa_server.is_news(record("Failed to update model."))


def test_the_log_tells_the_projects_apart(production):
    other = EnvironmentFactory(project=ProjectFactory(name="banking"), name="production")
    assert local_rasa.name_of(production) == "rasa-production"
    assert local_rasa.name_of(other) == "rasa-banking-production"


def test_what_is_missing_is_noted_for_the_pages_until_it_is_there(production):
    assert local_servers.missing() is None
    local_servers.note_missing("Rasa is missing. Install it.", [production])
    assert local_servers.missing() == local_servers.Missing("Rasa is missing. Install it.", ("default/production",))
    local_servers.note_present()
    assert local_servers.missing() is None
