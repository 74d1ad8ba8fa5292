"""`make env`: the secrets of docker-compose.yml."""

import re
import stat
import subprocess

import pytest

from tests.docker.images import ROOT

COMPOSE = (ROOT / "docker-compose.yml").read_text()
SECRETS = ("PASSWORD", "TOKEN", "SECRET", "KEY", "URL")


@pytest.fixture
def file(tmp_path):
    return tmp_path / ".env"


def make_env(file, **variables):
    return subprocess.run(
        [ROOT / "deploy" / "env.sh", file],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", **variables},
    )


def values_in(file):
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_it_makes_all_that_compose_asks_for_and_environments_yml_names(file):
    assert make_env(file).returncode == 0
    asked = set(re.findall(r"\$\{(\w+):\?", COMPOSE)) | {"RASA_TOKEN", "RASA_X_TOKEN", "JWT_SECRET"}
    made = values_in(file)
    assert {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "RASA_DB_PASSWORD"} <= asked <= made.keys()
    assert made["DATABASE_URL"] == f"postgres://controlplane:{made['POSTGRES_PASSWORD']}@postgres:5432/controlplane"


def test_the_target_of_make_does_so_without_python_and_docker():
    shown = subprocess.run(
        ["make", "-n", "--no-print-directory", "env"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert shown.split() == ["deploy/env.sh"]


def test_secrets_are_long_and_differ_and_the_file_is_private(file):
    make_env(file)
    secrets = [value for name, value in values_in(file).items() if name.endswith(SECRETS[:-1])]
    assert len(set(secrets)) == len(secrets) == 9
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{48}", secret) for secret in secrets)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nothing_secret_is_shown(file):
    done = make_env(file)
    shown = done.stdout + done.stderr
    assert "POSTGRES_PASSWORD" in shown
    assert not [name for name, value in values_in(file).items() if name.endswith(SECRETS) and value in shown]


def test_a_second_run_changes_nothing(file):
    make_env(file)
    before = file.read_bytes()
    assert make_env(file).stdout == f"Nothing is missing in {file}.\n"
    assert file.read_bytes() == before


def test_what_is_there_stays_and_only_what_is_missing_is_added(file):
    file.write_text("# mine\nexport EXTRA=1\nPUBLIC_HOST=control.example.com\nRASA_TOKEN=it's $mine # and stays")
    file.chmod(0o644)
    assert make_env(file, PUBLIC_HOST="elsewhere.example.com").returncode == 0
    text = file.read_text()
    assert text.startswith(
        "# mine\nexport EXTRA=1\nPUBLIC_HOST=control.example.com\nRASA_TOKEN=it's $mine # and stays\n"
    )
    assert text.count("RASA_TOKEN=") == text.count("PUBLIC_HOST=") == 1
    assert "\nPUBLIC_URL=https://control.example.com\n" in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_first_run_takes_the_host_it_is_told(file):
    make_env(file, PUBLIC_HOST="control.example.com")
    assert values_in(file)["PUBLIC_URL"] == "https://control.example.com"
    assert values_in(file)["ALLOWED_HOSTS"].split(",")[:2] == ["control.example.com", "web"]


def test_an_empty_secret_is_told_and_not_filled(file):
    file.write_text("REDIS_PASSWORD=\nCACHE_URL=redis://elsewhere\nBROKER_URL=redis://elsewhere\n")
    done = make_env(file)
    assert done.returncode == 1
    assert "REDIS_PASSWORD" in done.stderr
    assert values_in(file)["REDIS_PASSWORD"] == ""


def test_a_password_that_a_url_cannot_hold_as_it_is_is_told(file):
    file.write_text("POSTGRES_PASSWORD=p@ss\n")
    done = make_env(file)
    assert done.returncode == 1
    assert "write DATABASE_URL too" in done.stderr
    assert "p@ss" not in done.stdout + done.stderr
    file.write_text(file.read_text() + "DATABASE_URL=postgres://controlplane:p%40ss@postgres:5432/controlplane\n")
    assert make_env(file).returncode == 0


def test_nothing_is_written_beside_it(file):
    make_env(file)
    assert [path.name for path in file.parent.iterdir()] == [".env"]
