"""Runs one program within limits and no longer than its starter: `python -IS confined.py BYTES LIFE COMMAND…`.

No file that it writes is larger than BYTES. LIFE is the number of a pipe's end that reads: the starter keeps the other
one open and never writes to it, so its end is the news that the starter is gone, and all that the program started ends.
A script that needs the standard library alone; it leads a process group of its own.
"""

import os
import resource
import signal
import subprocess
import sys
import threading


def end_all_when_alone(life: int) -> None:
    while os.read(life, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def main(limit: int, life: int, command: list[str]) -> int:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=end_all_when_alone, args=(life,), daemon=True).start()
    # Python ignores the signal of a file that grew too large, and so does the program: it is told by an error.
    return subprocess.call(command, restore_signals=False)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
