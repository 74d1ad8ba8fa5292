"""Runs one program so that no process of it outlives its starter: `python -IS launcher.py OPTIONS -- COMMAND…`.

The starter keeps the standard input open and never writes to it: its end, by intent or by `kill -9`, ends all that the
program started. Orphans come to this process (PR_SET_CHILD_SUBREAPER), so that neither a new session nor a new process
group takes one out of reach. The standard output is the program's, for both of its streams; the standard error gets one
line of JSON at the end: `{"status": 0}`, `{"signal": 9}`, `{"memory": bytes}` or `{"refused": reason}`; nothing where
the starter ended it. Needs the standard library alone, and does not trust the program.
"""

import argparse
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LINUX = sys.platform == "linux"
LOOK_EVERY = 0.25
ASKED_TO_END = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
# Below what serves people, and first in line where the kernel must end something for want of memory.
NICENESS, OOM_SCORE = 10, "1000"


def control(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def confine() -> None:
    """Between fork and exec, already as the other user: a change of user forgets the signal at the parent's death."""
    control(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    os.umask(0o077)


def start(options: argparse.Namespace) -> subprocess.Popen[bytes]:
    other: dict[str, object] = {}
    if options.uid is not None:
        other = {"user": options.uid, "group": options.gid, "extra_groups": [options.gid]}
    program = subprocess.Popen(  # type: ignore[call-overload]  # noqa: S603
        options.command,
        stdin=subprocess.DEVNULL,
        stderr=sys.stdout.fileno(),
        cwd=options.folder,
        preexec_fn=confine,  # there is one thread
        **other,
    )
    with suppress(OSError), open(f"/proc/{program.pid}/oom_score_adj", "w") as score:
        score.write(OOM_SCORE)
    return program  # type: ignore[no-any-return]


# Processes


def parents() -> dict[int, int]:
    """Of each process, which one started it or took it over."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc") if LINUX else []):
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
            # The second field is the program's own name, which may hold anything.
            found[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    return found


def descendants() -> set[int]:
    known = parents()
    return {pid for pid in known if os.getpid() in ancestors(pid, known)}


def ancestors(pid: int, known: dict[int, int]) -> Iterator[int]:
    # Read one after the other, the parents may form a ring.
    for _ in range(len(known)):
        pid = known.get(pid, 0)
        if not pid:
            return
        yield pid


def memory() -> int:
    """Bytes of memory that the program and all that it started hold now."""
    pages = 0
    for pid in descendants():
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm") as file:
            pages += int(file.read().split()[1])
    return pages * resource.getpagesize()


def reap(program: subprocess.Popen[bytes]) -> None:
    """Take the ends of orphans; that of the program itself is kept for whoever asks."""
    with suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid == program.pid:
                program.poll()
            else:
                os.waitpid(ended.si_pid, 0)


def end_all(program: subprocess.Popen[bytes]) -> None:
    """Kill what is there until nothing is: a process may start another one while it is being killed."""
    program.kill()
    program.wait()
    while alive := descendants():
        for pid in alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        reap(program)
        time.sleep(0.01)


# Watching


def watch(program: subprocess.Popen[bytes], limit: int) -> dict[str, int] | None:
    """How the program ended, or that it took too much memory; None where the starter is gone or wants its end."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    for number in (signal.SIGCHLD, *ASKED_TO_END):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while program.poll() is None:
        ready, _, _ = select.select([0, woken], [], [], LOOK_EVERY)
        if 0 in ready and not os.read(0, 1024):
            return None
        if woken in ready and set(os.read(woken, 4096)) & ASKED_TO_END:
            return None
        reap(program)
        if limit and (taken := memory()) > limit:
            return {"memory": taken}
    status = program.returncode
    return {"status": status} if status >= 0 else {"signal": -status}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--memory", type=int, default=0)
    parser.add_argument("--folder", required=True)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    control(PR_SET_CHILD_SUBREAPER, 1)
    try:
        program = start(options)
    except (OSError, subprocess.SubprocessError) as error:
        ended: dict[str, object] | None = {"refused": str(error)}
    else:
        ended = watch(program, options.memory)  # type: ignore[assignment]
        end_all(program)
    if ended is not None:
        with suppress(OSError):
            print(json.dumps(ended), file=sys.stderr, flush=True)  # noqa: T201
    if not LINUX:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
