"""As whom a local Rasa runs. A `config.yml` can name any Python module, so where it can be not as the control plane."""

import os
import pwd
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NOBODY = "nobody"
TRIED_FOR = 30.0


class NoAccount(Exception):
    """Rasa cannot be run as that user; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int


def chosen(name: str) -> Account | None:
    """The user named ("": `nobody` for root, else none), None where that is who runs already. Raises NoAccount."""
    if not name and os.geteuid():
        return None
    try:
        entry = pwd.getpwnam(name or NOBODY)
    except KeyError:
        raise NoAccount(f"There is no user {name or NOBODY} on this machine.") from None
    if entry.pw_uid == os.geteuid():
        return None
    if os.geteuid():
        raise NoAccount(f"Only root can run Rasa as {name}, and this is the user {os.geteuid()}.")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def switched(account: Account | None) -> dict[str, object]:
    """What `subprocess` needs to run a program as that user."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": [account.gid]}


def can_run(command: Path, account: Account | None) -> bool:
    """Whether that user reaches the program and what runs it: tried, as folders above them may be closed to others."""
    try:
        done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603
            _trial(command),
            cwd="/",
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TRIED_FOR,
            check=False,
            **switched(account),
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return bool(done.returncode == 0)


def _trial(command: Path) -> list[str]:
    """Rasa itself takes seconds to start; its Python does not."""
    with suppress(OSError), command.open("rb") as file:
        begin = file.readline(200).decode(errors="replace").split()
        if begin and begin[0].startswith("#!/") and "python" in begin[0]:
            return ["/bin/sh", "-c", 'test -x "$0" && exec "$1" -IS -c ""', str(command), begin[0][2:]]
    return ["/bin/sh", "-c", 'test -x "$0"', str(command)]
