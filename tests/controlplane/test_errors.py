"""One error shape, over every way to fail: a problem document on native routes, Rasa's body on Rasa X routes, never
HTML under /api/."""

import json
import re

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import include, path
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import problems

PROBLEM = "application/problem+json"
NATIVE, RASA_X = "/api/v1/test/crash/", "/api/test/crash"


class Crash(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request):
        raise ZeroDivisionError("secret")


class Away(Crash):
    def get(self, request):
        raise OperationalError("secret")


class Inner(serializers.Serializer):
    name = serializers.CharField()


class Nested(serializers.Serializer):
    inner = Inner(many=True)

    def validate(self, attrs):
        raise serializers.ValidationError("These do not go together.")


class Reader(Crash):
    def post(self, request):
        Nested(data=request.data).is_valid(raise_exception=True)
        return Response()


class Busy(Crash):
    def get(self, request):
        raise problems.Busy("Too many.", retry_after=7)


def plain(request):
    raise problems.MissingGrant("models.read")


def plain_crash(request):
    raise ZeroDivisionError("secret")


def routes(slash):
    return [
        path(f"test/crash{slash}", Crash.as_view()),
        path(f"test/away{slash}", Away.as_view()),
        path(f"test/reader{slash}", Reader.as_view()),
        path(f"test/busy{slash}", Busy.as_view()),
        path(f"test/plain{slash}", plain),
        path(f"test/plain-crash{slash}", plain_crash),
    ]


urlpatterns = [
    path("api/v1/", include(routes("/"))),
    path("api/", include(routes(""))),
    path("conversations/", include(routes(""))),
    path("", include(routes(""))),
    path("", include("controlplane.urls")),
]
handler400 = "controlplane.errors.bad_request"
handler403 = "controlplane.errors.forbidden"
handler404 = "controlplane.errors.not_found"
handler500 = "controlplane.errors.server_error"


@pytest.fixture(autouse=True)
def with_routes(settings, db):
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def anyone():
    return Client(raise_request_exception=False)


def check_native(answer, status, code, instance=None):
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == PROBLEM
    document = answer.json()
    assert document["type"] == f"/problems/{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert "secret" not in answer.text
    if instance:
        assert document["instance"] == instance


def check_rasa(answer, status, code):
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert {"version", "status", "message", "reason", "details", "help", "code"} <= set(body)
    assert (body["status"], body["code"], body["details"]["type"]) == ("failure", status, f"/problems/{code}")
    assert body["message"]
    assert "secret" not in answer.text


FAILURES = [
    ("crash", 500, "internal-error"),
    ("plain-crash", 500, "internal-error"),
    ("away", 503, "database-away"),
    ("plain", 403, "missing-grant"),
    ("busy", 503, "busy"),
    ("nothing-here", 404, "not-found"),
    ("a%00b", 404, "not-found"),
    ("busy?q=%00", 400, "bad-request"),
    ("%FF%FE", 404, "not-found"),
    ("a/../../b", 404, "not-found"),
]


@pytest.mark.parametrize(("route", "status", "code"), FAILURES)
def test_native_routes_answer_with_a_problem_document(anyone, route, status, code):
    check_native(anyone.get(f"/api/v1/test/{route}"), status, code)


@pytest.mark.parametrize("prefix", ["/api", "/conversations"])
@pytest.mark.parametrize(("route", "status", "code"), FAILURES)
def test_rasa_x_routes_answer_with_the_body_of_a_rasa_server(anyone, prefix, route, status, code):
    check_rasa(anyone.get(f"{prefix}/test/{route}"), status, code)


@pytest.mark.parametrize(("route", "status"), [(route, status) for route, status, _ in FAILURES if route != "busy"])
def test_elsewhere_it_is_a_page(anyone, route, status):
    answer = anyone.get(f"/test/{route}")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "secret" not in answer.text


@pytest.mark.parametrize("route", ["plain", "crash", "nothing-here"])
def test_a_page_names_what_the_log_has_of_it_and_what_to_do(anyone, route, caplog):
    caplog.set_level("INFO")
    html = anyone.get(f"/test/{route}").text
    incident = re.search(r"The log has this as <code>(\w{8})</code>", html)[1]
    told = [record.getMessage() for record in caplog.records]
    assert any(line.startswith(f"Incident {incident}: GET /test/{route}") for line in told)
    assert '<p class="muted">' in html


@pytest.mark.parametrize("url", ["/api", "/api/", "/api//", "/api/nothing", "/api/nothing/", "/models/a/b/c"])
def test_an_unknown_address_under_the_api_is_never_html(anyone, url):
    check_rasa(anyone.get(url), 404, "not-found")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_an_unknown_address_is_told_of_to_every_method(anyone, method):
    for url in ("/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/nothing/"):
        check_native(anyone.generic(method, url), 404, "not-found", url)
    for url in ("/api", "/api/nothing", "/api/projects/default/nothing", "/models/a/b/c", "/conversations/a/nothing"):
        check_rasa(anyone.generic(method, url), 404, "not-found")


@pytest.mark.parametrize("url", [NATIVE, RASA_X])
def test_a_crash_names_what_the_log_has_of_it(anyone, url, caplog):
    document = anyone.get(url).json()
    incident = (document if url == NATIVE else document["details"])["incident"]
    told = [record.getMessage() for record in caplog.records]
    assert f"Incident {incident}: GET {url}" in told
    assert incident in (document["detail"] if url == NATIVE else document["message"])


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        ("{", "application/json", 400, "bad-request"),
        ("", "application/json", 400, "invalid-fields"),
        ("[1]", "application/json", 400, "invalid-fields"),
        ('"text"', "application/json", 400, "invalid-fields"),
        ("null", "application/json", 400, "invalid-fields"),
        ('{"inner": NaN}', "application/json", 400, "bad-request"),
        ('{"inner": [], "inner": []}', "application/json", 400, "bad-request"),
        ("9" * 5000, "application/json", 400, "bad-request"),
        ("[" * 100_000, "application/json", 400, "bad-request"),
        (b'{"inner": "\xff"}', "application/json", 400, "bad-request"),
        ('{"inner": [{"name": "\\ud800"}]}', "application/json", 400, "invalid-fields"),
        ('{"inner": [{"name": "a\\u0000"}]}', "application/json", 400, "invalid-fields"),
        ("{}", "application/json; charset=utf-7", 400, "invalid-fields"),
        ("{}", "application/json; charset=nonsense", 400, "invalid-fields"),
        ("{}", "text/plain", 415, "unsupported-media-type"),
        ("{}", "nonsense", 415, "unsupported-media-type"),
        ("{}", "", 415, "unsupported-media-type"),
        ("a=b", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        ("--x--", "multipart/form-data; boundary=x", 415, "unsupported-media-type"),
        (b"{" + b" " * 2_700_000 + b"}", "application/json", 413, "body-too-large"),
    ],
)
def test_bodies_that_cannot_be_read(anyone, body, content_type, status, code):
    check_native(anyone.generic("POST", "/api/v1/test/reader/?q=1", body, content_type=content_type), status, code)
    check_rasa(anyone.generic("POST", "/api/test/reader?q=1", body, content_type=content_type), status, code)


def test_errors_of_fields_are_told_by_path(anyone):
    body = {"inner": [{"name": "a"}, {"name": ""}]}
    problem = anyone.post("/api/v1/test/reader/", body, content_type="application/json").json()
    assert problem["errors"] == {"inner.1.name": ["This field may not be blank."]}
    assert problem["detail"] == "inner.1.name: This field may not be blank."


def test_errors_of_no_field_are_told_without_one(anyone):
    problem = anyone.post("/api/v1/test/reader/", {"inner": []}, content_type="application/json").json()
    assert problem["errors"] == {"": ["These do not go together."]}
    assert problem["detail"] == "These do not go together."


def test_a_wrong_method_names_the_ones_there_are(anyone):
    refused = anyone.delete(NATIVE)
    check_native(refused, 405, "method-not-allowed")
    assert "GET" in refused.headers["Allow"]
    check_rasa(anyone.delete(RASA_X), 405, "method-not-allowed")


def test_who_is_busy_says_when_to_come_back(anyone):
    assert anyone.get("/api/v1/test/busy/").headers["Retry-After"] == "7"
    assert anyone.get("/api/v1/test/away/").headers["Retry-After"] == "5"


@pytest.mark.parametrize("authorization", [None, "Bearer cpt_wrong", "Bearer nonsense", "Bearer a.b.c", "Basic YTpi"])
@pytest.mark.usefixtures("project")
def test_without_good_credentials_it_is_401(authorization):
    client = Client(headers={"authorization": authorization} if authorization else {})
    refused = client.get("/api/v1/models/")
    check_native(refused, 401, "unauthorized")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_401_of_a_rasa_x_route_looks_as_old_clients_know_it(anyone):
    refused = anyone.post("/api/conversations/me/messages", {"message": "hi"}, content_type="application/json")
    check_rasa(refused, 401, "unauthorized")
    assert (refused.json()["exception"], refused.json()["reasons"]) == ("Unauthorized", ["Auth required."])


def test_a_session_without_a_csrf_token_may_read_and_not_write(ana, production):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    assert client.get("/api/v1/models/").status_code == 200
    refused = client.post("/api/v1/environments/production/rollback/", {}, content_type="application/json")
    check_native(refused, 403, "csrf-failed")


def test_a_page_without_a_csrf_token_is_a_page():
    refused = Client(enforce_csrf_checks=True).post("/test/plain", {})
    assert refused.status_code == 403
    assert "too old" in refused.text


def test_a_wrong_host_is_refused_in_the_same_shape(settings, anyone):
    settings.ALLOWED_HOSTS = ["control.example"]
    check_native(anyone.get(NATIVE), 400, "bad-request")


def test_accept_is_not_held_against_anybody(anyone):
    check_native(anyone.get("/api/v1/test/busy/", headers={"accept": "text/html"}), 503, "busy")


def test_every_answer_has_the_content_security_policy(anyone):
    for url in (NATIVE, "/api/nothing", "/nothing"):
        assert "default-src 'none'" in anyone.get(url).headers["Content-Security-Policy"]


def test_a_problem_document_is_json_that_holds_its_data():
    document = problems.MissingGrant("models.read").document("/api/v1/models/")
    assert json.loads(json.dumps(document))["grant"] == "models.read"
