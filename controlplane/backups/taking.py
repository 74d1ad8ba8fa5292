"""Taking a backup while everything runs: one snapshot of the database, then the files that its rows name.

Files only come before their rows and go after them, and never change, so whatever the snapshot names is there, as long
as nothing is swept meanwhile: the stores are held.
"""

import fcntl
import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from accounts import sealing
from accounts.models import AuditLink
from controlplane.backups import BackupError, rows, versions
from controlplane.backups.container import FORMAT, HEADER, Writer
from environments import stores
from environments.clients.storage import Storage, StorageDamaged, StorageMissing
from environments.models import Bundle, TrainedModel

# Of the lines of one part of a table, before they are compressed.
PART = 4 * 1024**2
# Fast: most of a backup are archives, which are compressed already.
LEVEL = 3
KEYS = ("secret-key", "generated.env")

Say = Callable[[str], object]


@dataclass(frozen=True)
class Options:
    """What is left out, because it is kept elsewhere."""

    keys: bool = True
    archives: bool = True


@dataclass
class Summary:
    """What a backup holds; `lacking` are names of models and bundles whose bytes are damaged or gone."""

    made_at: str
    rows: dict[str, int] = field(default_factory=dict)
    models: int = 0
    bundles: int = 0
    bytes: int = 0
    lacking: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Wanted:
    """A file that a row names, and how it is told of where it is not there."""

    sha256: str
    what: str


def take(file: BinaryIO, *, options: Options, say: Say) -> Summary:
    """Write a backup to `file`. Raises `BackupError` and `OSError`."""
    writer = Writer(file)
    summary = Summary(timezone.now().isoformat())
    with ExitStack() as held:
        if options.archives:
            held.enter_context(stores.models().held())
            held.enter_context(stores.bundles().held())
        with _snapshot():
            writer.add(HEADER, json.dumps(_header(summary, options)).encode())
            tables = rows.models_of(apps).items()
            digests = {table: write_table(writer, table, model, summary, say) for table, model in tables}
            models, bundles, head = _named_models(), _named_bundles(), _audit_head()
        if options.keys:
            _keys(writer)
        if options.archives:
            summary.models = _files(writer, "archives", stores.models(), models, summary, say)
            summary.bundles = _files(writer, "bundles", stores.bundles(), bundles, summary, say)
    told = {"rows": summary.rows, "digests": digests, "audit_head": head, "lacking": summary.lacking}
    writer.finish(told)
    summary.bytes = writer.written
    return summary


@contextmanager
def _snapshot() -> Iterator[None]:
    """The database as it is at one moment, for as long as the block lasts; nobody waits for it."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        # Not by `atomic`, which on SQLite begins as a writer and lets no other write.
        cursor.execute("BEGIN DEFERRED")
        try:
            cursor.execute("SELECT COUNT(*) FROM django_migrations")
            yield
        finally:
            cursor.execute("ROLLBACK")


def _header(summary: Summary, options: Options) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "made_at": summary.made_at,
        "database": connection.vendor,
        "migrations": versions.applied(),
        "tables": {table: rows.columns_of(model) for table, model in rows.models_of(apps).items()},
        "with_keys": options.keys,
        "with_archives": options.archives,
        # By which a restore tells whether it has the key that secrets were sealed under.
        "installation_key": sealing.fingerprint(settings.SECRET_KEY),
    }


def write_table(writer: Writer, table: str, model: type[Model], summary: Summary, say: Say) -> str:
    """Write the rows of a table in parts; one hash over all of them."""
    digest, summary.rows[table] = hashlib.sha256(), 0
    for number, part in enumerate(_parts(rows.lines(model, rows.columns_of(model))), start=1):
        data = b"".join(part)
        digest.update(data)
        writer.add(f"tables/{table}/{number:06}.jsonl.gz", gzip.compress(data, LEVEL, mtime=0))
        summary.rows[table] += len(part)
        say(f"{table}: {summary.rows[table]} rows")
    return digest.hexdigest()


def _parts(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    part, size = [], 0
    for line in lines:
        part.append(line)
        size += len(line)
        if size >= PART:
            yield part
            part, size = [], 0
    if part:
        yield part


def _named_models() -> list[_Wanted]:
    found = TrainedModel.objects.present().order_by("pk").values_list("hash", "name", "project__name")
    return _each_once(_Wanted(sha256, f"model {name} of {project}") for sha256, name, project in found.iterator())


def _named_bundles() -> list[_Wanted]:
    found = Bundle.objects.filter(removed_at=None).order_by("pk").values_list("hash", "project__name")
    return _each_once(_Wanted(sha256, f"bundle {sha256[:8]} of {project}") for sha256, project in found.iterator())


def _each_once(wanted: Iterator[_Wanted]) -> list[_Wanted]:
    return list({each.sha256: each for each in wanted}.values())


def _audit_head() -> str:
    last = AuditLink.objects.order_by("-position").first()
    return str(last) if last else ""


def _keys(writer: Writer) -> None:
    """Those that lie in the home. One that a variable gives is not written down anywhere."""
    for name in KEYS:
        path = Path(settings.CONTROLPLANE_HOME) / name
        used = path.exists() and (name != "secret-key" or path.read_text().strip() == settings.SECRET_KEY)
        if used:
            writer.add(f"keys/{name}", path.read_bytes())


def _files(writer: Writer, folder: str, store: Storage, wanted: list[_Wanted], summary: Summary, say: Say) -> int:
    """Copy the files that are sound; how many they were."""
    copied = 0
    for each in wanted:
        try:
            file = store.open(each.sha256)
        except (StorageMissing, StorageDamaged):
            summary.lacking.append(each.what)
            continue
        with file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            writer.add_file(f"{folder}/{each.sha256}", size, file)
        copied += 1
        say(f"{folder}: {copied} of {len(wanted)}")
    return copied


# Into a file


@contextmanager
def target(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name once it is whole and durable, readable by its owner alone."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    with _alone(unfinished, path) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            unfinished.rename(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def _alone(unfinished: Path, path: Path) -> BinaryIO:
    """The file, empty, as long as nobody else writes it. What a backup that was killed left of it is used again."""
    file = os.fdopen(os.open(unfinished, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it may have finished, and given it its name, between the two lines above.
        still = os.path.samestat(os.fstat(file.fileno()), unfinished.stat())
    except (BlockingIOError, FileNotFoundError):
        still = False
    if not still:
        file.close()
        raise BackupError(f"Another backup is being written to {path}. Wait for it, or choose another name.")
    file.truncate(0)
    return file
