"""The machine is lost: a backup that was made while everything ran brings all of it back on another one."""

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from tests import live
from tests.archives import rasa_archive, sha256

DECLARATION = "rasa: {production: {url: 'http://127.0.0.1:9'}}\n"
NAMES = [f"model-{number}" for number in range(40)]


def back_up(home: Path, backup: Path) -> None:
    """As docs/operations.md says: the database first, then the files."""
    with sqlite3.connect(home / "db.sqlite3") as source, sqlite3.connect(backup / "db.sqlite3") as copy:
        source.backup(copy)
    for connection in (source, copy):
        connection.close()
    for path in home.iterdir():
        if path.is_dir():
            shutil.copytree(path, backup / path.name)
        elif not path.name.startswith("db.sqlite3"):
            shutil.copy2(path, backup / path.name)


def upload_and_promote(control_plane, names):
    for name in names:
        files = {"model": (f"{name}.tar.gz", rasa_archive(name), "application/gzip")}
        assert control_plane.http.post("/api/projects/default/models", files=files).status_code == 201
        url = "/api/v1/environments/production/promotions/"
        assert control_plane.http.post(url, json={"model": name}).status_code == 201


@pytest.fixture
def restored(tmp_path):
    """What was installed, and what came of the backup that was made while people uploaded and promoted."""
    home, backup = tmp_path / "home", tmp_path / "backup"
    home.mkdir()
    backup.mkdir()
    lost = live.ControlPlane(home, DECLARATION)
    busy = threading.Thread(target=upload_and_promote, args=(lost, NAMES))
    busy.start()
    live.wait_until(lambda: lost.http.get("/api/v1/models/").json()["results"], 30, "a first model")
    back_up(home, backup)
    busy.join()
    token = lost.service_token("production")
    lost.stop()
    found = live.ControlPlane(backup, DECLARATION)
    yield token, found
    found.stop()


def test_a_backup_made_while_it_ran_brings_back_a_whole_installation(restored):
    token, found = restored
    models = found.http.get("/api/v1/models/", params={"limit": 500}).json()["results"]
    assert 0 < len(models) <= len(NAMES)
    for model in models:
        archive = found.http.get(f"/api/projects/default/models/{model['name']}").content
        assert sha256(archive) == model["hash"]
    promotions = found.http.get("/api/v1/environments/production/promotions/", params={"limit": 500}).json()["results"]
    chain = [promotion["previous_model"] for promotion in promotions]
    assert chain == [promotion["model"] for promotion in promotions[1:]] + [None]
    # Rasa servers go on with the tokens they have.
    assert found.service_token("production") == token
