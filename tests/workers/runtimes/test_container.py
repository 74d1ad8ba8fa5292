"""Training in a container: what it is made with, how it ends, and that nothing of it stays."""

import threading
import time

import pytest

from environments.clients.docker.runs import Runs
from environments.errors import TrainingFailed, TrainingUnavailable
from environments.models import Job
from tests import engines
from tests.factories import JobFactory
from tests.live import wait_until
from tests.told import Told
from tests.workers.runtimes.containers import MODEL, of_containers, rasa_in_a_container
from tests.workers.runtimes.local_rasa import ARCHIVE
from tests.workers.runtimes.test_contract import project
from workers.runtimes import chosen, containers

FOREVER = "60"


class Over(Exception):
    """Why a run is over."""


def train(runtime, watch=None):
    with runtime.train(project(), "", watch or Told()) as archive:
        return archive.filename, archive.read(10**6)


def test_it_gets_no_network_no_rights_and_nothing_to_write_to_but_its_folder(fake_docker, tmp_path):
    fake_docker.behaviour = rasa_in_a_container
    limits = {"memory": 2 * 1024**3, "cpus": 1.5, "processes": 64}
    assert train(of_containers(fake_docker, tmp_path, passed_on={"RASA_LICENSE": "x"}, **limits))[1] == ARCHIVE
    [asked] = fake_docker.created
    host = asked["HostConfig"]
    assert asked["NetworkDisabled"] is True
    assert asked["User"] == "10001:10001"
    assert asked["Entrypoint"] == ["rasa"]
    assert asked["Cmd"][:2] == ["train", "--config"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (
        2**31,
        2**31,
        1_500_000_000,
        64,
    )
    assert not host.get("Binds")
    assert "RASA_LICENSE=x" in asked["Env"]
    assert not [item for item in asked["Env"] if item.startswith(("PATH=", "CONTROLPLANE", "RASA_X_TOKEN"))]
    assert fake_docker.containers == {}


def test_nothing_is_left_in_the_workers_folder(fake_docker, tmp_path):
    fake_docker.behaviour = rasa_in_a_container
    train(of_containers(fake_docker, tmp_path))
    assert list((tmp_path / "training").iterdir()) == []


def test_an_image_that_is_missing_is_told_with_the_command(fake_docker, tmp_path):
    with pytest.raises(
        TrainingUnavailable, match=r"no image rasa/rasa:9 on the engine. Pull it: docker pull rasa/rasa:9"
    ):
        train(of_containers(fake_docker, tmp_path, image="rasa/rasa:9"))


def test_an_engine_that_is_away_is_told(fake_docker, tmp_path):
    fake_docker.override = (503, b"")
    with pytest.raises(TrainingUnavailable, match="No container could be made"):
        train(of_containers(fake_docker, tmp_path))


@pytest.mark.parametrize(("code", "sentence"), [(137, "killed by the signal 9"), (134, "killed by the signal 6")])
def test_a_signal_is_no_fault_of_the_data(fake_docker, tmp_path, code, sentence):
    fake_docker.behaviour = lambda program: code
    with pytest.raises(TrainingUnavailable, match=sentence):
        train(of_containers(fake_docker, tmp_path))


def test_want_of_memory_is_told_by_the_engine(fake_docker, tmp_path):
    def behaviour(program):
        for container in fake_docker.containers.values():
            container.out_of_memory = True
        return 137

    fake_docker.behaviour = behaviour
    with pytest.raises(TrainingUnavailable, match="more than the 1000 bytes of memory of TRAINING_MEMORY_BYTES"):
        train(of_containers(fake_docker, tmp_path, memory=1000))


def test_an_end_without_a_model_is_a_failure_in_rasas_words(fake_docker, tmp_path):
    def behaviour(program):
        program.say(b"\x1b[91mNo training data given.\x1b[0m\n")
        return 0

    fake_docker.behaviour = behaviour
    with pytest.raises(TrainingFailed, match="No training data given"):
        train(of_containers(fake_docker, tmp_path))


def test_more_than_may_be_left_is_refused(fake_docker, tmp_path):
    def behaviour(program):
        program.files[MODEL] = b"x" * 200_000
        return 0

    fake_docker.behaviour = behaviour
    with pytest.raises(TrainingFailed, match="larger than 100000 bytes"):
        train(of_containers(fake_docker, tmp_path, largest=100_000))


def test_a_log_that_breaks_off_is_followed_on(fake_docker, tmp_path):
    """As by a proxy's limit of time: the run goes on, and no line is lost."""
    fake_docker.breaks = 2

    def behaviour(program):
        for number in range(4):
            program.say(f"line {number}\n".encode())
            time.sleep(0.5)
        return rasa_in_a_container(program)

    fake_docker.behaviour = behaviour
    watch = Told()
    assert train(of_containers(fake_docker, tmp_path), watch)[1] == ARCHIVE
    assert [line for line in watch.text.splitlines() if line.startswith("line")] == [f"line {n}" for n in range(4)]


def cancelled(runtime, begun):
    watch = Told()

    def end():
        wait_until(lambda: begun(watch), 60, "the run")
        watch.end(Over())

    thread = threading.Thread(target=end)
    thread.start()
    started = time.monotonic()
    with pytest.raises(Over):
        train(runtime, watch)
    thread.join()
    return time.monotonic() - started


def test_a_cancel_kills_it_also_while_it_says_nothing(fake_docker, tmp_path):
    fake_docker.behaviour = lambda program: int(program.killed.wait(60))
    seconds = cancelled(of_containers(fake_docker, tmp_path), lambda watch: watch.began.is_set())
    assert seconds < 30
    assert fake_docker.containers == {}


# On a real engine


def in_a_shell(engine, script):
    """An image in which `rasa` is a shell that runs the script."""
    image = f"{engines.IMAGE.split(':')[0]}:{engine.box.name}"
    made = engine.box.client.create_container(engines.IMAGE, ["sh"], labels=engine.labels)
    engine.box.client.put_archive(made["Id"], "/bin", engines.script("rasa", script))
    engine.box.client.commit(made["Id"], repository=image.split(":")[0], tag=image.split(":")[1])
    return image


@pytest.fixture
def shell(real_engine):
    images = []

    def make(script):
        images.append(in_a_shell(real_engine, script))
        return images[-1]

    yield make
    real_engine.box.close()
    for image in images:
        real_engine.box.client.remove_image(image, force=True)


@pytest.mark.docker
def test_in_a_real_container_it_can_do_nothing_but_train(real_engine, shell, tmp_path):
    script = (
        "id; ls /sys/class/net; touch /planted; touch project.yml; touch x && echo own folder;"
        " mkdir models; cp project.yml models/brisk-otter.tar.gz; ls -l"
    )
    watch = Told()
    name, content = train(of_containers(real_engine, tmp_path, image=shell(script)), watch)
    assert (name, content) == ("brisk-otter.tar.gz", project().document(""))
    assert "uid=10001" in watch.text
    assert "Read-only file system" in watch.text
    assert "own folder" in watch.text
    assert [line for line in watch.text.splitlines() if line in ("lo", "eth0")] == ["lo"]
    assert Runs(real_engine.url).labelled([f"{engines.MARK}={real_engine.box.name}", "no.such"]) == {}


@pytest.mark.docker
def test_a_link_in_the_place_of_the_model_is_not_followed(real_engine, shell, tmp_path):
    script = "mkdir models; ln -s /etc/hostname models/x.tar.gz"
    with pytest.raises(TrainingFailed):
        train(of_containers(real_engine, tmp_path, image=shell(script)))


@pytest.mark.docker
def test_a_cancel_leaves_no_container_and_no_volume(real_engine, shell, tmp_path):
    client, made = real_engine.box.client, set()
    runtime = of_containers(real_engine, tmp_path, image=shell(f"echo begun; sleep {FOREVER}"))
    label = f"{engines.MARK}={real_engine.box.name}"

    def begun(watch):
        found = [client.inspect_container(one) for one in Runs(real_engine.url).labelled([label])]
        made.update(mount["Name"] for container in found for mount in container["Mounts"])
        return "begun" in watch.text and made

    cancelled(runtime, begun)
    # What is left is that which the image was made of.
    assert len(Runs(real_engine.url).labelled([label])) == 1
    assert not made & {volume["Name"] for volume in client.volumes()["Volumes"] or []}


# What a killed worker leaves


@pytest.fixture
def left(fake_docker, project, db):
    """A container of a run of a job: as it was, or of an earlier attempt."""

    def make(job: Job, attempt: int | None = None):
        labels = containers.labels(job)
        return fake_docker.run(
            f"job-{job.pk}-{attempt}", labels | ({containers.ATTEMPT: str(attempt)} if attempt else {})
        )

    return make


def test_the_sweep_removes_what_nobody_waits_for(fake_docker, left, project, django_now):
    running = JobFactory(project=project, status="running", attempts=2, lease_until=django_now)
    ended = JobFactory(project=project, status="failed", attempts=1)
    kept = left(running)
    left(running, attempt=1)
    left(ended)
    others = fake_docker.run("of-another-installation", {containers.INSTALLATION: "another", containers.JOB: "1"})
    fake_docker.run("rasa-production-1", {"controlplane.environment": "production"})
    assert containers.sweep(Runs(fake_docker.url)) == 2
    names = {container.name for container in fake_docker.containers.values()}
    assert names == {kept.name, others.name, "rasa-production-1"}


def test_the_next_run_of_a_job_removes_the_one_before(fake_docker, left, project, django_now, settings):
    settings.TRAINING_RUNTIME, settings.CONTROLPLANE_DOCKER_URL = "container", fake_docker.url
    job = JobFactory(project=project, status="running", attempts=2, lease_until=django_now)
    left(job, attempt=1)
    runtime = chosen.runtime_for(job)
    assert fake_docker.containers == {}
    assert runtime.wanted.labels == containers.labels(job)
    assert runtime.wanted.network == ""


def test_a_sweep_without_an_engine_changes_nothing(fake_docker, db, caplog):
    fake_docker.override = (503, b"")
    assert containers.sweep(Runs(fake_docker.url)) == 0
    assert "the next sweep tries again" in caplog.text
