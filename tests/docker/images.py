"""The images that the stack is tested with, made on this machine: no registry is asked.

`python -m tests.docker.images` makes those that the engine of `DOCKER_HOST` has not, and prints their names. They
take the place of the official ones (`bases/`) and are made of Debian's packages, from the mirrors that this machine
uses, and of the Rasa that is installed here. Each is made again when what it is made of has changed.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import docker
from docker.models.images import Image

from tests import services

ROOT = Path(__file__).resolve().parents[2]
BASES = Path(__file__).with_name("bases")
RELEASE = "bookworm"
DEBIAN = f"local/debian:{RELEASE}"
PYTHON = f"local/python:3.11-slim-{RELEASE}"
POSTGRES, REDIS, CADDY, RASA = "local/postgres:15", "local/redis:7.0", "local/caddy:2.6", "local/rasa:3.6.21"
# Each with the folder of its Dockerfile.
FROM_DEBIAN = {PYTHON: "python", POSTGRES: "postgres", REDIS: "redis", CADDY: "caddy"}
VERSION = "0.1.0"
CONTROL_PLANE = "local/rasa-control-plane"
MADE_OF = "made-of"
Files = dict[str, Path]
FOLDER = Path(os.environ.get("TEST_DOCKER_HOME", Path(tempfile.gettempdir()) / "controlplane-docker"))


def sources() -> list[str]:
    """The lines of sources.list that this machine has for the release."""
    asked = ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = (f"{RELEASE}", f"{RELEASE}-updates", f"{RELEASE}-security")
    found = sorted({line for line in lines if line.split()[1] in wanted and line.split()[2] == "main"})
    if not found:
        raise RuntimeError(f"apt of this machine names no mirror of Debian {RELEASE}.")
    return [f"deb {line}" for line in found]


def root_of_debian() -> Path:
    """The smallest Debian as a tar file, made once for all engines of this machine."""
    kept = FOLDER / RELEASE / "debian.tar"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        mirror = next(line.split()[1] for line in sources() if line.split()[2] == RELEASE)
        making = Path(tempfile.mkdtemp(dir=FOLDER))
        root, part = making / "root", making / "part"
        run("debootstrap", "--variant=minbase", "--include=ca-certificates", RELEASE, root, mirror)
        (root / "etc/apt/sources.list").write_text("\n".join(sources()) + "\n")
        for used in ("var/cache/apt/archives", "var/lib/apt/lists", "var/log"):
            shutil.rmtree(root / used)
            (root / used).mkdir()
        run("tar", "--numeric-owner", "--exclude=./dev/*", "-C", root, "-cf", part, ".")
        part.rename(kept)
        shutil.rmtree(making)
    return kept


def run(*command: object) -> None:
    """With its output where that of the tests is, not in what this module prints."""
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)


@contextmanager
def alone() -> Iterator[None]:
    """Several processes that need an image make it once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Maker:
    """Makes images on one engine."""

    def __init__(self, engine: docker.DockerClient) -> None:
        self.engine = engine

    def found(self, name: str) -> Image | None:
        try:
            return self.engine.images.get(name)
        except docker.errors.ImageNotFound:
            return None

    def is_made_of(self, name: str, digest: str) -> bool:
        image = self.found(name)
        return image is not None and image.labels.get(MADE_OF) == digest

    def build(self, name: str, digest: str, context: object, arguments: Mapping[str, str] | None = None) -> None:
        """From a tar stream, with the network of this machine, which the engine's own may not have."""
        print(f"{name} is made", file=sys.stderr)  # noqa: T201
        wanted = {"tag": name, "labels": {MADE_OF: digest}, "rm": True, "network_mode": "host"}
        wanted |= {"buildargs": dict(arguments or {})}
        try:
            self.engine.images.build(fileobj=context, custom_context=True, **wanted)
        except docker.errors.BuildError as error:
            sys.stderr.writelines(line.get("stream", "") for line in error.build_log)
            raise

    def debian(self) -> str:
        if self.found(DEBIAN) is None:
            files = files_in(BASES / "debian")
            with packed(files | {"debian.tar": root_of_debian()}) as context:
                self.build(DEBIAN, digest_of(files), context)
        return str(self.engine.images.get(DEBIAN).id)

    def from_debian(self, name: str) -> None:
        files = files_in(BASES / FROM_DEBIAN[name])
        digest = digest_of(files, self.debian())
        if not self.is_made_of(name, digest):
            with packed(files) as context:
                self.build(name, digest, context)

    def rasa(self) -> None:
        marker = (services.RASA_HOME / ".installed-from").read_text()
        digest = digest_of(files_in(BASES / "rasa"), self.debian(), marker)
        if self.is_made_of(RASA, digest):
            return
        with subprocess.Popen(packing_rasa(), stdout=subprocess.PIPE) as tar:
            self.build(RASA, digest, tar.stdout)

    def control_plane(self) -> str:
        """By the Dockerfile of this repository, without a package index; its name, which another content changes."""
        self.from_debian(PYTHON)
        files = context_of_control_plane()
        digest = digest_of(files, str(self.engine.images.get(PYTHON).id))
        name = f"{CONTROL_PLANE}:{digest[:12]}"
        if self.is_made_of(name, digest):
            return name
        with packed(files | wheels()) as context:
            self.build(name, digest, context, {"BASE": PYTHON, "VERSION": VERSION, "REVISION": digest[:12]})
        self.forget_old_ones()
        return name

    def forget_old_ones(self) -> None:
        """Of the control plane, made by other runs before yesterday."""
        for image in self.engine.images.list(CONTROL_PLANE):
            made = datetime.fromisoformat(image.attrs["Created"][:19]).replace(tzinfo=UTC)
            if datetime.now(UTC) - made > timedelta(days=1):
                with suppress(docker.errors.APIError):
                    self.engine.images.remove(image.id, force=True)

    def all(self) -> Iterator[str]:
        self.debian()
        yield DEBIAN
        for name in FROM_DEBIAN:
            self.from_debian(name)
            yield name
        self.rasa()
        yield RASA
        yield self.control_plane()


def files_in(folder: Path) -> Files:
    return {path.name: path for path in sorted(folder.iterdir())}


def context_of_control_plane() -> Files:
    """What `docker build` would send of this repository."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    names = docker.utils.exclude_paths(str(ROOT), [line for line in ignored if line and not line.startswith("#")])
    found = {name: ROOT / name for name in sorted(names) if not name.startswith("wheels")}
    return {name: path for name, path in found.items() if path.is_file()}


def wheels() -> Files:
    """What `make wheels` fetched, with an environment that is as it is."""
    run("make", "-s", "-C", ROOT, "-o", ".venv/.installed", "wheels")
    return {f"wheels/{path.name}": path for path in sorted((ROOT / "wheels").iterdir())}


def digest_of(files: Files, *others: str) -> str:
    hashed = hashlib.sha256("\n".join(others).encode())
    for name, path in files.items():
        hashed.update(name.encode() + path.read_bytes())
    return hashed.hexdigest()


def packed(files: Files) -> IO[bytes]:
    """A tar file."""
    stream = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, path in files.items():
            tar.add(path, name)
    stream.seek(0)
    return stream


def packing_rasa() -> list[str]:
    """The command that writes the build context of Rasa: its Python and its packages from here, and `bases/rasa`."""
    home = services.RASA_HOME
    asked = [home / "bin" / "python", "-c", "import sys; print(sys.base_prefix)"]
    python = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    packages = home / "lib" / "python3.10" / "site-packages"
    renamed = f"--transform=flags=r;s,^{re.escape(python.name)}/,python/,;s,^site-packages/,packages/,"
    left_out = ("*/lib/python3.10/test", "*/lib/python3.10/idlelib", "*/config-3.10-*")
    return [
        *("tar", "-c", "--numeric-owner", renamed, *(f"--exclude={name}" for name in left_out)),
        *("-C", str(BASES / "rasa"), *(path.name for path in (BASES / "rasa").iterdir())),
        *("-C", str(python.parent), python.name, "-C", str(packages.parent), packages.name),
    ]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    with alone():
        for made in Maker(docker.from_env(timeout=900)).all():
            print(made)  # noqa: T201
