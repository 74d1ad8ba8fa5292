"""Values for Rasa's charts: what each environment needs, as the charts take it, and no secret in them."""

import json
import re
from dataclasses import replace

import pytest
import yaml

from environments import helm
from environments.compose.servers import Server
from environments.deployment_spec import Deployment, Edition
from environments.helm import Chart, Release
from environments.server_spec import Deployed
from tests.live import ROOT

CHARTS = json.loads((ROOT / "tests" / "data" / "rasa-charts.json").read_text())
EVERY_CHART = pytest.mark.parametrize("chart", list(Chart))
LOCKS = {"lock_store": {"type": "redis", "url": "redis", "password": "${REDIS_PASSWORD}"}}
TRACKER = {"tracker_store": {"type": "SQL", "dialect": "postgresql", "url": "db", "password": "${DB_PASSWORD}"}}
STORES = {**LOCKS, **TRACKER}


def server(**fields):
    known = {"project": "default", "name": "production", "url": "http://rasa-production:5005", "tag": "production"}
    return Server(**{**known, "token_variable": "RASA_TOKEN", "key": "rasa.production", "line": 3, **fields})


def release(chart=Chart.PRO, *, trains=False, **fields):
    return Release(server(**fields), chart, "http://controlplane-polls:5002", "rasa-production", trains)


def values(of):
    return yaml.safe_load(helm.text(of))


def deployed(endpoints=None, credentials=None, **deployment):
    return Deployed(Deployment(**deployment), endpoints or {}, credentials or {})


LARGE = deployed(
    {**STORES, "action_endpoint": {"url": "http://actions:5055/webhook", "token": "${ACTION_TOKEN}"}},
    {"rest": None, "slack": {"slack_token": "${SLACK_TOKEN}"}},
    version="3.6.20",
    memory="2g",
    memory_reservation="512m",
    cpus=1.5,
    arguments=("--debug",),
    environment={"LOG_LEVEL": "DEBUG", "DUCKLING": "http://${DUCKLING_HOST}:8000", "OWN": "${OTHER}"},
)


# As the charts take them


def paths(values, known, path=""):
    """Each value's path, and whether the chart knows it as of that kind."""
    for name, value in values.items():
        here = f"{path}.{name}".lstrip(".")
        kind = known.get(name) if isinstance(known, dict) else None
        if isinstance(value, dict) and isinstance(kind, dict):
            yield from paths(value, kind, here)
        elif kind != "object" or not isinstance(value, dict):
            yield here, kind, value


def kind_of(value):
    named = {dict: "object", list: "array", bool: "boolean", int: "number", float: "number", str: "string"}
    return named.get(type(value), "null")


def unknown(of):
    known = CHARTS[of.chart]["values"]
    # Kubernetes' own: the chart hands a probe on as it is. A null takes the chart's own away.
    own = re.compile(r"(rasa\.)?(liveness|readiness)Probe\.(exec\.?|httpGet$)|containerSecurityContext\.|strategy\.")
    return [
        (path, kind, value)
        for path, kind, value in paths(values(of), known)
        if not own.search(path) and kind not in (kind_of(value), "null")
    ]


@EVERY_CHART
@pytest.mark.parametrize("fields", [{}, {"deployed": LARGE, "replicas": 3, "workers": 2}, {"trains": True}])
def test_each_value_is_one_that_the_chart_knows(chart, fields):
    assert unknown(release(chart, **fields)) == []


def test_a_value_that_no_chart_knows_would_be_found():
    assert [path for path, _, _ in paths({"rasa": {"replicas": 2}}, CHARTS["rasa-pro"]["values"])] == ["rasa.replicas"]
    assert [kind for _, kind, _ in paths({"rasa": {"replicas": 2}}, CHARTS["rasa-pro"]["values"])] == [None]


@EVERY_CHART
def test_a_second_run_writes_the_same_bytes(chart):
    of = release(chart, deployed=LARGE, replicas=2)
    assert helm.text(of) == helm.text(of)
    assert helm.text(of).isascii()


@EVERY_CHART
def test_the_readers_of_yaml_that_helm_has_read_it_alike(chart):
    """Helm knows truth values and numbers of YAML 1.1 and 1.2: what could be one is in quotes."""
    of = release(chart, deployed=deployed(environment={"A": "yes", "B": "1e3", "C": "0x1f", "D": "~", "E": "12:30"}))
    found = {entry["name"]: entry.get("value") for entry in environment_of(of)}
    assert {name: found[name] for name in "ABCDE"} == {"A": "yes", "B": "1e3", "C": "0x1f", "D": "~", "E": "12:30"}
    lines = dict(re.findall(r'name: "?([A-E])"?\n +value: (.+)', helm.text(of)))
    assert all(text.startswith('"') for text in lines.values())
    assert len(lines) == 5


# What they say


def environment_of(of):
    found = values(of)
    return found["rasa"]["additionalEnv"] if of.chart is Chart.PRO else found["extraEnv"]


def endpoints_of(of):
    found = values(of)
    if of.chart is Chart.PRO:
        return found["rasa"]["settings"]["endpoints"]
    return found["applicationSettings"]["endpoints"]["additionalEndpoints"]


def readiness_of(of):
    found = values(of)
    return found["rasa"]["readinessProbe"] if of.chart is Chart.PRO else found["readinessProbe"]


@EVERY_CHART
def test_it_pulls_the_model_of_its_environment_and_says_who_it_is(chart):
    assert endpoints_of(release(chart, name="worker", tag="production"))["models"] == {
        "url": "http://controlplane-polls:5002/api/projects/default/models/tags/production",
        "headers": {"Authorization": "Bearer ${CONTROLPLANE_TOKEN_WORKER}"},
        "params": {"environment": "worker", "replica": "${HOSTNAME}"},
        "wait_time_between_pulls": 10,
    }
    pod = {"name": "HOSTNAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    assert pod in environment_of(release(chart))


@EVERY_CHART
@pytest.mark.parametrize(("fields", "interval"), [({"pull_interval": 4.0}, 4), ({"pulls_once": True}, None)])
def test_it_pulls_as_often_as_declared(chart, fields, interval):
    assert endpoints_of(release(chart, **fields))["models"]["wait_time_between_pulls"] == interval


@EVERY_CHART
def test_replicas_workers_and_limits_are_those_declared(chart):
    of = release(chart, deployed=LARGE, replicas=3, workers=2)
    found = values(of)["rasa"] if chart is Chart.PRO else values(of)
    assert found["replicaCount"] == 3
    assert {"name": "SANIC_WORKERS", "value": "2"} in environment_of(of)
    assert found["resources"] == {"limits": {"memory": "2Gi", "cpu": "1.5"}, "requests": {"memory": "512Mi"}}


@EVERY_CHART
def test_what_environments_yml_declares_of_endpoints_and_channels_is_there(chart):
    of = release(chart, deployed=LARGE)
    assert list(endpoints_of(of)) == ["models", "tracker_store", "lock_store", "action_endpoint"]
    assert endpoints_of(of)["action_endpoint"]["token"] == "${ACTION_TOKEN}"
    found = values(of)
    credentials = (
        found["rasa"]["settings"]["credentials"]
        if chart is Chart.PRO
        else found["applicationSettings"]["credentials"]["additionalChannelCredentials"]
    )
    # Helm takes away what is null, and the control plane talks to the server by this channel.
    assert credentials == {"rest": {}, "slack": {"slack_token": "${SLACK_TOKEN}"}}


@EVERY_CHART
@pytest.mark.parametrize(
    ("url", "name", "port"),
    [
        ("http://rasa-production:5005", "rasa-production", 5005),
        ("http://bot.assistants.svc.cluster.local:80", "bot", 80),
        ("http://10.0.0.7:5005", "rasa-production", 5005),
        ("http://9lives:5005", "rasa-production", 5005),
    ],
)
def test_the_service_is_the_host_of_the_address(chart, url, name, port):
    found = values(release(chart, url=url))
    service = found["rasa"]["service"] if chart is Chart.PRO else found["service"]
    assert (found["fullnameOverride"], service["port"]) == (name, port)


@EVERY_CHART
def test_a_server_is_ready_when_a_model_is_loaded(chart):
    probe = readiness_of(release(chart))
    assert probe["httpGet"] is None, "Helm merges the chart's own `/` into it otherwise"
    python, isolated, option, program = probe["exec"]["command"]
    assert (python, isolated, option) == ("python", "-I", "-c")
    compile(program, "probe", "exec")
    assert "/status" in program
    assert "127.0.0.1:5005" in program
    token = re.search(r'os\.environ\["(\w+)"\]', program)[1]
    # That of Rasa Pro's chart is set by it.
    assert token == ("AUTH_TOKEN" if chart is Chart.PRO else helm.AUTH_TOKEN)
    assert probe["timeoutSeconds"] * probe["failureThreshold"] >= 60


@EVERY_CHART
def test_a_server_that_trains_is_ready_without_a_model(chart):
    """No model could be trained before there is one."""
    probe = readiness_of(release(chart, trains=True))
    assert probe["httpGet"]["path"] == "/"
    assert "exec" not in probe


@EVERY_CHART
def test_a_server_that_loads_for_minutes_is_not_killed(chart):
    found = values(release(chart))
    probe = found["rasa"]["livenessProbe"] if chart is Chart.PRO else found["livenessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 300
    assert probe["httpGet"]["port"] == (5005 if chart is Chart.PRO else "http")


def test_nothing_beside_the_server_is_installed():
    found = values(release(Chart.OPEN_SOURCE))
    beside = ("postgresql", "redis", "rabbitmq", "duckling", "rasa-action-server")
    assert [found[name] for name in beside] == [{"install": False}] * 5
    assert found["nginx"] == {"enabled": False}
    assert found["applicationSettings"]["initialModel"] == ""
    assert values(release(Chart.PRO))["rasaProServices"] == {"enabled": False}


def test_the_image_is_the_one_declared():
    assert values(release(Chart.OPEN_SOURCE))["image"] == {"repository": "rasa/rasa", "tag": "3.6.21-full"}
    own = deployed(image="registry.example.com:5000/bots/rasa:4.2")
    assert values(release(Chart.OPEN_SOURCE, deployed=own))["image"] == {
        "repository": "registry.example.com:5000/bots/rasa",
        "tag": "4.2",
    }
    assert "image" not in values(release(Chart.PRO))["rasa"], "the chart has one of its own"
    assert values(release(Chart.PRO, deployed=deployed(version="3.17.0")))["rasa"]["image"] == {"tag": "3.17.0"}


def test_the_chart_follows_from_the_edition():
    assert helm.default_chart(server()) is Chart.OPEN_SOURCE
    assert helm.default_chart(server(deployed=deployed(edition=Edition.PRO))) is Chart.PRO


# Secrets


def referenced(found):
    """Every key of the secret that the values refer to."""
    if isinstance(found, dict):
        for place in (("secretName", "secretKey"), ("name", "key")):
            if set(found) == set(place):
                assert found[place[0]] == "rasa-production"
                yield found[place[1]]
        for value in found.values():
            yield from referenced(value)
    elif isinstance(found, list):
        for value in found:
            yield from referenced(value)


@EVERY_CHART
@pytest.mark.parametrize("given", [Deployed(), LARGE])
def test_every_secret_is_a_key_of_the_one_secret(chart, given):
    of = release(chart, deployed=given)
    assert set(referenced(values(of))) == set(helm.secrets(of))
    wanted = {"RASA_TOKEN", "JWT_SECRET", "CONTROLPLANE_TOKEN_PRODUCTION"}
    wanted |= {"RASA_LICENSE"} if chart is Chart.PRO else set()
    if given is LARGE:
        wanted |= {"REDIS_PASSWORD", "DB_PASSWORD", "ACTION_TOKEN", "SLACK_TOKEN", "DUCKLING_HOST", "OTHER"}
    assert set(helm.secrets(of)) == wanted


@EVERY_CHART
def test_every_variable_that_rasa_fills_in_is_set(chart):
    of = release(chart, deployed=LARGE)
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(endpoints_of(of)) + json.dumps(values(of))))
    assert used - {entry["name"] for entry in environment_of(of)} == set()


@EVERY_CHART
def test_no_variable_is_set_twice(chart):
    """Kubernetes takes the last one, and a change of such a list goes wrong."""
    names = [entry["name"] for entry in environment_of(release(chart, deployed=LARGE, workers=2))]
    assert len(names) == len(set(names))
    of_the_chart = {
        "RASA_TOKEN",
        "JWT_SECRET",
        "AUTH_TOKEN",
        "JWT_METHOD",
        "RASA_PRO_LICENSE",
        "RASA_TELEMETRY_ENABLED",
    }
    assert not of_the_chart & set(names)


@EVERY_CHART
def test_variables_in_a_value_are_filled_in_by_kubernetes_after_they_are_set(chart):
    entries = environment_of(release(chart, deployed=LARGE))
    names = [entry["name"] for entry in entries]
    found = {entry["name"]: entry for entry in entries}
    assert found["DUCKLING"]["value"] == "http://$(DUCKLING_HOST):8000"
    assert names.index("DUCKLING_HOST") < names.index("DUCKLING")
    assert found["OWN"]["valueFrom"]["secretKeyRef"] == {"name": "rasa-production", "key": "OTHER"}


@EVERY_CHART
def test_what_kubernetes_would_take_for_a_variable_is_none(chart):
    of = release(chart, deployed=deployed(environment={"PRICE": "$(5)"}))
    assert {"name": "PRICE", "value": "$$(5)"} in environment_of(of)


def test_the_open_source_chart_gets_no_token_that_it_would_keep_in_its_values():
    found = values(release(Chart.OPEN_SOURCE))
    assert "token" not in found["applicationSettings"]
    assert found["applicationSettings"]["endpoints"]["models"] == {"enabled": False}
    program = found["command"][2]
    compile(program, "start", "exec")
    assert set(re.findall(r'os\.environ\["(\w+)"\]', program)) == {helm.AUTH_TOKEN, helm.JWT_SECRET}
    assert not [argument for argument in found["args"] if "TOKEN" in argument or "secret" in argument]


# Refused


def reasons(of):
    return [str(refusal) for refusal in helm.refusals(of)]


@EVERY_CHART
def test_an_environment_as_declared_is_not_refused(chart):
    assert reasons(release(chart)) == []
    assert reasons(release(chart, replicas=2, deployed=deployed(STORES))) == []


@EVERY_CHART
def test_replicas_that_share_nothing_are_refused(chart):
    told = reasons(release(chart, replicas=2))
    assert len(told) == 2
    assert all(line.startswith("line 3: rasa.production.endpoints.") for line in told)


@EVERY_CHART
@pytest.mark.parametrize(
    ("deployment", "key"),
    [
        ({"image": "${IMAGE}"}, "image"),
        ({"version": "${VERSION}"}, "version"),
        ({"arguments": ("--cors", "${ORIGIN}")}, "arguments"),
    ],
)
def test_variables_that_helm_would_not_fill_in_are_refused(chart, deployment, key):
    [told] = reasons(release(chart, deployed=deployed(**deployment)))
    assert told.startswith(f"line 3: rasa.production.deployment.{key}: holds a variable")


def test_a_variable_that_the_open_source_chart_sets_is_refused():
    given = deployed({"action_endpoint": {"url": "http://actions:5055", "token": "${RASA_TOKEN}"}})
    [told] = reasons(release(Chart.OPEN_SOURCE, deployed=given))
    assert "uses the variable RASA_TOKEN" in told
    assert reasons(release(Chart.PRO, deployed=given)) == []


def test_without_a_token_it_is_refused():
    of = release()
    assert reasons(replace(of, server=replace(of.server, has_token=False))) != []
