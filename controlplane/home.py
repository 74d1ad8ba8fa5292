"""What is kept under `CONTROLPLANE_HOME`: the installation key and the secrets that the first start makes.

Knows no Django: the settings file reads it.
"""

import os
import secrets
from pathlib import Path

GENERATED = ("RASA_TOKEN", "RASA_X_TOKEN", "JWT_SECRET")


def create_private(path: Path, text: str) -> bool:
    """Write `path` with mode 0600 if it does not exist yet; True if this call made it.

    The text is complete before the name appears, so that several processes that start at once agree.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def write_private(path: Path, text: str) -> None:
    """Write `path` with mode 0600, in place of what it held, at once."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def keep_private(path: Path) -> None:
    """Have the file readable by its owner alone: an empty one where there is none yet."""
    path.touch(mode=0o600)
    path.chmod(0o600)


def installation_key(home: Path) -> str:
    """The key everything derived comes from; made at the first call, 0600."""
    path = home / "secret-key"
    if not path.exists():
        create_private(path, secrets.token_urlsafe(64))
    return path.read_text().strip()


def generated_variables(home: Path) -> dict[str, str]:
    """The variables that `up` made at its first start, `{}` before it."""
    path = home / "generated.env"
    if not path.exists():
        return {}
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def generate_variables(home: Path) -> None:
    """Make the variables of `GENERATED` once; those already made are kept."""
    text = "".join(f"{name}={secrets.token_urlsafe(32)}\n" for name in GENERATED)
    create_private(home / "generated.env", text)
