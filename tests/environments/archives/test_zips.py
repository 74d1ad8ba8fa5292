"""A zip of an unpacked model becomes the tar.gz that Rasa loads, held to the same rules and limits."""

import io
import json
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments import archives, errors
from tests.archives import model_files, rasa_metadata, rasa_zip
from tests.environments.archives.conftest import LIMITS

FILES = model_files(rasa_metadata())


def zipped(entries, compression=zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def entry(name: str, **more: object) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (2026, 3, 1, 12, 0, 0))
    for key, value in more.items():
        setattr(info, key, value)
    return info


def with_entry(info: zipfile.ZipInfo | str, content: bytes = b"") -> bytes:
    return zipped([*FILES.items(), (info, content)])


def test_it_becomes_an_archive_like_rasas(inspect):
    into = io.BytesIO()
    inspected = inspect(rasa_zip(), into)
    assert inspected.counts["intents"] == 2
    into.seek(0)
    with tarfile.open(fileobj=into) as tar:
        assert tar.getnames()[0] == ""
        assert {member.name for member in tar if member.isreg()} == set(FILES)
        file = tar.extractfile("metadata.json")
        assert json.load(file) == rasa_metadata()


def test_the_same_files_give_the_same_bytes(inspect):
    one = zipped(FILES.items())
    folders = [("components/", b""), ("components/empty/", b"")]
    other = zipped(reversed([(entry(f"./{name}"), content) for name, content in FILES.items()]), zipfile.ZIP_STORED)
    assert one != other
    assert inspect(one).hash == inspect(other).hash == inspect(zipped([*folders, *FILES.items()])).hash


def test_nothing_is_left_in_the_folder_it_was_kept_in(inspect, tmp_path):
    inspect(rasa_zip())
    assert list(tmp_path.iterdir()) == []


def encrypted(content: bytes) -> bytes:
    """The flag of the first entry set, where it begins and in the directory."""
    changed = bytearray(content)
    changed[6] |= 1
    changed[changed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def forged(content: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new)
    assert old in content
    return content.replace(old, new)


LINK = 0o120777 << 16
PIPE = 0o010666 << 16

REFUSED = {
    "cut off": (rasa_zip()[:-30], errors.ArchiveTruncated),
    "its beginning alone": (b"PK\x03\x04", errors.ArchiveTruncated),
    "damaged content": (forged(zipped(FILES.items(), zipfile.ZIP_STORED), b"3.6.21", b"3.9.99"), errors.NotGzipTar),
    "damaged directory": (forged(rasa_zip(), b"PK\x01\x02", b"PK\x01\x00"), errors.NotGzipTar),
    "parent": (with_entry("../a"), errors.UnsafePath),
    "absolute": (with_entry("/etc/passwd"), errors.UnsafePath),
    "backslash": (with_entry("a\\..\\..\\b"), errors.UnsafePath),
    "NUL": (forged(with_entry("metadata_x"), b"metadata_x", b"metadata\0x"), errors.UnsafePath),
    "a file named as the root": (with_entry("."), errors.UnsafePath),
    "link": (with_entry(entry("a", create_system=3, external_attr=LINK), b"/etc/passwd"), errors.UnsafeMember),
    "pipe": (with_entry(entry("a", create_system=3, external_attr=PIPE)), errors.UnsafeMember),
    "encrypted": (encrypted(rasa_zip()), errors.UnsafeMember),
    "another method": (zipped(FILES.items(), zipfile.ZIP_BZIP2), errors.UnsafeMember),
    "a name in two spellings": (with_entry("./metadata.json"), errors.DuplicateMember),
    "a file that is a folder too": (with_entry("metadata.json/a"), errors.DuplicateMember),
    "no metadata": (zipped([("a", b"")]), errors.MetadataMissing),
    "nothing in it": (zipped([("a/", b"")]), errors.MetadataMissing),
    "in a folder": (zipped((f"model/{name}", content) for name, content in FILES.items()), errors.MetadataMissing),
    "Rasa 1": (zipped([("fingerprint.json", b"{}"), ("nlu/metadata.json", b"{}")]), errors.ModelTooOld),
    "unreadable metadata": (zipped([("metadata.json", b"{")]), errors.MetadataUnreadable),
    "too many members": (zipped((f"a{n}", b"") for n in range(60)), errors.TooManyMembers),
    "unpacks too large": (with_entry("a", bytes(4_100_000)), errors.UnpacksTooLarge),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_served_is_refused(inspect, case):
    content, error = REFUSED[case]
    with pytest.raises(errors.ArchiveRefused) as refused:
        inspect(content)
    assert type(refused.value) is error


def test_a_file_that_holds_more_than_it_says_is_refused(inspect):
    content = with_entry(entry("a", compress_type=zipfile.ZIP_DEFLATED), bytes(4_100_000))
    told = (4_100_000).to_bytes(4, "little")
    with pytest.raises(errors.NotGzipTar):
        inspect(forged(content, told, (100).to_bytes(4, "little")))


def test_a_directory_too_large_for_the_memory_is_not_read(inspect):
    content = zipped((f"{n}-{'a' * 200}", b"") for n in range(1200))
    with pytest.raises(errors.TooManyMembers, match="more than 50"):
        inspect(content)


def test_an_upload_beyond_the_limit_is_not_read_on(inspect):
    with pytest.raises(errors.UploadTooLarge):
        inspect(rasa_zip(), packed=300)


@given(st.integers(0, len(rasa_zip()) - 1), st.binary(min_size=1, max_size=8))
def test_a_forged_zip_is_refused_or_means_the_same(place, more):
    content = bytearray(rasa_zip())
    content[place : place + len(more)] = more
    try:
        found = archives.inspect(io.BytesIO(bytes(content)), io.BytesIO(), LIMITS)
    except (errors.ArchiveRefused, errors.UploadTooLarge):
        return
    assert found.metadata == rasa_metadata()
