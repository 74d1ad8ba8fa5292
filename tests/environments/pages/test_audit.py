"""The Audit page: sentences, links, filters, export, for those with the grant."""

import ast
import html as entities
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actions import audit
from accounts.actor import PAGE, Actor, system
from accounts.models import AuditEvent
from controlplane.settings import BASE_DIR
from environments.actions import promotions, roles, tags
from environments.pages.audit_sentences import SENTENCES, sentence
from tests.environments.pages.conftest import signed_in
from tests.factories import ProjectFactory, give

pytestmark = pytest.mark.django_db

PAGE_OF_AUDIT = "/p/default/audit/"
RECORDERS = {"record", "_record", "_audit", "failed"}


def text(client, **query):
    answer = client.get(PAGE_OF_AUDIT, query)
    assert answer.status_code == 200
    return plain(answer.content.decode())


def plain(html):
    return " ".join(entities.unescape(re.sub(r"<[^>]+>", "", html)).split())


def said(event):
    return "".join(part.text for part in sentence(event))


def record(project, **members):
    known = {"by": system(PAGE), "action": "model.register", "object": "model:x", "project": project}
    return audit.record(**(known | members))


def test_a_promotion_reads_as_a_sentence_with_links(ana_looks, replaced):
    html = ana_looks.get(PAGE_OF_AUDIT).content.decode()
    assert "ana promoted calm-heron to production, from brisk-otter" in plain(html)
    assert '<a href="/p/default/environments/production/"><code>production</code></a>' in html
    assert '<a href="/p/default/models/calm-heron/"><code>calm-heron</code></a>' in html


def test_what_is_gone_is_named_without_a_link(ana_looks, project):
    record(project, object="model:long-gone")
    html = ana_looks.get(PAGE_OF_AUDIT).content.decode()
    assert "<code>long-gone</code>" in html
    assert "models/long-gone/" not in html


def test_what_was_not_there_is_not_named(ana_looks, promoted, production, by_ana):
    promotions.promote(environment=production, model=None, by=by_ana)
    shown = text(ana_looks)
    assert "ana left production without a model, from brisk-otter" in shown
    assert "ana promoted brisk-otter to production 2" in shown


def test_an_unknown_action_reads_sensibly(project):
    assert said(record(project, action="webhook.fire", object="webhook:7")) == "did webhook.fire to webhook:7"


@pytest.mark.parametrize("changed", [None, [], "text", 7, {"model": None}, {"model": ["a", "b"]}])
def test_every_sentence_reads_whatever_the_event_holds(changed):
    for action in SENTENCES:
        words = said(AuditEvent(action=action, object="production", before=changed, after=changed))
        assert "{" not in words
        assert "None" not in words


def is_recording(node):
    """A call that records an event, or a function whose `action` may be left out."""
    if isinstance(node, ast.FunctionDef):
        return any(argument.arg == "action" for argument in node.args.kwonlyargs)
    return isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in RECORDERS


def actions_in_the_code():
    """Each `kind.verb` that is recorded."""
    for part in ("accounts", "environments", "controlplane", "workers"):
        for path in (BASE_DIR / part).rglob("*.py"):
            for found in filter(is_recording, ast.walk(ast.parse(path.read_text()))):
                for node in ast.walk(found.args if isinstance(found, ast.FunctionDef) else found):
                    if isinstance(node, ast.Constant) and re.fullmatch(r"[a-z_]+\.[a-z_]+", str(node.value)):
                        yield node.value


def test_every_action_has_a_sentence():
    found = set(actions_in_the_code())
    assert len(found) > 25
    assert found - set(SENTENCES) == set()


def test_filters_narrow_the_list(ana_looks, replaced, project, otter, by_ana):
    tags.put(project=project, tag="nightly", model=otter, by=by_ana)
    assert "promoted" not in text(ana_looks, kind="tag")
    assert "put the tag nightly on brisk-otter" in text(ana_looks, kind="tag", actor="ana", object="tag:nightly")
    assert "No event matches" in text(ana_looks, actor="cy")
    assert "No event matches" in text(ana_looks, until="2020-01-01")
    today = AuditEvent.objects.latest("pk").at.date().isoformat()
    assert "promoted" in text(ana_looks, since=today, until=today)


@pytest.mark.parametrize(
    "query", [{"since": "soon"}, {"until": "9999-12-31"}, {"cursor": "x"}, {"cursor": "7"}, {"since": "2026-13-01"}]
)
def test_what_cannot_be_read_is_told_on_the_page(ana_looks, promoted, query):
    answer = ana_looks.get(PAGE_OF_AUDIT, query)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()


def test_older_events_are_a_page_away(ana_looks, project):
    for number in range(55):
        record(project, object=f"model:number-{number}")
    first = ana_looks.get(PAGE_OF_AUDIT).content.decode()
    assert "number-54" in first
    assert "number-4<" not in first
    [older] = re.findall(r'href="(\?cursor=[^"]+)"', first)
    second = ana_looks.get(f"{PAGE_OF_AUDIT}{older}").content.decode()
    assert "number-4<" in second
    assert "number-54" not in second
    assert 'href="?cursor=' not in second


def test_what_changed_is_told_and_nothing_of_it_is_markup(ana_looks, project):
    record(project, after={"note": "<script>alert(1)</script>"}, object="model:<b>x</b>")
    html = ana_looks.get(PAGE_OF_AUDIT).content.decode()
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<b>x</b>" not in html


def test_the_export_takes_the_filters_along(ana_looks, promoted):
    html = ana_looks.get(PAGE_OF_AUDIT, {"kind": "environment", "actor": "ana", "since": "2026-01-31"}).content.decode()
    [address] = re.findall(r'href="([^"]+format=csv)"', html)
    answer = ana_looks.get(entities.unescape(address))
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert b"environment.promote" in b"".join(answer.streaming_content)
    assert AuditEvent.objects.latest("pk").after == {
        "format": "csv",
        "actor": "ana",
        "action": "environment.",
        "since": "2026-01-31T00:00:00+00:00",
    }


def test_events_of_other_projects_are_not_shown(ana_looks, promoted):
    record(ProjectFactory(name="banking"), object="model:of-banking")
    assert "of-banking" not in text(ana_looks)


def test_as_many_queries_for_many_events_as_for_few(ana_looks, ana, project, django_assert_num_queries):
    record(project)
    ana_looks.get(PAGE_OF_AUDIT)
    with CaptureQueriesContext(connection) as few:
        ana_looks.get(PAGE_OF_AUDIT)
    for number in range(60):
        record(project, by=Actor(user=ana, via=PAGE), object=f"model:m{number}", before={"model": f"b{number}"})
    with django_assert_num_queries(len(few)):
        ana_looks.get(PAGE_OF_AUDIT)


def test_without_the_grant_the_page_names_it_and_the_rail_lists_it_not(ben_looks, ana_looks, experimental):
    answer = ben_looks.get(PAGE_OF_AUDIT)
    assert answer.status_code == 403
    assert "audit.read" in answer.content.decode()
    assert PAGE_OF_AUDIT not in ben_looks.get("/p/default/").content.decode()
    assert PAGE_OF_AUDIT in ana_looks.get("/p/default/").content.decode()


def test_an_outsider_finds_nothing(cy_looks):
    assert cy_looks.get(PAGE_OF_AUDIT).status_code == 404


def test_users_and_roles_lead_to_their_pages_for_who_may_see_them(ana_looks, ben, project, by_ana):
    release = roles.create(project=project, name="release", grants=[], by=by_ana)
    roles.set_roles(user=ben, project=project, roles=[release], by=by_ana)
    page = ana_looks.get(PAGE_OF_AUDIT).content.decode()
    assert 'href="/p/default/access/users/ben/"' in page
    assert 'href="/p/default/access/roles/release/"' in page
    give(ben, project, "audit.read")
    page = signed_in(ben).get(PAGE_OF_AUDIT).content.decode()
    assert "release" in page
    assert "/access/" not in page
