"""The demo takes the names of environments: never where other servers use them."""

import pytest

from accounts.actor import COMMAND, system
from accounts.models import ApiToken
from controlplane import demonstration, running
from environments.actions import users
from environments.models import Replica


@pytest.fixture
def heard(django_now):
    """A server that polled."""

    def hear(environment, name, url):
        environment.url = url
        environment.save()
        return Replica.objects.create(
            environment=environment, name=name, first_seen_at=django_now, last_poll_at=django_now
        )

    return hear


def test_a_home_that_nobody_polls_is_taken(production):
    demonstration.check_home()


def test_the_demos_own_servers_are_no_hindrance(production, heard):
    heard(production, "local", "http://localhost:5005")
    heard(production, "one-more", "http://localhost:5005")
    demonstration.check_home()


def test_a_home_that_other_servers_poll_is_refused_with_the_cure(production, heard):
    heard(production, "rasa-production-7f9c", "http://rasa-production:5005")
    with pytest.raises(running.CannotStart, match=r"rasa-production-7f9c of production.*CONTROLPLANE_HOME=var/demo"):
        demonstration.check_home()


def test_those_that_were_forgotten_do_not_count(production, heard, django_now):
    replica = heard(production, "rasa-production-7f9c", "http://rasa-production:5005")
    replica.forgotten_at = django_now
    replica.save()
    demonstration.check_home()


def test_each_run_has_a_token_of_its_own_and_ends_the_one_before(db):
    users.create_administrator(password="a-long-password", by=system(COMMAND))
    first, second = demonstration.token(), demonstration.token()
    assert first != second
    assert ApiToken.objects.usable().count() == 1
