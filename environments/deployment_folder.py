"""The folder of docker-compose.yml: what is generated into it, compared and written. Knows no database.

Each file is written whole or not at all, and none unless every one can be.
"""

import difflib
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml.nodes import MappingNode

from environments.compose import override, rasa_files
from environments.compose.generating import STACK, Generated
from environments.compose.override import OverrideRefused
from environments.compose.service import CREDENTIALS, ENDPOINTS, FOLDER
from environments.yaml_file import SyntaxErrorAt, compose

MAIN = "docker-compose.yml"
READABLE, PRIVATE, OPEN = 0o644, 0o600, 0o755


class FolderRefused(Exception):
    """What is there cannot be read, or must not be overwritten; with every reason."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(reasons))


@dataclass(frozen=True)
class Change:
    """What would become of one file; `new` None: it is removed. `path` is relative to the folder."""

    path: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        if self.old is None:
            return f"{self.path} is missing"
        return (
            f"{self.path} is not as declared" if self.new is not None else f"{self.path} is of no environment any more"
        )

    def diff(self) -> str:
        old, new = ((text or "").splitlines(keepends=True) for text in (self.old, self.new))
        before, after = (self.path if text is not None else "/dev/null" for text in (self.old, self.new))
        lines = difflib.unified_diff(old, new, before, after)
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def stack_services(folder: Path) -> frozenset[str]:
    """The services of docker-compose.yml; those of the control plane's own where there is none."""
    text = read(folder / MAIN)
    if text is None:
        return STACK
    try:
        root = compose(text)
    except SyntaxErrorAt as refused:
        raise FolderRefused(f"{MAIN} is no YAML that can be read ({refused.error}).") from None
    entries = {key.value: node for key, node in root.value} if isinstance(root, MappingNode) else {}
    services = entries.get("services")
    return frozenset(key.value for key, _ in services.value) if isinstance(services, MappingNode) else frozenset()


def override_text(folder: Path, generated: Generated, *, overwrite: bool = False) -> str:
    """docker-compose.override.yml as it would be written."""
    try:
        return override.merge(read(folder / override.NAME), generated, overwrite=overwrite)
    except OverrideRefused as refused:
        raise FolderRefused(str(refused)) from None


def changes(folder: Path, generated: Generated, *, overwrite: bool = False) -> list[Change]:
    """What differs between the folder and what is declared, in the order in which it is to be written: what a service
    mounts comes before the service, and what none mounts any more goes last."""
    reasons: list[str] = []
    found = [*_rasa_files(folder, generated, overwrite, reasons)]
    try:
        text = override_text(folder, generated, overwrite=overwrite)
        found.append(Change(override.NAME, read(folder / override.NAME), text))
    except FolderRefused as refused:
        reasons.append(str(refused))
    found += _left_over(folder, generated)
    if reasons:
        raise FolderRefused(*reasons)
    return [change for change in found if change.old != change.new]


def _rasa_files(folder: Path, generated: Generated, overwrite: bool, reasons: list[str]) -> Iterator[Change]:
    for item in generated.services:
        for name, text in ((ENDPOINTS, item.endpoints), (CREDENTIALS, item.credentials)):
            path = f"{FOLDER}/{item.name}/{name}"
            old = read(folder / path)
            if old is not None and not overwrite and rasa_files.was_edited(old):
                cure = "Say it in environments.yml; `--overwrite` drops it."
                reasons.append(f"{path} was edited, or written, by hand. {cure}")
            yield Change(path, old, rasa_files.finished(text))


def _left_over(folder: Path, generated: Generated) -> Iterator[Change]:
    """Generated files of services that are none any more; what was written by hand beside them stays."""
    names = {item.name for item in generated.services}
    for path in sorted((folder / FOLDER).glob("*/*.yml")):
        old = read(path)
        is_file = path.name in (ENDPOINTS, CREDENTIALS) and path.parent.name not in names
        if is_file and old is not None and rasa_files.is_generated(old) and not rasa_files.was_edited(old):
            yield Change(str(path.relative_to(folder)), old, None)


def read(path: Path) -> str | None:
    """The text of a file as it stands, None where there is none."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FolderRefused(f"{path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise FolderRefused(f"{path} is not UTF-8. Save it as UTF-8, or bring it back from a copy.") from None


# Writing


def write(folder: Path, found: Sequence[Change]) -> None:
    reasons = [reason for change in found if (reason := _why_not(folder / change.path))]
    if reasons:
        raise FolderRefused(*reasons)
    for change in found:
        path = folder / change.path
        try:
            if change.new is None:
                path.unlink()
                _remove_if_empty(path.parent)
            else:
                _write_whole(path, change.new, _mode(path))
        except OSError as error:
            raise FolderRefused(f"{path} cannot be written ({error.strerror}).") from None


def _why_not(path: Path) -> str:
    """Why a file is not written, empty if it can be. Nobody keeps an administrator from it, so the mode is looked at:
    who made a file read-only meant it."""
    try:
        if path.exists() and not stat.S_IMODE(path.stat().st_mode) & 0o222:
            return f"{path} is read-only. Allow writing to it (chmod u+w), or take it away."
        nearest = next(parent for parent in path.parents if parent.exists())
        if not os.access(nearest, os.W_OK) or not nearest.is_dir():
            return f"{path} cannot be written: {nearest} is no folder that one may write to."
    except OSError as error:
        return f"{path} cannot be looked at ({error.strerror})."
    return ""


def write_private(path: Path, text: str) -> None:
    """Readable by its owner alone."""
    if reason := _why_not(path):
        raise FolderRefused(reason)
    try:
        _write_whole(path, text, PRIVATE)
    except OSError as error:
        raise FolderRefused(f"{path} cannot be written ({error.strerror}).") from None


def _mode(path: Path) -> int:
    """Of a file that is there, its own. No secret is in what is generated, and the server runs as another user."""
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else READABLE


def _write_whole(path: Path, text: str, mode: int) -> None:
    """In place of what it held, at once. A link is followed."""
    path = path.resolve()
    _make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Open to all whatever the mask of this process is: a Rasa server reads it as another user."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(OPEN)


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
