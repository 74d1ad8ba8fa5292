"""Alerts: told once when trouble has lasted, once when it is over, and never for what only flickers."""

from datetime import timedelta

import pytest

from environments.actions import alerts
from environments.actions.alerts import Finding, Trouble
from environments.models import Alert, Delivery, Environment
from environments.states import Event
from tests.factories import EnvironmentFactory, WebhookFactory

AFTER = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
SILENT = Trouble(Event.REPLICA_SILENT, "r1", "No poll for three intervals.")
OUT_OF_SYNC = Trouble(Event.ENVIRONMENT_OUT_OF_SYNC, "", "It should serve brisk-otter.")
EVERYTHING = frozenset(Event)


class Days:
    """Looks at production on a clock that the test turns."""

    def __init__(self, environment: Environment, now) -> None:
        self.environment, self.now = environment, now

    def pass_by(self, minutes: float, *troubles: Trouble, every: float = 0.5, **finding) -> None:
        """Look again and again, and see the same each time."""
        for _ in range(round(minutes / every)):
            self.now += every * MINUTE
            self.look(*troubles, **finding)

    def look(self, *troubles: Trouble, gap: bool = False, **finding) -> int:
        seen = Finding(self.environment, troubles, **finding)
        return alerts.take_in([seen], self.now, after=AFTER, gap=gap)


@pytest.fixture
def days(production, django_now):
    WebhookFactory()
    return Days(production, django_now)


def told() -> list[tuple[str, str]]:
    payloads = Delivery.objects.order_by("pk").values_list("payload", flat=True)
    return [(payload["event"], payload["subject"]) for payload in payloads]


IS_SILENT = ("replica.silent", "production: replica r1 is silent")
IS_HEARD = ("recovered", "production: replica r1 is heard again or replaced")


def test_trouble_is_told_once_it_has_lasted_and_only_once(days):
    days.pass_by(5, SILENT)
    assert told() == []
    days.pass_by(120, SILENT)
    assert told() == [IS_SILENT]
    payload = Delivery.objects.get().payload
    assert payload["text"] == "r1: No poll for three intervals."
    assert payload["environment"] == "production"
    assert payload["data"]["replicas"] == ["r1"]
    assert payload["url"].endswith("/p/default/environments/production/replicas/")


def test_its_end_is_told_once_it_has_lasted_too(days):
    days.pass_by(6, SILENT)
    days.pass_by(5, SILENT)
    days.pass_by(5)
    assert told() == [IS_SILENT]
    days.pass_by(60)
    assert told() == [IS_SILENT, IS_HEARD]
    assert Delivery.objects.latest("pk").payload["data"]["recovered"] == "replica.silent"
    assert Alert.objects.get().recovered_at


def test_what_is_over_before_it_was_told_is_never_told(days):
    days.pass_by(4, SILENT)
    days.pass_by(60)
    assert told() == []
    assert not Alert.objects.exists()


def test_short_troubles_with_calm_between_them_are_not_added_up(days):
    for _ in range(10):
        days.pass_by(2, SILENT)
        days.pass_by(2)
    assert told() == []


def test_flapping_is_told_once(days):
    for _ in range(60):
        days.pass_by(1, SILENT)
        days.pass_by(0.5)
    assert told() == [IS_SILENT]
    days.pass_by(10)
    assert told() == [IS_SILENT, IS_HEARD]


def test_trouble_that_comes_back_later_is_told_again(days):
    for _ in range(2):
        days.pass_by(6, SILENT)
        days.pass_by(6)
    assert told() == [IS_SILENT, IS_HEARD] * 2


def test_what_is_unknown_is_no_trouble_and_no_end_of_it(days):
    days.pass_by(4, SILENT)
    days.pass_by(0.5, unknown=True)
    days.pass_by(4, SILENT)
    assert told() == []
    days.pass_by(2, SILENT)
    days.pass_by(60, unknown=True)
    assert told() == [IS_SILENT]
    days.pass_by(60, SILENT)
    assert told() == [IS_SILENT]


def test_a_restart_of_the_control_plane_is_no_time_of_trouble(days):
    """What was seen before it counts no more, also where it is seen again right after."""
    days.pass_by(2, SILENT)
    days.now += timedelta(hours=3)
    days.look(SILENT, gap=True)
    days.pass_by(4, SILENT)
    assert told() == []
    days.pass_by(2, SILENT)
    assert told() == [IS_SILENT]


def test_a_restart_in_calm_is_no_recovery(days):
    days.pass_by(6, SILENT)
    days.pass_by(2)
    days.now += timedelta(hours=3)
    days.look(gap=True)
    assert told() == [IS_SILENT]
    days.pass_by(6)
    assert told() == [IS_SILENT, IS_HEARD]


def test_what_is_kept_is_neither_begun_nor_over(days):
    days.pass_by(6, SILENT)
    days.pass_by(60, kept=EVERYTHING)
    assert told() == [IS_SILENT]
    days.pass_by(6, kept=EVERYTHING, well=frozenset({"r1"}))
    assert told() == [IS_SILENT, IS_HEARD]


def test_many_replicas_are_one_message(days):
    many = [Trouble(Event.REPLICA_STUCK, f"r{number:02}", "It did not load it.") for number in range(40)]
    days.pass_by(6, *many, SILENT)
    assert sorted(told()) == [IS_SILENT, ("replica.stuck", "production: 40 replicas are stuck")]
    text = Delivery.objects.get(event="replica.stuck").payload["text"]
    assert text.startswith("r00: It did not load it.\nr01:")
    assert text.endswith("… and 30 more.")


def test_an_environment_that_is_retired_is_told_no_more(days):
    days.pass_by(6, OUT_OF_SYNC)
    alerts.take_in([], days.now, after=AFTER)
    assert [event for event, _ in told()] == ["environment.out_of_sync"]
    assert not Alert.objects.filter(recovered_at=None).exists()


def test_a_clock_that_goes_back_ends_nothing(days):
    days.pass_by(4, SILENT)
    days.now -= timedelta(hours=1)
    days.pass_by(4, SILENT)
    assert told() == []
    days.now += timedelta(hours=1)
    days.pass_by(3, SILENT)
    assert told() == [IS_SILENT]


def test_a_storm_costs_as_many_queries_as_one(production, django_now, django_assert_max_num_queries):
    WebhookFactory()
    environments = [EnvironmentFactory(name=f"place-{number}") for number in range(200)]

    def look(at, calm=False):
        found = [Finding(one, () if calm else (SILENT, OUT_OF_SYNC)) for one in environments]
        return alerts.take_in(found, at, after=AFTER)

    # SQLite takes a number of rows at a time, hence not the same number each time.
    with django_assert_max_num_queries(25):
        look(django_now)
    with django_assert_max_num_queries(40):
        assert look(django_now + AFTER) == 400
    with django_assert_max_num_queries(15):
        assert look(django_now + AFTER + MINUTE) == 0
    look(django_now + 2 * AFTER, calm=True)
    with django_assert_max_num_queries(40):
        assert look(django_now + 3 * AFTER, calm=True) == 400


def test_what_is_over_is_forgotten_after_a_month(days):
    days.pass_by(6, SILENT)
    days.pass_by(6)
    alerts.tidy(days.now + timedelta(days=29))
    assert Alert.objects.exists()
    alerts.tidy(days.now + timedelta(days=31))
    assert not Alert.objects.exists()
