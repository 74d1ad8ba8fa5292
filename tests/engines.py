"""A real Docker engine for tests: containers of an image of a few megabytes, made of programs of this machine."""

import io
import re
import shutil
import subprocess
import tarfile
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

import docker
from docker.errors import APIError

from tests import services

IMAGE = "controlplane-tests:tiny"
PROGRAMS = ("sh", "cat", "sleep", "env", "id", "touch", "ls", "mkdir", "cp", "ln", "head", "tr")
# Every container of tests has it.
MARK = "controlplane.test"
# The engine reads the two streams one beside the other: what comes a second later is surely later.
SERVES = ["sh", "-c", "echo one; echo two >&2; sleep 1; echo three; exec sleep 600"]
ENDS = ["sh", "-c", "echo oh dear; exit 3"]


def tiny_tar() -> bytes:
    """The programs and what they are linked with, at the paths they have here."""
    files = {Path(found).resolve() for name in PROGRAMS if (found := shutil.which(name))}
    for program in list(files):
        linked = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
        files |= {Path(path) for path in re.findall(r"(/\S+) \(0x", linked)}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("tmp", "work"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(folder)
        for path in sorted(files):
            tar.add(path.resolve(), arcname=str(path).lstrip("/"))
        for name in PROGRAMS:
            if found := shutil.which(name):
                tar.add(Path(found).resolve(), arcname=f"bin/{name}")
    return packed.getvalue()


def script(name: str, text: str) -> bytes:
    """A tar with one program of the shell."""
    packed, content = io.BytesIO(), f"#!/bin/sh\n{text}\n".encode()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.mode, member.size = 0o755, len(content)
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@cache
def engine() -> docker.APIClient:
    client = docker.APIClient(base_url=services.DOCKER_URL, version="auto", timeout=60)
    if not client.images(IMAGE):
        # Several processes of one run may do so at once; the last one names it.
        client.import_image_from_data(tiny_tar(), repository=IMAGE.split(":")[0], tag=IMAGE.split(":")[1])
    return client


class Box:
    """Containers of one test, all of which have `labels` and are gone after it."""

    def __init__(self) -> None:
        self.client, self.name = engine(), f"test-{uuid.uuid4().hex[:8]}"
        self.labels = {MARK: self.name}

    def run(self, name: str, command: list[str], *, restart: str = "no", **labels: str) -> str:
        """A container that runs; its id. `name` is what its name ends with; underscores of labels are dots."""
        made = self.client.create_container(
            IMAGE,
            command,
            stop_signal="SIGKILL",
            name=f"{self.name}-{name}",
            labels={**self.labels, **{key.replace("_", "."): value for key, value in labels.items()}},
            host_config=self.client.create_host_config(network_mode="none", restart_policy={"Name": restart}),
        )
        self.client.start(made["Id"])
        return str(made["Id"])

    def state(self, identifier: str) -> dict[str, object]:
        return dict(self.client.inspect_container(identifier))

    def close(self) -> None:
        for item in self.client.containers(all=True, filters={"label": f"{MARK}={self.name}"}):
            with suppress(APIError):
                self.client.remove_container(item["Id"], force=True, v=True)
