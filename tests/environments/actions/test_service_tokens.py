"""Rotating the service token of an environment: servers have a day to follow, a leaked one ends at once."""

from datetime import timedelta

import pytest

from accounts.models import AuditEvent
from accounts.problems import MissingGrant
from environments import errors
from environments.actions import service_tokens as actions
from environments.models import Environment
from environments.serving.service_tokens import environment_of, service_token


def fresh(environment):
    return Environment.objects.select_related("project").get(pk=environment.pk)


def test_both_tokens_are_answered_for_the_grace_period(production, by_ana):
    old = service_token(production)
    rotated = actions.rotate(environment=production, by=by_ana)
    assert service_token(rotated) != old
    assert environment_of(old) == environment_of(service_token(rotated)) == production


def test_a_leaked_token_ends_at_once_and_every_older_one(production, by_ana):
    first = service_token(production)
    second = service_token(actions.rotate(environment=production, by=by_ana))
    third = service_token(actions.rotate(environment=production, by=by_ana, grace=timedelta(0)))
    assert [environment_of(token) for token in (first, second, third)] == [None, None, production]


def test_rotating_twice_cuts_no_server_off(production, by_ana):
    old = service_token(production)
    actions.rotate(environment=production, by=by_ana)
    with pytest.raises(errors.RotationRuns, match="is good until"):
        actions.rotate(environment=production, by=by_ana)
    assert environment_of(old) == production


def test_it_may_be_rotated_again_when_the_grace_is_over(production, by_ana, django_now):
    actions.rotate(environment=production, by=by_ana)
    Environment.objects.update(previous_token_until=django_now)
    assert actions.rotate(environment=production, by=by_ana).token_generation == 3


def test_it_needs_to_manage_environments(production, by_ben):
    with pytest.raises(MissingGrant, match=r"environments\.manage"):
        actions.rotate(environment=production, by=by_ben)


def test_it_is_told_without_a_token(production, by_ana):
    actions.rotate(environment=production, by=by_ana)
    event = AuditEvent.objects.get(action="environment.rotate_token")
    assert (event.object, event.before, event.after) == (
        "environment:production",
        {"generation": 1},
        {"generation": 2, "grace_hours": 24},
    )


def test_tokens_of_an_earlier_installation_key_are_answered_while_it_is_configured(production, settings):
    old = service_token(production)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-key-of-this-installation-" * 2
    assert service_token(production) != old
    assert environment_of(old) == production
    settings.SECRET_KEY_FALLBACKS = []
    assert environment_of(old) is None
