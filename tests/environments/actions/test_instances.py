"""Which processes run beside this one, as each of them notes it."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from environments.actions import instances
from environments.models import Instance

pytestmark = pytest.mark.django_db


def note(name, **marks):
    return [other.name for other in instances.note(name=name, part="web", host="here", marks=marks)]


def seen(name, **ago):
    Instance.objects.filter(name=name).update(seen_at=Now() - timedelta(**ago))


def test_who_began_before_and_goes_on_is_told_of():
    assert note("first") == []
    assert note("second") == []
    assert note("first") == []
    assert note("second") == ["first"]
    assert note("first") == []


def test_one_that_was_killed_and_started_again_is_not_told_of_itself():
    note("killed")
    for _ in range(3):
        assert note("started") == []


def test_one_that_is_gone_is_not_told_of_and_forgotten_in_the_end():
    note("first")
    note("second")
    note("first")
    Instance.objects.filter(name="second").update(started_at=Now() - timedelta(hours=3))
    seen("first", seconds=30)
    assert note("second") == []
    seen("first", hours=2)
    note("second")
    assert [row.name for row in Instance.objects.all()] == ["second"]


def test_its_marks_are_those_of_now():
    note("first", cache="a")
    note("first", cache="b")
    assert Instance.objects.get().marks == {"cache": "b"}


def test_the_name_of_a_machine_may_be_long():
    instances.note(name="first", part="web", host="h" * 300, marks={})
    assert len(Instance.objects.get().host) == 255
