"""The machine is lost: a backup that was taken while everything ran brings all of it back on another one, and no server
changes its model by that."""

import threading
from itertools import cycle

import pytest

from tests import live
from tests.archives import rasa_archive, sha256
from tests.backups import manifest_of
from tests.bad_days.conftest import database
from tests.polling import INSTALLATION_TOKEN, Polling, Replica

DECLARATION = "rasa: {production: {url: 'http://127.0.0.1:9', replicas: 2, pull_interval: 1}}\n"
VARIABLES = {"RASA_X_TOKEN": INSTALLATION_TOKEN}
PRODUCTION = "/api/v1/environments/production/"
LATE = rasa_archive("uploaded-after-the-backup")
FORGET_THAT_IT_RAN = """
from environments.models import Instance, Listening
for model in (Instance, Listening):
    model.objects.all().delete()
"""
# What a restore does not touch: the same in every database.
SAME = (
    "accounts_auditlink",
    "accounts_role",
    "accounts_sealingkey",
    "accounts_user",
    "auth_permission",
    "django_content_type",
    "environments_bundle",
    "environments_promotion",
    "environments_proof",
    "environments_replica",
    "environments_tag",
    "environments_trainedmodel",
    "guardian_groupobjectpermission",
)


def upload(plane, name, archive):
    files = {"model": (f"{name}.tar.gz", archive, "application/gzip")}
    answer = plane.http.post("/api/projects/default/models", files=files)
    assert answer.status_code == 201, answer.text


def promote(plane, name):
    answer = plane.http.post(f"{PRODUCTION}promotions/", json={"model": name})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def work(plane, over):
    """Upload and promote as long as nobody says stop."""
    for number in range(200):
        if over.is_set():
            return
        upload(plane, f"model-{number}", rasa_archive(f"model-{number}"))
        promote(plane, f"model-{number}")


def hashes_of(plane):
    models = plane.http.get("/api/v1/models/", params={"limit": 500}).json()["results"]
    return {model["name"]: model["hash"] for model in models}


def newest(plane):
    """The model and the state of the newest promotion."""
    promotion = plane.http.get(f"{PRODUCTION}promotions/", params={"limit": 1}).json()["results"][0]
    return promotion["model"], promotion["status"]


class Lost:
    """What was, and the backup that was taken of it."""

    def __init__(self, folder):
        home, self.backup = folder / "home", folder / "backup.tar"
        home.mkdir()
        self.plane = live.ControlPlane(home, DECLARATION, variables=VARIABLES)
        self.replicas = [Replica([self.plane.url], name=f"rasa-{number}") for number in (1, 2)]
        self._back_up()
        self.models = hashes_of(self.plane)
        self.service_token = self.plane.service_token("production")
        # What came after the backup: its servers have what it does not know.
        upload(self.plane, "late", LATE)
        promote(self.plane, "late")
        for replica in self.replicas:
            replica.load()
        self.plane.stop()

    def _back_up(self):
        over = threading.Event()
        busy = threading.Thread(target=work, args=(self.plane, over))
        with Polling(self.replicas, 0.2):
            busy.start()
            live.wait_until(lambda: all(replica.model for replica in self.replicas), 60, "a first model everywhere")
            self.plane.run("from accounts.actions import audit_links; audit_links.seal()")
            self.plane.manage("backup", str(self.backup))
            over.set()
            busy.join()


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    found = Lost(tmp_path_factory.mktemp("lost"))
    yield found
    found.plane.stop()


@pytest.fixture
def restore(lost, tmp_path):
    """Restore the backup on an empty machine, and start it."""
    started = []

    def restore(**variables):
        home = tmp_path / f"home-{len(started)}"
        home.mkdir()
        started.append(live.ControlPlane(home, DECLARATION, variables={**VARIABLES, **variables}, backup=lost.backup))
        return started[-1]

    yield restore
    for plane in started:
        plane.stop()


def is_whole(plane, lost):
    """Every model has its bytes, every promotion its place, and the audit trail is as it was sealed."""
    models = hashes_of(plane)
    assert models.items() <= lost.models.items()
    assert f"{len(models)} models and 0 bundles with the bytes they had" in plane.restored
    assert "!" not in plane.restored
    for name, expected in models.items():
        assert sha256(plane.http.get(f"/api/projects/default/models/{name}").content) == expected
    promotions = plane.http.get(f"{PRODUCTION}promotions/", params={"limit": 500}).json()["results"]
    chain = [promotion["previous_model"] for promotion in promotions]
    assert chain == [promotion["model"] for promotion in promotions[1:]] + [None]
    environment = plane.http.get(PRODUCTION).json()
    assert environment["model"]["name"] == promotions[0]["model"]
    head = manifest_of(lost.backup)["audit_head"]
    assert plane.manage("verify_audit", "--head", head).strip()
    # Rasa servers go on with the tokens they have.
    assert plane.service_token("production") == lost.service_token
    return models


def told_of(plane, archive):
    """The servers that are said to have an archive that is not known."""
    serves = plane.http.get(PRODUCTION).json()["frozen"]["serves"]
    return {
        name for served in serves if (served["hash"], served["model"]) == (archive, None) for name in served["replicas"]
    }


def test_a_backup_taken_under_load_brings_back_all_of_it_and_no_server_changes_its_model(restore, lost):
    plane = restore()
    models = is_whole(plane, lost)
    empty = Replica([plane.url], name="rasa-1")
    for replica in lost.replicas:
        replica.urls = cycle([plane.url])
        replica.answers.clear()
    with Polling(lost.replicas, 0.2):
        live.wait_until(lambda: {"rasa-1", "rasa-2"} == told_of(plane, sha256(LATE)), 30, "word of what servers have")
        assert f"an archive that the backup does not know (SHA-256 {sha256(LATE)})" in plane.manage("status")
    assert {replica.model for replica in lost.replicas} == {sha256(LATE)}
    assert {answer.status for replica in lost.replicas for answer in replica.answers} == {304}
    # One that starts with nothing gets what was proved last, as far as the backup knows.
    empty.load()
    assert empty.model in models.values()
    lost.replicas[0].poll()

    refused = plane.http.post(f"{PRODUCTION}promotions/", json={"model": min(models)})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/environment-frozen")

    upload(plane, "late", LATE)
    resumed = plane.http.post(f"{PRODUCTION}resume/", json={"model": "late", "reason": "the servers have it"})
    assert (resumed.status_code, resumed.json()["frozen"]) == (200, None)
    with Polling(lost.replicas, 0.2):
        live.wait_until(lambda: newest(plane) == ("late", "succeeded"), 30, "proof of what is kept")
    assert {answer.status for replica in lost.replicas for answer in replica.answers} == {304}
    # All goes on as before.
    promote(plane, min(models))
    for replica in lost.replicas:
        replica.load()
    assert {replica.model for replica in lost.replicas} == {models[min(models)]}


@pytest.mark.postgresql
def test_it_moves_from_one_database_to_the_other_and_back(restore, lost, tmp_path):
    with database() as url:
        plane = restore(DATABASE_URL=url)
        is_whole(plane, lost)
        # New rows come after those that there were.
        promoted = plane.http.post(f"{PRODUCTION}resume/", json={"model": None})
        assert promoted.status_code == 200
        back = tmp_path / "back.sqlite3"
        plane.environment["NEW_DATABASE_URL"] = f"sqlite:///{back}"
        with pytest.raises(AssertionError, match="runs on this database, or ended less than"):
            plane.manage("move_database")
        plane.stop()
        plane.run(FORGET_THAT_IT_RAN)
        moved = plane.manage("move_database")
        assert "Now name the new database in DATABASE_URL" in moved
        before, after = tmp_path / "before.tar", tmp_path / "after.tar"
        plane.manage("backup", str(before))
        plane.environment["DATABASE_URL"] = f"sqlite:///{back}"
        plane.manage("backup", str(after))
        assert "frozen" not in plane.manage("status", "--json").replace('"frozen": false', "")
    digests = [manifest_of(file)["digests"] for file in (before, after)]
    changed = {table for table, digest in digests[0].items() if digests[1][table] != digest}
    assert changed == {"accounts_auditevent"}
    first = manifest_of(lost.backup)["digests"]
    assert {table for table in SAME if first[table] != digests[1][table]} == {
        # What was decided meanwhile, and its servers' polls.
        "environments_promotion",
        "environments_tag",
    }
