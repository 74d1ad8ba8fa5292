"""The Rasa project in a folder as one zip. The same files give the same bytes everywhere, so nothing is compressed.

Trained models, what tools leave behind and what usually holds secrets stays out: training needs none of it.
"""

import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from cpctl.failures import usage

CONFIGS = ("config.yml", "config.yaml")
# Whatever begins with a dot stays out as well: .git, .rasa, .env, .venv.
JUNK_FOLDERS = frozenset({"__pycache__", "venv", "node_modules", "__MACOSX"})
JUNK_AT_ROOT = frozenset({"models", "results"})
# Of a server, not of a model; both hold tokens and passwords.
SECRETS_AT_ROOT = frozenset({"credentials.yml", "credentials.yaml", "endpoints.yml", "endpoints.yaml"})
SECRET_SUFFIXES = frozenset({".pem", ".key", ".p12", ".pfx", ".jks", ".env"})
SECRET_NAMES = frozenset({"id_rsa", "id_ecdsa", "id_ed25519"})

EPOCH = (1980, 1, 1, 0, 0, 0)
PIECE = 256 * 1024


@dataclass
class Packed:
    """`file` is the zip, `files` how many it holds; `left_out` are files that look like secrets."""

    file: IO[bytes]
    files: int = 0
    left_out: list[str] = field(default_factory=list)


@contextmanager
def pack(folder: Path) -> Iterator[Packed]:
    """Raises Failure where `folder` holds no Rasa project, or something in it cannot be read."""
    if not folder.is_dir():
        raise usage(f"There is no folder {folder}.")
    if not any((folder / name).is_file() for name in CONFIGS):
        raise usage(f"There is no config.yml in {folder.resolve()}. Name the folder of the Rasa project.")
    with tempfile.TemporaryFile() as file:
        packed = Packed(file)
        try:
            _fill(packed, folder)
        except OSError as error:
            raise usage(f"The project cannot be read: {error.filename or folder}: {error.strerror}.") from error
        yield packed


def _fill(packed: Packed, folder: Path) -> None:
    with zipfile.ZipFile(packed.file, "w", zipfile.ZIP_STORED) as archive:
        for path, relative in _files(folder):
            if _is_secret(relative):
                packed.left_out.append(str(relative))
                continue
            _add(archive, path, relative)
            packed.files += 1


def _files(folder: Path) -> Iterator[tuple[Path, PurePosixPath]]:
    root = folder.resolve()
    for path in sorted(_walk(folder), key=lambda found: found.relative_to(folder).parts):
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise usage(f"{relative} is a link out of the folder. Put the file itself there, or remove the link.")
        yield path, relative


def _walk(folder: Path) -> Iterator[Path]:
    """The files below, without looking into folders that stay out. Links to folders are not followed."""
    waiting = [folder]
    while waiting:
        for path in waiting.pop().iterdir():
            relative = path.relative_to(folder)
            if path.name.startswith(".") or path.name in JUNK_FOLDERS or relative.parts[0] in JUNK_AT_ROOT:
                continue
            if path.is_dir() and path.is_symlink():
                raise usage(f"{relative} is a link to a folder. Put the folder itself there, or remove the link.")
            if path.is_dir():
                waiting.append(path)
            elif path.is_file():
                yield path


def _is_secret(path: PurePosixPath) -> bool:
    at_root = len(path.parts) == 1 and path.name.lower() in SECRETS_AT_ROOT
    return at_root or path.suffix.lower() in SECRET_SUFFIXES or path.name.lower() in SECRET_NAMES


def _add(archive: zipfile.ZipFile, path: Path, relative: PurePosixPath) -> None:
    info = zipfile.ZipInfo(str(relative), EPOCH)
    # As if it was made on Unix, wherever it is.
    info.create_system = 3
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    with path.open("rb") as source, archive.open(info, "w") as target:
        while piece := source.read(PIECE):
            target.write(piece)
