"""What of a folder becomes the bundle: the same files, the same bytes, and no secrets."""

import hashlib
import io
import os
import zipfile

import pytest

from cpctl import packing
from cpctl.failures import Failure
from environments import bundles
from environments.packing import Limits
from tests.projects import tree


@pytest.fixture
def folder(tmp_path):
    for path, text in tree().items():
        write(tmp_path / "bot", path, text)
    return tmp_path / "bot"


def write(folder, path, text="content"):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)


def packed(folder):
    with packing.pack(folder) as found:
        found.file.seek(0)
        return found.file.read()


def names(folder):
    with zipfile.ZipFile(io.BytesIO(packed(folder))) as archive:
        return archive.namelist()


def test_it_is_a_bundle_that_the_control_plane_takes(folder):
    project = bundles.read(io.BytesIO(packed(folder)), Limits())
    assert project.counts["intents"] == 2
    assert set(project.files) == set(tree())


def test_the_same_files_give_the_same_bytes_whenever_and_wherever(folder, tmp_path):
    before = packed(folder)
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    other = tmp_path / "moved"
    folder.rename(other)
    assert packed(other) == before
    # Of this project, on any machine: nothing in it hangs on a library's compression.
    known = "60b1022ba68e6940105b5ae2e547ef06572ecfd28f981024a7789d189d426199"
    assert hashlib.sha256(before).hexdigest() == known


@pytest.mark.parametrize(
    "path",
    [
        "models/20260301-100000.tar.gz",
        "results/intent_report.json",
        ".git/config",
        ".rasa/cache/cache.db",
        ".env",
        "data/.secret.yml",
        "actions/__pycache__/actions.pyc",
        "venv/bin/python",
        "credentials.yml",
        "endpoints.yml",
        "certs/server.pem",
        "keys/id_rsa",
        "production.env",
    ],
)
def test_what_training_does_not_need_stays_out(folder, path):
    write(folder, path)
    assert names(folder) == sorted(tree())


@pytest.mark.parametrize("path", ["actions/actions.py", "data/models/nlu.yml", "tests/test_stories.yml", "lookup.txt"])
def test_all_else_goes_along(folder, path):
    write(folder, path)
    assert path in names(folder)


def test_what_looks_like_a_secret_is_told(folder):
    write(folder, "credentials.yml")
    with packing.pack(folder) as found:
        assert found.left_out == ["credentials.yml"]
        assert found.files == len(tree())


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside.yml"])
def test_a_link_out_of_the_folder_is_refused(folder, target):
    write(folder.parent, "outside.yml")
    (folder / "data" / "link.yml").symlink_to(target if target.startswith("/") else folder.parent / "outside.yml")
    with pytest.raises(Failure, match="link out of the folder"):
        packed(folder)


def test_a_link_to_a_file_of_the_project_is_that_file(folder):
    (folder / "data" / "same.yml").symlink_to(folder / "data" / "nlu.yml")
    with zipfile.ZipFile(io.BytesIO(packed(folder))) as archive:
        assert archive.read("data/same.yml") == (folder / "data" / "nlu.yml").read_bytes()


def test_a_link_to_a_folder_is_refused_as_it_would_be_missed(folder):
    (folder / "more").symlink_to(folder / "data")
    with pytest.raises(Failure, match="more is a link to a folder"):
        packed(folder)


def test_a_folder_without_a_project_is_refused(tmp_path):
    with pytest.raises(Failure, match=r"There is no config\.yml in"):
        packed(tmp_path)
    with pytest.raises(Failure, match="There is no folder"):
        packed(tmp_path / "absent")
