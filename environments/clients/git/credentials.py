"""Credentials as `git` and `ssh` take them: in files that only this user reads, in memory where there is a place for
that, and gone afterwards. Neither an argument nor a variable of any process holds them; those name the files."""

import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

IN_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
PREFIX = "controlplane-git-"

# Git asks the helper for credentials and tells it what became of them; only the question is answered.
HELPER = '!answer() { test "$1" = get && cat "$CONTROLPLANE_GIT_CREDENTIAL"; }; answer'

SSH_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",
    "PreferredAuthentications": "publickey",
    "ConnectTimeout": "15",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "2",
    "ForwardAgent": "no",
    "ClearAllForwardings": "yes",
    "ControlMaster": "no",
    "ControlPath": "none",
    "LogLevel": "ERROR",
}


@dataclass(frozen=True)
class Credentials:
    """A user name with a token for https; a private key with the host keys to expect (as in known_hosts) for ssh."""

    username: str = ""
    token: str = field(default="", repr=False)
    ssh_key: str = field(default="", repr=False)
    known_hosts: str = ""

    @property
    def secrets(self) -> list[str]:
        return [secret for secret in (self.token, self.ssh_key) if secret]


@contextlib.contextmanager
def handed_over(credentials: Credentials, otherwise: Path) -> Iterator[dict[str, str]]:
    """The variables under which `git` finds the credentials until the block ends. `otherwise` is where the files lie
    if there is no memory to hold them."""
    place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else otherwise
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    try:
        yield _https(credentials, folder) | _ssh(credentials, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(older_than: float, place: Path = IN_MEMORY) -> int:
    """Remove what killed processes left behind before the moment `older_than` (seconds of the epoch); how many."""
    swept = 0
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            state = folder.lstat()
            if state.st_uid == os.getuid() and state.st_mtime < older_than:
                shutil.rmtree(folder)
                swept += 1
    return swept


def _https(credentials: Credentials, folder: Path) -> dict[str, str]:
    if not credentials.token:
        return {}
    answer = f"username={credentials.username or 'git'}\npassword={credentials.token}\n"
    return {"CONTROLPLANE_GIT_CREDENTIAL": _write(folder / "credential", answer)}


def _ssh(credentials: Credentials, folder: Path) -> dict[str, str]:
    key = credentials.ssh_key.strip()
    options = SSH_OPTIONS | {
        "UserKnownHostsFile": _write(folder / "known_hosts", f"{credentials.known_hosts.strip()}\n"),
        "IdentityFile": _write(folder / "key", f"{key}\n") if key else "none",
    }
    words = ["ssh", "-F", "none", *(f"-o{name}={value}" for name, value in options.items())]
    return {"GIT_SSH_COMMAND": shlex.join(words), "GIT_SSH_VARIANT": "ssh"}


def _write(path: Path, text: str) -> str:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return str(path)
