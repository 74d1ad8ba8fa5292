"""The cast before a browser: a session instead of a token."""

import pytest
from django.test import Client

from environments.actions import promotions


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ana_looks(ana):
    return signed_in(ana)


@pytest.fixture
def ben_looks(ben):
    return signed_in(ben)


@pytest.fixture
def cy_looks(cy):
    return signed_in(cy)


@pytest.fixture
def promoted(production, otter, by_ana):
    """brisk-otter in production."""
    return promotions.promote(environment=production, model=otter, by=by_ana, reason="first release").promotion


@pytest.fixture
def replaced(promoted, production, heron, by_ana):
    """calm-heron in production, after brisk-otter."""
    return promotions.promote(environment=production, model=heron, by=by_ana).promotion
