"""Uploads as they come in: names as sent, memory flat, every broken body refused."""

import io

import pytest
from django.test import RequestFactory

from accounts.problems import Busy
from environments import errors
from environments.api import uploads
from tests import multipart

MAX = 1_000_000
HOSTILE_NAMES = [
    "../evil.tar.gz",
    "a/b.tar.gz",
    "..",
    "C:\\evil.tar.gz",
    "\\\\server\\evil.tar.gz",
    "x\0y.tar.gz",
    "x\u202ezg.rat",
    "x%22y.tar.gz",
    "%2e%2e.tar.gz",
    " spaced .tar.gz",
    "",
    "x" * 300,
]


class Drip(io.BytesIO):
    """A connection that gives little at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 1, 7))


class Torn(io.BytesIO):
    """A connection that is reset where the data ends."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data:
            raise ConnectionResetError
        return data


def request_of(body, stream=None, content_type=multipart.CONTENT_TYPE, length=None, **more):
    request = RequestFactory().post("/", **more)
    request.environ["wsgi.input"] = stream or io.BytesIO(body)
    request.META["CONTENT_TYPE"] = content_type
    request.META["CONTENT_LENGTH"] = str(len(body)) if length is None else length
    return request


def received(request, max_bytes=MAX):
    with uploads.receive(request, field="model", max_bytes=max_bytes) as upload:
        content = b""
        while piece := upload.read(1000):
            content += piece
        return upload.fields, upload.filename, content


def test_the_fields_before_the_file_its_name_and_its_bytes_arrive():
    content = bytes(range(256)) * 3000
    body = multipart.upload("m.tar.gz", content, [("tags", "a"), ("tags", "ü"), ("on_conflict", "suffix")])
    fields, filename, arrived = received(request_of(body))
    assert fields == {"tags": ["a", "ü"], "on_conflict": ["suffix"]}
    assert (filename, arrived) == ("m.tar.gz", content)


def test_content_that_looks_like_a_boundary_is_content():
    content = b"\r\n--cut-her\r\n--\r\n\r\n--cut-\r\n--cut-here"[:-1] + b"\r\n"
    body = multipart.upload("m.tar.gz", content)
    assert received(request_of(body))[2] == content
    assert received(request_of(body, Drip(body)))[2] == content


def test_a_slow_drip_arrives_whole():
    body = multipart.upload("m.tar.gz", b"drop by drop", [("tags", "a")])
    assert received(request_of(body, Drip(body))) == ({"tags": ["a"]}, "m.tar.gz", b"drop by drop")


def test_reading_gives_as_much_as_was_asked_for():
    body = multipart.upload("m.tar.gz", b"0123456789")
    with uploads.receive(request_of(body, Drip(body)), field="model", max_bytes=MAX) as upload:
        assert [upload.read(4) for _ in range(4)] == [b"0123", b"4567", b"89", b""]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_arrives_as_it_was_sent(name):
    assert received(request_of(multipart.upload(name, b"x")))[1] == name


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        (r'name="model"; filename="a\"b.tar.gz"', r"a\"b.tar.gz"),
        ("name=model; filename=m.tar.gz", "m.tar.gz"),
        ('name="model"; filename="m.tar.gz"; filename*=UTF-8\'\'evil', "m.tar.gz"),
        ("name=\"model\"; filename*=UTF-8''m%2e.tar.gz", "UTF-8''m%2e.tar.gz"),
        ('filename="m.tar.gz"; name="model"', "m.tar.gz"),
    ],
)
def test_odd_spellings_of_a_name_are_not_interpreted(disposition, filename):
    assert received(request_of(multipart.body(multipart.part(disposition, b"x"))))[1] == filename


@pytest.mark.parametrize(
    "disposition",
    [
        'filename="m.tar.gz"',
        'name="model"; filename="a"; filename="b"',
        'name="model"; filename="a"b"',
        'name="model"; filename="a',
        'name="model" nonsense',
        b'name="model"; filename="\xff"',
    ],
)
def test_an_unreadable_disposition_is_refused(disposition):
    with pytest.raises(errors.UploadMalformed):
        received(request_of(multipart.body(multipart.part(disposition, b"x"))))


def test_two_dispositions_in_a_part_are_refused():
    twice = b"name=model; filename=a\r\nContent-Disposition: form-data; name=model; filename=b"
    with pytest.raises(errors.UploadMalformed, match="Content-Disposition"):
        received(request_of(multipart.body(multipart.part(twice, b"x"))))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (multipart.body(), "no file"),
        (multipart.body(multipart.field("tags", "a")), "no file"),
        (multipart.body(multipart.field("model", "text")), "no file name"),
        (multipart.body(multipart.file("bundle", "m.tar.gz", b"x")), "Send it in the field model"),
        (
            multipart.body(multipart.file("model", "m.tar.gz", b"x"), multipart.file("model", "n.tar.gz", b"y")),
            "several files",
        ),
        (
            multipart.body(multipart.file("model", "m.tar.gz", b"x"), multipart.field("tags", "a")),
            "before the file",
        ),
        (multipart.body(multipart.field("tags", "x" * 70_000)), "longer than"),
        (multipart.body(*[multipart.field(f"f{n}", "") for n in range(200)]), "too many"),
        (multipart.body(multipart.part(b'name="a"', b"\xff")), "not UTF-8"),
        (multipart.body(multipart.part('name="model"; filename="x"\r\nX: ' + "y" * 9000, b"x")), "too long"),
        (b"this is not multipart", "cannot be read"),
        (multipart.upload("m.tar.gz", b"x").replace(multipart.END, b""), "cannot be read"),
    ],
)
def test_a_body_that_is_not_one_file_with_its_fields_is_refused(body, says):
    with pytest.raises(errors.UploadMalformed, match=says):
        received(request_of(body))


@pytest.mark.parametrize("content_type", ["application/gzip", "multipart/form-data", "multipart/mixed; boundary=x", ""])
def test_another_content_type_is_refused(content_type):
    with pytest.raises(errors.UploadMalformed, match="multipart/form-data"):
        received(request_of(multipart.upload("m.tar.gz", b"x"), content_type=content_type))


@pytest.mark.parametrize("length", ["", "-1", "1e3", "+5", "٣"])
def test_a_body_without_a_length_is_refused(length):
    with pytest.raises(errors.LengthRequired):
        received(request_of(multipart.upload("m.tar.gz", b"x"), length=length))


def test_a_chunked_body_is_refused_even_with_a_length():
    with pytest.raises(errors.LengthRequired):
        received(request_of(multipart.upload("m.tar.gz", b"x"), headers={"transfer-encoding": "chunked"}))


def test_a_length_over_the_limit_is_refused_before_anything_is_read():
    stream = io.BytesIO(b"x")
    with pytest.raises(errors.UploadTooLarge):
        received(request_of(b"", stream, length=str(MAX * 2)))
    assert stream.tell() == 0


def test_a_file_over_the_limit_is_refused():
    content = b"x" * (MAX + 1)
    assert received(request_of(multipart.upload("m.tar.gz", content[1:])))[2] == content[1:]
    with pytest.raises(errors.UploadTooLarge, match=str(MAX)):
        received(request_of(multipart.upload("m.tar.gz", content)))


@pytest.mark.parametrize("connection", [io.BytesIO, Torn])
def test_a_connection_cut_anywhere_is_an_incomplete_upload(connection):
    body = multipart.upload("m.tar.gz", b"the model", [("tags", "a")])
    for cut in range(len(body)):
        with pytest.raises(errors.UploadIncomplete):
            received(request_of(body, connection(body[:cut])))


def test_a_refused_upload_is_read_to_its_end_so_that_the_client_hears_the_refusal():
    body = multipart.upload("m.tar.gz", b"x" * 900_000)
    stream = io.BytesIO(body)
    with pytest.raises(errors.NameTaken), uploads.receive(request_of(body, stream), field="model", max_bytes=MAX):
        raise errors.NameTaken("taken")
    assert stream.tell() == len(body)


def test_more_than_the_declared_length_is_never_read():
    body = multipart.upload("m.tar.gz", b"x")
    stream = io.BytesIO(body + b"GET / HTTP/1.1")
    assert received(request_of(body, stream))[2] == b"x"
    assert stream.read() == b"GET / HTTP/1.1"


def test_with_all_slots_taken_one_more_is_told_to_come_again(settings):
    settings.MAX_UPLOADS = 0
    with pytest.raises(Busy) as refused:
        received(request_of(multipart.upload("m.tar.gz", b"x")))
    assert "Retry-After" in refused.value.headers


def test_a_slot_is_given_back_however_an_upload_ends(settings):
    settings.MAX_UPLOADS = 1
    for _ in range(2):
        with pytest.raises(errors.UploadMalformed):
            received(request_of(b"nonsense"))
