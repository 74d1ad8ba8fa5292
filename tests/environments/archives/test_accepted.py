"""What is read of an archive that can be served."""

import io
import tarfile
import tracemalloc

import pytest

from environments import archives
from tests.archives import (
    REAL_ARCHIVE,
    archive_of,
    file,
    folder,
    gzipped,
    model_files,
    rasa_archive,
    rasa_metadata,
    sha256,
    tar_of,
)


def test_every_byte_is_written_through_and_hashed(inspect):
    content, into = rasa_archive(), io.BytesIO()
    inspected = inspect(content, into)
    assert into.getvalue() == content
    assert (inspected.hash, inspected.size) == (sha256(content), len(content))


def test_a_stream_that_gives_one_byte_at_a_time_is_read_like_any_other(inspect):
    content = rasa_archive()

    class Dripping(io.BytesIO):
        def read(self, size=-1, /):
            return super().read(min(size, 1))

    limits = archives.Limits(packed=10_000, unpacked=100_000, members=50, metadata=20_000)
    assert archives.inspect(Dripping(content), io.BytesIO(), limits) == inspect(content)


def test_the_metadata_of_a_real_archive_is_read(inspect):
    inspected = inspect(REAL_ARCHIVE.read_bytes())
    assert inspected.version == "3.6.21"
    assert inspected.metadata["training_type"] == 3
    assert len(inspected.model_id) == 32


def test_the_domain_is_counted_by_kind(inspect):
    domain = {
        "intents": ["greet", {"inform": {"use_entities": ["city"]}}],
        "entities": ["city"],
        "slots": {"city": {"type": "text"}},
        "responses": {},
        "actions": ["action_book", "action_cancel"],
        "forms": {"booking_form": {}},
        "flows": {"transfer": {}},
    }
    counts = inspect(rasa_archive(domain=domain)).counts
    assert counts == {
        "intents": 2,
        "entities": 1,
        "slots": 1,
        "responses": 0,
        "actions": 2,
        "forms": 1,
        "flows": 1,
    }


@pytest.mark.parametrize(
    ("trained_at", "utc"),
    [
        ("2026-03-01T12:00:00.250000", "2026-03-01T12:00:00.250000+00:00"),
        ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00+00:00"),
    ],
)
def test_a_time_without_a_zone_is_utc(inspect, trained_at, utc):
    assert inspect(rasa_archive(trained_at=trained_at)).trained_at.isoformat() == utc


def test_without_a_name_the_time_and_the_hash_make_one(inspect):
    inspected = inspect(rasa_archive())
    assert archives.default_name(inspected) == f"20260301-120000-{inspected.hash[:8]}"


@pytest.mark.parametrize("root", ["", "./", "/"])
def test_the_root_may_be_empty_or_a_dot(inspect, root):
    files = model_files(rasa_metadata())
    members = [(folder(root), b""), *((file(f"./{name}", len(content)), content) for name, content in files.items())]
    assert inspect(gzipped(tar_of(members))).counts["intents"] == 2


def test_a_member_for_the_root_is_not_needed(inspect):
    files = model_files(rasa_metadata())
    assert inspect(gzipped(tar_of((file(name, len(content)), content) for name, content in files.items())))


def test_long_and_foreign_names_are_read(inspect):
    long = "components/" + "é" * 120 + "/" + "b" * 120
    assert inspect(archive_of({**model_files(rasa_metadata()), long: b"x"}))


def test_gnu_long_names_are_read(inspect):
    header = file("components/" + "a" * 150, 3).tobuf(tarfile.GNU_FORMAT)
    rest = tar_of((file(name, len(content)), content) for name, content in model_files(rasa_metadata()).items())
    assert inspect(gzipped(header + b"abc".ljust(512, b"\0") + rest))


def test_numbers_that_json_does_not_have_become_texts(inspect):
    metadata = rasa_metadata(spaces=float("nan"))
    assert inspect(archive_of(model_files(metadata))).metadata["spaces"] == "NaN"


def test_a_model_of_rasa_3_may_have_folders_of_the_old_names(inspect):
    assert inspect(archive_of({**model_files(rasa_metadata()), "nlu/extra": b"x", "core/extra": b"x"}))


def test_memory_stays_flat_however_much_it_unpacks_to(inspect):
    content = rasa_archive(payload=bytes(64 * 1024**2))
    tracemalloc.start()
    try:
        inspect(content, unpacked=100 * 1024**2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * 1024**2
