"""Sign in and out; light or dark."""

import pytest
from django.test import Client

PASSWORD = "otters swim in rivers"


@pytest.fixture
def ana(ana):
    ana.set_password(PASSWORD)
    ana.save()
    return ana


def sign_in(client: Client, secret: str = PASSWORD, **more: str):
    return client.post("/sign-in/", {"username": "ana", "password": secret, **more})


def test_signing_in_leads_home_or_where_one_was(client, ana):
    assert sign_in(client).url == "/"
    assert sign_in(Client(), next="/p/default/models/").url == "/p/default/models/"


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_host(client, ana, address):
    assert sign_in(client, next=address).url == "/"


def test_a_wrong_password_is_told_without_saying_which_was_wrong(client, ana):
    answer = sign_in(client, "wrong")
    assert answer.status_code == 200
    assert b"do not belong together" in answer.content
    unknown = client.post("/sign-in/", {"username": "nobody", "password": "wrong"})
    assert b"do not belong together" in unknown.content


def test_a_deactivated_account_does_not_sign_in(client, ana):
    ana.is_active = False
    ana.save()
    assert b"do not belong together" in sign_in(client).content


def test_signing_out_ends_the_session(client, ana, project):
    sign_in(client)
    assert client.get("/p/default/").status_code == 200
    assert client.post("/sign-out/").url == "/sign-in/"
    assert client.get("/p/default/").status_code == 302


def test_signing_out_is_no_link(client, ana):
    sign_in(client)
    assert client.get("/sign-out/").status_code == 405


@pytest.mark.parametrize(("chosen", "kept"), [("dark", "dark"), ("light", "light"), ("system", ""), ("<x>", "")])
def test_the_theme_is_kept_in_a_cookie(client, db, chosen, kept):
    answer = client.post("/theme/", {"theme": chosen, "next": "https://evil.example/"})
    assert answer.url == "/"
    assert client.cookies["theme"].value == kept
    html = client.get("/sign-in/").content.decode()
    assert (f'data-theme="{kept}"' in html) == bool(kept)


def test_a_strange_cookie_is_not_shown(client, db):
    client.cookies["theme"] = '"><script>'
    assert b"<script>" not in client.get("/sign-in/").content
