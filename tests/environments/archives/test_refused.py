"""What is refused, each by a code of its own and with a sentence that names the cure."""

import gzip
import io
import json
import tarfile

import pytest

from environments import errors
from tests.archives import archive_of, file, folder, gzipped, model_files, rasa_archive, rasa_metadata, tar_of

MODEL = model_files(rasa_metadata())


def model_members():
    return [(file(name, len(content)), content) for name, content in MODEL.items()]


def with_member(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    return gzipped(tar_of([*model_members(), (member, content)]))


def typed(name: str, kind: bytes, **more: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for key, value in more.items():
        setattr(member, key, value)
    return member


def pax(name: str, **headers: str) -> tarfile.TarInfo:
    member = file(name, 0)
    member.pax_headers = headers
    return member


def with_metadata(raw: bytes) -> bytes:
    return archive_of({**MODEL, "metadata.json": raw})


def with_keys(**more: object) -> bytes:
    return with_metadata(json.dumps({**rasa_metadata(), **more}).encode())


def without_keys(*keys: str) -> bytes:
    metadata = rasa_metadata()
    return with_metadata(json.dumps({key: value for key, value in metadata.items() if key not in keys}).encode())


def renamed(tar: bytes, old: bytes, new: bytes) -> bytes:
    """`tar` with the name of a header replaced, its checksum made right again."""
    start = tar.index(old.ljust(100, b"\0"))
    header = bytearray(tar[start : start + 512])
    header[:100] = new.ljust(100, b"\0")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return tar[:start] + bytes(header) + tar[start + 512 :]


TAR = tar_of(model_members())
# Without the end mark and what pads it: no member ends in a block of zeros.
BARE = TAR.rstrip(b"\0")
BARE += bytes(-len(BARE) % 512)

REFUSED = {
    "empty": (b"", errors.ArchiveTruncated),
    "text": (b"not an archive at all", errors.NotGzipTar),
    "bare tar": (TAR, errors.NotGzipTar),
    "gzip of a text": (gzipped(b"not a tar" * 100), errors.NotGzipTar),
    "gzip of nothing": (gzipped(b""), errors.NotGzipTar),
    "zlib stream": (b"\x78\x9c" + gzipped(TAR)[10:], errors.NotGzipTar),
    "damaged header": (gzipped(TAR.replace(b"ustar\0", b"ustax\0")), errors.NotGzipTar),
    "without an end mark": (gzipped(BARE), errors.ArchiveTruncated),
    "inside a header": (gzipped(TAR[:100]), errors.ArchiveTruncated),
    "inside a file": (gzipped(TAR[:520]), errors.ArchiveTruncated),
    "half of the gzip": (gzipped(TAR)[:200], errors.ArchiveTruncated),
    "two gzip members": (gzipped(TAR) + gzipped(TAR), errors.ArchiveTrailingData),
    "an empty second gzip member": (gzipped(TAR) + gzipped(b""), errors.ArchiveTrailingData),
    "a tar in two gzip members": (gzipped(TAR[:1024]) + gzipped(TAR[1024:]), errors.ArchiveTruncated),
    "bytes after the gzip": (gzipped(TAR) + b"x", errors.ArchiveTrailingData),
    "zeros after the gzip": (gzipped(TAR) + b"\0", errors.ArchiveTrailingData),
    "a second tar": (gzipped(TAR + TAR), errors.ArchiveTrailingData),
    "bytes after the end mark": (gzipped(TAR + b"x"), errors.ArchiveTrailingData),
    "no metadata": (archive_of({"components/a": b"a"}), errors.MetadataMissing),
    "no member": (gzipped(bytes(10240)), errors.MetadataMissing),
    "metadata in a folder": (archive_of({"model/metadata.json": MODEL["metadata.json"]}), errors.MetadataMissing),
    "a folder of that name": (gzipped(tar_of([(folder("metadata.json"), b"")])), errors.MetadataMissing),
    "Rasa 1": (archive_of({"fingerprint.json": b"{}", "core/a": b"", "nlu/b": b""}), errors.ModelTooOld),
    "Rasa 2": (archive_of({"fingerprint.json": b"{}", "core/metadata.json": b"{}"}), errors.ModelTooOld),
    "Rasa NLU alone": (archive_of({"nlu/metadata.json": b"{}"}), errors.ModelTooOld),
    "Rasa 1 with metadata": (archive_of({"fingerprint.json": b"{}", "metadata.json": b"{}"}), errors.ModelTooOld),
    "not JSON": (with_metadata(b"{"), errors.MetadataUnreadable),
    "not UTF-8": (with_metadata(b'{"a": "\xff"}'), errors.MetadataUnreadable),
    "not an object": (with_metadata(b"[]"), errors.MetadataUnreadable),
    "deep": (with_keys(spaces=json.loads("[" * 150 + "]" * 150)), errors.MetadataUnreadable),
    "deeper than the stack": (with_metadata(b"[" * 9000 + b"]" * 9000), errors.MetadataUnreadable),
    "a NUL": (with_keys(spaces=["a\0b"]), errors.MetadataUnreadable),
    "a NUL in a key": (with_keys(spaces={"a\0b": 1}), errors.MetadataUnreadable),
    "half a surrogate": (with_keys(spaces="\ud800"), errors.MetadataUnreadable),
    "an infinite number": (with_metadata(b'{"spaces": 1e999}'), errors.MetadataUnreadable),
    "an endless number": (with_metadata(b'{"spaces": ' + b"1" * 9000 + b"}"), errors.MetadataUnreadable),
    "no version": (without_keys("rasa_open_source_version"), errors.MetadataUnreadable),
    "an empty version": (with_keys(rasa_open_source_version=""), errors.MetadataUnreadable),
    "a version that is a number": (with_keys(rasa_open_source_version=3), errors.MetadataUnreadable),
    "a version without end": (with_keys(rasa_open_source_version="3" * 51), errors.MetadataUnreadable),
    "no domain": (without_keys("domain"), errors.MetadataUnreadable),
    "a domain that is a list": (with_keys(domain=[]), errors.MetadataUnreadable),
    "no time": (without_keys("trained_at"), errors.MetadataUnreadable),
    "a time that is a number": (with_keys(trained_at=1.5), errors.MetadataUnreadable),
    "a time that is none": (with_keys(trained_at="yesterday"), errors.MetadataUnreadable),
    "a time before all times": (with_keys(trained_at="0001-01-01T00:00:00+14:00"), errors.MetadataUnreadable),
    "a language without end": (with_keys(language="e" * 51), errors.MetadataUnreadable),
    "too large metadata": (with_keys(spaces="x" * 30_000), errors.MetadataTooLarge),
    "a name twice": (with_member(file("metadata.json", 0)), errors.DuplicateMember),
    "a name in two spellings": (with_member(file("./metadata.json", 0)), errors.DuplicateMember),
    "a name with a doubled slash": (with_member(file(".//./metadata.json", 0)), errors.DuplicateMember),
    "a file and a folder of one name": (with_member(folder("metadata.json")), errors.DuplicateMember),
    "two roots": (gzipped(tar_of([(folder(""), b""), (folder("."), b"")])), errors.DuplicateMember),
    "absolute path": (with_member(file("/etc/passwd", 0)), errors.UnsafePath),
    "absolute folder": (with_member(folder("/etc")), errors.UnsafePath),
    "parent": (with_member(file("../a", 0)), errors.UnsafePath),
    "parent within": (with_member(file("components/../../a", 0)), errors.UnsafePath),
    "parent at the end": (with_member(folder("components/..")), errors.UnsafePath),
    "parent in a PAX header": (with_member(pax("a", path="../a")), errors.UnsafePath),
    "backslash": (with_member(file("components\\..\\a", 0)), errors.UnsafePath),
    "unprintable": (with_member(file("a\u202egz.rat", 0)), errors.UnsafePath),
    "not UTF-8 name": (gzipped(renamed(TAR, b"metadata.json", b"meta\xffdata.json")), errors.UnsafePath),
    "NUL in a PAX header": (with_member(pax("a", path="metadata.json\0x")), errors.UnsafePath),
    "a name without end": (with_member(file("a" * 5000, 0)), errors.UnsafePath),
    "a file named as the root": (with_member(file(".", 0)), errors.UnsafePath),
    "a file named as a folder": (gzipped(renamed(TAR, b"metadata.json", b"metadata/")), errors.UnsafePath),
    "another charset": (with_member(pax("é" * 101, hdrcharset="ISO-IR 8859 1 1987")), errors.UnsafePath),
    "symlink": (with_member(typed("a", tarfile.SYMTYPE, linkname="metadata.json")), errors.UnsafeMember),
    "hard link": (with_member(typed("a", tarfile.LNKTYPE, linkname="metadata.json")), errors.UnsafeMember),
    "character device": (with_member(typed("a", tarfile.CHRTYPE)), errors.UnsafeMember),
    "block device": (with_member(typed("a", tarfile.BLKTYPE)), errors.UnsafeMember),
    "pipe": (with_member(typed("a", tarfile.FIFOTYPE)), errors.UnsafeMember),
    "contiguous file": (with_member(typed("a", tarfile.CONTTYPE)), errors.UnsafeMember),
    "unknown type": (with_member(typed("a", b"Z")), errors.UnsafeMember),
    "GNU sparse": (with_member(typed("a", tarfile.GNUTYPE_SPARSE)), errors.UnsafeMember),
    "PAX sparse": (with_member(pax("a", **{"GNU.sparse.major": "1"})), errors.UnsafeMember),
    "a folder with content": (
        gzipped(typed("a", tarfile.DIRTYPE, size=512).tobuf() + bytes(512) + TAR),
        errors.UnsafeMember,
    ),
    "a huge extension header": (with_member(pax("a", comment="x" * 70_000)), errors.UnsafeMember),
    "PAX size that is none": (with_member(pax("a", size="-5")), errors.NotGzipTar),
    "PAX size beyond the file": (with_member(pax("a", size="40000")), errors.ArchiveTruncated),
    "too many members": (archive_of({**MODEL, **{f"a{n}": b"" for n in range(60)}}), errors.TooManyMembers),
    "unpacks too large": (rasa_archive(payload=bytes(4_100_000)), errors.UnpacksTooLarge),
    "says that it unpacks too large": (gzipped(file("a", 5_000_000).tobuf()), errors.UnpacksTooLarge),
    "zeros without end": (gzipped(TAR + bytes(5_000_000)), errors.UnpacksTooLarge),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_served_is_refused(inspect, case):
    content, error = REFUSED[case]
    with pytest.raises(errors.ArchiveRefused) as refused:
        inspect(content)
    assert type(refused.value) is error
    assert refused.value.detail.count(".") >= 1


def test_every_refusal_has_a_case_and_a_code_of_its_own():
    refusals = set(errors.ArchiveRefused.__subclasses__())
    assert {error for _, error in REFUSED.values()} == refusals
    assert len({error.code for error in refusals}) == len(refusals)


def test_an_upload_beyond_the_limit_is_not_read_on(inspect):
    with pytest.raises(errors.UploadTooLarge, match="MAX_MODEL_BYTES"):
        inspect(rasa_archive(), packed=300)


@pytest.mark.parametrize("key", ["path", "size", "linkpath", "hdrcharset", "GNU.sparse.name"])
def test_a_global_header_may_not_speak_of_members(inspect, key):
    header = tarfile.TarInfo.create_pax_global_header({key: "1"})
    with pytest.raises(errors.UnsafeMember, match="global header"):
        inspect(gzipped(header + TAR))


def test_a_global_header_may_hold_a_comment(inspect):
    header = tarfile.TarInfo.create_pax_global_header({"comment": "0d1e2f"})
    assert inspect(gzipped(header + TAR))


def test_global_headers_without_end_are_members_too(inspect):
    header = tarfile.TarInfo.create_pax_global_header({"comment": "x"})
    with pytest.raises(errors.TooManyMembers):
        inspect(gzipped(header * 60 + TAR))


def test_a_member_named_by_two_headers_is_refused(inspect):
    twice = pax("a", path="components/one").tobuf(tarfile.PAX_FORMAT)[:1024]
    with pytest.raises(errors.UnsafeMember, match="twice"):
        inspect(gzipped(twice + twice + TAR))


def test_an_extension_header_before_the_end_mark_speaks_of_nothing(inspect):
    lonely = pax("a", path="components/one").tobuf(tarfile.PAX_FORMAT)[:1024]
    with pytest.raises(errors.ArchiveTruncated):
        inspect(gzipped(BARE + lonely + bytes(1024)))


@pytest.mark.parametrize(
    "records",
    [
        b"21 path=metadata.json\n",
        b"23 path=metadata.json\n",
        b"022 path=metadata.json\n",
        b"+22 path=metadata.json\n",
        b"18 =metadata.json\n",
        b"18 metadata.jsonx\n",
        b"3 \n",
        b"x",
    ],
)
def test_a_pax_record_of_another_form_is_refused(inspect, records):
    header = typed("a", tarfile.XHDTYPE, size=len(records)).tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(errors.NotGzipTar):
        inspect(gzipped(header + records.ljust(512, b"\0") + TAR))


def test_very_many_small_values_do_not_fill_the_memory(inspect):
    raw = b"[" + b"[]," * 2_100_000 + b"[]]"
    with pytest.raises(errors.MetadataTooLarge):
        inspect(archive_of({"metadata.json": raw}), unpacked=10_000_000, metadata=10_000_000)


def test_a_gzip_with_a_file_name_in_its_header_is_one_like_rasas(inspect):
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="20260301-120000.tar", mode="wb", fileobj=buffer) as packed:
        packed.write(TAR)
    assert inspect(buffer.getvalue())
