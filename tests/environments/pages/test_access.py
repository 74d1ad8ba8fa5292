"""Who sees which page: the signed-out sign in, outsiders find nothing, and nothing leads to another host."""

import re

import pytest

from tests.environments.pages.conftest import signed_in
from tests.factories import ProjectFactory, take

PAGES = (
    "/p/default/",
    "/p/default/changes/",
    "/p/default/models/",
    "/p/default/models/brisk-otter/",
    "/p/default/models/brisk-otter/menu/",
    "/p/default/models/brisk-otter/tag/",
    "/p/default/models/brisk-otter/delete/",
    "/p/default/upload/",
    "/p/default/history/",
    "/p/default/training/",
    "/p/default/environments/production/",
    "/p/default/environments/production/replicas/",
    "/p/default/environments/production/connect/",
    "/p/default/environments/production/settings/",
    "/p/default/environments/production/changes/",
    "/p/default/environments/production/promote/",
    "/p/default/environments/production/promote/?model=brisk-otter",
    "/p/default/environments/production/rollback/",
    "/p/default/access/",
    "/p/default/access/users/ana/",
    "/p/default/access/users/ana/deactivate/",
    "/p/default/access/new-user/",
    "/p/default/access/roles/",
    "/p/default/access/roles/developer/",
    "/p/default/access/roles/developer/delete/",
    "/p/default/access/new-role/",
    "/p/default/access/tokens/",
    "/p/default/access/who-may/production/",
)


@pytest.mark.parametrize("path", PAGES)
def test_signed_out_every_page_leads_to_the_sign_in(client, replaced, path):
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.url.startswith("/sign-in/?next=/p/default/")


@pytest.mark.parametrize("path", PAGES)
def test_an_outsider_finds_no_page(cy_looks, replaced, path):
    assert cy_looks.get(path).status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_strict_and_at_home(ana_looks, replaced, experimental, worker, path):
    answer = ana_looks.get(path)
    assert answer.status_code == 200
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    html = answer.content.decode()
    assert not re.search(r"<[^>]+\sstyle=", html)
    assert not re.search(r"<style|<script(?![^>]*\ssrc=)|\son[a-z]+=", html)
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', html)


def test_htmx_is_sent_to_the_sign_in_as_a_whole_page(client, production):
    answer = client.get("/p/default/changes/", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"].startswith("/sign-in/")


def test_home_leads_to_the_project_last_used(ana, production):
    other = ProjectFactory(name="banking")
    browser = signed_in(ana)
    assert browser.get("/").url == "/p/banking/"
    browser.get(f"/p/{production.project.name}/")
    assert browser.get("/").url == "/p/default/"
    assert other.name == "banking"


def test_who_sees_no_project_is_told_whom_to_ask(cy_looks):
    answer = cy_looks.get("/")
    assert answer.status_code == 404
    assert b"Ask an administrator for a role" in answer.content


def test_the_rail_lists_only_what_one_may_see(ana_looks, ben, production):
    browser = signed_in(ben)
    assert b'href="/p/default/training/"' in browser.get("/p/default/").content
    take(ben, "training.read")
    assert b'href="/p/default/training/"' not in browser.get("/p/default/").content


def test_an_unknown_page_is_a_page(ana_looks, production):
    answer = ana_looks.get("/p/default/nowhere/")
    assert answer.status_code == 404
    assert b"There is no such thing" in answer.content
