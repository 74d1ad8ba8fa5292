"""Small files that stand for much: refused with little memory, however they are packed."""

import gzip
import io
import json
import struct
import tarfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from environments import archives, errors
from tests.archives import REAL_ARCHIVE, archive_of, gzipped, model_files, rasa_metadata
from tests.environments.archives.test_refused import TAR, typed

MB = 1024**2
# As they are where nobody set them.
DEFAULTS = archives.Limits(packed=2048 * MB, unpacked=16 * 1024 * MB, members=100_000, metadata=32 * MB)
REAL = REAL_ARCHIVE.read_bytes()


class Nowhere:
    def write(self, data: bytes) -> None:
        pass


def refused(content: bytes | Path, error: type[errors.ArchiveRefused], *, below: int, **limits: int) -> None:
    """Refused so, with less than `below` bytes of memory."""
    chosen = replace(DEFAULTS, **limits)
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as stream:
        tracemalloc.start()
        try:
            with pytest.raises(errors.ArchiveRefused) as refusal:
                archives.inspect(stream, Nowhere(), chosen)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert type(refusal.value) is error
    assert peak < below, f"{peak / MB:.0f} MB"


def pax_header(records: bytes) -> bytes:
    header = typed("a", tarfile.XHDTYPE, size=len(records)).tobuf(tarfile.USTAR_FORMAT)
    return header + records + bytes(-len(records) % 512)


def long_name(name: bytes, kind: bytes = tarfile.GNUTYPE_LONGNAME) -> bytes:
    header = typed("././@LongLink", kind, size=len(name)).tobuf(tarfile.GNU_FORMAT)
    return header + name + bytes(-len(name) % 512)


def with_size(field: bytes) -> bytes:
    """A header whose size is told by `field`, 12 bytes."""
    header = bytearray(typed("a", tarfile.REGTYPE).tobuf(tarfile.USTAR_FORMAT))
    header[124:136] = field
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def zip_directory(entries: int) -> bytes:
    """A zip of empty members, all of it directory."""
    names = [b"%x" % number for number in range(entries)]
    head = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    central = struct.Struct("<4s6H3L5H2L")
    directory = b"".join(
        central.pack(b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name for name in names
    )
    count = min(entries, 0xFFFF)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(head), 0)
    return head + directory + end


def with_gzip_field(flag: int, field: bytes) -> bytes:
    packed = bytearray(gzipped(TAR))
    packed[3] = flag
    return bytes(packed[:10]) + field + bytes(packed[10:])


def test_500_mb_of_metadata_are_not_read(tmp_path):
    path = tmp_path / "bomb"
    with gzip.open(path, "wb", compresslevel=1) as packed:
        packed.write(typed("metadata.json", tarfile.REGTYPE, size=500 * MB).tobuf())
        for _ in range(20):
            packed.write(b'"' * MB)
    refused(path, errors.MetadataTooLarge, below=4 * MB)


def test_200_000_levels_of_json_are_refused():
    files = model_files(rasa_metadata())
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        raw = json.dumps(rasa_metadata()).encode()[:-1] + b', "x": ' + opening * 200_000 + b"1" + closing * 200_000
        refused(archive_of({**files, "metadata.json": raw + b"}"}), errors.MetadataUnreadable, below=32 * MB)


def test_many_small_values_are_refused_before_they_are_made():
    raw = b'{"x":[' + b"1.5," * 600_000 + b"1]}"
    refused(archive_of({"metadata.json": raw}), errors.MetadataTooLarge, below=32 * MB)


def test_a_ratio_of_a_thousand_takes_no_memory():
    zeros = typed("components/a", tarfile.REGTYPE, size=200 * MB).tobuf() + bytes(200 * MB)
    refused(gzip.compress(zeros + bytes(1024), 1), errors.MetadataMissing, below=8 * MB)


def test_very_many_members_are_refused_by_their_count():
    content = b"".join(typed(f"a{number}", tarfile.REGTYPE).tobuf(tarfile.USTAR_FORMAT) for number in range(5001))
    refused(gzip.compress(content, 1), errors.TooManyMembers, below=2 * MB, members=5000)


def test_a_chain_of_pax_headers_is_not_collected():
    chain = b"".join(pax_header(b"60014 k%05d=%s\n" % (number, b"v" * 60_000)) for number in range(100))
    refused(gzip.compress(chain + TAR, 1), errors.UnsafeMember, below=2 * MB)


@pytest.mark.parametrize(
    "headers",
    [
        pax_header(b"9 path=a\n") * 2,
        pax_header(b"9 path=a\n") + pax_header(b"9 size=0\n"),
        pax_header(b"9 path=a\n") + long_name(b"b\0"),
        long_name(b"a\0") * 2,
        long_name(b"a\0") + long_name(b"x\0", tarfile.GNUTYPE_LONGLINK) + long_name(b"b\0"),
        long_name(b"a\0") * 2000,
        pax_header(b"") * 2000,
    ],
)
def test_a_member_with_two_headers_that_speak_of_it_is_refused(headers):
    refused(gzipped(headers + TAR), errors.UnsafeMember, below=2 * MB)


def test_a_name_of_a_gigabyte_is_not_read():
    header = typed("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=1024 * MB).tobuf(tarfile.GNU_FORMAT)
    refused(gzip.compress(header + b"a" * (20 * MB), 1), errors.UnsafeMember, below=2 * MB)


@pytest.mark.parametrize(
    ("field", "error"),
    [
        (b"\xff" * 12, errors.NotGzipTar),  # -1 in base 256
        (b"\xff" + b"\0" * 11, errors.NotGzipTar),  # as far below zero as it goes
        (b"\x80" + b"\x7f" * 11, errors.UnpacksTooLarge),
        (b"\x80" + b"\0" * 6 + b"\x01\0\0\0\0", errors.ArchiveTruncated),  # 4 GiB, of which nothing comes
        (b"-0000000001\0", errors.NotGzipTar),
        (b"77777777777\0", errors.ArchiveTruncated),
        (b"99999999999\0", errors.NotGzipTar),
        (b"0x000000010\0", errors.NotGzipTar),
    ],
)
def test_a_size_that_cannot_be_is_refused(field, error):
    refused(gzipped(with_size(field) + TAR), error, below=2 * MB)


def test_sizes_are_read_as_rasas_reader_reads_them():
    content = gzipped(with_size(b"\x80" + b"\0" * 11) + TAR)
    found = archives.inspect(io.BytesIO(content), Nowhere(), DEFAULTS)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getnames()[0] == "a"
    assert found.metadata == rasa_metadata()


def test_a_zip_that_is_all_directory_is_refused_by_its_count():
    refused(zip_directory(100_001), errors.TooManyMembers, below=32 * MB)


@pytest.mark.parametrize(
    ("flag", "field"),
    [
        (4, b"\xff\xff" + b"x" * 0xFFFF),  # FEXTRA, as long as it can be
        (8, b"n" * (20 * MB) + b"\0"),  # FNAME
        (16, b"c" * (20 * MB) + b"\0"),  # FCOMMENT
    ],
)
def test_a_long_field_in_gzips_header_takes_no_memory(flag, field):
    content = with_gzip_field(flag, field)
    tracemalloc.start()
    archives.inspect(io.BytesIO(content), Nowhere(), DEFAULTS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * MB


def test_a_name_without_end_in_gzips_header_is_cut_off():
    refused(with_gzip_field(8, b"n" * MB)[: MB // 2], errors.ArchiveTruncated, below=2 * MB)


@pytest.mark.parametrize("flag", [0x20, 0x40, 0x80])
def test_reserved_flags_in_gzips_header_are_refused(flag):
    refused(with_gzip_field(flag, b""), errors.NotGzipTar, below=2 * MB)


def is_refused(content: bytes) -> bool:
    try:
        archives.inspect(io.BytesIO(content), Nowhere(), DEFAULTS)
    except errors.ArchiveRefused:
        return True
    return False


def test_a_real_archive_that_is_cut_off_anywhere_is_refused():
    assert not is_refused(REAL)
    assert [end for end in range(0, len(REAL), 3) if not is_refused(REAL[:end])] == []


def test_a_bit_of_a_real_archive_that_fell_over_is_found_or_says_nothing():
    whole = archives.inspect(io.BytesIO(REAL), Nowhere(), DEFAULTS)
    for place in range(len(REAL) * 8):
        content = bytearray(REAL)
        content[place // 8] ^= 1 << place % 8
        try:
            found = archives.inspect(io.BytesIO(bytes(content)), Nowhere(), DEFAULTS)
        except errors.ArchiveRefused:
            continue
        assert found.metadata == whole.metadata, place
