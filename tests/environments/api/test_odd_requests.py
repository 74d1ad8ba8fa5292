"""Whatever comes off the wire, at every route there is: an answer in the right shape, and never a crash."""

import itertools
import re
from urllib.parse import quote_from_bytes, unquote_to_bytes
from zlib import crc32

import pytest
from django.db import transaction
from django.test import Client

from tests.repeats import times
from tests.routes import API_ROUTES, ROUTES
from tests.wire import ask

API = {route for route, _ in API_ROUTES}
# A few routes a test: what is there to be asked for takes longer to make than a route to answer.
GROUPS = [[route for route, _ in ROUTES[first : first + 6]] for first in range(0, len(ROUTES), 6)]
EVERY_ROUTE = pytest.mark.parametrize("routes", GROUPS, ids=[group[0] for group in GROUPS])

METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "get",
    "X" * 1000,
)

NAMES = [
    *(
        b"\xff",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"a\x00b",
        b".",
        b"..",
        b"../..",
        b"%2e%2e",
        b"%",
        b"a b",
        b" ",
        b"\r\nX: y",
    ),
    *(
        "\u0663".encode(),
        "e\u0301".encode(),
        "\u202eevil".encode(),
        "💥".encode(),
        "\uffff".encode(),
        "\u2028".encode(),
    ),
    *(
        b"'",
        b'"',
        b"<script>",
        b"${HOSTNAME}",
        b"{0}",
        b"%s",
        b"%(a)s",
        b"\\",
        b";",
        b"@",
        b"a@b",
        b"a@",
        b"*",
        b"?",
        b"#",
    ),
    *(b"-1", b"0", b"00", b"1e9", b"1.0", b"9" * 18, b"9" * 19, b"9" * 400, b"null", b"None", b"latest", b"active"),
    *(b"x" * 10_000, "ß".encode() * 200, b"nlu", b"jobs", b"tags"),
]

NUMBERS = (
    *(
        "",
        "0",
        "-0",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "0x10",
        "1_0",
        " 1",
        "1%20",
        "%D9%A3",
        "%C2%B2",
        "%EF%BC%91",
        "%FF",
        "NaN",
    ),
    *("Infinity", "501", "9" * 18, "9" * 19, "9" * 5000, "1;2", "1,2", "true", "null", "[]"),
)
TIMES = (
    *("", "now", "0", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59Z"),
    *("9999-12-31T23:59:59-23:59", "10000-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z"),
    *("2026-01-31T24:00:00Z", "2026-01-31T12:00:60Z", "2026-01-31T12:00:00", "2026-01-31T12:00:00%2B99:99"),
    *("2026-01-31", "%D9%A2026-01-31T12:00:00Z", "2026-01-31T12:00:00.9999999999Z", "-2026-01-31T12:00:00Z"),
)
QUERIES = [
    *(f"{name}={value}" for name in ("limit", "offset", "cursor", "wait") for value in NUMBERS),
    *(f"{name}={value}" for name in ("time", "since", "until") for value in TIMES),
    *(
        f"{name}={value}"
        for name in ("project", "environment", "tag", "tags", "q", "against", "status", "kind", "token", "api_token")
        for value in ("", "%FF", "%ED%A0%80", "%C0%AF", "a%", "%25", "_", "'", "%E2%80%AE", "x" * 5000)
    ),
    *("replica=%FF", "replica=%0A", "prune=maybe", "prune=true&prune=false", "on_conflict=suffix&on_conflict=refuse"),
    *(
        "format=xml",
        "format=csv",
        "script=",
        "version=9",
        "lang=xx",
        "project=default&project=nothing",
        "limit=1&limit=x",
    ),
    *(
        "%",
        "%%%",
        "&&&",
        "=",
        "=&=",
        "?",
        "a" * 50_000,
        "&".join(f"a{n}=1" for n in range(1100)),
        "%00",
        "a=%00",
        "\0",
        "\xff\xfe",
    ),
]

HEADERS = [
    *(
        {"HTTP_ACCEPT": value}
        for value in ("", "*", "text/html", "application/xml;q=1", "a/b;q=x", "\xff", ",;,", "*/*" * 3000)
    ),
    *({"HTTP_ACCEPT_ENCODING": value} for value in ("", "gzip;q=x", "\xff")),
    *({"HTTP_ACCEPT_LANGUAGE": value} for value in ("xx", "\xff", "a" * 5000)),
    *(
        {"HTTP_AUTHORIZATION": value}
        for value in ("", "Bearer", "Bearer ", "Bearer \xff", "Basic \xff", "Token x", "Bearer " + "x" * 9000)
    ),
    *(
        {"HTTP_AUTHORIZATION": f"Bearer {value}"}
        for value in ("cpt_", "cpt_\xff", "cps_", "cps_1", "cps_\xb2_x", "cps_" + "9" * 30 + "_x", "cps_1_\xff")
    ),
    *(
        {"HTTP_COOKIE": value}
        for value in (
            "\xff",
            ";;;=",
            "sessionid",
            "sessionid=\xff\xff\xff\xff\xff\xff\xff\xff",
            'sessionid="' + "\\000" * 9 + '"',
            "csrftoken=\xff",
            "a=b;" * 3000,
        )
    ),
    *({"HTTP_IF_NONE_MATCH": value} for value in ("", '"', "W/", "*", ",,,", '"\xff"', '"a", "b"', "x" * 9000)),
    *(
        {"HTTP_RANGE": value}
        for value in (
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=9-1",
            "bytes=0-0,5-6",
            "items=0-1",
            "bytes=\xb2-",
            "bytes=" + "9" * 18 + "-",
            "bytes=" + "9" * 99 + "-",
        )
    ),
    *(
        {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": value}
        for value in ("", '"', "*", "\xff", "Fri, 01 Jan 2026 00:00:00 GMT")
    ),
    *({"HTTP_HOST": value} for value in ("", "a b", "\xff", "host:99999", "a" * 300, "[::1", "evil.example")),
    *({"HTTP_X_FORWARDED_FOR": value} for value in ("", "\xff", ",,,", "x" * 9000)),
    *({"HTTP_X_CSRFTOKEN": value} for value in ("", "\xff", "x" * 64)),
    *({"HTTP_HX_REQUEST": "true", "HTTP_HX_CURRENT_URL": value} for value in ("", "\xff", "http://[", "%")),
    *({"CONTENT_LENGTH": value} for value in ("", "-1", "x", "9" * 30)),
    *(
        {"HTTP_TRANSFER_ENCODING": "chunked"},
        {"HTTP_ORIGIN": "\xff"},
        {"HTTP_REFERER": "http://["},
        {"HTTP_EXPECT": "\xff"},
    ),
]

CONTENT_TYPES = [
    *(
        "",
        "nonsense",
        "/",
        ";",
        ";;",
        "a/b/c",
        "\xff",
        "text/plain",
        "application/xml",
        "application/json;",
        "application/json; =x",
    ),
    *(
        f"application/json; charset={name}"
        for name in (
            "",
            "nonsense",
            "utf-7",
            "utf-16",
            "base64",
            "zlib",
            "rot13",
            "idna",
            "undefined",
            "punycode",
            "mbcs",
            '"',
            "a\0b",
            "\xff",
            "x" * 5000,
        )
    ),
    *(
        "application/json; charset*=utf-8''utf-8",
        "application/json; charset*=nonsense''x",
        "application/json; charset*0*=a''b; charset*2=c",
    ),
    *("application/json; a*=b", "application/json; a*1=b", "application/json; " + "a=b; " * 2000),
    *(
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 5000,
        "multipart/form-data; boundary=\xff",
    ),
    *(
        "multipart/form-data; boundary*=nonsense''x",
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-16",
    ),
]

BODIES = [
    *(
        b"",
        b"{",
        b"}",
        b"[]",
        b"null",
        b"1",
        b'"a"',
        b"true",
        b"NaN",
        b'{"a": Infinity}',
        b'{"model": -Infinity}',
        b"\xef\xbb\xbf{}",
    ),
    *(
        b"\xff\xfe{\0}\0",
        b'{"model": "\xff"}',
        b'{"model": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"model": "a\\u0000b"}',
        b'{"\\u0000": 1}',
    ),
    *(
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"model": ' + b"[" * 900 + b"]" * 900 + b"}",
        b"9" * 5000,
        b'{"a": 1' + b"0" * 4000 + b"}",
    ),
    *(
        b'{"model": null, "model": "brisk-otter"}',
        b'{"model": 1e999}',
        b'{"dry_run": 0}',
        b'{"tags": [null]}',
        b'{"tags": {}}',
    ),
    *(
        b'{"%s": 1%s}' % (name, b"0" * 400)
        for name in (b"pull_interval", b"replicas", b"workers", b"model", b"reason", b"url")
    ),
    *(b'{"pull_interval": %s}' % value for value in (b"-0.0", b"1e-400", b"1e308", b"1e999", b"true", b'"1"')),
    *(b'{"name": "a", "expires_at": "%s"}' % unquote_to_bytes(value) for value in TIMES),
    *(
        b'{"name": "a", "url": "%s"}' % url
        for url in (
            b"http://",
            b"http://[",
            b"http://a:b",
            b"//a",
            b"http://\xc3\xa9",
            b"http://a:99999",
            b"http://\\u0000",
        )
    ),
    *(
        b'[{"name": "a", "url": "http://a"}, {}]',
        b"[[]]",
        b"[1]",
        b"[null]",
        b'[{"name": {}, "url": []}]',
        b'{"message": ""}',
    ),
    *(
        b'{"name": "a", "grants": ["\\ud83d"]}',
        b'{"to": "1", "expected": 5}',
        b'{"to": "\xd9\xa3"}',
        b'{"bundle": "%s"}' % (b"9" * 30),
    ),
    *(
        b'{"config": "%s"}' % text
        for text in (b"a: [", b"\\u0000", b"*a", b"&a [*a]", b"a: !!python/object:x {}", b"\\ufeff", b"- " * 5000)
    ),
    *(b'{"kind": "training", "model_name": "%s"}' % name for name in (b"..", b"tags", b"a/b", b"x" * 201)),
]


@pytest.fixture
def administrator(ana, callers):
    """An API token for the API; for pages a session with its CSRF token."""
    client = Client()
    client.force_login(ana)
    cookie = f"sessionid={client.cookies['sessionid'].value}; csrftoken={'a' * 32}"
    return {
        True: {"HTTP_AUTHORIZATION": callers["ana"]["Authorization"]},
        False: {"HTTP_COOKIE": cookie, "HTTP_X_CSRFTOKEN": "a" * 32},
    }


@pytest.fixture
def tried(known, administrator):
    """Ask and hold the answer to its shape; what was changed is put back."""

    def ask_and_check(method, route, target, **request):
        with transaction.atomic():
            answer = ask(method, target, **(administrator[route in API] | request))
            transaction.set_rollback(True)
        check(answer, method, route, target)
        return answer

    return ask_and_check


def check(answer, method, route, target):
    where = f"{method} {target[:200]!r}: {answer.status} {answer.body[:300]!r}"
    assert answer.status < 500, where
    if route not in API:
        return
    assert answer.kind != "text/html", where
    if answer.status < 400 or method == "HEAD":
        return
    document = answer.json()
    if route.startswith("api/v1/"):
        assert answer.kind == "application/problem+json", where
        assert (document["status"], document["type"][:10]) == (answer.status, "/problems/"), where
    else:
        assert answer.kind == "application/json", where
        assert (document["code"], document["status"]) == (answer.status, "failure"), where


def named(route, known):
    """What `name` stands for in the route."""
    nouns = {"environments/": "environment", "pipelines/": "pipeline", "repositories/": "repository"}
    return known[next((noun for part, noun in nouns.items() if part in route), "model")]


def url(route, known, **names):
    """The route with what exists in its places, or with the bytes given."""
    here = {"name": named(route, known), "code": "not-found", "replica": "r"}
    if route.startswith("p/"):
        here |= {"environment": "experimental"}
    here |= {name: value for name, value in known.items() if isinstance(value, str)} | names

    def place(match):
        value = here[match[1]]
        return quote_from_bytes(value if isinstance(value, bytes) else value.encode(), safe="")

    return f"/{re.sub(r'<(?:[a-z]+:)?([a-z]+)>', place, route)}".encode()


def writes(route):
    """A method of the route that takes a body."""
    view = dict(ROUTES)[route]
    return next((method for method in ("POST", "PUT", "PATCH") if hasattr(view, method.lower())), "POST")


def odd_requests(route, known):
    """Method, target and the rest of each request that is worth a try at the route."""
    plain, write = url(route, known), writes(route)
    for place in re.findall(r"<(?:[a-z]+:)?([a-z]+)>", route):
        for name in NAMES:
            for method in ("GET", write, "DELETE"):
                yield method, url(route, known, **{place: name}), {}
    for query in QUERIES:
        yield "GET", plain + b"?" + query.encode("latin-1"), {}
    for headers in HEADERS:
        yield "GET", plain, headers
    for content_type in CONTENT_TYPES:
        yield "GET", plain + b"?q=%C3%A9", {"CONTENT_TYPE": content_type}
        yield write, plain + b"?q=%C3%A9", {"CONTENT_TYPE": content_type, "body": b'{"a": "\xc3\xa9"}'}
    for body in BODIES:
        yield write, plain, {"CONTENT_TYPE": "application/json", "body": body}


@EVERY_ROUTE
def test_every_method_is_answered_and_a_wrong_one_told_the_right_ones(tried, known, routes):
    for route in routes:
        answers = {method: tried(method, route, url(route, known)) for method in METHODS}
        got, headed = answers["GET"], answers["HEAD"]
        assert (headed.status, headed.kind) == (got.status, got.kind), route
        for method, answer in answers.items():
            if answer.status == 405:
                assert answer.headers["Allow"], (method, route)
            if route in API and method in ("TRACE", "CONNECT", "PROPFIND"):
                assert answer.status == 405, (method, route)


@pytest.mark.nightly
@EVERY_ROUTE
def test_odd_requests_are_answered_in_the_right_shape(tried, known, routes):
    """In a usual run each route gets one in 25 of them, and each of them comes to some route."""
    step = times(25, nightly=1)
    for route in routes:
        asked = odd_requests(route, known)
        for method, target, request in itertools.islice(asked, crc32(route.encode()) % step, None, step):
            tried(method, route, target, **request)
