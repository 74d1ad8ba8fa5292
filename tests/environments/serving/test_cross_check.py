"""The cross-check: what a server says of itself, asked when it is due."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.models import ServerCheck
from environments.serving import cross_check
from tests.factories import EnvironmentFactory


@pytest.fixture
def production(project, fake_rasa):
    fake_rasa.token = "s3cret"
    environment = EnvironmentFactory.build(project=project, url=fake_rasa.url, pull_interval=10)
    environment.rasa_token = "s3cret"
    environment.save()
    return environment


def check(production, later=0):
    cross_check.check_due(timezone.now() + timedelta(seconds=later))
    return ServerCheck.objects.get(environment=production)


def test_versions_and_the_loaded_model_are_kept(production, fake_rasa):
    fake_rasa.load(model_id="abc", model_file="brisk-otter.tar.gz")
    found = check(production)
    assert (found.version, found.minimum_compatible_version) == ("3.6.21", "3.6.21")
    assert (found.model_id, found.model_file, found.failures) == ("abc", "brisk-otter.tar.gz", 0)


def test_without_a_model_there_is_no_model_id(production):
    found = check(production)
    assert (found.model_id, found.failures, found.error) == ("", 0, "")


def test_a_server_is_asked_once_per_interval(production, fake_rasa):
    check(production)
    asked = len(fake_rasa.requests)
    check(production, later=5)
    assert len(fake_rasa.requests) == asked
    check(production, later=11)
    assert len(fake_rasa.requests) > asked


def test_a_tick_that_comes_a_moment_early_is_not_lost(production, fake_rasa):
    check(production)
    asked = len(fake_rasa.requests)
    check(production, later=9.7)
    assert len(fake_rasa.requests) > asked


def test_failures_are_counted_and_the_last_known_versions_kept(production, fake_rasa):
    check(production)
    fake_rasa.stop()
    check(production, later=11)
    found = check(production, later=22)
    assert (found.failures, found.version) == (2, "3.6.21")
    assert found.error


def test_a_wrong_token_is_told_and_is_no_outage(production, fake_rasa):
    fake_rasa.token = "another"
    found = check(production)
    assert found.failures == 0
    assert found.error == "It refuses the token that is declared for it."


def test_the_token_reaches_no_record(production, fake_rasa):
    fake_rasa.stop()
    assert "s3cret" not in check(production).error


def test_several_beats_are_harmless(production):
    now = timezone.now()
    assert [cross_check.check_due(now), cross_check.check_due(now)] == [1, 0]


def test_a_token_that_cannot_be_read_is_told_and_holds_up_no_other_server(production, project, fake_rasa):
    production.sealed_rasa_token = "s3cret"
    production.save()
    fake_rasa.load(model_id="abc")
    other = EnvironmentFactory.build(project=project, name="other", url=fake_rasa.url, rasa_token="s3cret")
    other.save()
    found = check(production)
    assert found.error.startswith("The rasa_token of the environment production was sealed with a key")
    assert (found.version, found.model_id) == ("3.6.21", "")
    assert ServerCheck.objects.get(environment=other).model_id == "abc"


def test_what_one_server_says_keeps_no_other_from_being_recorded(production, project, fake_rasa, caplog):
    """However long, and with characters that a database does not take."""
    other = EnvironmentFactory(project=project, name="zz-last", url=fake_rasa.url, order=99)
    fake_rasa.version = "3.6.21\0" + "x" * 5000
    check(production)
    assert ServerCheck.objects.get(environment=other).checked_at
    assert ServerCheck.objects.get(environment=production).checked_at
    assert len(ServerCheck.objects.get(environment=production).version) <= 50


def test_one_whose_address_was_changed_meanwhile_is_left_out(production):
    cross_check.record(production, cross_check.Finding(None, None, "gone"), timezone.now())
    assert not ServerCheck.objects.exists()


def test_a_clock_that_was_ahead_stops_no_check(production, fake_rasa):
    check(production, later=7200)
    asked = len(fake_rasa.requests)
    check(production)
    assert len(fake_rasa.requests) > asked
