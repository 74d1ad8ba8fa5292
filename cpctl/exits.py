"""What an exit status says. `manage.py promote` and `rollback` use the same first five."""

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    REFUSED = 1
    USAGE = 2
    UNSUCCESSFUL = 3
    UNFINISHED = 4
    UNREACHABLE = 5
    NOT_SIGNED_IN = 6
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS: dict[Exit, str] = {
    Exit.OK: "done",
    Exit.REFUSED: "the control plane refused it; nothing was changed",
    Exit.USAGE: "wrong options, or a file that cannot be used; nothing was sent",
    Exit.UNSUCCESSFUL: "it ended, and not with success",
    Exit.UNFINISHED: "not finished within --timeout; it goes on",
    Exit.UNREACHABLE: "the control plane cannot be reached, or could not answer",
    Exit.NOT_SIGNED_IN: "there is no token, or it is unknown, expired or revoked",
    Exit.INTERRUPTED: "Ctrl-C; what was submitted goes on",
    Exit.TERMINATED: "SIGTERM; what was submitted goes on",
}


def table() -> str:
    """The meanings, a line each, for `--help`."""
    return "\n".join(f"  {status.value:>3}  {meaning}" for status, meaning in MEANINGS.items())
