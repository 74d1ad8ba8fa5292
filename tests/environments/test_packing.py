"""Archives of projects: what is taken out of them, and every one that is refused."""

import gzip
import io
import os
import struct
import tarfile
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.errors import BundleInvalid
from environments.packing import Limits, extract, pack, unpack
from tests.projects import tarred, zipped

LIMITS = Limits(entries=50, unpacked=100_000, text=50_000)


def unpacked(data: bytes, limits: Limits = LIMITS):
    return unpack(io.BytesIO(data), limits)


@pytest.fixture(params=[zipped, tarred])
def packed(request):
    return request.param


def test_yaml_and_json_are_read_and_the_rest_is_only_named(packed):
    files = unpacked(packed({"config.yml": "a: 1", "data/x.json": "{}", "actions.py": "import os"}))
    assert files == {"config.yml": b"a: 1", "data/x.json": b"{}", "actions.py": None}


def test_a_leading_dot_folder_means_nothing(packed):
    assert unpacked(packed({"./config.yml": "a: 1"})) == {"config.yml": b"a: 1"}


@pytest.mark.parametrize(
    "path",
    [".git/config", "actions/__pycache__/x.pyc", ".venv/lib/a.yml", "venv/a.yml", "__MACOSX/._config.yml", ".env"],
)
def test_junk_is_left_out(packed, path):
    assert unpacked(packed({path: "a: 1"})) == {}


def test_trained_archives_are_named_but_not_read(packed):
    assert unpacked(packed({"models/old.yml": "x"})) == {"models/old.yml": None}


@pytest.mark.parametrize(
    "path", ["../evil.yml", "/etc/passwd", "a/../../b.yml", "a\\b.yml", "C:/x.yml", "a\u202eb.yml"]
)
def test_a_path_out_of_the_folder_is_refused(packed, path):
    with pytest.raises(BundleInvalid, match="is not safe"):
        unpacked(packed({path: "a: 1"}))


def test_too_many_members(packed):
    with pytest.raises(BundleInvalid, match="more than 50 members"):
        unpacked(packed({f"{n}.txt": "" for n in range(51)}))


def test_what_unpacks_to_too_much(packed):
    with pytest.raises(BundleInvalid, match="unpacks to"):
        unpacked(packed({"a.txt": "x" * 60_000, "b.txt": "x" * 60_000}))


def test_too_much_text(packed):
    with pytest.raises(BundleInvalid, match="larger than 50000 bytes"):
        unpacked(packed({"a.yml": "x" * 30_000, "b.yml": "x" * 30_000}))


@pytest.mark.parametrize("data", [b"", b"PK", b"config: yes", b"\x1f\x8bnonsense", b"PK\x03\x04nonsense"])
def test_what_is_no_archive(data):
    with pytest.raises(BundleInvalid, match=r"neither a zip nor|cannot be read"):
        unpacked(data)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_truncated_archive(packed, part):
    whole = packed({"a.yml": os.urandom(9000).hex(), "b.yml": os.urandom(9000).hex()})
    with pytest.raises(BundleInvalid, match="cannot be read"):
        unpacked(whole[: int(len(whole) * part)])


def test_one_file_twice():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("./config.yml", "a: 1")
        archive.writestr("config.yml", "a: 2")
    with pytest.raises(BundleInvalid, match="twice"):
        unpacked(packed.getvalue())


def test_a_link_in_a_tar():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        link = tarfile.TarInfo("data")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(link)
    with pytest.raises(BundleInvalid, match=r"data is a link or a device\. Put the file itself"):
        unpacked(packed.getvalue())


def test_a_link_in_a_zip():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        info = zipfile.ZipInfo("config.yml")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(BundleInvalid, match="is a link or a device"):
        unpacked(packed.getvalue())


def test_an_encrypted_zip():
    data = bytearray(zipped({"config.yml": "a: 1"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        struct.pack_into("<H", data, at, 1)
    with pytest.raises(BundleInvalid, match="is encrypted"):
        unpacked(bytes(data))


def test_a_zip_whose_table_of_contents_is_too_long_is_refused_before_it_is_read():
    data = bytearray(zipped({"config.yml": "a: 1"}))
    struct.pack_into("<I", data, data.index(b"PK\x05\x06") + 12, 10**9)
    with pytest.raises(BundleInvalid, match="more than 50 members"):
        unpacked(bytes(data))


def test_a_forged_tar_header_does_not_fill_the_memory():
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 50 * 1024**2
    bomb = gzip.compress(header.tobuf() + b"\0" * header.size)
    with pytest.raises(BundleInvalid, match="header is too large"):
        unpacked(bomb)


def pax(records: bytes) -> bytes:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    return header.tobuf() + records + bytes(-len(records) % 512)


def test_a_chain_of_tar_headers_does_not_fill_the_memory():
    chain = b"".join(pax(b"60014 k%05d=%s\n" % (number, b"v" * 60_000)) for number in range(300))
    with pytest.raises(BundleInvalid, match=r"header is too large|recursion"):
        unpacked(gzip.compress(chain, 1), Limits())


def test_what_the_headers_of_many_members_say_is_not_kept():
    comment = pax(b"60014 k00000=%s\n" % (b"v" * 60_000))
    members = b"".join(comment + tarfile.TarInfo(f"{number}.txt").tobuf() for number in range(1000))
    bomb = gzip.compress(members + bytes(1024), 1)
    tracemalloc.start()
    assert len(unpacked(bomb, Limits())) == 1000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 1024**2


@pytest.mark.parametrize("version", [b"0.1", b"1.0"])
def test_sparse_files_whose_map_has_no_end_are_refused(version):
    major, minor = version.split(b".")
    records = b"22 GNU.sparse.major=%s\n22 GNU.sparse.minor=%s\n" % (major, minor)
    member = tarfile.TarInfo("a.yml")
    member.size = 50 * 1024**2
    content = b"9999999\n" + b"1\n" * 5_000_000
    with pytest.raises(BundleInvalid):
        unpacked(gzip.compress(pax(records) + member.tobuf() + content, 1), Limits())


def test_a_zip_that_is_all_directory_is_refused_before_its_members_are_made():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(60):
            archive.writestr(f"{number}", b"")
    with pytest.raises(BundleInvalid, match="more than 50 members"):
        unpacked(packed.getvalue())
    # The end tells of fewer than there are.
    few = bytearray(packed.getvalue())
    struct.pack_into("<HH", few, few.index(b"PK\x05\x06") + 8, 1, 1)
    with pytest.raises(BundleInvalid, match="more than 50 members"):
        unpacked(bytes(few))


def test_cut_off_anywhere_it_is_refused(packed):
    whole = packed({"config.yml": "a: 1"})
    for end in range(0, len(whole) - 1):
        try:
            files = unpacked(whole[:end])
        except BundleInvalid:
            continue
        assert files == {"config.yml": b"a: 1"}


@given(st.data())
def test_whatever_is_forged_it_is_refused_or_has_safe_paths(data):
    whole = bytearray(data.draw(st.sampled_from([zipped(), tarred()])))
    place = data.draw(st.integers(0, len(whole) - 1))
    more = data.draw(st.binary(min_size=1, max_size=8))
    whole[place : place + len(more)] = more
    try:
        files = unpacked(bytes(whole))
    except BundleInvalid:
        return
    assert not [path for path in files if path.startswith("/") or ".." in path.split("/")]


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar(kind):
    member = tarfile.TarInfo("data.yml")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(BundleInvalid, match="is a link or a device"):
        unpacked(gzip.compress(member.tobuf() + bytes(1024)))


def test_packing_a_folder_is_deterministic_and_leaves_junk_out(tmp_path):
    for path in (
        "config.yml",
        "data/nlu.yml",
        ".git/HEAD",
        "models/a.tar.gz",
        "data/models/cars.yml",
        "x/__pycache__/y",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    first = pack(tmp_path)
    os.utime(tmp_path / "config.yml", (0, 0))
    assert pack(tmp_path) == first
    assert set(unpacked(first)) == {"config.yml", "data/nlu.yml", "data/models/cars.yml"}


def extracted(data: bytes, folder, limits: Limits = LIMITS):
    return extract(io.BytesIO(data), folder, limits)


def test_files_are_written_as_they_are(packed, tmp_path):
    big = os.urandom(90_000)
    paths = extracted(packed({"bot/config.yml": "a: 1", "bot/data.bin": big, "bot/.env": "SECRET"}), tmp_path)
    assert paths == ["bot/config.yml", "bot/data.bin"]
    assert (tmp_path / "bot/data.bin").read_bytes() == big
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bot", "config.yml", "data.bin"]


@pytest.mark.parametrize("path", ["../evil.yml", "/etc/evil", "a/../../b.yml"])
def test_nothing_is_written_outside_of_the_folder(packed, path, tmp_path):
    with pytest.raises(BundleInvalid, match="is not safe"):
        extracted(packed({path: "a: 1"}), tmp_path)
    assert not list(tmp_path.rglob("*"))


def test_a_path_that_is_a_file_and_a_folder_is_refused(packed, tmp_path):
    with pytest.raises(BundleInvalid, match="a file and a folder"):
        extracted(packed({"a": "1", "a/b.yml": "b: 1"}), tmp_path)


def test_nothing_is_written_beyond_the_limit(packed, tmp_path):
    with pytest.raises(BundleInvalid, match="unpacks to"):
        extracted(packed({"zeros.bin": b"0" * 200_000}), tmp_path)
