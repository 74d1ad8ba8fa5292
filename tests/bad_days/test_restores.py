"""Bad days of backups and restores: killed in the middle, a full disk, a damaged file, another version."""

import gzip
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests import live
from tests.backups import manifest_of, members_of, rewrite
from tests.bad_days.conftest import database
from tests.disks import as_root

MB = 1024**2
LARGE = 96 * MB
# Three models, one of them large, and a promotion; the installation is as large as a test can wait for.
FILL = f"""
import hashlib, io
from django.utils import timezone
from accounts.actor import COMMAND, system
from accounts.actions import audit_links
from accounts.models import Project
from environments import stores
from environments.actions import promotions
from environments.models import Environment, TrainedModel
project, now = Project.objects.get(), timezone.now()
for name, content in (("small", b"small"), ("other", b"other"), ("large", bytes({LARGE}))):
    sha256 = hashlib.sha256(content).hexdigest()
    with stores.models().receive() as incoming:
        incoming.write(content)
        incoming.commit(sha256)
    model = TrainedModel.objects.create(
        project=project, name=name, hash=sha256, size=len(content), trained_at=now, version="3.6.21",
        registered_by_name="test", metadata={{"domain": {{"intents": ["grüß"], "rate": 0.1}}}},
    )
    promotions.promote(environment=Environment.objects.get(name="production"), model=model, by=system(COMMAND))
audit_links.seal()
"""
SERVED = """
    SELECT tag.name, model.name, environment.frozen_at IS NOT NULL FROM environments_tag tag
    JOIN environments_trainedmodel model ON model.id = tag.model_id
    JOIN environments_environment environment ON environment.name = tag.name
"""
DECLARATION = "rasa: {production: {url: 'http://127.0.0.1:9'}}\n"
# What a version wrote whose tables were those of `environments` 0002: before environments could be frozen.
OLDER = """
import hashlib, json
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from controlplane.backups import rows, taking, versions
from controlplane.backups.container import FORMAT, HEADER, Writer
executor = MigrationExecutor(connection)
graph = executor.loader.graph
leaves = [leaf for leaf in graph.leaf_nodes() if leaf[0] not in ("accounts", "environments")]
targets = [*leaves, ("accounts", "0001_initial"), ("environments", "0002_training")]
migrations = {node for target in targets for node in graph.forwards_plan(target)}
apps = versions.make_tables(migrations)
model = lambda label: apps.get_model(label).objects
now, content = timezone.now(), b"an archive of then"
sha256 = hashlib.sha256(content).hexdigest()
project = model("accounts.Project").create(name="default")
production = model("environments.Environment").create(project=project, name="production", color="#111111")
otter = model("environments.TrainedModel").create(
    project=project, name="otter", hash=sha256, size=len(content), trained_at=now, version="3.6.21",
    registered_by_name="then", promoted_at=now,
)
model("environments.Tag").create(project=project, name="production", model=otter)
model("environments.Promotion").create(
    environment=production, model=otter, status="succeeded", origin="api", by_name="then", created_at=now
)
for number in range(3):
    model("accounts.AuditEvent").create(project=project, actor="then", action="a.b", object="c:d", via="api")
tables = rows.models_of(apps)
header = {
    "format": FORMAT, "made_at": now.isoformat(), "database": "sqlite", "migrations": sorted(migrations),
    "tables": {table: rows.columns_of(each) for table, each in tables.items()}, "with_keys": False,
    "with_archives": True, "installation_key": "",
}
with open("{file}", "wb") as file:
    writer, summary = Writer(file), taking.Summary(now.isoformat())
    writer.add(HEADER, json.dumps(header).encode())
    digests = {
        table: taking.write_table(writer, table, each, summary, lambda text: None) for table, each in tables.items()
    }
    writer.add(f"archives/{sha256}", content)
    writer.finish({"rows": summary.rows, "digests": digests, "audit_head": "", "lacking": []})
"""


def installation(home, **options):
    home.mkdir(exist_ok=True)
    return live.ControlPlane(home, DECLARATION, parts=(), **options)


class Bare:
    """A home without an installation, and what a command says there."""

    def __init__(self, home: Path, **variables: str) -> None:
        home.mkdir(exist_ok=True)
        self.home = home
        (home / "environments.yml").write_text(DECLARATION)
        kept = {name: value for name, value in os.environ.items() if name not in live.FOREIGN}
        own = {"CONTROLPLANE_HOME": str(home), "CONTROLPLANE_ENVIRONMENTS": str(home / "environments.yml")}
        self.environment = kept | own | variables

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=live.ROOT,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def says(self, *arguments: str, status: int = 0) -> str:
        process = self.begin(*arguments)
        out, _ = process.communicate()
        assert process.returncode == status, out
        return out

    def kill_when(self, condition, *arguments: str) -> None:
        """`kill -9` of the command as soon as the condition holds."""
        process = self.begin(*arguments)
        while not condition():
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it had ended before"

    def asks(self, question: str) -> list[tuple[object, ...]]:
        """What the database answers."""
        with closing(sqlite3.connect(f"file:{self.home}/db.sqlite3?mode=ro", uri=True)) as connection:
            return connection.execute(question).fetchall()

    def is_marked(self) -> bool:
        try:
            self.asks("SELECT 1 FROM controlplane_unfinished_restore")
        except sqlite3.OperationalError:
            return False
        return True


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    plane = installation(tmp_path_factory.mktemp("filled"))
    plane.run(FILL)
    return plane


@pytest.fixture(scope="module")
def backup(filled, tmp_path_factory):
    file = tmp_path_factory.mktemp("backup") / "backup.tar"
    filled.manage("backup", str(file))
    return file


def test_it_is_its_owners_alone_and_holds_what_it_says(filled, backup):
    assert backup.stat().st_mode & 0o777 == 0o600
    manifest, members = manifest_of(backup), members_of(backup)
    assert manifest["rows"]["environments_trainedmodel"] == 3
    assert manifest["lacking"] == []
    assert members["keys/secret-key"].decode() == (filled.home / "secret-key").read_text()
    assert sum(name.startswith("archives/") for name in members) == 3


def test_without_keys_and_archives_it_holds_none_and_restores_where_they_are(filled, tmp_path):
    file = tmp_path / "rows.tar"
    filled.manage("backup", str(file), "--without-keys", "--without-archives")
    assert not [name for name in members_of(file) if name.startswith(("keys/", "archives/"))]
    bare = Bare(tmp_path / "home")
    refused = bare.says("restore", str(file), status=1)
    assert "Not one of 3 archives is in" in refused
    (bare.home / "archives").symlink_to(filled.home / "archives")
    told = bare.says("restore", str(file))
    assert "3 models and 0 bundles with the bytes they had" in told
    assert "! Secrets were sealed under another installation key" in told
    assert "installation key" in bare.says("prepare", status=1)


def test_a_backup_that_is_killed_leaves_the_one_before(filled, tmp_path):
    file = tmp_path / "backup.tar"
    filled.manage("backup", str(file), "--without-archives")
    before, unfinished = file.read_bytes(), tmp_path / "backup.tar.unfinished"
    bare = Bare(filled.home)
    bare.kill_when(lambda: unfinished.exists() and unfinished.stat().st_size > MB, "backup", str(file))
    assert file.read_bytes() == before
    filled.manage("backup", str(file))
    assert manifest_of(file)["rows"]["environments_trainedmodel"] == 3
    assert not unfinished.exists()


def test_a_restore_that_is_killed_starts_nothing_and_is_done_again(backup, tmp_path):
    bare = Bare(tmp_path / "home")
    bare.kill_when(bare.is_marked, "restore", str(backup))
    assert "A restore into this database has not ended" in bare.says("prepare", status=1)
    # Once more, while archives come in.
    bare.kill_when(lambda: any((bare.home / "archives").glob("incoming/*")), "restore", str(backup))
    assert bare.is_marked()
    assert "3 models and 0 bundles with the bytes they had" in bare.says("restore", str(backup))
    bare.says("prepare")
    assert bare.asks(SERVED) == [("production", "large", 1)]


def test_a_damaged_backup_is_refused_and_nothing_starts(backup, tmp_path):
    data = backup.read_bytes()
    cut, spoiled = tmp_path / "cut.tar", tmp_path / "spoiled.tar"
    cut.write_bytes(data[: len(data) // 2])
    place = data.index(b"keys/generated.env") + 512
    spoiled.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    bare = Bare(tmp_path / "home")
    assert "The backup is damaged" in bare.says("restore", str(cut), status=1)
    assert "The backup is damaged: keys/generated.env" in bare.says("restore", str(spoiled), status=1)
    assert bare.is_marked()


def test_what_was_changed_in_a_backup_is_found_by_the_audit_trail(backup, tmp_path):
    """Somebody who can write a sound file again can change what it says; not without being noticed."""

    def change(members, manifest):
        (name,) = [name for name in members if name.startswith("tables/accounts_auditevent/")]
        lines = gzip.decompress(members[name]).replace(b"environment.create", b"environment.update")
        members[name] = gzip.compress(lines)
        manifest["digests"]["accounts_auditevent"] = hashlib.sha256(lines).hexdigest()

    changed = tmp_path / "changed.tar"
    rewrite(backup, changed, change)
    told = Bare(tmp_path / "home").says("restore", str(changed))
    assert "! The audit trail: Event" in told
    assert "is not what was sealed" in told


def test_a_full_disk_ends_a_backup_and_a_restore_with_the_reason(filled, backup, small_disk):
    file = small_disk / "backup.tar"
    filled.manage("backup", str(file), "--without-archives")
    before = file.read_bytes()
    refused = Bare(filled.home).says("backup", str(file), status=1)
    assert "No space left on device" in refused
    assert file.read_bytes() == before
    assert sorted(path.name for path in small_disk.iterdir()) == ["backup.tar"]

    bare = Bare(small_disk / "home")
    refused = bare.says("restore", str(backup), status=1)
    assert "No space left on device" in refused
    assert "run this again" in refused
    assert bare.is_marked()
    assert as_root("mount", "-o", "remount,size=400m", str(small_disk))
    assert "Everything is there" in bare.says("restore", str(backup))


def test_a_backup_of_the_version_before_is_brought_to_this_one(tmp_path):
    file = tmp_path / "older.tar"
    then, now = Bare(tmp_path / "then"), Bare(tmp_path / "now")
    then.says("shell", "-v", "0", "-c", OLDER.replace("{file}", str(file)))
    told = now.says("restore", str(file))
    assert "1 models and 0 bundles with the bytes they had, 1 tags" in told
    now.says("prepare")
    assert now.asks(SERVED) == [("production", "otter", 1)]
    assert now.asks("SELECT COUNT(*) FROM accounts_auditevent WHERE actor = 'then'") == [(3,)]
    assert now.asks("SELECT 1 FROM django_migrations WHERE name = '0007_freeze'") == [(1,)]


def test_a_backup_of_a_newer_version_is_refused(backup, tmp_path):
    def change(members, manifest):
        header = json.loads(members["backup.json"])
        header["migrations"].append(["environments", "9999_of_later"])
        members["backup.json"] = json.dumps(header).encode()

    newer = tmp_path / "newer.tar"
    rewrite(backup, newer, change)
    bare = Bare(tmp_path / "home")
    refused = bare.says("restore", str(newer), status=1)
    assert "is of a newer version of the control plane: it has the migration environments 9999_of_later" in refused
    assert not bare.is_marked(), "something was begun"


def test_an_installation_that_is_used_is_not_restored_over(filled, backup):
    refused = Bare(filled.home).says("restore", str(backup), status=1)
    assert "There is an installation in this database, and it is used" in refused
    assert "move " in refused
    assert Bare(filled.home).asks(SERVED) == [("production", "large", 0)]


def test_what_the_first_start_made_and_nobody_used_gives_way(backup, tmp_path):
    bare = Bare(tmp_path / "home")
    bare.says("prepare")
    assert "Everything is there" in bare.says("restore", str(backup))


@pytest.mark.postgresql
def test_a_database_of_something_else_is_left_alone(backup, tmp_path):
    with database() as url:
        bare = Bare(tmp_path / "home", DATABASE_URL=url)
        with psycopg.connect(url, autocommit=True) as theirs:
            theirs.execute("CREATE TABLE theirs ()")
        assert "holds tables of something else (theirs)" in bare.says("restore", str(backup), status=1)
