"""One commit of a repository, fetched without a working tree: no file of it is ever written, no hook or filter run."""

import ipaddress
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from environments import addresses
from environments.clients.git import credentials as handing
from environments.clients.git.credentials import Credentials
from environments.clients.git.errors import NoSuchRef, Refused, Unavailable
from environments.clients.git.program import PROXIES, Git, Limits, environment
from environments.clients.git.saying import meaning

PORTS = {"https": 443, "ssh": 22}
# Of a commit's words, which may be anything.
MAX_AUTHOR = 300
MAX_MESSAGE = 10_000


@dataclass(frozen=True)
class Commit:
    """`name` is its hash, `author` as `Name <mail>`; `git` reads its objects."""

    name: str
    author: str
    message: str
    git: Git


def fetch(
    url: str,
    ref: str,
    folder: Path,
    *,
    credentials: Credentials,
    limits: Limits,
    ca_file: str = "",
    check: Callable[[], None] = lambda: None,
    progress: Callable[[float], None] = lambda part: None,
) -> Commit:
    """The commit that `ref` (branch, tag, or a commit's whole name) is at now, into `folder`, which is empty.

    `url` and `ref` were judged before. Raises GitError, and what `check` raises.
    """
    configuration = _pinned(url) | ({"http.sslCAInfo": ca_file} if ca_file else {})
    with handing.handed_over(credentials, folder) as variables:
        git = Git(folder, environment(folder, variables, configuration), limits, check)
        _run(git, ref, "init", "--quiet", "--bare", "--template=")
        _run(
            git,
            ref,
            "fetch",
            "--progress",
            "--depth=1",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            "--end-of-options",
            url,
            ref,
            progress=progress,
        )
    name = (
        _run(git, ref, "rev-parse", "--verify", "--quiet", "--end-of-options", "FETCH_HEAD^{commit}").decode().strip()
    )
    told = _run(git, ref, "log", "-1", "--no-color", "--encoding=UTF-8", "--format=%an <%ae>%x00%B", name)
    author, _, message = told.decode(errors="replace").partition("\0")
    return Commit(name, _printable(author)[:MAX_AUTHOR], _printable(message).strip()[:MAX_MESSAGE], git)


def _run(git: Git, ref: str, *arguments: str, progress: Callable[[float], None] = lambda part: None) -> bytes:
    output = git.run(*arguments, progress=progress)
    if output.status == 0:
        return output.text
    if arguments[0] == "rev-parse":
        raise NoSuchRef(f"{ref} is no commit. Name a branch, a tag of a commit, or a commit.")
    if output.status == 127 or "FileNotFoundError" in output.errors:
        raise Unavailable("The machine of the worker has no git. Install it there.")
    raise meaning(output.errors, ref)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)


def _pinned(url: str) -> dict[str, str]:
    """The addresses that the host's name has now, looked at and then held to (by https; ssh expects a host key).

    Behind a proxy it is the proxy that looks names up.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    if parts.scheme == "https" and PROXIES & os.environ.keys():
        return {}
    found = _look_up(host, port)
    if any(addresses.is_forbidden_host(address) for address in found):
        raise Refused("The name of the repository's server stands for an address where no repository is.")
    is_name = not _is_address(host)
    return {"http.curloptResolve": f"{host}:{port}:{','.join(found)}"} if parts.scheme == "https" and is_name else {}


def _look_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(
            "The name of the repository's server is not known here. Check its spelling and the name service."
        ) from error
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
