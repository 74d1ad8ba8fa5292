"""Every route, asked by everybody: who may gets through, all others are told the right thing and change nothing."""

import hmac
import inspect
import json

import pytest
from django.db import transaction
from django.urls import resolve

from tests.doors import cast, untouched, world
from tests.doors.expected import SIGN_IN_FIRST, Outcome, expected, is_page
from tests.doors.rows import ELSEWHERE, FAMILIES, PUSH_SECRET, ROWS, multipart_body
from tests.multipart import CONTENT_TYPE
from tests.routes import ROUTES

INSTALLATION_TOKEN = "the-token-of-the-installation"
ADD_A_ROW = "Add a row for each to tests/doors/rows.py, with the grant it needs and a request that is right"


@pytest.fixture
def made(db, settings):
    settings.RASA_X_TOKEN = INSTALLATION_TOKEN
    return world.make()


@pytest.fixture
def callers(made):
    return cast.callers(made, INSTALLATION_TOKEN)


def route_of(path):
    return resolve(path.partition("?")[0]).route


def methods_of(view):
    """Those that the view says it takes: a class by its methods, a page by its decorator or by asking `.method`."""
    if isinstance(view, type):
        return {name.upper() for name in view.http_method_names if hasattr(view, name)} - {"HEAD", "OPTIONS"}
    wrapper = view
    while wrapper is not None:
        declared = inspect.getclosurevars(wrapper).nonlocals.get("request_method_list")
        if declared:
            return set(declared) - {"HEAD"}
        wrapper = getattr(wrapper, "__wrapped__", None)
    return {"GET", "POST"} if "request.method" in inspect.getsource(inspect.unwrap(view)) else {"GET"}


def test_every_route_and_method_has_a_row(made):
    rows = {(route_of(row.path.format(**made.places)), row.method) for row in ROWS}
    elsewhere = {(route, method) for route, (methods, _) in ELSEWHERE.items() for method in methods}
    wanted = {(route, method) for route, view in ROUTES for method in methods_of(view)}
    assert wanted - rows - elsewhere == set(), ADD_A_ROW
    assert (rows | elsewhere) - wanted == set(), "Rows for what is no route, or does not take that method"


def ask(row, caller, places, method=None):
    """The answer, its body and what was written before all of it is put back."""
    path = row.path.format(**places)
    if caller.query:
        path += f"{'&' if '?' in path else '?'}{caller.query}"
    request = {}
    if row.file:
        csrf = cast.CSRF if is_page(row.path) and caller.csrf else None
        request = {"data": multipart_body(row, csrf), "content_type": CONTENT_TYPE}
    elif row.json is not None:
        request = {"data": json.dumps(row.json), "content_type": "application/json"}
        if caller.sends == "signature":
            signature = hmac.new(PUSH_SECRET.encode(), request["data"].encode(), "sha256").hexdigest()
            request["headers"] = {"X-Hub-Signature-256": f"sha256={signature}"}
    elif is_page(row.path) and row.method != "GET":
        body = "&".join(f"{name}={value}" for name, value in row.form.items())
        request = {"data": body, "content_type": "application/x-www-form-urlencoded"}
    with transaction.atomic(), untouched.writes() as written:
        response = caller.client.generic(method or row.method, path, **request)
        # What an answer streams is read as a server would.
        body = response.getvalue() if response.streaming else response.content
        changed = untouched.fingerprint(written) if written else {}
        response.close()
        transaction.set_rollback(True)
    return response, body, changed


def missing_grant(row, response, body):
    """The grant that the refusal names."""
    if is_page(row.path):
        return next((word for word in row.needs if f"the grant {word}." in body.decode()), None)
    document = json.loads(body)
    return document.get("details", document).get("grant")


def wrong_with(row, caller, outcome, response, body):
    """What is wrong with an answer, None if nothing is."""
    if response.status_code != outcome.status:
        return f"{outcome.status} expected, {response.status_code} came: {body[:300]!r}"
    to_sign_in = response.headers.get("Location", "").startswith("/sign-in/?next=")
    if to_sign_in != (outcome == SIGN_IN_FIRST):
        return f"sent to {response.headers.get('Location')}"
    return wrong_refusal(row, outcome, response, body) if 400 <= outcome.status < 500 else None


def wrong_refusal(row, outcome, response, body):
    if is_page(row.path):
        if not response.headers["Content-Type"].startswith("text/html"):
            return "a page refuses by a page"
    else:
        document = json.loads(body)
        native = row.path.startswith(("/api/v1/", "/metrics"))
        if response.headers["Content-Type"] != ("application/problem+json" if native else "application/json"):
            return f"came as {response.headers['Content-Type']}"
        if document.get("status") != (outcome.status if native else "failure"):
            return f"has another shape: {document}"
    if outcome.status == 401 and "WWW-Authenticate" not in response.headers:
        return "no WWW-Authenticate"
    if outcome.grant and missing_grant(row, response, body) != outcome.grant:
        return f"does not name {outcome.grant}: {body[:300]!r}"
    if outcome.csrf and b"csrf-failed" not in body and b"The page was too old" not in body:
        return f"does not say that the page was too old: {body[:300]!r}"
    return None


@pytest.mark.parametrize("family", FAMILIES)
def test_who_may_gets_through_and_nobody_else(made, callers, family):
    before = untouched.fingerprint()
    wrong = []
    for row in FAMILIES[family]:
        for caller in callers:
            outcome = expected(row, caller)
            response, body, changed = ask(row, caller, made.places)
            fault = wrong_with(row, caller, outcome, response, body)
            if fault is None and outcome != Outcome(row.ok):
                touched = [table for table, rows in changed.items() if rows != before[table]]
                fault = f"was refused, and changed {', '.join(touched)}" if touched else None
            if fault:
                wrong.append(f"{row} as {caller}: {fault}")
    assert wrong == [], "\n".join(["", *wrong])
    assert untouched.fingerprint() == before


def test_what_has_no_row_changes_nothing(made):
    """Methods that a route does not take are refused, or answered like GET by a page that only shows something."""
    before = untouched.fingerprint()
    known = {(route_of(row.path.format(**made.places)), row.method) for row in ROWS}
    admin = cast.Caller("admin", cast.session_of(made.admin), "session")
    wrong = []
    for row in {route_of(row.path.format(**made.places)): row for row in ROWS}.values():
        route = route_of(row.path.format(**made.places))
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROMOTE"):
            if (route, method) in known:
                continue
            response, _, changed = ask(row, admin, made.places, method)
            if any(rows != before[table] for table, rows in changed.items()) or response.status_code >= 500:
                wrong.append(f"{method} {route}: {response.status_code}, changed {sorted(changed)}")
    assert wrong == []


def test_headers_alone_are_for_those_who_may_see_the_rest(made, callers):
    wrong = []
    for row in ROWS:
        for caller in callers:
            if row.method != "GET" or caller.name not in ("nobody", "outsider by token", "tester in a session"):
                continue
            response, body, _ = ask(row, caller, made.places, "HEAD")
            if response.status_code != expected(row, caller).status or body:
                wrong.append(f"HEAD {row.path} as {caller}: {response.status_code} {body[:100]!r}")
    assert wrong == []
