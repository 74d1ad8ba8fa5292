"""The net of `leaks` catches what is planted on purpose, and knows no route that is gone."""

import logging

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import path

from accounts.models import api_token
from environments.serving.service_tokens import service_token
from tests import leaks
from tests.routes import ROUTES

logger = logging.getLogger(__name__)
PASSWORD = "otters swim in rivers"
PLANTED = {
    leaks.API_TOKEN: f"cpt_{'x' * 43}",
    leaks.SERVICE_TOKEN: f"cps_1_{'x' * 43}",
    leaks.JWT: "eyJhbGciOiJSUzI1NiJ9.eyJ1c2VybmFtZSI6ImFuYSJ9.c2lnbmF0dXJl",
    leaks.HASH: f"argon2$argon2id$v=19$m=102400,t=2,p=8${'x' * 22}",
    leaks.SEALED: f"gAAAAAB{'x' * 60}==",
    leaks.KEY: "-----BEGIN PRIVATE KEY-----",
    leaks.VALUE: "a secret of this test",
}


def shown(request):
    return HttpResponse(f"<p>{request.GET['text']}</p>")


def streamed(request):
    return StreamingHttpResponse([b"a,b\n", request.GET["text"].encode()], content_type="text/csv")


def in_a_header(request):
    return HttpResponse(headers={"Location": f"/x?y={request.GET['text']}"})


urlpatterns = [path("shown", shown), path("streamed", streamed), path("in-a-header", in_a_header)]


def caught(net):
    """What was found so far, which fails the test no more."""
    found = list(net.leaks)
    net.leaks.clear()
    return found


@pytest.mark.parametrize("route", ["shown", "streamed", "in-a-header"])
@pytest.mark.parametrize("kind", PLANTED)
def test_a_secret_in_an_answer_is_caught(net, settings, route, kind):
    settings.ROOT_URLCONF = __name__
    net.secret(PLANTED[leaks.VALUE])
    Client().get(f"/{route}", {"text": PLANTED[kind]}).getvalue()
    assert f"{kind} in the answer to GET {route}" in caught(net)


def test_an_answer_without_a_secret_is_not(net, settings):
    settings.ROOT_URLCONF = __name__
    for route in ("shown", "streamed", "in-a-header"):
        Client().get(f"/{route}", {"text": "cpt_… and Bearer"}).getvalue()
    assert caught(net) == []


def test_a_secret_in_the_log_is_caught(net):
    net.secret(PLANTED[leaks.VALUE])
    logger.warning("it is %s", PLANTED[leaks.VALUE])
    logger.warning("nothing is in this one")
    net.look_at_log()
    [found] = caught(net)
    assert found.startswith(f"{leaks.VALUE} in the log: WARNING tests.test_leaks: it is")
    net.logged.clear()


def test_so_is_a_password_that_was_set_and_what_was_sealed(net, ana, production):
    ana.set_password(PASSWORD)
    production.rasa_token = "open sesame"
    assert leaks.VALUE in net.kinds_in(f"<input value='{PASSWORD}'>")
    assert leaks.VALUE in net.kinds_in("open sesame")


def test_the_shapes_are_those_of_real_tokens(net, production):
    assert net.kinds_in(api_token.new_secret()) == {leaks.API_TOKEN}
    assert net.kinds_in(service_token(production)) == {leaks.SERVICE_TOKEN}


def test_every_answer_that_may_show_one_is_of_a_route_that_exists():
    assert {route for _, route in leaks.SHOWN_ON_PURPOSE} <= {route for route, _ in ROUTES}
