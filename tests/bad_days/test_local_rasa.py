"""A local Rasa on its bad days: whatever ends its worker or its run, no process of it and no folder stays."""

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests import live, services
from tests.bad_days.test_disk_full import fill
from tests.projects import zipped
from tests.workers.runtimes.local_rasa import STUBBORN, program

DECLARATION = "rasa:\n  production:\n    url: http://127.0.0.1:9\n"
SETTLED_WITHIN = 60


@pytest.fixture
def start(tmp_path):
    """`start(behaviour)`: a control plane that trains by a program of that behaviour, and has no training server."""
    started = []

    def one(behaviour="", home=tmp_path, parts=("web", "training"), **variables):
        command = program(tmp_path, behaviour) if behaviour else services.RASA_HOME / "bin" / "rasa"
        variables |= {"TRAINING_RUNTIME": "command", "RASA_COMMAND": str(command), "TRAINING_USER": as_who_runs()}
        plane = live.ControlPlane(home, DECLARATION, parts=parts, variables=variables)
        started.append(plane)
        bundle = {"bundle": ("bundle.zip", zipped())}
        assert plane.http.post("/api/v1/bundles/", files=bundle).status_code == 201
        return plane

    yield one
    for plane in started:
        plane.stop()


def as_who_runs() -> str:
    return Path(f"/proc/{os.getpid()}").owner()


def submit(plane) -> str:
    answer = plane.http.post("/api/v1/jobs/", json={"kind": "training"})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def job(plane, number):
    return plane.http.get(f"/api/v1/jobs/{number}/").json()


def pids(plane, number) -> list[int]:
    """Of all the processes of the job's runs, each of which has told its own."""
    return [int(found) for found in re.findall(r"^pid (\d+)$", log_of(plane, number), re.MULTILINE)]


def log_of(plane, number) -> str:
    return plane.http.get(f"/api/v1/jobs/{number}/log/").json()["text"]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def begun(plane, number, count: int) -> list[int]:
    """The processes of the first run, when there are so many."""
    live.wait_until(lambda: len(pids(plane, number)) == count, 60, "the start of all processes")
    return pids(plane, number)


def once(behaviour: str, folder: Path) -> str:
    """That behaviour in the first run; each later one trains."""
    first = str(folder / "first")
    return f"if os.path.exists({first!r}):\n    save(); sys.exit()\nopen({first!r}, 'x').close()\n{behaviour}"


def test_a_worker_that_is_killed_leaves_no_process_and_the_job_runs_again(start, tmp_path):
    plane = start(once(STUBBORN + "time.sleep(600)", tmp_path), parts=("web", "training", "default", "beat"))
    number = submit(plane)
    started = begun(plane, number, 3)
    launchers = {parent(pid) for pid in started} - set(started)
    assert launchers
    plane.kill("training")
    live.wait_until(lambda: not any(map(is_alive, [*started, *launchers])), 15, "the end of all processes")
    plane.start("training")
    since = time.monotonic()
    live.wait_until(lambda: job(plane, number)["status"] == "succeeded", 90, "the second run")
    assert time.monotonic() - since < SETTLED_WITHIN
    plane.run("from workers.runtimes import chosen, workspaces; workspaces.sweep(chosen.folder(None), older_than=-1)")
    assert list((tmp_path / "training").iterdir()) == []


def parent(pid: int) -> int:
    """Of the program itself and of orphans it is the launcher."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_cancel_ends_every_process_and_a_new_job_trains(start, tmp_path):
    plane = start(once(STUBBORN + "time.sleep(600)", tmp_path))
    number = submit(plane)
    started = begun(plane, number, 3)
    assert plane.http.post(f"/api/v1/jobs/{number}/cancel/").status_code == 202
    live.wait_until(lambda: job(plane, number)["status"] == "cancelled", 20, "the end of the job")
    assert not any(map(is_alive, started))
    assert list((tmp_path / "training").iterdir()) == []
    second = submit(plane)
    live.wait_until(lambda: job(plane, second)["status"] == "succeeded", 60, "the next training")


def test_a_gigabyte_of_output_leaves_the_worker_as_large_as_it_was(start, tmp_path):
    plane = start(
        "chunk = (b'y' * 1023 + b'\\n') * 1024\nfor _ in range(1024): os.write(1, chunk)\nsay('the last words'); save()"
    )
    number = submit(plane)
    ended = plane.http.get(f"/api/v1/jobs/{number}/", params={"wait": 60}).json()
    assert ended["status"] == "succeeded"
    assert largest(plane) < 400 * 1024
    assert len(log_of(plane, number)) < 10 * 1024**2


def largest(plane) -> int:
    """Kilobytes that the worker's largest process ever took."""
    group = plane.running["training"].process.pid
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == group:
                found += re.findall(r"VmHWM:\s+(\d+)", (path / "status").read_text())
        except (ProcessLookupError, FileNotFoundError):
            continue
    return max(map(int, found))


def test_a_full_disk_ends_the_training_with_the_reason_and_the_next_goes_on(start, small_disk, tmp_path):
    plane = start(
        "open('large', 'wb').write(bytes(8 * 1024 ** 2)); save()",
        home=small_disk,
        DATABASE_URL=f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}",
    )
    filling = fill(small_disk, leave=4 * 1024**2)
    number = submit(plane)
    ended = plane.http.get(f"/api/v1/jobs/{number}/", params={"wait": 60}).json()
    assert (ended["status"], ended["error_code"]) == ("errored", "training-unavailable")
    assert "no space left" in ended["error_detail"]
    assert list((small_disk / "training").iterdir()) == []
    filling.unlink()
    number = submit(plane)
    assert plane.http.get(f"/api/v1/jobs/{number}/", params={"wait": 60}).json()["status"] == "succeeded"


def test_a_launcher_that_is_killed_errors_the_job_and_its_program_ends(start):
    plane = start("say(f'pid {os.getpid()}'); time.sleep(600)")
    number = submit(plane)
    [program_itself] = begun(plane, number, 1)
    os.kill(parent(program_itself), signal.SIGKILL)
    live.wait_until(lambda: job(plane, number)["status"] == "errored", 20, "the end of the job")
    assert not is_alive(program_itself)


def working_in(folder: Path) -> list[int]:
    """Processes whose present folder is below that one, there or removed."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(path / "cwd").startswith(f"{folder}/"):
                found.append(int(path.name))
    return found


@pytest.mark.rasa
def test_a_real_rasa_whose_worker_is_killed_ends_and_the_next_run_trains(start, tmp_path):
    plane = start(parts=("web", "training", "default", "beat"))
    number = submit(plane)
    live.wait_until(lambda: "Starting to train" in log_of(plane, number), 180, "the begin of the training")
    assert working_in(tmp_path / "training")
    plane.kill("training")
    live.wait_until(lambda: not working_in(tmp_path / "training"), 15, "the end of Rasa")
    plane.start("training")
    live.wait_until(lambda: job(plane, number)["status"] == "succeeded", 240, "the second run")
    [model] = plane.http.get("/api/v1/models/").json()["results"]
    assert model["version"] == "3.6.21"


@pytest.mark.rasa
def test_a_real_rasa_that_is_cancelled_ends(start, tmp_path):
    plane = start()
    number = submit(plane)
    live.wait_until(lambda: working_in(tmp_path / "training"), 60, "the start of Rasa")
    assert plane.http.post(f"/api/v1/jobs/{number}/cancel/").status_code == 202
    live.wait_until(lambda: job(plane, number)["status"] == "cancelled", 20, "the end of the job")
    assert not working_in(tmp_path / "training")
