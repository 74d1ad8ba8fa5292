"""What one more Rasa server of an environment needs: its endpoints.yml, and how it is started."""

from dataclasses import dataclass
from itertools import count
from urllib.parse import urlsplit

from environments.compose import rasa_files
from environments.compose.servers import Server
from environments.models import Environment
from environments.serving.service_tokens import service_token

# That of `rasa run`, where the declared URL names none.
RASA_PORT = 5005


@dataclass(frozen=True)
class Snippets:
    """Texts to copy. `variable` is the name of the variable that holds the service token, empty where it is shown."""

    endpoints: str
    command: str
    compose: str
    variable: str


def variable_of(environment: Environment) -> str:
    server = Server(environment.project.name, environment.name, environment.url, environment.tag_name)
    return server.service_token


def command(name: str, port: int) -> str:
    return (
        f"HOSTNAME={name} rasa run --enable-api --port {port} \\\n"
        '  --endpoints endpoints.yml --auth-token "${RASA_TOKEN:?is not set}"\n'
    )


def _name_of_one_more(environment: Environment) -> str:
    """One that no server has: two of one name count as one."""
    taken = set(environment.replica_set.values_list("name", flat=True))
    return next(name for n in count(1) if (name := f"rasa-{environment.name}-{n}") not in taken)


COMPOSE = "manage.py compose --write --env\ndocker compose up -d\n"


def snippets(environment: Environment, public_url: str, *, show_token: bool) -> Snippets:
    variable = "" if show_token else variable_of(environment)
    models = rasa_files.models(
        url=public_url,
        project=environment.project.name,
        tag=environment.tag_name,
        environment=environment.name,
        token=service_token(environment) if show_token else f"${{{variable}}}",
        interval=rasa_files.interval(environment.pull_interval, pulls_once=environment.pulls_once),
    )
    return Snippets(
        endpoints=rasa_files.section_text("models", models),
        command=command(_name_of_one_more(environment), urlsplit(environment.url).port or RASA_PORT),
        compose=COMPOSE,
        variable=variable,
    )
