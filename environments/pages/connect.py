"""What one more Rasa server of an environment needs: its endpoints.yml, and a compose service.

Rasa expands `${VAR}` only in unquoted scalars, and inside `{…}` an unquoted one is a parse error (rasa-facts, 1): so
block style, and no quotes around it.
"""

from dataclasses import dataclass

from environments.models import Environment, ServerCheck
from environments.serving.service_tokens import service_token

DEFAULT_INTERVAL = 10
DEFAULT_RASA = "3.6.21"


@dataclass(frozen=True)
class Snippets:
    """Texts to copy. `variable` is the name of the variable that holds the service token, empty where it is shown."""

    endpoints: str
    command: str
    compose: str
    variable: str


def variable_of(environment: Environment) -> str:
    return f"CONTROLPLANE_TOKEN_{environment.name.upper().replace('-', '_')}"


def endpoints_yml(*, url: str, token: str, interval: float | None) -> str:
    """The `models` block. `token` goes into a header, so that it stays out of the logs of proxies."""
    pulls = "null" if interval is None else f"{interval:g}"
    return (
        "models:\n"
        f"  url: {url}\n"
        "  headers:\n"
        f"    Authorization: Bearer {token}\n"
        "  params:\n"
        "    replica: ${HOSTNAME}\n"
        f"  wait_time_between_pulls: {pulls}\n"
    )


def command(name: str) -> str:
    return (
        f"HOSTNAME={name} rasa run --enable-api --port 5005 \\\n"
        '  --endpoints endpoints.yml --auth-token "$RASA_TOKEN"\n'
    )


def compose_yml(*, name: str, version: str, environment: str, variable: str) -> str:
    """A service for docker-compose.override.yml; compose sets HOSTNAME in the container by itself."""
    passed = f"      {variable}: ${{{variable}}}\n" if variable else ""
    return (
        "services:\n"
        f"  {name}:\n"
        f"    image: rasa/rasa:{version}-full\n"
        "    restart: unless-stopped\n"
        "    command: run --enable-api --port 5005 --endpoints endpoints.yml --auth-token ${RASA_TOKEN}\n"
        "    environment:\n"
        f"      RASA_ENVIRONMENT: {environment}\n"
        f"{passed}"
        "    volumes:\n"
        f"      - ./{environment}/endpoints.yml:/app/endpoints.yml:ro\n"
        "    expose:\n"
        '      - "5005"\n'
    )


def snippets(environment: Environment, public_url: str, *, show_token: bool) -> Snippets:
    variable = "" if show_token else variable_of(environment)
    check = ServerCheck.objects.filter(environment=environment).first()
    number = environment.replicas + 1
    name = f"rasa-{environment.name}-{number}"
    interval = None if environment.pulls_once else environment.pull_interval or DEFAULT_INTERVAL
    return Snippets(
        endpoints=endpoints_yml(
            url=f"{public_url}/api/projects/{environment.project.name}/models/tags/{environment.tag_name}",
            token=service_token(environment) if show_token else f"${{{variable}}}",
            interval=interval,
        ),
        command=command(name),
        compose=compose_yml(
            name=name,
            version=check.version if check and check.version else DEFAULT_RASA,
            environment=environment.name,
            variable=variable,
        ),
        variable=variable,
    )
