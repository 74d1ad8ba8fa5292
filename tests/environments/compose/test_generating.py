"""Servers → services: which there are, what each says, and what is refused with its reason and cure."""

import pytest

from environments.compose.generating import generate
from environments.compose.service import DEFINITION, ENVIRONMENT, FILES, PROJECT
from environments.deployment_spec import Edition
from tests.deploying import declared, refusals, sections, server, service

VAULT = {"source": "secrets_manager.vault", "secret_key": "password"}
PRO = {"image": "example/rasa-pro", "version": "3.21.0"}


def test_a_service_is_named_like_the_host_of_the_url():
    made = generate([server(), server("pre-prod", url="http://bot.:5005"), server("other", url="http://Bot-2:80")])
    assert [item.name for item in made.services] == ["rasa-production", "bot-2"]
    assert [item.server.name for item in made.elsewhere] == ["pre-prod"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://rasa-production:5005", "not one of http"),
        ("http://127.0.0.1:5005", "no name of a service"),
        ("http://localhost:5005", "no name of a service"),
        ("http://[::1]:5005", "no name of a service"),
        ("http://2130706433:5005", "no name of a service"),
        ("http://0x7f000001:5005", "no name of a service"),
        ("http://rasa.example.com", "no name of a service"),
        ("http://-rasa:5005", "no name of a service"),
        ("http://rasa-:5005", "no name of a service"),
        (f"http://{'r' * 64}:5005", "no name of a service"),
        ("http://rasa-production:5005/bot", "has a path"),
    ],
)
def test_one_that_is_no_service_is_elsewhere_and_refused_where_its_deployment_is_declared(url, why):
    made = generate([server(url=url)])
    assert (made.services, made.refusals) == ((), ())
    assert why in made.elsewhere[0].reason
    [(key, reason)] = refusals(server(url=url, asks=True)).items()
    assert key == "rasa.production.url"
    assert why in reason


def test_one_can_be_left_out():
    made = generate([server(deployment={"enabled": False})])
    assert (made.services, made.refusals) == ((), ())
    assert "deployment.enabled" in made.elsewhere[0].reason


def test_a_service_says_whose_it_is_and_what_it_is():
    labels = service().definition["labels"]
    assert (labels[PROJECT], labels[ENVIRONMENT]) == ("default", "production")
    assert len(labels[DEFINITION]) == len(labels[FILES]) == 64
    assert list(labels) == ["controlplane.project", "controlplane.environment", "controlplane.files", DEFINITION]


@pytest.mark.parametrize(
    "other",
    [
        {"replicas": 2},
        {"deployment": {"version": "3.6.20"}},
        {"deployment": {"memory": "3g"}},
        {"tag": "other"},
        {"endpoints": {"action_endpoint": {"url": "http://app:5055"}}},
        {"credentials": {"slack": {"slack_token": "x"}}},
    ],
)
def test_its_definition_changes_with_everything_that_its_containers_hang_on(other):
    assert service().digest == service().digest
    assert service().digest != service(**other).digest


def test_each_environment_has_a_name_a_token_and_a_database_of_its_own():
    made = generate([server("a"), server("b"), server("a", project="banking"), server("pre-prod")])
    environments = [item.definition["environment"] for item in made.services]
    assert [found["RASA_ENVIRONMENT"] for found in environments] == ["a", "b", "banking/a", "pre-prod"]
    tokens = ["CONTROLPLANE_TOKEN_A", "CONTROLPLANE_TOKEN_B", "CONTROLPLANE_TOKEN_BANKING__A"]
    assert [item.server.service_token for item in made.services] == [*tokens, "CONTROLPLANE_TOKEN_PRE_PROD"]
    stores = [sections(item)["tracker_store"]["db"] for item in made.services]
    assert stores == ["rasa_a", "rasa_b", "rasa_banking__a", "rasa_pre_prod"]


def test_names_longer_than_a_database_can_have_stay_apart():
    long = "a" * 62
    made = generate([server(f"{long}b", url="http://one:5005"), server(f"{long}c", url="http://two:5005")])
    stores = [sections(item)["tracker_store"]["db"] for item in made.services]
    assert len(set(stores)) == 2
    assert max(map(len, stores)) == 63


def test_secrets_are_there_by_their_variables_alone():
    found = service()
    assert found.definition["environment"]["RASA_TOKEN"].startswith("${RASA_TOKEN:?")
    assert found.definition["environment"]["JWT_SECRET"].startswith("${JWT_SECRET:?")
    assert "CONTROLPLANE_TOKEN_PRODUCTION" in found.variables
    written_out = service(token_variable="", has_jwt_secret=True)
    assert {"RASA_TOKEN_PRODUCTION", "JWT_SECRET_PRODUCTION"} <= written_out.variables.keys()
    assert "RASA_TOKEN_PRODUCTION" in written_out.definition["entrypoint"][2]


def test_no_secret_is_an_argument():
    found = service()
    assert found.definition["command"][:4] == ["run", "--enable-api", "--port", "5005"]
    assert not any("TOKEN" in part or "$" in part for part in found.definition["command"])
    assert "$" not in "".join(found.definition["entrypoint"] + found.definition["healthcheck"]["test"])


@pytest.mark.parametrize(
    ("deployment", "image"),
    [
        ({}, "${RASA_IMAGE:-rasa/rasa:3.6.21-full}"),
        ({"version": "3.6.20"}, "rasa/rasa:3.6.20-full"),
        ({"version": "3.6.20-spacy-de"}, "rasa/rasa:3.6.20-spacy-de"),
        ({"image": "example/bot", "version": "7"}, "example/bot:7"),
        ({"image": "example:5000/bot:7"}, "example:5000/bot:7"),
        (PRO, "example/rasa-pro:3.21.0"),
    ],
)
def test_the_image_is_of_the_version_that_is_declared(deployment, image):
    assert service(deployment=deployment).definition["image"] == image


def test_an_image_of_a_variable_has_to_be_set():
    assert service(deployment={"image": "${BOT}"}).definition["image"].startswith("${BOT?")
    assert "BOT" in service(deployment={"image": "${BOT}"}).variables


def test_rasa_pro_needs_its_licence():
    found = service(deployment=PRO)
    assert found.definition["environment"]["RASA_LICENSE"].startswith("${RASA_LICENSE:?")
    other = service(deployment={**PRO, "license": "${OUR_LICENSE}"})
    assert other.definition["environment"]["RASA_LICENSE"].startswith("${OUR_LICENSE:?")
    assert "OUR_LICENSE" in other.variables
    assert "RASA_LICENSE" not in service().definition["environment"]


def test_limits_replicas_and_workers_are_as_declared():
    found = service(replicas=3, workers=2, deployment={"memory": "2g", "memory_reservation": "1g", "cpus": 1.5})
    definition = found.definition
    assert definition["deploy"] == {"replicas": 3}
    assert (definition["mem_limit"], definition["mem_reservation"], definition["cpus"]) == ("2g", "1g", 1.5)
    assert definition["environment"]["SANIC_WORKERS"] == "2"
    assert "SANIC_WORKERS" not in service().definition["environment"]


def test_arguments_and_variables_of_ones_own_come_last():
    found = service(deployment={"arguments": ("--debug", "--cors", "*$"), "environment": {"A": "1$", "B": "x${C}"}})
    assert found.definition["command"][-3:] == ["--debug", "--cors", "*$$"]
    assert found.definition["environment"]["A"] == "1$$"
    assert found.definition["environment"]["B"].startswith("x${C?")
    assert "C" in found.variables


def test_it_starts_after_what_it_asks_in_the_stack():
    """But not after the control plane, with which compose would make every Rasa server anew."""
    assert service().definition["depends_on"] == ["postgres"]
    assert service(replicas=2).definition["depends_on"] == ["postgres", "redis"]
    app = {"action_endpoint": {"url": "http://app:5055/webhook"}, "tracker_store": None}
    stack = frozenset({"web", "app", "postgres"})
    [found] = generate([server(endpoints=app)], stack).services
    assert found.definition["depends_on"] == ["app"]


# Refused


def test_two_environments_of_one_host_are_refused():
    told = refusals(server("a", url="http://rasa:5005"), server("b", url="http://rasa:5006"))
    assert "has the host of a too" in told["rasa.b.url"]


def test_the_host_of_a_service_of_the_stack_is_refused():
    told = refusals(server("worker", url="http://worker:5005"), stack={"web", "worker"})
    assert "a service of docker-compose.yml. Write http://rasa-worker:5005" in told["rasa.worker.url"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (server("banking--x", url="http://one:1"), server("x", project="banking", url="http://two:1")),
        (server("b--c", project="a", url="http://one:1"), server("c", project="a--b", url="http://two:1")),
    ],
)
def test_two_that_are_named_alike_as_variables_are_refused(first, second):
    [(key, reason)] = refusals(first, second).items()
    assert key == f"{second.key}.name"
    assert "Rename one of the two" in reason


def test_a_server_without_a_token_is_refused():
    assert "Write `token: ${RASA_TOKEN}`" in refusals(server(has_token=False))["rasa.production.token"]


@pytest.mark.parametrize(
    ("deployment", "key", "told"),
    [
        ({"image": "example/bot"}, "deployment.image", "has no tag"),
        ({"image": "${BOT}", "version": "7"}, "deployment.version", "no place in an image that is a variable"),
        ({"edition": Edition.PRO}, "deployment.image", "Rasa Pro has one of its own"),
        ({"environment": {"RASA_TOKEN": "x"}}, "deployment.environment.RASA_TOKEN", "by the control plane itself"),
    ],
)
def test_an_image_or_a_variable_that_cannot_be_is_refused(deployment, key, told):
    [(where, reason)] = refusals(server(deployment=deployment)).items()
    assert where == f"rasa.production.{key}"
    assert told in reason


@pytest.mark.parametrize(
    ("fields", "key", "told"),
    [
        ({"replicas": 2}, "lock_store", "the 2 replicas must take turns"),
        ({"workers": 3}, "lock_store", "the 3 workers must take turns"),
        ({"replicas": 2, "endpoints": {"lock_store": {"type": "in_memory"}}}, "lock_store", "must take turns"),
        ({"replicas": 2, "endpoints": {"lock_store": None}}, "lock_store", "must take turns"),
        ({"replicas": 2}, "tracker_store", "must share conversations"),
        (
            {"replicas": 2, "endpoints": {"tracker_store": {"type": "SQL", "dialect": "sqlite"}}},
            "tracker_store",
            "share",
        ),
    ],
)
def test_several_processes_share_conversations_and_locks(fields, key, told):
    reasons = refusals(server(**fields), stack={"web"})
    assert told in reasons[f"rasa.production.endpoints.{key}"]


@pytest.mark.parametrize(
    ("endpoints", "key"),
    [
        ({"secrets_manager": {"type": "vault", "url": "v", "token": "t"}}, "endpoints.secrets_manager"),
        ({"tracker_store": {"type": "SQL", "password": VAULT}}, "endpoints"),
        ({"lock_store": {"type": "concurrent_redis", "host": "redis"}}, "endpoints.lock_store"),
    ],
)
def test_what_is_of_rasa_pro_alone_is_refused_for_open_source(endpoints, key):
    assert "Rasa Pro alone" in refusals(server(endpoints=endpoints))[f"rasa.production.{key}"]
    if key != "endpoints":
        assert not refusals(server(endpoints=endpoints, deployment=PRO))


def test_a_secret_of_a_vault_needs_the_vault():
    endpoints = {"tracker_store": {"type": "SQL", "dialect": "postgresql", "password": VAULT}}
    told = refusals(server(endpoints=endpoints, deployment=PRO))
    assert "is missing" in told["rasa.production.endpoints.secrets_manager"]
    vault = {"secrets_manager": {"type": "vault", "url": "v", "token": "${T}"}}
    assert sections(service(endpoints=endpoints | vault, deployment=PRO))["tracker_store"]["password"] == VAULT


def test_a_refused_environment_has_no_service_and_the_others_have_theirs():
    made = generate([server(has_token=False), server("worker")])
    assert [item.name for item in made.services] == ["rasa-worker"]
    assert str(made.refusals[0]).startswith("line 2: rasa.production.token: is missing")


def test_what_the_file_says_for_all_holds_unless_one_says_otherwise():
    made = declared("""
deployment: {version: 3.6.20, memory: 1g, environment: {A: "1", B: "2"}}
endpoints:
  action_endpoint: {url: http://app:5055/webhook}
  nlg: {url: http://nlg:5056}
rasa:
  production:
    url: http://rasa-production:5005
    token: ${RASA_TOKEN}
    deployment: {memory: 3g, environment: {B: "3"}}
    endpoints: {nlg: null}
  worker: {url: "http://rasa-worker:5005", token: "${RASA_TOKEN}", deployment: {image: "example/bot:7"}}
""")
    production, worker = made.services
    assert production.definition["image"] == "rasa/rasa:3.6.20-full"
    assert (production.definition["mem_limit"], worker.definition["mem_limit"]) == ("3g", "1g")
    assert {name: production.definition["environment"][name] for name in "AB"} == {"A": "1", "B": "3"}
    assert sections(production).keys() == {"models", "tracker_store", "action_endpoint"}
    assert sections(worker).keys() == {"models", "tracker_store", "action_endpoint", "nlg"}
    assert worker.definition["image"] == "example/bot:7"
