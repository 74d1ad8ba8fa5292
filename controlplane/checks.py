"""System checks of the configuration: each wrong value has an id, the problem and the cure (docs/configuration.md)."""

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.http.request import validate_host

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
)
SHORTEST_KEY = 32
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
    ]


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


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _trusted_proxies() -> Iterator[CheckMessage]:
    names = [proxy for proxy in settings.TRUSTED_PROXIES if not _is_address(proxy)]
    if names:
        yield Error(
            f"TRUSTED_PROXIES holds what is no IP address: {', '.join(names)}.",
            hint="List the addresses of the proxies themselves, apart by commas: 10.0.0.5,10.0.0.6",
            id="controlplane.E006",
        )


def _secrets() -> Iterator[CheckMessage]:
    if len(settings.SECRET_KEY) < SHORTEST_KEY:
        yield Error(
            f"CONTROLPLANE_SECRET_KEY is shorter than {SHORTEST_KEY} characters: its tokens can be guessed.",
            hint="Leave it out, and the first start makes one; or take the output of `openssl rand -base64 48`.",
            id="controlplane.E007",
        )
    if settings.RASA_X_TOKEN.startswith(TOKEN_PREFIXES):
        yield Error(
            "RASA_X_TOKEN begins like another kind of token (cpt_, cps_) and would be taken for it.",
            hint="Choose another value, or leave it out, and the first start makes one.",
            id="controlplane.E008",
        )
