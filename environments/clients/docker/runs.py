"""One-off containers: made from an image that is there, given files, run, followed, asked for what they made, removed.

Files go in and out through the engine, so that whoever asks shares no folder with it and may be a container himself.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import docker

from environments.clients.docker import sdk
from environments.clients.docker.errors import EngineRefused, Gone

TIMEOUT = 30.0
# What a container may write to until it is removed, and as whom: nobody of the image's own, and not root.
FOLDER, USER = "/work", 10_001
# Of what a container prints: the engine keeps as much, and lets go of what is older.
LOG = {"max-size": "8m", "max-file": "2"}
TMPFS = {"/tmp": "size=64m,mode=1777,nosuid,nodev"}  # noqa: S108  # in a container of its own


@dataclass(frozen=True)
class Wanted:
    """What is to run: `entrypoint` with `arguments`, in `folder` of `image`. `memory` in bytes, `cpus` and `processes`
    bound it (0: they do not); `network` is the name of one, "" for none at all."""

    image: str
    entrypoint: str
    arguments: Sequence[str] = ()
    folder: str = FOLDER
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    memory: int = 0
    cpus: float = 0.0
    processes: int = 0
    network: str = ""


@dataclass(frozen=True)
class Outcome:
    """`runs`: it has not ended. `status` is its exit code, 128 and more where a signal killed it; `error` says why it
    could not be started."""

    runs: bool
    status: int
    out_of_memory: bool
    error: str


@dataclass(frozen=True)
class Runs:
    """Of the engine at `url`."""

    url: str
    timeout: float = TIMEOUT

    def create(self, wanted: Wanted) -> tuple[str, list[str]]:
        """The container's id, and what the engine warns of, as a limit that it cannot keep. Raises `Gone` where there
        is no such image."""
        with sdk.connected(self.url, self.timeout) as client:
            made = client.create_container(
                wanted.image,
                list(wanted.arguments),
                entrypoint=[wanted.entrypoint],
                user=f"{USER}:{USER}",
                working_dir=wanted.folder,
                environment=dict(wanted.variables),
                labels=dict(wanted.labels),
                volumes=[FOLDER],
                network_disabled=not wanted.network,
                healthcheck={"test": ["NONE"]},
                host_config=_host_config(client, wanted),
                use_config_proxy=False,
            )
        return str(made["Id"]), [str(warning) for warning in made.get("Warnings") or []]

    def put(self, identifier: str, tar: BinaryIO) -> None:
        """Unpack a tar below `FOLDER`."""
        with sdk.connected(self.url, self.timeout) as client:
            client.put_archive(identifier, FOLDER, tar)

    def start(self, identifier: str) -> None:
        with sdk.connected(self.url, self.timeout) as client:
            client.start(identifier)

    def follow(self, identifier: str, since: float = 0.0) -> Iterator[bytes]:
        """What it prints, as it comes, until it has ended or the connection has. `since`: seconds of the epoch."""
        with sdk.connected(self.url, self.timeout) as client:
            path, params = f"/containers/{identifier}/logs", {"stdout": 1, "stderr": 1, "follow": 1}
            yield from sdk.frames(sdk.streamed(client, path, None, since=f"{since:.9f}", **params))

    def outcome(self, identifier: str) -> Outcome:
        with sdk.connected(self.url, self.timeout) as client:
            state = client.inspect_container(identifier)["State"]
        return Outcome(
            runs=bool(state.get("Running")),
            status=int(state.get("ExitCode") or 0),
            out_of_memory=bool(state.get("OOMKilled")),
            error=str(state.get("Error") or ""),
        )

    def fetch(self, identifier: str, path: str) -> Iterator[bytes]:
        """A folder of it, as a tar. Raises `Gone` where there is none."""
        with sdk.connected(self.url, self.timeout) as client:
            yield from sdk.streamed(client, f"/containers/{identifier}/archive", self.timeout, path=path)

    def remove(self, identifier: str) -> None:
        """Kill it and remove it, with all that it wrote. From any thread, and more than once."""
        with suppress(Gone):
            try:
                with sdk.connected(self.url, self.timeout) as client:
                    client.remove_container(identifier, v=True, force=True)
            except EngineRefused as refused:
                # It is being removed already.
                if refused.status != 409:
                    raise

    def labelled(self, labels: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """The labels of each container that has all of these (`name` or `name=value`), by its id."""
        with sdk.connected(self.url, self.timeout) as client:
            listed = client.containers(all=True, filters={"label": list(labels)})
        return {str(item["Id"]): item.get("Labels") or {} for item in listed}


def _host_config(client: docker.APIClient, wanted: Wanted) -> Any:
    """As little as there can be: no network, no capabilities, nothing to write to but `FOLDER` and a small `/tmp`."""
    return client.create_host_config(
        read_only=True,
        tmpfs=TMPFS,
        network_mode=wanted.network or "none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        ipc_mode="private",
        mem_limit=wanted.memory or None,
        # As much again of swap would let it take twice as much.
        memswap_limit=wanted.memory or None,
        nano_cpus=int(wanted.cpus * 1e9) or None,
        pids_limit=wanted.processes or None,
        # Below what serves people, and the first to go where the machine runs out of memory.
        cpu_shares=512,
        oom_score_adj=1000,
        log_config={"Type": "json-file", "Config": LOG},
    )
