"""Programs that run as one, with real processes: one log, restarts, and an end that leaves nothing behind."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controlplane.supervisor import Program, Supervisor

ROOT = Path(__file__).resolve().parents[2]


def shell(name, script, **options):
    return Program(name, ["sh", "-c", script], **options)


def run(*programs):
    """The status and the log of a supervisor that runs `programs` until one that is `once` ends."""
    out = io.StringIO()
    status = Supervisor(programs, out).run()
    return status, out.getvalue()


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def is_running(pid):
    """Whether the process lives; one that ended and was not waited for yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def pids(folder, *names):
    """The process ids that programs wrote into `folder`."""
    files = [folder / name for name in names]
    wait_for(lambda: all(file.exists() and file.read_text().endswith("\n") for file in files))
    return [int(file.read_text()) for file in files]


# Writes the ids of a program and of a process that the program started, and ignores every polite signal.
STUBBORN = """
trap '' TERM INT HUP
sh -c 'trap "" TERM INT HUP; echo $$ > {folder}/grandchild; while :; do sleep 0.1; done' &
echo $$ > {folder}/program
while :; do sleep 0.1; done
"""

RUN = """
import sys
from controlplane.supervisor import Program, Supervisor
Supervisor([Program("stubborn", ["sh", "-c", sys.argv[1]])], sys.stdout).run()
"""


@pytest.fixture
def supervised(tmp_path):
    """A supervisor in a process of its own that runs STUBBORN, with the ids of what it started."""
    command = [sys.executable, "-c", RUN, STUBBORN.format(folder=tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_each_line_follows_the_name_of_who_said_it():
    status, log = run(shell("web", "echo hello; sleep 5"), shell("demo", "sleep 0.5; echo done", once=True))
    assert status == 0
    assert "web  | hello\n" in log
    assert "demo | done\n" in log


def test_what_ends_is_named_and_started_again():
    _, log = run(shell("web", "echo up; exit 3"), shell("demo", "sleep 2.5", once=True))
    assert "web ended with status 3; starting it again in 1 s." in log
    assert log.count("web  | up") == 2


def test_the_status_of_the_one_that_decides_is_the_status_of_all():
    status, _ = run(shell("web", "sleep 20"), shell("demo", "exit 4", once=True))
    assert status == 4


def test_one_that_stays_ends_nothing_and_is_not_started_again():
    staying = shell("demo", "echo told", once=True, stays=True)
    _, log = run(staying, shell("end", "sleep 1.5", once=True))
    assert log.count("demo | told") == 1


def test_a_polite_program_is_stopped_at_once():
    begun = time.monotonic()
    run(shell("web", "sleep 60"), shell("demo", "exit 0", once=True))
    assert time.monotonic() - begun < 3


def test_a_stubborn_program_and_what_it_started_are_killed_within_ten_seconds(supervised, tmp_path):
    started = pids(tmp_path, "program", "grandchild")
    begun = time.monotonic()
    supervised.send_signal(signal.SIGINT)
    log, _ = supervised.communicate(timeout=10)
    assert time.monotonic() - begun < 10
    assert "stubborn had to be killed" in log
    wait_for(lambda: not any(map(is_running, started)))


def test_a_killed_supervisor_takes_everything_with_it(supervised, tmp_path):
    started = pids(tmp_path, "program", "grandchild")
    supervised.kill()
    wait_for(lambda: not any(map(is_running, started)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the next restart clears up")
def test_a_killed_launcher_takes_the_program_with_it(supervised, tmp_path):
    program, grandchild = pids(tmp_path, "program", "grandchild")
    launcher = int(Path(f"/proc/{program}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(launcher, signal.SIGKILL)
    wait_for(lambda: not is_running(program) and not is_running(grandchild))
    (tmp_path / "program").unlink()
    wait_for(lambda: pids(tmp_path, "program") != [program])


def test_the_variables_and_the_folder_of_a_program_are_its_own(tmp_path):
    program = shell("demo", "echo $COLOR in $(pwd)", environment={"COLOR": "teal"}, folder=tmp_path, once=True)
    _, log = run(program)
    assert f"demo | teal in {tmp_path}" in log


def test_of_a_progress_bar_the_last_state_is_shown():
    _, log = run(shell("demo", r"printf '10%%\r50%%\r100%%\ndone\n'", once=True))
    assert "demo | 100%\n" in log
    assert "50%" not in log


def test_one_that_stays_is_followed_by_its_last_words():
    staying = shell("demo", "exit 3", once=True, stays=True, afterwards=["Open the page."])
    _, log = run(staying, shell("end", "sleep 1", once=True))
    assert "demo ended with status 3; everything else runs on." in log
    assert "up   | Open the page." in log
