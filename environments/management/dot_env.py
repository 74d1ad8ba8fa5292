"""The variables that the generated services need, in the `.env` beside docker-compose.yml.

Compose does nothing at all while one is missing, so no service is written before its variables are there: in that
file, or in the variables of this process, which compose reads as well.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from environments import deploying, deployment_folder, env_file
from environments.compose.generating import Generated
from environments.env_file import Written
from environments.spec import Declaration


@dataclass(frozen=True)
class Variables:
    """`written`: the file with what the control plane knows, `unknown`: what has to be set by hand, with its use."""

    path: Path
    written: Written
    unknown: tuple[str, ...]

    def differences(self) -> list[str]:
        return [
            *self.missing(),
            *(f"{name} is not the present one in {env_file.NAME}" for name in self.written.replaced),
        ]

    def missing(self) -> list[str]:
        return [*(f"{name} is missing in {env_file.NAME}" for name in self.written.added), *self.unknown]

    def write(self) -> list[str]:
        """What was done. The file is readable by its owner alone, whatever it was."""
        if self.written.added or self.written.replaced or (self.path.exists() and self.path.stat().st_mode & 0o077):
            deployment_folder.write_private(self.path, self.written.text)
        told = [f"added {name} to {env_file.NAME}" for name in self.written.added]
        return told + [f"replaced {name} in {env_file.NAME}" for name in self.written.replaced]


def present(folder: Path) -> dict[str, str]:
    """What the file sets; nothing where there is none."""
    return env_file.values(deployment_folder.read(folder / env_file.NAME) or "")


def variables(folder: Path, made: Generated, declared: Declaration) -> Variables:
    """Raises `FolderRefused`, `ValueRefused`, and `SecretUnreadable` for a value that is kept and cannot be read."""
    path = folder / env_file.NAME
    text = deployment_folder.read(path) or ""
    there, values, needed = env_file.values(text), deploying.values_of(made, declared), made.variables
    wanted = {name: value for name, value in values.own.items() if name in needed}
    wanted |= {name: value for name, value in values.known.items() if name in needed and not there.get(name)}
    found = {*wanted, *there, *os.environ}
    unknown = [_told(name, uses) for name, uses in needed.items() if name not in found]
    return Variables(path, env_file.with_values(text, wanted), tuple(unknown))


def _told(name: str, uses: list[str]) -> str:
    which = uses[0] if len(uses) == 1 else f"{uses[0]} and {len(uses) - 1} more"
    cure = "Run sync_environments first." if name.startswith("CONTROLPLANE_TOKEN_") else "Set it there."
    return f"{name} is missing in {env_file.NAME}: {which}. {cure}"
