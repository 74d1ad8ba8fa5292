"""Where the control plane is and who one is there: options, then the environment, then what `login` stored.

The token is never an option: what is in the list of processes is read by others.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from cpctl.exits import Exit
from cpctl.failures import Failure, usage

URL, TOKEN, PROJECT, CA_FILE = "CPCTL_URL", "CPCTL_TOKEN", "CPCTL_PROJECT", "CPCTL_CA_FILE"

_VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Account:
    """`ca_file`: what to trust in place of the public authorities, "" for those."""

    url: str
    token: str
    ca_file: str = ""
    username: str = ""


def file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where `login` stores the account: in the user's folder for configuration."""
    if sys.platform == "win32":
        folder = Path(environ.get("APPDATA") or Path.home())
    else:
        folder = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / "cpctl" / "account.json"


def canonical(url: str) -> str:
    """The URL as it is kept and compared. Raises Failure where it is none of a control plane."""
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise usage(f"{url!r} is not a URL ({error}). Write it like https://control-plane.example.com.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise usage(f"{url!r} is not a URL of a control plane. Write it like https://control-plane.example.com.")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise usage(
            f"The URL must have no user name, query or fragment; the token goes into {TOKEN} or to cpctl login."
        )
    return str(parsed).rstrip("/")


def checked_token(token: str, where: str) -> str:
    """The token without the white space that files and pipes add. It is never repeated in an error."""
    stripped = token.strip()
    if stripped and not _VISIBLE.fullmatch(stripped):
        raise usage(f"The token in {where} has characters that no token has. Copy it again.")
    return stripped


def find(*, url: str | None, ca_file: str | None, environ: Mapping[str, str] = os.environ) -> Account:
    """The account to act with; raises Failure where there is none. A stored token goes to its own URL alone."""
    stored = load(environ)
    chosen = url or environ.get(URL) or (stored.url if stored else "")
    if not chosen:
        raise Failure(
            Exit.NOT_SIGNED_IN,
            f"Say where the control plane is: cpctl login URL, or set {URL} and {TOKEN}.",
            title="Not signed in",
        )
    chosen = canonical(chosen)
    own = stored if stored and stored.url == chosen else None
    token = checked_token(environ.get(TOKEN, ""), TOKEN) or (own.token if own else "")
    if not token:
        raise Failure(
            Exit.NOT_SIGNED_IN,
            f"There is no token for {chosen}. Sign in: cpctl login {chosen}, or set {TOKEN}.",
            title="Not signed in",
        )
    trusted = ca_file or environ.get(CA_FILE) or (own.ca_file if own else "")
    return Account(chosen, token, trusted, own.username if own else "")


def load(environ: Mapping[str, str] = os.environ) -> Account | None:
    path = file(environ)
    try:
        return Account(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise usage(f"{path} cannot be read. Delete it and sign in again: cpctl login URL.") from error


def store(account: Account, environ: Mapping[str, str] = os.environ) -> Path:
    """Keep it for the next commands, readable by its owner alone."""
    path = file(environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as out:
            json.dump(asdict(account), out)
        draft.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            draft.unlink()
        raise
    return path


def forget(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether there was anything to forget."""
    try:
        file(environ).unlink()
    except FileNotFoundError:
        return False
    return True
