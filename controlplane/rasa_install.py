"""The stock Rasa that this machine runs for local environments, in a Python 3.10 environment of its own.

Knows no Django. The installation is complete when its marker holds the hash of the lock file it was made from, so a
run that was killed is simply taken up again.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements-rasa.lock"
VERSION = "3.6.21"
MARKER = ".installed-from"

Say = Callable[[str], object]


class RasaMissing(Exception):
    """Rasa cannot be run here; the message says what is missing and how to get it."""


NO_PYTHON = f"""\
Rasa {VERSION} needs Python 3.10, and none was found on this machine. Get it in one of these ways:
  Ubuntu 22.04    sudo apt install python3.10-venv
  pyenv           pyenv install 3.10
  macOS           brew install python@3.10
  anywhere        uv python install 3.10
or name one: RASA_PYTHON=/path/to/python3.10. Then run `.venv/bin/python manage.py install_rasa` and start again."""


def python_of(home: Path) -> Path:
    return home / "bin" / "python"


def wanted() -> str:
    """What the marker of a complete installation says."""
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def is_installed(home: Path) -> bool:
    marker = home / MARKER
    return marker.exists() and marker.read_text().strip() == wanted() and python_of(home).exists()


def check_installed(home: Path) -> None:
    if not is_installed(home):
        raise RasaMissing(
            f"Rasa {VERSION} is not installed in {home}. "
            "Run `.venv/bin/python manage.py install_rasa`, then start again."
        )


def _output(command: list[str]) -> str:
    """What `command` prints; nothing where it cannot be run or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def is_python_3_10(path: str) -> bool:
    """Asks the interpreter itself: a pyenv shim of that name is there even where no Python is behind it."""
    return _output([path, "-c", "import sys; print(*sys.version_info[:2])"]) == "3 10"


def uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise RasaMissing("uv is missing, which installs Rasa. Run `make setup`.")
    return found


def _candidates() -> Iterator[str]:
    if path := _output([uv(), "python", "find", "--no-python-downloads", "--no-project", "3.10"]):
        yield path
    if path := shutil.which("python3.10") or "":
        yield path
    if root := os.environ.get("PYENV_ROOT") or _output(["pyenv", "root"]):
        yield from map(str, sorted(Path(root).glob("versions/3.10.*/bin/python"), reverse=True))


def find_python(say: Say, *, download: bool = True) -> str:
    """A working Python 3.10: the one named by RASA_PYTHON, one that is here, or one that uv can download."""
    if named := os.environ.get("RASA_PYTHON"):
        if is_python_3_10(named):
            return named
        raise RasaMissing(f"RASA_PYTHON names {named}, which is not a working Python 3.10.")
    for path in _candidates():
        if is_python_3_10(path):
            return path
    if download:
        say("No Python 3.10 is here; trying to download one.")
        _output([uv(), "python", "install", "--no-bin", "3.10"])
        path = _output([uv(), "python", "find", "--no-project", "--managed-python", "3.10"])
        if path and is_python_3_10(path):
            return path
    raise RasaMissing(NO_PYTHON)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Two installations into one place wait for each other."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise RasaMissing("Rasa could not be installed; the lines above say why. Run it again to go on.") from error


def install(home: Path, say: Say) -> None:
    """Install Rasa into `home`, every package checked against its hash; nothing to do where that is done already."""
    with _alone(home):
        if is_installed(home):
            say(f"Rasa {VERSION} is installed in {home}.")
            return
        python = find_python(say)
        say(f"Installing Rasa {VERSION} into {home} with {python}. The first time this downloads about 1 GB.")
        (home / MARKER).unlink(missing_ok=True)
        _run([uv(), "venv", "-q", "--no-project", "--allow-existing", "--python", python, str(home)])
        sync = [
            uv(),
            "pip",
            "sync",
            "--require-hashes",
            "--compile-bytecode",
            "--python",
            str(python_of(home)),
            str(LOCK),
        ]
        _run(sync)
        (home / MARKER).write_text(wanted() + "\n")
        say(f"Rasa {VERSION} is installed in {home}.")
