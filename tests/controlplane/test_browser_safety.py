"""What a browser can be made to do against its owner: forged requests, redirects elsewhere, sessions that somebody else
chose, and secrets in addresses that come back in an answer."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.authentication import SessionAuthentication
from accounts.models import Session
from accounts.models.session import digest
from tests.controlplane.test_headers import url_of
from tests.routes import FAMILIES, ROUTES

PASSWORD = "otters swim in rivers"
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
SECRET = f"cpt_{'x' * 43}"


@pytest.fixture
def ana(ana):
    ana.set_password(PASSWORD)
    ana.save()
    return ana


@pytest.fixture
def signed_in(ana, production, otter):
    """A browser with ana's session, as another site can make it send requests: with cookies, without the token."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(ana)
    return client


def takes_a_session(route, view):
    """Whether a session opens it; where none does, a forged request is nobody's."""
    ways = getattr(view, "authentication_classes", None)
    return not route.startswith(FAMILIES) if ways is None else SessionAuthentication in ways


def forged(client, method, route):
    """What a form or a script of another site can send. Pages act on POST alone."""
    if route.startswith(FAMILIES):
        return client.generic(method, url_of(route), b"{}", content_type="application/json")
    field = "bundle" if "bundle" in route else "model"
    return client.post(url_of(route), {"theme": "dark", field: SimpleUploadedFile("brisk-otter.tar.gz", b"x")})


FORGEABLE = [
    (method, route)
    for route, view in ROUTES
    if takes_a_session(route, view)
    for method in (UNSAFE if route.startswith(FAMILIES) else ["POST"])
]


def test_no_unsafe_request_of_a_session_passes_without_the_csrf_token(signed_in):
    answers = {forgeable: forged(signed_in, *forgeable).status_code for forgeable in FORGEABLE}
    assert {forgeable: status for forgeable, status in answers.items() if status != 403} == {}
    # Else this would prove little.
    assert len(answers) > 80


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "http://evil.example",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "https:evil.example",
        "http:///evil.example",
        "https://testserver@evil.example/",
        "https://testserver.evil.example/",
        "\t//evil.example",
        " //evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "",
    ],
)
def test_no_address_leads_away_after_signing_in(client, ana, address):
    credentials = {"username": "ana", "password": PASSWORD}
    asked = client.post("/sign-in/", {**credentials, "next": address})
    assert (asked.status_code, asked.url) == (302, "/")
    # Signed in already, one is sent on at once.
    assert client.get("/sign-in/", {"next": address}).url == "/"
    assert client.post("/theme/", {"theme": "dark", "next": address}).url == "/"
    assert client.post("/sign-out/", {"next": address}).url == "/sign-in/"


def test_signing_in_ends_the_session_and_the_token_that_were_there_before(client, ana, project):
    """Somebody else may have chosen them."""
    client.get("/sign-in/")
    session = client.session
    session["chosen"] = "before"
    session.save()
    client.cookies["sessionid"] = session.session_key
    csrf = client.cookies["csrftoken"].value
    client.post("/sign-in/", {"username": "ana", "password": PASSWORD})
    assert client.cookies["sessionid"].value != session.session_key
    assert client.cookies["csrftoken"].value != csrf
    assert not Session.objects.filter(pk=digest(session.session_key)).exists()
    intruder = Client()
    intruder.cookies["sessionid"] = session.session_key
    assert intruder.get("/p/default/").status_code == 302


def test_a_session_id_that_nobody_made_is_not_taken(client, ana, project):
    client.cookies["sessionid"] = chosen = "a" * 32
    client.post("/sign-in/", {"username": "ana", "password": PASSWORD})
    assert client.cookies["sessionid"].value != chosen


def test_signing_out_ends_the_session_on_the_server(client, ana, project):
    client.post("/sign-in/", {"username": "ana", "password": PASSWORD})
    kept = client.cookies["sessionid"].value
    client.post("/sign-out/")
    thief = Client()
    thief.cookies["sessionid"] = kept
    assert thief.get("/p/default/").status_code == 302


JSON = "application/json"
MISPLACED = [
    ("GET", f"/api/v1/nothing/{SECRET}/", ""),
    ("GET", f"/api/v1/nothing/?token={SECRET}", ""),
    ("GET", f"/api/v1/models/{SECRET}/", ""),
    ("GET", f"/api/v1/tokens/{SECRET}/", ""),
    ("DELETE", f"/api/v1/tokens/{SECRET}/", ""),
    ("GET", f"/api/v1/environments/{SECRET}/", ""),
    ("GET", f"/api/v1/jobs/?status={SECRET}", ""),
    ("GET", f"/api/v1/models/?limit={SECRET}", ""),
    ("GET", f"/api/v1/models/?project={SECRET}", ""),
    ("POST", "/api/v1/environments/production/promotions/", f'{{"model": "{SECRET}"}}'),
    ("POST", "/api/v1/environments/production/promotions/", f'{{"{SECRET}": 1}}'),
    ("POST", "/api/v1/environments/", f'{{"name": "{SECRET}", "kind": "{SECRET}", "url": "{SECRET}"}}'),
    ("POST", "/api/v1/jobs/", f'{{"kind": "{SECRET}"}}'),
    ("GET", f"/api/models/{SECRET}", ""),
    ("GET", f"/api/projects/{SECRET}/models", ""),
    ("GET", f"/models/default@{SECRET}", ""),
    ("PUT", f"/api/models/brisk-otter/tags/{SECRET}", ""),
    ("GET", f"/nothing/{SECRET}", ""),
    ("GET", f"/p/default/models/{SECRET}/", ""),
    ("GET", f"/p/{SECRET}/", ""),
    ("GET", f"/problems/{SECRET}", ""),
]


@pytest.mark.parametrize(("method", "url", "body"), MISPLACED)
def test_a_refusal_repeats_no_secret_that_was_sent_to_the_wrong_place(
    as_ana, ana, otter, production, method, url, body
):
    browser = Client(raise_request_exception=False)
    browser.force_login(ana)
    # A page takes no token, and leads to the sign-in with the way back as it came.
    for client in (as_ana, browser) if url.startswith(("/api/", "/models/")) else [browser]:
        answer = client.generic(method, url, body, content_type=JSON)
        assert SECRET not in answer.text
        assert SECRET not in str(answer.headers.get("WWW-Authenticate"))


def test_a_wrong_token_is_not_repeated(project, production):
    for headers, query in (({"authorization": f"Bearer {SECRET}"}, ""), ({}, f"?api_token={SECRET}&token={SECRET}")):
        for url in ("/api/v1/models/", "/api/models", "/models/default", "/api/config"):
            refused = Client(headers=headers).get(url + query)
            assert refused.status_code == 401
            assert SECRET not in refused.text


@pytest.mark.parametrize("url", ["/", "/p/default/", "/p/default/models/", "/api/docs/"])
def test_credentials_in_the_query_of_a_page_are_not_repeated(project, url):
    answer = Client().get(url, {"token": SECRET, "api_token": SECRET, "q": "otter"})
    assert SECRET not in answer.text + answer.headers.get("Location", "")
