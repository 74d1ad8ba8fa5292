"""What the machine's own programs take for the same bytes, and what a process takes of its memory."""

import getpass
import grp
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live import Process, free_port

MB = 1024 * 1024

NGINX = """
{user}
daemon off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events {{}}
http {{
    access_log off; sendfile on; default_type application/gzip;
    client_body_temp_path .; proxy_temp_path .; fastcgi_temp_path .; uwsgi_temp_path .; scgi_temp_path .;
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def seconds_of(*command: str) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def nginx_program() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx(program: str, root: Path, folder: Path) -> Iterator[int]:
    """The port where nginx serves the files of `root`, with sendfile, as it would in production."""
    port = free_port()
    (root / "index.html").touch()
    user = f"user {getpass.getuser()} {grp.getgrgid(os.getgid()).gr_name};" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(user=user, port=port, root=root))
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    server = Process(command, folder=folder, environment=os.environ, log=folder / "nginx.log")
    try:
        server.wait_for(f"http://127.0.0.1:{port}/", 20)
        yield port
    finally:
        server.stop()


def memory(pids: Iterable[int], what: str = "VmRSS") -> float:
    """Resident memory of the processes together in MB; `VmHWM` gives the peak since `forget_peak`."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024


def processor_seconds(pids: Iterable[int]) -> float:
    """What the processes have used of the processor since they started."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(own[11]) + int(own[12]) for own in fields) / os.sysconf("SC_CLK_TCK")


def forget_peak(pids: Iterable[int]) -> None:
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
