"""Training by a local program: what comes out, what it may and may not do, and that nothing of it stays."""

import io
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest

from environments import bundles
from environments.errors import TrainingFailed, TrainingUnavailable
from environments.packing import Limits
from tests.live import wait_until
from tests.projects import tree, zipped
from tests.told import Told
from tests.workers.runtimes.local_rasa import ARCHIVE, STUBBORN, program
from workers import machine_accounts
from workers.runtimes import workspaces
from workers.runtimes.command import CommandRuntime

MB = 1024**2


class Over(Exception):
    """Why a run is over."""


def project(**changes) -> bundles.Project:
    return bundles.read(io.BytesIO(zipped(tree(**changes))), Limits())


def train(command, root, watch=None, config="", **options):
    """The name and the bytes of the archive, and what the watch was told."""
    watch = watch or Told()
    with CommandRuntime(command, root, **options).train(project(), config, watch) as archive:
        return archive.filename, b"".join(iter(lambda: archive.read(1000), b"")), watch


@pytest.fixture
def root(tmp_path):
    """Where workspaces are; empty again after each test."""
    root = tmp_path / "training"
    yield root
    assert list(root.glob("*")) == []


@pytest.fixture
def rasa(tmp_path):
    return lambda behaviour="save()": program(tmp_path, behaviour)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_the_project_becomes_an_archive(rasa, root):
    filename, data, watch = train(rasa(), root)
    assert (filename, data) == ("20260301-100000-brisk-otter.tar.gz", ARCHIVE)
    assert watch.steps == ["starting Rasa", "training KeywordIntentClassifier"]
    assert "Starting to train component 'KeywordIntentClassifier'" in watch.text


def test_it_gets_the_document_that_a_server_gets(rasa, root):
    _, _, watch = train(rasa("say(pathlib.Path('project.yml').read_text()); say(repr(sys.argv[1:])); save()"), root)
    assert project().document().decode() in watch.text
    assert "['train', '--config', 'project.yml', '--domain', 'project.yml', '--data', 'project.yml'" in watch.text


def test_another_config_is_trained_with(rasa, root):
    config = "language: de\npipeline: [{name: KeywordIntentClassifier}]"
    _, _, watch = train(rasa("say(pathlib.Path('project.yml').read_text()); save()"), root, config=config)
    assert "language: de" in watch.text
    assert "RulePolicy" not in watch.text


def test_its_environment_is_what_rasa_needs_and_what_is_passed_on(rasa, root, monkeypatch):
    monkeypatch.setenv("RASA_X_TOKEN", "sesame-of-the-worker")
    _, _, watch = train(
        rasa("say(repr(sorted(os.environ.items()))); save()"), root, passed_on={"HTTPS_PROXY": "proxy:1"}
    )
    assert "sesame" not in watch.text
    variables = dict(eval(next(line for line in watch.text.splitlines() if line.startswith("[("))))  # noqa: S307
    assert variables["HTTPS_PROXY"] == "proxy:1"
    assert variables["RASA_TELEMETRY_ENABLED"] == "false"
    assert variables["HOME"].startswith(str(root))
    assert variables["TMPDIR"].startswith(str(root))
    assert "CONTROLPLANE_HOME" not in variables


def test_validation_comes_before_the_training_where_it_is_wanted(rasa, root):
    command = rasa("say('validated' if command == 'data' else 'trained'); command == 'data' or save()")
    _, _, watch = train(command, root, validates=True)
    assert [line for line in watch.text.splitlines() if line in ("validated", "trained")] == ["validated", "trained"]
    command = rasa("fail('ValidationError: nosuchintent in stories.yml')")
    with pytest.raises(TrainingFailed, match="nosuchintent in stories"):
        train(command, root, validates=True)


# Failures


def test_what_is_wrong_with_the_data_is_told_in_rasas_words(rasa, root):
    with pytest.raises(TrainingFailed, match=r"^InvalidRule: Contradicting rules$"):
        train(rasa("fail('InvalidRule: Contradicting rules')"), root)


def test_a_stack_trace_is_told_by_its_last_words(rasa, root):
    with pytest.raises(TrainingFailed, match=r"^KeyError: 'nothing'$"):
        train(rasa("{}['nothing']"), root)


def test_an_end_without_a_model_is_a_failure(rasa, root):
    with pytest.raises(TrainingFailed, match="No training data given"):
        train(rasa("say('\\x1b[91mNo training data given.\\x1b[0m')"), root)


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by the signal 9"),
        ("os.abort()", "killed by the signal 6"),
        ("raise MemoryError", "not enough memory"),
        ("raise OSError(28, os.strerror(28))", "no space left"),
    ],
)
def test_what_the_machine_lacks_is_no_fault_of_the_data(rasa, root, behaviour, sentence):
    with pytest.raises(TrainingUnavailable, match=sentence) as refused:
        train(rasa(behaviour), root)
    assert "submit the job again" in refused.value.detail


def test_a_program_that_is_not_there_is_told(root, tmp_path):
    with pytest.raises(TrainingUnavailable, match=r"nowhere/rasa could not be run"):
        train(tmp_path / "nowhere" / "rasa", root)


def test_a_folder_that_others_can_write_is_not_used(rasa, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(TrainingUnavailable, match="TRAINING_FOLDER"):
        train(rasa(), shared)


def test_too_much_memory_ends_it_whichever_of_its_processes_takes_it(rasa, root):
    hungry = "[bytearray(os.urandom(1024)) * 200_000 for _ in range(1)]; import time; time.sleep(60)"
    behaviour = f"subprocess.run([sys.executable, '-c', {('import os; kept = ' + hungry)!r}], start_new_session=True)"
    with pytest.raises(TrainingUnavailable, match="TRAINING_MEMORY_BYTES"):
        train(rasa(behaviour), root, memory=100 * MB)


# What it prints


def test_a_gigabyte_of_output_neither_fills_memory_nor_blocks(rasa, root):
    behaviour = "[os.write(1, b'x' * 127 + b'\\n') for _ in range(2000)]\nchunk = (b'y' * 1023 + b'\\n') * 1024\n"
    behaviour += "for _ in range(1024): os.write(1, chunk)\nsay('the last words'); save()"
    _, data, watch = train(rasa(behaviour), root)
    assert data == ARCHIVE
    assert len(watch.text) < 6 * MB
    assert "bytes of output are left out" in watch.text
    assert watch.text.endswith("the last words\n")


def test_output_without_an_end_of_line_is_cut(rasa, root):
    _, _, watch = train(rasa("[os.write(1, b'z' * MB) for MB in [1024 ** 2] * 3]; save()"), root)
    assert max(map(len, watch.text.splitlines())) < 9000


# Nothing stays


def pids_of(watch: Told) -> list[int]:
    return [int(line.split()[1]) for line in watch.text.splitlines() if line.startswith("pid ")]


def test_what_it_started_ends_with_it(rasa, root):
    _, _, watch = train(rasa(STUBBORN + "time.sleep(1); save()"), root)
    assert len(pids_of(watch)) == 3
    assert not [pid for pid in pids_of(watch) if is_alive(pid)]


def ended(command, root, condition, reason=Over, **options):
    """A training that is over as soon as the condition on its watch holds. What it was told, and its seconds."""
    watch, begun = Told(), time.monotonic()

    def end():
        wait_until(lambda: condition(watch), 60, "what the test waits for")
        watch.end(reason())

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(reason):
        train(command, root, watch, **options)
    thread.join()
    return watch, time.monotonic() - begun


def test_a_run_that_is_over_leaves_no_process(rasa, root):
    watch, _ = ended(rasa(STUBBORN + "time.sleep(600)"), root, lambda watch: len(pids_of(watch)) == 3)
    assert not [pid for pid in pids_of(watch) if is_alive(pid)]


def test_a_run_that_says_nothing_is_ended_too(rasa, root):
    _, seconds = ended(rasa("time.sleep(600)"), root, lambda watch: watch.began.is_set())
    assert seconds < 15


def test_a_launcher_that_is_killed_takes_the_program_with_it(rasa, root):
    command = rasa("say(f'pid {os.getpid()}'); say(f'launcher {os.getppid()}'); time.sleep(600)")
    watch = Told()

    def kill_the_launcher():
        wait_until(lambda: "launcher " in watch.text, 60, "the start")
        os.kill(int(watch.text.rpartition("launcher ")[2].split()[0]), signal.SIGKILL)

    thread = threading.Thread(target=kill_the_launcher)
    thread.start()
    with pytest.raises(TrainingUnavailable, match="ended from outside"):
        train(command, root, watch)
    thread.join()
    wait_until(lambda: not is_alive(pids_of(watch)[0]), 5, "the end of the program")


def test_what_lies_deep_or_closed_is_removed_too(rasa, root):
    behaviour = "[(os.mkdir('d'), os.chdir('d')) for _ in range(1500)]; os.chdir(os.environ['HOME'])\n"
    behaviour += "os.mkdir('closed'); open('closed/file', 'w').close(); os.chmod('closed', 0)\n"
    with pytest.raises(TrainingFailed):
        train(rasa(behaviour + "sys.exit(1)"), root)


def test_folders_of_killed_workers_are_swept_and_those_of_living_ones_are_not(rasa, root):
    left = root / "run-left"
    (left / "work").mkdir(parents=True)
    root.chmod(0o700)
    with workspaces.opened(root, None) as living:
        assert workspaces.sweep(root) == 0
        assert workspaces.sweep(root, older_than=-1) == 1
        assert living.work.is_dir()
        assert not left.exists()


# What a hostile one tries


@pytest.mark.parametrize(
    "behaviour",
    [
        "os.mkdir('models'); os.symlink({secret!r}, 'models/x.tar.gz')",
        "os.symlink(os.path.dirname({secret!r}), 'models')",
        "os.mkdir('models'); os.mkfifo('models/x.tar.gz')",
        "os.mkdir('models'); os.mkdir('models/x.tar.gz')",
    ],
)
def test_a_link_or_a_device_in_the_place_of_the_model_is_not_followed(rasa, root, tmp_path, behaviour):
    secret = tmp_path / "secrets" / "x.tar.gz"
    secret.parent.mkdir()
    secret.write_bytes(b"the model of somebody else")
    with pytest.raises(TrainingFailed):
        train(rasa(behaviour.format(secret=str(secret))), root)
    assert secret.read_bytes() == b"the model of somebody else"


def test_two_runs_at_once_do_not_see_each_other(rasa, root):
    command = rasa("say(os.getcwd()); time.sleep(1); say(f'files {sorted(os.listdir())}'); save()")
    watches = [Told(), Told()]
    threads = [threading.Thread(target=train, args=(command, root, watch)) for watch in watches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    folders = {line for watch in watches for line in watch.text.splitlines() if line.startswith(str(root))}
    assert len(folders) == 2
    assert all("files ['project.yml']" in watch.text for watch in watches)


# As another user


@pytest.fixture
def nobody():
    """Another user than this one, which only root can become."""
    if os.geteuid():
        pytest.skip("only root can run a program as another user")
    return machine_accounts.chosen("nobody")


@pytest.fixture
def open_to_others(nobody):
    """A folder that others get through to, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="open-to-others-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def system_python():
    found = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")
    if found is None:
        pytest.skip("there is no Python on this machine that another user can run")
    return found


@pytest.fixture
def as_nobody(nobody, open_to_others, system_python):
    def run(behaviour):
        command = program(open_to_others, behaviour, system_python)
        _, data, watch = train(command, open_to_others / "training", account=nobody)
        assert data == ARCHIVE
        assert list((open_to_others / "training").iterdir()) == []
        return watch.text

    return run


def test_as_another_user_it_trains_in_a_folder_of_its_own(as_nobody, nobody):
    said = as_nobody("say(f'{os.getuid()} {os.getgid()} {os.getgroups()} {os.stat(os.getcwd()).st_uid}'); save()")
    assert f"{nobody.uid} {nobody.gid} [{nobody.gid}] {nobody.uid}" in said


def test_as_another_user_it_reads_nothing_of_the_home(as_nobody, home):
    """The database, the keys and the archives: by their paths, and through the processes of the control plane."""
    home.chmod(0o700)
    (home / "secret-key").write_text("sesame")
    attempts = [f"open({str(home / 'secret-key')!r})", f"os.listdir({str(home)!r})"]
    attempts += [f"open('/proc/{pid}/environ').read()" for pid in (os.getpid(), "{os.getppid()}")]
    attempts += [f"os.listdir('/proc/{os.getpid()}/fd')", f"os.kill({os.getpid()}, 0)"]
    behaviour = "\n".join(
        f"try:\n    {attempt}\n    say('REACHED ' + {attempt!r})\nexcept PermissionError:\n    say('refused')"
        for attempt in attempts
    )
    said = as_nobody(behaviour.replace("'/proc/{os", "f'/proc/{os") + "\nsave()")
    assert "REACHED" not in said
    assert said.count("refused") == len(attempts)


def test_as_another_user_it_cannot_touch_the_folders_of_others(as_nobody):
    said = as_nobody(
        "try:\n    os.mkdir('../../planted')\nexcept PermissionError:\n    say('refused')\n"
        "try:\n    os.listdir('../..')\nexcept PermissionError:\n    say('refused')\nsave()"
    )
    assert said.count("refused") == 2


def test_another_users_file_is_no_model(nobody, open_to_others, system_python):
    """A hard link, where the machine lets one make any, to what the control plane alone may read."""
    secret = open_to_others / "secret"
    secret.write_bytes(b"the model of somebody else")
    behaviour = f"os.mkdir('models')\ntry:\n    os.link({str(secret)!r}, 'models/x.tar.gz')\nexcept OSError: pass"
    with pytest.raises(TrainingFailed):
        train(program(open_to_others, behaviour, system_python), open_to_others / "training", account=nobody)


def test_a_program_that_the_other_user_does_not_reach_is_told(nobody, open_to_others, tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(TrainingUnavailable, match="could not be run"):
        train(program(tmp_path), open_to_others / "training", account=nobody)
    assert not machine_accounts.can_run(program(tmp_path), nobody)
    assert machine_accounts.can_run(program(tmp_path), None)


def test_processes_of_another_user_are_ended_too(nobody, open_to_others, system_python):
    command = program(open_to_others, STUBBORN + "time.sleep(600)", system_python)
    watch, _ = ended(command, open_to_others / "training", lambda watch: len(pids_of(watch)) == 3, account=nobody)
    assert not [pid for pid in pids_of(watch) if is_alive(pid)]
