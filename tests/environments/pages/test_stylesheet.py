"""What the browser loads stays small, and the stylesheet that is served says what its source says."""

import re

import pytest
from django.conf import settings

from environments.pages import stylesheet

STATIC = settings.BASE_DIR / "static"
KB = 1024


def test_the_stylesheet_is_small():
    assert len(stylesheet.SHEET.encode()) < 40 * KB


def test_own_scripts_are_small():
    assert sum(path.stat().st_size for path in STATIC.rglob("*.js")) < 20 * KB


def test_every_module_is_loaded():
    imported = set(re.findall(r'import (?:.* from )?"(?:\./)?(?:js/)?([\w-]+\.js)"', (STATIC / "app.js").read_text()))
    assert imported | {"page.js"} == {path.name for path in (STATIC / "js").glob("*.js")}


@pytest.mark.parametrize(
    ("source", "served"),
    [
        ("a { color: red; }\n", "a{color:red}"),
        ("/* a: b; */ a:hover, b :focus { margin: 0 auto; }", "a:hover,b :focus{margin:0 auto}"),
        (
            "@media (max-width: 760px) {\n  a { width: calc(1px + 2px); }\n}",
            "@media (max-width:760px){a{width:calc(1px + 2px)}}",
        ),
        ('a::before { content: ""; font: 1px "Segoe UI", serif }', 'a::before{content:"";font:1px "Segoe UI",serif}'),
        ("ul > li + li, a > b { margin: -0.5em 0.25em 10.5px; }", "ul>li + li,a>b{margin:-.5em .25em 10.5px}"),
        ("a { color: red !important; width: calc(100% - 0.5px); }", "a{color:red!important;width:calc(100% - .5px)}"),
        ('a { content: "0.5 > 1; b , c"; }', 'a{content:"0.5 > 1; b , c"}'),
        (".a {\n  color: red;\n  > b, &:hover > c { margin: 0; }\n}", ".a{color:red;>b,&:hover>c{margin:0}}"),
    ],
)
def test_rules_stay_what_they_are(source, served):
    assert stylesheet.squeezed(source) == served


def test_the_stylesheet_has_as_many_rules_as_its_source():
    source = stylesheet.COMMENT.sub("", stylesheet.SOURCE.read_text())
    for mark in "{}(":
        assert stylesheet.SHEET.count(mark) == source.count(mark)


def test_the_browser_asks_only_whether_it_changed(client):
    answer = client.get("/app.css")
    assert answer.headers["Content-Type"] == "text/css"
    assert client.get("/app.css", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
