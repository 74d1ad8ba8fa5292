"""Archives as they go out: validators, ranges, slots, and never a damaged byte."""

import pytest
from django.test import RequestFactory

from accounts.problems import Busy
from environments import errors, stores
from environments.api.archives import archive_response
from environments.api.limits import DOWNLOADS
from tests.archives import rasa_archive, sha256
from tests.factories import TrainedModelFactory

ARCHIVE = rasa_archive(payload=bytes(range(256)) * 4000)


@pytest.fixture
def stored(project):
    with stores.models().receive() as incoming:
        incoming.write(ARCHIVE)
        incoming.commit(sha256(ARCHIVE))
    return TrainedModelFactory(project=project, name="brisk-otter", hash=sha256(ARCHIVE), size=len(ARCHIVE))


def ask(model, method="GET", **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return archive_response(RequestFactory().generic(method, "/", headers=names), model)


def content(response):
    data = b"".join(response)
    response.close()
    return data


def slots_taken():
    return DOWNLOADS._taken


def test_the_archive_comes_with_what_a_rasa_server_needs(stored):
    response = ask(stored)
    assert content(response) == ARCHIVE
    assert dict(response.headers) == {
        "ETag": f'"{sha256(ARCHIVE)}"',
        "Cache-Control": "no-cache",
        "filename": "brisk-otter.tar.gz",
        "Accept-Ranges": "bytes",
        "Content-Type": "application/gzip",
        "Content-Disposition": 'attachment; filename="brisk-otter.tar.gz"',
        "Content-Length": str(len(ARCHIVE)),
    }


def test_head_has_the_headers_and_no_body_and_takes_no_slot(stored, settings):
    settings.MAX_DOWNLOADS = 0
    response = ask(stored, "HEAD")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == str(len(ARCHIVE))
    assert response.headers["ETag"] == stored.etag


@pytest.mark.parametrize(
    "spelling", ['"{}"', "{}", 'W/"{}"', '"other", "{}"', 'W/"a,b" , W/"{}"', "other,{}", "*", " * "]
)
def test_who_has_the_model_hears_not_modified(stored, spelling):
    response = ask(stored, if_none_match=spelling.format(stored.hash))
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers == {"ETag": stored.etag, "Cache-Control": "no-cache"}


@pytest.mark.parametrize("spelling", ["", '"other"', '"{}x"', '"x,{}"', "0123456789abcdef"])
def test_who_has_another_model_gets_the_archive(stored, spelling):
    assert content(ask(stored, if_none_match=spelling.format(stored.hash))) == ARCHIVE


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("Bytes=10-", 10, len(ARCHIVE) - 1),
        ("bytes=-7", len(ARCHIVE) - 7, len(ARCHIVE) - 1),
        ("bytes=-99999999", 0, len(ARCHIVE) - 1),
        ("bytes=10-99999999", 10, len(ARCHIVE) - 1),
    ],
)
def test_a_range_is_given_alone(stored, asked, first, last):
    response = ask(stored, range=asked)
    assert response.status_code == 206
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/{len(ARCHIVE)}"
    assert response.headers["Content-Length"] == str(last - first + 1)
    assert content(response) == ARCHIVE[first : last + 1]


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0", f"bytes={len(ARCHIVE)}-"])
def test_a_range_outside_the_archive_is_refused_with_its_size(stored, asked):
    with pytest.raises(errors.RangeNotSatisfiable) as refused:
        ask(stored, range=asked)
    assert refused.value.headers == {"Content-Range": f"bytes */{len(ARCHIVE)}"}
    assert slots_taken() == 0


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=5-2", "bytes=-", "bytes=a-b", "items=0-1", "bytes=٣-"])
def test_several_ranges_and_nonsense_get_the_whole(stored, asked):
    response = ask(stored, range=asked)
    assert response.status_code == 200
    assert content(response) == ARCHIVE


def test_a_range_is_kept_if_the_archive_is_still_the_one_that_was_begun(stored):
    assert content(ask(stored, range="bytes=5-", if_range=stored.etag)) == ARCHIVE[5:]
    for other in ('"other"', f"W/{stored.etag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert content(ask(stored, range="bytes=5-", if_range=other)) == ARCHIVE


def test_head_knows_no_ranges(stored):
    assert ask(stored, "HEAD", range="bytes=5-").status_code == 200


def test_a_slot_is_held_until_the_response_is_closed(stored, settings):
    settings.MAX_DOWNLOADS = 1
    first = ask(stored)
    with pytest.raises(Busy) as refused:
        ask(stored)
    assert refused.value.headers["Retry-After"]
    first.close()
    first.close()
    assert slots_taken() == 0
    assert content(ask(stored)) == ARCHIVE
    assert slots_taken() == 0


def test_a_slot_comes_back_from_a_response_that_nobody_closed(stored):
    response = ask(stored)
    assert slots_taken() == 1
    del response
    assert slots_taken() == 0


def test_who_has_the_model_needs_no_slot(stored, settings):
    settings.MAX_DOWNLOADS = 0
    assert ask(stored, if_none_match=stored.etag).status_code == 304


def test_a_damaged_archive_is_never_served_and_noted(stored, home):
    (home / "archives" / stored.hash).write_bytes(b"rotten")
    for method in ("GET", "HEAD"):
        with pytest.raises(errors.ArchiveDamaged):
            ask(stored, method)
    stored.refresh_from_db()
    assert stored.damaged_at
    assert slots_taken() == 0


def test_a_model_known_to_be_damaged_is_not_looked_at_again(stored, django_now):
    stored.damaged_at = django_now
    with pytest.raises(errors.ArchiveDamaged):
        ask(stored)


def test_a_storage_that_is_away_is_no_damage_of_the_model(stored, home):
    (home / "archives").rename(home / "unmounted")
    with pytest.raises(errors.ArchiveDamaged, match="cannot be read"):
        ask(stored)
    stored.refresh_from_db()
    assert stored.damaged_at is None
    assert slots_taken() == 0
