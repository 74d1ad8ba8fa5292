"""Servers → services, and what is refused, with its reason."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from environments.compose import rasa_files
from environments.compose.servers import Server, why_elsewhere
from environments.compose.service import Service, edition_of, has_version, service
from environments.deployment_spec import Edition
from environments.endpoint_spec import TYPE
from environments.yaml_file import variables_in

# Of the stack in docker-compose.yml, as far as the generated services need it.
STACK = frozenset({"web", rasa_files.POSTGRESQL, rasa_files.REDIS})


@dataclass(frozen=True, order=True)
class Refusal:
    """Why no service can be made of an environment, and the cure."""

    line: int
    key: str
    reason: str
    server: str  # the key of its environment

    def __str__(self) -> str:
        return f"line {self.line}: {self.key}: {self.reason}" if self.line else f"{self.key}: {self.reason}"


@dataclass(frozen=True)
class Elsewhere:
    """An environment whose Rasa servers are no services of the stack."""

    server: Server
    reason: str


@dataclass(frozen=True)
class Generated:
    services: tuple[Service, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def variables(self) -> dict[str, list[str]]:
        """What must be in `.env`, by name, with what needs it."""
        needed: dict[str, list[str]] = {}
        for item in self.services:
            for name, what in item.variables.items():
                needed.setdefault(name, []).append(f"{what} of {item.server.label}")
        return needed


def generate(servers: Sequence[Server], stack: frozenset[str] = STACK) -> Generated:
    """`stack` are the services of docker-compose.yml. Of a refused environment there is no service."""
    inside: list[Server] = []
    elsewhere: list[Elsewhere] = []
    refusals: list[Refusal] = []
    for server in servers:
        reason = why_elsewhere(server)
        if server.deployed.deployment.enabled is False:
            elsewhere.append(Elsewhere(server, "its `deployment.enabled` is false"))
        elif reason and server.asks:
            refusals.append(_refused(server, "url", f"is no place to deploy to: {reason}. {_cure(server)}"))
        elif reason:
            elsewhere.append(Elsewhere(server, reason))
        else:
            inside.append(server)
    refusals += _collisions(inside, stack)
    for server in inside:
        refusals += misfits(server, stack)
    refused = {refusal.server for refusal in refusals}
    services = tuple(service(server, stack) for server in inside if server.key not in refused)
    return Generated(services, tuple(elsewhere), tuple(sorted(set(refusals))))


def _refused(server: Server, key: str, reason: str) -> Refusal:
    return Refusal(server.line, f"{server.key}.{key}", reason, server.key)


def _cure(server: Server) -> str:
    return f"Write http://rasa-{server.name}:5005, or remove what is said of its deployment."


# Two that would be one


def _collisions(servers: Sequence[Server], stack: frozenset[str]) -> Iterator[Refusal]:
    by_service: dict[str, Server] = {}
    by_word: dict[str, Server] = {}
    for server in servers:
        if server.service in stack:
            told = f"has the host {server.service}, a service of docker-compose.yml. {_cure(server)}"
            yield _refused(server, "url", told)
        other = by_service.setdefault(server.service, server)
        if other is not server:
            told = f"has the host of {other.label} too. A service is one environment's: give each its own."
            yield _refused(server, "url", told)
        other = by_word.setdefault(server.word, server)
        if other is not server:
            told = (
                f"is named like {other.label} where - is written _ and a project is apart by __. Rename one of the two."
            )
            yield _refused(server, "name", told)


# What does not fit together


def misfits(server: Server, stack: frozenset[str]) -> Iterator[Refusal]:
    sections = rasa_files.sections_of(server, stack)
    edition = edition_of(server.deployed.deployment)
    if not server.has_token:
        told = "is missing: without one everybody in the network may replace its model. Write `token: ${RASA_TOKEN}`."
        yield _refused(server, "token", told)
    yield from _image_misfits(server, edition)
    if edition is not Edition.PRO:
        yield from _of_pro(server, sections)
    elif rasa_files.uses_vault(sections) and "secrets_manager" not in sections:
        yield _refused(server, "endpoints.secrets_manager", "is missing: a secret is to be found in it. Declare it.")
    if server.several:
        yield from _not_shared(server, sections)
    for name in {
        server.service_token,
        server.rasa_token,
        server.jwt_secret,
    } & server.deployed.deployment.environment.keys():
        yield _refused(server, f"deployment.environment.{name}", "is set by the control plane itself. Remove it.")


def _image_misfits(server: Server, edition: Edition) -> Iterator[Refusal]:
    deployment = server.deployed.deployment
    if edition is Edition.PRO and deployment.image is None:
        yield _refused(server, "deployment.image", "is missing: Rasa Pro has one of its own. Write its repository.")
    elif not has_version(deployment):
        told = "has no tag: another day it would be another Rasa. Say `version` as well."
        yield _refused(server, "deployment.image", told)
    elif deployment.version is not None and variables_in(deployment.image or ""):
        told = "has no place in an image that is a variable. Say `image` as well, without its tag."
        yield _refused(server, "deployment.version", told)


def _of_pro(server: Server, sections: Mapping[str, Any]) -> Iterator[Refusal]:
    cure = "Say `deployment: {edition: pro}` with its image, or remove it."
    if "secrets_manager" in sections:
        yield _refused(server, "endpoints.secrets_manager", f"is of Rasa Pro alone. {cure}")
    elif rasa_files.uses_vault(sections):
        yield _refused(server, "endpoints", f"takes a secret from the vault, as Rasa Pro alone can. {cure}")
    if sections.get("lock_store", {}).get(TYPE) == "concurrent_redis":
        yield _refused(server, "endpoints.lock_store", f"is of Rasa Pro alone. {cure}")


def _not_shared(server: Server, sections: Mapping[str, Any]) -> Iterator[Refusal]:
    many = f"{server.replicas} replicas" if server.replicas > 1 else f"{server.workers} workers"
    if sections.get("lock_store", {}).get(TYPE, "in_memory") == "in_memory":
        told = f"is each process's own, and the {many} must take turns. Declare one of the type redis."
        yield _refused(server, "endpoints.lock_store", told)
    store = sections.get("tracker_store")
    if store is None or (store.get(TYPE) == "SQL" and str(store.get("dialect", "sqlite")).startswith("sqlite")):
        told = f"is each process's own, and the {many} must share conversations. Declare one that they share."
        yield _refused(server, "endpoints.tracker_store", told)
