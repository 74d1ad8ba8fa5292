"""Making an installation of a backup: all of it, compared with what was written, or nothing that starts.

The tables are made as they were when the backup was taken, loaded and compared in one transaction, and then brought to
the present version as an upgrade does. Until the end the database is marked as unfinished, and nothing starts on it.
"""

import hashlib
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import transaction
from django.db.models import Model
from redis import RedisError

from accounts import sealing
from accounts.actor import COMMAND, system
from accounts.audit_chain import Head, parse_head
from accounts.models import SealingKey
from accounts.verification import Verification
from controlplane import bootstrap, home, schema
from controlplane.backups import BackupError, rows, unfinished, versions
from controlplane.backups.container import LONGEST, Member, Reader
from controlplane.backups.taking import KEYS
from environments import stores
from environments.actions import trained_models
from environments.clients.storage import Storage, StorageDamaged, StorageMissing
from environments.models import Bundle, Tag, TrainedModel

PART = re.compile(r"tables/([a-z0-9_]+)/[0-9]{6}\.jsonl\.gz", re.ASCII)
FILE = re.compile(r"(archives|bundles)/([0-9a-f]{64})", re.ASCII)
PIECE = 1024 * 1024

Say = Callable[[str], object]


@dataclass
class Summary:
    """What is there now. `doubts` are sentences on what a person should look at."""

    made_at: str
    rows: int = 0
    models: int = 0
    bundles: int = 0
    tags: int = 0
    events: int = 0
    doubts: list[str] = field(default_factory=list)


@dataclass
class Restore:
    """One run. `finish` is what follows in the present version, before anything can start."""

    file: BinaryIO
    finish: Callable[[str], object]
    say: Say

    def run(self) -> Summary:
        """Raises `BackupError`, `OSError` and `StorageError`; the database is marked from then on, unless it was
        refused at once."""
        reader = Reader(self.file)
        migrations = [(app, name) for app, name in reader.header["migrations"]]
        versions.check_known(migrations)
        bootstrap.keep_database_private()
        with schema.alone(say=self.say):
            return self._make(reader, migrations)

    def _make(self, reader: Reader, migrations: list[tuple[str, str]]) -> Summary:
        header = reader.header
        summary = Summary(header["made_at"])
        unfinished.begin()
        self._load(reader, _tables(header, rows.models_of(versions.make_tables(migrations))), summary)
        self.say("bringing the tables to this version")
        call_command("migrate", interactive=False, verbosity=0)
        _forget_what_was_cached()
        self.finish(header["made_at"])
        self._look_at_files(summary)
        self._look_at_the_trail(reader.manifest, summary)
        self._look_at_keys(header, summary)
        summary.tags = Tag.objects.count()
        unfinished.end()
        return summary

    # In

    @transaction.atomic
    def _load(self, reader: Reader, models: dict[str, type[Model]], summary: Summary) -> None:
        """Take in all members; whatever is not as it was written raises `BackupError`."""
        tables = reader.header["tables"]
        rows.empty(models.values())
        for member in reader.members():
            if match := PART.fullmatch(member.name):
                self._load_part(models[match[1]], tables[match[1]], member, summary)
            elif match := FILE.fullmatch(member.name):
                self._store(member, match[2], stores.models() if match[1] == "archives" else stores.bundles())
            else:
                _keep_key(member)
        rows.count_on(list(models.values()))
        for table, model in models.items():
            self.say(f"comparing {table}")
            if rows.digest(model, tables[table]) != reader.manifest.get("digests", {}).get(table):
                raise BackupError(
                    f"{table} does not hold what was written: this database kept some value of it differently. "
                    "Restore it into the kind of database that it is of."
                )

    def _load_part(self, model: type[Model], columns: list[str], member: Member, summary: Summary) -> None:
        def counted(number: int) -> None:
            summary.rows += number
            self.say(f"{model._meta.db_table}: {summary.rows} rows in all")

        rows.load(model, columns, _unpacked(member), counted)

    def _store(self, member: Member, sha256: str, store: Storage) -> None:
        self.say(member.name[:20])
        digest = hashlib.sha256()
        with store.receive() as incoming:
            while piece := member.file.read(PIECE):
                digest.update(piece)
                incoming.write(piece)
            if digest.hexdigest() != sha256:
                raise BackupError(f"The backup is damaged: {member.name} has other bytes than its name says.")
            incoming.commit(sha256)

    # Whether all of it is there

    def _look_at_files(self, summary: Summary) -> None:
        """Every model and bundle is read back from the store, and hashed."""
        lacking: list[TrainedModel] = []
        models = TrainedModel.objects.present().filter(damaged_at=None).select_related("project").defer("metadata")
        for model in models.order_by("pk").iterator(chunk_size=100):
            if self._is_sound(stores.models(), model.hash):
                summary.models += 1
                self.say(f"reading back models: {summary.models}")
            else:
                lacking.append(model)
        if lacking and not summary.models:
            raise BackupError(
                f"Not one of {len(lacking)} archives is in {settings.CONTROLPLANE_HOME}/archives. Mount or copy that "
                "folder, then run this again."
            )
        for model in lacking:
            trained_models.mark_damaged(model=model, by=system(COMMAND))
            summary.doubts.append(f"The archive of the model {model.name} is damaged or not there. Upload it again.")
        self._look_at_bundles(summary)

    def _look_at_bundles(self, summary: Summary) -> None:
        bundles = Bundle.objects.filter(removed_at=None).order_by("pk")
        for sha256 in bundles.values_list("hash", flat=True).iterator():
            if self._is_sound(stores.bundles(), sha256):
                summary.bundles += 1
                self.say(f"reading back bundles: {summary.bundles}")
            else:
                summary.doubts.append(f"The bundle {sha256[:8]} is damaged or not there. Send it again.")

    def _is_sound(self, store: Storage, sha256: str) -> bool:
        try:
            store.open(sha256).close()
        except (StorageMissing, StorageDamaged):
            return False
        return True

    def _look_at_the_trail(self, manifest: dict[str, Any], summary: Summary) -> None:
        kept = parse_head(manifest.get("audit_head", ""))
        verification = Verification(kept, lambda done: self.say(f"reading the audit trail: {done}"))
        summary.doubts += [f"The audit trail: {finding}" for finding in verification.findings()]
        if kept and verification.head != kept:
            summary.doubts.append(f"The audit trail ends at {verification.head}, and the backup's at {kept}.")
        summary.events = (kept or Head(0, "")).position

    def _look_at_keys(self, header: dict[str, Any], summary: Summary) -> None:
        """Whether the installation key that is here from now on opens what was sealed."""
        key = _key_from_now_on()
        locked = [row for row in SealingKey.objects.all() if sealing.unwrap(row.wrapped, key) is None]
        if locked:
            summary.doubts.append(
                f"Secrets were sealed under another installation key (fingerprint {locked[0].wrapped_by}). Put that "
                "one into CONTROLPLANE_SECRET_KEY, or into the file secret-key, before you start."
            )
        elif sealing.fingerprint(key[0]) != header["installation_key"]:
            summary.doubts.append(
                f"The installation key is not the backup's (fingerprint {header['installation_key']}): Rasa servers "
                "need new service tokens, and people sign in again."
            )


def _tables(header: dict[str, Any], models: dict[str, type[Model]]) -> dict[str, type[Model]]:
    unknown = sorted(set(header["tables"]) - set(models))
    if unknown:
        raise BackupError(f"The backup holds the table {unknown[0]}, which the version that it is of does not have.")
    return {table: models[table] for table in header["tables"]}


def _unpacked(member: Member) -> bytes:
    """The lines of a part. A few bytes that unpack to more than any row are no part of ours."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        data = unpacker.decompress(member.whole(), LONGEST)
    except zlib.error as error:
        raise BackupError(f"The backup is damaged: {member.name} cannot be unpacked.") from error
    if not unpacker.eof:
        raise BackupError(f"The backup is damaged: {member.name} breaks off or unpacks to too much.")
    return data


def _keep_key(member: Member) -> None:
    folder, _, name = member.name.partition("/")
    if folder != "keys" or name not in KEYS:
        raise BackupError(f"The backup holds {member.name}, which does not belong there.")
    home.write_private(Path(settings.CONTROLPLANE_HOME) / name, member.whole().decode())


def _key_from_now_on() -> tuple[str, ...]:
    """The installation keys that the next start reads: those of this process may lie in a file that was replaced."""
    given = settings.VARIABLES.get("CONTROLPLANE_SECRET_KEY")
    return (given or home.installation_key(Path(settings.CONTROLPLANE_HOME)), *settings.SECRET_KEY_FALLBACKS)


def _forget_what_was_cached() -> None:
    """The ledger of another database: the cache may be one that outlived it."""
    try:
        cache.clear()
    except (RedisError, OSError) as error:
        raise BackupError(f"The cache cannot be emptied, and holds what was: {type(error).__name__}.") from error
