"""From a folder to a model: packed, sent, trained, followed; and each way it ends otherwise."""

import threading

import pytest

from tests import live
from tests.cpctl.conftest import ended, interrupt
from tests.fake_rasa import small_archive
from tests.git_servers import TOKEN, USER, Upstream
from tests.projects import tree


def model_named(cpctl, name):
    return [model for model in cpctl("models", "list", "--limit", "500", "--json").json if model["name"] == name]


def test_the_folder_one_is_in_becomes_a_model(cpctl, project_folder):
    (project_folder / "credentials.yml").write_text("rest:\n")
    cpctl.folder = project_folder
    done = cpctl("train", "--name", "trained-otter", "--tag", "nightly", "--wait")
    assert (done.status, done.out) == (0, "trained-otter\n"), done.err
    assert "5 files" in done.err
    assert "left out, as they may hold secrets: credentials.yml" in done.err
    [model] = model_named(cpctl, "trained-otter")
    assert model["tags"] == ["nightly"]
    again = cpctl("train", ".", "--wait", "--json")
    assert again.json["bundle"] == model["bundle"], "the same files are the same bundle"
    assert "there already" in again.err


def test_without_waiting_it_says_how_to_go_on(cpctl, project_folder):
    done = cpctl("train", project_folder)
    number = done.out.strip()
    assert done.status == 0
    assert f"cpctl jobs wait {number}" in done.err
    waited = cpctl("jobs", "wait", number)
    assert (waited.status, waited.out != "") == (0, True), waited.err
    assert number in cpctl("jobs", "list").out
    assert [job["id"] for job in cpctl("jobs", "list", "--status", "succeeded", "--json").json][0:1] == [number]


def test_its_log_comes_while_it_runs_and_can_be_read_again(cpctl, project_folder):
    done = cpctl("train", project_folder, "--wait", "--json")
    assert done.status == 0, done.err
    assert "training" in done.err
    log = cpctl("jobs", "log", done.json["id"])
    assert log.status == 0
    assert log.out.strip()
    assert log.out.strip().splitlines()[0] in done.err
    assert cpctl("jobs", "log", done.json["id"], "--follow", "--json").json["log"] == log.out


def test_another_config_takes_the_place_of_the_projects_own(cpctl, project_folder, worker_rasa):
    config = cpctl.folder / "other.yml"
    config.write_text("language: de\npipeline:\n- name: WhitespaceTokenizer\npolicies: []\n")
    assert cpctl("train", project_folder, "--config", config, "--wait").status == 0
    documents = [body for _, path, _, body in worker_rasa.requests if path == "/model/train"]
    assert b"language: de" in documents[-1]


def test_data_that_cannot_be_trained_on_did_not_succeed_and_says_why(cpctl, project_folder):
    config = cpctl.folder / "other.yml"
    config.write_text("pipeline:\n- name: NoSuchComponent\npolicies: []\n")
    done = cpctl("train", project_folder, "--config", config, "--wait", "--json")
    assert (done.status, done.json["status"]) == (3, "failed")
    assert "no such component" in done.err
    assert "Traceback" not in done.err


def test_a_project_that_is_none_is_refused_before_a_job(cpctl, project_folder):
    (project_folder / "domain.yml").unlink()
    done = cpctl("train", project_folder, "--json")
    assert (done.status, done.json["type"]) == (1, "/problems/bundle-invalid")
    assert "There is no domain" in done.err


@pytest.fixture
def slow(worker_rasa):
    """A training lasts until `slow.set()`, at most a minute."""
    worker_rasa.held = threading.Event()
    yield worker_rasa.held
    worker_rasa.held.set()
    worker_rasa.held = None


def test_ctrl_c_leaves_it_running_and_cancel_ends_it(cpctl, project_folder, slow):
    with cpctl.running("train", project_folder, "--wait") as process:
        live.wait_until(lambda: any("running" in line for line in process.said), 60, "a start of the training")
        interrupt(process)
        done = ended(process)
    assert done.status == 130
    number = done.err.partition("cpctl jobs wait ")[2].split(".")[0]
    assert cpctl("jobs", "list", "--status", "running", "--json").json[0]["id"] == number
    cancelled = cpctl("jobs", "cancel", number)
    assert cancelled.status == 0
    waited = cpctl("jobs", "wait", number, "--json")
    assert (waited.status, waited.json["status"]) == (3, "cancelled")


def test_the_time_that_is_given_is_kept(cpctl, project_folder, slow):
    done = cpctl("train", project_folder, "--wait", "--timeout", "1")
    assert done.status == 4
    assert "cpctl jobs wait" in done.err


def test_a_restart_of_the_control_plane_does_not_end_the_wait(cpctl, control_plane, project_folder, slow):
    with cpctl.running("train", project_folder, "--name", "patient-otter", "--wait") as process:
        live.wait_until(lambda: any("running" in line for line in process.said), 60, "a start of the training")
        control_plane.kill("web")
        live.wait_until(lambda: any("does not answer" in line for line in process.said), 30, "a word of the outage")
        control_plane.start("web")
        slow.set()
        done = ended(process, seconds=120)
    assert (done.status, done.out) == (0, "patient-otter\n"), done.err


def test_the_archive_that_rasa_made_comes_back_by_pull(cpctl, project_folder, worker_rasa):
    worker_rasa.archive, worker_rasa.always_new = small_archive(), False
    try:
        assert cpctl("train", project_folder, "--name", "whole-otter", "--wait").status == 0
    finally:
        worker_rasa.always_new = True
    assert cpctl("models", "pull", "whole-otter").status == 0
    assert (cpctl.folder / "whole-otter.tar.gz").read_bytes() == worker_rasa.archive


@pytest.mark.git
def test_a_git_repository_is_fetched_and_trained_at_a_ref(cpctl, control_plane, git_root, git_server):
    upstream = Upstream(git_root)
    first = upstream.commit(tree())
    upstream.commit({"data/more.yml": "# more\n"})
    repository = {"url": f"{git_server.url}/assistant.git", "username": USER, "token": TOKEN, "name": "assistant"}
    made = control_plane.http.post("/api/v1/repositories/", json=repository)
    assert made.status_code == 201, made.text
    done = cpctl("train", "--repository", "assistant", "--ref", first, "--name", "fetched-otter", "--wait")
    assert (done.status, done.out) == (0, "fetched-otter\n"), done.err
    [model] = model_named(cpctl, "fetched-otter")
    bundle = control_plane.http.get(f"/api/v1/bundles/{model['bundle']}/").json()
    assert (bundle["repository"], bundle["commit"]) == ("assistant", first)
    assert TOKEN not in done.err + done.out


def test_a_ref_without_a_repository_is_wrong_usage(cpctl):
    assert cpctl("train", "--ref", "main").status == 2
    assert cpctl("train", ".", "--bundle", "1").status == 2
