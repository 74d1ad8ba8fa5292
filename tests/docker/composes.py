"""Docker Compose in the two versions that the files are for: 1.29, and v2.

v2 is that of the docker command, or the program that `COMPOSE_V2` names; or it is taken out of Debian's package of a
later release, from the mirror that this machine uses, and kept in `TEST_DOCKER_HOME`. Nothing is installed.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.docker.images import FOLDER, RELEASE, alone, sources

LATER = "trixie"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
KEPT = FOLDER / "compose-v2" / "docker-compose"
VERSIONS = ("1.29", "v2")

Command = list[str]


class Missing(Exception):
    """This version cannot be had here; the message says why."""


def version_of(command: Command) -> str:
    """ "" where it does not run."""
    try:
        done = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip().removeprefix("v") if done.returncode == 0 else ""


def of_version(version: str) -> Command:
    return first() if version == "1.29" else second()


def newest() -> Command:
    """Of those that are here."""
    try:
        return second()
    except Missing:
        return first()


def first() -> Command:
    command = ["docker-compose"]
    if not version_of(command).startswith("1.29"):
        raise Missing("no docker-compose 1.29 was found; install docker-compose of Debian 12")
    return command


def second() -> Command:
    for command in ([os.environ.get("COMPOSE_V2", "")], ["docker", "compose"], ["docker-compose"], [str(KEPT)]):
        if version_of(command).startswith("2."):
            return command
    try:
        with alone():
            fetch()
    except (OSError, RuntimeError, StopIteration, subprocess.CalledProcessError) as error:
        raise Missing(f"no Docker Compose v2 was found, and none could be fetched: {error}") from error
    return [str(KEPT)]


def fetch() -> None:
    """Out of the package of a later Debian, by an apt of its own lists."""
    mirror = next(line.split()[1] for line in sources() if line.split()[2] == RELEASE)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror} {LATER} main\n")
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        settings = {
            "Dir::Etc::SourceList": "sources.list",
            "Dir::Etc::SourceParts": "none",
            "Dir::State::Lists": "lists",
            "Dir::Cache": "cache",
        }
        options = [f"-o{name}={folder / value}" for name, value in settings.items()]
        apt = ["apt-get", "-q", "-oAPT::Sandbox::User=root", *options]
        for command in ([*apt, "update"], [*apt, "download", "docker-compose"]):
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
        [package] = folder.glob("docker-compose_*.deb")
        subprocess.run(["dpkg", "-x", package, folder / "package"], check=True)
        found = folder / "package" / "usr" / "libexec" / "docker" / "cli-plugins" / "docker-compose"
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        part = KEPT.with_name(f"docker-compose.{os.getpid()}")
        shutil.copy(found, part)
        part.rename(KEPT)


if __name__ == "__main__":
    print(*second())  # noqa: T201
