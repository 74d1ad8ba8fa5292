"""Every problem has a code of its own, a meaning and a cure, and a page that tells them."""

from html import unescape
from http import HTTPStatus

import pytest

from accounts.problems import known
from environments import errors

EVERY = known()


def test_codes_are_given_once():
    codes = [problem.code for problem in EVERY]
    assert len(set(codes)) == len(codes)


def test_those_of_the_domain_are_among_them():
    assert errors.StalePromotion in EVERY


@pytest.mark.parametrize("problem", EVERY, ids=lambda problem: problem.code)
def test_it_says_what_it_means_and_what_to_do(problem):
    assert problem.__doc__, "the docstring is the meaning"
    assert problem.cure.endswith("."), "`cure` is a sentence"
    assert problem.title
    assert not problem.title.endswith(".")
    assert problem.reason.isidentifier()
    assert 400 <= HTTPStatus(problem.status) < 600


@pytest.mark.parametrize("problem", EVERY, ids=lambda problem: problem.code)
def test_its_type_leads_to_a_page(client, db, problem):
    page = client.get(f"/problems/{problem.code}")
    assert page.status_code == 200
    assert problem.title in unescape(page.text)


def test_an_unknown_code_is_404(client, db):
    assert client.get("/problems/nonsense").status_code == 404
