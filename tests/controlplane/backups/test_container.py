"""The file of a backup: what is read is what was written, or it is refused."""

import io
import os

import hypothesis
import hypothesis.strategies as st
import pytest

from controlplane.backups import BackupError
from controlplane.backups.container import FORMAT, HEADER, Reader, Writer

MEMBERS = {"tables/a/000001.jsonl.gz": b"rows" * 100, "keys/secret-key": b"sesame", "archives/x": os.urandom(3000)}
HEAD = b'{"format": %d, "version": "0.1"}' % FORMAT


def written(members=MEMBERS, header=HEAD):
    file = io.BytesIO()
    writer = Writer(file)
    writer.add(HEADER, header)
    for name, data in members.items():
        assert writer.add_file(name, len(data), io.BytesIO(data))
    writer.finish({"audit_head": "1:2"})
    return file.getvalue()


def read(data):
    reader = Reader(io.BytesIO(data))
    return {member.name: member.whole() for member in reader.members()}, reader.manifest


WHOLE = written()


def test_what_was_written_is_read():
    members, manifest = read(WHOLE)
    assert members == MEMBERS
    assert manifest["audit_head"] == "1:2"


def test_it_goes_through_a_pipe():
    out, into = os.pipe()
    with os.fdopen(into, "wb") as pipe:
        writer = Writer(pipe)
        writer.add(HEADER, HEAD)
        writer.add("a", b"b")
        writer.finish({})
    with os.fdopen(out, "rb") as pipe:
        reader = Reader(pipe)
        assert [member.whole() for member in reader.members()] == [b"b"]


def test_members_that_nobody_reads_are_compared_all_the_same():
    reader = Reader(io.BytesIO(WHOLE))
    assert [member.name for member in reader.members()] == list(MEMBERS)
    spoiled = bytearray(WHOLE)
    spoiled[WHOLE.index(b"sesame")] ^= 1
    with pytest.raises(BackupError, match="keys/secret-key is not what was written"):
        list(Reader(io.BytesIO(bytes(spoiled))).members())


@hypothesis.given(place=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_no_changed_bit_goes_unnoticed_but_in_the_padding(place, bit):
    spoiled = bytearray(WHOLE)
    spoiled[place] ^= 1 << bit
    try:
        members, manifest = read(bytes(spoiled))
    except BackupError:
        return
    assert (members, manifest) == read(WHOLE)


@hypothesis.given(length=st.integers(0, WHOLE.index(b'"members"')))
def test_one_that_breaks_off_is_refused(length):
    with pytest.raises(BackupError):
        read(WHOLE[:length])


@pytest.mark.parametrize("data", [b"", b"nothing of ours" * 1000, b"\x1f\x8b" + bytes(5000)])
def test_what_is_no_backup_is_refused(data):
    with pytest.raises(BackupError, match=r"no file of `manage\.py backup`"):
        read(data)


def test_a_format_of_later_is_refused_with_the_cure():
    with pytest.raises(BackupError, match="has format 99, and this version reads 1"):
        read(written(header=b'{"format": 99}'))


def test_a_member_that_comes_twice_is_refused():
    file = io.BytesIO()
    writer = Writer(file)
    writer.add(HEADER, HEAD)
    writer.add("keys/secret-key", b"one")
    writer.add("keys/secret-key", b"two")
    writer.finish({})
    with pytest.raises(BackupError, match="does not belong there"):
        read(file.getvalue())
