"""The guide: the texts of `docs/` as pages, so that what one reads is of the version that runs here."""

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from accounts.problems import NotFound
from environments.pages.access import OwnRequest, own_page

FOLDER = settings.BASE_DIR / "docs"


class Part(NamedTuple):
    """Chapters that belong together, by the names of their files, in the order in which one reads them."""

    title: str
    names: tuple[str, ...]


PARTS = (
    Part("Begin", ("first-steps", "concepts")),
    Part("Use it", ("training", "evaluations", "pipelines", "conversations", "notifications", "access")),
    Part("Run it", ("deploying", "compose", "engine", "kubernetes", "configuration", "operations", "metrics")),
    Part("Come from elsewhere", ("migrating-from-rasa-x", "ci", "cli")),
    Part("Look it up", ("states", "errors", "architecture", "benchmarks")),
)
NAMES = frozenset(name for part in PARTS for name in part.names)


class Section(NamedTuple):
    """A heading of the second level, and where it is."""

    title: str
    anchor: str


@dataclass(frozen=True)
class Chapter:
    """One file of the guide as HTML; `anchors` are those of all its headings."""

    name: str
    title: str
    html: SafeString
    sections: tuple[Section, ...]
    anchors: frozenset[str]


def slug(heading: str) -> str:
    """The anchor of a heading, as the hosts of repositories make it: the links in the texts work there as here."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def address(name: str, anchor: str = "") -> str:
    return reverse("guide-chapter", args=[name]) + (f"#{anchor}" if anchor else "")


def _target(link: str) -> str | None:
    """Where a link of a text leads here; None for a file that is in the repository alone."""
    if link.startswith(("#", "https:", "http:")):
        return link
    file, _, anchor = link.partition("#")
    path = PurePosixPath(file)
    return address(path.stem, anchor) if path.suffix == ".md" and path.stem in NAMES else None


def _mend_links(tokens: list[Token]) -> None:
    """Links between the texts lead to their pages; those to other files are their words alone."""
    for opening, closing in _links(tokens):
        target = _target(str(opening.attrs["href"]))
        if target is None:
            opening.tag = closing.tag = "span"
            opening.attrs = {}
        else:
            opening.attrs["href"] = target


def _links(tokens: list[Token]) -> list[tuple[Token, Token]]:
    openings = [token for token in tokens if token.type == "link_open"]
    return list(zip(openings, (token for token in tokens if token.type == "link_close"), strict=True))


def _wide(renderer: Any, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """A table in a box of its own, which one can scroll by keys."""
    if tokens[index].type == "table_open":
        return '<div class="scrolls" tabindex="0"><table class="table">'
    return "</table></div>"


def _nothing(*_: Any) -> str:
    """Pictures of the pages are for who reads the texts elsewhere."""
    return ""


@lru_cache(maxsize=len(NAMES))
def chapter(name: str) -> Chapter:
    """Made once in a process: the texts change with the version alone."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    for rule in ("table_open", "table_close"):
        reader.add_render_rule(rule, _wide)
    reader.add_render_rule("image", _nothing)
    tokens = reader.parse((FOLDER / f"{name}.md").read_text())
    title, sections, anchors = "", [], set()
    for token, inside in itertools.pairwise(tokens):
        if token.type == "heading_open":
            anchor = slug(inside.content)
            anchors.add(anchor)
            token.attrs["id"] = anchor
            if token.tag == "h1":
                title = inside.content
            elif token.tag == "h2":
                sections.append(Section(inside.content, anchor))
    for token in tokens:
        _mend_links(token.children or [])
        if token.type in ("fence", "code_block"):
            token.attrs["tabindex"] = "0"
    html = mark_safe(reader.renderer.render(tokens, reader.options, {}))  # noqa: S308 (HTML in the texts stays text)
    return Chapter(name, title, html, tuple(sections), frozenset(anchors))


@own_page
def contents(request: OwnRequest) -> HttpResponse:
    parts = [(part.title, [chapter(name) for name in part.names]) for part in PARTS]
    return render(request, "guide/contents.html", {"parts": parts})


@own_page
def read(request: OwnRequest, chapter_name: str) -> HttpResponse:
    if chapter_name not in NAMES:
        raise NotFound(f"The guide has no chapter {chapter_name}.")
    return render(request, "guide/chapter.html", {"chapter": chapter(chapter_name)})
