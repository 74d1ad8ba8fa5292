"""Stores: what every one of them must do, and what a folder does to keep its word through crashes and rot."""

import contextlib
import errno
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from environments.clients import storage
from environments.clients.storage import DiskStorage, StorageDamaged, StorageFull, StorageMissing, StorageUnusable
from tests.archives import sha256

OTTER, HERON = b"brisk-otter" * 1000, b"calm-heron" * 1000
HOUR = timedelta(hours=1)


class MemoryStorage:
    """The smallest store there is; it shows that the contract asks for nothing that only a disk has."""

    def __init__(self):
        self.kept: dict[str, tuple[bytes, float]] = {}
        self.own_mark = os.urandom(8).hex()
        self.holders = 0

    @contextlib.contextmanager
    def receive(self) -> Iterator["MemoryIncoming"]:
        yield MemoryIncoming(self)

    def open(self, key: str) -> io.BytesIO:
        if key not in self.kept:
            raise StorageMissing(key)
        if sha256(self.kept[key][0]) != key:
            raise StorageDamaged(key)
        return io.BytesIO(self.kept[key][0])

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)

    def hashes(self) -> Iterator[str]:
        yield from list(self.kept)

    def sweep(self, keep, older_than) -> int:
        if self.holders:
            return 0
        before = time.time() - older_than.total_seconds()
        unwanted = [key for key, (_, at) in self.kept.items() if key not in keep and at < before]
        for key in unwanted:
            del self.kept[key]
        return len(unwanted)

    def mark(self) -> str:
        return self.own_mark

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self.holders += 1
        yield
        self.holders -= 1

    def scrub(self) -> Iterator[str]:
        yield from [key for key, (content, _) in self.kept.items() if sha256(content) != key]


class MemoryIncoming:
    def __init__(self, store: MemoryStorage):
        self.store, self.content = store, b""

    def write(self, data: bytes) -> None:
        self.content += data

    def sync(self) -> None:
        pass

    def commit(self, key: str) -> None:
        self.store.kept[key] = self.content, time.time()


class OnDisk:
    def __init__(self, folder):
        self.folder, self.storage = folder, DiskStorage(folder)

    def rot(self, key: str) -> None:
        (self.folder / key).write_bytes(b"rot")

    def age(self, key: str) -> None:
        os.utime(self.folder / key, (0, 0))


class InMemory:
    def __init__(self):
        self.storage = MemoryStorage()

    def rot(self, key: str) -> None:
        self.storage.kept[key] = b"rot", self.storage.kept[key][1]

    def age(self, key: str) -> None:
        self.storage.kept[key] = self.storage.kept[key][0], 0.0


@pytest.fixture(params=["disk", "memory"])
def kit(request, tmp_path):
    """A store, and the hands to spoil and age what is in it."""
    return OnDisk(tmp_path / "store") if request.param == "disk" else InMemory()


@pytest.fixture
def store(kit):
    return kit.storage


@pytest.fixture
def disk(tmp_path):
    return DiskStorage(tmp_path / "store")


def put(store, content: bytes) -> str:
    with store.receive() as incoming:
        incoming.write(content[:10])
        incoming.write(content[10:])
        incoming.commit(sha256(content))
    return sha256(content)


def get(store, key: str) -> bytes:
    with store.open(key) as file:
        return file.read()


class TestContract:
    def test_it_has_a_mark_of_its_own_that_stays(self, store, tmp_path):
        mark = store.mark()
        put(store, OTTER)
        assert mark == store.mark()
        assert mark not in ("", DiskStorage(tmp_path / "another").mark(), MemoryStorage().mark())

    def test_what_was_committed_is_given_back(self, store):
        assert get(store, put(store, OTTER)) == OTTER

    def test_while_it_is_held_nothing_is_swept(self, kit, store):
        key = put(store, OTTER)
        kit.age(key)
        with store.held(), store.held():
            assert store.sweep(set(), HOUR) == 0
            assert get(store, put(store, HERON)) == HERON
        assert store.sweep({sha256(HERON)}, HOUR) == 1

    def test_a_reader_can_seek(self, store):
        with store.open(put(store, OTTER)) as file:
            file.seek(11)
            assert file.read(11) == b"brisk-otter"

    def test_an_empty_store_has_nothing(self, store):
        assert list(store.hashes()) == []
        assert list(store.scrub()) == []
        assert store.sweep(set(), HOUR) == 0
        with pytest.raises(StorageMissing):
            store.open(sha256(OTTER))

    def test_without_a_commit_nothing_is_kept(self, store):
        with store.receive() as incoming:
            incoming.write(OTTER)
        with contextlib.suppress(RuntimeError), store.receive() as incoming:
            incoming.write(OTTER)
            raise RuntimeError
        assert list(store.hashes()) == []

    def test_what_is_on_its_way_is_not_seen(self, store):
        with store.receive() as incoming:
            incoming.write(OTTER)
            incoming.sync()
            assert list(store.hashes()) == []

    def test_the_same_bytes_twice_are_there_once(self, store):
        put(store, OTTER)
        assert list(store.hashes()) == [put(store, OTTER)]

    def test_two_that_come_at_once_do_not_mix(self, store):
        with store.receive() as one, store.receive() as other:
            one.write(OTTER[:10])
            other.write(HERON)
            one.write(OTTER[10:])
            one.commit(sha256(OTTER))
            other.commit(sha256(HERON))
        assert get(store, sha256(OTTER)) == OTTER
        assert get(store, sha256(HERON)) == HERON

    def test_what_is_deleted_is_gone_and_may_be_deleted_again(self, store):
        key = put(store, OTTER)
        store.delete(key)
        store.delete(key)
        assert list(store.hashes()) == []
        with pytest.raises(StorageMissing):
            store.open(key)

    def test_who_reads_reads_on_while_it_is_deleted(self, store):
        key = put(store, OTTER)
        with store.open(key) as file:
            store.delete(key)
            assert file.read() == OTTER

    def test_damaged_bytes_are_never_given(self, store, kit):
        key = put(store, OTTER)
        assert get(store, key) == OTTER
        kit.rot(key)
        for _ in range(2):
            with pytest.raises(StorageDamaged):
                store.open(key)

    def test_the_same_bytes_again_heal_what_was_damaged(self, store, kit):
        key = put(store, OTTER)
        kit.rot(key)
        with pytest.raises(StorageDamaged):
            store.open(key)
        assert get(store, put(store, OTTER)) == OTTER

    def test_a_scrub_tells_what_is_damaged(self, store, kit):
        key = put(store, OTTER)
        put(store, HERON)
        assert list(store.scrub()) == []
        kit.rot(key)
        assert list(store.scrub()) == [key]

    def test_a_sweep_removes_what_is_old_and_not_to_be_kept(self, store, kit):
        kept, unwanted = put(store, OTTER), put(store, HERON)
        kit.age(kept)
        kit.age(unwanted)
        assert store.sweep({kept}, HOUR) == 1
        assert list(store.hashes()) == [kept]

    def test_a_sweep_leaves_what_is_new(self, store, kit):
        put(store, OTTER)
        assert store.sweep(set(), HOUR) == 0
        assert list(store.hashes()) == [sha256(OTTER)]

    def test_what_is_committed_anew_is_new(self, store, kit):
        key = put(store, OTTER)
        kit.age(key)
        put(store, OTTER)
        assert store.sweep(set(), HOUR) == 0


def test_what_was_verified_is_not_read_again_until_it_changes(disk):
    key = put(disk, OTTER)
    path = disk.folder / key
    get(disk, key)
    status = path.stat()
    path.write_bytes(b"x" * len(OTTER))
    # The same inode, size and time: as far as can be told without reading it is the same file.
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert get(disk, key) == b"x" * len(OTTER)
    os.utime(path)
    with pytest.raises(StorageDamaged):
        disk.open(key)


def test_many_that_open_it_at_once_all_get_it(disk):
    key = put(disk, OTTER)
    got: list[bytes] = []
    threads = [threading.Thread(target=lambda: got.append(get(disk, key))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [OTTER] * 8


def test_another_process_with_the_same_folder_sees_the_same(disk):
    key = put(disk, OTTER)
    assert get(DiskStorage(disk.folder), key) == OTTER


@pytest.mark.parametrize("key", ["", "../escape", "a" * 63, "A" * 64, "a" * 64 + "\n", "incoming"])
def test_nothing_but_a_hash_is_a_name(disk, key):
    with pytest.raises(ValueError, match="SHA-256"):
        disk.open(key)
    with pytest.raises(ValueError, match="SHA-256"):
        disk.delete(key)


def test_a_commit_under_no_hash_keeps_nothing(disk):
    with disk.receive() as incoming:
        incoming.write(OTTER)
        with pytest.raises(ValueError, match="SHA-256"):
            incoming.commit("../escape")
    assert list(disk.hashes()) == []
    assert list((disk.folder / "incoming").iterdir()) == []


@pytest.mark.parametrize("step", ["", "incoming.sync()"])
def test_what_a_killed_upload_left_is_swept_and_never_listed(disk, step):
    program = f"""
import os, pathlib
from environments.clients.storage import DiskStorage
with DiskStorage(pathlib.Path({str(disk.folder)!r})).receive() as incoming:
    incoming.write(b"half of it")
    {step}
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    (leftover,) = (disk.folder / "incoming").iterdir()
    assert list(disk.hashes()) == []
    assert disk.sweep(set(), HOUR) == 0
    os.utime(leftover, (0, 0))
    assert disk.sweep(set(), HOUR) == 1
    assert list((disk.folder / "incoming").iterdir()) == []


def test_a_folder_that_is_away_is_not_made_anew_by_a_look_at_its_mark(disk):
    mark, away = disk.mark(), disk.folder.with_name("unmounted")
    disk.folder.rename(away)
    with pytest.raises(StorageUnusable):
        disk.mark()
    assert not disk.folder.exists()
    away.rename(disk.folder)
    assert disk.mark() == mark


def test_foreign_files_in_the_folder_are_left_alone(disk):
    put(disk, OTTER)
    (disk.folder / "README").write_text("mine")
    os.utime(disk.folder / "README", (0, 0))
    disk.sweep(set(), HOUR)
    assert (disk.folder / "README").exists()
    assert list(disk.hashes()) == [sha256(OTTER)]


def test_a_sweep_takes_nothing_that_is_committed_under_its_eyes(disk):
    key = put(disk, OTTER)
    os.utime(disk.folder / key, (0, 0))

    class Keep(set):
        """The upload comes between the look at the rows and the removal."""

        def __contains__(self, sha):
            put(disk, OTTER)
            return False

    assert disk.sweep(Keep(), HOUR) == 0
    assert get(disk, key) == OTTER


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_and_a_full_quota_are_told(code):
    with pytest.raises(StorageFull), storage.full_disk_told():
        raise OSError(code, "full")


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EIO, errno.ENOENT, errno.EMFILE])
def test_a_store_that_cannot_be_written_is_told(code):
    with pytest.raises(StorageUnusable), storage.full_disk_told():
        raise OSError(code, "away")


def test_other_faults_of_the_machine_stay_what_they_are():
    with pytest.raises(BrokenPipeError), storage.full_disk_told():
        raise BrokenPipeError(errno.EPIPE, "broken")


def test_who_reads_what_is_changed_meanwhile_does_not_take_it_for_whole(disk):
    key = put(disk, OTTER)
    with disk.open(key) as file:
        assert file.read(10) == OTTER[:10]
        (disk.folder / key).write_bytes(b"x" * len(OTTER))
        with pytest.raises(StorageDamaged):
            file.read(10)
    with pytest.raises(StorageDamaged):
        disk.open(key)


def test_who_reads_what_comes_anew_meanwhile_reads_on(disk):
    key = put(disk, OTTER)
    with disk.open(key) as file:
        put(disk, OTTER)
        assert file.read() == OTTER


def test_a_folder_in_the_place_of_a_file_keeps_nothing_else_from_being_read(disk):
    away, rotten = put(disk, OTTER), put(disk, HERON)
    (disk.folder / away).unlink()
    (disk.folder / away).mkdir()
    (disk.folder / rotten).write_bytes(b"rot")
    assert list(disk.scrub()) == [rotten]
    with pytest.raises(OSError, match="directory"):
        disk.open(away)
    os.utime(disk.folder / away, (0, 0))
    os.utime(disk.folder / rotten, (0, 0))
    assert disk.sweep(set(), HOUR) == 1
    with pytest.raises(StorageUnusable):
        put(disk, OTTER)
    assert list((disk.folder / "incoming").iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_device_is_told_and_nothing_is_kept(disk):
    with disk.receive() as incoming, open("/dev/full", "wb", buffering=0) as full:
        os.dup2(full.fileno(), incoming._file.fileno())
        with pytest.raises(StorageFull):
            incoming.write(OTTER)
    assert list(disk.hashes()) == []
    assert list((disk.folder / "incoming").iterdir()) == []
