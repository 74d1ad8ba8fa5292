"""What browsers and proxies are told with every answer, and what is believed of proxies."""

import contextlib
import json
import subprocess
import sys

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import path

from controlplane import checks, middleware
from controlplane.settings import BASE_DIR, origin_of
from tests.routes import ROUTES

PASSWORD = "otters swim in rivers"
NAMES = {"project": "default", "environment": "production", "name": "production", "model": "brisk-otter"}


def url_of(route):
    """An address of the route, with names of the cast."""
    parts = route.replace("@", "/@/").split("/")
    filled = [NAMES.get(part.strip("<>").partition(":")[2], "1") if part.startswith("<") else part for part in parts]
    return "/" + "/".join(filled).replace("/@/", "@")


@pytest.fixture
def signed_in(ana, production):
    client = Client(raise_request_exception=False)
    client.force_login(ana)
    return client


EVERYWHERE = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": middleware.HEADERS["Content-Security-Policy"],
    "Permissions-Policy": middleware.HEADERS["Permissions-Policy"],
}


def test_every_answer_of_every_route_has_every_header(signed_in):
    for route, _ in ROUTES:
        headers = signed_in.get(url_of(route)).headers
        assert {name: headers.get(name) for name in EVERYWHERE} == EVERYWHERE, route
        assert {"no-store", "no-cache"} & set(headers["Cache-Control"].split(", ")), route


def test_the_policies_let_no_script_and_no_frame_of_others_in():
    assert "default-src 'none'" in EVERYWHERE["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in EVERYWHERE["Content-Security-Policy"]
    assert "microphone=()" in EVERYWHERE["Permissions-Policy"]


@pytest.mark.parametrize("url", ["/", "/p/default/", "/p/default/environments/production/connect/", "/sign-in/"])
def test_nothing_keeps_what_was_seen_signed_in(signed_in, url):
    assert "no-store" in signed_in.get(url).headers["Cache-Control"]


def test_nothing_keeps_an_answer_that_holds_a_secret(as_ana):
    made = as_ana.post("/api/v1/tokens/", {"name": "ci"}, content_type="application/json")
    assert made.json()["token"]
    assert made.headers["Cache-Control"] == "no-store"


def test_static_files_may_be_kept(db):
    with contextlib.closing(Client().get("/static/app.js")) as answer:
        assert answer.status_code == 200
        assert "max-age" in answer.headers["Cache-Control"]


def test_browsers_are_told_to_come_by_tls_alone_where_there_is_tls(settings, db):
    assert "Strict-Transport-Security" not in Client().get("/sign-in/").headers
    settings.SECURE_HSTS_SECONDS = 31536000
    # Also where the proxy that ended TLS does not say so.
    assert Client().get("/sign-in/").headers["Strict-Transport-Security"] == "max-age=31536000"
    assert Client().get("/sign-in/", secure=True).headers["Strict-Transport-Security"] == "max-age=31536000"


def settings_with(tmp_path, names, **variables):
    """The settings as a process reads them that was started with these variables."""
    told = f"import json; from controlplane import settings; print(json.dumps([getattr(settings, n) for n in {names}]))"
    environment = {"CONTROLPLANE_HOME": str(tmp_path), "PATH": "/usr/bin", **variables}
    done = subprocess.run(
        [sys.executable, "-c", told], env=environment, cwd=BASE_DIR, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


COOKIES = ["SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS", "CSRF_TRUSTED_ORIGINS"]


def test_cookies_and_hsts_follow_public_url(tmp_path):
    assert settings_with(tmp_path, COOKIES) == [False, False, 0, ["http://localhost:5002"]]
    found = settings_with(
        tmp_path, COOKIES, PUBLIC_URL="https://Control.example.com/", CSRF_TRUSTED_ORIGINS="https://other.example.com"
    )
    assert found == [True, True, 31536000, ["https://control.example.com", "https://other.example.com"]]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://control.example.com/path", ["https://control.example.com"]),
        ("https://control.example.com:443", ["https://control.example.com"]),
        ("http://control.example.com:8080", ["http://control.example.com:8080"]),
        ("http://[::1]:5002", ["http://[::1]:5002"]),
        ("control.example.com", []),
        ("http://[::1", []),
        ("http://host:port", []),
        ("ftp://host", []),
    ],
)
def test_the_origin_is_as_browsers_send_it(url, origin):
    assert origin_of(url) == origin


@pytest.mark.parametrize("secure", [False, True])
def test_cookies_are_for_this_site_and_no_script(settings, ana, secure):
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = secure
    ana.set_password(PASSWORD)
    ana.save()
    client = Client()
    client.post("/sign-in/", {"username": "ana", "password": PASSWORD})
    client.get("/sign-in/")
    client.post("/theme/", {"theme": "dark"})
    assert {"sessionid", "csrftoken", "theme"} <= set(client.cookies)
    for name, cookie in client.cookies.items():
        assert cookie["samesite"] == "Lax"
        assert bool(cookie["secure"]) is secure
        # The page's script sets the theme itself.
        assert bool(cookie["httponly"]) is (name != "theme")


def seen(request):
    return HttpResponse(f"{request.scheme} {request.get_host()} {request.build_absolute_uri('/')}")


urlpatterns = [path("seen", seen)]
FORWARDED = {"x-forwarded-proto": "https", "x-forwarded-host": "control.example.com"}


@pytest.mark.parametrize(
    ("proxies", "headers", "expected"),
    [
        ([], FORWARDED, "http testserver http://testserver/"),
        (["10.0.0.9"], FORWARDED, "http testserver http://testserver/"),
        (["10.0.0.5"], FORWARDED, "https control.example.com https://control.example.com/"),
        (["10.0.0.5"], {"x-forwarded-proto": "https"}, "https testserver https://testserver/"),
        (["10.0.0.5"], {"x-forwarded-proto": "http"}, "http testserver http://testserver/"),
        (["10.0.0.5"], {"x-forwarded-proto": ""}, "http testserver http://testserver/"),
        # Of several values the last is the proxy's own; what is before it, anybody may have sent.
        (
            ["10.0.0.5"],
            {"x-forwarded-proto": "https, http", "x-forwarded-host": "evil.example, control.example.com"},
            "http control.example.com http://control.example.com/",
        ),
    ],
)
def test_scheme_and_host_are_believed_from_trusted_proxies_alone(settings, proxies, headers, expected):
    settings.ROOT_URLCONF, settings.TRUSTED_PROXIES = __name__, proxies
    client = Client(REMOTE_ADDR="10.0.0.5", headers={"host": "testserver"})
    assert client.get("/seen", headers=headers).text == expected


def test_no_other_header_of_a_proxy_is_read():
    request = RequestFactory().get("/", headers={"x-forwarded-port": "444", "forwarded": "proto=https;host=evil"})
    middleware.forwarded(lambda request: HttpResponse())(request)
    assert request.build_absolute_uri("/") == "http://testserver/"


def test_a_page_posts_behind_a_proxy_that_ends_tls(settings, ana, production):
    """Its origin is PUBLIC_URL's, whatever the proxy tells or does not tell."""
    settings.CSRF_TRUSTED_ORIGINS = ["https://control.example.com"]
    client = Client(enforce_csrf_checks=True, headers={"host": "control.example.com"})
    page = client.get("/sign-in/")
    token = client.cookies["csrftoken"].value
    assert page.status_code == 200
    for origin, status in (("https://control.example.com", 302), ("https://evil.example", 403)):
        sent = client.post("/theme/", {"theme": "dark", "csrfmiddlewaretoken": token}, headers={"origin": origin})
        assert sent.status_code == status


@pytest.mark.parametrize("url", ["/api/v1/models/", "/api/health", "/healthz", "/models/default", "/sign-in/"])
def test_nothing_is_redirected_to_https(settings, db, url):
    settings.SECURE_HSTS_SECONDS, settings.SESSION_COOKIE_SECURE = 31536000, True
    assert Client().get(url).status_code not in (301, 302, 307, 308)


def deployed(**variables):
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        env={"PATH": "/usr/bin", **variables},
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("variables", [{}, {"PUBLIC_URL": "https://control.example.com"}])
def test_check_deploy_is_clean(tmp_path, variables):
    done = deployed(CONTROLPLANE_HOME=str(tmp_path), **variables)
    assert done.returncode == 0, done.stderr


def test_check_deploy_warns_of_an_address_without_tls(tmp_path):
    done = deployed(CONTROLPLANE_HOME=str(tmp_path), PUBLIC_URL="http://control.example.com")
    assert done.returncode == 1
    assert "(controlplane.W002)" in done.stderr
    assert "TRUSTED_PROXIES" in done.stderr


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://localhost:5002", False),
        ("http://127.0.0.1:5002", False),
        ("http://[::1]:5002", False),
        ("http://control.localhost", False),
        ("https://control.example.com", False),
        ("http://10.0.0.5:5002", True),
        ("http://localhost.example.com", True),
        ("http://rasa-x:5002", True),
    ],
)
def test_only_this_machine_needs_no_tls(settings, url, warned):
    settings.PUBLIC_URL = url
    assert [message.id for message in checks.check_deployment(None)] == ["controlplane.W002"] * warned
