"""How the environments of this installation are deployed: those of environments.yml as it says now, and beside them
those made through the API, which take the defaults that the file has for all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings

from accounts.problems import SecretUnreadable
from environments import deployment_folder, spec
from environments.compose import override, rasa_files
from environments.compose.generating import Generated, generate
from environments.compose.servers import Server
from environments.deployment_folder import FolderRefused
from environments.errors import EnvironmentsFileInvalid
from environments.models import Environment
from environments.serving.service_tokens import service_token
from environments.spec import Declaration, DeclaredEnvironment
from environments.states import DeclaredIn

# What an installation makes for itself where nobody says otherwise.
RASA_TOKEN, JWT_SECRET = "RASA_TOKEN", "JWT_SECRET"


def declaration(beside: Mapping[str, str] | None = None) -> Declaration:
    """environments.yml as it is now; raises `EnvironmentsFileInvalid`. `beside`: what its variables may be as well."""
    return spec.load(settings.CONTROLPLANE_ENVIRONMENTS, {**(beside or {}), **settings.VARIABLES})


def servers(declared: Declaration, rows: Iterable[Environment] = ()) -> list[Server]:
    """Those of the file in its order, then those of `rows` that were made through the API."""
    of_the_file = [_of_the_file(item, declared) for item in declared.environments]
    keys = {(item.project, item.name) for item in declared.environments}
    of_the_api = [_of_the_api(row, declared) for row in rows if (row.project.name, row.name) not in keys]
    return of_the_file + of_the_api


def made_through_the_api() -> Iterable[Environment]:
    rows = Environment.objects.active().filter(declared_in=DeclaredIn.API)
    return rows.select_related("project", "follows").order_by("project__name", "order", "name")


def _of_the_file(item: DeclaredEnvironment, declared: Declaration) -> Server:
    return Server(
        project=item.project,
        name=item.name,
        url=item.url,
        tag=item.follows or item.name,
        replicas=item.replicas,
        workers=item.workers,
        pull_interval=item.pull_interval,
        pulls_once=item.pulls_once,
        has_token=bool(item.token),
        token_variable=item.token_variable,
        jwt_variable=item.jwt_variable,
        has_jwt_secret=bool(item.jwt_secret),
        key=spec.key_of(item),
        line=item.line,
        deployed=item.deployed.over(declared.deployed),
        asks=item.deployed != type(item.deployed)(),
    )


def _of_the_api(row: Environment, declared: Declaration) -> Server:
    return Server(
        project=row.project.name,
        name=row.name,
        url=row.url,
        tag=row.tag_name,
        replicas=row.replicas,
        workers=row.workers,
        pull_interval=row.pull_interval,
        pulls_once=row.pulls_once,
        has_token=bool(row.sealed_rasa_token),
        token_variable=RASA_TOKEN if _is_the_installations(row) else "",
        has_jwt_secret=bool(row.sealed_jwt_secret),
        key=spec.key_path(row.project.name, row.name),
        deployed=declared.deployed,
    )


def _is_the_installations(row: Environment) -> bool:
    """Whether its Rasa servers take the token of all."""
    common = settings.VARIABLES.get(RASA_TOKEN, "")
    try:
        return bool(common) and row.rasa_token == common
    except SecretUnreadable:
        return False


# Values for `.env`


@dataclass(frozen=True)
class Values:
    """By the names of the variables. `known` are said where they are missing; `own` are for the control plane to say,
    and replace what is there."""

    known: Mapping[str, str]
    own: Mapping[str, str]


def values_of(made: Generated, declared: Declaration) -> Values:
    """What the control plane knows of the variables that the services need; raises `SecretUnreadable`."""
    rows = {(row.project.name, row.name): row for row in Environment.objects.active().select_related("project")}
    items = {(item.project, item.name): item for item in declared.environments}
    known = {name: settings.VARIABLES.get(name, "") for name in (RASA_TOKEN, JWT_SECRET)}
    own: dict[str, str] = {}
    for server in (found.server for found in made.services):
        key = (server.project, server.name)
        if key in rows:
            own[server.service_token] = service_token(rows[key])
        token, jwt_secret = _secrets(items.get(key), rows.get(key))
        (known if server.token_variable else own)[server.rasa_token] = token
        if server.has_jwt_secret:
            (known if server.jwt_variable else own)[server.jwt_secret] = jwt_secret
    return Values({name: value for name, value in known.items() if value}, own)


def _secrets(item: DeclaredEnvironment | None, row: Environment | None) -> tuple[str, str]:
    """Its Rasa token and its JWT secret: as the file says, or as they are kept."""
    if item is not None:
        return item.token, item.jwt_secret
    return (row.rasa_token, row.jwt_secret) if row else ("", "")


# One environment's own


@dataclass(frozen=True)
class Texts:
    """What `manage.py compose --write` would write of one environment; `refused` says why it would not."""

    service: str = ""
    endpoints: str = ""
    credentials: str = ""
    refused: str = ""


def texts_of(environment: Environment) -> Texts:
    """Judged beside the environments of its project: those of others are nobody else's business."""
    try:
        declared = declaration()
        stack = deployment_folder.stack_services(settings.CONTROLPLANE_ENVIRONMENTS.parent)
    except EnvironmentsFileInvalid:
        return Texts(refused="environments.yml has errors. `manage.py sync_environments --check` tells them.")
    except FolderRefused as refused:
        return Texts(refused=str(refused))
    project = environment.project.name
    rows = [row for row in made_through_the_api() if row.project_id == environment.project_id]
    made = generate([server for server in servers(declared, rows) if server.project == project], stack)
    key = spec.key_path(project, environment.name)
    for found in made.services:
        if found.server.key == key:
            service = override.services_text([found]).lstrip("\n")
            return Texts(service, rasa_files.finished(found.endpoints), rasa_files.finished(found.credentials))
    reasons = [str(refusal) for refusal in made.refusals if refusal.server == key]
    reasons += [f"No service of the stack: {item.reason}." for item in made.elsewhere if item.server.key == key]
    return Texts(refused="\n".join(reasons) or f"{environment.name} is not declared in environments.yml any more.")
