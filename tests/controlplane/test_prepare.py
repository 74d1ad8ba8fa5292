"""`manage.py prepare`: what `make setup` and every start call."""

import os
import signal
import stat
import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEvent, SealingKey
from environments.models import Environment
from tests.bad_days.conftest import database
from tests.live import ROOT

pytestmark = pytest.mark.django_db


def test_it_migrates_and_makes_what_is_missing(settings, tmp_path):
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "environments.yml"
    settings.CONTROLPLANE_ENVIRONMENTS.write_text("rasa: {production: {url: 'http://p:1'}}")
    out = StringIO()
    call_command("prepare", stdout=out)
    assert "created default/production" in out.getvalue()
    assert Environment.objects.count() == 1


def test_a_bad_file_at_the_first_start_is_an_error(settings, tmp_path):
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "missing.yml"
    with pytest.raises(CommandError, match=r"missing\.yml cannot be read"):
        call_command("prepare", stdout=StringIO())


def test_the_committed_file_is_valid_with_the_variables_that_are_made(settings):
    settings.CONTROLPLANE_ENVIRONMENTS = settings.BASE_DIR / "environments.yml"
    settings.VARIABLES = {}
    call_command("prepare", stdout=StringIO())
    made = list(Environment.objects.select_related("follows"))
    assert [(row.name, row.url, row.follows and row.follows.name) for row in made] == [
        ("production", "http://rasa-production:5005", None),
        ("experimental", "http://rasa-experimental:5005", None),
        ("worker", "http://rasa-worker:5005", "production"),
    ]
    assert all(row.rasa_token for row in made)


def test_the_database_is_its_owners_alone_whoever_made_it(tmp_path):
    database = tmp_path / "home" / "db.sqlite3"
    environment = {"CONTROLPLANE_HOME": str(database.parent), "DATABASE_URL": f"sqlite:///{database}"}
    command = [sys.executable, "manage.py", "prepare"]
    for _ in range(2):
        subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
        files = list(database.parent.glob("db.sqlite3*"))
        assert files
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700
        # As earlier versions made it.
        database.chmod(0o644)


def test_a_database_in_memory_leaves_no_file(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "environments.yml"
    settings.CONTROLPLANE_ENVIRONMENTS.write_text("rasa: {}")
    call_command("prepare", stdout=StringIO())
    assert not list(tmp_path.glob("*memory*"))


OTHER_KEY = "an installation key that nobody else has, and long"


def test_under_another_installation_key_nothing_is_changed_until_a_person_says_that_it_is_lost(settings, tmp_path):
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "environments.yml"
    settings.CONTROLPLANE_ENVIRONMENTS.write_text("rasa: {production: {url: 'http://p:1', token: of-the-server}}")
    call_command("prepare", stdout=StringIO())
    sealed, keys = Environment.objects.get().sealed_rasa_token, SealingKey.objects.count()
    settings.SECRET_KEY = OTHER_KEY
    for command in ("prepare", "sync_environments"):
        with pytest.raises(CommandError, match=r"another installation key.*--key-is-lost"):
            call_command(command, stdout=StringIO())
    assert (Environment.objects.get().sealed_rasa_token, SealingKey.objects.count()) == (sealed, keys)
    call_command("prepare", "--key-is-lost", stdout=StringIO())
    assert Environment.objects.get().rasa_token == "of-the-server"
    call_command("prepare", stdout=StringIO())
    event = AuditEvent.objects.get(action="keys.lost")
    assert event.before["installation_key"] != event.after["installation_key"]


def test_saying_so_where_nothing_is_lost_changes_nothing(settings, tmp_path):
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "environments.yml"
    settings.CONTROLPLANE_ENVIRONMENTS.write_text("rasa: {}")
    call_command("prepare", "--key-is-lost", stdout=StringIO())
    assert not AuditEvent.objects.filter(action="keys.lost").exists()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_database(request, tmp_path):
    """The variables of an installation whose database has no table yet."""
    variables = {"CONTROLPLANE_HOME": str(tmp_path / "home"), "CONTROLPLANE_ENVIRONMENTS": str(tmp_path / "none.yml")}
    (tmp_path / "none.yml").write_text("rasa: {}")
    if request.param == "sqlite":
        yield variables
        return
    with database() as url:
        yield variables | {"DATABASE_URL": url}


def test_several_starts_at_once_wait_for_each_other(empty_database):
    command = [sys.executable, "manage.py", "prepare"]
    environment = os.environ | empty_database
    starts = [
        subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [start.communicate(timeout=300) for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], said
    assert sum("The administrator admin has the password" in out for out, _ in said) == 1
    assert sum("waiting for it" in out for out, _ in said) == 2


@pytest.mark.postgresql
def test_a_start_that_is_killed_while_it_prepares_holds_up_nobody(tmp_path):
    with database() as url:
        environment = os.environ | {"CONTROLPLANE_HOME": str(tmp_path), "DATABASE_URL": url}
        command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", HOLD]
        holder = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert holder.stdout.readline() == "held\n"
        command = [sys.executable, "manage.py", "prepare"]
        waiting = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert "waiting for it" in waiting.stdout.readline()
        holder.kill()
        waiting.communicate(timeout=120)
        assert (holder.wait(), waiting.returncode) == (-signal.SIGKILL, 0)
        holder.stdout.close()


HOLD = """
import time
from controlplane import schema
with schema.alone(say=print):
    print("held", flush=True)
    time.sleep(600)
"""
