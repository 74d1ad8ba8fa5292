"""What the generator is told of one environment, and the names that follow from it."""

import hashlib
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from environments.server_spec import Deployed

DEFAULT_PROJECT = "default"
LONGEST_IDENTIFIER = 63  # of PostgreSQL

_SERVICE = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


@dataclass(frozen=True)
class Server:
    """The Rasa servers of one environment. `key` is where it is declared, `line` in environments.yml, 0 for one made
    through the API; `deployed` has the defaults of the installation in it, `asks` tells whether it says anything of
    its own about how it is deployed."""

    project: str
    name: str
    url: str
    tag: str
    replicas: int = 1
    workers: int = 1
    pull_interval: float | None = None
    pulls_once: bool = False
    has_token: bool = True
    token_variable: str = ""
    jwt_variable: str = ""
    has_jwt_secret: bool = False
    key: str = ""
    line: int = 0
    deployed: Deployed = field(default_factory=Deployed)
    asks: bool = False

    @property
    def label(self) -> str:
        """Unique in the installation: neither name can hold a slash."""
        return self.name if self.project == DEFAULT_PROJECT else f"{self.project}/{self.name}"

    @property
    def word(self) -> str:
        """Its name as the names of variables and databases can hold it. Two environments may come out alike."""
        return self.label.replace("/", "__").replace("-", "_")

    @property
    def service(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80

    @property
    def several(self) -> bool:
        """Whether more than one process answers for it, so that they must share conversations and locks."""
        return self.replicas > 1 or self.workers > 1

    # Names of variables in `.env`; the last two are only of secrets that are not one already.

    @property
    def service_token(self) -> str:
        return f"CONTROLPLANE_TOKEN_{self.word.upper()}"

    @property
    def rasa_token(self) -> str:
        return self.token_variable or f"RASA_TOKEN_{self.word.upper()}"

    @property
    def jwt_secret(self) -> str:
        return self.jwt_variable or (f"JWT_SECRET_{self.word.upper()}" if self.has_jwt_secret else "JWT_SECRET")

    @property
    def database(self) -> str:
        """Of its conversations. Rasa creates it by this name without quotes."""
        return _short(f"rasa_{self.word}", LONGEST_IDENTIFIER)

    @property
    def key_prefix(self) -> str:
        """Of its keys in Redis: Rasa takes letters and digits alone."""
        letters = re.sub("[^a-z0-9]", "", self.word)
        return f"rasa{letters}" if letters == self.word else f"rasa{letters}{_digest(self.word)}"


def _short(name: str, longest: int) -> str:
    """PostgreSQL would cut a longer name, and two of them to the same."""
    return name if len(name) <= longest else f"{name[: longest - 9]}_{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def why_elsewhere(server: Server) -> str:
    """Why its URL is not that of a service of the compose stack, empty if it is."""
    parts = urlsplit(server.url)
    if parts.scheme != "http":
        return "its address is not one of http, which a Rasa server of the stack speaks"
    if not _SERVICE.fullmatch(server.service) or _NUMBER.fullmatch(server.service) or server.service == "localhost":
        return "the host of its address is no name of a service: up to 63 letters, digits, - and _, without dots"
    if parts.path.rstrip("/"):
        return "its address has a path, which a Rasa server does not have"
    return ""
