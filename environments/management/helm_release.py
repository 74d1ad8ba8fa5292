"""One environment of the installation as `environments.helm` takes it, and what its secret holds."""

from collections.abc import Mapping

from django.conf import settings

from accounts.problems import NotFound
from environments import deploying, helm
from environments.compose.servers import DEFAULT_PROJECT, Server
from environments.helm import Chart, Release
from environments.models import Environment
from environments.serving.service_tokens import service_token
from environments.spec import Declaration
from environments.states import Kind


def release(*, project: str, name: str, chart: Chart | None, control_plane: str, secret: str) -> Release:
    """Raises `NotFound`, and what environments.yml is refused for."""
    declared = deploying.declaration()
    servers = deploying.servers(declared, deploying.made_through_the_api())
    server = next((found for found in servers if (found.project, found.name) == (project, name)), None)
    if server is None:
        raise NotFound(f"There is no environment {name} in {project}. Known are {_known(servers)}.")
    return Release(
        server=server,
        chart=chart or helm.default_chart(server),
        control_plane=control_plane.rstrip("/"),
        secret=secret or ("rasa-" + (name if project == DEFAULT_PROJECT else f"{project}-{name}")),
        trains=_kind(declared, project, name) == Kind.TRAINING,
    )


def _known(servers: list[Server]) -> str:
    return ", ".join(server.label for server in servers) or "none"


def _kind(declared: Declaration, project: str, name: str) -> str:
    kinds = {(item.project, item.name): item.kind for item in declared.environments}
    found = kinds.get((project, name)) or _row(project, name).kind
    return str(found)


def _row(project: str, name: str) -> Environment:
    row = Environment.objects.active().select_related("project").filter(project__name=project, name=name).first()
    if row is None:
        raise NotFound(f"The database does not know {name} yet. Run manage.py sync_environments.")
    return row


def secret_values(release: Release) -> Mapping[str, str]:
    """What the control plane knows of the keys of the secret; the rest is missing."""
    server = release.server
    row = _row(server.project, server.name)
    own = {
        server.service_token: service_token(row),
        server.rasa_token: row.rasa_token,
        server.jwt_secret: row.jwt_secret or settings.JWT_SECRET,
    }
    found = {name: own.get(name) or settings.VARIABLES.get(name, "") for name in helm.secrets(release)}
    return {name: value for name, value in found.items() if value}
