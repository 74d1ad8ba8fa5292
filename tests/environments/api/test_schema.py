"""The OpenAPI document is complete: every route there is, its parameters and refusals; and no route is open."""

import re

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from tests.routes import API_ROUTES, described

# Answered without credentials, on purpose.
OPEN = {("get", "/api/health"), ("get", "/api/version"), ("post", "/api/auth"), ("post", "/api/auth/jwt")}
# Signed in place of credentials: v1/test_pipelines.py.
OPEN |= {("post", "/api/v1/pipelines/{name}/push/")}
METHODS = ("get", "put", "post", "patch", "delete", "head")


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(request=None, public=True)


def test_it_is_valid_and_without_warnings(capsys):
    call_command("spectacular", validate=True, fail_on_warn=True, file="/dev/null")


@pytest.mark.parametrize(("route", "view"), API_ROUTES, ids=[route for route, _ in API_ROUTES])
def test_every_route_is_described_with_every_method(document, route, view):
    operations = document["paths"].get(described(route))
    assert operations, f"{route} is missing: views are classes with @extend_schema"
    answered = {method for method in METHODS if hasattr(view, method)} - {"head"}
    assert answered <= set(operations)


def operations(document):
    return [
        (method, path, operation)
        for path, described in document["paths"].items()
        for method, operation in described.items()
        if method in METHODS
    ]


def test_every_operation_says_what_it_does_and_how_it_refuses(document):
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation.get("description"), f"{where} needs a docstring"
        responses = set(operation["responses"])
        assert any(status.startswith("2") for status in responses), where
        if (method, path) not in OPEN:
            assert {"401", "404"} <= responses, f"{where} needs refusals(…)"
        if "requestBody" in operation:
            assert "400" in responses or "422" in responses, f"{where} takes a body: it can be malformed"


def test_native_routes_take_a_project_and_lists_their_page(document):
    for method, path, operation in operations(document):
        if path.startswith("/api/v1/"):
            names = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert "project" in names, path
            schema = str(operation["responses"].get("200", {}).get("content", {}))
            if re.search(r"schemas/\w+Page'", schema):
                assert {"limit", "cursor"} <= names, f"{method} {path} needs parameters=PAGE"


def test_operations_have_ids_of_their_own(document):
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)


def every_operation():
    document = SchemaGenerator().get_schema(request=None, public=True)
    return [(method, path) for method, path, _ in operations(document) if (method, path) not in OPEN]


@pytest.mark.parametrize("credentials", ["", "Bearer cpt_wrong", "Bearer nonsense"])
def test_no_route_answers_to_wrong_credentials(project, credentials):
    client = Client(headers={"authorization": credentials} if credentials else {})
    answers = {}
    for method, path in every_operation():
        url = re.sub(r"\{\w+\}", "default", path)
        answers[f"{method} {path}"] = client.generic(method.upper(), url, b"{}", content_type="application/json")
    assert {where: answer.status_code for where, answer in answers.items() if answer.status_code != 401} == {}
    for answer in answers.values():
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] in ("application/problem+json", "application/json")


def test_the_document_is_served_to_all_in_json_and_yaml(client, db):
    assert client.get("/api/schema/").status_code == 200
    document = client.get("/api/schema", headers={"accept": "application/json"}).json()
    assert document["openapi"].startswith("3.")
    assert "/api/v1/models/" in document["paths"]


def test_it_is_written_once_a_process(client, db, monkeypatch):
    accepted = ("application/json", "application/vnd.oai.openapi")
    first = [client.get("/api/schema/", headers={"accept": kind}).content for kind in accepted]
    monkeypatch.delattr(SchemaGenerator, "get_schema")
    again = [client.get("/api/schema/", headers={"accept": kind}) for kind in accepted]
    assert [answer.content for answer in again] == first
    assert [answer.headers["Content-Type"].partition(";")[0] for answer in again] == list(accepted)


def test_the_page_has_no_inline_script_or_style_and_asks_no_other_host(client, db):
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert not re.search(r"<style|style=|<script(?![^>]*src=)| on\w+=|https?://", page.text)
    assert client.get("/api/docs/?script=").headers["Content-Type"].startswith("application/javascript")
