"""The API's document and its page are for everybody, and name nothing of this installation."""

import pytest

from tests.doors import cast

OPEN = ("/api/schema/", "/api/docs/")


@pytest.mark.parametrize("path", OPEN)
def test_whoever_asks_is_told(db, path):
    assert cast.client_with().get(path).status_code == 200


@pytest.mark.parametrize("path", OPEN)
def test_a_bad_credential_is_told_so_all_the_same(db, path):
    response = cast.client_with(bearer=cast.FORGED).get(path)
    assert (response.status_code, "WWW-Authenticate" in response.headers) == (401, True)


def test_the_document_is_the_same_for_nobody_and_for_an_administrator(ana, production):
    told = [client.get("/api/schema/").content for client in (cast.client_with(), cast.session_of(ana))]
    assert told[0] == told[1]
