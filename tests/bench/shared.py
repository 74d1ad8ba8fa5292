"""A PostgreSQL database and a corner of Redis for one installation, gone afterwards."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import redis

from tests import services


@contextmanager
def database_and_cache() -> Iterator[dict[str, str]]:
    """The variables that name them."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(services.POSTGRESQL_URL, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            database = services.POSTGRESQL_URL.rpartition("/")[0] + f"/{name}"
            yield {"DATABASE_URL": database, "CACHE_URL": f"{services.REDIS_URL}?key_prefix={name}"}
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
            _forget(name)


def _forget(prefix: str) -> None:
    with redis.Redis.from_url(services.REDIS_URL) as client:
        for key in client.scan_iter(f"{prefix}*"):
            client.delete(key)
