"""Whatever happens to the bytes of an archive: it is refused, or it means to Rasa's reader what it means here."""

import io
import json
import tarfile

from hypothesis import example, given
from hypothesis import strategies as st

from environments import archives, errors
from environments.archives.paths import normalised
from tests.archives import archive_of, gzipped, model_files, rasa_archive, rasa_metadata, tar_of
from tests.environments.archives.conftest import LIMITS
from tests.environments.archives.test_refused import TAR, model_members, pax

ARCHIVE = rasa_archive()
# Headers of every kind that is accepted: PAX, plain and with a long name.
RICH = tar_of([(pax("a", comment="x", path="components/" + "b" * 120), b""), *model_members()])
HEADERS = [start for start in range(0, len(RICH), 512) if RICH[start + 257 : start + 262] == b"ustar"]


def inspected(content: bytes) -> archives.Inspected | None:
    try:
        return archives.inspect(io.BytesIO(content), io.BytesIO(), LIMITS)
    except (errors.ArchiveRefused, errors.UploadTooLarge):
        return None


def assert_rasa_reads_the_same(content: bytes, found: archives.Inspected) -> None:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = tar.getmembers()
        assert all(member.isreg() or member.isdir() for member in members)
        names = [normalised(member.name) for member in members]
        assert len(names) == len(set(names))
        file = tar.extractfile(members[names.index("metadata.json")])
        assert file is not None
        assert json.load(file) == found.metadata


def test_cut_off_anywhere_it_is_refused(inspect):
    for end in range(len(ARCHIVE)):
        assert inspected(ARCHIVE[:end]) is None, end


def test_with_anything_after_it_it_is_refused():
    for more in (b"\0", b"\0" * 512, b"x", ARCHIVE, ARCHIVE[:10], b"PK\x03\x04"):
        assert inspected(ARCHIVE + more) is None


def test_a_bit_that_fell_over_is_found_or_says_nothing():
    whole = inspected(ARCHIVE)
    assert whole is not None
    for place in range(len(ARCHIVE) * 8):
        content = bytearray(ARCHIVE)
        content[place // 8] ^= 1 << place % 8
        found = inspected(bytes(content))
        # Some bits say nothing: gzip's header tells a time, deflate may describe codes that it does not use.
        assert found is None or found.metadata == whole.metadata


@given(st.binary(max_size=2000))
@example(b"")
@example(b"PK\x03\x04")
@example(b"\x1f\x8b")
def test_anything_else_is_refused(content):
    assert inspected(content) is None
    assert inspected(gzipped(content)) is None


@given(st.sampled_from(HEADERS), st.integers(0, 499), st.binary(min_size=1, max_size=12))
def test_a_forged_header_is_refused_or_read_alike(start, place, forged):
    tar = bytearray(RICH)
    place = min(place, 500 - len(forged))
    tar[start + place : start + place + len(forged)] = forged
    tar[start + 148 : start + 156] = b" " * 8
    tar[start + 148 : start + 156] = b"%06o\0 " % sum(tar[start : start + 512])
    content = gzipped(bytes(tar))
    found = inspected(content)
    if found is not None:
        assert_rasa_reads_the_same(content, found)


@given(st.dictionaries(st.sampled_from(["path", "size", "comment", "linkpath", "mtime"]), st.text(max_size=20)))
def test_a_forged_pax_header_is_refused_or_read_alike(headers):
    try:
        member = pax("components/a", **headers)
        content = gzipped(tar_of([(member, b""), *model_members()]))
    except UnicodeEncodeError:
        return
    found = inspected(content)
    if found is not None:
        assert_rasa_reads_the_same(content, found)


@given(st.lists(st.text(alphabet="ab./\\\0é", min_size=1, max_size=12), max_size=4))
def test_names_are_refused_or_stay_below_the_root(names):
    for name in names:
        try:
            path = normalised(name)
        except errors.UnsafePath:
            continue
        assert not path.startswith("/")
        assert ".." not in path.split("/")
        assert normalised(path) == path


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(rasa_metadata())), values))
def test_odd_metadata_is_refused_or_can_be_kept(odd):
    files = model_files(rasa_metadata())
    files["metadata.json"] = json.dumps({**rasa_metadata(), **odd}).encode()
    found = inspected(archive_of(files))
    if found is not None:
        assert "\\u0000" not in json.dumps(found.metadata, allow_nan=False).replace("\\\\", "")
        assert len(found.version) <= 50
        assert found.trained_at.tzinfo is not None
        assert set(found.counts) == set(archives.metadata.KINDS)


def test_the_tar_itself_is_good():
    assert inspected(gzipped(TAR)) is not None
    assert inspected(gzipped(RICH)) is not None
