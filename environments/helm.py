"""Values for Rasa's Helm charts: specs → text. Pure: reads nothing, writes nothing, asks nobody.

Written for the charts `rasa` 2.x of Rasa Pro and `rasa` 1.17 of open source. Helm merges them over the chart's own: a
value that is null takes one of those away. No secret is in them; each is a key of one Kubernetes secret.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from environments.compose import generating, rasa_files, yaml_text
from environments.compose.generating import Refusal
from environments.compose.servers import Server
from environments.compose.service import DEFAULT_VERSION, HAS_MODEL, LICENSE, REPOSITORY, START, edition_of
from environments.compose.yaml_text import Program
from environments.deployment_spec import Edition, one_variable, tag_of, without_tag
from environments.yaml_file import VARIABLE, variables_in

PORT = 5005
HOSTNAME = "HOSTNAME"
# The open-source chart sets these from a secret that it makes of its own values.
OF_THE_CHART = frozenset({"RASA_TOKEN", "JWT_SECRET"})
AUTH_TOKEN, JWT_SECRET = "RASA_AUTH_TOKEN", "RASA_SIGNING_SECRET"
_UNITS = {"b": "", "k": "Ki", "m": "Mi", "g": "Gi"}
_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)

Values = dict[str, Any]


class Chart(StrEnum):
    """By the name that a person gives them; both call themselves `rasa`."""

    PRO = "rasa-pro"
    OPEN_SOURCE = "rasa"


@dataclass(frozen=True)
class Release:
    """What the values are for. `control_plane` is its address inside the cluster, `secret` the name of the Kubernetes
    secret; `trains`: it must be reached without a model too, or it would never train the first one."""

    server: Server
    chart: Chart
    control_plane: str
    secret: str
    trains: bool = False

    @property
    def name(self) -> str:
        """Of the service, as the address of the environment says it."""
        first, _, rest = self.server.service.partition(".")
        whole = f"{first}.{rest}" if rest else first
        return first if _LABEL.fullmatch(first) and not _is_address(whole) else f"rasa-{self.server.name}"

    @property
    def license(self) -> str:
        return one_variable(self.server.deployed.deployment.license or "") or LICENSE


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def default_chart(server: Server) -> Chart:
    return Chart.PRO if edition_of(server.deployed.deployment) is Edition.PRO else Chart.OPEN_SOURCE


def text(release: Release) -> str:
    """A values.yaml. Raises nothing: ask `refusals` before."""
    values = _pro(release) if release.chart is Chart.PRO else _open_source(release)
    return yaml_text.emit(values, _comments(release))


def secrets(release: Release) -> dict[str, str]:
    """The keys that the secret needs, with what each is for."""
    server = release.server
    needed = {server.rasa_token: "its token", server.jwt_secret: "its jwt_secret", server.service_token: "its pulls"}
    declared = server.deployed.deployment.environment.values()
    used = [*_filled_in(release), *filter(None, map(one_variable, declared))]
    needed |= dict.fromkeys((name for name in used if name not in needed), "endpoints, credentials or environment")
    if release.chart is Chart.PRO:
        needed[release.license] = "the licence of Rasa Pro"
    return needed


# What no values can be made of


def refusals(release: Release) -> list[Refusal]:
    found = [*generating.misfits(release.server, frozenset()), *_unwritable(release)]
    # The chart has an image of its own.
    own_image = release.chart is Chart.PRO and release.server.deployed.deployment.image is None
    key = f"{release.server.key}.deployment.image"
    return sorted({refusal for refusal in found if not (own_image and refusal.key == key)})


def _unwritable(release: Release) -> Iterator[Refusal]:
    server, deployment = release.server, release.server.deployed.deployment
    for key, value in {"image": deployment.image, "version": deployment.version}.items():
        if variables_in(value or ""):
            told = "holds a variable, and Helm fills in none. Write it out."
            yield Refusal(server.line, f"{server.key}.deployment.{key}", told, server.key)
    if any(variables_in(argument) for argument in deployment.arguments or ()):
        told = "holds a variable, and Helm fills in none. Write it out."
        yield Refusal(server.line, f"{server.key}.deployment.arguments", told, server.key)
    taken = sorted(OF_THE_CHART.intersection(_used(release)))
    if release.chart is Chart.OPEN_SOURCE and taken:
        told = f"uses the variable {taken[0]}, which the chart sets itself. Name another one."
        yield Refusal(server.line, f"{server.key}.endpoints", told, server.key)


# Both charts


def _sections(release: Release) -> dict[str, Any]:
    server = release.server
    interval = None if server.pulls_once else server.pull_interval or rasa_files.DEFAULT_INTERVAL
    models = rasa_files.models(
        url=release.control_plane,
        project=server.project,
        tag=server.tag,
        environment=server.name,
        token=f"${{{server.service_token}}}",
        interval=interval,
    )
    found = {**rasa_files.sections_of(server, frozenset()), "models": models}
    return {name: found[name] for name in rasa_files.ORDER if name in found}


def _channels(release: Release) -> dict[str, Any]:
    """Helm would take away a channel that is null; Rasa takes one without settings for the same."""
    declared = release.server.deployed.credentials
    return {name: declared.get(name) or {} for name in ("rest", *sorted(declared.keys() - {"rest"}))}


def _used(release: Release) -> list[str]:
    """The variables that Rasa fills in, in its files, and those in `deployment.environment`."""
    files = [*rasa_files.texts(_sections(release)), *rasa_files.texts(_channels(release))]
    written = [*files, *release.server.deployed.deployment.environment.values()]
    return list(dict.fromkeys(name for part in written for name in variables_in(part)))


def _filled_in(release: Release) -> list[str]:
    own = {HOSTNAME, release.server.service_token, *release.server.deployed.deployment.environment}
    return [name for name in _used(release) if name not in own]


def _environment(release: Release) -> list[Values]:
    server, declared = release.server, release.server.deployed.deployment.environment
    found = [
        # Each pod is a replica, by its name.
        {"name": HOSTNAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *(_from_secret(release, name) for name in (server.service_token, *_filled_in(release))),
        *(_declared(release, name, value) for name, value in sorted(declared.items())),
    ]
    if server.workers > 1:
        found.append({"name": "SANIC_WORKERS", "value": str(server.workers)})
    return found


def _from_secret(release: Release, key: str, name: str = "") -> Values:
    return {"name": name or key, "valueFrom": {"secretKeyRef": {"name": release.secret, "key": key}}}


def _declared(release: Release, name: str, value: str) -> Values:
    variable = one_variable(value)
    return _from_secret(release, variable, name) if variable else {"name": name, "value": _for_kubernetes(value)}


def _for_kubernetes(value: str) -> str:
    """`${VAR}` as Kubernetes writes it, and what it would take for one doubled."""
    return VARIABLE.sub(r"$(\1)", value.replace("$(", "$$("))


def _liveness() -> Values:
    """`/` answers with no model, too, and not while one is loaded, which takes up to minutes."""
    get = {"path": "/", "scheme": "HTTP"}
    return {
        "httpGet": get,
        "initialDelaySeconds": 15,
        "periodSeconds": 15,
        "timeoutSeconds": 10,
        "failureThreshold": 20,
    }


def _readiness(release: Release, token: str) -> Values:
    """A model is loaded. What loads the next one answers nothing meanwhile, and is not taken out for a minute of it:
    all replicas load at once, and with none left there would be errors in the place of a pause."""
    times = {"initialDelaySeconds": 5, "periodSeconds": 10, "timeoutSeconds": 10, "failureThreshold": 6}
    if release.trains:
        return {"httpGet": {"path": "/", "scheme": "HTTP"}, **times}
    program = Program(HAS_MODEL.format(token=token, port=PORT))
    return {"httpGet": None, "exec": {"command": ["python", "-I", "-c", program]}, **times}


def _resources(release: Release) -> Values:
    deployment = release.server.deployed.deployment
    limits = {"memory": _quantity(deployment.memory), "cpu": deployment.cpus and yaml_text.number(deployment.cpus)}
    requests = {"memory": _quantity(deployment.memory_reservation)}
    kept = {"limits": _said(limits), "requests": _said(requests)}
    return {name: values for name, values in kept.items() if values}


def _said(values: Values) -> Values:
    return {name: value for name, value in values.items() if value}


def _quantity(amount: str | None) -> str | None:
    if not amount:
        return None
    return amount[:-1] + _UNITS[amount[-1]] if amount[-1] in _UNITS else amount


def _image(release: Release) -> Values:
    deployment = release.server.deployed.deployment
    if deployment.image is None and release.chart is Chart.PRO:
        return _said({"tag": deployment.version})
    if deployment.image is None:
        return {"repository": REPOSITORY, "tag": f"{deployment.version or DEFAULT_VERSION}-full"}
    return {"repository": without_tag(deployment.image), "tag": deployment.version or tag_of(deployment.image)}


STRATEGY = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
GUARDED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


# The chart of Rasa Pro


def _pro(release: Release) -> Values:
    server = release.server

    def secret(key: str) -> Values:
        return {"secretName": release.secret, "secretKey": key}

    rasa = {
        "replicaCount": server.replicas,
        "image": _image(release),
        "strategy": STRATEGY,
        "settings": {
            "environment": server.label,
            "port": PORT,
            "enableApi": True,
            "authToken": secret(server.rasa_token),
            "jwtSecret": secret(server.jwt_secret),
            "jwtMethod": "HS256",
            "endpoints": _sections(release),
            "credentials": _channels(release),
        },
        "additionalArgs": list(server.deployed.deployment.arguments or ()),
        # The newer name of what the chart calls RASA_PRO_LICENSE.
        "additionalEnv": [*_environment(release), _from_secret(release, release.license, LICENSE)],
        "containerSecurityContext": {"enabled": True, **GUARDED},
        "service": {"port": server.port, "targetPort": PORT},
        "livenessProbe": {"enabled": True, **_at(_liveness(), PORT)},
        "readinessProbe": {"enabled": True, **_at(_readiness(release, "AUTH_TOKEN"), PORT)},
        "resources": _resources(release),
    }
    return {
        "fullnameOverride": release.name,
        "rasaProLicense": secret(release.license),
        "rasa": {key: value for key, value in rasa.items() if value not in ([], {})},
        "rasaProServices": {"enabled": False},
    }


def _at(probe: Values, port: int | str) -> Values:
    return probe | {"httpGet": probe["httpGet"] | {"port": port}} if probe["httpGet"] else probe


# The chart of open source


def _open_source(release: Release) -> Values:
    server = release.server
    declared = server.deployed.deployment.arguments or ()
    values = {
        "fullnameOverride": release.name,
        "replicaCount": server.replicas,
        "image": _image(release),
        "strategy": STRATEGY,
        "command": ["python", "-c", Program(START.format(token=AUTH_TOKEN, jwt_secret=JWT_SECRET))],
        "args": ["run", "--enable-api", "--port", str(PORT), *declared],
        "extraEnv": [
            _from_secret(release, server.rasa_token, AUTH_TOKEN),
            _from_secret(release, server.jwt_secret, JWT_SECRET),
            {"name": "RASA_ENVIRONMENT", "value": server.label},
            *_environment(release),
        ],
        "applicationSettings": {
            "port": PORT,
            "initialModel": "",
            "credentials": {"enabled": True, "additionalChannelCredentials": _channels(release)},
            "endpoints": {
                "models": {"enabled": False},
                "trackerStore": {"enabled": False},
                "lockStore": {"enabled": False},
                "eventBroker": {"enabled": False},
                "additionalEndpoints": _sections(release),
            },
        },
        "securityContext": GUARDED,
        "service": {"port": server.port},
        "livenessProbe": _at(_liveness(), "http"),
        "readinessProbe": _at(_readiness(release, AUTH_TOKEN), "http"),
        "resources": _resources(release),
        "nginx": {"enabled": False},
        **{name: {"install": False} for name in ("postgresql", "redis", "rabbitmq", "duckling", "rasa-action-server")},
    }
    return {key: value for key, value in values.items() if value not in ([], {})}


# What a person should know who reads them


def _comments(release: Release) -> Mapping[tuple[str, ...], str]:
    server = release.server
    where = f"environments.yml: {server.key}" if server.line else f"{server.label}: made through the API"
    keys = ", ".join(secrets(release))
    head = f"{where}. Written by manage.py helm_values.\nSecrets are keys of the secret {release.secret}: {keys}."
    ready = "A model is loaded."
    if release.trains:
        ready = "It trains, so it is ready without a model: by it the first one is made."
    if release.chart is Chart.PRO:
        return {
            ("fullnameOverride",): f"{head}\nIts name is the one in the address of the environment.",
            ("rasa", "settings", "endpoints"): "The control plane's model server, and what environments.yml declares.",
            ("rasa", "readinessProbe"): ready,
            ("rasaProServices",): "They need a database of their own.",
        }
    return {
        ("fullnameOverride",): f"{head}\nIts name is the one in the address of the environment.",
        ("command",): "The secrets are appended inside of the process, where no list of processes shows them.",
        ("applicationSettings", "initialModel"): "None is downloaded: the model comes from the control plane.",
        ("applicationSettings", "endpoints"): (
            "The chart would keep tokens in its values, so all sections are written out."
        ),
        ("readinessProbe",): ready,
        ("nginx",): "Nothing beside it that the chart would install.",
    }
