"""What browsers read is sent compressed, and nothing else."""

import gzip
from http import HTTPStatus

import pytest

from tests.environments.pages.conftest import signed_in

ASKS = {"Accept-Encoding": "gzip, deflate, br"}


def read(response):
    return b"".join(response) if response.streaming else response.content


@pytest.mark.parametrize(
    "path", ["/app.css", "/static/app.js", "/static/icons/plain.svg", "/static/django_htmx/htmx-2.min.js"]
)
def test_a_style_a_script_and_an_icon_are(client, path):
    plain, small = client.get(path), client.get(path, headers=ASKS)
    assert small.status_code == HTTPStatus.OK
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(read(small)) == read(plain)


def test_a_page_is_and_its_length_tells_nothing(ana, production):
    lengths = set()
    for _ in range(8):
        page = signed_in(ana).get("/p/default/", headers=ASKS)
        assert page.headers["Content-Encoding"] == "gzip"
        assert b"production" in gzip.decompress(page.content)
        lengths.add(len(page.content))
    assert len(lengths) > 1


def test_who_does_not_ask_for_it_gets_none(ana, production):
    assert "Content-Encoding" not in signed_in(ana).get("/p/default/").headers


def test_a_stylesheet_that_did_not_change_is_not_sent_again(client):
    etag = client.get("/app.css", headers=ASKS).headers["ETag"]
    assert client.get("/app.css", headers={**ASKS, "If-None-Match": etag}).status_code == HTTPStatus.NOT_MODIFIED


def test_a_part_of_a_script_is_that_part(client):
    part = client.get("/static/app.js", headers={**ASKS, "Range": "bytes=0-299"})
    assert part.status_code == HTTPStatus.PARTIAL_CONTENT
    assert "Content-Encoding" not in part.headers
    assert len(read(part)) == 300


def test_what_scripts_and_rasa_servers_get_is_as_it_is(as_ana, production, stored_model):
    model = stored_model("calm-heron", tags=["production"])
    archive = as_ana.get("/api/projects/default/models/calm-heron", headers=ASKS)
    assert "Content-Encoding" not in archive.headers
    assert archive.headers["ETag"] == f'"{model.hash}"'
    listed = as_ana.get("/api/v1/environments/", headers=ASKS)
    assert "Content-Encoding" not in listed.headers
