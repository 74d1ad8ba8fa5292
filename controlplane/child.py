"""Runs one program so that it ends with the process that started it, however that one ends.

`python -IS child.py COMMAND…`, with a pipe as standard input that the starter keeps open and never writes to: its end
is the news that the starter is gone. A script that needs the standard library alone, so that it costs next to nothing.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Between fork and exec: on Linux the kernel kills the program when this launcher is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_group_when_alone() -> None:
    """The starter is gone: nobody is left to ask anything of the program, its children included."""
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def main(command: list[str]) -> int:
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)  # noqa: S603
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, lambda number, _: program.send_signal(number))
    threading.Thread(target=kill_group_when_alone, daemon=True).start()
    status = program.wait()
    # As a shell tells it: 128 + the number of the signal that ended the program.
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
