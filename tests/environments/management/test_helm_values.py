"""`manage.py helm_values`: values on the standard output and nothing else, and what the secret holds."""

import pytest
import yaml
from django.core.management import CommandError, call_command

from environments.serving.service_tokens import service_token
from tests.factories import EnvironmentFactory

FILE = """\
rasa:
  production: {url: http://rasa-production:5005, token: "${RASA_TOKEN}"}
  worker: {url: http://rasa-worker:5005, token: "${RASA_TOKEN}"}
projects:
  banking:
    rasa:
      production: {url: http://rasa-bank:5005, token: "${BANK_TOKEN}", deployment: {edition: pro}}
"""
VARIABLES = {"RASA_TOKEN": "what opens Rasa", "BANK_TOKEN": "the bank's", "JWT_SECRET": "what signs"}


@pytest.fixture(autouse=True)
def installation(settings, tmp_path, production, worker):
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "environments.yml"
    settings.CONTROLPLANE_ENVIRONMENTS.write_text(FILE)
    settings.VARIABLES, settings.JWT_SECRET = VARIABLES, VARIABLES["JWT_SECRET"]
    production.rasa_token = VARIABLES["RASA_TOKEN"]
    production.save()


@pytest.fixture
def written(capsys):
    def run(*arguments):
        call_command("helm_values", *arguments)
        told = capsys.readouterr()
        assert told.err == ""
        return told.out

    return run


def test_it_prints_the_values_of_the_chart(written):
    values = yaml.safe_load(written("production"))
    assert values["fullnameOverride"] == "rasa-production"
    assert values["applicationSettings"]["endpoints"]["additionalEndpoints"]["models"]["url"] == (
        "http://controlplane-polls:5002/api/projects/default/models/tags/production"
    )
    assert values["readinessProbe"]["exec"]


def test_the_worker_is_ready_without_a_model_and_pulls_that_of_production(written):
    values = yaml.safe_load(written("worker"))
    models = values["applicationSettings"]["endpoints"]["additionalEndpoints"]["models"]
    assert models["url"].endswith("/tags/production")
    assert values["readinessProbe"]["httpGet"]["path"] == "/"


def test_an_environment_of_another_project_gets_the_chart_of_its_edition(written):
    values = yaml.safe_load(written("production", "--project", "banking"))
    assert values["rasa"]["settings"]["environment"] == "banking/production"
    assert values["rasaProLicense"] == {"secretName": "rasa-banking-production", "secretKey": "RASA_LICENSE"}


def test_chart_address_and_secret_can_be_chosen(written):
    options = ("--chart", "rasa-pro", "--control-plane", "https://control.example.com/", "--secret", "other")
    values = yaml.safe_load(written("production", *options))
    url = values["rasa"]["settings"]["endpoints"]["models"]["url"]
    assert url == "https://control.example.com/api/projects/default/models/tags/production"
    assert values["rasa"]["settings"]["authToken"] == {"secretName": "other", "secretKey": "RASA_TOKEN"}


def test_an_environment_made_through_the_api_is_written_too(written, project):
    EnvironmentFactory(project=project, name="canary", declared_in="api", rasa_token="its own")
    values = yaml.safe_load(written("canary"))
    assert values["fullnameOverride"] == "rasa-canary"


@pytest.mark.parametrize("chart", ["rasa", "rasa-pro"])
def test_no_secret_is_in_the_values(written, chart, production):
    text = written("production", "--chart", chart)
    for secret in (*VARIABLES.values(), service_token(production)):
        assert secret not in text


def test_the_secret_s_content_is_as_kubectl_reads_it(written, production):
    lines = written("production", "--secrets").splitlines()
    assert dict(line.split("=", 1) for line in lines) == {
        "RASA_TOKEN": "what opens Rasa",
        "JWT_SECRET": "what signs",
        "CONTROLPLANE_TOKEN_PRODUCTION": service_token(production),
    }


def test_what_is_not_known_of_the_secret_is_named_and_nothing_printed(capsys):
    with pytest.raises(CommandError, match="RASA_LICENSE: the licence of Rasa Pro"):
        call_command("helm_values", "production", "--chart", "rasa-pro", "--secrets")
    assert capsys.readouterr().out == ""


def test_a_secret_of_two_lines_is_refused(production):
    production.rasa_token = "one\ntwo"
    production.save()
    with pytest.raises(CommandError, match="RASA_TOKEN has several lines"):
        call_command("helm_values", "production", "--secrets")


def test_an_unknown_environment_is_told_with_those_that_are_known():
    with pytest.raises(CommandError, match=r"no environment staging in default\. Known are production, worker, bank"):
        call_command("helm_values", "staging")


def test_what_cannot_be_written_is_refused_with_line_and_cure(settings):
    settings.CONTROLPLANE_ENVIRONMENTS.write_text(FILE.replace('RASA_TOKEN}"}', 'RASA_TOKEN}", replicas: 2}', 1))
    with pytest.raises(CommandError, match=r"line 2: rasa\.production\.endpoints\.lock_store: .*Declare one"):
        call_command("helm_values", "production")


def test_a_file_that_is_refused_is_told(settings):
    settings.CONTROLPLANE_ENVIRONMENTS.write_text("rasa: [")
    with pytest.raises(CommandError, match=r"environments\.yml"):
        call_command("helm_values", "production")
