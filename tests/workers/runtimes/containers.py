"""Runtimes of containers, on the fake engine and on a real one."""

from environments.clients.docker.runs import Runs, Wanted
from tests.workers.runtimes.local_rasa import ARCHIVE
from workers.runtimes.container import ContainerRuntime

STARTING = (
    b"2026-11-27 02:14:44 INFO  rasa.engine.training.hooks - Starting to train component 'KeywordIntentClassifier'.\n"
)
MODEL = "run/models/20260301-100000-brisk-otter.tar.gz"


def of_containers(engine, tmp_path, *, image=None, labels=None, **options):
    """`engine` has an `url`, and an `image` in which there is a `rasa`."""
    limits = {key: options.pop(key) for key in ("memory", "cpus", "processes", "network") if key in options}
    wanted = Wanted(image or engine.image, "rasa", labels=labels or engine.labels, **limits)
    options.setdefault("largest", 64 * 1024**2)
    return ContainerRuntime(Runs(engine.url), wanted, tmp_path / "training", **options)


def rasa_in_a_container(program):
    """As far as a program of a few lines can tell."""
    program.say(STARTING)
    if b"NoSuchComponent" in program.files["run/project.yml"]:
        program.say(b"\x1b[91mInvalidConfigException: Can't load class for name 'NoSuchComponent'.\x1b[0m\n")
        return 1
    program.files[MODEL] = ARCHIVE
    return 0
