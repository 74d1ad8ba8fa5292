"""How Rasa servers are deployed: `deployment`, `endpoints` and `credentials`, which environments.yml may say for all of
them and for those of one environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.nodes import Node, ScalarNode

from environments import deployment_spec, endpoint_spec
from environments.deployment_spec import Deployment
from environments.endpoint_spec import Sections
from environments.yaml_file import Reader


@dataclass(frozen=True)
class Deployed:
    """As far as it is said."""

    deployment: Deployment = field(default_factory=Deployment)
    endpoints: Sections = field(default_factory=dict, hash=False)
    credentials: Sections = field(default_factory=dict, hash=False)

    def over(self, default: "Deployed") -> "Deployed":
        """What is said here, and the default of what is not: a section is taken as a whole."""
        return Deployed(
            self.deployment.over(default.deployment),
            {**default.endpoints, **self.endpoints},
            {**default.credentials, **self.credentials},
        )


_READ: dict[str, Callable[[Reader, Node, str], Any]] = {
    "deployment": deployment_spec.deployment,
    "endpoints": endpoint_spec.endpoints,
    "credentials": endpoint_spec.credentials,
}
KEYS = tuple(_READ)


def deployed(reader: Reader, entries: Mapping[str, Node], prefix: str) -> Deployed:
    """What the entries say; `prefix` is their place in the file, with its dot."""
    nodes = {name: node for name, node in entries.items() if name in _READ}
    return Deployed(**{name: _READ[name](reader, node, f"{prefix}{name}") for name, node in nodes.items()})


def variable_of(node: Node | None) -> str:
    """The name of the variable that a value is and nothing else, empty where it is written out."""
    return deployment_spec.one_variable(node.value) if isinstance(node, ScalarNode) else ""
