"""The guide is docs/ as pages, and each page has a short text that leads into it."""

import re

import pytest
from django.urls import get_resolver, reverse

from environments.pages import guide
from environments.pages.help import HELPS
from tests.environments.pages.conftest import signed_in

FILES = {path.stem for path in guide.FOLDER.glob("*.md")}


def page_names(resolver):
    for each in resolver.url_patterns:
        if hasattr(each, "url_patterns"):
            yield from page_names(each)
        else:
            yield each.name


def test_every_text_is_a_chapter_once():
    names = [name for part in guide.PARTS for name in part.names]
    assert sorted(names) == sorted(FILES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_chapter_is_a_page_whose_links_lead_somewhere(name, ana_looks):
    page = ana_looks.get(guide.address(name)).content.decode()
    assert "<h1 id=" in page
    links = re.findall(r'<a href="(/guide/[^"]*|#[^"]*)"', page)
    for link in links:
        path, _, anchor = link.partition("#")
        chapter = guide.chapter(path.split("/")[2] if path.startswith("/guide/") and path != "/guide/" else name)
        assert not anchor or anchor == "main" or anchor in chapter.anchors, link


def test_pictures_of_the_pages_are_left_out(ana_looks):
    assert "images/live-light.png" in (guide.FOLDER / "concepts.md").read_text()
    assert "<img" not in ana_looks.get("/guide/concepts/").content.decode()


def test_the_contents_lead_to_every_chapter(ana_looks):
    page = ana_looks.get("/guide/").content.decode()
    assert all(f'href="{guide.address(name)}"' in page for name in FILES)


def test_what_is_no_chapter_is_not_found(ana_looks):
    assert ana_looks.get("/guide/../settings/").status_code == 404
    assert ana_looks.get("/guide/nothing/").status_code == 404
    assert ana_looks.get("/guide/adr%2F0001/").status_code == 404


def test_markup_in_the_texts_is_text(tmp_path, monkeypatch):
    monkeypatch.setattr(guide, "FOLDER", tmp_path)
    (tmp_path / "odd.md").write_text(
        "# A <b>\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) [y](../Makefile)\n"
    )
    html = guide.chapter.__wrapped__("odd").html
    assert "<script" not in html
    assert "<b>" not in html
    assert "href" not in html


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("How a poll proves what is serving", "how-a-poll-proves-what-is-serving"),
        ("environments.yml", "environmentsyml"),
        ("Roles and who may", "roles-and-who-may"),
    ],
)
def test_anchors_are_those_of_repositories(heading, anchor):
    assert guide.slug(heading) == anchor


def test_help_is_for_pages_that_are_there_and_leads_to_what_the_guide_has():
    assert set(HELPS) <= set(page_names(get_resolver()))
    for name, about in HELPS.items():
        chapter = guide.chapter(about.chapter)
        assert not about.anchor or about.anchor in chapter.anchors, name


@pytest.mark.parametrize(
    "name",
    [
        *("overview", "models", "training", "queue", "repositories", "pipelines", "new-pipeline", "evaluations"),
        *("talk", "conversations", "marked-examples", "history", "access", "roles", "access-tokens", "audit"),
        *("webhooks", "retention", "search", "restored"),
    ],
)
def test_each_page_says_what_it_is_for(name, ana, production):
    page = signed_in(ana).get(reverse(name, args=[production.project.name])).content.decode()
    assert f'href="{HELPS[name].url}"' in page


@pytest.mark.parametrize("name", ["environment", "replicas", "connect", "settings"])
def test_each_tab_of_an_environment_says_what_it_is_for(name, ana_looks, production):
    page = ana_looks.get(reverse(name, args=[production.project.name, production.name])).content.decode()
    assert f'href="{HELPS[name].url}"' in page
