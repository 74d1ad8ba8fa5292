"""System checks of the configuration: each wrong value has an id, the problem and the cure (docs/configuration.md)."""

import stat
from collections.abc import Iterator, Sequence
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http.request import validate_host

from accounts import proxies
from environments import addresses
from workers import machine_accounts

DATABASES = ("django.db.backends.sqlite3", "controlplane.postgresql")
BROKERS = ("filesystem", "redis", "rediss", "amqp", "amqps")
COUNTS = (
    "WEB_PROCESSES",
    "MAX_MODEL_BYTES",
    "MAX_MODEL_UNPACKED_BYTES",
    "MAX_MODEL_ENTRIES",
    "MAX_METADATA_BYTES",
    "MAX_BUNDLE_BYTES",
    "MAX_DOWNLOADS",
    "MAX_UPLOADS",
    "MAX_WAITS",
    "MAX_CHATS",
    "MAX_BODIES",
    "MAX_TRAININGS",
    "MAX_EVALUATIONS",
    "MAX_FETCHES",
    "MAX_JOB_LOG_CHARACTERS",
    "MAX_SIGN_INS",
    "SESSION_DAYS",
)
RUNTIMES = ("server", "command", "container")
SHORTEST_KEY = 32
# A day.
LONGEST_ALERT_AFTER = 24 * 60
TOKEN_PREFIXES = ("cpt_", "cps_")


def check_configuration(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    return [
        *_cache(),
        *_counts(),
        *_public_url(),
        *_database(),
        *_broker(),
        *_trusted_proxies(),
        *_secrets(),
        *_engine(),
        *_training(),
        *_notifications(),
    ]


def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """What only `check --deploy` asks."""
    return [*_without_tls()]


def _without_tls() -> Iterator[CheckMessage]:
    if settings.PUBLIC_URL.startswith("http:") and not _is_loopback(urlsplit(settings.PUBLIC_URL).hostname or ""):
        yield Warning(
            "PUBLIC_URL begins with http: passwords, tokens and sessions cross the network in the clear.",
            hint="Put a proxy that ends TLS in front, name its address in TRUSTED_PROXIES, and write https:// in "
            "PUBLIC_URL.",
            id="controlplane.W002",
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = proxies.address(host)
    return address is not None and address.is_loopback


def _cache() -> Iterator[CheckMessage]:
    backend = settings.CACHES["default"]["BACKEND"]
    if backend.endswith("DummyCache"):
        yield Error(
            "CACHE_URL names a cache that keeps nothing, and the ledger of replicas lives in it.",
            hint="Name a Redis server, redis://host:6379/0, or leave CACHE_URL out for one web process.",
            id="controlplane.E001",
        )
    if settings.WEB_PROCESSES > 1 and backend.endswith("LocMemCache"):
        yield Error(
            f"WEB_PROCESSES is {settings.WEB_PROCESSES}, and without a shared cache each would know its own replicas.",
            hint="Name a Redis server in CACHE_URL, redis://host:6379/0, or leave WEB_PROCESSES out.",
            id="controlplane.E001",
        )


def _counts() -> Iterator[CheckMessage]:
    for name in COUNTS:
        if getattr(settings, name) < 1:
            yield Error(f"{name} is below 1.", hint="Give a whole number from 1 on.", id="controlplane.E002")


def _public_url() -> Iterator[CheckMessage]:
    try:
        parts = urlsplit(settings.PUBLIC_URL)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or "?" in settings.PUBLIC_URL or "#" in settings.PUBLIC_URL:
        yield Error(
            "PUBLIC_URL is not the address of a web site.",
            hint="Write the address under which people and Rasa servers reach it: https://control.example.com",
            id="controlplane.E003",
        )
    elif not validate_host(parts.hostname or "", settings.ALLOWED_HOSTS):
        yield Warning(
            f"PUBLIC_URL has the host {parts.hostname}, which ALLOWED_HOSTS does not allow.",
            hint=f"Add {parts.hostname} to ALLOWED_HOSTS.",
            id="controlplane.W001",
        )


def _database() -> Iterator[CheckMessage]:
    if settings.DATABASES["default"]["ENGINE"] not in DATABASES:
        yield Error(
            "DATABASE_URL names a database that is not supported.",
            hint="Use postgres://user:password@host:5432/name, or leave it out for SQLite.",
            id="controlplane.E004",
        )


def _broker() -> Iterator[CheckMessage]:
    if settings.CELERY_BROKER_URL.partition(":")[0] not in BROKERS:
        yield Error(
            "BROKER_URL names a broker that is not supported.",
            hint="Use redis://host:6379/1 or amqp://user:password@host:5672//, or leave it out for the embedded one.",
            id="controlplane.E005",
        )


def _trusted_proxies() -> Iterator[CheckMessage]:
    names = [proxy for proxy in settings.TRUSTED_PROXIES if proxies.network(proxy) is None]
    if names:
        yield Error(
            f"TRUSTED_PROXIES holds what is no IP address or network: {', '.join(names)}.",
            hint="List the proxies themselves, apart by commas, or the smallest network that they alone are in: "
            "10.0.0.5,172.30.7.0/29",
            id="controlplane.E006",
        )


def _secrets() -> Iterator[CheckMessage]:
    if len(settings.SECRET_KEY) < SHORTEST_KEY:
        yield Error(
            f"CONTROLPLANE_SECRET_KEY is shorter than {SHORTEST_KEY} characters: its tokens can be guessed.",
            hint="Leave it out, and the first start makes one; or take the output of `openssl rand -base64 48`.",
            id="controlplane.E007",
        )
    if any(len(key) < SHORTEST_KEY for key in settings.SECRET_KEY_FALLBACKS):
        yield Error(
            f"CONTROLPLANE_SECRET_KEY_FALLBACKS holds a key shorter than {SHORTEST_KEY} characters, which was none.",
            hint="List whole earlier values of CONTROLPLANE_SECRET_KEY, apart by commas.",
            id="controlplane.E009",
        )
    if settings.RASA_X_TOKEN.startswith(TOKEN_PREFIXES):
        yield Error(
            "RASA_X_TOKEN begins like another kind of token (cpt_, cps_) and would be taken for it.",
            hint="Choose another value, or leave it out, and the first start makes one.",
            id="controlplane.E008",
        )


def _notifications() -> Iterator[CheckMessage]:
    wrong = [text for text in settings.WEBHOOK_ALLOWED_NETWORKS if addresses.network(text) is None]
    if wrong:
        yield Error(
            f"WEBHOOK_ALLOWED_NETWORKS holds what is no network: {', '.join(wrong)}.",
            hint="List networks or addresses, apart by commas: 10.1.0.0/16,192.168.7.5",
            id="controlplane.E010",
        )
    try:
        validate_email(parseaddr(settings.DEFAULT_FROM_EMAIL)[1].replace("@localhost", "@localhost.localdomain"))
    except ValidationError:
        yield Error(
            "DEFAULT_FROM is no address of e-mail.",
            hint="Write the sender of notifications: Control Plane <controlplane@example.com>",
            id="controlplane.E011",
        )
    if not 0 < settings.ALERT_AFTER_MINUTES <= LONGEST_ALERT_AFTER:
        yield Error(
            f"ALERT_AFTER_MINUTES is not between 0 and {LONGEST_ALERT_AFTER}.",
            hint="Give the minutes that an environment may be in trouble before that is told: 5",
            id="controlplane.E012",
        )


def _engine() -> Iterator[CheckMessage]:
    url = settings.CONTROLPLANE_DOCKER_URL
    if url and not url.startswith(("unix:///", "tcp://")):
        yield Error(
            "CONTROLPLANE_DOCKER_URL is not the address of a container engine.",
            hint="Write a socket, unix:///var/run/docker.sock, or a socket proxy, tcp://socket-proxy:2375. Leave it "
            "out to ask no engine.",
            id="controlplane.E020",
        )


def _training() -> Iterator[CheckMessage]:
    if settings.TRAINING_RUNTIME not in RUNTIMES:
        yield Error(
            "TRAINING_RUNTIME is neither server nor command nor container.",
            hint="Leave it out to train by the Rasa servers of training environments, or write command for a local "
            "rasa executable, or container for containers of TRAINING_IMAGE.",
            id="controlplane.E022",
        )
    if settings.TRAINING_MEMORY_BYTES < 0:
        yield Error("TRAINING_MEMORY_BYTES is below 0.", hint="Give bytes, or 0 for any.", id="controlplane.E023")
    if settings.TRAINING_RUNTIME == "command":
        yield from _local_rasa()
    if settings.TRAINING_RUNTIME == "container" and not settings.CONTROLPLANE_DOCKER_URL:
        yield Error(
            "TRAINING_RUNTIME is container, and no engine is named that would run them.",
            hint="Name it in CONTROLPLANE_DOCKER_URL: unix:///var/run/docker.sock, or a socket proxy.",
            id="controlplane.E021",
        )


def _local_rasa() -> Iterator[CheckMessage]:
    """Warnings: of several machines of one installation, only that of the training worker needs a Rasa."""
    try:
        account = machine_accounts.chosen(settings.TRAINING_USER)
    except machine_accounts.NoAccount as error:
        yield Warning(
            f"{error} No training can run here.",
            hint="Name a user of this machine in TRAINING_USER, and start the training worker as root.",
            id="controlplane.W003",
        )
        return
    if not machine_accounts.can_run(settings.RASA_COMMAND, account):
        who = account.name if account else "the user of the control plane"
        yield Warning(
            f"TRAINING_RUNTIME is command, and {who} cannot run {settings.RASA_COMMAND} here.",
            hint="Run `manage.py install_rasa`, or name an executable in RASA_COMMAND. All folders above it and above "
            "its Python must be open to that user: CONTROLPLANE_RASA_HOME=/opt/rasa, and a Python outside of /root.",
            id="controlplane.W004",
        )
    if account is None:
        yield Warning(
            "Trainings run as the user of the control plane: a config.yml, which can name any Python module, reaches "
            "its database and keys.",
            hint="Start the training worker as root, with a user without rights in TRAINING_USER; or give "
            "training.write only to whom you would give the machine.",
            id="controlplane.W005",
        )
    elif stat.S_IMODE(settings.CONTROLPLANE_HOME.stat().st_mode) & 0o007:
        yield Warning(
            f"Everybody on this machine may enter {settings.CONTROLPLANE_HOME}, and so may trainings.",
            hint=f"Close it: chmod 700 {settings.CONTROLPLANE_HOME}",
            id="controlplane.W006",
        )
