"""The audit trail through the API: who may read it, filters, pages, and exports that stream."""

import csv
import gc
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.actions import api_tokens, audit
from accounts.actor import API, COMMAND, Actor, system
from accounts.models import AuditEvent
from environments.api.limits import DOWNLOADS
from environments.api.v1 import audit_exports
from tests import tampering
from tests.factories import ProjectFactory

pytestmark = pytest.mark.django_db

ROUTE = "/api/v1/audit-events/"
START = datetime(2026, 1, 1, tzinfo=UTC)


def record(**members):
    known = {"by": system(COMMAND), "action": "model.register", "object": "model:calm-heron", "project": None}
    return audit.record(**(known | members))


def many(project, count, **members):
    """Events one second apart, written as fast as the database takes them."""
    at = AuditEvent._meta.get_field("at")
    at.auto_now_add = False
    known = {"project": project, "actor": "ana", "action": "tag.put", "object": "tag:nightly", "via": "api"}
    try:
        rows = [AuditEvent(**(known | members), at=START + timedelta(seconds=number)) for number in range(count)]
        AuditEvent.objects.bulk_create(rows, batch_size=5000)
    finally:
        at.auto_now_add = True


def found(client, **query):
    answer = client.get(ROUTE, query)
    assert answer.status_code == 200, answer.json()
    return answer.json()["results"]


def objects(client, **query):
    return [event["object"] for event in found(client, **query)]


def text(answer):
    return b"".join(answer.streaming_content).decode()


@pytest.fixture
def trail(as_ana, project):
    """One event a second, the newest last; that of ana's token, which was first, is of now."""
    for number, (actor, action, name) in enumerate(
        [
            ("ana", "environment.promote", "environment:production"),
            ("ben", "environment.promote", "environment:experimental"),
            ("ben", "tag.put", "tag:nightly"),
            ("ana", "environments.other", "environment:production"),
        ]
    ):
        many(project, 1, actor=actor, action=action, object=name)
        with tampering.unprotected():
            AuditEvent.objects.filter(pk=AuditEvent.objects.latest("pk").pk).update(
                at=START + timedelta(seconds=number)
            )
    return as_ana


def test_an_event_is_told_whole(as_ana, production, otter, ana):
    token, secret = api_tokens.create(user=ana, name="ci", by=Actor(user=ana, via=API))
    Client(headers={"authorization": f"Bearer {secret}"}).post(
        "/api/v1/environments/production/promotions/", {"model": otter.name}, content_type="application/json"
    )
    event = found(as_ana, action="environment.promote")[0]
    at = datetime.fromisoformat(event.pop("at"))
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert event.pop("id").isdecimal()
    assert event.pop("after")["model"] == "brisk-otter"
    assert event == {
        "actor": "ana",
        "action": "environment.promote",
        "object": "environment:production",
        "before": {"model": None},
        "address": "127.0.0.1",
        "via": "api",
        "token": str(token),
    }


def test_newest_first(trail):
    shown = objects(trail, until="2026-02-01T00:00:00Z")
    assert shown == ["environment:production", "tag:nightly", "environment:experimental", "environment:production"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"actor": "ben"}, ["tag:nightly", "environment:experimental"]),
        ({"action": "tag.put"}, ["tag:nightly"]),
        ({"action": "environment."}, ["environment:experimental", "environment:production"]),
        ({"action": "tag"}, []),
        ({"action": "."}, []),
        ({"object": "environment:production"}, ["environment:production", "environment:production"]),
        ({"actor": "ben", "action": "environment."}, ["environment:experimental"]),
        ({"since": "2026-01-01T00:00:02Z", "until": "2026-01-01T00:00:03Z"}, ["tag:nightly"]),
        ({"since": "2026-01-01T01:00:02+01:00", "until": "2026-01-01T01:00:03 01:00"}, ["tag:nightly"]),
        ({"actor": "Ben"}, []),
    ],
)
def test_filters(trail, query, expected):
    assert objects(trail, **({"until": "2026-02-01T00:00:00Z"} | query)) == expected


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize(
    "bad", ["yesterday", "2026-01-01", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9", ""]
)
def test_a_bad_time_is_refused_with_an_example(as_ana, name, bad):
    answer = as_ana.get(ROUTE, {name: bad})
    assert answer.status_code == 400
    assert answer.json()["detail"] == f"{name} is a time as RFC 3339 with a zone: 2026-01-31T12:00:00Z."


def test_an_unknown_form_is_refused(as_ana):
    answer = as_ana.get(ROUTE, {"format": "xlsx"})
    assert (answer.status_code, answer.json()["detail"]) == (400, "format is one of json, csv, ndjson.")


def test_pages_shift_by_nothing_that_comes_meanwhile(as_ana, project):
    many(project, 7)
    first = as_ana.get(ROUTE, {"limit": 3, "action": "tag."}).json()
    record()
    second = as_ana.get(first["next"]).json()
    third = as_ana.get(second["next"]).json()
    shown = [event["id"] for page in (first, second, third) for event in page["results"]]
    assert len(shown) == len(set(shown)) == 7
    assert shown == sorted(shown, key=int, reverse=True)
    assert third["next"] is None


def test_events_of_no_project_are_seen_in_the_default_one_and_those_of_others_are_not(as_ana, project):
    other = ProjectFactory(name="banking")
    record(action="user.create", object="user:eve")
    record(project=other, object="model:of-banking")
    assert objects(as_ana)[0] == "user:eve"
    assert "model:of-banking" not in objects(as_ana)


def test_an_outsider_finds_nothing(as_cy):
    assert as_cy.get(ROUTE).status_code == 404


@pytest.mark.parametrize("query", [{}, {"format": "csv"}, {"format": "ndjson"}])
def test_without_the_grant_it_is_named(as_ben, query):
    answer = as_ben.get(ROUTE, query)
    assert answer.status_code == 403
    assert answer.json()["grant"] == "audit.read"
    assert not AuditEvent.objects.filter(action="audit.export").exists()


def test_nobody_is_asked_to_sign_in(project):
    assert Client().get(ROUTE).status_code == 401


# Exports


def test_an_export_as_ndjson_is_what_the_list_tells(trail):
    listed = found(trail, limit=500)
    answer = trail.get(ROUTE, {"format": "ndjson"})
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-default.ndjson"'
    exported = [json.loads(line) for line in text(answer).splitlines()]
    assert exported[1:] == listed
    assert exported[0]["action"] == "audit.export"


def test_an_export_as_csv(trail):
    answer = trail.get(ROUTE, {"format": "csv", "action": "environment.", "until": "2026-02-01T00:00:00Z"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(text(answer))))
    assert [row["object"] for row in rows] == ["environment:experimental", "environment:production"]
    assert rows[0]["at"] == "2026-01-01T00:00:01.000000Z"
    assert rows[0]["before"] == ""


def test_an_export_is_itself_an_event(as_ana):
    text(as_ana.get(ROUTE, {"format": "csv", "actor": "ben", "since": "2026-01-01T00:00:00Z"}))
    event = AuditEvent.objects.get(action="audit.export")
    assert (event.actor, event.object) == ("ana", "project:default")
    assert event.after == {"format": "csv", "actor": "ben", "since": "2026-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", '=cmd|" /C calc"!A0', "=1;2"]
)
def test_no_cell_is_run_by_a_spreadsheet(as_ana, project, formula):
    many(project, 1, actor=formula, object=formula, before=formula, after={"a": formula})
    [row] = csv.DictReader(io.StringIO(text(as_ana.get(ROUTE, {"format": "csv", "action": "tag."})), newline=""))
    assert row["actor"] == row["object"] == f"'{formula}"
    assert row["before"] == f"'{formula}"
    assert json.loads(row["after"]) == {"a": formula}
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d")) for cell in row.values())


def test_an_export_goes_through_all_chunks_once(as_ana, project):
    many(project, 1201)
    many(project, 600)  # the same times again
    ids = [
        json.loads(line)["id"] for line in text(as_ana.get(ROUTE, {"format": "ndjson", "action": "tag."})).splitlines()
    ]
    assert len(ids) == len(set(ids)) == 1801


def test_an_export_of_nothing(as_ana):
    assert text(as_ana.get(ROUTE, {"format": "ndjson", "actor": "nobody"})) == ""
    assert text(as_ana.get(ROUTE, {"format": "csv", "actor": "nobody"})).count("\n") == 1


def a_hundred_thousand(project):
    """Rows that the database makes by itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_auditevent (at, project_id, actor, action, object, address, via, token) "
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000) "
            "SELECT %s, %s, 'ana', 'tag.put', 'tag:nightly', '', 'api', '' FROM numbers",
            [connection.ops.adapt_datetimefield_value(START), project.pk],
        )


def test_a_long_export_begins_at_once_and_keeps_a_chunk_in_memory(as_ana, project):
    a_hundred_thousand(project)
    with CaptureQueriesContext(connection) as captured:
        pieces = iter(as_ana.get(ROUTE, {"format": "ndjson", "action": "tag."}).streaming_content)
        asked = len(captured)
        lines = next(pieces).count(b"\n")
        assert len(captured) - asked == 1
    assert lines == audit_exports.CHUNK
    for number, piece in enumerate(pieces):
        lines += piece.count(b"\n")
        if number % 40 == 0:
            gc.collect()
            assert sum(type(thing) is AuditEvent for thing in gc.get_objects()) <= 2 * audit_exports.CHUNK
    assert lines == 100_000


def test_too_many_exports_at_a_time_are_refused_and_each_gives_its_place_back(as_ana, settings):
    settings.MAX_DOWNLOADS = 1
    held = as_ana.get(ROUTE, {"format": "csv"})
    refused = as_ana.get(ROUTE, {"format": "csv"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert AuditEvent.objects.filter(action="audit.export").count() == 1
    held.close()
    again = as_ana.get(ROUTE, {"format": "csv"})
    assert again.status_code == 200
    text(again)
    again.close()
    assert DOWNLOADS.try_acquire()
    DOWNLOADS.release()
