"""Two people, or fifty, who promote at the same moment: one tag, one model, one unbroken chain of history."""

import json
import os
import subprocess
import sys
import uuid

import psycopg
import pytest

from tests import services

PEOPLE = 20


@pytest.fixture
def sqlite(tmp_path):
    return f"sqlite:///{tmp_path / 'race.sqlite3'}"


@pytest.fixture
def postgresql():
    name = f"race_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(services.POSTGRESQL_URL, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield services.POSTGRESQL_URL.rpartition("/")[0] + f"/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_promotions_at_the_same_moment_leave_one_unbroken_chain(database, request, tmp_path):
    settings = {
        "DJANGO_SETTINGS_MODULE": "controlplane.settings",
        "DATABASE_URL": request.getfixturevalue(database),
        "CONTROLPLANE_HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "tests.environments.race", str(PEOPLE)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "careless": {"promoted": PEOPLE},
        "careful": {"promoted": 1, "told who": PEOPLE - 1},
        "tags": 1,
        "chain_is_whole": True,
        "rolling_out": 1,
        "audited": True,
    }
